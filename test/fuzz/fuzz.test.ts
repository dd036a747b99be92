import { writeFileSync } from "node:fs";
import { getHeapStatistics } from "node:v8";
import { Worker } from "node:worker_threads";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DataError, OptionError } from "../../src/core/errors.ts";
import { draws, mutate } from "./mutate.ts";
import { FILE, makeTargets, type Target } from "./targets.ts";

/** Files in all; `npm run fuzz` asks for a million. */
const FILES = Number(process.env.DOWNHILL_FUZZ ?? 20_000);
const SEED = Number(process.env.DOWNHILL_SEED ?? 1);
const REPORT = process.env.DOWNHILL_FUZZ_REPORT;
/** What reading may take beside the factor: messages, stacks, and what the engine sets aside at once. */
const CONSTANT_BYTES = 4 * 2 ** 20;
const HANG_SECONDS = 30;

const targets = await makeTargets();
const shares = targets.reduce((sum, { share }) => sum + share, 0);

type Row = {
  target: string;
  files: number;
  refused: number;
  read: number;
  "slowest ms": number;
  "most KiB": number;
  factor: number;
};
const rows: Row[] = [];

/** Counts up with each file; a thread beside looks whether it still does, and ends the process where it does not. */
const progress = new Int32Array(new SharedArrayBuffer(4));
let watchdog: Worker | undefined;
beforeAll(() => {
  const code = `const { workerData } = require("node:worker_threads");
let last = -1;
setInterval(() => {
  const now = Atomics.load(workerData, 0);
  if (now === last) {
    require("node:fs").writeSync(2, "fuzz: file " + now + " took more than ${HANG_SECONDS} seconds\\n");
    process.kill(process.pid, "SIGKILL");
  }
  last = now;
}, ${HANG_SECONDS * 1000});`;
  watchdog = new Worker(code, { eval: true, workerData: progress });
  watchdog.unref();
});
afterAll(async () => {
  await watchdog?.terminate();
  console.table(rows);
  const files = rows.reduce((sum, row) => sum + row.files, 0);
  console.log(`${files} mutated files: no crash, no hang, no pollution, no allocation beyond its bound`);
  if (REPORT !== undefined)
    writeFileSync(
      REPORT,
      `${JSON.stringify({ date: new Date().toISOString().slice(0, 10), node: process.version, rows }, null, 2)}\n`,
    );
});

const prototypes = [Object.prototype, Array.prototype, Function.prototype, String.prototype];
const namesOf = (): string => prototypes.map((each) => Reflect.ownKeys(each).length).join();

/** Bytes that the process holds, on the heap and outside; only grows between two collections. */
function held(): number {
  const { used_heap_size: heap, external_memory: outside } = getHeapStatistics();
  return heap + outside;
}

test.each(targets.map((target) => [target.name, target] as const))(
  "%s: mutated files are read, or refused with file and place",
  { timeout: 3_600_000 },
  async (name, target) => {
    const files = Math.ceil((FILES * target.share) / shares);
    const clean = namesOf();
    const row: Row = {
      target: name,
      files,
      refused: 0,
      read: 0,
      "slowest ms": 0,
      "most KiB": 0,
      factor: target.factor,
    };
    const all = targets.flatMap(({ seeds }) => seeds);
    const check = async (n: number, bytes: Uint8Array): Promise<void> => {
      Atomics.add(progress, 0, 1);
      const before = held();
      const began = performance.now();
      const error = await outcomeOf(target, bytes);
      row["slowest ms"] = Math.max(row["slowest ms"], performance.now() - began);
      const taken = held() - before;
      const where = `${name}, seed ${SEED}, file ${n}`;
      if (error === undefined) row.read++;
      else {
        row.refused++;
        if (!(error instanceof DataError || error instanceof OptionError))
          throw new Error(`${where}: threw ${error instanceof Error ? error.stack : String(error)}`);
        expect(`${error.message} ${error.where}`, where).toContain(FILE);
        expect(error.where, where).toMatch(target.place);
      }
      row["most KiB"] = Math.max(row["most KiB"], taken / 1024);
      if (taken > CONSTANT_BYTES + target.factor * bytes.length)
        throw new Error(`${where}: took ${taken} bytes for a file of ${bytes.length}`);
      if (n % 512 === 0) expect(namesOf(), where).toBe(clean);
    };
    for (const [i, seed] of target.seeds.entries())
      expect(await outcomeOf(target, seed), `seed file ${i}`).toBeUndefined();
    for (let n = 0; n < files; n++) {
      const draw = draws(SEED * 1_000_003 + n * 7919 + name.length * 31 + name.charCodeAt(0));
      const seed = target.seeds[draw(target.seeds.length)] as Uint8Array;
      await check(n, mutate(seed, all, draw));
    }
    expect(namesOf()).toBe(clean);
    expect((Object.prototype as Record<string, unknown>).polluted).toBeUndefined();
    row["slowest ms"] = Math.round(row["slowest ms"] * 10) / 10;
    row["most KiB"] = Math.round(row["most KiB"]);
    rows.push(row);
  },
);

async function outcomeOf({ parse }: Target, bytes: Uint8Array): Promise<unknown> {
  try {
    await parse(bytes);
    return undefined;
  } catch (error) {
    return error;
  }
}
