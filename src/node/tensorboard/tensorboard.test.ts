import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OptionError } from "../../core/errors.ts";
import { array, HostArray } from "../../core/host-array.ts";
import { dataset } from "../../data/dataset.ts";
import { histogramOf } from "../../io/histogram.ts";
import type { Summary, SummaryEvent } from "../../io/tensorboard.ts";
import { decodeSummaryEvents } from "../../io/tensorboard-reader.ts";
import * as nn from "../../nn/index.ts";
import * as optim from "../../optim/index.ts";
import type { Callback, Control, TrainEvent, Weights } from "../../train/events.ts";
import { readEvents } from "../event-log.ts";
import { fit } from "../fit.ts";
import { type TensorboardOptions, tensorboard } from "./callback.ts";
import { exportTensorboard } from "./export.ts";

const folder = mkdtempSync(join(tmpdir(), "downhill-tensorboard-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Pictures whose class is whether they are brighter to the left. */
const pictures = new HostArray(
  "u8",
  [40, 1, 6, 6],
  Uint8Array.from({ length: 40 * 36 }, (_, i) => {
    const [n, x] = [Math.floor(i / 36), i % 6];
    return (n % 2 === 0 ? 5 - x : x) * 40 + ((i * 7) % 11);
  }),
);
const labels = array(Int32Array.from({ length: 40 }, (_, n) => n % 2));
const train = dataset(pictures, labels);
const model = (): ReturnType<typeof nn.sequential> =>
  nn.sequential(nn.conv2d(3, 3), nn.relu(), nn.flatten(), nn.linear(2)) as never;

function training(
  logs: string,
  { options, ...rest }: { options?: TensorboardOptions; callbacks?: Callback[] } & Record<string, unknown> = {},
): ReturnType<typeof fit> {
  return fit(model() as never, {
    train: train as never,
    validation: 8,
    epochs: 2,
    batchSize: 8,
    seed: 1,
    loss: nn.crossEntropy() as never,
    metrics: [nn.accuracy()] as never,
    optimizer: optim.momentum(0.05),
    threads: 1,
    ...rest,
    callbacks: [tensorboard(logs, options), ...((rest.callbacks as Callback[] | undefined) ?? [])],
  });
}

const filesIn = (logs: string): string[] =>
  readdirSync(logs)
    .sort()
    .map((name) => join(logs, name));

function readLogs(logs: string): SummaryEvent[] {
  return filesIn(logs).flatMap((file) => {
    const { events, torn } = decodeSummaryEvents(readFileSync(file), file);
    expect(torn).toBe(0);
    return events;
  });
}

/** Values under a tag by their steps. */
function pointsOf<K extends Summary["kind"]>(events: readonly SummaryEvent[], kind: K, tag: string) {
  return events.flatMap(({ step, summaries }) =>
    summaries.flatMap((each) =>
      each.kind === kind && each.tag === tag ? [[step, each as Summary & { kind: K }]] : [],
    ),
  ) as [number, Summary & { kind: K }][];
}

const scalarsOf = (events: readonly SummaryEvent[], tag: string): [number, number][] =>
  pointsOf(events, "scalar", tag).map(([step, { value }]) => [step, value]);

describe("tensorboard", () => {
  const logs = join(folder, "whole");
  let run: Awaited<ReturnType<typeof fit>>;
  let events: SummaryEvent[];
  let recorded: readonly TrainEvent[];
  let weights: Weights;
  const grown: number[] = [];

  beforeAll(async () => {
    const watch: Callback = {
      name: "watch",
      on(event) {
        if (event.type === "epoch") grown.push(Math.max(...readLogs(logs).map(({ step }) => step)));
      },
    };
    run = await training(logs, { out: join(folder, "runs"), callbacks: [watch], options: { pictures } });
    await run.test(train as never);
    weights = await run.weights();
    await run.close();
    events = readLogs(logs);
    recorded = readEvents(run.place as string);
  });

  test("writes the scalars of steps, epochs and the test", () => {
    const steps = recorded.flatMap((event) => (event.type === "step" ? [event] : []));
    const of = (tag: string): number[][] => scalarsOf(events, tag);
    expect(steps.length).toBe(8);
    expect(of("step/loss")).toEqual(steps.map(({ step, metrics }) => [step, Math.fround(metrics.loss as number)]));
    expect(of("rate")).toEqual(steps.map(({ step }) => [step, Math.fround(0.05)]));
    const [first, second] = run.history;
    expect(of("validation/accuracy")).toEqual([
      [4, Math.fround(first?.validation.accuracy as number)],
      [8, Math.fround(second?.validation.accuracy as number)],
    ]);
    expect(of("train/loss").map(([, loss]) => loss)).toEqual(
      run.history.map((epoch) => Math.fround(epoch.train.loss as number)),
    );
    const test = recorded.find((event) => event.type === "test");
    expect(of("test/accuracy")).toEqual([[8, Math.fround(test?.metrics.accuracy as number)]]);
  });

  test("has written each epoch while the run trains", () => {
    expect(grown).toEqual([4, 8]);
  });

  test("writes histograms of the weights at the start and after each epoch", () => {
    const points = pointsOf(events, "histogram", "weights/0.weight");
    expect(points.map(([step]) => step)).toEqual([0, 4, 8]);
    expect(points.at(-1)?.[1].histogram).toEqual(histogramOf(weights["0.weight"]?.data ?? []));
    const tags = new Set(
      events.flatMap(({ summaries }) => summaries.flatMap((each) => (each.kind === "histogram" ? [each.tag] : []))),
    );
    expect([...tags]).toEqual(["weights/0.weight", "weights/0.bias", "weights/3.weight", "weights/3.bias"]);
  });

  test("shows pictures of the data and the first filters", async () => {
    const [[step, inputs]] = pointsOf(events, "image", "inputs") as [[number, Summary & { kind: "image" }]];
    const { data, info } = await sharp(inputs.png).toColourspace("b-w").raw().toBuffer({ resolveWithObject: true });
    // 4 x 4 pictures of 6 x 6 pixels, four times as large, and lines between.
    expect([step, info.width, info.height, inputs.width, inputs.height]).toEqual([0, 99, 99, 99, 99]);
    const second = [0, 1, 2, 3, 4, 5].map((x) => data[25 + 4 * x + 1]);
    expect(second).toEqual([...pictures.data.slice(36, 42)]);
    expect(data[24]).toBe(128);

    const filters = pointsOf(events, "image", "filters/0.weight");
    expect(filters.map(([at]) => at)).toEqual([0, 4, 8]);
    const { png } = (filters.at(-1) as (typeof filters)[number])[1];
    const pixels = await sharp(png).toColourspace("b-w").raw().toBuffer();
    const kernel = (weights["0.weight"] as HostArray).data.slice(0, 9);
    const [low, high] = [Math.min(...kernel), Math.max(...kernel)];
    expect(pixels[0]).toBe(Math.round((255 * ((kernel[0] as number) - low)) / (high - low)));
  });

  test("says the configuration, as text and as hyperparameters", () => {
    const [[, config]] = pointsOf(events, "text", "config") as [[number, Summary & { kind: "text" }]];
    expect(JSON.parse(config.text)).toEqual(recorded[0]?.type === "start" ? recorded[0].config : undefined);
    const plugins = events.flatMap(({ summaries }) => summaries.filter(({ kind }) => kind === "plugin"));
    expect(plugins.map(({ tag }) => tag)).toEqual(["_hparams_/session_start_info", "_hparams_/session_end_info"]);
  });

  test("refuses the folder of another run", async () => {
    const again = training(logs);
    await expect(again).rejects.toThrow(OptionError);
    await expect(again).rejects.toThrow("which has the events of another run (events.out.tfevents.");
  });

  test("is the same, but for times and earlier weights, when exported from the record", async () => {
    const exported = join(folder, "exported");
    const file = await exportTensorboard(run.place as string, exported);
    await exportTensorboard(run.place as string, exported);
    expect(filesIn(exported)).toEqual([file]);
    const found = readLogs(exported);
    const tags = (all: SummaryEvent[]): string[] =>
      [...new Set(all.flatMap(({ summaries }) => summaries.map(({ tag }) => tag)))]
        .filter((tag) => tag !== "inputs")
        .sort();
    expect(tags(found)).toEqual(tags(events));
    for (const tag of tags(found).filter((each) => !each.startsWith("time/")))
      expect([tag, scalarsOf(found, tag)]).toEqual([tag, scalarsOf(events, tag)]);
    const [last] = pointsOf(events, "histogram", "weights/3.weight").reverse();
    expect(pointsOf(found, "histogram", "weights/3.weight")).toEqual([last]);
    expect(pointsOf(found, "image", "filters/0.weight")).toEqual(
      pointsOf(events, "image", "filters/0.weight").slice(-1),
    );
    const { time } = recorded[0] as TrainEvent & { type: "start" };
    expect(found[0]).toMatchObject({ time: time / 1000, version: "brain.Event:2" });
    for (const [i, { time: seconds }] of found.entries())
      expect(seconds).toBeGreaterThanOrEqual(found[i - 1]?.time ?? 0);
    await expect(exportTensorboard(run.place as string, logs)).rejects.toThrow("which has other events");
  });

  test("goes on in its folder when the run is resumed, and tells readers from where", async () => {
    const resumed = join(folder, "resumed");
    const out = join(folder, "stopped");
    const options = { histograms: false, filters: false };
    const stopped = await training(resumed, { out, stopAt: 5, options });
    await stopped.close();
    const place = stopped.place as string;
    const ended = await training(resumed, { resume: place, options });
    await ended.close();
    expect(filesIn(resumed).length).toBe(2);
    const found = readLogs(resumed);
    expect(scalarsOf(found, "step/loss").map(([step]) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const restarts = found.filter(({ session }) => session === "start");
    expect(restarts.map(({ step }) => step)).toEqual([6]);
    expect(scalarsOf(found, "step/loss")).toEqual(scalarsOf(events, "step/loss"));
  });
});

describe("what tensorboard writes of", () => {
  const control = { weights: async () => ({}) } as unknown as Control;
  const start: TrainEvent = {
    type: "start",
    time: 0,
    run: "a",
    config: {
      epochs: 2,
      model: { kind: "sequential" },
      backendNotes: ["none"],
      loss: { kind: "crossEntropy" },
      optimizer: {
        name: "chain",
        parts: [
          { name: "clipByGlobalNorm", maxNorm: 1 },
          { name: "adam", rate: 0.1 },
        ],
      },
      metrics: ["f1", "accuracy"],
    },
    totalSteps: 2,
    stepsPerEpoch: 1,
    parameters: 7,
    peakBytes: 0,
    programs: [],
  };
  const step = (at: number): TrainEvent => ({
    type: "step",
    step: at,
    epoch: 1,
    rate: Number.NaN,
    metrics: { loss: at / 2 },
    timeMs: 1,
  });
  const end: TrainEvent = { type: "end", reason: "done", step: 6, timeMs: 1 };

  async function written(name: string, options: TensorboardOptions, ...events: TrainEvent[]): Promise<SummaryEvent[]> {
    const callback = tensorboard(() => join(folder, name), options);
    for (const event of [start, ...events, end]) await callback.on(event, control);
    return readLogs(join(folder, name));
  }

  test("every n-th step, and no rate where there is none", async () => {
    const found = await written("every", { everySteps: 3 }, ...[1, 2, 3, 4, 5, 6].map(step));
    expect(scalarsOf(found, "step/loss")).toEqual([
      [3, 1.5],
      [6, 3],
    ]);
    expect(scalarsOf(found, "rate")).toEqual([]);
    expect(scalarsOf(await written("none", { everySteps: 0 }, step(1)), "step/loss")).toEqual([]);
    expect(() => tensorboard("logs", { everySteps: -1 })).toThrow(
      "tensorboard: got everySteps -1; expected a whole number of at least 0.",
    );
  });

  test("a rollback: what comes after the step that it goes to is forgotten", async () => {
    const back: TrainEvent = { type: "rollback", step: 3, to: 1, rateFactor: 0.5, text: "The loss was NaN." };
    const found = await written("back", {}, step(1), step(2), back, step(2));
    const [restart, note] = found.slice(4);
    expect([restart?.session, restart?.step]).toEqual(["start", 2]);
    expect(note).toMatchObject({
      step: 1,
      summaries: [{ tag: "findings", text: "The loss was NaN. Back to step 1, with the rate times 0.5." }],
    });
  });

  test("hyperparameters: what the configuration says in numbers and names", async () => {
    const found = await written("hyper", {}, step(1));
    const [{ content }] = found.flatMap(({ summaries }) =>
      summaries.flatMap((each) => (each.kind === "plugin" ? [each] : [])),
    ) as unknown as [{ content: Uint8Array }];
    const text = Buffer.from(content).toString("latin1");
    for (const name of ["epochs", "loss", "crossEntropy", "optimizer", "adam", "parameters"])
      expect(text).toContain(name);
    for (const name of [
      "metrics",
      "optimizer.parts.0.maxNorm",
      "optimizer.parts.1.rate",
      "clipByGlobalNorm",
      "f1, accuracy",
    ])
      expect(text).toContain(name);
    for (const name of ["model", "backendNotes"]) expect(text).not.toContain(name);
  });

  test("a file that cannot be written: one that says so", async () => {
    const file = join(folder, "file");
    appendFileSync(file, "");
    const callback = tensorboard(join(file, "logs"));
    await callback.on(start, control);
    expect(() => callback.on(step(1), control)).toThrow(/^tensorboard: cannot (read|write) .*file.logs: /);
  });
});
