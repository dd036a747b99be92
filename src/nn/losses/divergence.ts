import type { Tensor } from "../../ops/tensor.ts";
import { expectSameShape } from "../targets.ts";
import { type Given, type Loss, type LossValues, timesLog, valueOrLoss } from "./loss.ts";

export type KlDivergenceOptions = {
  /** The target holds logarithms of probabilities. Default false. */
  readonly logTarget?: boolean;
  /** "mean" is over all elements, as PyTorch; "batchmean" divides by the examples, which is the divergence. Default "mean". */
  readonly reduction?: "mean" | "batchmean" | "sum" | "none";
};

/**
 * Kullback-Leibler divergence of probabilities t from log probabilities x: t (ln t - x) per element, 0 where t is 0; with
 * `logTarget` e^t (t - x).
 *
 * Both f32 of one shape. With tensors: the value. Without: a `Loss` for `fit`.
 *
 * @example
 * nn.klDivergence(logits.logSoftmax(), teacher.softmax(), { reduction: "batchmean" })
 */
export function klDivergence(options?: KlDivergenceOptions): Loss;
export function klDivergence(output: Tensor, target: Tensor, options?: KlDivergenceOptions): Tensor;
export function klDivergence(...given: Given<KlDivergenceOptions>): Loss | Tensor {
  return valueOrLoss("klDivergence", klDivergenceOf, given, undefined, ["mean", "batchmean", "sum", "none"]);
}

function klDivergenceOf(x: Tensor, t: Tensor, { logTarget = false, reduction }: KlDivergenceOptions): LossValues {
  expectSameShape("klDivergence", x, t);
  const values = logTarget ? t.exp().mul(t.sub(x)) : timesLog(t, t).sub(t.equal(0).select(0, t.mul(x)));
  return reduction === "batchmean" ? { values, count: x.shape[0] ?? 1 } : { values };
}
