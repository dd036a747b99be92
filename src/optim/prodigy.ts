import { zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { dotTrees } from "../trace/update-context.ts";
import { absoluteSum, grown, rootOf } from "./dadapt-adamw.ts";
import {
  addDecay,
  biasCorrectionOf,
  type HyperSpecs,
  type OwnDecayOptions,
  oneMinus,
  ownDecayHypers,
  type Rule,
  resolve,
  scalarState,
  transformOf,
  zerosLike,
} from "./hyper.ts";
import { type BetaOptions, momentHypers } from "./moments.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 1, min: 0, text: "a, which multiplies the rate d that is found" },
  beta1: momentHypers.beta1,
  beta2: momentHypers.beta2,
  beta3: { type: "number", default: null, min: 0, below: 1, text: "decay of r and s; left out: sqrt(beta2)" },
  eps: { type: "number", default: 1e-8, min: 0, text: "keeps the division finite" },
  initial: { type: "number", default: 1e-6, above: 0, fixed: true, text: "d0, the rate at first, an underestimate" },
  growth: { type: "number", default: 1, above: 0, text: "c, which multiplies the estimate of d" },
  safeguardWarmup: { type: "flag", default: false, text: "leave a out of s, so that a warm-up does not raise d" },
  ...ownDecayHypers,
} as const satisfies HyperSpecs;

export type ProdigyOptions = OwnDecayOptions &
  BetaOptions & {
    /** Left out by default: sqrt(beta2). */
    readonly beta3?: Hyper;
    /** Default 1e-8. */
    readonly eps?: Hyper;
    /** d0. Default 1e-6. */
    readonly initial?: number;
    /** c. Default 1. */
    readonly growth?: Hyper;
    /** Default false. */
    readonly safeguardWarmup?: boolean;
  };

/** x0, m and v as in Adam, s the weighted sum of the gradients, and the f32[] d and r. */
export type ProdigyState = {
  readonly start: TensorTree;
  readonly m: TensorTree;
  readonly v: TensorTree;
  readonly s: TensorTree;
  readonly d: Tensor;
  readonly r: Tensor;
};

/**
 * Prodigy, AdamW without a learning rate: with k = d a sqrt(1 - b2^t) / (1 - b1^t),
 * r = b3 r + d / d0 k <g, x0 - x>; s = b3 s + d / d0 k g; m = b1 m + (1 - b1) d g; v = b2 v + (1 - b2) d² g²;
 * d = max(d, c r / |s|_1); x += -k m / (sqrt(v) + d eps) - k lambda x, with k from before d grew.
 *
 * @param rate a, a number or a schedule with 1 as its usual value. Default 1.
 * @param options `beta1` 0.9, `beta2` 0.999, `beta3` left out (sqrt(beta2)), `eps` 1e-8, `initial` 1e-6, from which d starts,
 * `growth` 1, `safeguardWarmup` false (true: s = b3 s + d² / d0 g), `weightDecay` left out.
 *
 * d is one number for all parameters. As optax.contrib.prodigy. Throws OptionError for a value out of range.
 *
 * Source: Mishchenko and Defazio, "Prodigy: An Expeditiously Adaptive Parameter-Free Learner", 2023.
 *
 * @example
 * optim.prodigy(1, { safeguardWarmup: true }).config
 * // -> { name: "prodigy", rate: 1, beta1: 0.9, beta2: 0.999, eps: 1e-8, initial: 1e-6, growth: 1, safeguardWarmup: true }
 */
export function prodigy(rate?: Hyper, options: ProdigyOptions = {}): Transform<ProdigyState> {
  const values = resolve("prodigy", hypers, rate, options);
  const { beta1, beta2, beta3, initial, safeguardWarmup, weightDecay, noDecay } = values;
  return transformOf(prodigyRule, values, {
    init: (params) => ({
      start: params,
      m: zerosLike(params),
      v: zerosLike(params),
      s: zerosLike(params),
      d: scalarState(params, initial),
      r: scalarState(params, 0),
    }),
    update(gradients, state, ctx) {
      const a = ctx.hyper("rate", values.rate);
      const eps = ctx.hyper("eps", values.eps);
      const b1 = ctx.hyper("beta1", beta1);
      const b2 = ctx.hyper("beta2", beta2);
      const b3 = beta3 === undefined ? ctx.hyper("beta2", beta2, rootOf) : ctx.hyper("beta3", beta3);
      const c = ctx.hyper("growth", values.growth);
      const correction = biasCorrectionOf(ctx, "beta2", beta2)
        .sqrt()
        .div(biasCorrectionOf(ctx, "beta1", beta1));
      const k = state.d.mul(a).mul(correction);
      const relative = state.d.div(initial);
      const inM = state.d.mul(ctx.hyper("beta1", beta1, oneMinus));
      const inV = state.d.square().mul(ctx.hyper("beta2", beta2, oneMinus));
      const inS = relative.mul(safeguardWarmup ? state.d : k);

      const back = zipTrees<Tensor, Tensor>((_, x, x0) => (x0 as Tensor).sub(x), ctx.params, state.start);
      const r = state.r.mul(b3).add(relative.mul(k).mul(dotTrees(gradients, back)));
      const m = zipTrees<Tensor, Tensor>((_, m, g) => m.mul(b1).add((g as Tensor).mul(inM)), state.m, gradients);
      const v = zipTrees<Tensor, Tensor>(
        (_, v, g) => v.mul(b2).add((g as Tensor).square().mul(inV)),
        state.v,
        gradients,
      );
      const s = zipTrees<Tensor, Tensor>((_, s, g) => s.mul(b3).add((g as Tensor).mul(inS)), state.s, gradients);
      const d = grown(state.d, r.mul(c), absoluteSum(s));

      const floor = d.mul(eps);
      const shrink = k.neg();
      const steps = zipTrees<Tensor, Tensor>((_, m, v) => m.mul(shrink).div((v as Tensor).sqrt().add(floor)), m, v);
      const next = { start: state.start, m, v, s, d, r };
      if (weightDecay === undefined) return [steps, next];
      const decay = shrink.mul(ctx.hyper("weightDecay", weightDecay));
      return [addDecay("prodigy", noDecay, steps, ctx.params, decay), next];
    },
  });
}

export const prodigyRule: Rule = {
  name: "prodigy",
  role: "rule",
  equation: "x += -d a m^ / (sqrt(v^) + d eps), m and v of d g; d = max(d, c r / |s|_1), r of <g, x0 - x>, s of d a g",
  source: "Mishchenko and Defazio, 2023",
  hypers,
  create: prodigy as Rule["create"],
};
