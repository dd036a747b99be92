import { mapTree, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { biasCorrectionOf, type HyperSpecs, type Rule, resolve, transformOf, zerosLike } from "./hyper.ts";
import { type BetaOptions, denominatorOf, momentHypers, movingAverage, square } from "./moments.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 1e-3, min: 0, text: "a, the learning rate" },
  beta1: momentHypers.beta1,
  beta2: momentHypers.beta2,
  eps: momentHypers.eps,
} as const satisfies HyperSpecs;

export type SparseAdamOptions = BetaOptions & {
  /** Default 1e-8. */
  readonly eps?: Hyper;
};

export type SparseAdamState = { readonly m: TensorTree; readonly v: TensorTree };

/** Whether any element of the row (the index along axis 0) is not 0, with a 1 for each other axis: bool[rows, 1, ...]. */
function touchedRows(g: Tensor): Tensor {
  const axes = g.shape.map((_, axis) => axis).slice(1);
  return (axes.length === 0 ? g : g.abs().max(axes, { keepDims: true })).notEqual(0);
}

/**
 * Adam on the rows that have a gradient: there m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g²;
 * x += -a sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps). The other rows, and their m and v, stay as they are.
 *
 * @param rate a, a number or a schedule. Default 1e-3.
 * @param options `beta1` 0.9, `beta2` 0.999, `eps` 1e-8: as torch.optim.SparseAdam.
 *
 * A row is an index along axis 0 (an element, for a vector); it has a gradient where that is not 0 throughout: the rows of an
 * embedding that the batch looked up. t counts all updates, not those of the row. eps stands beside the raw root, as in Keras's
 * Adam and unlike in torch.optim.Adam. Throws OptionError for a value out of range.
 *
 * Source: torch.optim.SparseAdam; Kingma and Ba, "Adam", 2015, end of section 2.
 *
 * @example
 * optim.sparseAdam(0.01).config // -> { name: "sparseAdam", rate: 0.01, beta1: 0.9, beta2: 0.999, eps: 1e-8 }
 */
export function sparseAdam(rate?: Hyper, options: SparseAdamOptions = {}): Transform<SparseAdamState> {
  const values = resolve("sparseAdam", hypers, rate, options);
  const { beta1, beta2 } = values;
  return transformOf(sparseAdamRule, values, {
    init: (params) => ({ m: zerosLike(params), v: zerosLike(params) }),
    update(gradients, state, ctx) {
      const down = ctx
        .hyper("rate", values.rate)
        .mul(biasCorrectionOf(ctx, "beta2", beta2).sqrt())
        .div(biasCorrectionOf(ctx, "beta1", beta1))
        .neg();
      const root = denominatorOf(ctx, values);
      const touched = mapTree(gradients, touchedRows);
      const where = (next: TensorTree, before: TensorTree): TensorTree =>
        zipTrees((_, touched, next, before) => touched.select(next, before), touched, next, before);
      const m = where(movingAverage(ctx, "beta1", beta1, state.m, gradients), state.m);
      const v = where(movingAverage(ctx, "beta2", beta2, state.v, gradients, square), state.v);
      return [zipTrees((_, touched, m, v) => touched.select(m.mul(down).div(root(v)), 0), touched, m, v), { m, v }];
    },
  });
}

export const sparseAdamRule: Rule = {
  name: "sparseAdam",
  role: "rule",
  equation: "x += -a sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps) in the rows whose gradient is not 0",
  source: "torch.optim.SparseAdam",
  hypers,
  create: sparseAdam as Rule["create"],
};
