import { zipTrees } from "../core/tree.ts";
import {
  type DecoupledDecayOptions,
  decoupledDecayHypers,
  type HyperSpecs,
  oneMinus,
  type Rule,
  resolve,
  transformOf,
  zerosLike,
} from "./hyper.ts";
import { type BetaOptions, denominatorOf, descentOf, momentHypers, movingAverage, secondScale } from "./moments.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 1e-3, min: 0, text: "a, the learning rate" },
  beta1: momentHypers.beta1,
  beta2: { ...momentHypers.beta2, text: "decay of s, the mean of the squared distances from m" },
  eps: { ...momentHypers.eps, default: 1e-16 },
  epsRoot: { type: "number", default: 1e-16, min: 0, text: "added to s at each step" },
  nesterov: { type: "flag", default: false, text: "look ahead as Nesterov's momentum does" },
  ...decoupledDecayHypers,
} as const satisfies HyperSpecs;

export type AdabeliefOptions = DecoupledDecayOptions &
  BetaOptions & {
    /** Default 1e-16. */
    readonly eps?: Hyper;
    /** Added to s at each step, so that it adds up. Default 1e-16. */
    readonly epsRoot?: Hyper;
    /** Default false. */
    readonly nesterov?: boolean;
  };

export type AdabeliefState = { readonly m: TensorTree; readonly s: TensorTree };

/**
 * AdaBelief: m = b1 m + (1 - b1) g; s = b2 s + (1 - b2) (g - m)² + epsRoot; x += -a m^ / (sqrt(s^) + eps) with
 * m^ = m / (1 - b1^t), s^ = s / (1 - b2^t).
 *
 * @param rate a, a number or a schedule. Default 1e-3 (optax has none).
 * @param options `beta1` 0.9, `beta2` 0.999, `eps` 1e-16, `epsRoot` 1e-16, `nesterov` false, as optax.adabelief;
 * `weightDecay` left out, decoupled as in the paper's code.
 *
 * g - m is from the new m. Throws OptionError for a value out of range.
 *
 * Source: Zhuang et al., "AdaBelief Optimizer: Adapting Stepsizes by the Belief in Observed Gradients", 2020.
 *
 * @example
 * optim.adabelief(0.01).config
 * // -> { name: "adabelief", rate: 0.01, beta1: 0.9, beta2: 0.999, eps: 1e-16, epsRoot: 1e-16, nesterov: false }
 */
export function adabelief(rate?: Hyper, options: AdabeliefOptions = {}): Transform<AdabeliefState> {
  const values = resolve("adabelief", hypers, rate, options);
  const { beta1, beta2, eps } = values;
  return transformOf(adabeliefRule, values, {
    init: (params) => ({ m: zerosLike(params), s: zerosLike(params) }),
    update(gradients, state, ctx) {
      const b2 = ctx.hyper("beta2", beta2);
      const oneMinusB2 = ctx.hyper("beta2", beta2, oneMinus);
      const epsRoot = ctx.hyper("epsRoot", values.epsRoot);
      const descent = descentOf(ctx, values);
      const root = denominatorOf(ctx, { eps }, secondScale(ctx, beta2));

      const m = movingAverage(ctx, "beta1", beta1, state.m, gradients);
      const s = zipTrees(
        (_, s, g, m) => s.mul(b2).add(g.sub(m).square().mul(oneMinusB2)).add(epsRoot),
        state.s,
        gradients,
        m,
      );
      return [zipTrees((_, m, s, g) => descent(m, g).div(root(s)), m, s, gradients), { m, s }];
    },
  });
}

export const adabeliefRule: Rule = {
  name: "adabelief",
  role: "rule",
  equation: "s = b2 s + (1 - b2) (g - m)² + epsRoot; x += -a m^ / (sqrt(s^) + eps)",
  source: "Zhuang et al., 2020",
  hypers,
  create: adabelief as Rule["create"],
};
