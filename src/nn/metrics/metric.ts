import { formatAval, type Shape, sameShape, sizeOf } from "../../core/dtype.ts";
import { OptionError, ShapeError } from "../../core/errors.ts";
import type { HostArray } from "../../core/host-array.ts";
import type { Tensor } from "../../ops/tensor.ts";
import type { TensorTree } from "../../trace/grad.ts";
import { configOf, type Json, type LayerConfig } from "../layer.ts";

/** What the batches of a data set gave together, in doubles: arrays of dtype f32 whose data are a Float64Array. */
export type MetricState = Readonly<Record<string, HostArray>>;

/**
 * What tells how good a model is. Each batch gives a few arrays, which are added up on the host in doubles, or joined; the value
 * comes from those of the whole data set, so that it does not depend on the batches. `defineMetric` writes one for you.
 */
export interface Metric<Output extends TensorTree = Tensor, Target extends TensorTree = Tensor, Value = number> {
  readonly name: string;
  /** From which `metricFromConfig` makes it again; of your own metrics none. */
  readonly config?: LayerConfig;
  /** The arrays of all batches are joined along their first axis, not added up: what looks at all scores at once. */
  readonly collects?: boolean;
  /** What one batch gives, by name. */
  apply(output: Output, target: Target): Readonly<Record<string, Tensor>>;
  value(state: MetricState): Value;
}

/** A metric of whatever output and target. */
export type AnyMetric<Value = unknown> = Metric<never, never, Value>;

/**
 * A metric of your own: `apply` in a trace, for one batch; `value` on the host, from the sums over all batches (with
 * `collects`, from all their rows).
 *
 * @example
 * const bias = nn.metrics.defineMetric({
 *   name: "bias",
 *   apply: (output: Tensor, target: Tensor) => ({ sum: output.sub(target).sum(), count: output.full(output.shape[0] ?? 0) }),
 *   value: ({ sum, count }) => sum.item() / count.item(),
 * });
 */
export function defineMetric<
  S extends Readonly<Record<string, Tensor>>,
  Value = number,
  Output extends TensorTree = Tensor,
  Target extends TensorTree = Tensor,
>(definition: {
  readonly name: string;
  readonly config?: LayerConfig;
  readonly collects?: boolean;
  readonly apply: (output: Output, target: Target) => S;
  readonly value: (state: { readonly [K in keyof S]: HostArray }) => Value;
}): Metric<Output, Target, Value> {
  return definition as Metric<Output, Target, Value>;
}

/** A metric of this kind and these options; `name` stands in results. */
export function builtIn<S extends Readonly<Record<string, Tensor>>, Value>(
  kind: string,
  options: object,
  rest: {
    readonly name?: string;
    readonly collects?: boolean;
    readonly apply: (output: Tensor, target: Tensor) => S;
    readonly value: (state: { readonly [K in keyof S]: HostArray }) => Value;
  },
): Metric<Tensor, Tensor, Value> {
  const config = configOf(kind, options as { readonly [option: string]: Json | undefined });
  return defineMetric({ name: kind, config, ...rest });
}

/** What there is to choose from where a model gives scores of classes. */
export type ClassOptions = {
  /** The axis of classes. Default 1; -1 for a language model's f32[N, L, C]. */
  readonly classAxis?: number;
  /** Positions with this label count nowhere. Default -100. */
  readonly ignoreIndex?: number;
};

/** n as i32[]: counts of a batch are exact up to 2³¹. */
export const countTensor = (beside: Tensor, n: number): Tensor => beside.full(n, [], "i32");

export const countTrue = (x: Tensor, axes?: readonly number[]): Tensor => x.cast("i32").sum(axes);

/**
 * Scores and targets of one shape, for labels that exclude each other not: where the shapes are equal, or differ by an axis of
 * 1 such as [N, 1] and [N].
 */
export function alike(scores: Tensor, target: Tensor): readonly [scores: Tensor, target: Tensor] | undefined {
  if (sameShape(scores.shape, target.shape)) return [scores, target];
  if (sizeOf(scores.shape) !== sizeOf(target.shape) || Math.abs(scores.rank - target.rank) !== 1) return undefined;
  const [long, short] = scores.rank > target.rank ? [scores, target] : [target, scores];
  if (!sameShape([...long.shape.slice(0, 1), ...long.shape.slice(2)], short.shape) || long.shape[1] !== 1)
    return undefined;
  return [scores.reshape(long.shape), target.reshape(long.shape)];
}

/** Whether each label holds: f32 above 1/2, or integers above 0. */
export const holds = (target: Tensor): Tensor =>
  target.dtype === "f32" ? target.greater(0.5) : target.cast("i32").greater(0);

/** The labels of one score each as [M, C], C the size of axis 1, or 1 where there is none. */
export function byLabel(x: Tensor): Tensor {
  if (x.rank < 2) return x.reshape([sizeOf(x.shape), 1]);
  return lastAxis(x, 1);
}

/** [..., C, ...] with the axis moved to the end, as [M, C]. */
export function lastAxis(x: Tensor, axis: number): Tensor {
  const order = [...x.shape.keys()].filter((i) => i !== axis);
  const moved = x.transpose([...order, axis]);
  const classes = x.shape[axis] as number;
  return moved.reshape([sizeOf(x.shape) / classes, classes]);
}

export function expectScores(op: string, scores: Tensor, target: Tensor): void {
  if (scores.dtype !== "f32" || scores.rank === 0)
    throw new ShapeError(
      `${op}: got scores ${formatAval(scores.aval)} and the target ${formatAval(target.aval)}; expected f32[N, C] and i32[N], or equal shapes.`,
    );
}

/** Rows of an array [M, C]. */
export function rowsOf({ shape, data }: HostArray): {
  readonly rows: number;
  readonly columns: number;
  readonly data: HostArray["data"];
} {
  const [rows = 0, columns = 1] = shape as Shape;
  return { rows, columns, data };
}

export const sumOf = (values: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] as number;
  return sum;
};

/** a / b, and 0 where b is 0, as scikit-learn with `zero_division=0`. */
export const ratio = (a: number, b: number): number => (b === 0 ? 0 : a / b);

export function expectChoice(op: string, name: string, value: string, choices: readonly string[]): void {
  if (!choices.includes(value)) throw new OptionError(`${op}: got ${name} "${value}"; expected ${choices.join(", ")}.`);
}
