import { formatAval, type Shape } from "../../core/dtype.ts";
import { OptionError, ShapeError } from "../../core/errors.ts";
import { Tensor } from "../../ops/tensor.ts";
import type { TensorTree } from "../../trace/grad.ts";
import { type Loss, type LossValues, shareOf } from "./loss.ts";

/** A target with a weight for each example, f32[N], or for each position of the loss's values. */
export type WeightedTarget<Target> = { readonly target: Target; readonly weight: Tensor };

/**
 * A loss whose examples have weights: sum(w l) / sum(w), with class weights c sum(w c l) / sum(w c). Weights of 1 give the loss
 * itself. The mean over several batches is exact: it divides by the sum of all weights.
 *
 * The target is a record: `fit` takes `targets: { target, weight }` with an f32 weight for each sample, or for each value
 * of the loss (the positions of a sequence). Where all weights of a batch are 0, so are the loss and its gradient.
 *
 * Errors: OptionError for a loss of your own without `values`; ShapeError when the weights do not fit.
 *
 * @example
 * const loss = nn.weighted(nn.crossEntropy({ labelSmoothing: 0.1 }));
 */
export function weighted<Output extends TensorTree, Target extends TensorTree>(
  loss: Loss<Output, Target>,
): Loss<Output, WeightedTarget<Target> & TensorTree> {
  if (loss.values === undefined)
    throw new OptionError(
      `weighted: got the loss ${loss.name} without values; expected them, before they are reduced.`,
    );
  const parts = (output: Output, { target, weight }: WeightedTarget<Target>): { values: Tensor; divisor: Tensor } => {
    const found = (loss.values as NonNullable<typeof loss.values>)(output, target);
    const { shape } = found.values;
    const own = alignedWeight(weight, shape);
    const share = shareOf(found);
    const divisor = own.broadcastTo(shape).mul(share);
    return { values: found.values.mul(own), divisor: divisor.sum() };
  };
  const isSum = loss.config.reduction === "sum";
  return {
    name: `weighted ${loss.name}`,
    config: { kind: "weighted", loss: loss.config },
    apply(output, target) {
      const { values, divisor } = parts(output, target);
      if (isSum) return values.sum();
      const none = divisor.equal(0);
      return values.sum().div(none.select(1, divisor));
    },
    weight: (output, target) => (isSum ? target.weight.full(1) : parts(output, target).divisor),
    values(output, target): LossValues {
      const { values } = parts(output, target);
      return { values };
    },
  };
}

/** The weights with axes of 1 after their own. */
function alignedWeight(weight: Tensor, shape: Shape): Tensor {
  if (
    !(weight instanceof Tensor) ||
    weight.dtype !== "f32" ||
    weight.rank > shape.length ||
    !weight.shape.every((size, i) => size === shape[i])
  )
    throw new ShapeError(
      `weighted: got weights ${weight instanceof Tensor ? formatAval(weight.aval) : typeof weight} for values of shape [${shape}]; expected f32[${shape[0] ?? ""}].`,
    );
  return weight.reshape([...weight.shape, ...shape.slice(weight.rank).map(() => 1)]);
}
