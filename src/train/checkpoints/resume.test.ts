import { describe, expect, test } from "vitest";
import { MemorySink, timeless } from "../../../test/memory-sink.ts";
import { wasmBackend } from "../../backends/wasm/index.ts";
import { array, HostArray } from "../../core/host-array.ts";
import { dataset } from "../../data/dataset.ts";
import { type Augmentation, brightness, crop, cutout, flip } from "../../nn/augment/index.ts";
import * as nn from "../../nn/index.ts";
import * as optim from "../../optim/index.ts";
import * as schedule from "../../optim/schedules/index.ts";
import { earlyStopping } from "../callbacks/early-stopping.ts";
import type { Callback, TrainEvent } from "../events.ts";
import { type FitOptions, fitWith } from "../fit.ts";
import { decodeCheckpoint } from "./checkpoint-file.ts";

const fit = fitWith(() => wasmBackend());

const points = Array.from({ length: 50 }, (_, i) => [Math.sin(i), Math.cos(3 * i), (i % 7) / 7, (i % 3) / 3]);
const data = dataset(
  array(points),
  array(
    points.map(([a = 0, b = 0]) => (a * b > 0 ? 1 : 0)),
    [50],
    "i32",
  ),
);
const model = () => nn.sequential(nn.linear(8), nn.batchNorm(), nn.relu(), nn.dropout(0.3), nn.linear(2));

type Options = Partial<FitOptions<HostArray, HostArray, never>>;

function train(sink: MemorySink, options: Options = {}) {
  return fit(model(), {
    train: data,
    validation: 10,
    epochs: 4,
    batchSize: 8,
    seed: 3,
    loss: nn.crossEntropy(),
    metrics: [nn.accuracy()],
    optimizer: optim.adam(0.05),
    checkpoint: { everySteps: 3, everyEpochs: 1, last: 2, best: 1 },
    sink,
    ...(options as object),
  });
}

const stateOf = (sink: MemorySink) => {
  const names = [...sink.files.keys()].sort();
  const { timeSpentMs, timeWritten, ...rest } = decodeCheckpoint(
    sink.files.get(names.at(-1) ?? "") as Uint8Array,
    "last",
  );
  return { ...rest, history: timeless(rest.history as never) };
};

const RECIPES: Readonly<Record<string, () => Options>> = {
  adam: () => ({}),
  "a plateau schedule and early stopping": () => ({
    epochs: 9,
    optimizer: optim.momentum(schedule.reduceOnPlateau(0.3, { factor: 0.5, patience: 1 })),
    callbacks: [earlyStopping({ patience: 3 })],
  }),
  "a moving average": () => ({ optimizer: optim.ema(optim.sgd(0.1), { decay: 0.8 }) }),
  "accumulated gradients": () => ({ optimizer: optim.accumulate(optim.adamw(0.05), { steps: 3 }) }),
  "a metric that gathers rows": () => ({ metrics: [nn.metrics.rocAuc()] }),
};

describe.each(Object.entries(RECIPES))("%s", (_, recipe) => {
  test("killed at any checkpoint and resumed, ends where the uninterrupted run ends", async () => {
    const whole = new MemorySink();
    await train(whole, recipe());
    expect(whole.copies.length).toBeGreaterThan(12);
    for (const killed of whole.copies) {
      const run = await train(killed, recipe());
      expect(timeless(killed.log)).toEqual(timeless(whole.log));
      expect(killed.model).toEqual(whole.model);
      expect(stateOf(killed)).toEqual(stateOf(whole));
      expect([...killed.files.keys()].sort()).toEqual([...whole.files.keys()].sort());
      expect(run.history).toHaveLength(whole.log.filter(({ type }) => type === "epoch").length);
    }
  });
});

test("aborted at any event and resumed, ends where the uninterrupted run ends", async () => {
  const whole = new MemorySink();
  await train(whole);
  for (let at = 1; at < whole.log.length; at++) {
    const sink = new MemorySink();
    const stopping = new AbortController();
    let seen = 0;
    const counting = { name: "counting", on: () => void (++seen === at && stopping.abort()) };
    await train(sink, { signal: stopping.signal, callbacks: [counting] });
    const rest = sink.killed();
    await train(rest, { callbacks: [{ name: "counting", on: () => {} }] });
    expect(timeless(rest.log)).toEqual(timeless(whole.log));
    expect(rest.model).toEqual(whole.model);
  }
});

test("a run that has ended ends again, alike", async () => {
  const whole = new MemorySink();
  await train(whole);
  const again = whole.killed();
  const run = await train(again);
  expect(run.reason).toBe("done");
  expect(again.model).toEqual(whole.model);
  expect(timeless(again.log)).toEqual(timeless(whole.log));
});

test("more epochs go on from the end", async () => {
  const long = new MemorySink();
  await train(long, { epochs: 6 });
  const short = new MemorySink();
  await train(short);
  const rest = short.killed();
  await train(rest, { epochs: 6 });
  expect(rest.model).toEqual(long.model);
});

test("a branch of a run that stopped early trains on", async () => {
  const whole = new MemorySink();
  const stop: Callback = {
    name: "stop",
    on(event, control) {
      if (event.type === "epoch") control.stop("enough");
    },
  };
  await train(whole, { callbacks: [stop] });
  const last = [...whole.files.keys()].sort().at(-1) ?? "";
  const branch = decodeCheckpoint(whole.files.get(last) as Uint8Array, last);
  expect(branch.stopReason).toBe("enough");
  const run = await train(new MemorySink(), { branch });
  expect(run.history.map(({ epoch }) => epoch)).toEqual([2, 3, 4]);
  expect(run.stopReason).toBeUndefined();
});

test("damaged checkpoints are named, and the newest good one is used", async () => {
  const whole = new MemorySink();
  await train(whole);
  const killed = whole.copies.at(-3) as MemorySink;
  const [newest = ""] = [...killed.files.keys()].sort().reverse();
  const bytes = (killed.files.get(newest) as Uint8Array).slice();
  bytes[bytes.length - 5] = (bytes[bytes.length - 5] as number) ^ 1;
  killed.files.set(newest, bytes);
  const resumes: TrainEvent[] = [];
  await train(killed, {
    callbacks: [{ name: "watch", on: (event) => void (event.type === "resume" && resumes.push(event)) }],
  });
  expect(resumes).toMatchObject([{ damaged: [expect.stringContaining(`${newest} is damaged`)] }]);
  expect((resumes[0] as { step: number }).step).toBeLessThan(Number(newest.slice(5, 13)));
  expect(killed.model).toEqual(whole.model);
  expect(timeless(killed.log)).toEqual(timeless(whole.log));
});

test("a rollback after a loss that is not finite is repeated exactly, and forgets the checkpoints after it", async () => {
  const run = (sink: MemorySink) =>
    fit(nn.linear(1) as never, {
      train: dataset(
        data.inputs,
        new HostArray(
          "f32",
          [50, 1],
          Float32Array.from({ length: 50 }, (_, i) => (i % 5) / 5),
        ),
      ) as never,
      epochs: 12,
      batchSize: 10,
      loss: nn.meanSquaredError() as never,
      optimizer: optim.sgd(1e6),
      rollback: { rateFactor: 1e-7, times: 1 },
      checkpoint: { everySteps: 2, everyEpochs: 3, last: 2, best: 0 },
      sink,
    });
  const whole = new MemorySink();
  const { history } = await run(whole);
  const rollbacks = whole.log.filter(({ type }) => type === "rollback");
  expect(rollbacks).toHaveLength(1);
  expect(history).toHaveLength(12);
  expect(history.at(-1)?.train.loss).toBeLessThan(0.2);
  expect([...whole.files.keys()].sort()).toEqual(["step-00000058.safetensors", "step-00000060.safetensors"]);
  // Right after the rollback, the newest checkpoint is one of before the step that it went back to.
  const { to } = rollbacks[0] as { to: number };
  const after = whole.copies.find(({ log }) => log.some(({ type }) => type === "rollback")) as MemorySink;
  for (const name of after.files.keys()) expect(Number(name.slice(5, 13))).toBeLessThanOrEqual(to);
  for (const killed of whole.copies) {
    await run(killed);
    expect(timeless(killed.log)).toEqual(timeless(whole.log));
    expect(killed.model).toEqual(whole.model);
    expect([...killed.files.keys()].sort()).toEqual([...whole.files.keys()].sort());
  }
});

test("augmentation draws after a resume what it would have drawn, and validation sees none of it", async () => {
  const pictures = dataset(
    new HostArray(
      "f32",
      [50, 1, 4, 4],
      Float32Array.from({ length: 800 }, (_, i) => ((i * 37) % 101) / 101),
    ),
    data.targets,
  );
  const options = (augment: readonly Augmentation[], rate = 0.05): Options => ({
    train: pictures as never,
    optimizer: optim.adam(rate),
    augment,
  });
  const small = (sink: MemorySink, given: Options) =>
    fit(nn.sequential(nn.flatten(), nn.linear(2)) as never, {
      train: pictures as never,
      validation: 10,
      epochs: 3,
      batchSize: 8,
      loss: nn.crossEntropy() as never,
      checkpoint: { everySteps: 4 },
      sink,
      ...(given as { optimizer: ReturnType<typeof optim.adam> }),
    });
  const made = [flip(), crop(1), cutout(2), brightness(0.2)];
  const whole = new MemorySink();
  await small(whole, options(made));
  for (const killed of whole.copies) {
    await small(killed, options(made));
    expect(killed.model).toEqual(whole.model);
    expect(timeless(killed.log)).toEqual(timeless(whole.log));
  }
  const plain = new MemorySink();
  await small(plain, options([]));
  expect(plain.model).not.toEqual(whole.model);
  // Without updates, what is evaluated is the same with augmentation and without.
  const losses = async (augment: readonly Augmentation[]) => {
    const { history } = await small(new MemorySink(), options(augment, 0));
    return history.map(({ train, validation }) => [train.loss, validation.loss]);
  };
  const [with_, without] = [await losses(made), await losses([])];
  expect(with_.map(([, validation]) => validation)).toEqual(without.map(([, validation]) => validation));
  expect(with_.map(([train]) => train)).not.toEqual(without.map(([train]) => train));
  const again = whole.killed();
  await expect(Promise.resolve(small(again, options([flip()])))).rejects.toThrow(/augment\.0\.kind|augment\.1/);
});

describe("refuses what changed and says what", () => {
  const cases: readonly [string, Options, string][] = [
    ["another seed", { seed: 4 }, "seed is 4, was 3"],
    ["another batch size", { batchSize: 4 }, "batchSize is 4, was 8"],
    ["another loss", { loss: nn.crossEntropy({ labelSmoothing: 0.1 }) as never }, "loss.labelSmoothing is 0.1"],
    [
      "other data",
      {
        train: dataset(
          new HostArray(
            "f32",
            [50, 4],
            data.inputs.data.map((x) => x + 1),
          ),
          data.targets,
        ) as never,
      },
      "data.fingerprint is",
    ],
    ["another optimizer", { optimizer: optim.sgd(0.1) }, "expected the form of this optimizer's state"],
  ];
  test.each(cases)("%s", async (_, options, text) => {
    const whole = new MemorySink();
    await train(whole, { epochs: 1 });
    const again = whole.killed();
    const before = [...again.log];
    await expect(Promise.resolve(train(again, { epochs: 1, ...options }))).rejects.toThrow(text);
    expect(again.log).toEqual(before);
    expect(again.model).toBeUndefined();
  });
});
