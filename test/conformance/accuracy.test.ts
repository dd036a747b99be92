import { afterAll, describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import { runFunction } from "../../src/compile/run-function.ts";
import { array, type HostArray } from "../../src/core/host-array.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { candidates } from "./candidates.ts";

/** Equal terms, whose roundings all go one way: the worst that a sum meets. */
const equal = (...shape: number[]): HostArray =>
  array(new Float32Array(shape.reduce((n, k) => n * k, 1)).fill(0.1), shape);

/** One running sum of n equal terms is off by about n / 4 units in the last place; blocks of a few hundred stay below a hundred. */
const TOLERANCE = 100 * 2 ** -24;

const sums: readonly (readonly [string, (x: Tensor) => Tensor, HostArray])[] = [
  ["all of 30,000", (x) => x.sum(), equal(100, 3, 100)],
  ["all of a million and three", (x) => x.sum(), equal(1000003)],
  ["the inner axis of 20,000", (x) => x.sum(1), equal(3, 20000)],
  ["the outer axis of 20,000", (x) => x.sum(0), equal(20000, 5)],
  ["the outer axis of 20,000, seven lanes of vectors wide", (x) => x.sum(0), equal(20000, 28)],
  ["images and places, as a bias gradient", (x) => x.sum([0, 2, 3]), equal(64, 3, 24, 24)],
  ["a fused expression", (x) => x.mul(x).mul(3).sum(), equal(50021)],
  ["an axis that starts inside a pad", (x) => x.pad([1, 0], [2, 0], 0.1).sum(0), equal(20000, 3)],
];

describe.each(candidates)("$name", ({ create }) => {
  const backend = create();
  afterAll(() => backend.close());

  test.each(sums)("a long sum stays accurate: %s", async (_, f, input) => {
    const [exact] = (await runFunction(referenceBackend({ precision: "f64" }), (x) => f(x as Tensor), [input])) as [
      HostArray,
    ];
    const [got] = (await runFunction(backend, (x) => f(x as Tensor), [input])) as [HostArray];
    const worst = Math.max(...Array.from(exact.data, (want, i) => Math.abs((got.data[i] as number) / want - 1)));
    expect(got.data.length).toBe(exact.data.length);
    expect(worst).toBeLessThan(TOLERANCE);
  });
});
