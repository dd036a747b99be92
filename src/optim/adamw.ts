import { zipTrees } from "../core/tree.ts";
import { type AdamOptions, type AdamState, adam, adamHypers } from "./adam.ts";
import { configOf, type HyperSpecs, type Rule, resolve } from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { Transform } from "./transform.ts";

const hypers = {
  ...adamHypers,
  weightDecay: { type: "number", default: 1e-2, min: 0, text: "lambda, the part of a weight taken off at rate 1" },
} as const satisfies HyperSpecs;

export type AdamwOptions = AdamOptions & {
  /** lambda. Default 0.01, PyTorch's (optax: 1e-4, Keras: 4e-3). */
  readonly weightDecay?: Hyper;
};

/**
 * Adam with decoupled weight decay: x += -a lambda x - a m^ / (sqrt(v^) + eps).
 *
 * @param rate a, a number or a schedule. Default 1e-3.
 * @param options those of `adam`, and `weightDecay` lambda 0.01.
 *
 * The decay takes x from before the step and the current, scheduled rate, as torch.optim.AdamW, optax and Keras do (the
 * paper multiplies by the schedule's factor alone). It applies to every parameter, biases too, as theirs do by default.
 *
 * Throws OptionError for a value out of range.
 *
 * Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019.
 *
 * @example
 * optim.adamw(1e-3, { weightDecay: 0.05 }).config.weightDecay // -> 0.05
 */
export function adamw(rate?: Hyper, options: AdamwOptions = {}): Transform<AdamState> {
  const values = resolve("adamw", hypers, rate, options);
  const { weightDecay, rate: a, ...adamOptions } = values;
  const inner = adam(a, adamOptions);
  return {
    config: configOf("adamw", values),
    init: inner.init,
    update(gradients, state, ctx) {
      const [updates, next] = inner.update(gradients, state, ctx);
      const shrink = ctx.hyper("rate", a).mul(ctx.hyper("weightDecay", weightDecay));
      return [zipTrees((_, u, x) => u.sub(x.mul(shrink)), updates, ctx.params), next];
    },
  };
}

export const adamwRule: Rule = {
  name: "adamw",
  role: "rule",
  equation: "x += -a lambda x - a m^ / (sqrt(v^) + eps), m^ and v^ as in adam",
  source: "Loshchilov and Hutter, 2019",
  hypers,
  create: adamw,
};
