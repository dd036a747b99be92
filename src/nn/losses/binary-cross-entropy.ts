import type { Tensor } from "../../ops/tensor.ts";
import { customVjp } from "../../trace/grad.ts";
import { softplus } from "../functional.ts";
import { expectSameShape } from "../targets.ts";
import {
  constantFor,
  type Given,
  type Loss,
  type LossValues,
  type LossWeight,
  type Reduction,
  TINY,
  valueOrLoss,
  weighed,
} from "./loss.ts";

export type BinaryCrossEntropyOptions = {
  /** What the values are multiplied by; it does not change what the mean divides by. Default 1. */
  readonly weight?: LossWeight;
  /** Default "mean", over all elements. */
  readonly reduction?: Reduction;
};

export type BinaryCrossEntropyWithLogitsOptions = BinaryCrossEntropyOptions & {
  /** What positive examples count: a number, or a list along the last axis. Above 1 for more recall. Default 1. */
  readonly posWeight?: LossWeight;
};

/**
 * Binary cross entropy of sigmoid(logits): p y ln(1 + e^-z) + (1 - y) ln(1 + e^z), p the weight of positive examples.
 *
 * logits and target f32 of one shape, targets in [0, 1]: one class, or several labels at once. Exact for large logits, and at
 * infinite ones the limit (PyTorch gives NaN there).
 *
 * With tensors: the value. Without: a `Loss` for `fit`.
 *
 * @example
 * nn.binaryCrossEntropyWithLogits(logits, target, { posWeight: 3 }) // logit 0, target 1: 3 ln 2 = 2.079
 */
export function binaryCrossEntropyWithLogits(options?: BinaryCrossEntropyWithLogitsOptions): Loss;
export function binaryCrossEntropyWithLogits(
  logits: Tensor,
  target: Tensor,
  options?: BinaryCrossEntropyWithLogitsOptions,
): Tensor;
export function binaryCrossEntropyWithLogits(...given: Given<BinaryCrossEntropyWithLogitsOptions>): Loss | Tensor {
  return valueOrLoss("binaryCrossEntropyWithLogits", withLogits, given);
}

function withLogits(
  logits: Tensor,
  target: Tensor,
  { weight, posWeight }: BinaryCrossEntropyWithLogitsOptions,
): LossValues {
  const op = "binaryCrossEntropyWithLogits";
  expectSameShape(op, logits, target);
  const positive = posWeight === undefined ? undefined : constantFor(op, "posWeight", logits, logits.shape, posWeight);
  return { values: weighed(op, binaryValues(logits, target, positive), weight) };
}

/** a b, and 0 where a is 0, also beside an infinite b. */
const product = (a: Tensor, b: Tensor): Tensor => a.equal(0).select(0, a.mul(b));

/**
 * p y softplus(-z) + (1 - y) softplus(z); derivatives (1 - y) sigmoid(z) - p y sigmoid(-z) by z and
 * p softplus(-z) - softplus(z) by y.
 */
export function binaryValues(logits: Tensor, target: Tensor, positive?: Tensor): Tensor {
  const scaled = (y: Tensor): Tensor => (positive ? y.mul(positive) : y);
  const call = customVjp(
    (...inputs) => {
      const [z, y] = inputs as readonly [Tensor, Tensor];
      return product(scaled(y), softplus(z.neg())).add(product(y.rsub(1), softplus(z)));
    },
    (g, _output, ...inputs) => {
      const [z, y] = inputs as readonly [Tensor, Tensor];
      const dLogits = y.rsub(1).mul(z.sigmoid()).sub(scaled(y).mul(z.neg().sigmoid()));
      const dTarget = positive ? softplus(z.neg()).mul(positive).sub(softplus(z)) : z.neg();
      return [g.mul(dLogits), g.mul(dTarget)];
    },
  );
  return call(logits, target);
}

/**
 * Binary cross entropy of probabilities: -(y max(ln x, -100) + (1 - y) max(ln(1 - x), -100)), the logarithms bounded as in
 * PyTorch; the derivative by x is (x - y) / max(x (1 - x), 1e-12).
 *
 * x and target f32 of one shape, both in [0, 1]; outside of it the value is NaN. Prefer `binaryCrossEntropyWithLogits`,
 * which is exact where a sigmoid saturates.
 *
 * With tensors: the value. Without: a `Loss` for `fit`.
 *
 * @example
 * nn.binaryCrossEntropy(probabilities, target) // probability 0, target 1: 100
 */
export function binaryCrossEntropy(options?: BinaryCrossEntropyOptions): Loss;
export function binaryCrossEntropy(probabilities: Tensor, target: Tensor, options?: BinaryCrossEntropyOptions): Tensor;
export function binaryCrossEntropy(...given: Given<BinaryCrossEntropyOptions>): Loss | Tensor {
  return valueOrLoss("binaryCrossEntropy", ofProbabilities, given);
}

function ofProbabilities(probabilities: Tensor, target: Tensor, { weight }: BinaryCrossEntropyOptions): LossValues {
  expectSameShape("binaryCrossEntropy", probabilities, target);
  const call = customVjp(
    (...inputs) => {
      const [x, y] = inputs as readonly [Tensor, Tensor];
      const no = x.neg().log1p().maximum(-100).mul(y.rsub(1));
      return x.log().maximum(-100).mul(y).add(no).neg();
    },
    (g, _output, ...inputs) => {
      const [x, y] = inputs as readonly [Tensor, Tensor];
      const spread = x.mul(x.rsub(1)).maximum(TINY);
      return [g.mul(x.sub(y).div(spread)), g.mul(x.neg().log1p().sub(x.log()))];
    },
  );
  return { values: weighed("binaryCrossEntropy", call(probabilities, target), weight) };
}
