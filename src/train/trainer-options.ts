import type { Backend } from "../compile/backend.ts";
import type { Inspect } from "../compile/step.ts";
import type { Sampler } from "../data/sampler.ts";
import type { Augmentation } from "../nn/augment/index.ts";
import type { OptimizerState, OptimizerStateSource } from "../optim/optimizer-state.ts";
import type { Transform } from "../optim/transform.ts";
import type { Checkpoint } from "./checkpoints/checkpoint.ts";
import type { CheckpointOptions } from "./checkpoints/policy.ts";
import type { Callback, Weights } from "./events.ts";
import type { Examples } from "./examples.ts";
import type { RunSink } from "./run-sink.ts";
import type { Task } from "./task.ts";
import type { RecordedLength } from "./time-budget.ts";

/** What is done after a loss that is not finite: the rate times `rateFactor` each time, at most `times`. */
export type Rollback = { readonly rateFactor: number; readonly times: number };

/** `fit`'s options without their types, checked and complete. */
export type TrainerOptions = {
  readonly backend: Backend;
  readonly task: Task;
  readonly optimizer: Transform;
  readonly train: Examples;
  readonly validation: number | Examples;
  readonly epochs: number;
  readonly batchSize: number;
  readonly seed: number;
  readonly name: string;
  readonly callbacks: readonly Callback[];
  readonly signal: AbortSignal | undefined;
  readonly sink: RunSink | undefined;
  readonly onInspect: Inspect | undefined;
  readonly weights: Weights | undefined;
  readonly strict: boolean;
  readonly optimizerState: OptimizerState | OptimizerStateSource | undefined;
  readonly sampler: Sampler | undefined;
  readonly augment: readonly Augmentation[];
  readonly checkpoint: CheckpointOptions | undefined;
  /** Another run's checkpoint to go on from. */
  readonly branch: Checkpoint | undefined;
  readonly maxTimeMs: number | undefined;
  readonly length: RecordedLength | undefined;
  readonly stopAt: number | undefined;
  readonly rollback: Rollback | undefined;
};
