import { OptionError } from "../../core/errors.ts";
import type { Tensor } from "../../ops/tensor.ts";
import { classAxisOf, expectSameShape, labelsFor } from "../targets.ts";
import { binaryValues } from "./binary-cross-entropy.ts";
import { IGNORED } from "./cross-entropy.ts";
import {
  classWeights,
  expectFrom,
  type Given,
  type Loss,
  type LossValues,
  type Reduction,
  valueOrLoss,
} from "./loss.ts";

export type SigmoidFocalOptions = {
  /** The weight of positive examples, 1 - alpha that of negative ones; null: none. Default 0.25. */
  readonly alpha?: number | null;
  /** How much less well-classified examples count. Default 2. */
  readonly gamma?: number;
  /** Default "mean", over all elements; torchvision's is "none". */
  readonly reduction?: Reduction;
};

export type SoftmaxFocalOptions = {
  /** A weight for each class. Default 1 each. */
  readonly alpha?: readonly number[];
  /** How much less well-classified examples count. Default 2. */
  readonly gamma?: number;
  /** Positions with this label count nowhere. Default -100. */
  readonly ignoreIndex?: number;
  /** The axis of classes. Default 1, or 0 of a single example. */
  readonly classAxis?: number;
  /** Default "mean", over the positions that are not ignored; class weights do not change what it divides by. */
  readonly reduction?: Reduction;
};

/**
 * Focal loss of labels that exclude each other not: a_t (1 - p_t)^gamma BCE(z, y), with p = sigmoid(z),
 * p_t = p y + (1 - p)(1 - y) and a_t = alpha y + (1 - alpha)(1 - y).
 *
 * logits and target f32 of one shape. With tensors: the value. Without: a `Loss` for `fit`.
 *
 * Source: Lin et al., "Focal Loss for Dense Object Detection", 2017; torchvision.ops.sigmoid_focal_loss.
 *
 * @example
 * nn.sigmoidFocal(logits, target) // logit 0, target 1: 0.25 (1/2)^2 ln 2 = 0.0433
 */
export function sigmoidFocal(options?: SigmoidFocalOptions): Loss;
export function sigmoidFocal(logits: Tensor, target: Tensor, options?: SigmoidFocalOptions): Tensor;
export function sigmoidFocal(...given: Given<SigmoidFocalOptions>): Loss | Tensor {
  return valueOrLoss("sigmoidFocal", sigmoidFocalOf, given, ({ alpha, gamma }) => {
    expectFrom("sigmoidFocal", "gamma", gamma, 0);
    if (alpha != null && !(alpha >= 0 && alpha <= 1))
      throw new OptionError(`sigmoidFocal: got alpha ${alpha}; expected a number in [0, 1], or null.`);
  });
}

function sigmoidFocalOf(z: Tensor, y: Tensor, { alpha = 0.25, gamma = 2 }: SigmoidFocalOptions): LossValues {
  expectSameShape("sigmoidFocal", z, y);
  // 1 - p_t, without the cancellation of it.
  const miss = z
    .neg()
    .sigmoid()
    .mul(y)
    .add(z.sigmoid().mul(y.rsub(1)));
  const values = focused(binaryValues(z, y), miss, gamma);
  return { values: alpha === null ? values : values.mul(y.mul(2 * alpha - 1).add(1 - alpha)) };
}

/**
 * Focal loss of classes that exclude each other: -a_y (1 - p_y)^gamma ln p_y with p = softmax(z), a the class weights.
 *
 * logits f32[N, C, ...]; labels i32 or u8 [N, ...]. With gamma 0 it is `crossEntropy`. With tensors: the value. Without: a
 * `Loss` for `fit`.
 *
 * Source: Lin et al., "Focal Loss for Dense Object Detection", 2017.
 */
export function softmaxFocal(options?: SoftmaxFocalOptions): Loss;
export function softmaxFocal(logits: Tensor, labels: Tensor, options?: SoftmaxFocalOptions): Tensor;
export function softmaxFocal(...given: Given<SoftmaxFocalOptions>): Loss | Tensor {
  return valueOrLoss("softmaxFocal", softmaxFocalOf, given, ({ gamma }) =>
    expectFrom("softmaxFocal", "gamma", gamma, 0),
  );
}

function softmaxFocalOf(z: Tensor, target: Tensor, options: SoftmaxFocalOptions): LossValues {
  const { alpha, gamma = 2, ignoreIndex = IGNORED, classAxis } = options;
  const axis = classAxisOf("softmaxFocal", z, classAxis);
  const labels = labelsFor("softmaxFocal", z, target, axis);
  const right = z.iota(z.shape, axis).equal(labels.unsqueeze(axis));
  const counted = labels.notEqual(ignoreIndex);
  const logP = right.select(z.logSoftmax(axis), 0).sum(axis);
  const perClass = classWeights("softmaxFocal", z, axis, alpha);
  const values = counted.select(focused(logP.neg(), logP.expm1().neg(), gamma), 0);
  return {
    values: perClass ? values.mul(right.select(perClass, 0).sum(axis)) : values,
    weights: counted.cast("f32"),
  };
}

/** values miss^gamma */
function focused(values: Tensor, miss: Tensor, gamma: number): Tensor {
  if (gamma === 0) return values;
  if (gamma === 1) return values.mul(miss);
  if (gamma === 2) return values.mul(miss.square());
  // The slope of a power below 1 is infinite at 0.
  return values.mul(miss.maximum(1e-30).pow(gamma));
}
