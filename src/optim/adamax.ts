import { zipTrees } from "../core/tree.ts";
import {
  type DecayOptions,
  decayHypers,
  type HyperSpecs,
  type Rule,
  resolve,
  transformOf,
  zerosLike,
} from "./hyper.ts";
import { type BetaOptions, descentOf, momentHypers, movingAverage } from "./moments.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 2e-3, min: 0, like: { keras: 1e-3 }, text: "a, the learning rate" },
  beta1: momentHypers.beta1,
  beta2: { ...momentHypers.beta2, text: "decay of u, the largest gradient" },
  eps: { ...momentHypers.eps, like: { keras: 1e-7 } },
  like: {
    type: "choice",
    choices: ["pytorch", "optax", "keras"],
    default: "pytorch",
    text: "where eps stands: beside the gradient (PyTorch, optax) or beside u (Keras)",
  },
  ...decayHypers,
} as const satisfies HyperSpecs;

export type AdamaxOptions = DecayOptions &
  BetaOptions & {
    /** Default 1e-8, as PyTorch and optax (like Keras: 1e-7). */
    readonly eps?: Hyper;
    /** Default "pytorch". */
    readonly like?: "pytorch" | "optax" | "keras";
  };

export type AdamaxState = { readonly m: TensorTree; readonly u: TensorTree };

/**
 * Adamax: m = b1 m + (1 - b1) g; u = max(b2 u, |g| + eps); x += -a m^ / u, m^ = m / (1 - b1^t).
 *
 * @param rate a, a number or a schedule. Default 2e-3, as PyTorch and the paper (like Keras: 1e-3; optax has none).
 * @param options `beta1` 0.9, `beta2` 0.999, `eps` 1e-8, `like` "pytorch", `weightDecay` left out: as torch.optim.Adamax.
 *
 * | like | update | weight decay |
 * |---|---|---|
 * | "pytorch" | u = max(b2 u, abs(g) + eps); x += -a m^ / u | L2 |
 * | "optax" | the same | decoupled: optax.adamaxw has `weightDecay` 1e-4 |
 * | "keras" | u = max(b2 u, abs(g)); x += -a m^ / (u + eps), eps 1e-7 | decoupled |
 *
 * Throws OptionError for a value out of range.
 *
 * Source: Kingma and Ba, "Adam", 2015, section 7.1.
 *
 * @example
 * optim.adamax().config // -> { name: "adamax", rate: 2e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, like: "pytorch" }
 */
export function adamax(rate?: Hyper, options: AdamaxOptions = {}): Transform<AdamaxState> {
  const values = resolve("adamax", hypers, rate, options);
  const beside = values.like === "keras";
  return transformOf(adamaxRule, values, {
    init: (params) => ({ m: zerosLike(params), u: zerosLike(params) }),
    update(gradients, state, ctx) {
      const b2 = ctx.hyper("beta2", values.beta2);
      const eps = ctx.hyper("eps", values.eps);
      const descent = descentOf(ctx, values);
      const m = movingAverage(ctx, "beta1", values.beta1, state.m, gradients);
      const u = zipTrees((_, u, g) => u.mul(b2).maximum(beside ? g.abs() : g.abs().add(eps)), state.u, gradients);
      return [zipTrees((_, m, u, g) => descent(m, g).div(beside ? u.add(eps) : u), m, u, gradients), { m, u }];
    },
  });
}

export const adamaxRule: Rule = {
  name: "adamax",
  role: "rule",
  equation: "m = b1 m + (1 - b1) g; u = max(b2 u, |g| + eps); x += -a m^ / u",
  source: "Kingma and Ba, 2015, section 7.1",
  equations: {
    pytorch: "u = max(b2 u, |g| + eps); x += -a m^ / u",
    optax: "u = max(b2 u, |g| + eps); x += -a m^ / u",
    keras: "u = max(b2 u, |g|); x += -a m^ / (u + eps)",
  },
  hypers,
  create: adamax as Rule["create"],
};
