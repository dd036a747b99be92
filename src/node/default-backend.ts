import { availableParallelism } from "node:os";
import { type WasmOptions, wasmBackend } from "../backends/wasm/index.ts";
import type { Backend } from "../compile/backend.ts";
import { OptionError } from "../core/errors.ts";
import { type Blas, findBlas } from "../native/blas.ts";
import { threadSpawn } from "./threads.ts";
import { enableWide } from "./wide.ts";

export type NodeBackendOptions = Pick<WasmOptions, "mode"> & {
  /** Worker threads. Default: as many as there are processors, at most 4. Results do not depend on it. */
  readonly threads?: number;
  /**
   * Switch on V8's revectorising (`enableWide`) where it is right and faster; where not, go on without. The bits are the same.
   * Default false.
   */
  readonly wide?: boolean;
  /**
   * Whether the system's BLAS computes large products: `auto` where there is one, `on` or else an error, `off` never. Only in mode
   * `fast`, which `on` alone implies. Default `auto` in mode `fast`.
   */
  readonly native?: "off" | "auto" | "on";
};

const MOST_THREADS = 4;

/** Worker threads where nobody says how many. */
export function defaultThreads(): number {
  return Math.min(MOST_THREADS, availableParallelism());
}

/**
 * WebAssembly on worker threads; the calling thread stays free.
 *
 * Errors: OptionError for `native: "on"` in reproducible mode, or where no BLAS can be used.
 */
export function nodeBackend(options: NodeBackendOptions = {}): Backend {
  const { native = "auto" } = options;
  const threads = options.threads ?? defaultThreads();
  if (native === "on" && options.mode === "reproducible")
    throw new OptionError(
      'native: got "on" in mode "reproducible"; expected one of the two. A BLAS gives other bits on other machines: use mode "fast".',
      "native",
    );
  const mode = options.mode ?? (native === "on" ? "fast" : "reproducible");
  const notes: string[] = [];
  if (mode === "reproducible" && options.native === "auto") notes.push("not native: the mode is reproducible");
  const blas = mode === "fast" && native !== "off" ? blasFor(native, notes) : null;
  const wide = options.wide === true && wideFor(notes);
  const backend = wasmBackend({
    mode,
    threads,
    wide,
    spawn: threadSpawn(blas?.source),
    ...(blas ? { gemm: { name: blas.name, minFlops: blas.minFlops } } : {}),
  });
  return Object.assign(backend, { notes: [...(backend.notes ?? []), ...notes] });
}

function blasFor(native: "auto" | "on", notes: string[]): Blas | null {
  const report = findBlas();
  if (report.blas) return report.blas;
  if (native === "on")
    throw new OptionError(`native: there is no BLAS to use: ${report.reason}. Use "auto" or "off".`, "native");
  notes.push(`not native: ${report.reason}`);
  return null;
}

function wideFor(notes: string[]): boolean {
  const report = enableWide();
  if (!report.on) notes.push(`not wide: ${report.reason}`);
  return report.on;
}
