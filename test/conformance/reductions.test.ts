import { afterAll, describe, expect, test } from "vitest";
import { wasmBackend } from "../../src/backends/wasm/index.ts";
import { runFunction } from "../../src/compile/run-function.ts";
import { compileStep } from "../../src/compile/step.ts";
import { aval } from "../../src/core/dtype.ts";
import { array } from "../../src/core/host-array.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { candidates } from "./candidates.ts";

const NEGATIVE = Number.NEGATIVE_INFINITY;
const LENGTH = 61;
const filled = (value: number, others: Readonly<Record<number, number>>): number[] =>
  Array.from({ length: LENGTH }, (_, i) => others[i] ?? value);

/** In unrolled vectors, in the single ones behind them, and in the rest. */
const places = [0, 5, 18, 47, 51, 60];
const rows = [
  ...places.map((at) => filled(1, { [at]: Number.NaN })),
  ...places.map((at) => filled(-0, { [at]: 0 })),
  ...places.map((at) => filled(0, { [at]: -0 })),
  ...places.map((at) => filled(-2, { [at]: 0, [LENGTH - 1 - at]: -0 })),
  ...places.map((at) => filled(2, { [at]: 0, [LENGTH - 1 - at]: -0 })),
  ...places.map((at) => filled(NEGATIVE, { [at]: -1 })),
  filled(-0, {}),
  filled(0, {}),
  filled(NEGATIVE, {}),
  filled(Number.POSITIVE_INFINITY, { 3: Number.NaN }),
];

/** Numbers of which every sum of so many is exact: no order of additions is another's error. */
const whole = (i: number): number => ((i * 7919) % 257) - 128;
const sums = [
  { rows: 2048, columns: 96 },
  { rows: 512, columns: 65 },
  { rows: 1024, columns: 500 },
  { rows: 100, columns: 512 },
  { rows: 2048, columns: 20 },
];

describe.each(candidates)("$name", ({ create }) => {
  const backend = create();
  afterAll(() => backend.close());

  test("the greatest and the smallest of a row heed NaN and the signs of zeros", async () => {
    const [greatest, smallest] = await runFunction(
      backend,
      (...inputs) => [(inputs[0] as Tensor).max(1), (inputs[0] as Tensor).min(1)],
      [array(rows.flat(), [rows.length, LENGTH])],
    );
    // toEqual tells -0 from 0.
    expect([...(greatest?.data ?? [])]).toEqual(rows.map((row) => Math.max(...row)));
    expect([...(smallest?.data ?? [])]).toEqual(rows.map((row) => Math.min(...row)));
  });

  test.each(sums)("sums and extremes of $columns columns of $rows", async ({ rows: m, columns: n }) => {
    const x = Array.from({ length: m * n }, (_, i) => whole(i));
    const found = await runFunction(
      backend,
      (...inputs) => {
        const [v] = inputs as [Tensor];
        return [v.sum(0), v.mul(2).add(1).sum(0), v.max(0), v.min(0), v.sum(1)];
      },
      [array(x, [m, n])],
    );
    const columns = Array.from({ length: n }, (_, c) => Array.from({ length: m }, (_, r) => x[r * n + c] as number));
    const total = (list: readonly number[]): number => list.reduce((sum, v) => sum + v, 0);
    const [sum, twice, greatest, smallest, across] = found.map((a) => [...a.data]);
    expect(sum).toEqual(columns.map(total));
    expect(twice).toEqual(columns.map((list) => 2 * total(list) + m));
    expect(greatest).toEqual(columns.map((list) => Math.max(...list)));
    expect(smallest).toEqual(columns.map((list) => Math.min(...list)));
    expect(across).toEqual(Array.from({ length: m }, (_, r) => total(x.slice(r * n, r * n + n))));
  });

  test("two sums of chunks of the same arrays, and one that needs the first", async () => {
    const [m, n] = [2048, 64];
    const [x, y] = [0, 5].map((shift) => Array.from({ length: m * n }, (_, i) => whole(i + shift) % 16)) as [
      number[],
      number[],
    ];
    const found = await runFunction(
      backend,
      (...inputs) => {
        const [a, b] = inputs as [Tensor, Tensor];
        const sum = a.sum(0);
        return [sum, a.mul(b).sum(0), a.sub(sum).sum(0)];
      },
      [array(x, [m, n]), array(y, [m, n])],
    );
    const total = (of: (i: number) => number): number[] =>
      Array.from({ length: n }, (_, c) =>
        Array.from({ length: m }, (_, r) => of(r * n + c)).reduce((s, v) => s + v, 0),
      );
    const sum = total((i) => x[i] as number);
    const expected = [sum, total((i) => (x[i] as number) * (y[i] as number)), sum.map((v) => v - m * v)];
    expect(found.map((a) => [...a.data])).toEqual(expected);
  });
});

test("sums of chunks of the same arrays go chunk by chunk", async () => {
  const backend = wasmBackend();
  const x = aval("f32", [2048, 64]);
  const step = await compileStep(
    backend,
    (_state, batch) => {
      const { a, b } = batch as Readonly<Record<string, Tensor>>;
      return { metrics: { first: (a as Tensor).sum(0), second: (a as Tensor).mul(b as Tensor).sum(0) } };
    },
    { state: {}, batch: { a: x, b: x } },
  );
  const heads = step.executable
    .print("kernels")
    .split("\n")
    .filter((line) => /^ *(for each|reduce) ./.test(line));
  expect(heads.map((line) => line.replace(/\d+\.parts.*/, "parts").replace(/\d+ of/, "of"))).toEqual([
    "for each of 16 images",
    "  reduce sum parts",
    "  reduce sum parts",
    "reduce sum of parts  # forward",
    "reduce sum of parts  # forward",
  ]);
  await backend.close();
});
