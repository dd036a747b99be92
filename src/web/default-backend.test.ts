import { afterEach, expect, test, vi } from "vitest";
import { OptionError, TrainingError } from "../core/errors.ts";
import { webBackend } from "./default-backend.ts";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

/** A page with workers that never answer; the list of what was started. */
function isolatedPage(): { name: string }[] {
  const started: { name: string }[] = [];
  vi.stubGlobal("crossOriginIsolated", true);
  vi.stubGlobal("navigator", { hardwareConcurrency: 16 });
  vi.stubGlobal(
    "Worker",
    class {
      constructor(_: string, options: { name: string }) {
        started.push(options);
      }
      addEventListener(): void {}
      postMessage(): void {}
      terminate(): void {}
    },
  );
  return started;
}

test("as many workers as processors, at most 4", () => {
  const started = isolatedPage();
  expect(webBackend().workers).toBe(4);
  expect(started).toHaveLength(4);
  expect(webBackend({ threads: 6 }).workers).toBe(6);
  expect(started).toHaveLength(10);
});

test.each([0, 1.5, Number.NaN])("%d threads are refused, with workers or without", (threads) => {
  const refused = new OptionError(`threads: got ${threads}; expected an integer of 1 or more.`, "threads");
  expect(() => webBackend({ threads })).toThrow(refused);
  isolatedPage();
  expect(() => webBackend({ threads })).toThrow(refused);
});

test("a device that refuses the shared memory computes on the calling thread, and hears why once", () => {
  const started = isolatedPage();
  const info = vi.spyOn(console, "info").mockImplementation(() => undefined);
  const { Memory } = WebAssembly;
  vi.spyOn(WebAssembly, "Memory").mockImplementation(function memory(descriptor) {
    if (descriptor.shared) throw new RangeError("could not allocate memory");
    return new Memory(descriptor);
  });
  const reason = "this device refuses the shared memory (could not allocate memory)";
  for (const backend of [webBackend(), webBackend()]) expect(backend).toMatchObject({ workers: 0, reason });
  expect(started).toEqual([]);
  expect(info.mock.calls).toEqual([[`downhill computes on the calling thread: ${reason}.`]]);
});

test("an engine that refuses a worker at once gives the same error as one that does so later", () => {
  isolatedPage();
  vi.stubGlobal(
    "Worker",
    class {
      constructor() {
        throw new Error("blocked by the policy");
      }
    },
  );
  const refused = /^worker: a blob: worker could not be started\. Hint: .*worker-src blob:.*\(blocked by the policy\)$/;
  expect(() => webBackend()).toThrow(TrainingError);
  expect(() => webBackend()).toThrow(refused);
});
