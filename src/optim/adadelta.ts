import { mapTree, zipTrees } from "../core/tree.ts";
import {
  type DecayOptions,
  decayHypers,
  type HyperSpecs,
  type Rule,
  resolve,
  transformOf,
  zerosLike,
} from "./hyper.ts";
import { movingAverage, square } from "./moments.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 1, min: 0, like: { keras: 1e-3 }, text: "a, the learning rate" },
  rho: {
    type: "number",
    default: 0.9,
    min: 0,
    below: 1,
    like: { keras: 0.95 },
    text: "the part of the mean squares that stays",
  },
  eps: {
    type: "number",
    default: 1e-6,
    above: 0,
    like: { keras: 1e-7 },
    text: "keeps the division finite, and is what the first steps' length comes from",
  },
  like: {
    type: "choice",
    choices: ["pytorch", "optax", "keras"],
    default: "pytorch",
    text: "whose default numbers and weight decay (PyTorch and optax: L2, Keras: decoupled)",
  },
  ...decayHypers,
  decoupled: { type: "flag", default: false, like: { keras: true }, text: decayHypers.decoupled.text },
} as const satisfies HyperSpecs;

export type AdadeltaOptions = Omit<DecayOptions, "decoupled"> & {
  /** x += -a lambda x instead of g += lambda x. Default false, as PyTorch and optax; true like Keras. */
  readonly decoupled?: boolean;
  /** Default 0.9, as PyTorch and optax (like Keras: 0.95). */
  readonly rho?: Hyper;
  /** Default 1e-6, as PyTorch and optax (like Keras: 1e-7). */
  readonly eps?: Hyper;
  /** Default "pytorch". */
  readonly like?: "pytorch" | "optax" | "keras";
};

/** Means of the squares of the gradients and of the steps. */
export type AdadeltaState = { readonly c: TensorTree; readonly r: TensorTree };

/**
 * Adadelta: c = rho c + (1 - rho) g²; s = sqrt(r + eps) / sqrt(c + eps) g; r = rho r + (1 - rho) s²; x += -a s.
 *
 * @param rate a, a number or a schedule. Default 1, as PyTorch and optax (like Keras: 1e-3).
 * @param options `rho` 0.9, `eps` 1e-6, `like` "pytorch", `weightDecay` left out: as torch.optim.Adadelta.
 *
 * | like | a | rho | eps | weight decay |
 * |---|---|---|---|---|
 * | "pytorch", "optax" | 1 | 0.9 | 1e-6 | L2 |
 * | "keras" | 1e-3 | 0.95 | 1e-7 | decoupled |
 *
 * Throws OptionError for a value out of range.
 *
 * Source: Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012.
 *
 * @example
 * optim.adadelta().config // -> { name: "adadelta", rate: 1, rho: 0.9, eps: 1e-6, like: "pytorch" }
 */
export function adadelta(rate?: Hyper, options: AdadeltaOptions = {}): Transform<AdadeltaState> {
  const values = resolve("adadelta", hypers, rate, options);
  return transformOf(adadeltaRule, values, {
    init: (params) => ({ c: zerosLike(params), r: zerosLike(params) }),
    update(gradients, state, ctx) {
      const down = ctx.hyper("rate", values.rate).neg();
      const eps = ctx.hyper("eps", values.eps);
      const c = movingAverage(ctx, "rho", values.rho, state.c, gradients, square);
      const steps = zipTrees((_, g, c, r) => r.add(eps).sqrt().div(c.add(eps).sqrt()).mul(g), gradients, c, state.r);
      const r = movingAverage(ctx, "rho", values.rho, state.r, steps, square);
      return [mapTree(steps, (s) => s.mul(down)), { c, r }];
    },
  });
}

export const adadeltaRule: Rule = {
  name: "adadelta",
  role: "rule",
  equation: "c = rho c + (1 - rho) g²; s = sqrt(r + eps) / sqrt(c + eps) g; r = rho r + (1 - rho) s²; x += -a s",
  source: "Zeiler, 2012",
  hypers,
  create: adadelta as Rule["create"],
};
