import type { Backend } from "../compile/backend.ts";
import type { Inspect } from "../compile/step.ts";
import { formatAval } from "../core/dtype.ts";
import { OptionError } from "../core/errors.ts";
import { HostArray } from "../core/host-array.ts";
import type { Sampler } from "../data/sampler.ts";
import type { Augmentation } from "../nn/augment/index.ts";
import type { Layer, TensorsOf } from "../nn/layer.ts";
import type { Loss } from "../nn/losses/loss.ts";
import type { Metric } from "../nn/metrics/metric.ts";
import { type Model, model as modelOf } from "../nn/model.ts";
import type { OptimizerState, OptimizerStateSource } from "../optim/optimizer-state.ts";
import type { TensorTree, Transform } from "../optim/transform.ts";
import type { Checkpoint } from "./checkpoints/checkpoint.ts";
import type { CheckpointOptions } from "./checkpoints/policy.ts";
import type { Callback, Metrics, Weights } from "./events.ts";
import { countOf, type Examples, type HostTree, preparationOf } from "./examples.ts";
import type { RunSink } from "./run-sink.ts";
import type { AnyModel, Task } from "./task.ts";
import type { RecordedLength } from "./time-budget.ts";
import type { TrainedModel } from "./trained-model.ts";
import { type EpochEvent, Trainer } from "./trainer.ts";
import type { Rollback, TrainerOptions } from "./trainer-options.ts";

export type FitOptions<X extends HostTree, Y extends HostTree, Out extends TensorTree> = {
  /**
   * A data set, or arrays of your own: `{ inputs, targets }`, each an array or a record of arrays. What does not fit into memory
   * comes from a stream: `streamDataset`.
   */
  readonly train: Examples<X, Y>;
  /** Held out of the training samples: a count, or a share below 1; or a data set of its own. Default 0: none. */
  readonly validation?: number | Examples<X, Y>;
  readonly epochs: number;
  /** Samples per update. The last batch of an epoch may be shorter. Default 32. */
  readonly batchSize?: number;
  /** Decides first weights, held-out samples, order and dropout: the same seed gives the same run. Default 0. */
  readonly seed?: number;
  /**
   * Arrays to start from, by PyTorch's names: a state dict, or another run's `weights()`. Default: first values drawn from
   * the seed.
   */
  readonly weights?: Weights;
  /** Whether `weights` must fit the model exactly; if not, the start event says what was left out. Default true. */
  readonly strict?: boolean;
  /**
   * What the optimizer remembers from before: another run's `optimizerState()`, or `decodeTorchOptimizer` of PyTorch's. Default:
   * nothing. Schedules begin anew.
   */
  readonly optimizerState?: OptimizerState | OptimizerStateSource;
  readonly loss: Loss<Out, TensorsOf<Y>>;
  readonly optimizer: Transform;
  /** Reported beside the loss. Default none; `nn.accuracy()` for a classifier. */
  readonly metrics?: readonly Metric<NoInfer<Out>, NoInfer<TensorsOf<Y>>>[];
  readonly callbacks?: readonly Callback[];
  /** Aborting ends training after the call that runs, at most about 50 ms later. What was trained is kept and returned. */
  readonly signal?: AbortSignal;
  /** Stands in the run's record. Default "run". */
  readonly name?: string;
  /** Where events and weights are written. Default: nowhere. */
  readonly sink?: RunSink;
  /** Chooses and orders the samples of each epoch, such as `balancedSampler(train)`. Default: all of them, shuffled. */
  readonly sampler?: Sampler;
  /**
   * What is done at random to the pictures of each training batch, in this order and before preprocessing, such as
   * `[augment.flip(), augment.crop(4)]`. Not to those that are evaluated. Default none.
   */
  readonly augment?: readonly Augmentation[];
  /** When checkpoints are written and which are kept, where the sink keeps any. */
  readonly checkpoint?: CheckpointOptions;
  /**
   * A checkpoint to go on from as a new run, with other hyperparameters if you like; of the same model and data. At an
   * epoch's end the batch size, the seed and what is held out may change too.
   */
  readonly branch?: Checkpoint;
  /** Milliseconds that training may take; `epochs` is then the schedule's idea of the run's length, fitted to the time. Default: no limit. */
  readonly maxTimeMs?: number;
  /** How a run with `maxTimeMs` was fitted to its time, to repeat it without the clock. */
  readonly length?: RecordedLength;
  /** Stop after this update, as the signal does: a later session goes on from there. */
  readonly stopAt?: number;
  /**
   * After a loss that is not finite, go back to the end of the last epoch (or to the start) and on with a lower rate, instead
   * of failing. Default: no; `{}` halves the rate, up to three times.
   */
  readonly rollback?: Partial<Rollback>;
  /** Receives what `tensor.print(label)` marks, after each step. Default: the console. */
  readonly onInspect?: Inspect;
  /** What runs the compiled step. Default: WebAssembly. */
  readonly backend?: Backend;
};

/** What a training gave: the trained model and its history. */
export interface Run<X extends HostTree = HostTree, Y extends HostTree = HostTree>
  extends Pick<
    TrainedModel<X, Y>,
    | "classes"
    | "tokenizer"
    | "table"
    | "sample"
    | "evaluate"
    | "measure"
    | "predict"
    | "outputs"
    | "weights"
    | "setWeights"
    | "toBytes"
    | "withParts"
    | "close"
  > {
  /** One event for each finished epoch. */
  readonly history: readonly EpochEvent[];
  /** "done" after all epochs, "stopped" by the signal, a callback or the end of iteration. */
  readonly reason: "done" | "stopped";
  /** Why it was stopped. */
  readonly stopReason: string | undefined;
  /** Where the run was saved, if it was. */
  readonly place: string | undefined;
  /** Bytes that training took: programs, state and data. */
  readonly peakBytes: number;
  /** What the optimizer remembers: to go on from with `fit`'s `optimizerState`, or in PyTorch (`encodeTorchOptimizer`). */
  optimizerState(): Promise<OptimizerState>;
  /** `evaluate`, recorded in the run as its test result. */
  test(examples: Examples<X, Y>): Promise<Metrics>;
}

/** A training under way: await it for its run, or iterate over its epochs (training waits for you; leaving the loop stops it). */
export interface Fit<X extends HostTree = HostTree, Y extends HostTree = HostTree>
  extends PromiseLike<Run<X, Y>>,
    AsyncIterable<EpochEvent, Run<X, Y>> {}

/** Makes the backend where `fit` is given none. */
export type MakeBackend<B> = (options: B) => Backend | Promise<Backend>;

/**
 * Trains a model: sample, forward, backward and update, compiled as one program, for `epochs` passes over the data.
 *
 * Each epoch ends with the evaluation of the validation data, then callbacks. Errors: OptionError, ShapeError (naming the
 * layer) and DataError before the first step; NonFiniteLossError, which carries the last good weights; MemoryError where
 * the step needs more than there is. What is wrong with the options is found before anything is compiled.
 *
 * @example
 * const run = await fit(nn.sequential(nn.linear(16), nn.relu(), nn.linear(2)), {
 *   train, validation: 0.1, epochs: 10, batchSize: 32, seed: 1,
 *   loss: nn.crossEntropy(), metrics: [nn.accuracy()], optimizer: optim.adam(0.01),
 * });
 * run.history.at(-1)?.validation // -> { loss: 0.11, accuracy: 0.96 }
 */
export type FitFunction<B = unknown> = <X extends HostTree, Y extends HostTree, Out extends TensorTree>(
  model: Layer<TensorsOf<X> & TensorTree, Out> | Model<TensorsOf<X> & TensorTree, Out>,
  options: FitOptions<X, Y, Out> & B,
) => Fit<X, Y>;

/** `fit` with what makes a backend where none is given; `B` are that function's options, which `fit` then takes too. */
export function fitWith<B>(makeBackend: MakeBackend<B>): FitFunction<B> {
  return (model, options) => {
    const layer = modelOf(model) as unknown as AnyModel;
    const settings = check(options as unknown as FitOptions<HostTree, HostTree, TensorTree>);
    const task: Task = {
      model: layer,
      loss: options.loss as unknown as Task["loss"],
      metrics: (options.metrics ?? []) as unknown as Task["metrics"],
      preparation: preparationOf(options.train),
    };
    return new Training(async () => {
      const backend = options.backend ?? (await makeBackend(options));
      return { ...settings, backend, task };
    }, options.backend === undefined) as Fit<never, never>;
  };
}

/** Refuses options out of range, before anything is built. */
function check(options: FitOptions<HostTree, HostTree, TensorTree>): Omit<TrainerOptions, "backend" | "task"> {
  const { train, validation = 0, epochs, batchSize = 32, seed = 0, name = "run" } = options;
  const whole = (option: string, value: number, min: number): void => {
    if (!Number.isSafeInteger(value) || value < min)
      throw new OptionError(`fit: got ${option} ${value}; expected a whole number of at least ${min}.`, option);
  };
  whole("epochs", epochs, 1);
  whole("batchSize", batchSize, 1);
  whole("seed", seed, 0);
  const names = ["loss", ...(options.metrics ?? []).map((metric) => metric.name)];
  const twice = names.find((each, i) => names.indexOf(each) !== i);
  if (twice !== undefined)
    throw new OptionError(
      `fit: got two metrics called ${twice}; expected names of their own. Hint: nn.metrics.on(metric, { name }).`,
      "metrics",
    );
  countOf(train);
  if (typeof validation !== "number") countOf(validation);
  const { maxTimeMs, rollback, callbacks = [] } = options;
  if (options.augment?.length) checkPictures(train);
  if (options.sampler !== undefined && (train.stream ?? train.windows) !== undefined)
    throw new OptionError(
      `fit: got a sampler for ${train.stream ? "a stream" : "windows of a text"}; expected data in memory. Hint: a stream has an order of its own, streamOf(data, sampler) that of a sampler.`,
      "sampler",
    );
  if (maxTimeMs !== undefined && !(maxTimeMs > 0))
    throw new OptionError(`fit: got maxTimeMs ${maxTimeMs}; expected a number above 0.`, "maxTimeMs");
  if (rollback?.rateFactor !== undefined && !(rollback.rateFactor > 0 && rollback.rateFactor <= 1))
    throw new OptionError(
      `fit: got a rollback's rateFactor ${rollback.rateFactor}; expected a number above 0 and at most 1.`,
      "rollback",
    );
  if (options.stopAt !== undefined) whole("stopAt", options.stopAt, 0);
  if (rollback?.times !== undefined) whole("rollback.times", rollback.times, 1);
  return {
    train,
    validation,
    epochs,
    batchSize,
    seed,
    name,
    callbacks,
    optimizer: options.optimizer,
    signal: options.signal,
    sink: options.sink,
    onInspect: options.onInspect,
    weights: options.weights,
    strict: options.strict ?? true,
    optimizerState: options.optimizerState,
    sampler: options.sampler,
    augment: options.augment ?? [],
    checkpoint: options.checkpoint,
    branch: options.branch,
    maxTimeMs: options.maxTimeMs,
    length: options.length,
    stopAt: options.stopAt,
    rollback: options.rollback === undefined ? undefined : { rateFactor: 0.5, times: 3, ...options.rollback },
  };
}

function checkPictures({ inputs }: Examples): void {
  const { shape } = inputs instanceof HostArray ? inputs : { shape: [] };
  if (shape.length === 3 || shape.length === 4) return;
  const got = inputs instanceof HostArray ? formatAval(inputs.aval) : "a record of inputs";
  throw new OptionError(`fit: got augment with ${got}; expected pictures [N, C, H, W] or [N, H, W].`, "augment");
}

/** Starts in the next microtask, so that whoever iterates is known by then. */
class Training implements Fit<HostTree, HostTree> {
  private readonly result: Promise<Run>;
  private readonly stopper: { stop: boolean } = { stop: false };
  private channel: EpochChannel | undefined;

  constructor(options: () => Promise<TrainerOptions>, ownsBackend: boolean) {
    this.result = this.run(options, ownsBackend);
  }

  private async run(prepare: () => Promise<TrainerOptions>, ownsBackend: boolean): Promise<Run> {
    await Promise.resolve();
    let place: () => string | undefined = () => undefined;
    let own: Backend | undefined;
    try {
      const options = await prepare();
      if (ownsBackend) own = options.backend;
      place = () => options.sink?.place;
      const trainer = new Trainer(options);
      const reason = await trainer.run(async (event) => {
        await this.channel?.hand(event);
        if (this.stopper.stop) trainer.interrupt("the loop over its epochs was left");
      });
      const { model } = trainer;
      return {
        history: trainer.history,
        reason,
        stopReason: trainer.stopReason,
        peakBytes: trainer.peakBytes,
        classes: model.classes,
        tokenizer: model.tokenizer,
        table: model.table,
        sample: model.sample,
        get place() {
          return place();
        },
        evaluate: (examples) => model.evaluate(examples),
        measure: (examples, metrics) => model.measure(examples, metrics),
        optimizerState: () => trainer.optimizerState(),
        test: (examples) => trainer.test(examples),
        predict: (inputs) => model.predict(inputs),
        outputs: (inputs) => model.outputs(inputs),
        weights: () => model.weights(),
        setWeights: (weights) => model.setWeights(weights),
        toBytes: () => model.toBytes(),
        withParts: (use) => model.withParts(use),
        close: () => model.close(),
      };
    } catch (error) {
      // Nobody else holds it, and in a browser its workers would stay as long as the page.
      await own?.close();
      throw error;
    } finally {
      this.channel?.close();
    }
  }

  // biome-ignore lint/suspicious/noThenProperty: awaiting a training is what it is for
  then<A = Run, B = never>(
    onDone?: ((run: Run) => A | PromiseLike<A>) | null,
    onFail?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): PromiseLike<A | B> {
    return this.result.then(onDone, onFail);
  }

  [Symbol.asyncIterator](): AsyncIterator<EpochEvent, Run> {
    if (this.channel !== undefined)
      throw new OptionError("fit: got a second loop over one training; expected one.", "fit");
    const channel = new EpochChannel();
    this.channel = channel;
    return {
      next: async () => {
        const event = await channel.take();
        if (event !== undefined) return { value: event, done: false };
        return { value: await this.result, done: true };
      },
      return: async () => {
        this.stopper.stop = true;
        channel.close();
        return { value: await this.result, done: true };
      },
    };
  }
}

/** Hands epochs from the training to a loop, one at a time: the training goes on when the loop asks for the next. */
class EpochChannel {
  private waiting: EpochEvent | undefined;
  private closed = false;
  private wakeTaker: (() => void) | undefined;
  private wakeGiver: (() => void) | undefined;
  private taken = false;

  async hand(event: EpochEvent): Promise<void> {
    if (this.closed) return;
    this.waiting = event;
    this.wakeTaker?.();
    await new Promise<void>((resume) => {
      this.wakeGiver = resume;
    });
  }

  /** The next epoch, or undefined after the last. Lets the training go on from the one before. */
  async take(): Promise<EpochEvent | undefined> {
    if (this.taken) {
      this.taken = false;
      this.wakeGiver?.();
    }
    while (this.waiting === undefined && !this.closed)
      await new Promise<void>((resume) => {
        this.wakeTaker = resume;
      });
    const event = this.waiting;
    this.waiting = undefined;
    this.taken = event !== undefined;
    return event;
  }

  close(): void {
    this.closed = true;
    this.wakeTaker?.();
    this.wakeGiver?.();
  }
}
