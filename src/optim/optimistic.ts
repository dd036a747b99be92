import { zipTrees } from "../core/tree.ts";
import { type HyperSpecs, type Rule, resolve, transformOf, zerosLike } from "./hyper.ts";
import {
  type BetaOptions,
  correctedMean,
  denominatorOf,
  momentHypers,
  movingAverage,
  secondScale,
  square,
} from "./moments.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform, UpdateContext } from "./transform.ts";

const optimism = {
  alpha: { type: "number", default: 1, min: 0, text: "how far the step itself is taken" },
  beta: { type: "number", default: 1, min: 0, text: "how far beyond it, by its change since the last step" },
} as const satisfies HyperSpecs;

const descentHypers = {
  rate: { type: "number", default: 1e-3, min: 0, text: "a, the learning rate" },
  ...optimism,
} as const satisfies HyperSpecs;

const adamHypers = {
  rate: { type: "number", default: 1e-3, min: 0, text: "a, the learning rate" },
  ...optimism,
  ...momentHypers,
  nesterov: { type: "flag", default: true, text: "Nadam's direction instead of Adam's" },
} as const satisfies HyperSpecs;

export type OptimisticOptions = {
  /** Default 1. */
  readonly alpha?: Hyper;
  /** Default 1. */
  readonly beta?: Hyper;
};

export type OptimisticAdamOptions = OptimisticOptions &
  BetaOptions & {
    /** Default 1e-8. */
    readonly eps?: Hyper;
    /** optax's eps_root. Left out by default. */
    readonly epsRoot?: Hyper;
    /** Default true. */
    readonly nesterov?: boolean;
  };

export type OptimisticState = { readonly last: TensorTree };

export type OptimisticAdamState = OptimisticState & { readonly m: TensorTree; readonly v: TensorTree };

type Values = { readonly rate: Hyper; readonly alpha: Hyper; readonly beta: Hyper };

/** -a (alpha d + beta (d - last)); before the first step, last is d. */
function optimistic(
  ctx: UpdateContext,
  { rate, alpha, beta }: Values,
  directions: TensorTree,
  last: TensorTree,
): TensorTree {
  const down = ctx.hyper("rate", rate).neg();
  const along = down.mul(ctx.hyper("alpha", alpha));
  const change = ctx.step.equal(0).select(0, down.mul(ctx.hyper("beta", beta)));
  return zipTrees((_, d, last) => d.mul(along).add(d.sub(last).mul(change)), directions, last);
}

/**
 * Optimistic gradient descent, for games and saddle points: x += -a (alpha g + beta (g - last g)).
 *
 * @param rate a, a number or a schedule. Default 1e-3 (optax gives none).
 * @param options `alpha` 1, `beta` 1.
 *
 * As optax.optimistic_gradient_descent; the first step is plain. Throws OptionError for a value out of range.
 *
 * Source: Mokhtari, Ozdaglar and Pattathil, "A Unified Analysis of Extra-gradient and Optimistic Gradient Methods", 2019.
 *
 * @example
 * optim.optimisticGradientDescent(0.1).config
 * // -> { name: "optimisticGradientDescent", rate: 0.1, alpha: 1, beta: 1 }
 */
export function optimisticGradientDescent(rate?: Hyper, options: OptimisticOptions = {}): Transform<OptimisticState> {
  const values = resolve("optimisticGradientDescent", descentHypers, rate, options);
  return transformOf(optimisticGradientDescentRule, values, {
    init: (params) => ({ last: zerosLike(params) }),
    update: (gradients, { last }, ctx) => [optimistic(ctx, values, gradients, last), { last: gradients }],
  });
}

/**
 * Optimistic Adam, for games and adversarial training: x += -a (alpha d + beta (d - last d)), d = m^ / (sqrt(v^) + eps) as in
 * adam, or in nadam like optax.
 *
 * @param rate a, a number or a schedule. Default 1e-3 (optax gives none).
 * @param options `alpha` 1, `beta` 1, `beta1` 0.9, `beta2` 0.999, `eps` 1e-8, `epsRoot` left out, `nesterov` true.
 *
 * As optax.optimistic_adam_v2; the first step is plain. Throws OptionError for a value out of range.
 *
 * Source: Daskalakis et al., "Training GANs with Optimism", 2018.
 *
 * @example
 * optim.optimisticAdam(1e-3).config.nesterov // -> true
 */
export function optimisticAdam(rate?: Hyper, options: OptimisticAdamOptions = {}): Transform<OptimisticAdamState> {
  const values = resolve("optimisticAdam", adamHypers, rate, options);
  return transformOf(optimisticAdamRule, values, {
    init: (params) => ({ m: zerosLike(params), v: zerosLike(params), last: zerosLike(params) }),
    update(gradients, state, ctx) {
      const m = movingAverage(ctx, "beta1", values.beta1, state.m, gradients);
      const v = movingAverage(ctx, "beta2", values.beta2, state.v, gradients, square);
      const mean = correctedMean(ctx, values);
      const below = denominatorOf(ctx, values, secondScale(ctx, values.beta2));
      const last = zipTrees((_, m, g, v) => mean(m, g).div(below(v)), m, gradients, v);
      return [optimistic(ctx, values, last, state.last), { m, v, last }];
    },
  });
}

export const optimisticGradientDescentRule: Rule = {
  name: "optimisticGradientDescent",
  role: "rule",
  equation: "x += -a (alpha g + beta (g - last g))",
  source: "Mokhtari, Ozdaglar and Pattathil, 2019",
  hypers: descentHypers,
  create: optimisticGradientDescent as Rule["create"],
};

export const optimisticAdamRule: Rule = {
  name: "optimisticAdam",
  role: "rule",
  equation: "x += -a (alpha d + beta (d - last d)), d = m^ / (sqrt(v^) + eps) as in nadam like optax",
  source: "Daskalakis et al., 2018",
  hypers: adamHypers,
  create: optimisticAdam as Rule["create"],
};
