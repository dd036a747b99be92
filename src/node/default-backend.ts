import { availableParallelism } from "node:os";
import { type WasmOptions, wasmBackend } from "../backends/wasm/index.ts";
import type { Backend } from "../compile/backend.ts";
import { spawnThread } from "./threads.ts";

export type NodeBackendOptions = Pick<WasmOptions, "mode" | "wide"> & {
  /** Worker threads. Default: as many as there are processors, at most 4. Results do not depend on it. */
  readonly threads?: number;
};

const MOST_THREADS = 4;

/** WebAssembly on worker threads; the calling thread stays free. */
export function nodeBackend(options: NodeBackendOptions = {}): Backend {
  const threads = options.threads ?? Math.min(MOST_THREADS, availableParallelism());
  return wasmBackend({ mode: "reproducible", ...options, threads, spawn: spawnThread });
}
