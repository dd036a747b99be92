import fc from "fast-check";
import { expect, test } from "vitest";
import { DataError } from "../../core/errors.ts";
import { EventLog } from "./event-log.ts";
import type { RunFiles } from "./run-files.ts";

const KILLED = "killed";

/** Files in memory; `life` writes and removals go well, then the page is dead. */
function memory(files: Map<string, Uint8Array<ArrayBuffer>> = new Map(), life = Infinity) {
  let left = life;
  const change = (act: () => void): void => {
    if (left-- <= 0) throw new Error(KILLED);
    act();
  };
  const store: RunFiles = {
    list: async () => [...files.keys()].reverse(),
    read: async (name) => files.get(name),
    write: async (name, bytes) => change(() => void files.set(name, bytes.slice())),
    remove: async (name) => change(() => void files.delete(name)),
    removeAll: async () => files.clear(),
    sweep: async () => {},
  };
  return { files, store };
}

/** Some long, so that a few fill a file. */
const lineOf = (i: number): string => `{"event":${i},"text":"${"é".repeat((i * 7919) % 30_000)}"}`;
const linesUpTo = (count: number): string[] => Array.from({ length: count }, (_, i) => lineOf(i));

async function filled(count: number, perFlush: number) {
  const { files, store } = memory();
  const log = new EventLog(store);
  for (let i = 0; i < count; i++) {
    log.add(lineOf(i));
    if (i % perFlush === perFlush - 1) await log.flush();
  }
  await log.flush();
  return { files, store, log };
}

test("is read as it was written, in files of a bounded size", async () => {
  const { files, store, log } = await filled(60, 3);
  expect(log.count).toBe(60);
  expect(await new EventLog(store).read()).toEqual(linesUpTo(60));
  expect(files.size).toBeGreaterThan(4);
  // A file is filled up to 128 KiB, and takes one flush more.
  for (const { length } of files.values()) expect(length).toBeLessThan(128 * 1024 + 3 * 60_100);
  await store.write("model.safetensors", new Uint8Array(3));
  expect(await new EventLog(store).read()).toEqual(linesUpTo(60));
});

test("cut anywhere, goes on as one that was never longer, also where the page died while it was cut", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(40),
      fc.nat(40),
      fc.integer({ min: 1, max: 5 }),
      fc.nat(6),
      async (a, b, perFlush, life) => {
        const [kept, before] = [Math.min(a, b), Math.max(a, b)];
        const { files } = await filled(before, perFlush);
        const dying = new EventLog(memory(files, life).store);
        const died = await dying.truncate(kept).then(
          () => false,
          () => true,
        );
        const left = await new EventLog(memory(files).store).read();
        expect(left).toEqual(linesUpTo(left.length));
        expect(left.length).toBeGreaterThanOrEqual(kept);
        if (!died) expect(left.length).toBe(kept);
        const log = new EventLog(memory(files).store);
        await log.truncate(kept);
        expect(log.count).toBe(kept);
        for (let i = kept; i < 45; i++) {
          log.add(lineOf(i));
          if (i % perFlush === 0) await log.flush();
        }
        await log.flush();
        expect(await log.read()).toEqual(linesUpTo(45));
      },
    ),
    { numRuns: 40 },
  );
});

test("a write that fails loses nothing: the next writes it", async () => {
  const { store } = memory();
  let full = true;
  const log = new EventLog({
    ...store,
    write: (name, bytes) => (full ? Promise.reject(new DataError("full")) : store.write(name, bytes)),
  });
  log.add(lineOf(0));
  await expect(log.flush()).rejects.toThrow("full");
  expect(log.count).toBe(0);
  log.add(lineOf(1));
  full = false;
  await log.flush();
  expect(await log.read()).toEqual(linesUpTo(2));
});

test("flushes that nobody awaits keep the order", async () => {
  const { store } = memory();
  const slow = new EventLog({
    ...store,
    write: async (name, bytes) => {
      await new Promise((resolve) => setTimeout(resolve, bytes.length % 5));
      await store.write(name, bytes);
    },
  });
  for (let i = 0; i < 20; i++) {
    slow.add(lineOf(i));
    void slow.flush();
  }
  expect(await slow.read()).toEqual(linesUpTo(20));
});

test("an end found in the files is gone on from", async () => {
  const { store } = await filled(20, 4);
  const log = new EventLog(store);
  await log.seek();
  expect(log.count).toBe(20);
  log.add(lineOf(20));
  await log.flush();
  expect(await log.read()).toEqual(linesUpTo(21));
});

test("missing events are an error that says where", async () => {
  const { files, store } = await filled(60, 3);
  await expect(new EventLog(store).truncate(61)).rejects.toThrow(
    /^resume: the log has 60 events; expected the 61 that the checkpoint was written after/,
  );
  const [, second = "", third = ""] = [...files.keys()].sort();
  files.delete(second);
  const before = Number(second.slice(7, 17));
  await expect(new EventLog(store).read()).rejects.toThrow(
    `run: ${third} begins after event ${Number(third.slice(7, 17))}, what is before it ends at ${before}.`,
  );
});
