import { describe, expect, test } from "vitest";
import { referenceBackend } from "../backends/reference/index.ts";
import { wasmBackend } from "../backends/wasm/index.ts";
import { array, type HostArray } from "../core/host-array.ts";
import { keyOf, normalAt } from "../core/prng.ts";
import * as nn from "../nn/index.ts";
import type { Tensor } from "../ops/tensor.ts";
import * as optim from "../optim/index.ts";
import type { TrainEvent } from "./events.ts";
import { fitWith } from "./fit.ts";
import { loadWith } from "./load.ts";

const { metrics } = nn;
const fit = fitWith(() => referenceBackend({ precision: "f64" }));
const load = loadWith(() => referenceBackend({ precision: "f64" }));

/** Three clouds of different sizes, in no order, that overlap. */
function clouds(count: number): { inputs: HostArray; targets: HostArray } {
  const key = keyOf(4);
  const labels = Int32Array.from({ length: count }, (_, i) => [0, 1, 0, 2, 0, 1][i % 6] as number);
  const inputs = Float32Array.from({ length: 2 * count }, (_, i) => {
    const label = labels[i >> 1] as number;
    return ([-1, 0.5, 1, 1, 0, -1][2 * label + (i & 1)] as number) + normalAt(key, i);
  });
  return { inputs: array(inputs, [count, 2]), targets: array(labels, [count], "i32") };
}

const model = () => nn.sequential(nn.linear(8), nn.tanh(), nn.linear(3));

describe("metrics of a training", () => {
  const all = () => [
    nn.accuracy(),
    metrics.f1(),
    metrics.f1({ average: "micro" }),
    metrics.rocAuc(),
    metrics.averagePrecision({ average: "weighted" }),
    metrics.perplexity(),
    metrics.calibrationError({ bins: 10 }),
    metrics.cohenKappa(),
    metrics.topAccuracy(2),
    metrics.ofLoss(nn.softmaxFocal(), "focal"),
  ];

  test("do not depend on the batches, and agree with each other", async () => {
    const train = clouds(100);
    const run = await fit(model(), {
      train,
      epochs: 3,
      batchSize: 16,
      loss: nn.crossEntropy(),
      metrics: all(),
      optimizer: optim.adam(0.02),
    });
    const whole = await run.evaluate(train);
    const measured = await run.measure(train, Object.fromEntries(all().map((metric) => [metric.name, metric])));
    // Of 100 rows in batches of 25, and of 7: the sums of single batches round elsewhere, by 1e-7.
    for (const [name, value] of Object.entries(measured)) expect(whole[name]).toBeCloseTo(value as number, 12);
    expect(whole.microF1).toBe(whole.accuracy);
    expect(whole.perplexity).toBeCloseTo(Math.exp(whole.loss as number), 12);
    const scores = (await run.outputs(train.inputs)) as HostArray;
    const said = Array.from({ length: 100 }, (_, i) => {
      const row = [0, 1, 2].map((c) => scores.data[3 * i + c] as number);
      return row.indexOf(Math.max(...row));
    });
    expect(whole.accuracy).toBe(said.filter((c, i) => c === train.targets.data[i]).length / 100);
    const { matrix, f1 } = await run.measure(train, {
      matrix: metrics.confusionMatrix(),
      f1: metrics.f1({ average: "none" }),
    });
    const counted = [0, 1, 2].map((i) =>
      [0, 1, 2].map((j) => said.filter((c, at) => c === j && train.targets.data[at] === i).length),
    );
    expect(matrix).toEqual(counted);
    expect(f1.reduce((sum, each) => sum + each / 3, 0)).toBeCloseTo(whole.f1 as number, 14);
  });

  test("are of the mini-batch in step events, and of all of them in the epoch's", async () => {
    const train = clouds(40);
    const events: TrainEvent[] = [];
    const run = await fitWith(() => wasmBackend())(model(), {
      train,
      epochs: 2,
      batchSize: 16,
      loss: nn.crossEntropy(),
      metrics: all(),
      optimizer: optim.sgd(0),
      callbacks: [{ name: "events", on: (event) => void events.push(event) }],
    });
    const steps = events.flatMap((event) => (event.type === "step" && event.epoch === 2 ? [event.metrics] : []));
    const sizes = [16, 16, 8];
    const mean = (name: string): number =>
      steps.reduce((sum, each, i) => sum + ((each[name] as number) * (sizes[i] as number)) / 40, 0);
    const last = run.history[1]?.train;
    // The weights stand still, so the epoch is an evaluation of the training samples.
    const whole = await run.evaluate(train);
    for (const [name, value] of Object.entries(last ?? {})) expect(whole[name]).toBeCloseTo(value, 6);
    for (const name of ["accuracy", "top2Accuracy", "loss"]) expect(last?.[name]).toBeCloseTo(mean(name), 6);
    expect(Math.abs((last?.rocAuc as number) - mean("rocAuc"))).toBeGreaterThan(1e-4);
  });

  test("come back with a saved model, with their options", async () => {
    const train = clouds(30);
    const own = metrics.on(nn.accuracy(), { name: "own" });
    const run = await fit(model(), {
      train,
      epochs: 1,
      loss: nn.softmaxFocal({ gamma: 1 }),
      metrics: [metrics.fBeta(0.5, { average: "weighted" }), metrics.topAccuracy(2), own],
      optimizer: optim.sgd(0.1),
    });
    const { own: _, ...wanted } = await run.evaluate(train);
    const again = await (await load(await run.toBytes())).evaluate(train);
    expect(Object.keys(again)).toEqual(["loss", "weightedF0.5", "top2Accuracy"]);
    for (const [name, value] of Object.entries(again)) expect(value).toBeCloseTo(wanted[name] as number, 6);
  });
});

describe("weights of samples in fit", () => {
  const { inputs, targets } = clouds(48);
  const half = Float32Array.from({ length: 48 }, (_, i) => (i < 24 ? 1 : 0));
  type Weighted = { readonly target: Tensor; readonly weight: Tensor };
  const right = metrics.on(nn.accuracy(), { target: ({ target }: Weighted) => target });

  test("of 0 leave samples out, exactly, whatever the batches", async () => {
    const train = { inputs, targets: { target: targets, weight: array(half) } };
    const weighed = await fit(model(), {
      train,
      epochs: 2,
      batchSize: 48,
      seed: 5,
      loss: nn.weighted(nn.crossEntropy()),
      metrics: [right],
      optimizer: optim.sgd(0.5),
    });
    const first = {
      inputs: array(inputs.data.slice(0, 48), [24, 2]),
      targets: array(targets.data.slice(0, 24), [24], "i32"),
    };
    const plain = await fit(model(), {
      train: first,
      epochs: 2,
      batchSize: 24,
      seed: 5,
      loss: nn.crossEntropy(),
      optimizer: optim.sgd(0.5),
    });
    const loss = (await plain.evaluate(first)).loss as number;
    const evaluated = await weighed.evaluate(train);
    expect(evaluated.loss).toBeCloseTo(loss, 6);
    expect(evaluated.accuracy).toBeGreaterThan(0);
    for (const [name, value] of Object.entries(await plain.weights()))
      (await weighed.weights())[name]?.data.forEach((x, i) => {
        expect(x).toBeCloseTo(value.data[i] as number, 6);
      });
  });

  test("of nothing but 0 in a batch leave the weights as they are", async () => {
    const train = { inputs, targets: { target: targets, weight: array(half) } };
    const options = { epochs: 1, batchSize: 1, seed: 5, loss: nn.weighted(nn.crossEntropy()) };
    const run = await fit(model(), { ...options, train, optimizer: optim.sgd(0.5) });
    expect(run.history[0]?.train.loss).toBeGreaterThan(0);
    const none = { inputs, targets: { target: targets, weight: array(new Float32Array(48)) } };
    const still = await fit(model(), { ...options, train: none, optimizer: optim.sgd(0.5) });
    const first = await fit(model(), { ...options, train: none, optimizer: optim.sgd(0) });
    expect(still.history[0]?.train.loss).toBe(0);
    expect(await still.weights()).toEqual(await first.weights());
  });

  test("a batch whose labels are all ignored ends training, and is nothing to an evaluation", async () => {
    const ignored = {
      inputs,
      targets: array(
        targets.data.map((label, i) => (i < 32 ? -100 : label)),
        [48],
        "i32",
      ),
    };
    const options = { epochs: 1, batchSize: 16, loss: nn.crossEntropy(), optimizer: optim.sgd(0.1) };
    const run = await fit(model(), { ...options, train: { inputs, targets } });
    const last = {
      inputs: array(inputs.data.slice(64), [16, 2]),
      targets: array(targets.data.slice(32), [16], "i32"),
    };
    expect((await run.evaluate(ignored)).loss).toBeCloseTo((await run.evaluate(last)).loss as number, 12);
    const none = { inputs, targets: array(new Int32Array(48).fill(-100)) };
    await expect(fit(model(), { ...options, train: none })).rejects.toThrow("fit: got the loss NaN at step 1");
  });
});
