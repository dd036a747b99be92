import { formatAval, type Shape, sameShape, sizeOf } from "../../core/dtype.ts";
import { OptionError, ShapeError, TraceError } from "../../core/errors.ts";
import { array, HostArray, type NestedNumbers } from "../../core/host-array.ts";
import { Tensor } from "../../ops/tensor.ts";
import type { TensorTree } from "../../trace/grad.ts";
import { configOf, type Json, type LayerConfig } from "../layer.ts";

/** What a model is trained to make small. Write your own as `{ name, config, apply }`. */
export interface Loss<Output extends TensorTree = Tensor, Target extends TensorTree = Tensor> {
  readonly name: string;
  readonly config: LayerConfig;
  /** A scalar of the whole batch. */
  apply(output: Output, target: Target): Tensor;
  /**
   * What `apply` divided by, a scalar, so that the mean over several batches is exact: sum(loss weight) / sum(weight).
   * Default: the number of examples, the first axis.
   */
  weight?(output: Output, target: Target): Tensor;
  /** The values before they are reduced: what `weighted` needs. */
  values?(output: Output, target: Target): LossValues;
}

/** What becomes of the values of each example. */
export type Reduction = "mean" | "sum" | "none";

/** A loss of whatever output and target: every `Loss` is one. */
export type AnyLoss = Loss<never, never>;

/** A loss before it is reduced. */
export type LossValues = {
  /** f32, with the examples as first axis. */
  readonly values: Tensor;
  /** What the mean divides by is their sum, of the values' shape: class weights, 0 where a label is ignored. Default 1 each. */
  readonly weights?: Tensor | undefined;
  /** What the mean divides by where that is neither the number of values nor their weights. */
  readonly count?: number;
};

/** Numbers that broadcast to the values of a loss: one, a list along the last axis, lists of lists. */
export type LossWeight = NestedNumbers;

/** What a loss may be called with: options for a `Loss`, or tensors for their value. */
export type Given<Options, Output = Tensor, Target = Tensor> =
  | readonly [options?: Options | undefined]
  | readonly [output: Output, target: Target, options?: Options | undefined];

const REDUCTIONS: readonly string[] = ["mean", "sum", "none"];

/**
 * A loss function as users call it: see `Given`. `check` throws OptionError for options out of range. What is neither "sum" nor
 * "none" among the `reductions` divides as the values say.
 */
export function valueOrLoss<
  Options extends { readonly reduction?: string },
  O extends TensorTree,
  T extends TensorTree,
>(
  name: string,
  of: (output: O, target: T, options: Options) => LossValues,
  given: Given<Options, O, T>,
  check: (options: Options) => void = () => {},
  reductions: readonly string[] = REDUCTIONS,
): Loss<O, T> | Tensor {
  const checked = (options: Options): void => {
    const { reduction = "mean" } = options;
    if (!reductions.includes(reduction))
      throw new OptionError(`${name}: got reduction "${reduction}"; expected ${reductions.join(", ")}.`);
    check(options);
  };
  if (isTensors(given[0])) {
    const [output, target, options = {} as Options] = given as readonly [O, T, Options?];
    checked(options);
    return reduced(of(output, target, options), options.reduction);
  }
  if (given.length > 1 || given[0] instanceof HostArray)
    throw new TraceError(
      `${name}: got ${given[0] instanceof HostArray ? "an array" : typeof given[0]}; expected tensors, inside a trace, or options. Wrap an array with x.constant(array(...)).`,
    );
  const options = (given[0] ?? {}) as Options;
  if (options.reduction === "none")
    throw new OptionError(`${name}: got reduction "none"; expected "mean" or "sum" for a loss to train on.`);
  checked(options);
  return {
    name,
    config: configOf(name, options as { readonly [option: string]: Json | undefined }),
    apply: (output, target) => reduced(of(output, target, options), options.reduction),
    weight(output, target) {
      const found = of(output, target, options);
      return options.reduction === "sum" ? found.values.full(1) : divisorOf(found);
    },
    values: (output, target) => of(output, target, options),
  };
}

const isTensors = (given: unknown): boolean =>
  given instanceof Tensor ||
  (typeof given === "object" && given !== null && Object.values(given).some((each) => each instanceof Tensor));

function reduced(found: LossValues, reduction: string = "mean"): Tensor {
  const { values, weights } = found;
  if (reduction === "none") return values;
  const sum = values.sum();
  if (reduction === "sum") return sum;
  return weights ? sum.div(weights.sum()) : sum.mul(1 / countOf(found));
}

const countOf = ({ values, count }: LossValues): number => count ?? sizeOf(values.shape);

/** What the mean divides by, f32[]. */
export function divisorOf(found: LossValues): Tensor {
  return found.weights ? found.weights.sum() : found.values.full(countOf(found));
}

/** The share of each value in what the mean divides by: 1 for most losses. */
export function shareOf(found: LossValues): Tensor | number {
  return found.weights ?? countOf(found) / sizeOf(found.values.shape);
}

/** The numbers as a constant that broadcasts to `shape`. Throws ShapeError where they do not. */
export function constantFor(op: string, name: string, beside: Tensor, shape: Shape, given: LossWeight): Tensor {
  const value = array(given);
  const from = shape.length - value.shape.length;
  if (from < 0 || !value.shape.every((size, i) => size === 1 || size === shape[from + i]))
    throw new ShapeError(`${op}: got ${name} of shape [${value.shape}]; expected one that broadcasts to [${shape}].`);
  return beside.constant(value);
}

/** The values times the weights that were given. */
export function weighed(op: string, values: Tensor, weight: LossWeight | undefined): Tensor {
  return weight === undefined ? values : values.mul(constantFor(op, "weight", values, values.shape, weight));
}

/** A weight for each class along `axis` of the scores, or undefined. */
export function classWeights(
  op: string,
  scores: Tensor,
  axis: number,
  weight: readonly number[] | undefined,
): Tensor | undefined {
  if (weight === undefined) return undefined;
  const classes = scores.shape[axis] as number;
  if (weight.length !== classes)
    throw new OptionError(`${op}: got ${weight.length} class weights; expected ${classes}, one for each class.`);
  return scores.constant(array(weight)).reshape(scores.shape.map((_, i) => (i === axis ? classes : 1)));
}

/** 1e-12 as PyTorch has it: the nearest number in single precision. */
export const TINY: number = Math.fround(1e-12);

/** max(x, 0), whose derivative at 0 is 1, as torch's `clamp_min`. `relu` has 0 there. */
export function clampAtZero(x: Tensor): Tensor {
  return x.less(0).select(0, x);
}

/** y ln(x), and 0 where y is 0. */
export function timesLog(y: Tensor, x: Tensor): Tensor {
  const none = y.equal(0);
  return none.select(0, y.mul(none.select(1, x).log()));
}

/** Targets of 1 and -1 as f32, of the shape expected. */
export function signsFor(op: string, target: Tensor, shape: Shape): Tensor {
  if (target.dtype === "bool" || !sameShape(target.shape, shape))
    throw new ShapeError(`${op}: got the target ${formatAval(target.aval)}; expected 1 and -1 of shape [${shape}].`);
  return target.cast("f32");
}

export function expectFinite(op: string, name: string, value: number | undefined): void {
  if (value !== undefined && !Number.isFinite(value))
    throw new OptionError(`${op}: got ${name} ${value}; expected a finite number.`);
}

/** Throws OptionError unless the number, if given, is finite and at least `low` (greater, if `open`). */
export function expectFrom(op: string, name: string, value: number | undefined, low: number, open = false): void {
  if (value === undefined) return;
  if (!Number.isFinite(value) || value < low || (open && value === low))
    throw new OptionError(`${op}: got ${name} ${value}; expected a number ${open ? "above" : "of at least"} ${low}.`);
}
