import { mapTree, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import {
  biasCorrectionOf,
  type DecayOptions,
  decayHypers,
  type HyperSpecs,
  oneMinus,
  type Rule,
  resolve,
  transformOf,
  zerosLike,
} from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 1e-2, min: 0, like: { keras: 1e-3 }, text: "a, the learning rate" },
  decay: {
    type: "number",
    default: 0.99,
    min: 0,
    below: 1,
    like: { optax: 0.9, keras: 0.9 },
    text: "d, the part of the mean square that stays",
  },
  eps: { type: "number", default: 1e-8, min: 0, like: { keras: 1e-7 }, text: "keeps the division finite" },
  epsInside: {
    type: "flag",
    default: false,
    like: { optax: true, keras: true },
    text: "sqrt(c + eps) instead of sqrt(c) + eps, optax's eps_in_sqrt",
  },
  centered: {
    type: "flag",
    default: false,
    text: "divide by the standard deviation instead of the mean square's root",
  },
  momentum: { type: "number", default: null, min: 0, below: 1, text: "mu of a velocity over the scaled gradients" },
  biasCorrection: { type: "flag", default: false, text: "divide the means by 1 - d^t, optax's bias_correction" },
  initialAccumulator: { type: "number", default: 0, min: 0, fixed: true, text: "value that c starts from" },
  like: {
    type: "choice",
    choices: ["lecture", "pytorch", "optax", "keras"],
    default: "lecture",
    text: "eps outside the root and the rate outside the velocity (lecture, PyTorch), or both inside (optax, Keras)",
  },
  ...decayHypers,
} as const satisfies HyperSpecs;

export type RmspropOptions = DecayOptions & {
  /** d. Default 0.99, PyTorch's `alpha` (like optax, Keras: 0.9). */
  readonly decay?: Hyper;
  /** Default 1e-8, as PyTorch and optax (like Keras: 1e-7). */
  readonly eps?: Hyper;
  /** Default false (like optax, Keras: true). */
  readonly epsInside?: boolean;
  /** Default false. */
  readonly centered?: boolean;
  /** mu. Left out by default. */
  readonly momentum?: Hyper;
  /** Default false. */
  readonly biasCorrection?: boolean;
  /** Default 0. */
  readonly initialAccumulator?: number;
  /** Default "lecture", which is PyTorch's too. */
  readonly like?: "lecture" | "pytorch" | "optax" | "keras";
};

/** `mean` only when centered, `v` only with momentum. */
export type RmspropState = { readonly c: TensorTree; readonly mean?: TensorTree; readonly v?: TensorTree };

/**
 * RMSProp: c = d c + (1 - d) g²; x += -a g / (sqrt(c) + eps).
 *
 * @param rate a, a number or a schedule. Default 0.01 (like Keras: 1e-3).
 * @param options `decay` d 0.99, `eps` 1e-8, `epsInside` false, `centered` false, `momentum` left out, `biasCorrection`
 * false, `initialAccumulator` 0, `like` "lecture", `weightDecay` left out.
 *
 * | like | scaled gradient s | with `momentum` mu |
 * |---|---|---|
 * | "lecture", "pytorch" | s = g / (sqrt(c) + eps) | v = mu v + s; x -= a v |
 * | "optax", "keras" | s = g / sqrt(c + eps) | v = mu v + a s; x -= v |
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
 * optim.rmsprop(0.001, { like: "keras" }).config.eps // -> 1e-7
 */
export function rmsprop(rate?: Hyper, options: RmspropOptions = {}): Transform<RmspropState> {
  const values = resolve("rmsprop", hypers, rate, options);
  const { centered, epsInside, biasCorrection, initialAccumulator } = values;
  const rateInside = values.like === "optax" || values.like === "keras";
  return transformOf(rmspropRule, values, {
    init: (params) => ({
      c: mapTree(params, (x) => x.full(initialAccumulator, x.shape)),
      ...(centered && { mean: zerosLike(params) }),
      ...(values.momentum !== undefined && { v: zerosLike(params) }),
    }),
    update(gradients, state, ctx) {
      const a = ctx.hyper("rate", values.rate);
      const d = ctx.hyper("decay", values.decay);
      const oneMinusD = ctx.hyper("decay", values.decay, oneMinus);
      const eps = ctx.hyper("eps", values.eps);
      const root = (c: Tensor): Tensor => (epsInside ? c.add(eps).sqrt() : c.sqrt().add(eps));
      const scale = biasCorrection ? biasCorrectionOf(ctx, "decay", values.decay).reciprocal() : undefined;
      const corrected = (mean: Tensor): Tensor => (scale === undefined ? mean : mean.mul(scale));

      const c = zipTrees((_, c, g) => c.mul(d).add(g.square().mul(oneMinusD)), state.c, gradients);
      const mean = state.mean && zipTrees((_, m, g) => m.mul(d).add(g.mul(oneMinusD)), state.mean, gradients);
      const squares = mapTree(c, corrected);
      const centre = mean && mapTree(mean, corrected);
      const variance = centre ? zipTrees((_, c, m) => c.sub(m.square()).maximum(0), squares, centre) : squares;
      const next = { c, ...(mean && { mean }) };

      if (values.momentum === undefined || state.v === undefined)
        return [zipTrees((_, g, c) => g.mul(a.neg()).div(root(c)), gradients, variance), next];

      const mu = ctx.hyper("momentum", values.momentum);
      const inside = (g: Tensor): Tensor => (rateInside ? g.mul(a) : g);
      const outside = (v: Tensor): Tensor => (rateInside ? v.neg() : v.mul(a.neg()));
      const v = zipTrees((_, v, g, c) => v.mul(mu).add(inside(g).div(root(c))), state.v, gradients, variance);
      return [mapTree(v, outside), { ...next, v }];
    },
  });
}

export const rmspropRule: Rule = {
  name: "rmsprop",
  role: "rule",
  equation: "c = d c + (1 - d) g²; x += -a g / (sqrt(c) + eps)",
  source: 'Hinton, lecture 6e; CS231n, "training neural networks, part 2"',
  equations: {
    lecture: "x += -a g / (sqrt(c) + eps); with momentum v = mu v + g / (sqrt(c) + eps), x += -a v",
    pytorch: "x += -a g / (sqrt(c) + eps); with momentum v = mu v + g / (sqrt(c) + eps), x += -a v",
    optax: "x += -a g / sqrt(c + eps); with momentum v = mu v + a g / sqrt(c + eps), x += -v",
    keras: "x += -a g / sqrt(c + eps); with momentum v = mu v + a g / sqrt(c + eps), x += -v",
  },
  hypers,
  create: rmsprop as Rule["create"],
};
