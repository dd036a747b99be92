import { mapTree } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { dotTrees } from "../trace/update-context.ts";
import { type HyperSpecs, type Rule, resolve, transformOf } from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { NoState, Transform } from "./transform.ts";

const hypers = {
  maxRate: { type: "number", default: 1, min: 0, text: "a, the largest learning rate" },
  scaling: { type: "number", default: 1, min: 0, text: "s, by which every step is multiplied" },
  minLoss: { type: "number", default: 0, text: "f*, below which the loss does not fall" },
  eps: { type: "number", default: 0, min: 0, text: "added to the square of the gradients' norm" },
  variant: {
    type: "choice",
    choices: ["sps", "sps+"],
    default: "sps",
    text: "go uphill where the loss is below f* (sps), or stay (sps+)",
  },
} as const satisfies HyperSpecs;

export type PolyakSgdOptions = {
  /** s. Default 1. */
  readonly scaling?: Hyper;
  /** f*. Default 0. */
  readonly minLoss?: Hyper;
  /** Default 0. */
  readonly eps?: Hyper;
  /** Default "sps". */
  readonly variant?: "sps" | "sps+";
};

/** A square norm at most this counts as 0, and no step is taken. */
const NOTHING = 2 ** -52;

/**
 * SGD with Polyak's step length, which needs no rate where f* is known: x += -s min((f - f*) / (|g|² + eps), a) g, f this batch's
 * loss.
 *
 * @param maxRate a, the largest step length, a number or a schedule. Default 1.
 * @param options `scaling` s 1, `minLoss` f* 0, `eps` 0, `variant` "sps"; with "sps+" f - f* is at least 0.
 *
 * As optax.polyak_sgd is documented (what it computes for s other than 1 is another: it takes |s g| for |g|). Where |g|² + eps is at
 * most 2^-52 nothing moves. With a wrong f* it diverges or stops early. Throws OptionError for a value out of range.
 *
 * Source: Loizou et al., "Stochastic Polyak Step-size for SGD", 2021; Garrigos et al., 2023 ("sps+").
 *
 * @example
 * optim.polyakSgd(1, { minLoss: 0.1 }).config
 * // -> { name: "polyakSgd", maxRate: 1, scaling: 1, minLoss: 0.1, eps: 0, variant: "sps" }
 */
export function polyakSgd(maxRate?: Hyper, options: PolyakSgdOptions = {}): Transform<NoState> {
  const values = resolve("polyakSgd", hypers, maxRate, options);
  return transformOf(polyakSgdRule, values, {
    init: () => ({}),
    update(gradients, state, ctx) {
      const a = ctx.hyper("maxRate", values.maxRate);
      const s = ctx.hyper("scaling", values.scaling);
      const gap = ctx.loss.sub(ctx.hyper("minLoss", values.minLoss));
      const above = values.variant === "sps+" ? gap.maximum(0) : gap;
      const square = dotTrees(gradients, gradients).add(ctx.hyper("eps", values.eps));
      const length = square.lessEqual(NOTHING).select(0, above.div(square).minimum(a));
      const down = length.mul(s).neg();
      return [mapTree<Tensor, Tensor>(gradients, (g) => g.mul(down)), state];
    },
  });
}

export const polyakSgdRule: Rule = {
  name: "polyakSgd",
  role: "rule",
  equation: "x += -s min((f - f*) / (|g|² + eps), a) g",
  source: "Loizou et al., 2021; Garrigos et al., 2023",
  hypers,
  create: polyakSgd as Rule["create"],
};
