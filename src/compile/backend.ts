import type { Aval, HostData } from "../core/dtype.ts";
import type { HostArray } from "../core/host-array.ts";
import type { Phase, Program } from "../ir/program.ts";
import type { PlacedKernel } from "./placed-kernels.ts";

/** Values of a program's `feed` inputs for `steps` steps: for each path, steps x elements, row-major. */
export type Feeds = Readonly<Record<string, HostData>>;

/** `result` outputs of a call: for each path, steps x elements, row-major. */
export type Results = Readonly<Record<string, HostData>>;

/** A kernel's part of an instrumented call. */
export type KernelTime = PlacedKernel & {
  /** Calls of its functions, on all threads. */
  readonly calls: number;
  /** How often it ran as a whole: more than once a step in a loop. */
  readonly runs: number;
  /** Milliseconds, added up over the threads. */
  readonly ms: number;
};

/** Where the time of an instrumented call went. Milliseconds are added up over the threads. */
export type KernelTimes = {
  readonly threads: number;
  /** In the order in which they stand in the step. */
  readonly kernels: readonly KernelTime[];
  /** Waiting for one another. */
  readonly waitMs: number;
  /** What is neither that nor a kernel: the order of calls itself. */
  readonly otherMs: number;
  /** What one reading of the clock takes; it is not in the other figures. */
  readonly tickMs: number;
};

export type RunReport = {
  readonly results: Results;
  /** Where `kernels` was asked for. */
  readonly kernelTimes?: KernelTimes;
  /** Milliseconds of each phase in the one instrumented step of this call, if there was one. */
  readonly timeByPhase?: Readonly<Record<Phase, number>>;
};

export type RunOptions = {
  /** Instrument the first step of the call: equal bits, times by phase. Default false. */
  readonly timed?: boolean;
  /** Time each kernel of the call's steps: equal bits, and a little slower. Left out by a backend that has none. Default false. */
  readonly kernels?: boolean;
};

/** Holds state and data; the train, tail, evaluation and prediction programs bind to one store. */
export interface Store {
  /** Sets a value; its type is fixed by the first write. */
  write(path: string, value: HostArray): void;
  /** The only place that waits for a device. Always logical (PyTorch's) shape, row-major. */
  read(path: string): Promise<HostArray>;
  has(path: string): boolean;
  readonly paths: readonly string[];
  avalOf(path: string): Aval;
}

export interface Executable {
  readonly program: Program;
  /** Bytes of the arena beside the store, known before anything runs. */
  readonly peakBytes: number;
  /** Runs `steps` steps without returning between them. */
  run(steps: number, feeds: Feeds, options?: RunOptions): Promise<RunReport>;
  /** Readable forms below the program: fused kernels and the target's own text. */
  print(level: "kernels" | "target"): string;
}

/** What trains: a small injected interface. `reference` is the oracle for all others. */
export interface Backend {
  /** What it is and uses, such as `wasm fast wide`. */
  readonly name: string;
  /** What was asked for and cannot be used, and why. */
  readonly notes?: readonly string[];
  createStore(): Store;
  /** Throws MemoryError when the plan needs more than there is. */
  compile(program: Program, store: Store): Promise<Executable>;
  /** Ends workers and frees memory. A backend also works without: its workers never keep a process alive. */
  close(): Promise<void>;
}
