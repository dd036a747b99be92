import { formatAval, sameShape } from "../../core/dtype.ts";
import { OptionError, ShapeError } from "../../core/errors.ts";
import type { Tensor } from "../../ops/tensor.ts";
import { logSigmoid, softplus } from "../functional.ts";
import { classAxisOf, expectSameShape, labelsFor } from "../targets.ts";
import {
  clampAtZero,
  classWeights,
  expectFinite,
  type Given,
  type Loss,
  type LossValues,
  type Reduction,
  signsFor,
  valueOrLoss,
} from "./loss.ts";

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
 * PyTorch's `multi_margin_loss` also divides by the number of classes: `multiMargin`.
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
export function hinge(...given: Given<HingeOptions>): Loss | Tensor {
  return valueOrLoss(
    "hinge",
    (scores, labels, { delta = 1, squared = false }): LossValues => {
      const { right, margins, axis } = marginsOf("hinge", scores, labels, delta);
      return { values: right.select(0, squared ? margins.square() : margins).sum(axis) };
    },
    given,
  );
}

export type MultiMarginOptions = {
  /** The power of each margin: 1 or 2. Default 1. */
  readonly p?: 1 | 2;
  /** Default 1. */
  readonly margin?: number;
  /** A weight for each class. Default 1 each. */
  readonly weight?: readonly number[];
  /** Default "mean", over the examples; class weights do not change what it divides by. */
  readonly reduction?: Reduction;
};

/**
 * sum over j != y of w_y max(0, margin - s_y + s_j)^p / C: `hinge` divided by the number of classes.
 *
 * scores f32[N, C, ...]; labels i32 or u8 [N, ...]. With a tensor: the value. Without: a `Loss` for `fit`.
 */
export function multiMargin(options?: MultiMarginOptions): Loss;
export function multiMargin(scores: Tensor, labels: Tensor, options?: MultiMarginOptions): Tensor;
export function multiMargin(...given: Given<MultiMarginOptions>): Loss | Tensor {
  return valueOrLoss("multiMargin", multiMarginOf, given, ({ p = 1, margin }) => {
    if (p !== 1 && p !== 2) throw new OptionError(`multiMargin: got p ${p}; expected 1 or 2.`);
    expectFinite("multiMargin", "margin", margin);
  });
}

function multiMarginOf(scores: Tensor, labels: Tensor, { p = 1, margin = 1, weight }: MultiMarginOptions): LossValues {
  const { right, margins, axis } = marginsOf("multiMargin", scores, labels, margin);
  const powers = p === 2 ? margins.square() : margins;
  const perClass = classWeights("multiMargin", scores, axis, weight);
  const summed = right
    .select(0, powers)
    .sum(axis)
    .mul(1 / (scores.shape[axis] as number));
  return { values: perClass ? summed.mul(right.select(perClass, 0).sum(axis)) : summed };
}

/** max(0, s_j - s_y + margin) for each class j, and where j is y. */
function marginsOf(op: string, scores: Tensor, given: Tensor, margin: number) {
  const axis = classAxisOf(op, scores);
  const labels = labelsFor(op, scores, given, axis);
  const right = scores.iota(scores.shape, axis).equal(labels.unsqueeze(axis));
  const own = right.select(scores, 0).sum(axis, { keepDims: true });
  return { axis, right, margins: scores.sub(own).add(margin).relu() };
}

/** Two values, or two lists of vectors, that are compared. */
export type Pair<T = Tensor> = { readonly x1: T; readonly x2: T };

export type MarginOptions = {
  /** Default 0, of `hingeEmbedding` 1. */
  readonly margin?: number;
  /** Default "mean". */
  readonly reduction?: Reduction;
};

/**
 * max(0, margin - y (x1 - x2)): y is 1 where x1 should rank above x2, -1 where below. The derivative at the kink is that of
 * the slope, as PyTorch's.
 *
 * The output is a record of x1 and x2, f32 of one shape; y f32 or i32 of it too. With tensors: the value. Without: a `Loss`
 * for `fit`.
 */
export function marginRanking(options?: MarginOptions): Loss<Pair>;
export function marginRanking(output: Pair, target: Tensor, options?: MarginOptions): Tensor;
export function marginRanking(...given: Given<MarginOptions, Pair>): Loss<Pair> | Tensor {
  return valueOrLoss(
    "marginRanking",
    ({ x1, x2 }, target, { margin = 0 }): LossValues => {
      expectSameShape("marginRanking", x1, x2);
      const y = signsFor("marginRanking", target, x1.shape);
      return { values: clampAtZero(y.neg().mul(x1.sub(x2)).add(margin)) };
    },
    given,
    ({ margin }) => expectFinite("marginRanking", "margin", margin),
  );
}

/**
 * x where y is 1, max(0, margin - x) where y is -1, for distances x.
 *
 * x f32, y f32 or i32 of its shape. With tensors: the value. Without: a `Loss` for `fit`.
 */
export function hingeEmbedding(options?: MarginOptions): Loss;
export function hingeEmbedding(output: Tensor, target: Tensor, options?: MarginOptions): Tensor;
export function hingeEmbedding(...given: Given<MarginOptions>): Loss | Tensor {
  return valueOrLoss(
    "hingeEmbedding",
    (x, target, { margin = 1 }): LossValues => {
      const y = signsFor("hingeEmbedding", target, x.shape);
      const far = y.notEqual(1).select(clampAtZero(x.rsub(margin)), 0);
      return { values: far.add(y.notEqual(-1).select(x, 0)) };
    },
    given,
    ({ margin }) => expectFinite("hingeEmbedding", "margin", margin),
  );
}

export type SoftMarginOptions = {
  /** Default "mean", over all elements. */
  readonly reduction?: Reduction;
};

/**
 * ln(1 + e^(-y x)) for y of 1 and -1, exact also where e^(-y x) overflows (PyTorch's is infinite there).
 *
 * x f32, y f32 or i32 of its shape. With tensors: the value. Without: a `Loss` for `fit`.
 */
export function softMargin(options?: SoftMarginOptions): Loss;
export function softMargin(output: Tensor, target: Tensor, options?: SoftMarginOptions): Tensor;
export function softMargin(...given: Given<SoftMarginOptions>): Loss | Tensor {
  return valueOrLoss(
    "softMargin",
    (x, target): LossValues => ({
      values: softplus(signsFor("softMargin", target, x.shape).neg().mul(x), { threshold: 40 }),
    }),
    given,
  );
}

export type MultiLabelMarginOptions = {
  /** Default "mean", over the examples. */
  readonly reduction?: Reduction;
};

/**
 * sum over labels j of an example and classes i that are none of its labels of max(0, 1 - s_j + s_i) / C.
 *
 * scores f32[N, C]; target i32[N, C]: the labels of each example, then -1, as PyTorch; what follows the first -1 does not
 * count. With tensors: the value. Without: a `Loss` for `fit`.
 */
export function multiLabelMargin(options?: MultiLabelMarginOptions): Loss;
export function multiLabelMargin(scores: Tensor, target: Tensor, options?: MultiLabelMarginOptions): Tensor;
export function multiLabelMargin(...given: Given<MultiLabelMarginOptions>): Loss | Tensor {
  return valueOrLoss("multiLabelMargin", multiLabelMarginOf, given);
}

function multiLabelMarginOf(scores: Tensor, target: Tensor): LossValues {
  const axis = scores.rank - 1;
  const classes = scores.shape[axis] ?? 0;
  if (
    scores.dtype !== "f32" ||
    axis < 0 ||
    axis > 1 ||
    target.dtype !== "i32" ||
    !sameShape(scores.shape, target.shape)
  )
    throw new ShapeError(
      `multiLabelMargin: got scores ${formatAval(scores.aval)} and target ${formatAval(target.aval)}; expected f32[N, C] and i32[N, C].`,
    );
  const place = scores.iota(scores.shape, axis);
  const end = target.less(0).select(place, classes).min(axis, { keepDims: true });
  const listed = place.less(end);
  // [..., labels, classes] from here on.
  const square = [...scores.shape, classes];
  const own = target
    .unsqueeze(-1)
    .equal(scores.iota(square, axis + 1))
    .and(listed.unsqueeze(-1));
  const isLabel = own.cast("i32").max(axis, { keepDims: true }).greater(0);
  const across = scores.unsqueeze(axis);
  const score = own.select(across, 0).sum(-1, { keepDims: true });
  const margins = across.sub(score).add(1).relu();
  const counts = listed.unsqueeze(-1).and(isLabel.not());
  return {
    values: counts
      .select(margins, 0)
      .sum([axis, axis + 1])
      .mul(1 / classes),
  };
}

export type MultiLabelSoftMarginOptions = {
  /** A weight for each class. Default 1 each. */
  readonly weight?: readonly number[];
  /** Default "mean", over all but the last axis. */
  readonly reduction?: Reduction;
};

/**
 * Binary cross entropy of sigmoid(x), mean over the classes: -mean_c w_c (y ln sigmoid(x) + (1 - y) ln sigmoid(-x)).
 *
 * logits and target f32 of one shape [..., C]. With tensors: the value. Without: a `Loss` for `fit`.
 */
export function multiLabelSoftMargin(options?: MultiLabelSoftMarginOptions): Loss;
export function multiLabelSoftMargin(logits: Tensor, target: Tensor, options?: MultiLabelSoftMarginOptions): Tensor;
export function multiLabelSoftMargin(...given: Given<MultiLabelSoftMarginOptions>): Loss | Tensor {
  return valueOrLoss(
    "multiLabelSoftMargin",
    (x, y, { weight }): LossValues => {
      expectSameShape("multiLabelSoftMargin", x, y);
      const each = y
        .mul(logSigmoid(x))
        .add(y.rsub(1).mul(logSigmoid(x.neg())))
        .neg();
      const perClass = classWeights("multiLabelSoftMargin", x, x.rank - 1, weight);
      return { values: (perClass ? each.mul(perClass) : each).mean(-1) };
    },
    given,
  );
}
