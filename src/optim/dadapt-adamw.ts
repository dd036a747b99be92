import { leavesOf, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { dotTrees } from "../trace/update-context.ts";
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
  eps: { type: "number", default: 1e-8, min: 0, text: "keeps the division finite" },
  initial: { type: "number", default: 1e-6, above: 0, fixed: true, text: "the rate d at first, an underestimate" },
  ...ownDecayHypers,
} as const satisfies HyperSpecs;

export type DadaptAdamwOptions = OwnDecayOptions &
  BetaOptions & {
    /** Default 1e-8. */
    readonly eps?: Hyper;
    /** The rate d at first. Default 1e-6. */
    readonly initial?: number;
  };

/** m and v as in Adam, s the weighted sum of the gradients, and the f32[] d and r. */
export type DadaptAdamwState = {
  readonly m: TensorTree;
  readonly v: TensorTree;
  readonly s: TensorTree;
  readonly d: Tensor;
  readonly r: Tensor;
};

/** Sum of |s| over all leaves. */
export function absoluteSum(tree: TensorTree): Tensor {
  return leavesOf<Tensor>(tree)
    .map(([, leaf]) => leaf.abs().sum())
    .reduce((sum, part) => sum.add(part));
}

/** max(d, a / b), and d where b is 0: no gradient so far. */
export function grown(d: Tensor, a: Tensor, b: Tensor): Tensor {
  return b.equal(0).select(d, d.maximum(a.div(b)));
}

/** beta^(1/2) */
export const rootOf = (beta: number): number => Math.sqrt(beta);
export const oneMinusRoot = (beta: number): number => 1 - Math.sqrt(beta);

/**
 * D-Adaptation of AdamW, without a learning rate: with k = d a sqrt(1 - b2^t) / (1 - b1^t) and b = sqrt(b2),
 * r = b r + (1 - b) k <g, s / (sqrt(v) + eps)>; m = b1 m + (1 - b1) k g; v = b2 v + (1 - b2) g²; s = b s + (1 - b) k g;
 * x += -m / (sqrt(v) + eps) - k lambda x; d = max(d, r / ((1 - b) |s|_1)).
 *
 * @param rate a, a number or a schedule with 1 as its usual value. Default 1.
 * @param options `beta1` 0.9, `beta2` 0.999, `eps` 1e-8, `initial` 1e-6, from which d starts; `weightDecay` left out.
 *
 * d is one number for all parameters. As optax.contrib.dadapt_adamw. Throws OptionError for a value out of range.
 *
 * Source: Defazio and Mishchenko, "Learning-Rate-Free Learning by D-Adaptation", 2023.
 *
 * @example
 * optim.dadaptAdamw().config // -> { name: "dadaptAdamw", rate: 1, beta1: 0.9, beta2: 0.999, eps: 1e-8, initial: 1e-6 }
 */
export function dadaptAdamw(rate?: Hyper, options: DadaptAdamwOptions = {}): Transform<DadaptAdamwState> {
  const values = resolve("dadaptAdamw", hypers, rate, options);
  const { beta1, beta2, weightDecay, noDecay } = values;
  return transformOf(dadaptAdamwRule, values, {
    init: (params) => ({
      m: zerosLike(params),
      v: zerosLike(params),
      s: zerosLike(params),
      d: scalarState(params, values.initial),
      r: scalarState(params, 0),
    }),
    update(gradients, state, ctx) {
      const a = ctx.hyper("rate", values.rate);
      const eps = ctx.hyper("eps", values.eps);
      const b1 = ctx.hyper("beta1", beta1);
      const b2 = ctx.hyper("beta2", beta2);
      const oneMinusB2 = ctx.hyper("beta2", beta2, oneMinus);
      const b = ctx.hyper("beta2", beta2, rootOf);
      const oneMinusB = ctx.hyper("beta2", beta2, oneMinusRoot);
      const correction = biasCorrectionOf(ctx, "beta2", beta2)
        .sqrt()
        .div(biasCorrectionOf(ctx, "beta1", beta1));
      const k = state.d.mul(a).mul(correction);
      const kM = k.mul(ctx.hyper("beta1", beta1, oneMinus));
      const kS = k.mul(oneMinusB);

      const root = (v: Tensor): Tensor => v.sqrt().add(eps);
      const weighted = zipTrees<Tensor, Tensor>((_, s, v) => s.div(root(v as Tensor)), state.s, state.v);
      const r = state.r.mul(b).add(kS.mul(dotTrees(gradients, weighted)));
      const m = zipTrees<Tensor, Tensor>((_, m, g) => m.mul(b1).add((g as Tensor).mul(kM)), state.m, gradients);
      const v = zipTrees<Tensor, Tensor>(
        (_, v, g) => v.mul(b2).add((g as Tensor).square().mul(oneMinusB2)),
        state.v,
        gradients,
      );
      const s = zipTrees<Tensor, Tensor>((_, s, g) => s.mul(b).add((g as Tensor).mul(kS)), state.s, gradients);
      const d = grown(state.d, r, absoluteSum(s).mul(oneMinusB));

      const steps = zipTrees<Tensor, Tensor>((_, m, v) => m.div(root(v as Tensor)).neg(), m, v);
      const next = { m, v, s, d, r };
      if (weightDecay === undefined) return [steps, next];
      const shrink = k.mul(ctx.hyper("weightDecay", weightDecay)).neg();
      return [addDecay("dadaptAdamw", noDecay, steps, ctx.params, shrink), next];
    },
  });
}

export const dadaptAdamwRule: Rule = {
  name: "dadaptAdamw",
  role: "rule",
  equation: "x += -m / (sqrt(v) + eps), m of d a g; d = max(d, r / ((1 - b) |s|_1)), r of <g, s / sqrt(v)>, s of d a g",
  source: "Defazio and Mishchenko, 2023",
  hypers,
  create: dadaptAdamw as Rule["create"],
};
