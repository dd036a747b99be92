import { mapTree, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { cond } from "../trace/control.ts";
import type { UpdateContext } from "../trace/update-context.ts";
import {
  addDecay,
  biasCorrectionOf,
  decayHypers,
  type HyperSpecs,
  oneMinus,
  type Rule,
  resolve,
  transformOf,
  zerosLike,
} from "./hyper.ts";
import type { ParameterPattern } from "./parameters.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 1e-4, min: 0, text: "a, the learning rate" },
  beta1: { type: "number", default: 0.965, min: 0, below: 1, text: "decay of m, the mean of the gradients" },
  beta2: { type: "number", default: 0.99, min: 0, below: 1, text: "decay of h, the mean of the Hessian's diagonal" },
  eps: { type: "number", default: 1e-8, above: 0, text: "the least that m is divided by" },
  gamma: {
    type: "number",
    default: 0.01,
    min: 0,
    text: "what h is multiplied by: more elements are clipped if it is small",
  },
  limit: { type: "number", default: 1, above: 0, text: "the largest magnitude of a step, in rates" },
  updateInterval: {
    type: "number",
    default: 10,
    min: 1,
    integer: true,
    fixed: true,
    text: "steps between two estimates of the Hessian's diagonal",
  },
  weightDecay: { ...decayHypers.weightDecay, default: 1e-4 },
  noDecay: decayHypers.noDecay,
} as const satisfies HyperSpecs;

export type SophiaOptions = {
  /** Default 0.965. */
  readonly beta1?: Hyper;
  /** Default 0.99. */
  readonly beta2?: Hyper;
  /** Default 1e-8. */
  readonly eps?: Hyper;
  /** Default 0.01. */
  readonly gamma?: Hyper;
  /** Default 1. */
  readonly limit?: Hyper;
  /** Default 10. */
  readonly updateInterval?: number;
  /** lambda, decoupled. Default 1e-4. */
  readonly weightDecay?: Hyper;
  /** Parameters without decay, such as "bias, norm". Default: none. */
  readonly noDecay?: ParameterPattern;
};

/** Means of the gradients and of the Hessian's diagonal. */
export type SophiaState = { readonly m: TensorTree; readonly h: TensorTree };

/** Hutchinson's estimate of the Hessian's diagonal, z (H z) for signs z: without error where the Hessian is diagonal. */
function hessianDiagonal(ctx: UpdateContext): TensorTree {
  const key = ctx.key.fold("probe");
  const signs = mapTree<Tensor, Tensor>(ctx.params, (x, path) =>
    key.fold(path).bernoulli(0.5, x.shape).select(x.onesLike(), x.full(-1, x.shape)),
  );
  return zipTrees<Tensor, Tensor>((_, z, hz) => z.mul(hz as Tensor), signs, ctx.hessianVectorProduct(signs));
}

/**
 * Sophia: m = b1 m + (1 - b1) g; x += -a (clip(m^ / max(gamma h, eps), limit) + lambda x), m^ = m / (1 - b1^t); every k steps
 * h = b2 h + (1 - b2) z (H z), signs z drawn anew.
 *
 * @param rate a, a number or a schedule. Default 1e-4 (optax has none).
 * @param options `beta1` 0.965, `beta2` 0.99, `eps` 1e-8, `gamma` 0.01, `limit` 1, `updateInterval` k 10, `weightDecay` 1e-4.
 *
 * h, from 0, is brought up to date after the step that it scales, so that the first step goes by signs. A product with the
 * Hessian H costs about two more passes forward and backward, in one step of k alone. As optax.contrib.sophia with its
 * Hutchinson estimator, but for the random numbers.
 *
 * Throws OptionError for a value out of range, and while tracing where a step of one's own gives no objective.
 *
 * Source: Liu et al., "Sophia: A Scalable Stochastic Second-order Optimizer for Language Model Pre-training", 2023.
 *
 * @example
 * optim.sophia(1e-3).config.updateInterval // -> 10
 */
export function sophia(rate?: Hyper, options: SophiaOptions = {}): Transform<SophiaState> {
  const values = resolve("sophia", hypers, rate, options);
  const { beta1, beta2, updateInterval, weightDecay, noDecay } = values;
  return transformOf(sophiaRule, values, {
    init: (params) => ({ m: zerosLike(params), h: zerosLike(params) }),
    update(gradients, state, ctx) {
      const a = ctx.hyper("rate", values.rate);
      const eps = ctx.hyper("eps", values.eps);
      const gamma = ctx.hyper("gamma", values.gamma);
      const limit = ctx.hyper("limit", values.limit);
      const b1 = ctx.hyper("beta1", beta1);
      const b2 = ctx.hyper("beta2", beta2);
      const oneMinusB1 = ctx.hyper("beta1", beta1, oneMinus);
      const oneMinusB2 = ctx.hyper("beta2", beta2, oneMinus);

      const m = zipTrees<Tensor, Tensor>((_, m, g) => m.mul(b1).add((g as Tensor).mul(oneMinusB1)), state.m, gradients);
      const scale = biasCorrectionOf(ctx, "beta1", beta1).reciprocal();
      const step = (m: Tensor, h: Tensor): Tensor =>
        m.mul(scale).div(h.mul(gamma).maximum(eps)).minimum(limit).maximum(limit.neg()).mul(a.neg());
      const steps = zipTrees<Tensor, Tensor>((_, m, h) => step(m, h as Tensor), m, state.h);

      const due = ctx.step.rem(updateInterval).equal(0);
      const mean = (h: Tensor, now: Tensor): Tensor => h.mul(b2).add(now.mul(oneMinusB2));
      const h = cond(
        due,
        (old: TensorTree) => zipTrees<Tensor, Tensor>((_, h, now) => mean(h, now as Tensor), old, hessianDiagonal(ctx)),
        (old) => old,
        state.h,
      );
      const decay = a.mul(ctx.hyper("weightDecay", weightDecay)).neg();
      return [addDecay("sophia", noDecay, steps, ctx.params, decay), { m, h }];
    },
  });
}

export const sophiaRule: Rule = {
  name: "sophia",
  role: "rule",
  equation:
    "x += -a (clip(m^ / max(gamma h, eps), limit) + lambda x), h a mean of z (H z) for random signs z, every k steps",
  source: "Liu et al., 2023",
  hypers,
  create: sophia as Rule["create"],
};
