import { mapTree, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { configOf, type HyperSpecs, oneMinus, type Rule, resolve, zerosLike } from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 1e-2, min: 0, text: "a, the learning rate" },
  decay: { type: "number", default: 0.99, min: 0, below: 1, text: "d, the part of the mean square that stays" },
  eps: { type: "number", default: 1e-8, min: 0, text: "keeps the division finite" },
  centered: {
    type: "flag",
    default: false,
    text: "divide by the standard deviation instead of the mean square's root",
  },
  momentum: { type: "number", default: null, min: 0, below: 1, text: "mu of a velocity over the scaled gradients" },
  like: {
    type: "choice",
    choices: ["pytorch", "keras"],
    default: "pytorch",
    text: "eps outside the root and the rate outside the velocity (lecture, PyTorch), or both inside (Keras, optax)",
  },
} as const satisfies HyperSpecs;

export type RmspropOptions = {
  /** d. Default 0.99, PyTorch's `alpha` (optax, Keras: 0.9). */
  readonly decay?: Hyper;
  /** Default 1e-8, as PyTorch and optax (Keras: 1e-7). */
  readonly eps?: Hyper;
  /** Default false. */
  readonly centered?: boolean;
  /** mu. Left out by default. */
  readonly momentum?: Hyper;
  /** Default "pytorch", which is the lecture's equation. */
  readonly like?: "pytorch" | "keras";
};

/** `mean` only when centered, `v` only with momentum. */
export type RmspropState = { readonly c: TensorTree; readonly mean?: TensorTree; readonly v?: TensorTree };

/**
 * RMSProp: c = d c + (1 - d) g²; x += -a g / (sqrt(c) + eps).
 *
 * @param rate a, a number or a schedule. Default 0.01.
 * @param options `decay` d 0.99, `eps` 1e-8, `centered` false, `momentum` left out, `like` "pytorch".
 *
 * | like | scaled gradient s | with `momentum` mu |
 * |---|---|---|
 * | "pytorch", and the lecture | s = g / (sqrt(c) + eps) | v = mu v + s; x -= a v |
 * | "keras", also optax's default | s = g / sqrt(c + eps) | v = mu v + a s; x -= v |
 *
 * The first step differs 300-fold for g = 1e-6, eps = 1e-8. `centered`: m = d m + (1 - d) g and c - m² instead of c under
 * the root (held at 0 or above, where rounding could make it negative and PyTorch gives NaN).
 *
 * Throws OptionError for a value out of range.
 *
 * Source: Hinton, "Neural Networks for Machine Learning", lecture 6e; CS231n, "training neural networks, part 2"; Graves,
 * 2013 (centered).
 *
 * @example
 * optim.rmsprop(0.001, { decay: 0.9 }).config
 * // -> { name: "rmsprop", rate: 0.001, decay: 0.9, eps: 1e-8, centered: false, like: "pytorch" }
 */
export function rmsprop(rate?: Hyper, options: RmspropOptions = {}): Transform<RmspropState> {
  const values = resolve("rmsprop", hypers, rate, options);
  const { centered, like } = values;
  return {
    config: configOf("rmsprop", values),
    init: (params) => ({
      c: zerosLike(params),
      ...(centered && { mean: zerosLike(params) }),
      ...(values.momentum !== undefined && { v: zerosLike(params) }),
    }),
    update(gradients, state, ctx) {
      const a = ctx.hyper("rate", values.rate);
      const d = ctx.hyper("decay", values.decay);
      const oneMinusD = ctx.hyper("decay", values.decay, oneMinus);
      const eps = ctx.hyper("eps", values.eps);
      const root = (c: Tensor): Tensor => (like === "keras" ? c.add(eps).sqrt() : c.sqrt().add(eps));

      const c = zipTrees((_, c, g) => c.mul(d).add(g.square().mul(oneMinusD)), state.c, gradients);
      const mean = state.mean && zipTrees((_, m, g) => m.mul(d).add(g.mul(oneMinusD)), state.mean, gradients);
      const variance = mean ? zipTrees((_, c, m) => c.sub(m.square()).maximum(0), c, mean) : c;
      const next = { c, ...(mean && { mean }) };

      if (values.momentum === undefined || state.v === undefined)
        return [zipTrees((_, g, c) => g.mul(a.neg()).div(root(c)), gradients, variance), next];

      const mu = ctx.hyper("momentum", values.momentum);
      const inside = (g: Tensor): Tensor => (like === "keras" ? g.mul(a) : g);
      const outside = (v: Tensor): Tensor => (like === "keras" ? v.neg() : v.mul(a.neg()));
      const v = zipTrees((_, v, g, c) => v.mul(mu).add(inside(g).div(root(c))), state.v, gradients, variance);
      return [mapTree(v, outside), { ...next, v }];
    },
  };
}

export const rmspropRule: Rule = {
  name: "rmsprop",
  role: "rule",
  equation: "c = d c + (1 - d) g²; x += -a g / (sqrt(c) + eps)",
  source: 'Hinton, lecture 6e; CS231n, "training neural networks, part 2"',
  hypers,
  create: rmsprop,
};
