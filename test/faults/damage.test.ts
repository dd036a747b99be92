import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TrainEvent } from "../../src/train/events.ts";
import { requireBuilt } from "../built.ts";
import { writeBars } from "../e2e/bars.ts";
import { downhill, start } from "../e2e/command.ts";
import { timeless } from "../memory-sink.ts";

const folder = mkdtempSync(join(tmpdir(), "downhill-damage-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const FLAGS = [
  ...["./bars", "--model", "mlp", "--optimizer", "adam", "--batch-size", "32", "--epochs", "4"],
  ...["--checkpoint-every", "7 steps, 1 epoch", "--keep-last", "3"],
];

/** The one run of a folder of runs, below `folder`. */
const only = (out: string): string => `${out}/${readdirSync(join(folder, out)).find((name) => !name.startsWith("."))}`;
const linesOf = (run: string): string[] => readFileSync(join(folder, run, "events.jsonl"), "utf8").split("\n");
const resultOf = (run: string): unknown => ({
  events: timeless(
    linesOf(run)
      .slice(0, -1)
      .map((line) => JSON.parse(line) as TrainEvent),
  ),
  model: readFileSync(join(folder, run, "model.safetensors")).toString("base64"),
  checkpoints: readdirSync(join(folder, run, "checkpoints")).sort(),
});
const checkpointsOf = (run: string): string[] =>
  readdirSync(join(folder, run, "checkpoints"))
    .sort()
    .map((name) => join(folder, run, "checkpoints", name));

/** Long enough that a signal finds it at work. */
const LONG = [...FLAGS, "--epochs", "24"];

let whole: unknown;
let wholeLong: unknown;
/** A run that was stopped in the middle, as a folder to copy. */
let stopped = "";
beforeAll(async () => {
  requireBuilt();
  writeBars(join(folder, "bars"), { train: 900, test: 60 });
  const { stderr } = await downhill(folder, "train", ...FLAGS, "--out", "whole");
  expect(stderr).toBe("");
  whole = resultOf(only("whole"));
  await downhill(folder, "train", ...LONG, "--out", "whole-long");
  wholeLong = resultOf(only("whole-long"));
  const running = start(folder, "train", ...FLAGS, "--out", "stopped");
  await running.printed(/^epoch 2/m);
  running.process.kill("SIGKILL");
  await running.outcome;
  stopped = only("stopped");
});

let copies = 0;
function copyOfStopped(): string {
  const run = `copy${++copies}/run`;
  cpSync(join(folder, stopped), join(folder, run), { recursive: true });
  return run;
}

async function resumesWhole(run: string, expected = whole): Promise<string> {
  const { stdout, stderr, code } = await downhill(folder, "resume", run);
  expect([stderr, code]).toEqual(["", 0]);
  expect(resultOf(run)).toEqual(expected);
  return stdout;
}

describe("a damaged checkpoint is named, and the newest good one is used", () => {
  const damages: readonly [string, (file: string) => void, RegExp][] = [
    ["cut off", (file) => truncateSync(file, 5000), /has 5000 bytes|truncated/],
    ["empty", (file) => truncateSync(file, 0), /has 0 bytes/],
    ["with one bit flipped in its arrays", (file) => flip(file, -9), /is damaged: its contents have the checksum/],
    ["with one bit flipped in its notes", (file) => flip(file, 400), /is damaged|is not JSON|expected/],
    ["replaced by a text", (file) => writeFileSync(file, "hello, world, this is no checkpoint"), /header|safetensors/],
  ];
  test.each(damages)("%s", async (_, damage, text) => {
    const run = copyOfStopped();
    const newest = checkpointsOf(run).at(-1) as string;
    damage(newest);
    const stdout = await resumesWhole(run);
    expect(stdout).toMatch(new RegExp(`${newest.slice(-23, -12)}.*(?:${text.source})`));
  });

  test("all of them: it starts over, and says so", async () => {
    const run = copyOfStopped();
    for (const file of checkpointsOf(run)) flip(file, -1);
    const stdout = await resumesWhole(run);
    expect(stdout).toContain(`Resuming ${run} from the start: there is no checkpoint`);
  });

  test("other files among them are let be, half-written ones go", async () => {
    const run = copyOfStopped();
    const alien = join(folder, run, "checkpoints", "notes.txt");
    writeFileSync(alien, "mine");
    const half = join(folder, run, "checkpoints", ".step-00000042.safetensors.1-ab.tmp");
    writeFileSync(half, "half");
    writeFileSync(join(folder, run, ".model.safetensors.1-ab.tmp"), "half");
    const { stderr } = await downhill(folder, "resume", run);
    expect([stderr, existsSync(half), readFileSync(alien, "utf8")]).toEqual(["", false, "mine"]);
    rmSync(alien);
    expect(resultOf(run)).toEqual(whole);
    expect(readdirSync(join(folder, run)).filter((name) => name.startsWith("."))).toEqual([]);
  });
});

function flip(file: string, at: number): void {
  const bytes = readFileSync(file);
  const place = at < 0 ? bytes.length + at : at;
  bytes[place] = (bytes[place] as number) ^ 4;
  writeFileSync(file, bytes);
}

describe("the log", () => {
  test("a torn last line is cut off", async () => {
    const run = copyOfStopped();
    const file = join(folder, run, "events.jsonl");
    writeFileSync(file, `${readFileSync(file, "utf8")}{"type":"step","st`);
    await resumesWhole(run);
  });

  test("one with fewer events than the checkpoint was written after is refused, and nothing is changed", async () => {
    const run = copyOfStopped();
    const file = join(folder, run, "events.jsonl");
    writeFileSync(file, `${linesOf(run).slice(0, 5).join("\n")}\n`);
    const { stderr, code } = await downhill(folder, "resume", run);
    expect(stderr).toMatch(/^downhill: resume: .*events\.jsonl has fewer than the \d+ events that the checkpoint/);
    expect(code).toBe(1);
    expect(linesOf(run)).toHaveLength(6);
  });
});

test("a folder without its config is no run", async () => {
  const run = copyOfStopped();
  rmSync(join(folder, run, "config.json"));
  const { stderr, code } = await downhill(folder, "resume", run);
  expect(stderr).toContain(
    `run: cannot read ${run}/config.json: no such file or directory. Expected the folder of a run.`,
  );
  expect(code).toBe(2);
});

describe("one process at a time", () => {
  test("a second is refused, naming the first; the first goes on undisturbed", async () => {
    const running = start(folder, "train", ...FLAGS, "--epochs", "40", "--out", "busy");
    await running.printed(/^epoch 1/m);
    const run = only("busy");
    const second = await downhill(folder, "resume", run);
    expect(second.stderr).toContain(`is being worked on by process ${running.process.pid}; expected a run that nobody`);
    expect(second.code).toBe(2);
    const first = await running.outcome;
    expect([first.stderr, first.code]).toEqual(["", 0]);
    expect(linesOf(run).filter((line) => line.startsWith('{"type":"epoch"'))).toHaveLength(40);
  });

  const lock = (run: string, owner: object): void => writeFileSync(join(folder, run, "lock"), JSON.stringify(owner));

  test("a lock whose process is gone is taken over", async () => {
    const { pid } = spawnSync(process.execPath, ["-e", ""]);
    const run = copyOfStopped();
    lock(run, { pid, host: hostname(), started: null });
    await resumesWhole(run);
    expect(existsSync(join(folder, run, "lock"))).toBe(false);
  });

  test.runIf(existsSync("/proc/self/stat"))("so is one whose number another process has now", async () => {
    const run = copyOfStopped();
    lock(run, { pid: process.pid, host: hostname(), started: "another boot 12345" });
    await resumesWhole(run);
  });

  test("one of another machine is refused, with what to do", async () => {
    const run = copyOfStopped();
    lock(run, { pid: 1, host: "elsewhere", started: null });
    const { stderr, code } = await downhill(folder, "resume", run);
    expect(stderr).toContain(
      `process 1 of elsewhere; expected a run that nobody works on. If that process is gone, remove`,
    );
    expect(code).toBe(2);
  });
});

describe("signals", () => {
  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("%s: a checkpoint, then the end; resumed, it ends like the uninterrupted run", async (signal, exit) => {
    const out = `stop${signal}`;
    const running = start(folder, "train", ...LONG, "--out", out);
    await running.printed(/^epoch 1/m);
    running.process.kill(signal);
    const { stdout, code } = await running.outcome;
    expect(code).toBe(exit);
    const run = only(out);
    expect(stdout).toContain(`Go on with: downhill resume ${run}`);
    const steps = linesOf(run).flatMap((line) => /^\{"type":"step","step":(\d+)/.exec(line)?.[1] ?? []);
    const newest = checkpointsOf(run).at(-1) ?? "";
    expect(newest).toContain(`step-${String(steps.at(-1)).padStart(8, "0")}`);
    await resumesWhole(run, wholeLong);
  });

  test("SIGINT twice ends at once; resumed, it ends like the uninterrupted run", async () => {
    const running = start(folder, "train", ...LONG, "--out", "twice");
    await running.printed(/^epoch 1/m);
    running.process.kill("SIGINT");
    running.process.kill("SIGINT");
    const { code } = await running.outcome;
    expect(code).toBe(130);
    await resumesWhole(only("twice"), wholeLong);
  });
});

/** A small disk of its own; undefined where none may be mounted. */
function smallDisk(kib: number): string | undefined {
  const place = mkdtempSync(join(tmpdir(), "downhill-disk-"));
  const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${kib}k`, "tmpfs", place]);
  if (status === 0) return place;
  rmSync(place, { recursive: true });
  return undefined;
}

function unmount(place: string): void {
  spawnSync("umount", [place]);
  rmSync(place, { recursive: true, force: true });
}

const probe = smallDisk(64);
if (probe !== undefined) unmount(probe);

// Mounting needs rights that not every machine gives.
describe.skipIf(probe === undefined)("a full disk", () => {
  test.each([
    ["a checkpoint's write", 3500],
    ["a later checkpoint's write", 4100],
  ])("in %s: one error, the last checkpoint is whole; with space again it goes on", async (_, kib) => {
    const disk = smallDisk(kib) as string;
    try {
      const { stderr, code } = await downhill(folder, "train", ...FLAGS, "--out", join(disk, "runs"));
      expect(stderr).toMatch(/^downhill: write: cannot write .*: no space left on device\.\n$/);
      expect(code).toBe(1);
      await goesOn(disk);
    } finally {
      unmount(disk);
    }
  });

  test("in the log's write", async () => {
    const disk = smallDisk(9000) as string;
    try {
      const running = start(folder, "train", ...FLAGS, "--epochs", "60", "--out", join(disk, "runs"));
      await running.printed(/^epoch 1/m);
      spawnSync("dd", ["if=/dev/zero", `of=${join(disk, "ballast")}`, "bs=1k"]);
      const { stderr, code } = await running.outcome;
      expect(stderr).toMatch(/^downhill: (?:run folder|write): cannot write .*: no space left on device\.\n$/);
      expect(code).toBe(1);
      rmSync(join(disk, "ballast"));
      const log = readFileSync(join(disk, "runs", readdirSync(join(disk, "runs"))[0] ?? "", "events.jsonl"), "utf8");
      expect(log.endsWith("\n")).toBe(true);
    } finally {
      unmount(disk);
    }
  });

  async function goesOn(disk: string): Promise<void> {
    const [name = ""] = readdirSync(join(disk, "runs"));
    mkdirSync(join(folder, `freed${++copies}`));
    const run = `freed${copies}/run`;
    cpSync(join(disk, "runs", name), join(folder, run), { recursive: true });
    expect(existsSync(join(folder, run, "lock"))).toBe(false);
    expect(readdirSync(join(folder, run, "checkpoints")).filter((each) => each.startsWith("."))).toEqual([]);
    await resumesWhole(run);
  }
});
