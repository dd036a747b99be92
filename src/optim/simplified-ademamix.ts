import { zipTrees } from "../core/tree.ts";
import {
  type DecoupledDecayOptions,
  decoupledDecayHypers,
  type HyperSpecs,
  type Rule,
  resolve,
  transformOf,
  zerosLike,
} from "./hyper.ts";
import { denominatorOf, momentHypers, movingAverage, secondScale, square } from "./moments.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 1e-3, min: 0, text: "a, the learning rate" },
  beta1: { ...momentHypers.beta1, default: 0.99, text: "decay of m, the sum of the gradients" },
  beta2: { ...momentHypers.beta2, default: 0.95 },
  alpha: { type: "number", default: 0, min: 0, text: "weight of the gradient beside m" },
  eps: momentHypers.eps,
  epsRoot: momentHypers.epsRoot,
  ...decoupledDecayHypers,
} as const satisfies HyperSpecs;

export type SimplifiedAdemamixOptions = DecoupledDecayOptions & {
  /** Default 0.99. */
  readonly beta1?: Hyper;
  /** Default 0.95. */
  readonly beta2?: Hyper;
  /** Default 0. */
  readonly alpha?: Hyper;
  /** Default 1e-8. */
  readonly eps?: Hyper;
  /** Added to v^ inside the root. Left out by default. */
  readonly epsRoot?: Hyper;
};

export type SimplifiedAdemamixState = { readonly m: TensorTree; readonly v: TensorTree };

/**
 * Simplified AdEMAMix: m = b1 m + g; v = b2 v + (1 - b2) g²; x += -a (m + alpha g) / (sqrt(v^) + eps), v^ = v / (1 - b2^t).
 *
 * @param rate a, a number or a schedule. Default 1e-3 (optax has none).
 * @param options `beta1` 0.99, `beta2` 0.95, `alpha` 0, `eps` 1e-8, `epsRoot` left out, `weightDecay` left out and decoupled:
 * as optax.contrib.simplified_ademamix.
 *
 * m is a sum of gradients, 1 / (1 - b1) times as large as Adam's mean: the rate is that much smaller. Throws OptionError for a
 * value out of range.
 *
 * Source: Morwani et al., "Connections between Schedule-Free Optimizers, AdEMAMix, and Accelerated SGD Variants", 2025.
 *
 * @example
 * optim.simplifiedAdemamix(1e-4).config
 * // -> { name: "simplifiedAdemamix", rate: 1e-4, beta1: 0.99, beta2: 0.95, alpha: 0, eps: 1e-8 }
 */
export function simplifiedAdemamix(
  rate?: Hyper,
  options: SimplifiedAdemamixOptions = {},
): Transform<SimplifiedAdemamixState> {
  const values = resolve("simplifiedAdemamix", hypers, rate, options);
  const { beta1, beta2 } = values;
  return transformOf(simplifiedAdemamixRule, values, {
    init: (params) => ({ m: zerosLike(params), v: zerosLike(params) }),
    update(gradients, state, ctx) {
      const b1 = ctx.hyper("beta1", beta1);
      const down = ctx.hyper("rate", values.rate).neg();
      const alpha = ctx.hyper("alpha", values.alpha);
      const root = denominatorOf(ctx, values, secondScale(ctx, beta2));
      const m = zipTrees((_, m, g) => m.mul(b1).add(g), state.m, gradients);
      const v = movingAverage(ctx, "beta2", beta2, state.v, gradients, square);
      const updates = zipTrees((_, m, v, g) => m.add(g.mul(alpha)).mul(down).div(root(v)), m, v, gradients);
      return [updates, { m, v }];
    },
  });
}

export const simplifiedAdemamixRule: Rule = {
  name: "simplifiedAdemamix",
  role: "rule",
  equation: "m = b1 m + g; x += -a (m + alpha g) / (sqrt(v^) + eps)",
  source: "Morwani et al., 2025",
  hypers,
  create: simplifiedAdemamix as Rule["create"],
};
