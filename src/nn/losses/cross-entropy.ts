import { formatAval, sameShape } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import { array } from "../core/host-array.ts";
import type { Tensor } from "../ops/tensor.ts";
import { customVjp } from "../trace/grad.ts";
import { classAxisOf, labelsFor, type Reduction } from "./reduction.ts";

export type CrossEntropyOptions = {
  /** The share of the target that is spread evenly over all classes. Default 0. */
  readonly labelSmoothing?: number;
  /** Default "mean". */
  readonly reduction?: Reduction;
  /** A weight for each class. Default 1 each. */
  readonly weight?: readonly number[];
};

/** The loss, and what its mean divides by. */
export function crossEntropyOf(
  logits: Tensor,
  target: Tensor,
  options: CrossEntropyOptions,
): { readonly loss: Tensor; readonly divisor: Tensor } {
  const { labelSmoothing = 0, reduction = "mean", weight } = options;
  const axis = classAxisOf("crossEntropy", logits);
  const classes = logits.shape[axis] as number;
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
    throw new OptionError(`crossEntropy: got labelSmoothing ${labelSmoothing}; expected a number in [0, 1].`);
  if (weight && weight.length !== classes)
    throw new OptionError(`crossEntropy: got ${weight.length} class weights; expected ${classes}, one for each class.`);
  const alongClasses = logits.shape.map((_, i) => (i === axis ? classes : 1));
  const weights = weight && logits.constant(array(weight)).reshape(alongClasses);
  const count = logits.shape.reduce((n, size, i) => (i === axis ? n : n * size), 1);

  let values: Tensor;
  let divisor = logits.full(count);
  if (target.dtype === "f32") {
    if (!sameShape(target.shape, logits.shape))
      throw new ShapeError(
        `crossEntropy: got logits ${formatAval(logits.aval)} and probabilities ${formatAval(target.aval)}; expected equal shapes.`,
      );
    const smooth = labelSmoothing > 0 ? target.mul(1 - labelSmoothing).add(labelSmoothing / classes) : target;
    values = againstProbabilities(logits, weights ? smooth.mul(weights) : smooth, axis);
  } else {
    const labels = labelsFor("crossEntropy", logits, target, axis);
    const right = logits.iota(logits.shape, axis).equal(labels.unsqueeze(axis));
    const ownWeight = weights && right.select(weights, 0).sum(axis);
    if (ownWeight) divisor = ownWeight.sum();
    if (labelSmoothing > 0) {
      const q = right
        .cast("f32")
        .mul(1 - labelSmoothing)
        .add(labelSmoothing / classes);
      values = againstProbabilities(logits, weights ? q.mul(weights) : q, axis);
    } else {
      const plain = againstLabels(logits, labels, axis);
      values = ownWeight ? plain.mul(ownWeight) : plain;
    }
  }
  if (reduction === "none") return { loss: values, divisor };
  const sum = values.sum();
  if (reduction === "sum") return { loss: sum, divisor };
  return { loss: target.dtype !== "f32" && weights ? sum.div(divisor) : sum.mul(1 / count), divisor };
}

/** The logits less their maximum, and ln sum e^that along the axis: exact where all logits are large. */
function shifted(logits: Tensor, axis: number): { readonly z: Tensor; readonly logSum: Tensor } {
  const z = logits.sub(logits.max(axis, { keepDims: true }).stopGradient());
  return { z, logSum: z.exp().sum(axis).log() };
}

/** logSumExp(z) - z_label; derivative softmax(z) - onehot. */
function againstLabels(logits: Tensor, labels: Tensor, axis: number): Tensor {
  const isOwn = (z: Tensor, own: Tensor): Tensor => z.iota(z.shape, axis).equal(own.unsqueeze(axis));
  const call = customVjp(
    (...inputs) => {
      const [x, own] = inputs as readonly [Tensor, Tensor];
      const { z, logSum } = shifted(x, axis);
      return logSum.sub(isOwn(x, own).select(z, 0).sum(axis));
    },
    (g, _output, ...inputs) => {
      const [x, own] = inputs as readonly [Tensor, Tensor];
      return [x.softmax(axis).sub(isOwn(x, own).cast("f32")).mul(g.unsqueeze(axis)), null];
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
