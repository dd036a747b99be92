import { zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { biasCorrectionOf, type NumberHyper, oneMinus } from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, UpdateContext } from "./transform.ts";

type Given = NumberHyper & { readonly default: number };

/** Hyperparameters that Adam's kin share. */
export const momentHypers: { readonly [K in "beta1" | "beta2" | "eps"]: Given } & {
  readonly epsRoot: NumberHyper & { readonly default: null };
} = {
  beta1: { type: "number", default: 0.9, min: 0, below: 1, text: "decay of m, the mean of the gradients" },
  beta2: { type: "number", default: 0.999, min: 0, below: 1, text: "decay of v, the mean of their squares" },
  eps: { type: "number", default: 1e-8, min: 0, text: "keeps the division finite" },
  epsRoot: {
    type: "number",
    default: null,
    min: 0,
    text: "added to the mean of squares inside the root, optax's eps_root",
  },
};

/** The two decays, where they have Adam's defaults. */
export type BetaOptions = {
  /** Default 0.9. */
  readonly beta1?: Hyper;
  /** Default 0.999. */
  readonly beta2?: Hyper;
};

export const square = (x: Tensor): Tensor => x.square();

/** beta m + (1 - beta) f(x), leaf by leaf. */
export function movingAverage(
  ctx: UpdateContext,
  name: string,
  beta: Hyper,
  means: TensorTree,
  values: TensorTree,
  f: (x: Tensor) => Tensor = (x) => x,
): TensorTree {
  const b = ctx.hyper(name, beta);
  const oneMinusB = ctx.hyper(name, beta, oneMinus);
  return zipTrees((_, m, x) => m.mul(b).add(f(x).mul(oneMinusB)), means, values);
}

/** v -> sqrt(scale v + epsRoot) + eps, where the scale is usually 1 / (1 - b2^t). */
export function denominatorOf(
  ctx: UpdateContext,
  { eps, epsRoot }: { readonly eps: Hyper; readonly epsRoot?: Hyper | undefined },
  scale?: Tensor,
): (v: Tensor) => Tensor {
  const beside = ctx.hyper("eps", eps);
  const inside = epsRoot === undefined ? undefined : ctx.hyper("epsRoot", epsRoot);
  return (v) => {
    const corrected = scale === undefined ? v : v.mul(scale);
    return (inside === undefined ? corrected : corrected.add(inside)).sqrt().add(beside);
  };
}

/** 1 / (1 - b2^t) */
export function secondScale(ctx: UpdateContext, beta2: Hyper): Tensor {
  return biasCorrectionOf(ctx, "beta2", beta2).reciprocal();
}

type MeanValues = { readonly beta1: Hyper; readonly nesterov?: boolean };

/**
 * m^ = m / (1 - b1^t), or with Nesterov's look ahead b1 m / (1 - b1^(t + 1)) + (1 - b1) g / (1 - b1^t); times `scale`. What
 * multiplies the tensors is computed once, not for each element.
 */
export function correctedMean(
  ctx: UpdateContext,
  { beta1, nesterov = false }: MeanValues,
  scale?: Tensor,
): (m: Tensor, g: Tensor) => Tensor {
  const correction = biasCorrectionOf(ctx, "beta1", beta1);
  const scaled = (part: Tensor): Tensor => (scale === undefined ? part : scale.mul(part));
  if (!nesterov) {
    const ofM = scale === undefined ? correction.reciprocal() : scale.div(correction);
    return (m) => m.mul(ofM);
  }
  const ofM = scaled(ctx.hyper("beta1", beta1)).div(biasCorrectionOf(ctx, "beta1", beta1, 2));
  const ofG = scaled(ctx.hyper("beta1", beta1, oneMinus)).div(correction);
  return (m, g) => m.mul(ofM).add(g.mul(ofG));
}

/** -a m^ */
export function descentOf(
  ctx: UpdateContext,
  { rate, ...values }: MeanValues & { readonly rate: Hyper },
): (m: Tensor, g: Tensor) => Tensor {
  return correctedMean(ctx, values, ctx.hyper("rate", rate).neg());
}
