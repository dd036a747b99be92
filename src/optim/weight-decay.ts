import { OptionError } from "../core/errors.ts";
import { zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { type HyperSpecs, type Rule, resolve, transformOf } from "./hyper.ts";
import { matchParameters, type ParameterPattern } from "./parameters.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { NoState, TensorTree, Transform } from "./transform.ts";

const hypers = {
  weightDecay: { type: "number", default: null, min: 0, text: "lambda" },
  mode: {
    type: "choice",
    choices: ["coupled", "decoupled"],
    default: "coupled",
    text: "add to the gradients before the rule (L2), or to the updates after it",
  },
  rate: { type: "number", default: null, min: 0, text: "a, the rate of the rule; decoupled only, where it is needed" },
  params: {
    type: "parameters",
    default: null,
    text: 'which parameters, such as "matrix" or "!bias, !norm"; all if left out',
  },
} as const satisfies HyperSpecs;

export type DecayedWeightsOptions = {
  /** Default "coupled". */
  readonly mode?: "coupled" | "decoupled";
  /** The rate or schedule given to the rule; needed when decoupled. */
  readonly rate?: Hyper;
  /** Default: all. */
  readonly params?: ParameterPattern;
};

/**
 * Weight decay for any rule. Coupled, before the rule: g += lambda x. Decoupled, after it: u += -a lambda x.
 *
 * @param weightDecay lambda, at least 0, a number or a schedule.
 * @param options `mode` "coupled" (the gradient of lambda/2 |x|², PyTorch's `weight_decay` of SGD, Adam, ...) or "decoupled"
 * (Keras's `weight_decay` of every optimizer, AdamW), which needs the rule's `rate`; `params`, a pattern (optax's `mask`), by
 * default all.
 *
 * Its place in the `chain` is yours: before the rule when coupled, after it when decoupled. Most rules take `weightDecay` and
 * `noDecay` themselves. Throws OptionError for a value out of range, a decoupled decay without a rate, a coupled one with, and,
 * when the state is made, for a pattern that matches nothing.
 *
 * Source: Loshchilov and Hutter, 2019.
 *
 * @example
 * optim.chain(optim.addDecayedWeights(5e-4, { params: "!bias, !norm" }), optim.momentum(0.1)).config.parts[0]
 * // -> { name: "addDecayedWeights", weightDecay: 5e-4, mode: "coupled", params: "!bias, !norm" }
 */
export function addDecayedWeights(weightDecay: Hyper, options: DecayedWeightsOptions = {}): Transform<NoState> {
  const values = resolve("addDecayedWeights", hypers, weightDecay, options);
  const { mode, rate, params: pattern } = values;
  if ((mode === "decoupled") !== (rate !== undefined))
    throw new OptionError(
      `addDecayedWeights: got mode = "${mode}" ${rate === undefined ? "without" : "with"} a rate; expected the rule's rate when decoupled, and only then.`,
      "addDecayedWeights.rate",
    );
  const chosen = (params: TensorTree): ((path: string) => boolean) => {
    if (pattern === undefined) return () => true;
    const paths = matchParameters("addDecayedWeights.params", pattern, params);
    return (path) => paths.has(path);
  };
  return transformOf(addDecayedWeightsRule, values, {
    init(params) {
      chosen(params);
      return {};
    },
    update(updates, state, ctx) {
      const lambda = ctx.hyper("weightDecay", weightDecay);
      const scale = rate === undefined ? lambda : ctx.hyper("rate", rate).mul(lambda).neg();
      const decays = chosen(ctx.params);
      const add = (path: string, u: Tensor, x: Tensor): Tensor => (decays(path) ? u.add(x.mul(scale)) : u);
      return [zipTrees(add, updates, ctx.params), state];
    },
  });
}

export const addDecayedWeightsRule: Rule = {
  name: "addDecayedWeights",
  role: "transform",
  equation: "coupled: g += lambda x; decoupled: u += -a lambda x",
  source: "Loshchilov and Hutter, 2019",
  hypers,
  create: addDecayedWeights as Rule["create"],
};
