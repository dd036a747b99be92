import type { HostArray } from "../core/host-array.ts";
import type { Phase } from "../ir/program.ts";
import type { HostTree } from "./examples.ts";

export type Metrics = Readonly<Record<string, number>>;

/** Parameters and buffers by their names in PyTorch's `state_dict`. */
export type Weights = Readonly<Record<string, HostArray>>;

export type SkippedWeights = Readonly<Record<"missing" | "unexpected" | "mismatched", readonly string[]>>;

/** A compiled program: its batch, its equations before the compiler's work, its arena, and what tracing and compiling took. */
export type ProgramSize = {
  readonly name: "train" | "evaluate";
  readonly batchSize: number;
  readonly equations: number;
  readonly peakBytes: number;
  /** 64 bits over the text of its kernels, where the run is recorded: equal for equal kernels, whatever the number of threads. */
  readonly kernels?: string;
  readonly timeMs: number;
};

/** What callbacks receive, the run's log stores one JSON line each, and tests replay. Fields named `time*` are wall clock; all others repeat exactly. */
export type TrainEvent =
  | {
      readonly type: "start";
      readonly time: number;
      readonly run: string;
      readonly config: unknown;
      readonly totalSteps: number;
      readonly stepsPerEpoch: number;
      readonly parameters: number;
      /** Programs, state and data together. */
      readonly peakBytes: number;
      readonly programs: readonly ProgramSize[];
      /** Where the run began with given weights: names that they lack, have too many or of another type. */
      readonly weights?: SkippedWeights;
      /** Where the run was branched off. */
      readonly parent?: { readonly run: string; readonly step: number; readonly checkpoint: string };
    }
  /** `step` counts finished steps from 1; metrics are of that step's mini-batch. `rate` is NaN where the optimizer has none. `timeMs` is the mean time of a step in its call. */
  | {
      readonly type: "step";
      readonly step: number;
      readonly epoch: number;
      readonly rate: number;
      readonly metrics: Metrics;
      readonly timeMs: number;
    }
  /** Sampled: one step in 64 is instrumented; the split is scaled to the epoch's time. */
  | {
      readonly type: "epoch";
      readonly epoch: number;
      readonly step: number;
      readonly rate: number;
      readonly train: Metrics;
      readonly validation: Metrics;
      readonly timeMs: number;
      readonly timeByPhase: Readonly<Record<Phase, number>>;
      readonly samplesPerEpoch: number;
    }
  | { readonly type: "intervention"; readonly step: number; readonly hyper: string; readonly value: number | null }
  /** A checkpoint that the steps or epochs asked for; those that the clock or a signal asked for are not events, so that logs repeat. */
  | { readonly type: "checkpoint"; readonly step: number; readonly epoch: number; readonly file: string }
  /** After a loss that was not finite: training went back to the end of step `to`, with the rate times `rateFactor`. */
  | {
      readonly type: "rollback";
      readonly step: number;
      readonly to: number;
      readonly rateFactor: number;
      readonly text: string;
    }
  /** To callbacks alone, after `start` and after their state was loaded: training goes on after `step`. `damaged`: newer checkpoints that could not be read, and why. */
  | {
      readonly type: "resume";
      readonly step: number;
      readonly epoch: number;
      readonly file: string | undefined;
      readonly damaged: readonly string[];
      readonly timeSpentMs: number;
    }
  | {
      readonly type: "finding";
      readonly step: number;
      readonly severity: "info" | "warning" | "error";
      readonly text: string;
      readonly evidence: unknown;
    }
  | { readonly type: "test"; readonly metrics: Metrics; readonly timeMs: number }
  | {
      readonly type: "end";
      readonly reason: "done" | "stopped" | "failed";
      readonly step: number;
      readonly error?: string;
      readonly timeMs: number;
    };

export interface Control {
  stop(reason: string): void;
  /** Sets a hyperparameter from the next call on; null hands it back to its schedule. */
  setHyper(name: string, value: number | null): void;
  /** A copy of the weights as they are now. */
  weights(): Promise<Weights>;
  /** What the model gives for a batch, or for one sample, with its weights as they are now and in evaluation mode. */
  outputs(inputs: HostTree): Promise<HostTree>;
  /** Replaces all weights; throws OptionError where a name is missing or unknown, ShapeError where a shape differs. */
  setWeights(weights: Weights): void;
}

export interface Callback<S = unknown> {
  readonly name: string;
  on(event: TrainEvent, control: Control): void | Promise<void>;
  /** State that resume must restore, e.g. early stopping's patience. */
  save?(): S;
  load?(state: S): void;
}
