import type { Backend, Store } from "../compile/backend.ts";
import { type Aval, formatAval, sameShape } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import { HostArray } from "../core/host-array.ts";
import { leavesOf, mapTree, type Tree } from "../core/tree.ts";
import { Turns } from "../core/turns.ts";
import type { PictureForm } from "../data/picture-form.ts";
import type { TableEncoding } from "../data/table/encoding.ts";
import type { Tokenizer } from "../data/tokenizer-config.ts";
import type { AnyMetric, MetricState } from "../nn/metrics/metric.ts";
import { withTies } from "../nn/state-dict.ts";
import type { Tensor } from "../ops/tensor.ts";
import { checkIndices } from "./check-indices.ts";
import { Evaluator } from "./evaluator.ts";
import type { Metrics, Weights } from "./events.ts";
import type { Examples, HostTree } from "./examples.ts";
import { encodeModel } from "./model-file.ts";
import { classify, type Prediction, Predictor } from "./predictor.ts";
import type { ModelState, Task, TensorTree } from "./task.ts";

export type TrainedParts = {
  readonly backend: Backend;
  readonly store: Store;
  readonly task: Task;
  /** The form of the weights; their values live in the store. */
  readonly state: ModelState;
  /** Types of one sample's inputs, without the batch axis. */
  readonly sample: Tree<Aval>;
  readonly classes: readonly string[] | undefined;
  readonly tokenizer?: Tokenizer | undefined;
  readonly pictures?: PictureForm | undefined;
  readonly table?: TableEncoding | undefined;
  readonly maxBatch?: number;
};

/** What each of these metrics gives. */
export type ValuesOf<M extends Readonly<Record<string, AnyMetric>>> = {
  readonly [K in keyof M]: M[K] extends AnyMetric<infer Value> ? Value : never;
};

const NO_LOSS: Task["loss"] = {
  name: "none",
  config: { kind: "none" },
  apply(output) {
    const [[, any]] = leavesOf<Tensor>(output) as [[string, Tensor]];
    return any.full(0, [], "f32");
  },
};

/** A model with its weights, its preprocessing and its class names: predicts, is evaluated and saved. */
export class TrainedModel<X extends HostTree = HostTree, Y extends HostTree = HostTree> {
  /** Names of the classes, where the model was trained on labels. */
  readonly classes: readonly string[] | undefined;
  /** What makes tokens of a text, where the model was trained on one. */
  readonly tokenizer: Tokenizer | undefined;
  /** What makes inputs of pictures, where the model was trained on some. */
  readonly pictures: PictureForm | undefined;
  /** What makes inputs of a table's rows, where the model was trained on some. */
  readonly table: TableEncoding | undefined;
  /** Types of one sample's inputs, without the batch axis. */
  readonly sample: Tree<Aval>;
  readonly #parts: TrainedParts;
  readonly #evaluator: Evaluator;
  readonly #predictor: Predictor;
  readonly #turns = new Turns();

  constructor(parts: TrainedParts, evaluator?: Evaluator) {
    const { backend, store, task, state, sample, maxBatch = 128 } = parts;
    this.#parts = parts;
    this.classes = parts.classes;
    this.tokenizer = parts.tokenizer;
    this.pictures = parts.pictures;
    this.table = parts.table;
    this.sample = sample;
    this.#evaluator = evaluator ?? new Evaluator({ backend, store, task, state, maxBatch });
    this.#predictor = new Predictor({ backend, store, task, state, sample });
  }

  /**
   * Loss and metrics over a data set: exact means over all its samples, in evaluation mode.
   *
   * @example
   * await run.evaluate(test) // -> { loss: 0.028, accuracy: 0.991 }
   */
  evaluate(examples: Examples<X, Y>): Promise<Metrics> {
    return this.#turns.take(async () => {
      checkIndices(this.#parts.task.model, this.#parts.state, examples);
      return this.#evaluator.run(examples);
    });
  }

  /**
   * Metrics of any value over a data set, under the names they are given here: lists by class, a confusion matrix, or numbers
   * that the run did not watch.
   *
   * @example
   * await run.measure(test, { matrix: nn.metrics.confusionMatrix(), perClass: nn.metrics.f1({ average: "none" }) })
   * // -> { matrix: [[9, 1], [0, 10]], perClass: [0.947, 0.952] }
   */
  measure<M extends Readonly<Record<string, AnyMetric>>>(examples: Examples<X, Y>, metrics: M): Promise<ValuesOf<M>> {
    const { backend, store, task, state, maxBatch = 128 } = this.#parts;
    const named = Object.entries(metrics).map(([name, metric]) => ({
      name,
      ...(metric.collects ? { collects: true } : {}),
      apply: (output: TensorTree, target: TensorTree) => metric.apply(output as never, target as never),
      value: (found: MetricState) => metric.value(found),
    }));
    const evaluator = new Evaluator({
      backend,
      store,
      task: { ...task, loss: NO_LOSS, metrics: named },
      state,
      maxBatch,
    });
    return this.#turns.take(async () => {
      checkIndices(task.model, state, examples);
      return (await evaluator.totals(examples)).metrics() as ValuesOf<M>;
    });
  }

  /**
   * The class of each sample, from inputs as the data set had them (pixels stay u8: preprocessing is the model's).
   * Takes a batch [N, ...] or one sample; answers a list in either case.
   *
   * Errors: ShapeError when the inputs do not fit or the model gives no scores f32[N, C].
   *
   * @example
   * const [{ label, probability }] = await run.predict(image);
   */
  async predict(inputs: X): Promise<[Prediction, ...Prediction[]]> {
    return classify(await this.outputs(inputs), this.classes) as [Prediction, ...Prediction[]];
  }

  /** What the model gives for a batch [N, ...], or for one sample without the first axis. */
  outputs(inputs: X): Promise<HostTree> {
    return this.#turns.take(() => this.#predictor.outputs(inputs));
  }

  /** A copy of parameters and buffers, by PyTorch's names and in its layouts. */
  async weights(): Promise<Weights> {
    const { store } = this.#parts;
    const read = this.#paths().map(async ([name, path]) => [name, copy(await store.read(path))] as const);
    return Object.fromEntries(await Promise.all(read));
  }

  /** Replaces all weights. Throws OptionError for a name that is missing or unknown, ShapeError for another shape. */
  setWeights(weights: Weights): void {
    const paths = this.#paths();
    const unknown = Object.keys(weights).find((name) => !paths.some(([known]) => known === name));
    if (unknown !== undefined)
      throw new OptionError(`setWeights: got ${unknown}, which the model does not have.`, unknown);
    for (const [name, , like] of paths) {
      const value = weights[name];
      if (value === undefined)
        throw new OptionError(`setWeights: ${name} is missing; expected ${formatAval(like.aval)}.`, name);
      if (value.dtype !== like.dtype || !sameShape(value.shape, like.shape))
        throw new ShapeError(
          `setWeights: got ${formatAval(value.aval)} for ${name}; expected ${formatAval(like.aval)}.`,
          name,
        );
    }
    for (const [name, path] of paths) this.#parts.store.write(path, weights[name] as HostArray);
  }

  /** For programs of one's own over its weights: runs `use` while nothing else of this model runs. */
  withParts<T>(use: (parts: TrainedParts) => Promise<T>): Promise<T> {
    return this.#turns.take(() => use(this.#parts));
  }

  /** The model as the bytes of a safetensors file: weights by PyTorch's names, all else that `load` needs in its notes. */
  async toBytes(): Promise<Uint8Array<ArrayBuffer>> {
    const { task, sample, classes, tokenizer, pictures, table } = this.#parts;
    return encodeModel(withTies(await this.weights(), task.model.layer.ties), {
      model: task.model.config,
      loss: task.loss.config,
      metrics: task.metrics.map(({ name, config }) => config ?? name),
      preparation: task.preparation,
      sample,
      classes,
      tokenizer: tokenizer?.config,
      pictures,
      table,
    });
  }

  /** Ends the backend's workers. The model cannot be used after. */
  close(): Promise<void> {
    return this.#parts.backend.close();
  }

  #paths(): readonly (readonly [name: string, path: string, like: HostArray])[] {
    const { params, buffers } = this.#parts.state;
    return [
      ...leavesOf<HostArray>(params).map(([name, leaf]) => [name, `state.params.${name}`, leaf] as const),
      ...leavesOf<HostArray>(buffers).map(([name, leaf]) => [name, `state.buffers.${name}`, leaf] as const),
    ];
  }
}

const copy = ({ dtype, shape, data }: HostArray): HostArray => new HostArray(dtype, shape, data.slice());

/** Types of one sample of arrays like these. */
export function sampleOf(inputs: HostTree): Tree<Aval> {
  return mapTree<HostArray, Aval>(inputs, ({ dtype, shape }) => ({ dtype, shape: shape.slice(1) }));
}
