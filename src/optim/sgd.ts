import { mapTree } from "../core/tree.ts";
import { configOf, type HyperSpecs, type Rule, resolve } from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { NoState, Transform } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 1e-3, min: 0, text: "a, the learning rate" },
} as const satisfies HyperSpecs;

/**
 * Stochastic gradient descent: x += -a g.
 *
 * @param rate a, a number or a schedule. Default 1e-3, as torch.optim.SGD (Keras: 0.01).
 *
 * Without memory: for momentum use `optim.momentum`, for torch's `weight_decay` put `optim.addDecayedWeights(decay)` before
 * it in a `chain`. Throws OptionError for a negative or non-finite rate.
 *
 * Source: Robbins and Monro, 1951; CS231n, "training neural networks, part 2".
 *
 * @example
 * optim.sgd(0.1).config // -> { name: "sgd", rate: 0.1 }
 */
export function sgd(rate?: Hyper, options: Readonly<Record<string, never>> = {}): Transform<NoState> {
  const values = resolve("sgd", hypers, rate, options);
  return {
    config: configOf("sgd", values),
    init: () => ({}),
    update(gradients, state, ctx) {
      const a = ctx.hyper("rate", values.rate);
      return [mapTree(gradients, (g) => g.mul(a.neg())), state];
    },
  };
}

export const sgdRule: Rule = {
  name: "sgd",
  role: "rule",
  equation: "x += -a g",
  source: 'CS231n, "training neural networks, part 2"',
  hypers,
  create: sgd,
};
