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
import {
  type BetaOptions,
  denominatorOf,
  descentOf,
  momentHypers,
  movingAverage,
  secondScale,
  square,
} from "./moments.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 1e-3, min: 0, text: "a, the learning rate" },
  ...momentHypers,
  beta3: { ...momentHypers.beta1, default: 0.9999, text: "decay of the slow mean of the gradients" },
  alpha: { type: "number", default: 5, min: 0, text: "weight of the slow mean" },
  ...decoupledDecayHypers,
} as const satisfies HyperSpecs;

export type AdemamixOptions = DecoupledDecayOptions &
  BetaOptions & {
    /** Default 0.9999. */
    readonly beta3?: Hyper;
    /** Default 5. */
    readonly alpha?: Hyper;
    /** Default 1e-8. */
    readonly eps?: Hyper;
    /** Added to v^ inside the root. Left out by default. */
    readonly epsRoot?: Hyper;
  };

export type AdemamixState = { readonly m: TensorTree; readonly slow: TensorTree; readonly v: TensorTree };

/**
 * AdEMAMix, Adam with a second, slow mean: slow = b3 slow + (1 - b3) g; x += -a (m^ + alpha slow) / (sqrt(v^) + eps), with
 * m^ and v^ as in Adam.
 *
 * @param rate a, a number or a schedule. Default 1e-3 (optax has none).
 * @param options `beta1` 0.9, `beta2` 0.999, `beta3` 0.9999, `alpha` 5, `eps` 1e-8, `epsRoot` left out, `weightDecay` left out
 * and decoupled: as optax.contrib.ademamix (whose `scale_by_ademamix` has `alpha` 6).
 *
 * The slow mean starts from 0 and is not corrected. The paper lets `beta3` and `alpha` rise over the run: give schedules.
 *
 * Throws OptionError for a value out of range.
 *
 * Source: Pagliardini, Ablin and Grangier, "The AdEMAMix Optimizer: Better, Faster, Older", 2024.
 *
 * @example
 * optim.ademamix(1e-3, { alpha: schedule.warmup(5, { steps: 1000 }) }).config.beta3 // -> 0.9999
 */
export function ademamix(rate?: Hyper, options: AdemamixOptions = {}): Transform<AdemamixState> {
  const values = resolve("ademamix", hypers, rate, options);
  const { beta1, beta2, beta3 } = values;
  return transformOf(ademamixRule, values, {
    init: (params) => ({ m: zerosLike(params), slow: zerosLike(params), v: zerosLike(params) }),
    update(gradients, state, ctx) {
      const ofSlow = ctx.hyper("rate", values.rate).mul(ctx.hyper("alpha", values.alpha)).neg();
      const descent = descentOf(ctx, values);
      const root = denominatorOf(ctx, values, secondScale(ctx, beta2));
      const m = movingAverage(ctx, "beta1", beta1, state.m, gradients);
      const slow = movingAverage(ctx, "beta3", beta3, state.slow, gradients);
      const v = movingAverage(ctx, "beta2", beta2, state.v, gradients, square);
      const updates = zipTrees(
        (_, m, slow, v, g) => descent(m, g).add(slow.mul(ofSlow)).div(root(v)),
        m,
        slow,
        v,
        gradients,
      );
      return [updates, { m, slow, v }];
    },
  });
}

export const ademamixRule: Rule = {
  name: "ademamix",
  role: "rule",
  equation: "slow = b3 slow + (1 - b3) g; x += -a (m^ + alpha slow) / (sqrt(v^) + eps)",
  source: "Pagliardini, Ablin and Grangier, 2024",
  hypers,
  create: ademamix as Rule["create"],
};
