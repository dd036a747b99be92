import { describe, expect, test } from "vitest";
import { referenceBackend } from "../backends/reference/index.ts";
import { array, type HostArray } from "../core/host-array.ts";
import { keyOf, normalAt } from "../core/prng.ts";
import { type Dataset, dataset } from "../data/dataset.ts";
import * as nn from "../nn/index.ts";
import type { Tensor } from "../ops/tensor.ts";
import * as optim from "../optim/index.ts";
import { type FitOptions, fitWith } from "./index.ts";

const fit = fitWith(() => referenceBackend());

/** Points within or without a circle, which no line parts. */
function ring(count: number, seed: number): Dataset {
  const key = keyOf(seed);
  const inputs = Float32Array.from({ length: 2 * count }, (_, i) => normalAt(key, i));
  const labels = Int32Array.from({ length: count }, (_, i) =>
    Math.hypot(inputs[2 * i] as number, inputs[2 * i + 1] as number) < 1.1 ? 0 : 1,
  );
  return dataset(array(inputs, [count, 2]), array(labels, [count], "i32"), { name: "ring", classes: ["in", "out"] });
}

const model = () => nn.sequential(nn.linear(16), nn.batchNorm(), nn.tanh(), nn.dropout(0.1), nn.linear(2));

type Options = FitOptions<HostArray, HostArray, Tensor>;
const options = (optimizer: optim.Transform, changes: Partial<Options> = {}): Options => ({
  train: ring(240, 1),
  epochs: 20,
  batchSize: 24,
  seed: 3,
  loss: nn.crossEntropy(),
  metrics: [nn.accuracy()],
  optimizer,
  ...changes,
});

const rules: readonly (readonly [name: string, optimizer: (rate: number) => optim.Transform, rate: number])[] = [
  ["sam", (rate) => optim.sam(optim.momentum(rate), { rho: 0.1, climbs: 2 }), 0.1],
  ["sophia", (rate) => optim.sophia(rate, { updateInterval: 3, weightDecay: 0 }), 0.01],
  ["scheduleFree", (rate) => optim.scheduleFree(optim.sgd(rate)), 2],
  ["scheduleFreeAdamw", (rate) => optim.scheduleFreeAdamw(rate, { warmupSteps: 10 }), 0.05],
];

const buffersOf = async (optimizer: optim.Transform): Promise<Record<string, number[]>> => {
  const run = await fit(model(), options(optimizer, { epochs: 1 }));
  const weights = Object.entries(await run.weights()).filter(([name]) => name.includes("running"));
  await run.close();
  return Object.fromEntries(weights.map(([name, { data }]) => [name, [...data]]));
};

describe.each(rules)("%s, with dropout and batch norm", (_, optimizer, rate) => {
  test("learns a ring to at least 85 %", async () => {
    const run = await fit(model(), options(optimizer(rate)));
    expect((await run.evaluate(ring(400, 2))).accuracy).toBeGreaterThanOrEqual(0.85);
    await run.close();
  });
});

test.each(rules.slice(0, 2))("%s leaves running statistics to the step's own forward pass", async (_, optimizer) => {
  const found = await buffersOf(optimizer(0));
  expect(Object.keys(found)).toHaveLength(2);
  expect(found).toEqual(await buffersOf(optim.sgd(0)));
});

test("schedule-free learning evaluates the mean, with statistics of its own", async () => {
  const rule = optim.scheduleFree(optim.sgd(0.5));
  const run = await fit(model(), options(rule, { epochs: 3 }));
  const plain = await fit(model(), options({ ...rule, evalParams: (params) => params }, { epochs: 3 }));
  const [mean, last] = [await run.weights(), await plain.weights()];
  const floats = Object.keys(mean).filter((name) => !name.endsWith("num_batches_tracked"));
  for (const name of floats) expect(mean[name]?.data, name).not.toEqual(last[name]?.data);
  const data = ring(400, 2);
  expect(await run.evaluate(data)).not.toEqual(await plain.evaluate(data));
  await Promise.all([run.close(), plain.close()]);
});

test("DP-SGD without noise and clipping is SGD, in fit and for groups too", async () => {
  const plain = () => nn.sequential(nn.linear(16), nn.tanh(), nn.linear(2));
  const losses = async (optimizer: optim.Transform): Promise<(number | undefined)[]> => {
    const run = await fit(plain(), options(optimizer, { epochs: 2, batchSize: 50 }));
    await run.close();
    return run.history.map(({ train }) => train.loss);
  };
  const expected = await losses(optim.sgd(0.1));
  const rule = optim.dpsgd(0.1, { maxNorm: 1e6, noise: 0 });
  for (const same of [rule, optim.groups(rule, [{ params: "bias", rateFactor: 1 }])])
    (await losses(same)).forEach((loss, i) => {
      expect(loss).toBeCloseTo(expected[i] as number, 5);
    });
});

test("each example of DP-SGD has dropout of its own", async () => {
  const dropped = () => nn.sequential(nn.linear(16), nn.dropout(0.5), nn.linear(2));
  const same = array(new Float32Array(48).fill(1), [24, 2]);
  const train = dataset(same, array(new Int32Array(24), [24], "i32"), { name: "same", classes: ["in", "out"] });
  const optimizer = optim.dpsgd(1, { maxNorm: 1e6, noise: 0 });
  const run = await fit(dropped(), options(optimizer, { train, epochs: 1 }));
  const start = await fit(dropped(), options(optim.sgd(0), { train, epochs: 1 }));
  const name = "2.weight";
  const [after, before] = [(await run.weights())[name]?.data, (await start.weights())[name]?.data];
  // With one mask for all examples, half of the hidden units would have no gradient.
  const moved = Array.from({ length: 32 }, (_, i) => after?.[i] !== before?.[i]);
  expect(moved.filter(Boolean).length).toBeGreaterThan(28);
  await Promise.all([run.close(), start.close()]);
});
