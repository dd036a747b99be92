import { formatAval, type Shape, sizeOf } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import { HostArray } from "../core/host-array.ts";
import { leavesOf, type Tree } from "../core/tree.ts";
import type { AvalsOf } from "../nn/layer.ts";
import type { Loss } from "../nn/losses/loss.ts";
import type { Metric } from "../nn/metrics/metric.ts";
import type { Model } from "../nn/model.ts";
import type { Tensor } from "../ops/tensor.ts";
import type { Metrics } from "./events.ts";
import { batchAvals, type Examples, type HostTree, type Preparation } from "./examples.ts";

export type TensorTree = Tree<Tensor>;
export type AnyModel = Model<TensorTree, TensorTree>;

/** What is learned, without its types: the model, its loss and its metrics over trees of any form. */
export type Task = {
  readonly model: AnyModel;
  readonly loss: Loss<TensorTree, TensorTree>;
  readonly metrics: readonly Metric<TensorTree, TensorTree, unknown>[];
  readonly preparation: Preparation;
};

export type ModelState = { readonly params: HostTree; readonly buffers: HostTree };

/** First values of a model's parameters and buffers for a batch of these examples, drawn from the seed. */
export function initModel(model: AnyModel, examples: Examples, batchSize: number, seed: number): ModelState {
  const { params, buffers } = model.init(seed, batchAvals(examples.inputs, batchSize, true) as AvalsOf<TensorTree>);
  if (leavesOf<HostArray>(params).length === 0)
    throw new OptionError("fit: got a model without parameters; expected at least one to train.", "model");
  return { params, buffers };
}

const WEIGHT = "loss.weight";

/** What a program hands back about a batch, and what the host must know to add batches up. */
export type Measured = {
  readonly loss: Tensor;
  readonly results: Readonly<Record<string, Tensor>>;
  /** The shape of what each metric gathers, by the metric's name and its own. */
  readonly shapes: Readonly<Record<string, Readonly<Record<string, Shape>>>>;
};

/** The result that a metric gathers under a name. */
const resultOf = (metric: string, name: string): string => `metric.${metric}.${name}`;

/** The loss f32[] and what each metric gathers from the batch, of `labels` where the loss has probabilities. */
export function measure(task: Task, output: TensorTree, target: TensorTree, labels: TensorTree = target): Measured {
  const scalar = (name: string, value: Tensor): Tensor => {
    if (value.dtype === "f32" && value.rank === 0) return value;
    throw new ShapeError(`${name}: got ${formatAval(value.aval)}; expected f32[], a value of the whole batch.`, name);
  };
  const loss = scalar(`loss ${task.loss.name}`, task.loss.apply(output, target));
  const results: Record<string, Tensor> = { loss };
  if (task.loss.weight !== undefined) results[WEIGHT] = scalar("loss weight", task.loss.weight(output, target));
  const shapes: Record<string, Record<string, Shape>> = {};
  for (const metric of task.metrics) {
    const found = metric.apply(output, labels);
    shapes[metric.name] = Object.fromEntries(Object.entries(found).map(([name, { shape }]) => [name, shape]));
    for (const [name, value] of Object.entries(found)) {
      if (metric.collects && value.rank === 0)
        throw new ShapeError(
          `metric ${metric.name}: got ${formatAval(value.aval)} for ${name}; expected an axis along which batches are joined.`,
          metric.name,
        );
      results[resultOf(metric.name, name)] = value;
    }
  }
  return { loss, results, shapes };
}

/** What `Totals` keeps, as plain data and doubles. */
export type TotalsState = {
  readonly loss: number;
  readonly weight: number;
  readonly weightless: number;
  readonly gathered: readonly {
    readonly metric: string;
    readonly name: string;
    readonly shape: Shape;
    readonly sum: Float64Array;
    readonly rows: Float64Array;
  }[];
};

/** What a metric gathered under one name: a sum, or the rows of all batches. */
type Gathered = { readonly shape: Shape; readonly sum: Float64Array; readonly parts: Float64Array[] };

/** Adds up batches on the host in doubles: means over unequal batches are exact. */
export class Totals {
  private readonly task: Task;
  private loss = 0;
  private weight = 0;
  /** The loss of a batch that counts nowhere. */
  private weightless = Number.NaN;
  private readonly gathered = new Map<string, Map<string, Gathered>>();

  constructor(task: Task) {
    this.task = task;
  }

  /** Takes in step `i` of a call, a batch of `samples`. */
  add(
    results: Readonly<Record<string, HostArray["data"]>>,
    i: number,
    samples: number,
    shapes: Measured["shapes"],
  ): void {
    const weight = results[WEIGHT]?.[i] ?? samples;
    const loss = results.loss?.[i] ?? Number.NaN;
    // A batch that counts nowhere, such as one whose labels are all ignored, may have no mean.
    if (weight === 0) this.weightless = loss;
    else this.loss += loss * weight;
    this.weight += weight;
    for (const { name: metric, collects = false } of this.task.metrics) {
      const own = this.gathered.get(metric) ?? new Map<string, Gathered>();
      this.gathered.set(metric, own);
      for (const [name, shape] of Object.entries(shapes[metric] ?? {})) {
        const size = sizeOf(shape);
        const values = results[resultOf(metric, name)]?.subarray(i * size, (i + 1) * size) ?? [];
        const known = own.get(name) ?? { shape, sum: new Float64Array(collects ? 0 : size), parts: [] };
        own.set(name, known);
        if (collects) known.parts.push(Float64Array.from(values));
        else for (let at = 0; at < size; at++) known.sum[at] = (known.sum[at] as number) + (values[at] ?? Number.NaN);
      }
    }
  }

  save(): TotalsState {
    const gathered = [...this.gathered].flatMap(([metric, own]) =>
      [...own].map(([name, { shape, sum, parts }]) => ({
        metric,
        name,
        shape,
        sum: sum.slice(),
        rows: joinedRows(parts),
      })),
    );
    return { loss: this.loss, weight: this.weight, weightless: this.weightless, gathered };
  }

  load({ loss, weight, weightless, gathered }: TotalsState): void {
    this.loss = loss;
    this.weight = weight;
    this.weightless = weightless;
    this.gathered.clear();
    for (const { metric, name, shape, sum, rows } of gathered) {
      const own = this.gathered.get(metric) ?? new Map<string, Gathered>();
      this.gathered.set(metric, own.set(name, { shape, sum: sum.slice(), parts: rows.length === 0 ? [] : [rows] }));
    }
  }

  get empty(): boolean {
    return this.weight === 0;
  }

  values(): Metrics {
    const values = Object.entries(this.metrics()) as [string, number][];
    const loss = this.weight === 0 ? this.weightless : this.loss / this.weight;
    return { loss, ...Object.fromEntries(values) };
  }

  /** Each metric over all batches so far. */
  metrics(): Readonly<Record<string, unknown>> {
    return Object.fromEntries(
      this.task.metrics.map((metric) => {
        const found = [...(this.gathered.get(metric.name) ?? [])];
        const state = found.map(([name, own]) => [
          name,
          metric.collects ? joined(own) : new HostArray("f32", own.shape, own.sum),
        ]);
        return [metric.name, metric.value(Object.fromEntries(state))];
      }),
    );
  }
}

function joinedRows(parts: readonly Float64Array[]): Float64Array {
  const data = new Float64Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return data;
}

function joined({ shape, parts }: Gathered): HostArray {
  const data = joinedRows(parts);
  return new HostArray("f32", [data.length / Math.max(1, sizeOf(shape.slice(1))), ...shape.slice(1)], data);
}
