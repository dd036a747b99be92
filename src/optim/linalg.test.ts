import { describe, expect, test } from "vitest";
import { referenceBackend } from "../backends/reference/index.ts";
import { wasmBackend } from "../backends/wasm/index.ts";
import { runFunction } from "../compile/run-function.ts";
import { array, type HostArray } from "../core/host-array.ts";
import type { Tensor } from "../ops/tensor.ts";
import { alongAxis, descendingOrder, eigh, inverseRoot, orthonormalColumns, spectralNorm, svd } from "./linalg.ts";

type Rows = readonly (readonly number[])[];

const backends = [
  { name: "reference, f64", make: async () => referenceBackend({ precision: "f64" }), rounding: 2 ** -52 },
  { name: "wasm", make: async () => wasmBackend(), rounding: 2 ** -23 },
];

const matrix = (n: number, m: number, f: (i: number, j: number) => number): Rows =>
  Array.from({ length: n }, (_, i) => Array.from({ length: m }, (_, j) => f(i, j)));
const waves = (n: number, m: number, phase = 0): Rows =>
  matrix(n, m, (i, j) => Math.sin(1.7 * (i * m + j) + phase + (i * i) / 3));
const transpose = (a: Rows): Rows => matrix(a[0]?.length ?? 0, a.length, (i, j) => a[j]?.[i] as number);
const times = (a: Rows, b: Rows): Rows =>
  matrix(a.length, b[0]?.length ?? 0, (i, j) =>
    b.reduce((sum, row, k) => sum + (a[i]?.[k] as number) * (row[j] as number), 0),
  );
const scaleRows = (a: Rows, by: readonly number[]): Rows => a.map((row, i) => row.map((x) => x * (by[i] as number)));
const identity = (n: number): Rows => matrix(n, n, (i, j) => (i === j ? 1 : 0));
const gram = (a: Rows): Rows => times(a, transpose(a));
const host = (a: Rows): HostArray => array(Float64Array.from(a.flat()), [a.length, a[0]?.length ?? 0], "f32");
const rows = ({ shape, data }: HostArray): Rows =>
  matrix(shape[0] as number, shape[1] as number, (i, j) => data[i * (shape[1] as number) + j] as number);
const largest = (a: Rows): number => Math.max(...a.flat().map(Math.abs));
const distance = (a: Rows, b: Rows): number =>
  Math.max(...a.flatMap((row, i) => row.map((x, j) => Math.abs(x - (b[i]?.[j] as number)))));

/** A reflection, with entries of all sizes. */
const reflection = (n: number): Rows => {
  const v = Array.from({ length: n }, (_, i) => Math.cos(2.3 * i + 0.4));
  const square = v.reduce((sum, x) => sum + x * x, 0);
  return matrix(n, n, (i, j) => (i === j ? 1 : 0) - (2 * (v[i] as number) * (v[j] as number)) / square);
};
const withEigenvalues = (values: readonly number[]): Rows => {
  const q = reflection(values.length);
  return times(transpose(q), scaleRows(q, values));
};

const symmetric: readonly (readonly [name: string, a: Rows])[] = [
  ["size 1", [[3]]],
  ["size 2", [[2, 1], [1, 2]]], // biome-ignore format: a matrix
  ["odd size", gram(waves(7, 9))],
  ["even size", gram(waves(16, 40))],
  ["size 65, rank 40", gram(waves(65, 40))],
  ["rank 2 of 9", gram(waves(9, 2))],
  ["rank 1 of 6", gram(waves(6, 1))],
  ["repeated eigenvalues", withEigenvalues([4, 1, 1, 4, 1, 0.5, 0.5])],
  ["eigenvalues over ten decades", withEigenvalues([1, 1e-2, 1e-4, 1e-6, 1e-8, 1e-10])],
  ["diagonal", scaleRows(identity(5), [1, 5, 2, 4, 3])],
  ["zeros", matrix(4, 4, () => 0)],
  ["tiny", scaleRows(gram(waves(5, 6)), Array(5).fill(1e-25))],
  ["huge", scaleRows(gram(waves(5, 6)), Array(5).fill(1e25))],
];

const rectangular: readonly (readonly [name: string, a: Rows])[] = [
  ["[1, 1]", [[-2]]],
  ["[1, 5]", waves(1, 5)],
  ["[4, 4]", waves(4, 4)],
  ["[5, 12]", waves(5, 12)],
  ["rank 2 of [5, 8]", times(waves(5, 2), waves(2, 8, 1))],
  ["equal rows", matrix(3, 4, (_, j) => j - 1.5)],
  ["singular values over six decades", scaleRows(reflection(7).slice(0, 4), [1, 1e-2, 1e-4, 1e-6])],
  ["zeros", matrix(3, 4, () => 0)],
  ["tiny", scaleRows(waves(3, 4), Array(3).fill(1e-25))],
];

describe.each(backends)("on $name", ({ make, rounding }) => {
  const run = async (f: (x: Tensor) => readonly Tensor[], a: Rows): Promise<HostArray[]> => {
    const backend = await make();
    const found = await runFunction(backend, (x) => f(x as Tensor), [host(a)]);
    await backend.close();
    return found;
  };
  const slack = (n: number): number => 20 * n * rounding;

  describe.each(symmetric)("a symmetric matrix: %s", (_, a) => {
    const n = a.length;
    const size = largest(a) || 1;

    test("its eigenvectors are orthonormal, in the eigenvalues' order, and make it again", async () => {
      const [values, found] = await run((x) => Object.values(eigh(x)), a);
      const vectors = rows(found as HostArray);
      const eigenvalues = [...(values as HostArray).data];
      expect(distance(gram(vectors), identity(n))).toBeLessThan(slack(n));
      expect(distance(times(transpose(vectors), scaleRows(vectors, eigenvalues)), a) / size).toBeLessThan(slack(n));
      expect(eigenvalues).toEqual([...eigenvalues].sort((x, y) => y - x));
    });

    test("p-th powers of its inverse p-th root are its inverse", async () => {
      const floor = size * 0.05;
      const lifted = matrix(n, n, (i, j) => (a[i]?.[j] as number) + (i === j ? floor : 0));
      for (const p of [1, 2, 4]) {
        const [found] = await run((x) => [inverseRoot(x, p, x.full(floor))], lifted);
        const root = rows(found as HostArray);
        const power = Array.from({ length: p }, () => root).reduce(times);
        expect(distance(times(power, lifted), identity(n)), `p = ${p}`).toBeLessThan(200 * slack(n));
      }
    });

    test("Q of its QR decomposition is orthogonal and leaves a triangle", async () => {
      const [found] = await run((x) => [orthonormalColumns(x)], a);
      const q = rows(found as HostArray);
      expect(distance(gram(q), identity(n))).toBeLessThan(slack(n));
      const below = times(transpose(q), a).flatMap((row, i) => row.slice(0, i));
      expect(Math.max(0, ...below.map(Math.abs)) / size).toBeLessThan(slack(n));
    });
  });

  describe.each(rectangular)("a matrix: %s", (_, a) => {
    test("its singular directions are orthonormal and hold its rows", async () => {
      const [values, found] = await run((x) => Object.values(svd(x)), a);
      const directions = rows(found as HostArray);
      const singular = [...(values as HostArray).data];
      const size = largest(a) || 1;
      const m = directions[0]?.length ?? 0;
      const own = gram(directions);
      own.forEach((row, i) => {
        row.forEach((x, j) => {
          expect(Math.abs(x - (i === j && singular[i] !== 0 ? 1 : 0)), `${i}, ${j}`).toBeLessThan(slack(m));
        });
      });
      const held = times(times(a, transpose(directions)), directions);
      expect(distance(held, a) / size).toBeLessThan(slack(m));
      // |a v| is the singular value, and the squares' sum is the matrix's.
      const lengths = times(a, transpose(directions));
      singular.forEach((value, j) => {
        const length = Math.hypot(...lengths.map((row) => row[j] as number));
        expect(Math.abs(length - value) / size).toBeLessThan(slack(m));
      });
      for (const row of directions) expect(Math.max(...row)).toBeGreaterThanOrEqual(Math.max(...row.map((x) => -x)));
      const [norm] = await run((x) => [spectralNorm(x.transpose())], a);
      expect(Math.abs((norm as HostArray).item() - (singular[0] as number)) / size).toBeLessThan(slack(m));
    });
  });

  test("small singular values keep their digits", async () => {
    const [, a] = rectangular.find(([name]) => name.includes("decades")) as [string, Rows];
    const [values] = await run((x) => [svd(x).values], a);
    [1, 1e-2, 1e-4, 1e-6].forEach((value, i) => {
      expect(Math.abs((values?.data[i] as number) / value - 1)).toBeLessThan(slack(7));
    });
  });

  test("a matrix along one axis of a kernel", async () => {
    const backend = await make();
    const kernel = array(
      Float64Array.from({ length: 24 }, (_, i) => i),
      [2, 3, 4],
      "f32",
    );
    const sums = host([[1, 1, 1], [0, 0, 2]]); // biome-ignore format: a matrix
    const [found] = await runFunction(backend, (x, m) => alongAxis(x as Tensor, 1, m as Tensor), [kernel, sums]);
    expect(found?.shape).toEqual([2, 2, 4]);
    expect([...(found as HostArray).data]).toEqual([12, 15, 18, 21, 16, 18, 20, 22, 48, 51, 54, 57, 40, 42, 44, 46]);
    await backend.close();
  });

  test("descending order, the first of equals first", async () => {
    const backend = await make();
    const [found] = await runFunction(backend, (x) => descendingOrder(x as Tensor), [array([1, 3, -2, 3, 0])]);
    expect([...(found as HostArray).data]).toEqual([1, 3, 0, 4, 2]);
    await backend.close();
  });
});
