import { sizeOf } from "../core/dtype.ts";
import { OptionError } from "../core/errors.ts";
import { Tensor } from "../ops/tensor.ts";
import type { TensorTree } from "../trace/grad.ts";
import { type CrossEntropyOptions, crossEntropyOf } from "./cross-entropy.ts";
import { configOf, type LayerConfig } from "./layer.ts";
import { classAxisOf, expectSameShape, labelsFor, type Reduction, reduceLoss } from "./reduction.ts";

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
}

/**
 * Cross entropy of softmax(logits) with labels or probabilities: per position sum_c q_c w_c (logSumExp(z) - z_c), with
 * q = (1 - s) onehot(label) + s / C (s the label smoothing, w the class weights).
 *
 * logits f32[N, C, ...]; target i32 or u8 [N, ...] of labels in 0..C-1, or f32 like the logits of probabilities. The mean
 * divides by the number of positions, with labels and class weights by the sum of the labels' weights, as PyTorch. The
 * gradient is (softmax - q) / N, without a pass through the logarithm. Labels out of range are found when data is loaded;
 * here they count as no class.
 *
 * With a tensor: the value. Without: a `Loss` for `fit`.
 *
 * Errors: ShapeError when the target does not fit; OptionError when an option is out of range.
 *
 * @example
 * const loss = nn.crossEntropy({ labelSmoothing: 0.1 }); // for fit
 * const value = nn.crossEntropy(logits, labels); // in a trace, f32[]
 */
export function crossEntropy(options?: CrossEntropyOptions): Loss;
export function crossEntropy(logits: Tensor, target: Tensor, options?: CrossEntropyOptions): Tensor;
export function crossEntropy(
  a: Tensor | CrossEntropyOptions = {},
  target?: Tensor,
  options: CrossEntropyOptions = {},
): Loss | Tensor {
  if (a instanceof Tensor) return crossEntropyOf(a, target as Tensor, options).loss;
  scalarOnly("crossEntropy", a);
  return {
    name: "crossEntropy",
    config: configOf("crossEntropy", a),
    apply: (logits, labels) => crossEntropyOf(logits, labels, a).loss,
    weight: (logits, labels) => (a.reduction === "sum" ? logits.full(1) : crossEntropyOf(logits, labels, a).divisor),
  };
}

export type HingeOptions = {
  /** The margin by which the right score must lead. Default 1. */
  readonly delta?: number;
  /** Square each margin (L2-SVM). Default false. */
  readonly squared?: boolean;
  /** Default "mean", over the examples. */
  readonly reduction?: Reduction;
};

/**
 * Multi-class SVM loss: per example sum over j != y of max(0, s_j - s_y + delta); the mean is over examples.
 * PyTorch's `multi_margin_loss` also divides by the number of classes.
 *
 * scores f32[N, C, ...]; labels i32 or u8 [N, ...]. With a tensor: the value. Without: a `Loss` for `fit`.
 *
 * Source: CS231n, "Linear classification"; Weston and Watkins (1999).
 *
 * @example
 * // scores [[3.2, 5.1, -1.7]], label 0: max(0, 5.1 - 3.2 + 1) + max(0, -1.7 - 3.2 + 1) = 2.9
 */
export function hinge(options?: HingeOptions): Loss;
export function hinge(scores: Tensor, labels: Tensor, options?: HingeOptions): Tensor;
export function hinge(a: Tensor | HingeOptions = {}, labels?: Tensor, options: HingeOptions = {}): Loss | Tensor {
  if (a instanceof Tensor) return hingeOf(a, labels as Tensor, options);
  scalarOnly("hinge", a);
  return {
    name: "hinge",
    config: configOf("hinge", a),
    apply: (scores, target) => hingeOf(scores, target, a),
    weight: (scores, target) => scores.full(a.reduction === "sum" ? 1 : sizeOf(target.shape)),
  };
}

function hingeOf(
  scores: Tensor,
  given: Tensor,
  { delta = 1, squared = false, reduction = "mean" }: HingeOptions,
): Tensor {
  const axis = classAxisOf("hinge", scores);
  const labels = labelsFor("hinge", scores, given, axis);
  const right = scores.iota(scores.shape, axis).equal(labels.unsqueeze(axis));
  const own = right.select(scores, 0).sum(axis, { keepDims: true });
  const margins = right.select(0, scores.sub(own).add(delta).relu());
  return reduceLoss((squared ? margins.square() : margins).sum(axis), reduction);
}

export type SquaredErrorOptions = {
  /** Default "mean", over all elements. */
  readonly reduction?: Reduction;
};

/**
 * mean (output - target)² over all elements. Unlike PyTorch's `mse_loss`, shapes never broadcast: [N, 1] against [N] is an error.
 *
 * With a tensor: the value. Without: a `Loss` for `fit`.
 */
export function meanSquaredError(options?: SquaredErrorOptions): Loss;
export function meanSquaredError(output: Tensor, target: Tensor, options?: SquaredErrorOptions): Tensor;
export function meanSquaredError(
  a: Tensor | SquaredErrorOptions = {},
  target?: Tensor,
  options: SquaredErrorOptions = {},
): Loss | Tensor {
  if (a instanceof Tensor) return squaredErrorOf(a, target as Tensor, options);
  scalarOnly("meanSquaredError", a);
  return {
    name: "meanSquaredError",
    config: configOf("meanSquaredError", a),
    apply: (output, wanted) => squaredErrorOf(output, wanted, a),
    weight: (output) => output.full(a.reduction === "sum" ? 1 : sizeOf(output.shape)),
  };
}

function squaredErrorOf(output: Tensor, target: Tensor, { reduction = "mean" }: SquaredErrorOptions): Tensor {
  expectSameShape("meanSquaredError", output, target);
  return reduceLoss(output.sub(target).square(), reduction);
}

function scalarOnly(name: string, options: { readonly reduction?: Reduction }): void {
  if (options.reduction === "none")
    throw new OptionError(`${name}: got reduction "none"; expected "mean" or "sum" for a loss to train on.`);
}
