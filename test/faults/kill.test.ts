import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { keyOf, uniformAt } from "../../src/core/prng.ts";
import { decodeCheckpoint } from "../../src/train/checkpoints/checkpoint-file.ts";
import type { TrainEvent } from "../../src/train/events.ts";
import { requireBuilt, root } from "../built.ts";
import { writeBars } from "../e2e/bars.ts";
import { timeless } from "../memory-sink.ts";

/** How many kills there are for each recipe; `npm run faults` asks for more than the tests do. */
const KILLS = Number(process.env.DOWNHILL_KILLS ?? 3);
const SEED = Number(process.env.DOWNHILL_SEED ?? 1);
/** Where the counts are written, if anywhere. */
const REPORT = process.env.DOWNHILL_FAULTS;

const folder = mkdtempSync(join(tmpdir(), "downhill-kill-"));
const CLI = join(root, "dist/cli/main.js");
const RUNNER = join(root, "test/faults/runner.mjs");

type Recipe = { readonly start: readonly string[]; readonly resume: (run: string) => readonly string[] };

const cli = (...args: string[]): Recipe => ({
  start: [CLI, "train", ...args],
  resume: (run) => [CLI, "resume", run],
});
const code = (name: string): Recipe => {
  const args = (out: string): string[] => [RUNNER, name, out];
  return { start: args(""), resume: () => args("") };
};
const MLP = [
  "./bars",
  "--model",
  "mlp",
  "--batch-size",
  "32",
  "--checkpoint-every",
  "5 steps, 1 epoch",
  "--threads",
  "2",
];

const RECIPES: Readonly<Record<string, Recipe>> = {
  "MLP, Adam, cosine": cli(...MLP, "--optimizer", "adam", "--schedule", "cosine"),
  "MLP, accumulated gradients": cli(...MLP, "--optimizer", "momentum", "--accumulate", "3"),
  "MLP, moving average, early stopping": cli(
    ...MLP,
    ...["--optimizer", "adamw", "--wrap", "ema decay=0.9", "--epochs", "6", "--early-stopping", "2"],
  ),
  "CNN, batch norm, dropout, augmentation, plateau": code("cnn-plateau"),
  "CNN, batch norm, dropout, EMA, early stopping": code("cnn-ema-stopping"),
  "GPT on a text": cli(
    ...["book.txt", "--layers", "1", "--heads", "2", "--width", "16", "--block", "16", "--batch-size", "8"],
    ...["--epochs", "2", "--tokenizer", "byte", "--sample-every", "40", "--checkpoint-every", "9 steps, 1 epoch"],
  ),
};

beforeAll(() => {
  requireBuilt();
  writeBars(join(folder, "bars"), { train: 900, test: 60 });
  writeFileSync(join(folder, "book.txt"), "The cat sat on the mat. A bird ran to the tree.\n".repeat(90));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The only run in a folder of runs; undefined where a process was killed before it had made one. */
function runIn(out: string): string | undefined {
  const names = existsSync(join(folder, out)) ? readdirSync(join(folder, out)) : [];
  const found = names.find((name) => !name.startsWith("."));
  return found === undefined ? undefined : join(folder, out, found);
}

function begin(recipe: Recipe, out: string): ChildProcess {
  const run = runIn(out);
  const [file = "", ...args] = run === undefined ? recipe.start : recipe.resume(run);
  const place =
    file === RUNNER ? [args[0] ?? "", join(folder, out)] : run === undefined ? [...args, "--out", out] : args;
  return spawn(process.execPath, [file, ...place], { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
}

type End = { readonly killed: boolean; readonly code: number | null; readonly stderr: string; readonly ms: number };

/** Runs a process to its end, or kills it when `when` resolves. */
function session(recipe: Recipe, out: string, when?: (child: ChildProcess) => Promise<void>): Promise<End> {
  const began = performance.now();
  const child = begin(recipe, out);
  let stderr = "";
  child.stderr?.on("data", (text) => {
    stderr += text;
  });
  void when?.(child).then(() => child.kill("SIGKILL"));
  return new Promise((done) => {
    child.on("exit", (code, signal) =>
      done({ killed: signal === "SIGKILL", code, stderr, ms: performance.now() - began }),
    );
  });
}

const wait = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** Resolves while a checkpoint, or the model, is being written. */
async function duringWrite(out: string, child: ChildProcess): Promise<void> {
  while (child.exitCode === null) {
    const run = runIn(out);
    const places = run === undefined ? [] : [join(run, "checkpoints"), run];
    if (places.some((place) => existsSync(place) && readdirSync(place).some((name) => name.endsWith(".tmp")))) return;
    await new Promise((done) => setImmediate(done));
  }
}

const MOMENTS = ["start-up", "training", "writing", "after the end"] as const;
type Moment = (typeof MOMENTS)[number];

/** What a killed process was doing, from what it left. */
function momentOf(out: string, linesBefore: number): Moment {
  const run = runIn(out);
  if (run === undefined) return "start-up";
  const temporary = [run, join(run, "checkpoints")].some(
    (place) => existsSync(place) && readdirSync(place).some((name) => name.endsWith(".tmp")),
  );
  if (temporary) return "writing";
  const log = logOf(run);
  if (log.some((line) => line.startsWith('{"type":"end"'))) return "after the end";
  return log.length === linesBefore ? "start-up" : "training";
}

const logOf = (run: string): string[] =>
  existsSync(join(run, "events.jsonl")) ? readFileSync(join(run, "events.jsonl"), "utf8").split("\n").slice(0, -1) : [];

/** All that a run leaves and that must be equal: events, model, and each checkpoint that is kept. */
function resultOf(run: string): unknown {
  const checkpoints = join(run, "checkpoints");
  const kept = readdirSync(checkpoints).sort();
  return {
    events: timeless(logOf(run).map((line) => JSON.parse(line) as TrainEvent)),
    model: readFileSync(join(run, "model.safetensors")).toString("base64"),
    files: readdirSync(run).sort(),
    checkpoints: kept.map((name) => {
      const { state, ...notes } = decodeCheckpoint(readFileSync(join(checkpoints, name)), name);
      const arrays = Object.entries(state).map(([path, { data }]) => [
        path,
        Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64"),
      ]);
      return { name, arrays, notes: timeless([notes as never]) };
    }),
  };
}

type Row = { recipe: string; kills: number; sessions: number; stepsRedone: number; moments: Record<Moment, number> };
const rows: Row[] = [];

describe.each(Object.entries(RECIPES))("%s", (name, recipe) => {
  test(`killed ${KILLS} times, ends where the uninterrupted run ends`, {
    timeout: 60_000 + KILLS * 20_000,
  }, async () => {
    const id = Object.keys(RECIPES).indexOf(name);
    const whole = await session(recipe, `whole${id}`);
    expect([whole.stderr, whole.code]).toEqual(["", 0]);
    const expected = resultOf(runIn(`whole${id}`) as string);
    const row: Row = {
      recipe: name,
      kills: 0,
      sessions: 0,
      stepsRedone: 0,
      moments: { "start-up": 0, training: 0, writing: 0, "after the end": 0 },
    };
    for (let round = 0; row.kills < KILLS; round++) {
      const out = `killed${id}-${round}`;
      for (let n = 0; ; n++) {
        const draw = (i: number): number => uniformAt(keyOf(SEED), ((id * 1000 + round) * 100 + n) * 4 + i);
        const last = row.kills >= KILLS || n >= 8;
        const aimed = draw(0) < 0.4;
        const linesBefore = runIn(out) === undefined ? 0 : logOf(runIn(out) as string).length;
        const when = async (child: ChildProcess): Promise<void> => {
          // Whole sessions are shorter the later they begin.
          await wait(draw(1) * whole.ms * (aimed ? 0.7 : 1.05) * (n > 0 ? 0.8 : 1));
          if (aimed) await duringWrite(out, child);
          if (aimed && draw(2) < 0.5) await wait(draw(3) * 4);
        };
        row.sessions++;
        const end = await session(recipe, out, last ? undefined : when);
        if (!end.killed) {
          expect([end.stderr, end.code]).toEqual(["", 0]);
          break;
        }
        row.kills++;
        row.moments[momentOf(out, linesBefore)]++;
        row.stepsRedone += stepsLost(out);
      }
      const run = runIn(out) as string;
      expect(resultOf(run)).toEqual(expected);
      rmSync(join(folder, out), { recursive: true, force: true });
    }
    rows.push(row);
  });
});

/** Steps that the log has and the newest checkpoint does not: they are done again. */
function stepsLost(out: string): number {
  const run = runIn(out);
  if (run === undefined) return 0;
  const checkpoints = join(run, "checkpoints");
  const names = existsSync(checkpoints) ? readdirSync(checkpoints).filter((name) => name.startsWith("step-")) : [];
  const saved = Math.max(0, ...names.map((name) => Number(name.slice(5, 13))));
  const steps = logOf(run).flatMap((line) => /^\{"type":"step","step":(\d+)/.exec(line)?.[1] ?? []);
  return Math.max(0, Number(steps.at(-1) ?? 0) - saved);
}

afterAll(() => {
  const table = rows.map(({ recipe, kills, sessions, stepsRedone, moments }) => ({
    recipe,
    kills,
    ...moments,
    sessions,
    "steps done again": stepsRedone,
  }));
  console.table(table);
  const total = rows.reduce((sum, { kills }) => sum + kills, 0);
  console.log(`${total} kills in ${rows.length} recipes; lost: nothing`);
  if (REPORT !== undefined) {
    mkdirSync(join(REPORT, ".."), { recursive: true });
    writeFileSync(
      REPORT,
      `${JSON.stringify({ date: new Date().toISOString().slice(0, 10), node: process.version, rows }, null, 2)}\n`,
    );
  }
});
