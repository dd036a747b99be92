import { zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import {
  biasCorrectionOf,
  type ChoiceHyper,
  configOf,
  type FlagHyper,
  type NumberHyper,
  oneMinus,
  type Rule,
  resolve,
  zerosLike,
} from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

type Given = NumberHyper & { readonly default: number };

export const adamHypers: {
  readonly [K in "rate" | "beta1" | "beta2" | "eps"]: Given;
} & {
  readonly [K in "biasCorrection" | "amsgrad"]: FlagHyper;
} & { readonly like: ChoiceHyper & { readonly choices: readonly ["pytorch", "keras"]; readonly default: "pytorch" } } =
  {
    rate: { type: "number", default: 1e-3, min: 0, text: "a, the learning rate" },
    beta1: { type: "number", default: 0.9, min: 0, below: 1, text: "decay of m, the mean of the gradients" },
    beta2: { type: "number", default: 0.999, min: 0, below: 1, text: "decay of v, the mean of their squares" },
    eps: { type: "number", default: 1e-8, min: 0, text: "keeps the division finite" },
    biasCorrection: {
      type: "flag",
      default: true,
      text: "divide m and v by 1 - beta^t; without it, the lecture's Adam",
    },
    like: {
      type: "choice",
      choices: ["pytorch", "keras"],
      default: "pytorch",
      text: "eps beside the corrected root (the paper, PyTorch, optax) or the raw one (Keras)",
    },
    amsgrad: { type: "flag", default: false, text: "divide by the largest v so far" },
  };

export type AdamOptions = {
  /** Default 0.9. */
  readonly beta1?: Hyper;
  /** Default 0.999. */
  readonly beta2?: Hyper;
  /** Default 1e-8, as the paper, PyTorch and optax (Keras: 1e-7). */
  readonly eps?: Hyper;
  /** Default true; false is the lecture's equation to the letter. */
  readonly biasCorrection?: boolean;
  /** Default "pytorch". */
  readonly like?: "pytorch" | "keras";
  /** Default false. */
  readonly amsgrad?: boolean;
};

/** `largest` only with amsgrad. */
export type AdamState = { readonly m: TensorTree; readonly v: TensorTree; readonly largest?: TensorTree };

/**
 * Adam: m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g²; x += -a m^ / (sqrt(v^) + eps), m^ = m / (1 - b1^t), v^ = v / (1 - b2^t).
 *
 * @param rate a, a number or a schedule. Default 1e-3.
 * @param options `beta1` 0.9, `beta2` 0.999, `eps` 1e-8, `biasCorrection` true, `like` "pytorch", `amsgrad` false.
 *
 * | options | update |
 * |---|---|
 * | default: the paper, PyTorch, optax | x += -a m^ / (sqrt(v^) + eps) |
 * | `like: "keras"`, the paper's "efficient" form | x += -a sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps): a larger eps early |
 * | `biasCorrection: false`, the lecture | x += -a m / (sqrt(v) + eps): a first step 3.2 times longer |
 * | `amsgrad: true`, as PyTorch and Keras | the largest v so far in place of v (optax: the largest v^) |
 *
 * t counts completed updates, so a skipped step does not advance it. torch.optim.Adam's `weight_decay` is
 * `optim.addDecayedWeights(decay)` before this in a `chain`; the decoupled one is `optim.adamw`.
 *
 * Throws OptionError for a value out of range.
 *
 * Source: Kingma and Ba, "Adam", 2015; CS231n, "training neural networks, part 2"; Reddi et al., 2018 (amsgrad).
 *
 * @example
 * optim.adam(3e-4).config
 * // -> { name: "adam", rate: 3e-4, beta1: 0.9, beta2: 0.999, eps: 1e-8, biasCorrection: true, like: "pytorch", amsgrad: false }
 */
export function adam(rate?: Hyper, options: AdamOptions = {}): Transform<AdamState> {
  const values = resolve("adam", adamHypers, rate, options);
  const { beta1, beta2, biasCorrection, like, amsgrad } = values;
  return {
    config: configOf("adam", values),
    init: (params) => ({
      m: zerosLike(params),
      v: zerosLike(params),
      ...(amsgrad && { largest: zerosLike(params) }),
    }),
    update(gradients, state, ctx) {
      const a = ctx.hyper("rate", values.rate);
      const eps = ctx.hyper("eps", values.eps);
      const b1 = ctx.hyper("beta1", beta1);
      const b2 = ctx.hyper("beta2", beta2);
      const oneMinusB1 = ctx.hyper("beta1", beta1, oneMinus);
      const oneMinusB2 = ctx.hyper("beta2", beta2, oneMinus);

      const m = zipTrees((_, m, g) => m.mul(b1).add(g.mul(oneMinusB1)), state.m, gradients);
      const v = zipTrees((_, v, g) => v.mul(b2).add(g.square().mul(oneMinusB2)), state.v, gradients);
      const largest = state.largest && zipTrees((_, max, v) => max.maximum(v), state.largest, v);
      const next = { m, v, ...(largest && { largest }) };

      // The corrections are scalars: a / (1 - b1^t) and 1 / sqrt(1 - b2^t) are computed once, not for each element.
      let rate = a;
      let scale: Tensor | undefined;
      if (biasCorrection) {
        rate = a.div(biasCorrectionOf(ctx, "beta1", beta1));
        const rootOfC2 = biasCorrectionOf(ctx, "beta2", beta2).sqrt();
        if (like === "keras") rate = rate.mul(rootOfC2);
        else scale = rootOfC2.reciprocal();
      }
      const root = (v: Tensor): Tensor => (scale ? v.sqrt().mul(scale) : v.sqrt());
      return [zipTrees((_, m, v) => m.mul(rate.neg()).div(root(v).add(eps)), m, largest ?? v), next];
    },
  };
}

export const adamRule: Rule = {
  name: "adam",
  role: "rule",
  equation: "m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g²; x += -a m^ / (sqrt(v^) + eps)",
  source: 'Kingma and Ba, 2015; CS231n, "training neural networks, part 2"',
  hypers: adamHypers,
  create: adam,
};
