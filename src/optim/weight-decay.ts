import { OptionError } from "../core/errors.ts";
import { zipTrees } from "../core/tree.ts";
import { configOf, type HyperSpecs, type Rule, resolve } from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { NoState, Transform } from "./transform.ts";

const hypers = {
  weightDecay: { type: "number", default: null, min: 0, text: "lambda" },
  mode: {
    type: "choice",
    choices: ["coupled", "decoupled"],
    default: "coupled",
    text: "add to the gradients before the rule (L2), or to the updates after it",
  },
  rate: { type: "number", default: null, min: 0, text: "a, the rate of the rule; decoupled only, where it is needed" },
} as const satisfies HyperSpecs;

export type DecayedWeightsOptions = {
  /** Default "coupled". */
  readonly mode?: "coupled" | "decoupled";
  /** The rate or schedule given to the rule; needed when decoupled. */
  readonly rate?: Hyper;
};

/**
 * Weight decay for any rule. Coupled, before the rule: g += lambda x. Decoupled, after it: u += -a lambda x.
 *
 * @param weightDecay lambda, at least 0, a number or a schedule.
 * @param options `mode` "coupled" (the gradient of lambda/2 |x|², PyTorch's `weight_decay` of SGD, Adam, ...) or "decoupled"
 * (Keras's `weight_decay` of every optimizer, AdamW), which needs the rule's `rate`.
 *
 * Its place in the `chain` is yours: before the rule when coupled, after it when decoupled. Throws OptionError for a value
 * out of range, a decoupled decay without a rate, a coupled one with.
 *
 * Source: Loshchilov and Hutter, 2019.
 *
 * @example
 * optim.chain(optim.addDecayedWeights(5e-4), optim.momentum(0.1)).config.name // -> "chain"
 */
export function addDecayedWeights(weightDecay: Hyper, options: DecayedWeightsOptions = {}): Transform<NoState> {
  const values = resolve("addDecayedWeights", hypers, weightDecay, options);
  const { mode, rate } = values;
  if ((mode === "decoupled") !== (rate !== undefined))
    throw new OptionError(
      `addDecayedWeights: got mode = "${mode}" ${rate === undefined ? "without" : "with"} a rate; expected the rule's rate when decoupled, and only then.`,
      "addDecayedWeights.rate",
    );
  return {
    config: configOf("addDecayedWeights", values),
    init: () => ({}),
    update(updates, state, ctx) {
      const lambda = ctx.hyper("weightDecay", weightDecay);
      if (rate === undefined) return [zipTrees((_, g, x) => g.add(x.mul(lambda)), updates, ctx.params), state];
      const shrink = ctx.hyper("rate", rate).mul(lambda);
      return [zipTrees((_, u, x) => u.sub(x.mul(shrink)), updates, ctx.params), state];
    },
  };
}

export const addDecayedWeightsRule: Rule = {
  name: "addDecayedWeights",
  role: "transform",
  equation: "coupled: g += lambda x; decoupled: u += -a lambda x",
  source: "Loshchilov and Hutter, 2019",
  hypers,
  create: addDecayedWeights,
};
