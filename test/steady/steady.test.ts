import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { array } from "../../src/core/host-array.ts";
import { dataset } from "../../src/data/dataset.ts";
import { CallbackError, fit, nodeBackend, optim, type TrainEvent } from "../../src/index.node.ts";
import * as nn from "../../src/nn/index.ts";
import { requireBuilt, root } from "../built.ts";
import { timeless } from "../memory-sink.ts";

const folder = mkdtempSync(join(tmpdir(), "downhill-steady-"));
beforeAll(() => requireBuilt());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function node(...args: string[]): { child: ChildProcess; ended: Promise<{ code: number | null; stdout: string }> } {
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
  let stdout = "";
  child.stdout?.on("data", (text) => {
    stdout += text;
  });
  return { child, ended: new Promise((done) => child.on("close", (code) => done({ code, stdout }))) };
}

type Sample = { readonly heap: number; readonly outside: number; readonly rss: number };
const MB = 1e6;
const mean = (samples: readonly Sample[], of: keyof Sample): number =>
  samples.reduce((sum, sample) => sum + sample[of], 0) / samples.length;

describe("memory does not grow", () => {
  // What V8 itself keeps (compiled code, feedback) grows for a while; a fit that stayed would be 0.4 MB, a hundred of them 40.
  const modes = [
    ["steps", "in 10,000 steps"],
    ["fits", "in 100 trainings on the calling thread"],
    ["unclosed", "in 100 that nobody closes"],
    ["workers", "in 100 on worker threads"],
  ] as const;
  test.each(modes)("%s: %s", async (mode) => {
    const { code, stdout } = await node("--expose-gc", join(root, "test/steady/memory.mjs"), mode).ended;
    expect(code).toBe(0);
    const { samples, threads } = JSON.parse(stdout) as { samples: Sample[]; threads?: number };
    expect(samples).toHaveLength(20);
    const quarter = samples.length / 4;
    const [second, last] = [samples.slice(quarter, 2 * quarter), samples.slice(-quarter)];
    expect(mean(last, "heap") - mean(second, "heap")).toBeLessThan(3 * MB);
    // The smallest of each: memory that waits for its finalizer is nobody's any more.
    const outside = (part: readonly Sample[]): number => Math.min(...part.map((sample) => sample.outside));
    expect(outside(last) - outside(second)).toBeLessThan(1 * MB);
    // Allocators take it in steps of up to 30 MB (Node 24); the memories of 25 trainings that stayed would be 200.
    const third = samples.slice(2 * quarter, 3 * quarter);
    expect(mean(last, "rss") - mean(third, "rss")).toBeLessThan(60 * MB);
    // Node's own, which do computations in the background, and no more.
    if (threads !== undefined && mode !== "unclosed") expect(threads).toBeLessThanOrEqual(12);
  });
});

describe("a process that does not close its backend", () => {
  test.each([
    ["done", "done"],
    ["failed", 'CallbackError: callback meddler: threw at the event "epoch" of step 10: no more'],
    ["aborted", "stopped"],
  ])("ends by itself where training is %s", async (how, said) => {
    const { code, stdout } = await node(join(root, "test/steady/run.mjs"), how).ended;
    expect(stdout).toBe(`started\n${said}\n`);
    expect(code).toBe(0);
  });

  // Its workers are threads of the process: a list of those is what Linux offers.
  test.runIf(existsSync("/proc/self/task"))("takes its workers along when it is killed", async () => {
    const { child, ended } = node(join(root, "test/steady/run.mjs"), "waiting");
    await new Promise((started) => child.stdout?.once("data", started));
    const tasks = readdirSync(`/proc/${child.pid}/task`);
    expect(tasks.length).toBeGreaterThan(3);
    child.kill("SIGKILL");
    await ended;
    expect(existsSync(`/proc/${child.pid}`)).toBe(false);
    for (const task of tasks) expect(existsSync(`/proc/${task}`)).toBe(false);
  });
});

const inputs = array(
  Array.from({ length: 1600 }, (_, i) => Math.sin(i * i)),
  [80, 20],
);
const train = dataset(
  inputs,
  array(
    Int32Array.from({ length: 80 }, (_, i) => i % 4),
    [80],
  ),
);
const model = () => nn.sequential(nn.linear(16), nn.relu(), nn.dropout(0.2), nn.linear(4));
const options = (seed = 1) => ({
  train,
  validation: 16,
  epochs: 3,
  batchSize: 16,
  seed,
  loss: nn.crossEntropy(),
  optimizer: optim.adam(0.01),
  checkpoint: { everySteps: 3, everyEpochs: 1 },
});
const bits = async (run: { weights(): Promise<Readonly<Record<string, { data: ArrayLike<number> }>>> }) =>
  Object.values(await run.weights()).map(({ data }) => Array.from(data));
const eventsIn = (run: string): TrainEvent[] =>
  readFileSync(join(run, "events.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as TrainEvent);

describe("a callback that throws", () => {
  const cases = (["start", "step", "epoch", "checkpoint", "end"] as const).flatMap((type) => [
    [type, false] as const,
    [type, true] as const,
  ]);
  test.each(cases)(
    "at %s (asynchronous: %s) is named; the others hear of the end; the run can go on",
    async (type, later) => {
      const out = join(folder, `callback-${type}-${later}`);
      const whole = await fit(model(), { ...options(), threads: 1 });
      const heard: TrainEvent[] = [];
      let seen = 0;
      const bad = {
        name: "meddler",
        on: (event: TrainEvent) => {
          // Not the first of them, where there are several.
          if (event.type !== type || (++seen < 2 && type !== "start" && type !== "end")) return undefined;
          if (!later) throw new RangeError("no more");
          return Promise.resolve().then(() => {
            throw new RangeError("no more");
          });
        },
      };
      const failed = Promise.resolve(
        fit(model(), {
          ...options(),
          threads: 1,
          out,
          callbacks: [bad, { name: "listener", on: (event: TrainEvent) => void heard.push(event) }],
        }),
      );
      const error = await failed.then(
        () => undefined,
        (caught: unknown) => caught,
      );
      expect(error).toBeInstanceOf(CallbackError);
      expect(error).toMatchObject({ callback: "meddler", cause: expect.any(RangeError) });
      expect((error as Error).message).toMatch(
        new RegExp(`^callback meddler: threw at the event "${type}"(?: of step \\d+)?: no more$`),
      );
      expect(heard.at(-1)).toMatchObject({ type: "end", reason: type === "end" ? "done" : "failed" });
      const [name = ""] = readdirSync(out);
      const run = join(out, name);
      expect(eventsIn(run).at(-1)).toMatchObject({ type: "end" });
      expect(existsSync(join(run, "lock"))).toBe(false);

      const resumed = await fit(model(), { ...options(), threads: 1, resume: run });
      expect(await bits(resumed)).toEqual(await bits(whole));
      expect(eventsIn(run).filter((event) => event.type === "epoch")).toHaveLength(3);
      for (const each of [whole, resumed]) await each.close();
    },
  );
});

describe("two runs at once", () => {
  const alone = async (seed: number) => {
    const run = await fit(model(), { ...options(seed), threads: 1 });
    const found = { bits: await bits(run), history: timeless(run.history) };
    await run.close();
    return found;
  };

  test("with backends of their own do not disturb each other, and have folders of their own", async () => {
    const out = join(folder, "at-once");
    const runs = await Promise.all([1, 2, 1].map((seed) => fit(model(), { ...options(seed), threads: 2, out })));
    const expected = [await alone(1), await alone(2), await alone(1)];
    for (const [i, run] of runs.entries()) {
      expect({ bits: await bits(run), history: timeless(run.history) }).toEqual(expected[i]);
      await run.close();
    }
    expect(new Set(runs.map(({ place }) => place)).size).toBe(3);
    expect(readdirSync(out)).toHaveLength(3);
    const [a, b] = [runs[0]?.place ?? "", runs[2]?.place ?? ""];
    expect(timeless(eventsIn(a))).toEqual(timeless(eventsIn(b)));
  });

  test("one after the other on one backend have the same bits as on two", async () => {
    const backend = nodeBackend({ threads: 2 });
    const first = await fit(model(), { ...options(1), backend });
    const second = await fit(model(), { ...options(2), backend });
    expect(await bits(first)).toEqual((await alone(1)).bits);
    expect(await bits(second)).toEqual((await alone(2)).bits);
    await backend.close();
  });

  test("at the same time on one backend take turns, and give their bits", async () => {
    const backend = nodeBackend({ threads: 2 });
    const runs = await Promise.all([1, 2].map((seed) => fit(model(), { ...options(seed), backend })));
    for (const [i, run] of runs.entries()) expect(await bits(run)).toEqual((await alone(i + 1)).bits);
    await backend.close();
  });
});
