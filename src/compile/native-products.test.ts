import { describe, expect, test } from "vitest";
import type { Axis, ContractPart } from "./kernel.ts";
import { type Cut, gemmOf } from "./native-products.ts";

const RULE = { minFlops: 2 ** 16 };
const axis = (size: number, a: number, b: number, c: number): Axis => ({ size, a, b, c });

/** c[m, n] = a[m, k] b[k, n], all row-major, and what is to be different. */
const part = (m: number, n: number, k: number, changes: Partial<ContractPart> = {}): ContractPart => ({
  outer: [],
  m: [axis(m, k, 0, n)],
  n: axis(n, 0, 1, 1),
  k: [axis(k, 1, n, 0)],
  offsetA: 0,
  offsetB: 0,
  offsetC: 0,
  ...changes,
});

describe("what a BLAS takes", () => {
  test("a plain product, as it lies", () => {
    expect(gemmOf(RULE, part(64, 48, 40), null)).toEqual({
      outer: [],
      rows: 64,
      columns: 48,
      depth: 40,
      turned: false,
      left: { ld: 40, transposed: false },
      right: { ld: 48, transposed: false },
      ldc: 48,
      rowCut: { count: 1, size: 64 },
      columnCut: { count: 1, size: 48 },
    });
  });

  test("operands stored the other way are read transposed", () => {
    const turned = part(64, 48, 40, { m: [axis(64, 1, 0, 48)], n: axis(48, 0, 40, 1), k: [axis(40, 64, 1, 0)] });
    expect(gemmOf(RULE, turned, null)).toMatchObject({
      turned: false,
      left: { ld: 64, transposed: true },
      right: { ld: 40, transposed: true },
    });
  });

  test("c stored by columns is the product of the transposes", () => {
    const byColumns = part(64, 48, 40, { m: [axis(64, 40, 0, 1)], n: axis(48, 0, 1, 64) });
    expect(gemmOf(RULE, byColumns, null)).toMatchObject({
      turned: true,
      rows: 48,
      columns: 64,
      left: { ld: 48, transposed: true },
      right: { ld: 40, transposed: true },
      ldc: 64,
    });
  });

  test("a batch against one matrix is one product; other batches are products of their own", () => {
    const [m, n, k] = [16, 48, 40];
    const shared = part(m, n, k, { outer: [axis(5, m * k, 0, m * n)] });
    expect(gemmOf(RULE, shared, null)).toMatchObject({ outer: [], rows: 80 });
    const apart = part(64, n, k, { outer: [axis(5, 64 * k, n * k, 64 * n)] });
    expect(gemmOf(RULE, apart, null)).toMatchObject({ outer: [{ size: 5 }], rows: 64 });
  });

  test("by image the batch is the jobs, and its sums go on over images", () => {
    const images = { size: 32, chunk: 0, chunkStride: 0 };
    const each = part(64, 48, 40, { outer: [axis(32, 2560, 0, 3072), axis(16, 0, 1920, 0)] });
    expect(gemmOf(RULE, each, images)).toMatchObject({ outer: [{ size: 16 }], rows: 64 });
    const summed = part(64, 48, 40, { k: [axis(32, 2560, 1920, 0), axis(40, 1, 48, 0)] });
    expect(gemmOf(RULE, summed, { size: 32, chunk: 4, chunkStride: 3072 })).toMatchObject({ depth: 40 });
    expect(gemmOf(RULE, summed, null)).toBeNull();
  });

  test.each([
    ["too little work", part(16, 16, 16)],
    ["a product with a vector", part(1, 4096, 4096)],
    ["rows that overlap", part(64, 48, 40, { m: [axis(64, 8, 0, 48)] })],
    ["one row for all", part(64, 48, 40, { m: [axis(64, 0, 0, 48)] })],
    ["columns apart in both", part(64, 48, 40, { n: axis(48, 0, 2, 2) })],
    ["columns of b in panels", part(64, 48, 40, { panelB: 320 })],
    ["rows on two axes, with a border between", part(64, 48, 40, { m: [axis(8, 400, 0, 432), axis(8, 40, 0, 48)] })],
  ])("not %s", (_, refused) => {
    expect(gemmOf(RULE, refused, null)).toBeNull();
  });
});

describe("pieces", () => {
  const cutsOf = (m: number, n: number, k: number) => {
    const gemm = gemmOf(RULE, part(m, n, k), null);
    return gemm && [gemm.rowCut, gemm.columnCut];
  };

  test("small products stay whole, large ones are cut into nearly square pieces of multiples of 16", () => {
    expect(cutsOf(100, 64, 64)).toEqual([
      { count: 1, size: 100 },
      { count: 1, size: 64 },
    ]);
    expect(cutsOf(128, 256, 784)).toEqual([
      { count: 1, size: 128 },
      { count: 2, size: 128 },
    ]);
    expect(cutsOf(1000, 300, 400)).toEqual([
      { count: 4, size: 256 },
      { count: 1, size: 300 },
    ]);
    expect(cutsOf(256, 512, 4096)).toEqual([
      { count: 2, size: 128 },
      { count: 4, size: 128 },
    ]);
  });

  test("are not cut thinner than 64, and cover a side once", () => {
    expect(cutsOf(96, 100, 10_000)).toEqual([
      { count: 1, size: 96 },
      { count: 1, size: 100 },
    ]);
    for (const rows of [33, 100, 257, 1000, 1023, 4097])
      for (const depth of [64, 1000, 4000]) {
        const [{ count, size }] = cutsOf(rows, 48, depth) as [Cut, Cut];
        expect((count - 1) * size < rows && count * size >= rows).toBe(true);
      }
  });
});
