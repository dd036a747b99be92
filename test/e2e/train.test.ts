import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { array } from "../../src/core/host-array.ts";
import { decodeSafetensors } from "../../src/io/safetensors.ts";
import { load } from "../../src/node/load-run.ts";
import type { ClassificationEvaluation } from "../../src/train/evaluation/evaluation.ts";
import type { TrainEvent } from "../../src/train/events.ts";
import { requireBuilt } from "../built.ts";
import { bars, SIZE, writeBars } from "./bars.ts";
import { downhill, type Outcome, start } from "./command.ts";

const folder = mkdtempSync(join(tmpdir(), "downhill-train-"));
beforeAll(() => {
  requireBuilt();
  writeBars(join(folder, "bars"), { train: 330, test: 60 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const eventsOf = (run: string): TrainEvent[] =>
  readFileSync(join(run, "events.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as TrainEvent);

const QUICK = ["--model", "mlp", "--optimizer", "adam", "--epochs", "3", "--batch-size", "32", "--validation", "30"];

/** The weights of the only run in a folder of runs. */
function weightsIn(runs: string): Readonly<Record<string, { readonly data: ArrayLike<number> }>> {
  const [only = ""] = readdirSync(runs);
  return decodeSafetensors(readFileSync(join(runs, only, "model.safetensors"))).tensors;
}

describe("what stands around the optimizer", () => {
  const train = async (out: string, ...flags: string[]) => {
    const outcome = await downhill(folder, "train", "./bars", ...QUICK, "--out", out, ...flags);
    expect(outcome.stderr).toBe("");
    return { outcome, weights: weightsIn(join(folder, out)) };
  };

  test("frozen parameters stay as they were drawn; the others move", async () => {
    const flags = ["--freeze", "1", "--group", "bias: rateFactor=0.1", "--clip-norm", "1"];
    const short = await train("freeze1", ...flags, "--epochs", "1");
    const long = await train("freeze2", ...flags, "--epochs", "2");
    expect(short.outcome.stdout).toContain("clipNorm 1, freeze 1, group bias: rateFactor=0.1");
    for (const name of ["1.weight", "1.bias"]) expect(long.weights[name]?.data).toEqual(short.weights[name]?.data);
    expect(long.weights["3.weight"]?.data).not.toEqual(short.weights["3.weight"]?.data);
  });

  test("a run's config.json repeats it, transforms and schedules of hyperparameters included", async () => {
    const first = await train(
      "around1",
      "--before",
      "clipByValue 0.1",
      "--beta1",
      "constant at 0.8",
      "--no-decay",
      "bias",
      "--weight-decay",
      "0.1",
    );
    const [only = ""] = readdirSync(join(folder, "around1"));
    const again = await downhill(folder, "train", "--config", `around1/${only}/config.json`, "--out", "around2");
    expect(again.stderr).toBe("");
    expect(weightsIn(join(folder, "around2"))).toEqual(first.weights);
  });

  test("an optimizer as JSON is the same as by flags", async () => {
    const optimizer = {
      name: "chain",
      parts: [
        { name: "clipByGlobalNorm", maxNorm: 1 },
        { name: "sgd", rate: 0.1 },
      ],
    };
    const config = { data: "./bars", model: "mlp", epochs: 1, batchSize: 32, validation: 30, optimizer };
    writeFileSync(join(folder, "json.json"), JSON.stringify(config));
    const outcome = await downhill(folder, "train", "--config", "json.json", "--out", "json1");
    expect(outcome.stderr).toBe("");
    const flags = ["--optimizer", "sgd", "--lr", "0.1", "--schedule", "constant", "--clip-norm", "1", "--epochs", "1"];
    expect((await train("json2", ...flags)).weights).toEqual(weightsIn(join(folder, "json1")));
  });
});

describe("downhill train on a folder of idx files", () => {
  let outcome: Outcome;
  let run = "";
  beforeAll(async () => {
    outcome = await downhill(folder, "train", "./bars", ...QUICK, "--threads", "2");
    const [only = ""] = readdirSync(join(folder, "runs"));
    run = join(folder, "runs", only);
  });

  test("succeeds, and prints plain lines when piped", () => {
    expect(outcome.stderr).toBe("");
    expect(outcome.code).toBe(0);
    const lines = outcome.stdout.trimEnd().split("\n");
    expect(outcome.stdout).not.toContain(String.fromCharCode(27));
    expect(outcome.stdout).not.toContain("\r");
    expect(lines[0]).toBe("bars: 300 training and 30 validation images of 1x12x12, 3 classes");
    expect(lines[1]).toBe("mlp, adam, rate 0.001 (constant), batch 32, 3 epochs, seed 1");
    const row =
      /^epoch \d\/3, training loss [\d.]+ accuracy [\d.]+%, validation loss [\d.]+ accuracy [\d.]+%, rate 0\.0010, [\d.]+ m?s \(sample \d+% forward \d+% backward \d+% update \d+%\)$/;
    expect(lines.slice(2, 5).filter((line) => row.test(line))).toHaveLength(3);
    expect(lines.at(-3)).toMatch(/^Test accuracy [\d.]+% \(loss [\d.]+\) on 60 images$/);
    expect(lines.at(-2)).toMatch(/^Saved to runs\/\d{4}-\d\d-\d\d-\d{6}-bars-mlp$/);
    expect(lines.at(-1)).toMatch(/^Report: runs\/\S+\/report\.html$/);
  });

  test("learns: at least 90 % of unseen images", () => {
    const [, accuracy] = /Test accuracy ([\d.]+)%/.exec(outcome.stdout) ?? [];
    expect(Number(accuracy)).toBeGreaterThanOrEqual(90);
  });

  test("leaves the resolved settings, every event and the weights", () => {
    expect(readdirSync(run).sort()).toEqual([
      "checkpoints",
      "config.json",
      "events.jsonl",
      "model.safetensors",
      "report.html",
    ]);
    expect(JSON.parse(readFileSync(join(run, "config.json"), "utf8"))).toEqual({
      data: "./bars",
      model: "mlp",
      optimizer: "adam",
      lr: 0.001,
      schedule: "constant",
      epochs: 3,
      batchSize: 32,
      validation: 30,
      seed: 1,
      threads: 2,
      out: "runs",
      backend: "wasm",
      environment: {
        downhill: expect.stringMatching(/^\d+\.\d+\.\d+/),
        node: process.versions.node,
        v8: process.versions.v8,
        platform: `${process.platform} ${process.arch}`,
        processor: expect.any(String),
        processors: expect.any(Number),
      },
    });
    const events = eventsOf(run);
    const steps = Array(10).fill("step");
    expect(events.map(({ type }) => type)).toEqual([
      "start",
      "checkpoint",
      ...[1, 2, 3].flatMap(() => [...steps, "epoch", "checkpoint"]),
      "end",
      "test",
    ]);
    const { tensors } = decodeSafetensors(readFileSync(join(run, "model.safetensors")));
    expect(Object.entries(tensors).map(([name, { shape }]) => [name, shape])).toEqual([
      ["1.weight", [256, 144]],
      ["1.bias", [256]],
      ["3.weight", [128, 256]],
      ["3.bias", [128]],
      ["5.weight", [3, 128]],
      ["5.bias", [3]],
    ]);
  });

  test("gives a model back that sees what the run saw", async () => {
    const model = await load(run);
    const { images, labels } = bars(60, 2);
    const batch = array(images, [60, 1, SIZE, SIZE]);
    const predictions = await model.predict(batch);
    const right = predictions.filter(({ index }, i) => index === labels[i]).length;
    const tested = eventsOf(run).find((event) => event.type === "test");
    expect(right / 60).toBeCloseTo(tested?.metrics.accuracy as number, 6);
    const [first] = await model.predict(array(images.slice(0, SIZE * SIZE), [1, SIZE, SIZE]));
    expect(first.label).toBe(predictions[0]?.label);
    expect(first.probability).toBeCloseTo(predictions[0]?.probability as number, 5);
    expect(model.classes).toEqual(["0", "1", "2"]);
    await model.close();
  });

  test("is evaluated again to the same numbers", async () => {
    const { code, stdout } = await downhill(folder, "evaluate", run);
    const tested = eventsOf(run).find((event) => event.type === "test");
    expect(code).toBe(0);
    const [first] = stdout.split("\n");
    expect(first).toBe(
      `loss ${tested?.metrics.loss?.toFixed(4)}, accuracy ${tested?.metrics.accuracy?.toFixed(4)} on 60 test images of bars`,
    );
    expect(stdout).toMatch(/^plain mean +\d/m);
    const whole = await downhill(folder, "evaluate", join(run, "model.safetensors"), "--json", "--worst", "2");
    const found = JSON.parse(whole.stdout) as ClassificationEvaluation;
    expect(found).toMatchObject({ kind: "classification", classes: ["0", "1", "2"], metrics: tested?.metrics ?? {} });
    expect(found.confusion.map((row) => row.reduce((sum, count) => sum + count))).toEqual([20, 20, 20]);
    expect(found.worst).toHaveLength(Math.min(2, found.mistakes));
  });

  test("is written as a page, whose command repeats it", async () => {
    const { code, stdout } = await downhill(folder, "report", run, "--out", "bars.html");
    expect([code, stdout]).toEqual([0, "Wrote bars.html\n"]);
    const page = readFileSync(join(folder, "bars.html"), "utf8");
    const tested = eventsOf(run).find((event) => event.type === "test");
    expect(page).toContain(`<dd>${(100 * (tested?.metrics.accuracy ?? 0)).toFixed(1)} %</dd>`);
    const [, command = ""] = /downhill (train .*)/.exec(page) ?? [];
    const again = await downhill(folder, ...command.split(" "), "--out", "by-report");
    expect(again.stderr).toBe("");
    expect(weightsIn(join(folder, "by-report"))).toEqual(weightsIn(join(folder, "runs")));
    const gone = await downhill(folder, "report", run, "--data", "./gone");
    expect(gone.code).not.toBe(0);
    expect(gone.stderr).toContain("gone");
  });

  test("its settings and one thread repeat the run bit for bit; a flag wins over the file", async () => {
    const again = await downhill(
      folder,
      "train",
      "--config",
      join(run, "config.json"),
      "--out",
      "again",
      "--threads",
      "1",
    );
    expect(again.code).toBe(0);
    const [copy = ""] = readdirSync(join(folder, "again"));
    const exact = (events: TrainEvent[]): unknown[] =>
      events
        .filter(({ type }) => type === "step" || type === "epoch")
        .map((event) => Object.fromEntries(Object.entries(event).filter(([name]) => !name.startsWith("time"))));
    expect(exact(eventsOf(join(folder, "again", copy)))).toEqual(exact(eventsOf(run)));
    const file = "model.safetensors";
    expect(readFileSync(join(folder, "again", copy, file)).equals(readFileSync(join(run, file)))).toBe(true);
  });
});

describe("Ctrl-C", () => {
  test("ends the run cleanly and keeps what was trained", async () => {
    const running = start(folder, "train", "./bars", "--model", "mlp", "--epochs", "5000", "--out", "stopped");
    await running.printed(/^epoch 2\//m);
    running.process.kill("SIGINT");
    const { code, stdout, stderr } = await running.outcome;
    expect({ code, stderr }).toEqual({ code: 130, stderr: "" });
    const [name = ""] = readdirSync(join(folder, "stopped"));
    const run = join(folder, "stopped", name);
    expect(stdout).toMatch(/^Stopped after \d+ of 5000 epochs; what was trained is in stopped\/.*-bars-mlp$/m);
    expect(eventsOf(run).at(-1)).toMatchObject({ type: "end", reason: "stopped" });
    const model = await load(run);
    const { images } = bars(1, 2);
    expect(await model.predict(array(images, [1, 1, SIZE, SIZE]))).toHaveLength(1);
    await model.close();
  });

  test("a reader that goes away ends it too", async () => {
    const running = start(folder, "train", "./bars", "--model", "mlp", "--epochs", "5000", "--out", "unread");
    await running.printed(/^epoch 1\//m);
    running.process.stdout?.destroy();
    const { code, stderr } = await running.outcome;
    expect({ code, stderr }).toEqual({ code: 130, stderr: "" });
    const [name = ""] = readdirSync(join(folder, "unread"));
    expect(eventsOf(join(folder, "unread", name)).at(-1)).toMatchObject({ type: "end", reason: "stopped" });
  });
});

describe("what a run's record says of what it ran", () => {
  test("the same kernels and data on any number of threads; other kernels for another batch", async () => {
    const started = async (out: string, ...flags: string[]) => {
      const outcome = await downhill(folder, "train", "./bars", ...QUICK, "--epochs", "1", "--out", out, ...flags);
      expect(outcome.stderr).toBe("");
      const [only = ""] = readdirSync(join(folder, out));
      const [start] = eventsOf(join(folder, out, only));
      return start as TrainEvent & { type: "start"; config: { data: { fingerprint: string } } };
    };
    const kernels = ({ programs }: { programs: readonly { kernels?: string }[] }) =>
      programs.map((each) => each.kernels);
    const one = await started("threads1", "--threads", "1", "--reproducible");
    const two = await started("threads2", "--threads", "2");
    const other = await started("threads3", "--batch-size", "16");
    expect(kernels(one).every((digits) => /^[0-9a-f]{16}$/.test(digits ?? ""))).toBe(true);
    expect(kernels(two)).toEqual(kernels(one));
    expect(kernels(other)[0]).not.toBe(kernels(one)[0]);
    expect(two.config.data.fingerprint).toBe(one.config.data.fingerprint);
  });
});
