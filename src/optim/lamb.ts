import { zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import {
  addDecay,
  biasCorrectionOf,
  type HyperSpecs,
  type OwnDecayOptions,
  ownDecayHypers,
  type Rule,
  resolve,
  transformOf,
  zerosLike,
} from "./hyper.ts";
import { type BetaOptions, denominatorOf, momentHypers, movingAverage, secondScale, square } from "./moments.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";
import { trustRatio } from "./trust-ratio.ts";

const hypers = {
  rate: { type: "number", default: 1e-3, min: 0, text: "a, the learning rate" },
  ...momentHypers,
  eps: { type: "number", default: 1e-6, min: 0, like: { keras: 1e-7 }, text: "keeps the division finite" },
  like: {
    type: "choice",
    choices: ["optax", "keras"],
    default: "optax",
    text: "weight decay inside the trust ratio (the paper, optax) or before it (Keras)",
  },
  ...ownDecayHypers,
} as const satisfies HyperSpecs;

export type LambOptions = OwnDecayOptions &
  BetaOptions & {
    /** Default 1e-6, as optax (like Keras: 1e-7). */
    readonly eps?: Hyper;
    /** optax's eps_root. Left out by default. */
    readonly epsRoot?: Hyper;
    /** Default "optax". */
    readonly like?: "optax" | "keras";
  };

export type LambState = { readonly m: TensorTree; readonly v: TensorTree };

/**
 * LAMB: u = m^ / (sqrt(v^) + eps) + lambda x, m^ and v^ as in adam; x += -a |x| / |u| u.
 *
 * @param rate a, a number or a schedule. Default 1e-3, as Keras (optax gives none).
 * @param options `beta1` 0.9, `beta2` 0.999, `eps` 1e-6, `epsRoot` left out, `like` "optax", `weightDecay` left out.
 *
 * | like | with weight decay |
 * |---|---|
 * | "optax", the paper | lambda x belongs to u |
 * | "keras" | x += -a lambda x first, then the step from there |
 *
 * Norms are of each parameter by itself; the ratio is 1 where one of them is 0. Throws OptionError for a value out of range.
 *
 * Source: You et al., "Large Batch Optimization for Deep Learning", 2020.
 *
 * @example
 * optim.lamb(1e-3, { weightDecay: 0.01 }).config.eps // -> 1e-6
 */
export function lamb(rate?: Hyper, options: LambOptions = {}): Transform<LambState> {
  const values = resolve("lamb", hypers, rate, options);
  const { weightDecay, noDecay, like } = values;
  return transformOf(lambRule, values, {
    init: (params) => ({ m: zerosLike(params), v: zerosLike(params) }),
    update(gradients, state, ctx) {
      const a = ctx.hyper("rate", values.rate);
      const m = movingAverage(ctx, "beta1", values.beta1, state.m, gradients);
      const v = movingAverage(ctx, "beta2", values.beta2, state.v, gradients, square);
      const ofM = biasCorrectionOf(ctx, "beta1", values.beta1).reciprocal();
      const below = denominatorOf(ctx, values, secondScale(ctx, values.beta2));
      const adam = zipTrees((_, m, v) => m.mul(ofM).div(below(v)), m, v);
      const decayed = (tree: TensorTree, scale: (lambda: Tensor) => Tensor): TensorTree =>
        weightDecay === undefined
          ? tree
          : addDecay("lamb", noDecay, tree, ctx.params, scale(ctx.hyper("weightDecay", weightDecay)));
      const next = { m, v };
      if (like === "keras") {
        const from = decayed(ctx.params, (lambda) => lambda.mul(a).neg());
        return [
          zipTrees((_, u, x, old) => x.sub(u.mul(trustRatio(x, u).mul(a))).sub(old), adam, from, ctx.params),
          next,
        ];
      }
      const steps = decayed(adam, (lambda) => lambda);
      const down = a.neg();
      return [zipTrees((_, u, x) => u.mul(trustRatio(x, u).mul(down)), steps, ctx.params), next];
    },
  });
}

export const lambRule: Rule = {
  name: "lamb",
  role: "rule",
  equation: "u = m^ / (sqrt(v^) + eps) + lambda x; x += -a |x| / |u| u, m^ and v^ as in adam",
  equations: {
    optax: "u = m^ / (sqrt(v^) + eps) + lambda x; x += -a |x| / |u| u",
    keras: "x += -a lambda x; u = m^ / (sqrt(v^) + eps); x += -a |x| / |u| u",
  },
  source: "You et al., 2020",
  hypers,
  create: lamb as Rule["create"],
};
