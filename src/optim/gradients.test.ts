import { expect, test } from "vitest";
import { fedRule } from "../../test/fed-gradients.ts";
import * as optim from "./index.ts";

const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;

test("clipByGlobalNorm hands out the norm before it clips", async () => {
  const rule = await fedRule(optim.chain(optim.clipByGlobalNorm(1), optim.sgd(1)), { a: [0], b: [0, 0] });
  const first = await rule.next({ a: [3], b: [0, 4] });
  expect(first.metrics).toEqual({ gradientNorm: 5 });
  expect(first.params).toEqual({ a: [-0.6000000000000001], b: [0, -0.8] });
  expect((await rule.next({ a: [0.3], b: [0, 0.4] })).metrics).toEqual({ gradientNorm: 0.5 });
});

test("clipping, normalising and constraints leave zeros as they are", async () => {
  for (const transform of [
    optim.clipByGlobalNorm(1),
    optim.clipByNorm(1),
    optim.clipByBlockRms(1),
    optim.adaptiveClip(0.1),
    optim.normalizeByNorm(),
  ]) {
    const rule = await fedRule(optim.chain(transform, optim.sgd(1)), { a: [0, 0] });
    expect(
      (await rule.next({ a: [0, 0] })).params.a?.map((x) => x + 0),
      transform.config.name,
    ).toEqual([0, 0]);
  }
  for (const constraint of [optim.maxNorm(), optim.unitNorm(), optim.minMaxNorm(0.5), optim.nonNegative()]) {
    const rule = await fedRule(optim.chain(optim.sgd(1), constraint), { a: [0, 0] });
    expect((await rule.next({ a: [0, 0] })).params, constraint.config.name).toEqual({ a: [0, 0] });
  }
});

test("zeroNans puts 0 for NaN, leaves infinities and counts", async () => {
  const rule = await fedRule(optim.chain(optim.zeroNans(), optim.clipByValue(2), optim.sgd(1)), {
    a: [1, 1, 1],
    b: [1],
  });
  const { params, metrics } = await rule.next({ a: [nan, infinity, 0.5], b: [nan] });
  expect(params).toEqual({ a: [1, -1, 0.5], b: [1] });
  expect(metrics).toEqual({ nans: 2 });
});

test("proximal L1 makes small weights exactly 0 and moves others by a lambda", async () => {
  const rule = await fedRule(optim.chain(optim.sgd(0.5), optim.addL1(0.5, { mode: "proximal", rate: 0.5 })), {
    a: [0.2, -0.2, 1, -1, 0],
  });
  expect((await rule.next({ a: [0, 0, 0, 0, 0] })).params).toEqual({ a: [0, 0, 0.75, -0.75, 0] });
});

test.each([
  [
    "a proximal step without the rate",
    () => optim.addL1(0.1, { mode: "proximal" }),
    'addL1: got mode = "proximal" without a rate',
  ],
  ["a coupled one with", () => optim.addL1(0.1, { rate: 0.1 }), 'addL1: got mode = "coupled" with a rate'],
  ["min above max", () => optim.minMaxNorm(2), "minMaxNorm: got min = 2 and max = 1; expected min at most max."],
])("refuses %s", (_, make, message) => {
  expect(make).toThrow(message);
});

const moments = (values: readonly number[]) => {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
  const fourth = values.reduce((sum, x) => sum + (x - mean) ** 4, 0) / values.length / variance ** 2;
  return { mean, variance, kurtosis: fourth };
};

test.each([
  ["addNoise", optim.chain(optim.addNoise(0.04, { gamma: 0.55 }), optim.sgd(1))],
  ["noisySgd", optim.noisySgd(1, { eta: 0.04, gamma: 0.55 })],
])("%s adds normal noise of variance eta / t^gamma, other noise to each parameter and step", async (_, noisy) => {
  const n = 4000;
  const zeros = Array<number>(n).fill(0);
  const rule = await fedRule(noisy, { a: zeros, b: zeros });
  let before = { a: zeros, b: zeros } as Record<string, readonly number[]>;
  const drawn: number[][] = [];
  for (let t = 1; t <= 3; t++) {
    const { params } = await rule.next({ a: zeros, b: zeros });
    for (const name of ["a", "b"]) {
      const noise = (params[name] as number[]).map((x, i) => ((before[name] as number[])[i] as number) - x);
      drawn.push(noise);
      const { mean, variance, kurtosis } = moments(noise);
      const expected = 0.04 / t ** 0.55;
      // Four standard errors of each estimate.
      expect(Math.abs(mean)).toBeLessThan(4 * Math.sqrt(expected / n));
      expect(Math.abs(variance / expected - 1)).toBeLessThan(4 * Math.sqrt(2 / n));
      expect(Math.abs(kurtosis - 3)).toBeLessThan(4 * Math.sqrt(24 / n));
    }
    before = params;
  }
  const correlation = (x: readonly number[], y: readonly number[]): number =>
    x.reduce((sum, v, i) => sum + v * (y[i] as number), 0) /
    Math.sqrt(x.reduce((s, v) => s + v * v, 0) * y.reduce((s, v) => s + v * v, 0));
  for (let i = 0; i < drawn.length; i++)
    for (let j = 0; j < i; j++)
      expect(Math.abs(correlation(drawn[i] as number[], drawn[j] as number[]))).toBeLessThan(4 / Math.sqrt(n));
});
