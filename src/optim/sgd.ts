import { mapTree } from "../core/tree.ts";
import { type DecayOptions, decayHypers, type HyperSpecs, type Rule, resolve, transformOf } from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { NoState, Transform } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 1e-3, min: 0, like: { keras: 1e-2 }, text: "a, the learning rate" },
  like: {
    type: "choice",
    choices: ["lecture", "pytorch", "optax", "keras"],
    default: "lecture",
    text: "whose default rate, and whether weight decay is decoupled (optax, Keras)",
  },
  ...decayHypers,
} as const satisfies HyperSpecs;

export type SgdOptions = DecayOptions & {
  /** Default "lecture". */
  readonly like?: "lecture" | "pytorch" | "optax" | "keras";
};

/**
 * Stochastic gradient descent: x += -a g.
 *
 * @param rate a, a number or a schedule. Default 1e-3, as torch.optim.SGD (like Keras: 0.01).
 * @param options `like` "lecture", `weightDecay` left out: L2 as PyTorch's; like optax and Keras decoupled.
 *
 * Without memory: for momentum use `optim.momentum`. Throws OptionError for a value out of range.
 *
 * Source: Robbins and Monro, 1951; CS231n, "training neural networks, part 2".
 *
 * @example
 * optim.sgd(0.1).config // -> { name: "sgd", rate: 0.1, like: "lecture" }
 */
export function sgd(rate?: Hyper, options: SgdOptions = {}): Transform<NoState> {
  const values = resolve("sgd", hypers, rate, options);
  return transformOf(sgdRule, values, {
    init: () => ({}),
    update(gradients, state, ctx) {
      const down = ctx.hyper("rate", values.rate).neg();
      return [mapTree(gradients, (g) => g.mul(down)), state];
    },
  });
}

export const sgdRule: Rule = {
  name: "sgd",
  role: "rule",
  equation: "x += -a g",
  source: 'CS231n, "training neural networks, part 2"',
  hypers,
  create: sgd as Rule["create"],
};
