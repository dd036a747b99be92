import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeCheckpoint } from "../../src/train/checkpoints/checkpoint-file.ts";
import type { TrainEvent } from "../../src/train/events.ts";
import { requireBuilt } from "../built.ts";
import { timeless } from "../memory-sink.ts";
import { writeBars } from "./bars.ts";
import { downhill } from "./command.ts";

const folder = mkdtempSync(join(tmpdir(), "downhill-resume-"));
beforeAll(() => {
  requireBuilt();
  writeBars(join(folder, "bars"), { train: 330, test: 60 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const QUICK = ["--model", "mlp", "--optimizer", "adam", "--batch-size", "32", "--validation", "30"];

async function train(out: string, ...flags: string[]): Promise<string> {
  const { stderr, code } = await downhill(folder, "train", "./bars", ...QUICK, "--out", out, ...flags);
  expect([stderr, code]).toEqual(["", 0]);
  return only(out);
}

function only(out: string): string {
  const [run = ""] = readdirSync(join(folder, out));
  return `${out}/${run}`;
}

const eventsOf = (run: string): TrainEvent[] =>
  readFileSync(join(folder, run, "events.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as TrainEvent);
const modelOf = (run: string) => readFileSync(join(folder, run, "model.safetensors"));
const configOf = (run: string) => JSON.parse(readFileSync(join(folder, run, "config.json"), "utf8")) as object;

describe("downhill resume", () => {
  test("with more epochs ends like a run that had them from the start, and the record says so", async () => {
    const long = await train("long", "--epochs", "4");
    const short = await train("short", "--epochs", "2");
    const { stdout, stderr, code } = await downhill(folder, "resume", short, "--epochs", "4");
    expect([stderr, code]).toEqual(["", 0]);
    expect(stdout).toContain(`Resuming ${short} after step 20`);
    expect(modelOf(short).equals(modelOf(long))).toBe(true);
    expect(configOf(short)).toMatchObject({ epochs: 4, changes: [{ step: 20, before: { epochs: 2 } }] });
    const types = eventsOf(short).map(({ type }) => type);
    expect(types.filter((type) => type === "end")).toHaveLength(1);
    expect(types.filter((type) => type === "epoch")).toHaveLength(4);
  });

  test("of a run that has ended: nothing is left to train, and all stays as it was", async () => {
    const run = await train("ended", "--epochs", "1");
    const before = { model: modelOf(run), events: timeless(eventsOf(run)) };
    const { stderr, code } = await downhill(folder, "resume", run);
    expect([stderr, code]).toEqual(["", 0]);
    expect(modelOf(run).equals(before.model)).toBe(true);
    expect(timeless(eventsOf(run))).toEqual(before.events);
    expect(existsSync(join(folder, run, "lock"))).toBe(false);
  });

  test.each([
    [["resume", "nowhere"], "run: got nowhere; expected the folder of a run"],
    [["resume", "bars"], "run: cannot read bars/config.json"],
    [["resume"], "missing required argument 'run'"],
    [["resume", "bars", "--batch-size", "3"], "unknown flag --batch-size"],
    [["branch", "nowhere", "--from", "best"], "run: got nowhere"],
    [["checkpoints", "bars"], "run: got bars, which has no config.json"],
    [["train", "./bars", "--max-time", "soon"], '--max-time: got "soon"; expected a time such as 90s, 10m or 1h30m.'],
    [["train", "./bars", "--checkpoint-every", "3 years"], 'expected a list such as "100 steps, 1 epoch, 5 min".'],
    [["train", "./bars", "--on-nan", "ignore"], "expected stop or rollback"],
  ])("%j is refused", async (args, text) => {
    const { stdout, stderr, code } = await downhill(folder, ...args);
    expect(stderr).toContain(text);
    expect([stdout, code]).toEqual(["", 2]);
  });
});

describe("downhill branch", () => {
  test("with nothing changed ends like its parent; with another rate it does not, and knows its parent", async () => {
    const parent = await train("parent", "--epochs", "3", "--keep-last", "4");
    const same = await downhill(folder, "branch", parent, "--from", "10", "--out", "same");
    expect([same.stderr, same.code]).toEqual(["", 0]);
    expect(modelOf(only("same")).equals(modelOf(parent))).toBe(true);
    const other = await downhill(folder, "branch", parent, "--from", "10", "--lr", "0.01", "--out", "other");
    expect([other.stderr, other.code]).toEqual(["", 0]);
    const run = only("other");
    expect(modelOf(run).equals(modelOf(parent))).toBe(false);
    const origin = { run: parent, step: 10, checkpoint: "step-00000010.safetensors" };
    expect(configOf(run)).toMatchObject({ lr: 0.01, parent: origin });
    expect(eventsOf(run)[0]).toMatchObject({ type: "start", parent: { step: 10 } });
    expect(eventsOf(run).flatMap((event) => (event.type === "step" ? [event.step] : []))[0]).toBe(11);
    const start = readFileSync(join(folder, run, "checkpoints", "step-00000010.safetensors"));
    expect(decodeCheckpoint(start, "start").pinned).toBe(true);
    const { stdout } = await downhill(folder, "checkpoints", run);
    expect(stdout).toMatch(/step-00000010\.safetensors +[\d.]+ [KM]iB +after epoch 1 \(start of the branch\)/);
  });

  test("names the checkpoints there are", async () => {
    const { stderr, code } = await downhill(folder, "branch", only("parent"), "--from", "7");
    expect(stderr).toContain("--from: got 7; expected best, last or the step of a checkpoint of");
    expect(stderr).toContain(": 30, 20, 10, 0.");
    expect(code).toBe(2);
  });
});

test("--early-stopping goes back to the best weights, and resuming changes nothing", async () => {
  const flags = [
    "train",
    "./bars",
    ...QUICK,
    "--lr",
    "0.05",
    "--epochs",
    "30",
    "--early-stopping",
    "1",
    "--out",
    "early",
  ];
  const { stdout, stderr, code } = await downhill(folder, ...flags);
  expect([stderr, code]).toEqual(["", 0]);
  expect(stdout).toContain("Stopped early: validation loss has not improved for 1 epoch\n");
  const run = only("early");
  const losses = eventsOf(run).flatMap((event) => (event.type === "epoch" ? [event.validation.loss as number] : []));
  const best = losses.indexOf(Math.min(...losses)) + 1;
  expect(best).toBe(losses.length - 1);
  const short = await train("early-short", "--lr", "0.05", "--epochs", String(best));
  expect(modelOf(run).equals(modelOf(short))).toBe(true);
  const before = timeless(eventsOf(run));
  expect((await downhill(folder, "resume", run)).stderr).toBe("");
  expect(timeless(eventsOf(run))).toEqual(before);
  expect(modelOf(run).equals(modelOf(short))).toBe(true);
});

test("--max-time ends about then, with the schedule at its end", async () => {
  const run = await train("timed", "--max-time", "3s", "--epochs", "2", "--schedule", "linear");
  const events = eventsOf(run);
  const planned = events.flatMap((event) => (event.type === "intervention" ? [event] : []));
  expect(planned.length).toBeGreaterThan(1);
  expect(planned.every(({ hyper }) => hyper === "totalSteps")).toBe(true);
  const steps = events.flatMap((event) => (event.type === "step" ? [event] : []));
  expect(steps.length).toBeGreaterThan(20);
  expect(steps.at(-1)?.rate).toBeLessThan(5e-4);
  expect(steps.at(-1)?.step).toBeLessThanOrEqual(planned.at(-1)?.value as number);
});

test("--on-nan rollback goes back to the end of the last epoch, with half the rate", async () => {
  const { stdout, code } = await downhill(
    folder,
    ...[
      "train",
      "./bars",
      "--model",
      "mlp",
      "--batch-size",
      "16",
      "--lr",
      "1e30",
      "--on-nan",
      "rollback",
      "--out",
      "wild",
    ],
  );
  const rollbacks = eventsOf(only("wild")).flatMap((event) => (event.type === "rollback" ? [event] : []));
  expect(rollbacks.map(({ to, rateFactor }) => [to, rateFactor])).toEqual([
    [0, 0.5],
    [0, 0.25],
    [0, 0.125],
  ]);
  expect(stdout).toContain("Back to step 0, with the rate times 0.5.");
  expect(code).toBe(1);
});

describe("downhill reproduce", () => {
  const runs = (): [string, string][] => [
    ["a run", only("long")],
    ["one that was changed on the way", only("short")],
    ["a branch", only("other")],
    ["one that was fitted to a time", only("timed")],
  ];
  test.each([0, 1, 2, 3])("run %i of four kinds gives the same bits again, on another number of threads", async (i) => {
    const [, run] = runs()[i] as [string, string];
    const model = modelOf(run);
    const { stdout, stderr, code } = await downhill(folder, "reproduce", run, "--threads", "1");
    expect(stdout + stderr).toMatch(/The same bits: [\d,]+ steps, 6 arrays of [\d,]+ numbers\n$/);
    expect([stderr, code]).toEqual(["", 0]);
    expect(modelOf(run).equals(model)).toBe(true);
  });

  test("says where the bits are others", async () => {
    const run = await train("changed", "--epochs", "1");
    const file = join(folder, run, "model.safetensors");
    const bytes = readFileSync(file);
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1;
    writeFileSync(file, bytes);
    const weights = await downhill(folder, "reproduce", run);
    expect(weights.stdout).toContain("Not the same: the logs agree, the weights do not, first 5.bias");
    expect(weights.code).toBe(1);
    const log = join(folder, run, "events.jsonl");
    writeFileSync(log, readFileSync(log, "utf8").replace('"metrics":{"loss":', '"metrics":{"loss":1'));
    const { stdout, code } = await downhill(folder, "reproduce", run);
    expect(stdout).toMatch(/Not the same: the logs differ from event 3 on at step 1\n {2}recorded: .*"loss":1/);
    expect(code).toBe(1);
  });

  test("refuses a run that has not ended", async () => {
    const run = await train("unended", "--epochs", "1");
    const log = join(folder, run, "events.jsonl");
    writeFileSync(log, readFileSync(log, "utf8").replace(/\{"type":"end".*\n[\s\S]*/, ""));
    const { stderr, code } = await downhill(folder, "reproduce", run);
    expect(stderr).toBe(
      `downhill: reproduce: ${run} has not ended; expected a run that has. Go on with: downhill resume ${run}\n`,
    );
    expect(code).toBe(2);
  });
});
