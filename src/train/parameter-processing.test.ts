import { describe, expect, test } from "vitest";
import { referenceBackend } from "../backends/reference/index.ts";
import { array, type HostArray } from "../core/host-array.ts";
import { keyOf, normalAt } from "../core/prng.ts";
import { type Dataset, dataset } from "../data/dataset.ts";
import * as nn from "../nn/index.ts";
import type { Tensor } from "../ops/tensor.ts";
import * as optim from "../optim/index.ts";
import * as schedule from "../optim/schedules/index.ts";
import type { Callback, TrainEvent, Weights } from "./events.ts";
import { type FitOptions, fitWith, NonFiniteLossError } from "./index.ts";

const fit = fitWith(() => referenceBackend());
const COUNT = 80;

/** Two clouds; at `broken` the first input of a sample is replaced. */
function clouds(broken: Readonly<Record<number, number>> = {}): Dataset {
  const key = keyOf(5);
  const inputs = Float32Array.from({ length: 2 * COUNT }, (_, i) => ((i >> 1) % 2 === 0 ? -1 : 1) + normalAt(key, i));
  const labels = Int32Array.from({ length: COUNT }, (_, i) => i % 2);
  const clean = dataset(array(inputs, [COUNT, 2]), array(labels, [COUNT], "i32"), {
    name: "clouds",
    classes: ["a", "b"],
  });
  // A data set is checked when it is made: what is not finite comes in behind its back.
  for (const [at, value] of Object.entries(broken)) inputs[2 * Number(at)] = value;
  return clean;
}

type Options = FitOptions<HostArray, HostArray, Tensor>;
const options = (optimizer: optim.Transform, changes: Partial<Options> = {}): Options => ({
  train: clouds(),
  epochs: 4,
  batchSize: 20,
  seed: 3,
  loss: nn.crossEntropy(),
  optimizer,
  ...changes,
});

const plain = () => nn.sequential(nn.linear(4), nn.tanh(), nn.linear(2));
const normed = () => nn.sequential(nn.linear(4), nn.batchNorm(), nn.linear(2));

/** The events of a run, and the weights at each epoch's end. */
async function record(model: ReturnType<typeof plain>, given: Options, onEpoch: Callback["on"] = () => {}) {
  const events: TrainEvent[] = [];
  const epochs: Weights[] = [];
  const recorder: Callback = {
    name: "recorder",
    async on(event, control) {
      events.push(event);
      if (event.type !== "epoch") return;
      epochs.push(await control.weights());
      await onEpoch(event, control);
    },
  };
  const run = await fit(model, { ...given, callbacks: [recorder] });
  const weights = await run.weights();
  await run.close();
  return { run, weights, epochs, steps: events.flatMap((event) => (event.type === "step" ? [event] : [])) };
}

const close = (found: ArrayLike<number> | undefined, expected: readonly number[], within = 1e-6): void => {
  expect(found?.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) expect(Math.abs((found?.[i] as number) - value)).toBeLessThan(within);
};

const valuesOf = (weights: Weights | undefined, name: string): number[] => [...(weights?.[name]?.data ?? [])];

describe("weights to evaluate with", () => {
  test("ema evaluates and keeps the average of each step's weights", async () => {
    const sgd = optim.momentum(0.3);
    const whole = { batchSize: COUNT, epochs: 4 };
    const trained = await record(plain(), options(sgd, whole));
    const averaged = await record(plain(), options(optim.ema(sgd, { decay: 0.7 }), whole));
    for (const name of Object.keys(trained.weights)) {
      const [first = [], ...others] = trained.epochs.map((weights) => valuesOf(weights, name));
      const mean = others.reduce((m, x) => m.map((v, i) => 0.7 * v + 0.3 * (x[i] as number)), first);
      close(averaged.weights[name]?.data, mean);
      expect(valuesOf(averaged.weights, name)).toEqual(valuesOf(averaged.epochs.at(-1), name));
    }
  });

  test("ema is validated, training goes on from the weights themselves", async () => {
    const sgd = optim.momentum(0.3);
    const [trained, averaged] = [
      await record(plain(), options(sgd, { validation: 20 })),
      await record(plain(), options(optim.ema(sgd, { decay: 0.9 }), { validation: 20 })),
    ];
    const losses = (run: typeof trained, kind: "train" | "validation") =>
      run.run.history.map((event) => event[kind].loss);
    expect(losses(averaged, "train")).toEqual(losses(trained, "train"));
    expect(losses(averaged, "validation")).not.toEqual(losses(trained, "validation"));
  });

  test("swa evaluates the mean of the epochs' last weights, its batch norms with statistics of the training data", async () => {
    const sgd = optim.momentum(0.1);
    const trained = await record(normed(), options(sgd));
    const averaged = await record(normed(), options(optim.swa(sgd, { startEpochs: 1 })));
    const means = new Map<string, number[]>();
    for (const name of Object.keys(trained.weights).filter((path) => /weight|bias/.test(path))) {
      const last = trained.epochs.slice(1).map((weights) => valuesOf(weights, name));
      const mean = (last[0] ?? []).map((_, i) => last.reduce((sum, x) => sum + (x[i] as number), 0) / last.length);
      close(averaged.weights[name]?.data, mean);
      means.set(name, mean);
    }

    // The layer before the norm over each batch of the training data, in order.
    const inputs = (clouds().inputs as HostArray).data;
    const [w, b] = [means.get("0.weight") as number[], means.get("0.bias") as number[]];
    const batches = Array.from({ length: COUNT / 20 }, (_, batch) =>
      b.map((bias, unit) =>
        Array.from({ length: 20 }, (_, i) => {
          const at = 2 * (20 * batch + i);
          return (
            (w[2 * unit] as number) * (inputs[at] as number) +
            (w[2 * unit + 1] as number) * (inputs[at + 1] as number) +
            bias
          );
        }),
      ),
    );
    const average = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;
    const variance = (values: readonly number[]): number =>
      values.reduce((sum, x) => sum + (x - average(values)) ** 2, 0) / (values.length - 1);
    const over = (f: (values: readonly number[]) => number) =>
      b.map((_, unit) => average(batches.map((units) => f(units[unit] as number[]))));
    close(averaged.weights["1.running_mean"]?.data, over(average), 1e-5);
    close(averaged.weights["1.running_var"]?.data, over(variance), 1e-5);
    // Training's own statistics go on as they would without.
    expect(averaged.run.history.map(({ train }) => train.loss)).toEqual(
      trained.run.history.map(({ train }) => train.loss),
    );
  });
});

test("before its start swa evaluates the parameters with training's own statistics", async () => {
  const [trained, averaged] = [
    await record(normed(), options(optim.sgd(0.1), { validation: 20 })),
    await record(normed(), options(optim.swa(optim.sgd(0.1), { startEpochs: 2 }), { validation: 20 })),
  ];
  const losses = (run: typeof trained) => run.run.history.map(({ validation }) => validation.loss);
  expect(losses(averaged).slice(0, 2)).toEqual(losses(trained).slice(0, 2));
  // The mean of one is the weights themselves; only from the second on are they others.
  expect(losses(averaged)[3]).not.toEqual(losses(trained)[3]);
});

describe("skipNonFinite in fit", () => {
  const sgd = () => optim.momentum(0.1);

  test("goes on past a batch that is not finite, which leaves no trace in weights, buffers and the epoch's mean", async () => {
    const { steps, run, weights } = await record(
      normed(),
      options(optim.skipNonFinite(sgd()), { train: clouds({ 7: Number.NaN }), epochs: 3 }),
    );
    expect(run.reason).toBe("done");
    expect(steps).toHaveLength(12);
    for (const epoch of [1, 2, 3]) {
      const own = steps.filter((step) => step.epoch === epoch);
      const bad = own.filter(({ metrics }) => metrics.skipped === 1);
      expect(bad).toHaveLength(1);
      expect(bad[0]?.metrics.loss).toBeNaN();
      const good = own.filter(({ metrics }) => metrics.skipped === 0).map(({ metrics }) => metrics.loss as number);
      expect(run.history[epoch - 1]?.train.loss).toBeCloseTo(good.reduce((sum, loss) => sum + loss, 0) / 3, 6);
    }
    for (const { data } of Object.values(weights)) expect([...data].every(Number.isFinite)).toBe(true);
    expect(weights["1.num_batches_tracked"]?.data[0]).toBe(9);
  });

  test("skips an overflow of the gradients alone", async () => {
    const train = clouds({ 7: 3e38, 8: -3e38 });
    const { run } = await record(plain(), options(optim.skipNonFinite(sgd()), { train }));
    expect(run.history.every((event) => Number.isFinite(event.train.loss))).toBe(true);
  });

  test.each([
    ["without it", sgd(), clouds({ 7: Number.NaN }), 1],
    ["where it may skip none", optim.skipNonFinite(sgd(), { maxConsecutive: 0 }), clouds({ 7: Number.NaN }), 1],
    [
      "where all that is left is bad",
      optim.skipNonFinite(sgd(), { maxConsecutive: 2 }),
      clouds(Object.fromEntries(Array.from({ length: COUNT }, (_, i) => [i, Number.NaN]))),
      3,
    ],
  ])("fails as usual %s", async (_, optimizer, train, least) => {
    const failed = await fit(plain(), options(optimizer, { train })).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(failed).toBeInstanceOf(NonFiniteLossError);
    expect((failed as NonFiniteLossError).step).toBeGreaterThanOrEqual(least);
    if (least > 1) expect((failed as NonFiniteLossError).step).toBe(least);
  });
});

describe("accumulate in fit", () => {
  test("is a batch k times as large, schedules in epochs and steps included", async () => {
    for (const make of [
      () => optim.sgd(0.5),
      () => optim.momentum(schedule.stepDecay(0.2, { everyEpochs: 1, factor: 0.5 })),
      () => optim.adam(schedule.stepDecay(0.05, { everySteps: 3, factor: 0.5 })),
      () => optim.chain(optim.clipByGlobalNorm(0.1), optim.sgd(1)),
    ]) {
      const small = await record(plain(), options(optim.accumulate(make(), { steps: 4 }), { batchSize: 5 }));
      const large = await record(plain(), options(make(), { batchSize: 20 }));
      const { name } = make().config;
      for (const path of Object.keys(large.weights))
        close(small.weights[path]?.data, valuesOf(large.weights, path), name === "adam" ? 1e-4 : 2e-6);
      expect(small.steps.filter((_, i) => i % 4 === 3).map(({ rate }) => rate)).toEqual(
        large.steps.map(({ rate }) => rate),
      );
    }
  });

  test("a partial accumulation goes on in the next epoch", async () => {
    // Four batches an epoch: updates after the steps 6 and 12.
    const { epochs } = await record(plain(), options(optim.accumulate(optim.sgd(0.5), { steps: 6 }), { epochs: 3 }));
    const [first, second, third] = epochs.map((weights) => valuesOf(weights, "0.weight"));
    const start = await record(plain(), options(optim.sgd(0), { epochs: 1 }));
    expect(first).toEqual(valuesOf(start.weights, "0.weight"));
    expect(second).not.toEqual(first);
    expect(third).not.toEqual(second);
  });
});

test("the gradients' norm before clipping is in the step events", async () => {
  const whole = { batchSize: COUNT, epochs: 1 };
  const start = await record(plain(), options(optim.sgd(0), whole));
  const { steps, weights } = await record(
    plain(),
    options(optim.chain(optim.clipByGlobalNorm(1e6), optim.sgd(1)), whole),
  );
  const squares = Object.keys(weights).flatMap((name) => {
    const before = valuesOf(start.weights, name);
    return valuesOf(weights, name).map((x, i) => (x - (before[i] as number)) ** 2);
  });
  expect(steps).toHaveLength(1);
  expect(steps[0]?.metrics.gradientNorm).toBeCloseTo(Math.sqrt(squares.reduce((a, b) => a + b)), 5);
});

test("a group's rate and its freezing are set while training", async () => {
  const optimizer = optim.groups(optim.adam(0.05), [
    { params: "2", name: "head", rate: 0.01 },
    { params: "0", name: "body", freeze: false },
  ]);
  const { epochs } = await record(plain(), options(optimizer), (event, control) => {
    if (event.type !== "epoch") return;
    if (event.epoch === 1) control.setHyper("head.rate", 0);
    if (event.epoch === 2) {
      control.setHyper("head.rate", null);
      control.setHyper("body.freeze", 1);
    }
    if (event.epoch === 3) control.setHyper("body.freeze", null);
  });
  const [heads, bodies] = ["2.weight", "0.weight"].map((name) => epochs.map((weights) => valuesOf(weights, name)));
  expect(heads?.[1]).toEqual(heads?.[0]);
  expect(heads?.[2]).not.toEqual(heads?.[1]);
  expect(bodies?.[1]).not.toEqual(bodies?.[0]);
  expect(bodies?.[2]).toEqual(bodies?.[1]);
  expect(bodies?.[3]).not.toEqual(bodies?.[2]);
});
