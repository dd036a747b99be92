import { zipTrees } from "../core/tree.ts";
import {
  coupledDecay,
  type HyperSpecs,
  type OwnDecayOptions,
  ownDecayHypers,
  type Rule,
  resolve,
  transformOf,
  zerosLike,
} from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";
import { trustRatio } from "./trust-ratio.ts";

const hypers = {
  rate: { type: "number", default: 1, min: 0, text: "a, the learning rate" },
  momentum: { type: "number", default: 0.9, min: 0, below: 1, text: "mu, the part of the velocity that stays" },
  nesterov: { type: "flag", default: false, text: "look ahead along the velocity" },
  trustCoefficient: { type: "number", default: 1e-3, min: 0, text: "c, a step's length over the weights' own" },
  eps: { type: "number", default: 0, min: 0, text: "added to the gradient's norm" },
  ...ownDecayHypers,
} as const satisfies HyperSpecs;

export type LarsOptions = OwnDecayOptions & {
  /** Default 0.9. */
  readonly momentum?: Hyper;
  /** Default false. */
  readonly nesterov?: boolean;
  /** c. Default 1e-3. */
  readonly trustCoefficient?: Hyper;
  /** Default 0. */
  readonly eps?: Hyper;
};

export type LarsState = { readonly v: TensorTree };

/**
 * Layer-wise adaptive rates: g' = g + lambda x; v = mu v - a c |x| / (|g'| + eps) g'; x += v.
 *
 * @param rate a, a number or a schedule. Default 1 (optax gives none).
 * @param options `momentum` mu 0.9, `nesterov` false, `trustCoefficient` c 1e-3, `eps` 0, `weightDecay` left out.
 *
 * As optax.lars: norms are of each parameter by itself, the ratio is 1 where one of them is 0, and the rate stands inside the
 * velocity. Biases and norms are usually left to plain momentum: `optim.partition`. Throws OptionError for a value out of range.
 *
 * Source: You, Gitman and Ginsburg, "Large Batch Training of Convolutional Networks", 2017.
 *
 * @example
 * optim.lars(1, { weightDecay: 1e-4 }).config.momentum // -> 0.9
 */
export function lars(rate?: Hyper, options: LarsOptions = {}): Transform<LarsState> {
  const values = resolve("lars", hypers, rate, options);
  return transformOf(larsRule, values, {
    init: (params) => ({ v: zerosLike(params) }),
    update(updates, state, ctx) {
      const gradients = coupledDecay("lars", values, updates, ctx);
      const a = ctx.hyper("rate", values.rate);
      const mu = ctx.hyper("momentum", values.momentum);
      const c = ctx.hyper("trustCoefficient", values.trustCoefficient);
      const eps = ctx.hyper("eps", values.eps);
      const steps = zipTrees((_, g, x) => g.mul(trustRatio(x, g, c, eps).mul(a)), gradients, ctx.params);
      const move = (v: TensorTree): TensorTree => zipTrees((_, v, s) => v.mul(mu).sub(s), v, steps);
      const v = move(state.v);
      return [values.nesterov ? move(v) : v, { v }];
    },
  });
}

export const larsRule: Rule = {
  name: "lars",
  role: "rule",
  equation: "g' = g + lambda x; v = mu v - a c |x| / (|g'| + eps) g'; x += v",
  source: "You, Gitman and Ginsburg, 2017",
  hypers,
  create: lars as Rule["create"],
};
