import { formatAval, sameShape } from "../../core/dtype.ts";
import { OptionError, ShapeError } from "../../core/errors.ts";
import type { Tensor } from "../../ops/tensor.ts";
import { customVjp } from "../../trace/grad.ts";
import { classAxisOf, labelsFor } from "../targets.ts";
import { classWeights, type Given, type Loss, type LossValues, type Reduction, valueOrLoss } from "./loss.ts";

/** The label that counts nowhere, unless another is named. */
export const IGNORED = -100;

export type NllOptions = {
  /** A weight for each class. Default 1 each. */
  readonly weight?: readonly number[];
  /** Positions with this label count nowhere. Default -100. */
  readonly ignoreIndex?: number;
  /** The axis of classes. Default 1, or 0 of a single example f32[C]; -1 for a language model's f32[N, L, C]. */
  readonly classAxis?: number;
  /** Default "mean". */
  readonly reduction?: Reduction;
};

export type CrossEntropyOptions = NllOptions & {
  /** The share of the target that is spread evenly over all classes. Default 0. */
  readonly labelSmoothing?: number;
};

/**
 * Cross entropy of softmax(logits) with labels or probabilities: per position sum_c q_c w_c (logSumExp(z) - z_c), with
 * q = (1 - s) onehot(label) + s / C (s the label smoothing, w the class weights).
 *
 * logits f32[N, C, ...]; target i32 or u8 [N, ...] of labels in 0..C-1, or f32 like the logits of probabilities. The mean
 * divides by the number of positions, with labels by the sum of the labels' weights without those ignored, as PyTorch: where
 * all are ignored it is NaN. The gradient is (softmax - q) / N, without a pass through the logarithm. Labels out of range
 * are found when data is loaded; here they count as no class.
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
export function crossEntropy(...given: Given<CrossEntropyOptions>): Loss | Tensor {
  return valueOrLoss("crossEntropy", crossEntropyOf, given, (options) => {
    const { labelSmoothing = 0 } = options;
    checkLabels("crossEntropy", options);
    if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
      throw new OptionError(`crossEntropy: got labelSmoothing ${labelSmoothing}; expected a number in [0, 1].`);
  });
}

/**
 * Negative log likelihood: per position -w_y x_y for log probabilities x and the label y (w the class weights).
 *
 * x f32[N, C, ...], as `logSoftmax` gives them; labels i32 or u8 [N, ...]. The mean divides by the sum of the labels'
 * weights without those ignored, as PyTorch. Cross entropy from logits is `crossEntropy`.
 *
 * With a tensor: the value. Without: a `Loss` for `fit`.
 *
 * Errors: ShapeError when the labels do not fit; OptionError for class weights of another number than classes.
 *
 * @example
 * nn.nll(logits.logSoftmax(1), labels) // crossEntropy(logits, labels)
 */
export function nll(options?: NllOptions): Loss;
export function nll(logProbabilities: Tensor, labels: Tensor, options?: NllOptions): Tensor;
export function nll(...given: Given<NllOptions>): Loss | Tensor {
  return valueOrLoss("nll", nllOf, given, (options) => checkLabels("nll", options));
}

function checkLabels(op: string, { ignoreIndex = IGNORED, classAxis = 1 }: NllOptions): void {
  for (const [name, value] of Object.entries({ ignoreIndex, classAxis }))
    if (!Number.isInteger(value)) throw new OptionError(`${op}: got ${name} ${value}; expected a whole number.`);
}

function nllOf(x: Tensor, target: Tensor, options: NllOptions): LossValues {
  const axis = classAxisOf("nll", x, options.classAxis);
  const { labels, right, counted, own, weights } = labelled("nll", x, target, axis, options);
  const values = counted(labels).select(right.select(x, 0).sum(axis).neg(), 0);
  return { values: own ? values.mul(own) : values, weights };
}

function crossEntropyOf(logits: Tensor, target: Tensor, options: CrossEntropyOptions): LossValues {
  const { labelSmoothing = 0, weight } = options;
  const axis = classAxisOf("crossEntropy", logits, options.classAxis);
  const smoothed = (q: Tensor): Tensor =>
    labelSmoothing > 0 ? q.mul(1 - labelSmoothing).add(labelSmoothing / (logits.shape[axis] as number)) : q;
  if (target.dtype === "f32") {
    if (!sameShape(target.shape, logits.shape))
      throw new ShapeError(
        `crossEntropy: got logits ${formatAval(logits.aval)} and probabilities ${formatAval(target.aval)}; expected equal shapes.`,
      );
    const perClass = classWeights("crossEntropy", logits, axis, weight);
    const q = smoothed(target);
    return { values: againstProbabilities(logits, perClass ? q.mul(perClass) : q, axis) };
  }
  const { labels, right, counted, perClass, own, weights } = labelled("crossEntropy", logits, target, axis, options);
  if (labelSmoothing > 0) {
    const q = smoothed(right.cast("f32"));
    const values = againstProbabilities(logits, perClass ? q.mul(perClass) : q, axis);
    return { values: counted(labels).select(values, 0), weights };
  }
  const values = againstLabels(logits, labels, axis, counted);
  return { values: own ? values.mul(own) : values, weights };
}

type Labelled = {
  readonly labels: Tensor;
  /** Where a class is the label's, bool of the scores' shape. */
  readonly right: Tensor;
  /** Which of these labels count. */
  readonly counted: (labels: Tensor) => Tensor;
  readonly perClass: Tensor | undefined;
  /** The weights of the labels' classes. */
  readonly own: Tensor | undefined;
  /** The same, 0 where ignored, or 1 where classes have no weights. */
  readonly weights: Tensor;
};

function labelled(op: string, scores: Tensor, target: Tensor, axis: number, options: NllOptions): Labelled {
  const { ignoreIndex = IGNORED } = options;
  const labels = labelsFor(op, scores, target, axis);
  const right = scores.iota(scores.shape, axis).equal(labels.unsqueeze(axis));
  const perClass = classWeights(op, scores, axis, options.weight);
  const own = perClass && right.select(perClass, 0).sum(axis);
  const counted = (labels: Tensor): Tensor => labels.notEqual(ignoreIndex);
  const weights = own ? counted(labels).select(own, 0) : counted(labels).cast("f32");
  return { labels, right, counted, perClass, own, weights };
}

/** The logits less their maximum, and ln sum e^that along the axis: exact where all logits are large. */
function shifted(logits: Tensor, axis: number): { readonly z: Tensor; readonly logSum: Tensor } {
  const z = logits.sub(logits.max(axis, { keepDims: true }).stopGradient());
  return { z, logSum: z.exp().sum(axis).log() };
}

/** logSumExp(z) - z_label, 0 where not counted; derivative softmax(z) - onehot. */
function againstLabels(logits: Tensor, labels: Tensor, axis: number, counted: (own: Tensor) => Tensor): Tensor {
  const isOwn = (z: Tensor, own: Tensor): Tensor => z.iota(z.shape, axis).equal(own.unsqueeze(axis));
  const call = customVjp(
    (...inputs) => {
      const [x, own] = inputs as readonly [Tensor, Tensor];
      const { z, logSum } = shifted(x, axis);
      return counted(own).select(logSum.sub(isOwn(x, own).select(z, 0).sum(axis)), 0);
    },
    (g, _output, ...inputs) => {
      const [x, own] = inputs as readonly [Tensor, Tensor];
      const each = counted(own).select(g, 0).unsqueeze(axis);
      return [x.softmax(axis).sub(isOwn(x, own).cast("f32")).mul(each), null];
    },
  );
  return call(logits, labels);
}

/** sum_c q_c (logSumExp(z) - z_c) for any q; derivatives softmax(z) sum(q) - q, and logSumExp(z) - z_c. */
function againstProbabilities(logits: Tensor, probabilities: Tensor, axis: number): Tensor {
  const call = customVjp(
    (...inputs) => {
      const [x, q] = inputs as readonly [Tensor, Tensor];
      const { z, logSum } = shifted(x, axis);
      return q.sum(axis).mul(logSum).sub(q.mul(z).sum(axis));
    },
    (g, _output, ...inputs) => {
      const [x, q] = inputs as readonly [Tensor, Tensor];
      const each = g.unsqueeze(axis);
      const dLogits = x
        .softmax(axis)
        .mul(q.sum(axis, { keepDims: true }))
        .sub(q);
      return [dLogits.mul(each), x.logSoftmax(axis).neg().mul(each)];
    },
  );
  return call(logits, probabilities);
}
