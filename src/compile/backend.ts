import type { Aval, HostData } from "../core/dtype.ts";
import type { HostArray } from "../core/host-array.ts";
import type { Phase, Program } from "../ir/program.ts";

/** Values of a program's `feed` inputs for `steps` steps: for each path, steps x elements, row-major. */
export type Feeds = Readonly<Record<string, HostData>>;

/** `result` outputs of a call: for each path, steps x elements, row-major. */
export type Results = Readonly<Record<string, HostData>>;

export type RunReport = {
  readonly results: Results;
  /** Milliseconds of each phase in the one instrumented step of this call, if there was one. */
  readonly timeByPhase?: Readonly<Record<Phase, number>>;
};

export type RunOptions = {
  /** Instrument the first step of the call: equal bits, times by phase. Default false. */
  readonly timed?: boolean;
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
  readonly name: string;
  createStore(): Store;
  /** Throws MemoryError when the plan needs more than there is. */
  compile(program: Program, store: Store): Promise<Executable>;
  /** Ends workers and frees memory. A backend also works without: its workers never keep a process alive. */
  close(): Promise<void>;
}
