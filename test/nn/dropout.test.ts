import { describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import { array, HostArray } from "../../src/core/host-array.ts";
import { keyOf, normalAt } from "../../src/core/prng.ts";
import * as nn from "../../src/nn/index.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { grad } from "../../src/trace/grad.ts";
import { Key } from "../../src/trace/random.ts";
import { list, run } from "./run.ts";

const backend = referenceBackend();

function filled(shape: readonly number[], at: (i: number) => number): HostArray {
  const size = shape.reduce((n, s) => n * s, 1);
  return new HostArray(
    "f32",
    shape,
    Float32Array.from({ length: size }, (_, i) => at(i)),
  );
}

/** The output, and the gradient of its sum. */
async function pass(layer: nn.Layer, x: HostArray, training: boolean, seed = 1) {
  const results = await run(backend, { x, key: array([seed, 0], [2], "i32") }, (feed) => {
    const forward = (input: Tensor): Tensor =>
      nn.model(layer).apply({}, {}, input, { training, key: new Key(feed("key")) })[0];
    return { y: forward(feed("x")), dx: grad((input: Tensor) => forward(input).sum())(feed("x")) };
  });
  return { y: list(results.y), dx: list(results.dx) };
}

const kinds: readonly [name: string, make: (p: number) => nn.Layer, shape: readonly number[], alike: number][] = [
  ["dropout", nn.dropout, [40, 50], 1],
  ["dropout1d", nn.dropout1d, [40, 50, 3], 3],
  ["dropout2d", nn.dropout2d, [40, 50, 2, 3], 6],
  ["stochasticDepth by row", (p) => nn.stochasticDepth(p), [2000, 2, 3], 6],
  ["stochasticDepth of the batch", (p) => nn.stochasticDepth(p, "batch"), [20, 5], 100],
];

describe.each(kinds)("%s", (_name, make, shape, alike) => {
  const x = filled(shape, (i) => 1 + (i % 7));

  test("drops whole parts and scales the others exactly, and the gradient is the mask", async () => {
    const { y, dx } = await pass(make(0.25), x, true);
    const scale = Math.fround(1 / 0.75);
    for (const g of dx) expect([0, scale]).toContain(g);
    y.forEach((value, i) => {
      expect(value).toBe(Math.fround((x.data[i] as number) * (dx[i] as number)));
      expect(dx[i]).toBe(dx[i - (i % alike)]);
    });
  });

  test("in evaluation and with p 0 is the identity; with p 1 everything is 0", async () => {
    expect(await pass(make(0.25), x, false)).toEqual({ y: list(x.data), dx: list(x.data).map(() => 1) });
    expect(await pass(make(0), x, true)).toEqual({ y: list(x.data), dx: list(x.data).map(() => 1) });
    const zeros = list(x.data).map(() => 0);
    expect(await pass(make(1), x, true)).toEqual({ y: zeros, dx: zeros });
  });
});

test.each(kinds.filter(([, , , alike]) => alike < 100))("%s drops a share of p", async (_name, make, shape, alike) => {
  const { dx } = await pass(
    make(0.25),
    filled(shape, () => 1),
    true,
  );
  const draws = dx.filter((_, i) => i % alike === 0);
  expect(draws).toHaveLength(2000);
  const share = draws.filter((g) => g === 0).length / draws.length;
  // The deviation of a share of 0.25 among 2000 is 0.0097; this is four of it.
  expect(Math.abs(share - 0.25)).toBeLessThan(0.039);
});

test("stochasticDepth of the batch drops it in a share of p of the steps", async () => {
  const x = filled([2, 2], () => 1);
  let dropped = 0;
  for (let seed = 0; seed < 400; seed++)
    if ((await pass(nn.stochasticDepth(0.25, "batch"), x, true, seed)).y[0] === 0) dropped++;
  // Four deviations of 0.0217.
  expect(Math.abs(dropped / 400 - 0.25)).toBeLessThan(0.087);
});

describe("alphaDropout", () => {
  const x = filled([100, 100], (i) => normalAt(keyOf(5), i));

  test.each([0.1, 0.5])("with p %s keeps mean 0 and variance 1", async (p) => {
    const { y, dx } = await pass(nn.alphaDropout(p), x, true);
    const mean = y.reduce((sum, v) => sum + v, 0) / y.length;
    const variance = y.reduce((sum, v) => sum + (v - mean) ** 2, 0) / y.length;
    // Of 10,000 values: five deviations of 0.01 and at most 0.015.
    expect(Math.abs(mean)).toBeLessThan(0.05);
    expect(Math.abs(variance - 1)).toBeLessThan(0.075);
    const a = ((1 - p) * (1 + p * 1.7580993408473766 ** 2)) ** -0.5;
    const b = a * p * 1.7580993408473766;
    y.forEach((value, i) => {
      const kept = dx[i] !== 0;
      expect(value).toBeCloseTo(kept ? a * (x.data[i] as number) + b : b - a * 1.7580993408473766, 5);
      expect(dx[i]).toBe(kept ? Math.fround(a) : 0);
    });
    const share = dx.filter((g) => g === 0).length / dx.length;
    expect(Math.abs(share - p)).toBeLessThan(0.02);
  });

  test("in evaluation is the identity; with p 1 everything is 0", async () => {
    expect((await pass(nn.alphaDropout(0.5), x, false)).y).toEqual(list(x.data));
    expect((await pass(nn.alphaDropout(1), x, true)).y).toEqual(list(x.data).map(() => 0));
  });
});

test.each<[() => nn.Layer, string]>([
  [() => nn.dropout(1.1), "dropout: got p 1.1; expected a probability in [0, 1]."],
  [() => nn.dropout2d(-0.1), "dropout2d: got p -0.1; expected a probability in [0, 1]."],
  [() => nn.alphaDropout(Number.NaN), "alphaDropout: got p NaN; expected a probability in [0, 1]."],
])("a p that is no probability is refused (%#)", (make, message) => {
  expect(make).toThrow(message);
});

test("channels want their rank", () => {
  expect(() => nn.model(nn.sequential(nn.dropout2d(0.1))).init(1, { dtype: "f32", shape: [2, 3, 4] })).toThrow(
    "sequential.0 (dropout2d): got f32[2,3,4]; expected f32[N, C, H, W].",
  );
});
