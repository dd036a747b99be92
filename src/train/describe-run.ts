import type { HostArray } from "../core/host-array.ts";
import { leavesOf } from "../core/tree.ts";
import { type Checkpoint, checkpointName, type Parent } from "./checkpoints/checkpoint.ts";
import type { RunIdentity } from "./checkpoints/identity.ts";
import type { ProgramSize, SkippedWeights, TrainEvent } from "./events.ts";
import { type Examples, nameOf } from "./examples.ts";
import type { TrainState } from "./programs.ts";
import type { SplitExamples } from "./split-examples.ts";
import type { TrainerOptions } from "./trainer-options.ts";

/** What is known of a run when it starts, beside its options. */
export type Started = {
  readonly state: TrainState;
  readonly split: SplitExamples;
  /** Where the run is recorded. */
  readonly identity: RunIdentity | undefined;
  readonly peakBytes: number;
  readonly programs: readonly ProgramSize[];
  readonly skipped: SkippedWeights | undefined;
};

export function startEvent(options: TrainerOptions, started: Started): TrainEvent {
  const { task, optimizer, train, epochs, seed, augment, sampler, backend, branch } = options;
  const { state, split, identity, peakBytes, programs, skipped } = started;
  const batchSize = Math.min(options.batchSize, split.count);
  const stepsPerEpoch = Math.ceil(split.count / batchSize);
  return {
    type: "start",
    time: Date.now(),
    run: options.name,
    config: {
      model: task.model.config,
      loss: task.loss.config,
      metrics: task.metrics.map(({ name }) => name),
      optimizer: optimizer.config,
      preprocessing: task.preparation,
      ...(augment.length === 0 ? {} : { augment: augment.map(({ config }) => config) }),
      ...(sampler === undefined ? {} : { sampler: sampler.config }),
      data: {
        name: nameOf(train),
        train: split.count,
        ...(train.stream === undefined ? {} : { streamed: true }),
        validation: split.validation?.count ?? 0,
        ...(identity === undefined ? {} : { fingerprint: identity.data.fingerprint }),
      },
      epochs,
      batchSize,
      seed,
      backend: backend.name,
      ...(backend.notes?.length ? { backendNotes: backend.notes } : {}),
    },
    totalSteps: stepsPerEpoch * epochs,
    stepsPerEpoch,
    parameters: leavesOf<HostArray>(state.params).reduce((sum, [, leaf]) => sum + leaf.data.length, 0),
    peakBytes,
    programs,
    ...(skipped === undefined ? {} : { weights: skipped }),
    ...(branch === undefined ? {} : { parent: parentOf(branch) }),
  };
}

/** What a later session must find unchanged, and what it may change. */
export function identityOf(
  { task, optimizer, train, validation, epochs, batchSize, seed, backend, augment, sampler }: TrainerOptions,
  split: SplitExamples,
  dataFingerprint: (examples: Examples) => string,
): RunIdentity {
  const held = split.validation;
  const identity: RunIdentity = {
    task: { model: task.model.config, loss: task.loss.config, preprocessing: task.preparation },
    data: {
      samples: split.count + (held?.examples === train ? held.count : 0),
      fingerprint: dataFingerprint(train),
      ...(typeof validation === "number" ? {} : { validation: dataFingerprint(validation) }),
    },
    order: {
      batchSize,
      seed,
      validation: typeof validation === "number" ? validation : "given",
      metrics: task.metrics.map(({ name }) => name),
      augment: augment.map(({ config }) => config),
      ...(sampler === undefined ? {} : { sampler: sampler.config }),
    },
    free: { epochs, optimizer: optimizer.config, backend: backend.name },
  };
  // As a file gives it back: without what is undefined.
  return JSON.parse(JSON.stringify(identity)) as RunIdentity;
}

export function parentOf({ run, step }: Checkpoint): Parent {
  return { run, step, checkpoint: checkpointName(step) };
}
