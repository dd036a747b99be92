import type { Ceilings } from "../../backends/wasm/ceilings.ts";
import type { Feeds, KernelTimes } from "../../compile/backend.ts";
import type { Origin } from "../../compile/kernel.ts";
import type { Step } from "../../compile/step.ts";
import { OptionError } from "../../core/errors.ts";
import type { Phase } from "../../ir/program.ts";
import { workOf } from "./work.ts";

/** What a kernel's time would be at least: by its arithmetic, or by its bytes through memory or through the cache. */
export type Limit = "compute" | "memory" | "cache";

/** A kernel of a step. Times are milliseconds of a step; with several threads, of one thread: all threads' together, divided. */
export type ProfiledKernel = {
  readonly name: string;
  /** What it is: `contract` (products and convolutions), `map`, `reduce`, `sweep`, `sums`, `scatter`, `pack`, `fill` or `copy`. */
  readonly kind: string;
  readonly phase: Phase;
  /** The layer as errors call it, e.g. `sequential.3 (conv2d)`; empty outside of layers. */
  readonly layer: string;
  /** The operation of the program that it is for; a convolution by Winograd's algorithm takes several kernels. */
  readonly operation: string;
  /** Calls of its function in a step: of a stage, one for each image. */
  readonly calls: number;
  readonly ms: number;
  /** Of the sum of all kernels, 0 to 1. */
  readonly share: number;
  /** Arithmetic of a step as this kernel does it. */
  readonly operations: number;
  /** Arithmetic of a step by the direct algorithm: where an operation takes several kernels, at the one that multiplies. */
  readonly directOperations: number;
  /** Distinct bytes that it reads and writes in a step. */
  readonly bytes: number;
  /** What its arithmetic and its bytes would take at the ceilings. */
  readonly computeMs: number;
  readonly transferMs: number;
  /** The longer of the two, and which it is. */
  readonly limitMs: number;
  readonly limit: Limit;
};

export type Profile = {
  /** The backend's name, and what it could not use. */
  readonly backend: string;
  readonly notes: readonly string[];
  /** Numbers that the model learns. */
  readonly parameters: number;
  /** Samples that were taken each way: calls of one step, or of several short ones. */
  readonly steps: number;
  readonly threads: number;
  readonly ceilings: Ceilings;
  /** The plain step at its fastest, in milliseconds. */
  readonly stepMs: number;
  /** All kernels at their fastest. */
  readonly kernelsMs: number;
  /** Of a thread: waiting for the others, and the order of calls. */
  readonly waitMs: number;
  readonly otherMs: number;
  /** What a reading of the clock takes; left out of all times above. */
  readonly tickMs: number;
  /** In the order in which they run. */
  readonly kernels: readonly ProfiledKernel[];
};

/** What fits beside everything else into a second-level cache of 2 MiB; smaller caches make "cache" kernels look worse. */
const CACHED_BYTES = 2 ** 20;
const LEAST_ROUNDS = 5;
const MOST_ROUNDS = 200;
const TARGET_MS = 2_000;
/** Shorter steps are timed several in one call: at its start threads may wait for each other to wake up. */
const CALL_MS = 10;
const WARM_ROUNDS = 3;
const WARM_MS = 400;
export type MeasureOptions = {
  readonly ceilings: Ceilings;
  /** Samples that are taken each way: calls of a step, or of several short ones. Default: as many as take about two seconds, at least 5. */
  readonly steps?: number | undefined;
};

/**
 * Times each kernel of a compiled step. Plain and timed steps take turns; each kernel, and the plain step, counts at its fastest,
 * so that other work on the machine disturbs little. All of them are steps like any other: the state moves on.
 *
 * Errors: OptionError where the backend times no kernels.
 */
export async function measureStep(
  step: Pick<Step, "run">,
  feeds: (steps: number) => Feeds,
  { ceilings, steps }: MeasureOptions,
): Promise<Omit<Profile, "backend" | "notes" | "parameters">> {
  /** A long step without the call's own time: measured where it runs. */
  const plain = async (count = 1): Promise<number> => {
    const batch = feeds(count);
    const start = performance.now();
    const { timeByPhase } = await step.run(batch, count, { timed: count === 1 });
    if (timeByPhase) return Object.values(timeByPhase).reduce((sum, ms) => sum + ms, 0);
    return (performance.now() - start) / count;
  };
  const timed = async (count = 1): Promise<KernelTimes> => {
    const { kernelTimes } = await step.run(feeds(count), count, { kernels: true });
    if (kernelTimes) return kernelTimes;
    throw new OptionError("profile: got a backend that times no kernels; expected wasmBackend().", "backend");
  };
  const started = performance.now();
  let times = await timed();
  let stepMs = await plain();
  for (let i = 0; i < WARM_ROUNDS || (i < MOST_ROUNDS && performance.now() - started < WARM_MS); i++) {
    times = await timed();
    stepMs = Math.min(stepMs, await plain());
  }
  const together = Math.max(1, Math.floor(CALL_MS / Math.max(stepMs, 1e-3)));
  if (together > 1) stepMs = await plain(together);
  const wanted = TARGET_MS / (2 * stepMs * together);
  const rounds = steps ?? Math.ceil(Math.max(LEAST_ROUNDS, Math.min(MOST_ROUNDS, wanted)));
  const { threads } = times;
  let best = times.kernels.map(() => Number.POSITIVE_INFINITY);
  let [waitMs, otherMs, tickMs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let i = 0; i < rounds; i++) {
    stepMs = Math.min(stepMs, await plain(together));
    times = await timed(together);
    const each = (ms: number): number => ms / (threads * together);
    best = best.map((least, k) => Math.min(least, each(times.kernels[k]?.ms ?? 0)));
    waitMs = Math.min(waitMs, each(times.waitMs));
    otherMs = Math.min(otherMs, each(times.otherMs));
    tickMs = Math.min(tickMs, times.tickMs);
  }
  const kernelsMs = best.reduce((sum, ms) => sum + ms, 0);
  const kernels = describe(times, together, best, kernelsMs, ceilings);
  return { steps: rounds, threads, ceilings, stepMs, kernelsMs, waitMs, otherMs, tickMs, kernels };
}

function describe(
  { kernels, threads }: KernelTimes,
  steps: number,
  best: readonly number[],
  total: number,
  ceilings: Ceilings,
): ProfiledKernel[] {
  const seen = new Set<Origin>();
  return kernels.map(({ kernel, calls, runs: allRuns, images }, i) => {
    const runs = allRuns / steps;
    const { origin, kind, name, phase } = kernel;
    const work = workOf(kernel);
    const multiplies = kind === "contract";
    // An operation is counted once, at its product; what transforms or packs for it adds nothing.
    const first = origin !== undefined && multiplies && !seen.has(origin);
    if (origin && first) seen.add(origin);
    const direct = origin && origin.flops > 0 ? (first ? origin.flops : 0) : work.operations;
    const span = images > 1 ? work.bytes / images : work.bytes / threads;
    const cached = span <= CACHED_BYTES;
    const computeMs = (runs * work.operations) / (multiplies ? ceilings.products : ceilings.separate) / 1e6;
    const transferMs = (runs * work.bytes) / (cached ? ceilings.cache : ceilings.memory) / 1e6;
    const ms = best[i] as number;
    return {
      name,
      kind,
      phase,
      layer: origin?.site ?? "",
      operation: origin?.operation ?? name,
      calls: calls / steps,
      ms,
      share: total > 0 ? ms / total : 0,
      operations: work.operations * runs,
      directOperations: direct * runs,
      bytes: work.bytes * runs,
      computeMs,
      transferMs,
      limitMs: Math.max(computeMs, transferMs),
      limit: computeMs >= transferMs ? "compute" : cached ? "cache" : "memory",
    };
  });
}
