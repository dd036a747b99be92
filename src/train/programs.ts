import type { Backend, Store } from "../compile/backend.ts";
import { runFunction } from "../compile/run-function.ts";
import { compileStep, type Inspect, type Step, type StepContext, type StepResult } from "../compile/step.ts";
import type { HostArray } from "../core/host-array.ts";
import { leavesOf, mapTree, unflatten, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import type { Transform } from "../optim/transform.ts";
import { valueAndGrad } from "../trace/grad.ts";
import { inPhase } from "../trace/trace.ts";
import { batchAvals, type Examples, type HostTree, prepare, prepareTargets } from "./examples.ts";
import type { Plateaus } from "./plateaus.ts";
import { type Measured, type ModelState, measure, type Task, type TensorTree } from "./task.ts";

export type TrainState = ModelState & { readonly optState: HostTree };

type Traced = { readonly [name: string]: TensorTree };

/** `compileStep` without the types that it would infer: here trees have any form. */
const compileTrees = compileStep as unknown as (
  backend: Backend,
  fn: (state: Traced, batch: Traced, ctx: StepContext, data: Traced) => StepResult,
  options: {
    readonly state: HostTree;
    readonly batch: unknown;
    readonly data?: HostTree;
    readonly seed?: number;
    readonly store: Store;
    readonly run?: TrainingOptions["run"];
    readonly onInspect?: Inspect;
  },
) => Promise<Step<HostTree>>;

/** A compiled program that measures, and what the host needs to add its batches up. */
export type MeasuringStep = { readonly step: Step<HostTree>; readonly counts: Measured["counts"] };

/** The same tree with a host array in each tensor's place. */
export type HostsOf<T> = [TensorTree] extends [T]
  ? HostTree
  : T extends Tensor
    ? HostArray
    : { readonly [K in keyof T]: HostsOf<T[K]> };

/** The optimizer's first state for these parameters. */
export async function initOptimizer<S extends TensorTree>(
  backend: Backend,
  optimizer: Transform<S>,
  params: HostTree,
): Promise<HostsOf<S>> {
  const leaves = leavesOf<HostArray>(params).map(([, leaf]) => leaf);
  let form: TensorTree = {};
  const values = await runFunction(
    backend,
    (...tensors) => {
      form = optimizer.init(unflatten<HostArray, Tensor>(params, tensors));
      return leavesOf<Tensor>(form).map(([, leaf]) => leaf);
    },
    leaves,
  );
  return unflatten<Tensor, HostArray>(form, values) as HostsOf<S>;
}

export type TrainingOptions = {
  readonly backend: Backend;
  readonly store: Store;
  readonly task: Task;
  readonly optimizer: Transform;
  readonly plateaus: Plateaus;
  readonly state: TrainState;
  /** Resident beside the state; the step picks its batch by index. */
  readonly examples: Examples;
  readonly batchSize: number;
  readonly seed: number;
  readonly run: { readonly stepsPerEpoch: number; readonly totalSteps: number };
  readonly onInspect?: Inspect | undefined;
};

/**
 * The whole training step as one program: sample (gather and prepare the batch), forward to loss and metrics, backward to
 * every gradient, update. An update commits only where the loss is finite. Fed: the batch's indices into the examples.
 * Results: see `measure`.
 */
export async function compileTraining(options: TrainingOptions): Promise<MeasuringStep> {
  let counts: Measured["counts"] = {};
  const { backend, store, task, optimizer, plateaus, state, examples, batchSize, seed, run } = options;
  const step = await compileTrees(
    backend,
    (stateTensors, batch, ctx, data) => {
      const { params, buffers, optState } = stateTensors as Record<keyof TrainState, TensorTree>;
      const { inputs, targets } = data as { inputs: TensorTree; targets: TensorTree };
      const { indices } = batch as { indices: Tensor };
      const pick = (tree: TensorTree): TensorTree => mapTree<Tensor, Tensor>(tree, (all) => all.gather(indices));
      const [x, y] = inPhase(indices, "sample", () => [
        prepare(pick(inputs), task.preparation),
        prepareTargets(pick(targets)),
      ]);
      const [loss, gradients, { buffersAfter, measured }] = valueAndGrad(
        (p: TensorTree) => {
          const [output, buffersAfter] = task.model.apply(p, buffers, x, { training: true, key: ctx.key });
          const measured = measure(task, output, y);
          return [measured.loss, { buffersAfter, measured }];
        },
        { aux: true },
      )(params);
      counts = measured.counts;
      return inPhase(indices, "update", () => {
        const [updates, optStateAfter] = optimizer.update(gradients, optState, {
          ...ctx.forUpdate(params, loss),
          hyper: (name, value, map) => ctx.hyper(name, plateaus.read(value), map),
        });
        const next = zipTrees<Tensor, Tensor>((_, p, update) => p.add(update), params, updates);
        return {
          state: { params: next, buffers: buffersAfter, optState: optStateAfter },
          metrics: measured.results,
          // Infinity - Infinity and NaN - NaN are NaN.
          commit: loss.sub(loss).equal(0),
        };
      });
    },
    {
      state: state as HostTree,
      batch: { indices: { dtype: "i32", shape: [batchSize] } },
      data: { inputs: examples.inputs, targets: examples.targets },
      seed,
      store,
      run,
      ...(options.onInspect ? { onInspect: options.onInspect } : {}),
    },
  );
  return { step, counts };
}

/** What is marked with `print` is shown while training only. */
const silent: Inspect = () => {};

/** Loss and metric sums of a batch that is fed whole, with the model in evaluation mode. Changes nothing. */
export async function compileEvaluation(options: {
  readonly backend: Backend;
  readonly store: Store;
  readonly task: Task;
  readonly state: ModelState;
  readonly examples: Examples;
  readonly batchSize: number;
}): Promise<MeasuringStep> {
  const { backend, store, task, state, examples, batchSize } = options;
  let counts: Measured["counts"] = {};
  const step = await compileTrees(
    backend,
    (stateTensors, batch) => {
      const { params, buffers } = stateTensors as Record<keyof ModelState, TensorTree>;
      const { inputs, targets } = batch as { inputs: TensorTree; targets: TensorTree };
      const any = leavesOf<Tensor>(inputs)[0]?.[1] as Tensor;
      const [x, y] = inPhase(any, "sample", () => [prepare(inputs, task.preparation), prepareTargets(targets)]);
      const [output] = task.model.apply(params, buffers, x);
      const measured = measure(task, output, y);
      counts = measured.counts;
      return { metrics: measured.results };
    },
    {
      state: { params: state.params, buffers: state.buffers },
      batch: {
        inputs: batchAvals(examples.inputs, batchSize, false),
        targets: batchAvals(examples.targets, batchSize, false),
      },
      store,
      onInspect: silent,
    },
  );
  return { step, counts };
}

/** The model's outputs for a batch that is fed whole: results `output`, or `output.<path>` where there are several. */
export function compileOutputs(options: {
  readonly backend: Backend;
  readonly store: Store;
  readonly task: Pick<Task, "model" | "preparation">;
  readonly state: ModelState;
  readonly inputs: HostTree;
  readonly batchSize: number;
  /** What is computed from the model's output before it is handed out, e.g. softmax. */
  readonly finish?: (output: TensorTree) => TensorTree;
}): Promise<Step<HostTree>> {
  const { backend, store, task, state, inputs: like, batchSize, finish } = options;
  return compileTrees(
    backend,
    (stateTensors, batch) => {
      const { params, buffers } = stateTensors as Record<keyof ModelState, TensorTree>;
      const { inputs } = batch as { inputs: TensorTree };
      const any = leavesOf<Tensor>(inputs)[0]?.[1] as Tensor;
      const x = inPhase(any, "sample", () => prepare(inputs, task.preparation));
      const [output] = task.model.apply(params, buffers, x);
      return { metrics: Object.fromEntries(leavesOf<Tensor>(finish ? finish(output) : output, "output")) };
    },
    {
      state: { params: state.params, buffers: state.buffers },
      batch: { inputs: batchAvals(like, batchSize, false) },
      store,
      onInspect: silent,
    },
  );
}
