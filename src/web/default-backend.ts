import { type WasmOptions, wasmBackend } from "../backends/wasm/index.ts";
import type { Backend } from "../compile/backend.ts";
import { OptionError } from "../core/errors.ts";
import { spawnWebWorker, spawnWith } from "./threads.ts";

export type WebBackendOptions = Pick<WasmOptions, "mode"> & {
  /** Workers. Default: as many as there are processors, at most 4. Results do not depend on it. */
  readonly threads?: number;
  /**
   * Starts one worker, for pages whose policy forbids `blob:` addresses:
   * `() => new Worker(new URL("./worker.js", import.meta.url), { type: "module" })`, where `worker.js` is
   * `import "downhill/web/worker";`. Default: a worker from source text.
   */
  readonly worker?: () => Worker;
};

export type WebBackend = Backend & {
  /** Workers that run the programs; 0 where the calling thread does. */
  readonly workers: number;
  /** Why there are none; undefined where there are. */
  readonly reason: string | undefined;
};

const MOST_THREADS = 4;
const said = new Set<string>();

/**
 * WebAssembly on workers over one shared memory; the calling thread stays free.
 *
 * Shared memory needs a page that is cross-origin isolated (`Cross-Origin-Opener-Policy: same-origin`,
 * `Cross-Origin-Embedder-Policy: require-corp`). Elsewhere the calling thread computes, which `fit` asks of it in slices of
 * at most 50 ms; `reason` says so, and once the console. In `reproducible` mode the bits are the same either way.
 *
 * Errors: OptionError for a thread count below 1; TrainingError, at once or from the first call, where the page's
 * Content-Security-Policy forbids the workers.
 *
 * @example
 * const backend = webBackend({ threads: 2 });
 * backend.workers // -> 2
 */
export function webBackend(options: WebBackendOptions = {}): WebBackend {
  const { threads = Math.min(MOST_THREADS, processors()), mode = "reproducible", worker } = options;
  if (!Number.isInteger(threads) || threads < 1)
    throw new OptionError(`threads: got ${threads}; expected an integer of 1 or more.`, "threads");
  const reason = whyNoWorkers();
  if (reason === undefined) {
    const spawn = worker ? spawnWith(worker) : spawnWebWorker;
    try {
      return Object.assign(wasmBackend({ threads, mode, spawn }), { workers: threads, reason });
    } catch (error) {
      // Some engines reserve the whole of a shared memory at once, and have not that much.
      if (!(error instanceof RangeError)) throw error;
      return onCallingThread(mode, `this device refuses the shared memory (${error.message})`);
    }
  }
  return onCallingThread(mode, reason);
}

function processors(): number {
  return globalThis.navigator?.hardwareConcurrency ?? 1;
}

function whyNoWorkers(): string | undefined {
  if (globalThis.crossOriginIsolated !== true)
    return "this page is not cross-origin isolated (headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp)";
  if (typeof Worker !== "function") return "workers cannot be started from here";
  return undefined;
}

function onCallingThread(mode: "reproducible" | "fast", reason: string): WebBackend {
  if (!said.has(reason)) console.info(`downhill computes on the calling thread: ${reason}.`);
  said.add(reason);
  return Object.assign(wasmBackend({ mode }), { workers: 0, reason });
}
