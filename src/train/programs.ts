import type { Backend, Store } from "../compile/backend.ts";
import { runFunction } from "../compile/run-function.ts";
import { compileStep, type Inspect, type Step, type StepContext, type StepResult } from "../compile/step.ts";
import type { HostArray } from "../core/host-array.ts";
import { leavesOf, mapTree, unflatten, zipTrees } from "../core/tree.ts";
import type { Augmentation } from "../nn/augment/index.ts";
import type { Tensor } from "../ops/tensor.ts";
import { SKIPPED } from "../optim/skip.ts";
import type { Transform } from "../optim/transform.ts";
import { valueAndGrad } from "../trace/grad.ts";
import { inPhase } from "../trace/trace.ts";
import type { Examples as ExamplesOf } from "../trace/update-context.ts";
import type { Augmenting } from "./augmented.ts";
import { batchAvals, type Examples, type HostTree, prepare, prepareTargets } from "./examples.ts";
import type { Plateaus } from "./plateaus.ts";
import { type Measured, type ModelState, measure, type Task, type TensorTree } from "./task.ts";

export type TrainState = ModelState & { readonly optState: HostTree };

type Traced = { readonly [name: string]: TensorTree };

/** `compileStep` without the types that it would infer: here trees have any form. */
export const compileTrees = compileStep as unknown as (
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
export type MeasuringStep = {
  readonly step: Step<HostTree>;
  readonly shapes: Measured["shapes"];
  /** What the optimizer hands out beside, such as the gradients' norm. */
  readonly ruleMetrics: readonly string[];
};

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
  /** Resident beside the state, and the step picks its batch by index; a stream's batches are fed whole. */
  readonly examples: Examples;
  /** Of the pictures of each batch. */
  readonly augment?: readonly Augmentation[];
  readonly batchSize: number;
  readonly seed: number;
  readonly run: { readonly stepsPerEpoch: number; readonly totalSteps: number };
  readonly onInspect?: Inspect | undefined;
};

/**
 * The whole training step as one program: sample (gather and prepare the batch), forward to loss and metrics, backward to
 * every gradient, update. An update commits only where the loss is finite, or the optimizer skips it. Fed: the batch's indices into the examples, or the batch.
 * Results: see `measure`.
 */
export async function compileTraining(options: TrainingOptions): Promise<MeasuringStep> {
  let shapes: Measured["shapes"] = {};
  const ruleMetrics = new Set<string>();
  const { backend, store, task, optimizer, plateaus, state, examples, augment = [], batchSize, seed, run } = options;
  // Pages that do not augment do not load it.
  const shown: Augmenting =
    augment.length === 0
      ? { apply: (inputs, targets) => [inputs, targets], measure }
      : (await import("./augmented.ts")).augmenting(augment, measure);
  const step = await compileTrees(
    backend,
    (stateTensors, batch, ctx, data) => {
      const { params, buffers, optState } = stateTensors as Record<keyof TrainState, TensorTree>;
      const any = leavesOf<Tensor>(batch as TensorTree)[0]?.[1] as Tensor;
      const [x, y] = inPhase(any, "sample", () => {
        const [picked, targets] = sampled(examples, data, batch);
        const [inputs, labels] = shown.apply(picked, prepareTargets(targets), ctx.key);
        return [prepare(inputs, task.preparation), labels];
      });
      const forward = (p: TensorTree) => {
        const [output, buffersAfter] = task.model.apply(p, buffers, x, { training: true, key: ctx.key });
        return { buffersAfter, measured: shown.measure(task, output, y) };
      };
      const [loss, gradients, { buffersAfter, measured }] = valueAndGrad(
        (p: TensorTree) => {
          const passed = forward(p);
          return [passed.measured.loss, passed];
        },
        { aux: true },
      )(params);
      shapes = measured.shapes;
      return inPhase(any, "update", () => {
        const examples: ExamplesOf = {
          batch: { x, y },
          loss(p, example, index) {
            const { x, y } = example as { readonly x: TensorTree; readonly y: TensorTree };
            const [output] = task.model.apply(p, buffers, x, { training: true, key: ctx.key.fold(index) });
            return shown.measure(task, output, y).loss;
          },
        };
        const inner = ctx.forUpdate(params, loss, (p) => forward(p).measured.loss, examples);
        let skipped: Tensor | undefined;
        const [updates, optStateAfter] = optimizer.update(gradients, optState, {
          ...inner,
          hyper: (name, value, map, every) => inner.hyper(name, plateaus.read(value), map, every),
          metric(name, value) {
            if (name === SKIPPED) {
              skipped = skipped?.maximum(value) ?? value;
              return;
            }
            ruleMetrics.add(name);
            inner.metric(name, value);
          },
        });
        if (skipped !== undefined) {
          ruleMetrics.add(SKIPPED);
          inner.metric(SKIPPED, skipped);
        }
        const next = zipTrees<Tensor, Tensor>((_, p, update) => p.add(update), params, updates);
        // Infinity - Infinity and NaN - NaN are NaN.
        const finite = loss.sub(loss).equal(0);
        const skips = skipped?.greater(0);
        const keep = (old: TensorTree, now: TensorTree): TensorTree =>
          skips === undefined ? now : zipTrees<Tensor, Tensor>((_, a, b) => skips.select(a, b), old, now);
        return {
          state: { params: keep(params, next), buffers: keep(buffers, buffersAfter), optState: optStateAfter },
          metrics: measured.results,
          commit: skips === undefined ? finite : finite.or(skips),
        };
      });
    },
    {
      state: state as HostTree,
      ...fedAndResident(examples, batchSize),
      seed,
      store,
      run,
      ...(options.onInspect ? { onInspect: options.onInspect } : {}),
    },
  );
  return { step, shapes, ruleMetrics: [...ruleMetrics] };
}

/** What a step is fed: a stream's samples, or indices of samples that are resident. */
function fedAndResident(examples: Examples, batchSize: number): { readonly batch: unknown; readonly data?: HostTree } {
  const { inputs, targets, stream, windows } = examples;
  if (stream !== undefined)
    return { batch: { inputs: batchAvals(inputs, batchSize, false), targets: batchAvals(targets, batchSize, false) } };
  return {
    batch: { indices: { dtype: "i32", shape: [batchSize] } },
    data: windows ? { tokens: windows.tokens } : { inputs, targets },
  };
}

/** The batch's inputs and targets, from what `fedAndResident` says. */
function sampled(examples: Examples, data: Traced, batch: Traced): readonly [TensorTree, TensorTree] {
  const { inputs, targets, indices } = batch as { inputs: TensorTree; targets: TensorTree; indices: Tensor };
  if (examples.stream !== undefined) return [inputs, targets];
  return examples.windows ? cut(data, examples, indices) : pick(data, indices);
}

function pick(data: Traced, indices: Tensor): readonly [TensorTree, TensorTree] {
  const { inputs, targets } = data as { inputs: TensorTree; targets: TensorTree };
  const rows = (tree: TensorTree): TensorTree => mapTree<Tensor, Tensor>(tree, (all) => all.gather(indices));
  return [rows(inputs), rows(targets)];
}

/** Windows of the tokens from each start on, and the same one token later. */
function cut(data: Traced, examples: Examples, starts: Tensor): readonly [TensorTree, TensorTree] {
  const { tokens } = data as { tokens: Tensor };
  const block = (examples.inputs as HostArray).shape[1] as number;
  const places = starts.unsqueeze(1).add(starts.iota([starts.shape[0] as number, block], 1));
  return [tokens.gather(places), tokens.gather(places.add(1))];
}

/** The result that counts how many numbers of the weights to evaluate with are not the parameters'. */
export const DIFFERENT = "different";

/** The weights that the optimizer evaluates with, as results `params.<name>`, and how many of their numbers are `different`. */
export function compileEvalParams(options: {
  readonly backend: Backend;
  readonly store: Store;
  readonly optimizer: Transform;
  readonly state: TrainState;
}): Promise<Step<HostTree>> {
  const { backend, store, optimizer, state } = options;
  return compileTrees(
    backend,
    (tensors) => {
      const { params, optState } = tensors as Record<keyof TrainState, TensorTree>;
      const found = optimizer.evalParams?.(params, optState) ?? params;
      const counts = leavesOf<Tensor>(
        zipTrees<Tensor, Tensor>((_, x, y) => x.notEqual(y).cast("f32").sum(), params, found),
      );
      const different = counts.map(([, count]) => count).reduce((sum, count) => sum.add(count));
      return { metrics: { ...Object.fromEntries(leavesOf<Tensor>(found, "params")), [DIFFERENT]: different } };
    },
    { state: { params: state.params, optState: state.optState }, batch: {}, store, onInspect: silent },
  );
}

/**
 * The buffers' plain means over the batches of a pass in training mode, as torch.optim.swa_utils.update_bn: batch n counts 1 / n.
 */
export function compileStatistics(options: {
  readonly backend: Backend;
  readonly store: Store;
  readonly task: Task;
  readonly state: ModelState;
  readonly examples: Examples;
  readonly batchSize: number;
  readonly seed: number;
}): Promise<Step<HostTree>> {
  const { backend, store, task, state, examples, batchSize, seed } = options;
  return compileTrees(
    backend,
    (stateTensors, batch, ctx) => {
      const { params, buffers } = stateTensors as Record<keyof ModelState, TensorTree>;
      const { inputs } = batch as { inputs: TensorTree };
      const statisticsMomentum = ctx.hyper("momentum", { at: (step) => 1 / (step + 1) });
      const x = inPhase(statisticsMomentum, "sample", () => prepare(inputs, task.preparation));
      const [, next] = task.model.apply(params, buffers, x, { training: true, key: ctx.key, statisticsMomentum });
      return { state: { params, buffers: next } };
    },
    {
      state: { params: state.params, buffers: state.buffers },
      batch: { inputs: batchAvals(examples.inputs, batchSize, false) },
      seed,
      store,
      onInspect: silent,
    },
  );
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
  let shapes: Measured["shapes"] = {};
  const step = await compileTrees(
    backend,
    (stateTensors, batch) => {
      const { params, buffers } = stateTensors as Record<keyof ModelState, TensorTree>;
      const { inputs, targets } = batch as { inputs: TensorTree; targets: TensorTree };
      const any = leavesOf<Tensor>(inputs)[0]?.[1] as Tensor;
      const [x, y] = inPhase(any, "sample", () => [prepare(inputs, task.preparation), prepareTargets(targets)]);
      const [output] = task.model.apply(params, buffers, x);
      const measured = measure(task, output, y);
      shapes = measured.shapes;
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
  return { step, shapes, ruleMetrics: [] };
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
