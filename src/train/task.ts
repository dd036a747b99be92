import { formatAval } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import { leavesOf, type Tree } from "../core/tree.ts";
import { avalsOf } from "../nn/define-layer.ts";
import type { AvalsOf } from "../nn/layer.ts";
import type { Loss } from "../nn/losses/loss.ts";
import type { Metric } from "../nn/metrics.ts";
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
  readonly metrics: readonly Metric<TensorTree, TensorTree>[];
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

const SUM = "metric.";
const WEIGHT = "loss.weight";

/** What a program hands back about a batch, and what the host must know to add batches up. */
export type Measured = {
  readonly loss: Tensor;
  readonly results: Readonly<Record<string, Tensor>>;
  /** How many values each metric's sum has. */
  readonly counts: Readonly<Record<string, number>>;
};

/** The loss f32[] and each metric's sum over the batch. */
export function measure(task: Task, output: TensorTree, target: TensorTree): Measured {
  const scalar = (name: string, value: Tensor): Tensor => {
    if (value.dtype === "f32" && value.rank === 0) return value;
    throw new ShapeError(`${name}: got ${formatAval(value.aval)}; expected f32[], a value of the whole batch.`, name);
  };
  const loss = scalar(`loss ${task.loss.name}`, task.loss.apply(output, target));
  const results: Record<string, Tensor> = { loss };
  if (task.loss.weight !== undefined) results[WEIGHT] = scalar("loss weight", task.loss.weight(output, target));
  const counts: Record<string, number> = {};
  for (const metric of task.metrics) {
    results[`${SUM}${metric.name}`] = scalar(`metric ${metric.name}`, metric.apply(output, target));
    counts[metric.name] = metric.count(avalsOf(output), avalsOf(target));
  }
  return { loss, results, counts };
}

/** Adds up batches on the host in doubles: means over unequal batches are exact. */
export class Totals {
  private readonly task: Task;
  private loss = 0;
  private weight = 0;
  private readonly sums = new Map<string, { sum: number; count: number }>();

  constructor(task: Task) {
    this.task = task;
  }

  /** Takes in step `i` of a call, a batch of `samples`. */
  add(
    results: Readonly<Record<string, ArrayLike<number>>>,
    i: number,
    samples: number,
    counts: Measured["counts"],
  ): void {
    const weight = results[WEIGHT]?.[i] ?? samples;
    this.loss += (results.loss?.[i] ?? Number.NaN) * weight;
    this.weight += weight;
    for (const { name } of this.task.metrics) {
      const entry = this.sums.get(name) ?? { sum: 0, count: 0 };
      entry.sum += results[`${SUM}${name}`]?.[i] ?? Number.NaN;
      entry.count += counts[name] ?? 0;
      this.sums.set(name, entry);
    }
  }

  get empty(): boolean {
    return this.weight === 0;
  }

  values(): Metrics {
    const out: Record<string, number> = { loss: this.loss / this.weight };
    for (const metric of this.task.metrics) {
      const { sum, count } = this.sums.get(metric.name) ?? { sum: 0, count: 0 };
      out[metric.name] = metric.combine(sum, count);
    }
    return out;
  }
}
