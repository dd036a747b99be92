import type { Ceilings } from "../../backends/wasm/ceilings.ts";
import type { Backend, Feeds } from "../../compile/backend.ts";
import { sizeOf } from "../../core/dtype.ts";
import { OptionError } from "../../core/errors.ts";
import type { HostArray } from "../../core/host-array.ts";
import { leavesOf } from "../../core/tree.ts";
import { epochOrder } from "../../data/order.ts";
import type { Layer, TensorsOf } from "../../nn/layer.ts";
import { type Model, model as modelOf } from "../../nn/model.ts";
import type { TensorTree } from "../../optim/transform.ts";
import { countOf, type HostTree, preparationOf } from "../examples.ts";
import type { FitOptions } from "../fit.ts";
import { Plateaus } from "../plateaus.ts";
import { compileTraining, initOptimizer } from "../programs.ts";
import { type AnyModel, initModel, type Task } from "../task.ts";
import { measureStep, type Profile } from "./measure.ts";

export type ProfileOptions<X extends HostTree, Y extends HostTree, Out extends TensorTree> = Pick<
  FitOptions<X, Y, Out>,
  "train" | "loss" | "optimizer" | "metrics" | "batchSize" | "seed"
> & {
  /** Samples that are taken each way: calls of a step, or of several short ones. Default: as many as take about two seconds, at least 5. */
  readonly steps?: number;
};

/**
 * Times each kernel of one training step of a model, and says what it could be at best on this machine: the step that `fit`
 * compiles for these options, with the data resident. Kernels and the plain step count at their fastest.
 *
 * Errors: those of `fit` for its options; OptionError for `steps` below 1.
 *
 * @example
 * const { kernels, stepMs } = await profile(nn.cnn({ classes: 10 }), {
 *   train, batchSize: 128, loss: nn.crossEntropy(), optimizer: optim.adam(),
 * });
 * kernels.reduce((most, kernel) => (kernel.ms > most.ms ? kernel : most)).name // -> "conv2d 43.products"
 */
export type ProfileFunction<B> = <X extends HostTree, Y extends HostTree, Out extends TensorTree>(
  model: Layer<TensorsOf<X> & TensorTree, Out> | Model<TensorsOf<X> & TensorTree, Out>,
  options: ProfileOptions<X, Y, Out> & B,
) => Promise<Profile>;

/** `profile` on backends of this making, whose ceilings are measured by `ceilingsOf`. */
export function profileWith<B>(
  makeBackend: (options: B) => Backend,
  ceilingsOf: (options: B, footprint: number) => Promise<Ceilings>,
): ProfileFunction<B> {
  return async (layer, options) => {
    const { train, batchSize = 32, seed = 0, steps } = options;
    for (const [name, value, least] of [
      ["batchSize", batchSize, 1],
      ["steps", steps ?? 1, 1],
      ["seed", seed, 0],
    ] as const)
      if (!Number.isSafeInteger(value) || value < least)
        throw new OptionError(`profile: got ${name} ${value}; expected a whole number of at least ${least}.`, name);
    if (train.stream !== undefined)
      throw new OptionError("profile: got a stream; expected data in memory. Hint: a part of it will do.", "train");
    const samples = countOf(train);
    const size = Math.min(batchSize, samples);
    const model = modelOf(layer) as unknown as AnyModel;
    const task: Task = {
      model,
      loss: options.loss as unknown as Task["loss"],
      metrics: (options.metrics ?? []) as unknown as Task["metrics"],
      preparation: preparationOf(train),
    };
    const { params, buffers } = initModel(model, train, size, seed);
    const backend = makeBackend(options);
    try {
      const store = backend.createStore();
      const optState = (await initOptimizer(backend, options.optimizer, params)) as HostTree;
      const plateaus = new Plateaus();
      const stepsPerEpoch = Math.ceil(samples / size);
      const run = { stepsPerEpoch, totalSteps: stepsPerEpoch };
      const { step } = await compileTraining({
        backend,
        store,
        task,
        optimizer: options.optimizer,
        plateaus,
        state: { params, buffers, optState },
        examples: train,
        batchSize: size,
        seed,
        run,
        onInspect: () => {},
      });
      plateaus.begin(run, false);
      const order =
        train.windows?.starts(seed, 0) ??
        epochOrder(
          seed,
          0,
          Int32Array.from({ length: samples }, (_, i) => i),
        );
      const state = store.paths.filter((path) => path.startsWith("state."));
      const stateBytes = state.reduce((sum, path) => sum + 4 * sizeOf(store.avalOf(path).shape), 0);
      const ceilings = await ceilingsOf(options, step.executable.peakBytes + stateBytes);
      const measured = await measureStep(step, batchesOf(order, size), { ceilings, steps });
      const parameters = leavesOf<HostArray>(params).reduce((sum, [, { data }]) => sum + data.length, 0);
      return { backend: backend.name, notes: backend.notes ?? [], parameters, ...measured };
    } finally {
      await backend.close();
    }
  };
}

/** Batch after batch of an order that begins again at its end. */
function batchesOf(order: Int32Array, size: number): (steps: number) => Feeds {
  let at = 0;
  return (steps) => {
    const indices = Int32Array.from({ length: steps * size }, (_, i) => order[(at + i) % order.length] as number);
    at = (at + steps * size) % order.length;
    return { "batch.indices": indices };
  };
}
