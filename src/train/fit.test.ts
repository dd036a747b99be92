import { describe, expect, test } from "vitest";
import { referenceBackend } from "../backends/reference/index.ts";
import { array, type HostArray } from "../core/host-array.ts";
import { keyOf, normalAt } from "../core/prng.ts";
import { type Dataset, dataset } from "../data/dataset.ts";
import * as nn from "../nn/index.ts";
import type { Tensor } from "../ops/tensor.ts";
import * as optim from "../optim/index.ts";
import * as schedule from "../optim/schedules/index.ts";
import { earlyStopping } from "./callbacks/early-stopping.ts";
import type { Callback, TrainEvent } from "./events.ts";
import { type FitOptions, fitWith, NonFiniteLossError } from "./index.ts";

const fit = fitWith(() => referenceBackend());

/** Two clouds around (-1, -1) and (1, 1), alternating. */
function clouds(count: number, seed = 1): Dataset {
  const key = keyOf(seed);
  const inputs = new Float32Array(2 * count);
  const labels = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    labels[i] = i % 2;
    for (const axis of [0, 1]) inputs[2 * i + axis] = (i % 2 === 0 ? -1 : 1) + 0.5 * normalAt(key, 2 * i + axis);
  }
  return dataset(array(inputs, [count, 2]), array(labels, [count], "i32"), {
    name: "clouds",
    classes: ["low", "high"],
  });
}

const model = () => nn.sequential(nn.linear(8), nn.tanh(), nn.linear(2));

/** Overflows at a large rate, where tanh would stay finite. */
const growing = () => nn.sequential(nn.linear(8), nn.relu(), nn.linear(2));

type Options = FitOptions<HostArray, HostArray, Tensor>;
const basic = (changes: Partial<Options> = {}): Options => ({
  train: clouds(100),
  epochs: 3,
  batchSize: 16,
  seed: 3,
  loss: nn.crossEntropy(),
  metrics: [nn.accuracy()],
  optimizer: optim.momentum(0.1),
  ...changes,
});

const recorder = (): { events: TrainEvent[]; callback: Callback } => {
  const events: TrainEvent[] = [];
  return { events, callback: { name: "recorder", on: (event) => void events.push(event) } };
};

describe("fit", () => {
  test("learns two clouds to at least 98 %, on training, held-out and unseen data", async () => {
    const run = await fit(model(), basic({ validation: 20, epochs: 10 }));
    const last = run.history.at(-1);
    expect(run.reason).toBe("done");
    expect(run.history).toHaveLength(10);
    expect(last?.train.accuracy).toBeGreaterThanOrEqual(0.98);
    expect(last?.validation.accuracy).toBeGreaterThanOrEqual(0.95);
    expect((await run.evaluate(clouds(200, 2))).accuracy).toBeGreaterThanOrEqual(0.98);
  });

  test("predicts batches and single samples by class name", async () => {
    const run = await fit(model(), basic());
    const both = await run.predict(
      array([
        [-1, -1],
        [1, 1],
      ]),
    );
    expect(both.map(({ label, index }) => [label, index])).toEqual([
      ["low", 0],
      ["high", 1],
    ]);
    const [single] = await run.predict(array([1, 1]));
    expect(single.label).toBe("high");
    expect(single.probability).toBeCloseTo(both[1]?.probability as number, 6);
    expect(single.probabilities.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 6);
    await expect(run.predict(array([1, 2, 3]))).rejects.toThrow(
      "predict: got f32[3]; expected f32[N,2], or one sample without the first axis.",
    );
  });

  test("tells the whole story in events", async () => {
    const { events, callback } = recorder();
    await fit(model(), basic({ validation: 20, callbacks: [callback], epochs: 2 }));
    // 80 training samples: 5 batches of 16 an epoch.
    expect(events.map(({ type }) => type)).toEqual([
      "start",
      ...Array(5).fill("step"),
      "epoch",
      ...Array(5).fill("step"),
      "epoch",
      "end",
    ]);
    expect(events[0]).toMatchObject({ totalSteps: 10, stepsPerEpoch: 5, parameters: 2 * 8 + 8 + 8 * 2 + 2 });
    expect(events.flatMap((e) => (e.type === "step" ? [e.step] : []))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(events.at(-1)).toMatchObject({ type: "end", reason: "done", step: 10 });
    const [, epoch] = events.filter((e) => e.type === "epoch");
    const split = Object.values(epoch?.timeByPhase ?? {});
    expect(split.reduce((a, b) => a + b, 0)).toBeCloseTo(epoch?.timeMs as number, 6);
    expect(split.every((ms) => ms > 0)).toBe(true);
  });

  test("keeps the last partial batch: an epoch's mean is over every sample", async () => {
    const { events, callback } = recorder();
    await fit(model(), basic({ callbacks: [callback], epochs: 1, batchSize: 30, optimizer: optim.sgd(0) }));
    const steps = events.filter((e) => e.type === "step");
    expect(steps).toHaveLength(4);
    const epoch = events.find((e) => e.type === "epoch");
    const mean = steps.reduce((sum, e, i) => sum + (e.metrics.loss as number) * (i === 3 ? 10 : 30), 0) / 100;
    expect(epoch?.train.loss).toBeCloseTo(mean, 12);
  });

  test("with a rate of 0, training, evaluation and a batch of everything give the same loss", async () => {
    const data = clouds(100);
    const run = await fit(model(), basic({ epochs: 1, batchSize: 7, optimizer: optim.sgd(0) }));
    const whole = await fit(model(), basic({ epochs: 1, batchSize: 100, optimizer: optim.sgd(0) }));
    const { loss, accuracy } = await run.evaluate(data);
    expect(run.history[0]?.train.loss).toBeCloseTo(loss as number, 6);
    expect(whole.history[0]?.train.loss).toBeCloseTo(loss as number, 6);
    expect(run.history[0]?.train.accuracy).toBe(accuracy);
  });

  test("the same seed gives the same run, another seed another", async () => {
    const losses = async (seed: number) => (await fit(model(), basic({ seed }))).history.map(({ train }) => train.loss);
    const [first, again, other] = [await losses(1), await losses(1), await losses(2)];
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
  });

  test("follows a schedule, in steps, epochs and by hand", async () => {
    const { events, callback } = recorder();
    const drop: Callback = {
      name: "drop",
      on(event, control) {
        if (event.type === "epoch" && event.epoch === 2) control.setHyper("rate", 0.001);
      },
    };
    const rate = schedule.stepDecay(0.1, { everyEpochs: 1, factor: 0.5 });
    await fit(model(), basic({ callbacks: [callback, drop], optimizer: optim.momentum(rate), batchSize: 50 }));
    expect(events.flatMap((e) => (e.type === "step" ? [e.rate] : []))).toEqual([0.1, 0.1, 0.05, 0.05, 0.001, 0.001]);
    expect(events.find((e) => e.type === "intervention")).toEqual({
      type: "intervention",
      step: 4,
      hyper: "rate",
      value: 0.001,
    });
  });

  test("a plateau schedule halves the rate when the validation loss rises", async () => {
    // A rate of 0 after the first epoch's large one: the validation loss cannot improve.
    const rate = schedule.reduceOnPlateau(schedule.stepDecay(0.1, { everyEpochs: 1, factor: 1e-30 }), { factor: 0.5 });
    const frozen = await fit(model(), basic({ validation: 20, epochs: 4, optimizer: optim.sgd(rate), batchSize: 80 }));
    const at = frozen.history.map((e) => e.rate);
    expect(at[0]).toBe(0.1);
    expect((at[1] as number) / 1e-31).toBeCloseTo(1, 6);
    expect((at[2] as number) / 1e-61).toBeCloseTo(0.5, 6);
    expect((at[3] as number) / 1e-91).toBeCloseTo(0.25, 6);
    await expect(fit(model(), basic({ optimizer: optim.sgd(rate) }))).rejects.toThrow(
      "fit: got a plateau schedule and no validation data",
    );
  });

  test("a loss that is not finite ends the run and keeps finite weights", async () => {
    const { events, callback } = recorder();
    const failing = fit(growing(), basic({ callbacks: [callback], optimizer: optim.sgd(1e30), epochs: 5 }));
    const error = await Promise.resolve(failing).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(NonFiniteLossError);
    const { step, epoch, rate, weights, message } = error as NonFiniteLossError;
    expect({ epoch, rate }).toEqual({ epoch: 1, rate: 1e30 });
    expect(message).toMatch(
      new RegExp(`^fit: got the loss NaN at step ${step} \\(epoch 1\\) with rate 1e\\+30; expected a finite number.`),
    );
    expect(Object.keys(weights)).toEqual(["0.weight", "0.bias", "2.weight", "2.bias"]);
    for (const { data } of Object.values(weights)) expect([...data].every(Number.isFinite)).toBe(true);
    expect(events.at(-1)).toMatchObject({ type: "end", reason: "failed", error: message });
  });

  test("iterates over epochs; leaving the loop stops the training", async () => {
    const training = fit(model(), basic({ epochs: 50 }));
    const seen: number[] = [];
    for await (const { epoch } of training) {
      seen.push(epoch);
      if (epoch === 2) break;
    }
    const run = await training;
    expect(seen).toEqual([1, 2]);
    expect(run.reason).toBe("stopped");
    expect(run.history).toHaveLength(2);
  });

  test("a loop over epochs receives the error", async () => {
    const loop = async () => {
      for await (const _ of fit(growing(), basic({ optimizer: optim.sgd(1e30) })));
    };
    await expect(loop()).rejects.toThrow(NonFiniteLossError);
  });

  test("an aborted training answers what it has", async () => {
    const controller = new AbortController();
    const stop: Callback = {
      name: "stop",
      on(event) {
        if (event.type === "step" && event.step === 5) controller.abort();
      },
    };
    const run = await fit(model(), basic({ epochs: 50, signal: controller.signal, callbacks: [stop] }));
    expect(run.reason).toBe("stopped");
    expect(Object.keys(await run.weights())).toHaveLength(4);
  });

  test("early stopping goes back to the best epoch's weights", async () => {
    // The rate explodes after two epochs: from then on everything gets worse.
    const rate = schedule.stepDecay(0.05, { everyEpochs: 2, factor: 400 });
    const run = await fit(
      model(),
      basic({ validation: 20, epochs: 10, optimizer: optim.sgd(rate), callbacks: [earlyStopping({ patience: 2 })] }),
    );
    const losses = run.history.map((e) => e.validation.loss as number);
    const best = Math.min(...losses);
    expect(run.history.length).toBe(losses.indexOf(best) + 3);
    expect(run.stopReason).toBe("validation loss has not improved for 2 epochs");
    const held = clouds(100);
    const worst = losses.at(-1) as number;
    expect((await run.evaluate(held)).loss as number).toBeLessThan((best + worst) / 2);
  });

  test("several inputs and outputs, a loss and a metric of one's own", async () => {
    const count = 64;
    const key = keyOf(5);
    const a = array(
      Float32Array.from({ length: count }, (_, i) => normalAt(key, i)),
      [count, 1],
    );
    const b = array(
      Float32Array.from({ length: count }, (_, i) => normalAt(key, 1000 + i)),
      [count, 1],
    );
    const sum = array(
      Float32Array.from(a.data, (x, i) => x + (b.data[i] as number)),
      [count, 1],
    );
    const difference = array(
      Float32Array.from(a.data, (x, i) => x - (b.data[i] as number)),
      [count, 1],
    );
    const both = nn.compose(
      { plus: nn.linear(1), minus: nn.linear(1) },
      (x: { a: Tensor; b: Tensor }, { plus, minus }) => {
        const joined = x.a.concat([x.b], 1);
        return { plus: plus(joined), minus: minus(joined) };
      },
    );
    const squared = (output: { plus: Tensor; minus: Tensor }, target: { plus: Tensor; minus: Tensor }): Tensor =>
      output.plus.sub(target.plus).square().mean().add(output.minus.sub(target.minus).square().mean());
    const run = await fit(both, {
      train: { inputs: { a, b }, targets: { plus: sum, minus: difference } },
      epochs: 40,
      batchSize: 16,
      loss: { name: "both", config: { kind: "both" }, apply: squared },
      metrics: [
        nn.metrics.defineMetric({
          name: "worst",
          apply: (output: { plus: Tensor }, target: { plus: Tensor }) => ({
            worst: output.plus.sub(target.plus).abs().max(),
            batches: output.plus.full(1),
          }),
          value: ({ worst, batches }) => worst.item() / batches.item(),
        }),
      ],
      optimizer: optim.adam(0.05),
    });
    expect(run.history.at(-1)?.train.loss).toBeLessThan(1e-3);
    expect(run.history.at(-1)?.train.worst).toBeLessThan(0.1);
    const outputs = (await run.outputs({ a: array([[1]]), b: array([[2]]) })) as { plus: HostArray; minus: HostArray };
    expect(outputs.plus.item()).toBeCloseTo(3, 1);
    expect(outputs.minus.item()).toBeCloseTo(-1, 1);
  });

  test.each([
    [{ epochs: 0 }, "fit: got epochs 0; expected a whole number of at least 1."],
    [{ batchSize: 1.5 }, "fit: got batchSize 1.5; expected a whole number of at least 1."],
    [{ seed: -1 }, "fit: got seed -1; expected a whole number of at least 0."],
  ])("refuses %o", (changes, message) => {
    expect(() => fit(model(), basic(changes))).toThrow(message);
  });

  test("refuses two metrics of one name", () => {
    expect(() => fit(model(), basic({ metrics: [nn.accuracy(), nn.accuracy()] }))).toThrow(
      "fit: got two metrics called accuracy; expected names of their own. Hint: nn.metrics.on(metric, { name }).",
    );
  });

  test("a shape error names the layer, before anything runs", async () => {
    const { events, callback } = recorder();
    const wrong = nn.sequential(nn.linear(8), nn.conv2d(3, 3));
    await expect(fit(wrong, basic({ callbacks: [callback] }))).rejects.toThrow(/sequential\.1 \(conv2d\)/);
    expect(events).toEqual([]);
  });

  test("prints what is marked in the step", async () => {
    const seen: [string, number, readonly number[]][] = [];
    const printing = nn.sequential(
      nn.lambda("look", (x: Tensor) => x.print("input")),
      nn.linear(2),
    );
    const data = {
      inputs: array([
        [1, 2],
        [3, 4],
      ]),
      targets: array([0, 1], [2], "i32"),
    };
    await fit(printing, {
      ...basic({ epochs: 1, batchSize: 2 }),
      train: data,
      onInspect: (label, step, value) => seen.push([label, step, value.shape]),
    });
    expect(seen).toEqual([["input", 1, [2, 2]]]);
  });
});
