import type { Executable, Store } from "../compile/backend.ts";
import { sizeOf } from "../core/dtype.ts";
import { EvaluationWeights } from "./evaluation-weights.ts";
import { Evaluator } from "./evaluator.ts";
import type { ProgramSize } from "./events.ts";
import type { Plateaus } from "./plateaus.ts";
import { compileTraining, type MeasuringStep, type TrainState } from "./programs.ts";
import type { SplitExamples } from "./split-examples.ts";
import { sampleOf, TrainedModel } from "./trained-model.ts";
import type { TrainerOptions } from "./trainer-options.ts";

/** All that is compiled for a run, before its first step. */
export type RunPrograms = {
  /** Of a full batch. */
  readonly full: MeasuringStep;
  /** Of an epoch's last batch, where it is shorter. */
  readonly tail: MeasuringStep | undefined;
  readonly evaluated: EvaluationWeights;
  readonly evaluator: Evaluator;
  readonly trained: TrainedModel;
  readonly sizes: readonly ProgramSize[];
  /** Bytes of all programs' arenas together with what lives in the store. */
  readonly peakBytes: number;
};

export type RunProgramsOptions = {
  readonly options: TrainerOptions;
  readonly store: Store;
  readonly plateaus: Plateaus;
  readonly state: TrainState;
  readonly split: SplitExamples;
  /** What schedules take for the run's length. */
  readonly length: { readonly stepsPerEpoch: number; readonly totalSteps: number };
  /** Names what a program runs, where that is recorded. */
  readonly kernelsOf: ((executable: Executable) => string) | undefined;
};

export async function compileRun(given: RunProgramsOptions): Promise<RunPrograms> {
  const { options, store, plateaus, state, split, length: run, kernelsOf } = given;
  const { backend, task, optimizer, train, batchSize, seed, augment, onInspect } = options;
  const samples = split.count;
  const size = Math.min(batchSize, samples);
  const sizes: ProgramSize[] = [];
  const compiled = async (
    name: ProgramSize["name"],
    length: number,
    make: () => Promise<MeasuringStep>,
  ): Promise<MeasuringStep> => {
    const began = performance.now();
    const program = await make();
    const { executable } = program.step;
    const equations = executable.program.equations.length;
    const timeMs = performance.now() - began;
    const { peakBytes } = executable;
    const kernels = kernelsOf === undefined ? {} : { kernels: kernelsOf(executable) };
    sizes.push({ name, batchSize: length, equations, peakBytes, ...kernels, timeMs });
    return program;
  };
  const training = (length: number): Promise<MeasuringStep> =>
    compiled("train", length, () =>
      compileTraining({
        ...{ backend, store, task, optimizer, plateaus, state, augment, seed, run, onInspect },
        examples: train,
        batchSize: length,
      }),
    );
  const rest = samples % size;
  const full = await training(size);
  const tail = rest === 0 ? undefined : await training(rest);
  plateaus.begin(run, split.validation !== undefined);
  const maxBatch = Math.max(32, Math.min(256, 2 * size));
  const source = { train, indices: split.train, samples, batchSize: size };
  const evaluated = new EvaluationWeights({ backend, training: store, optimizer, task, state, seed, source });
  const evaluator = new Evaluator({ backend, store: evaluated.store, task, state, maxBatch });
  const held = split.validation;
  if (held !== undefined)
    for (const length of evaluator.batchLengths(held.count))
      await compiled("evaluate", length, () => evaluator.program(held.examples, length));
  const { classes, tokenizer, pictures, table } = train;
  const sample = sampleOf(train.inputs);
  const trained = new TrainedModel(
    { backend, store: evaluated.store, task, state, sample, classes, tokenizer, pictures, table, maxBatch },
    evaluator,
  );
  const resident = store.paths.reduce((sum, path) => {
    const { dtype, shape } = store.avalOf(path);
    return sum + sizeOf(shape) * (dtype === "u8" || dtype === "bool" ? 1 : 4);
  }, 0);
  const peakBytes = sizes.reduce((sum, program) => sum + program.peakBytes, resident);
  return { full, tail, evaluated, evaluator, trained, sizes, peakBytes };
}
