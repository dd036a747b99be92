import { OptionError } from "../core/errors.ts";
import { zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { type HyperSpecs, type Rule, resolve, transformOf } from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { NoState, Transform } from "./transform.ts";

const hypers = {
  l1: { type: "number", default: null, min: 0, text: "lambda" },
  mode: {
    type: "choice",
    choices: ["coupled", "proximal"],
    default: "coupled",
    text: "add lambda sign(x) to the gradients before the rule, or shrink the new weights after it, which leaves exact zeros",
  },
  rate: { type: "number", default: null, min: 0, text: "a, the rate of the rule; proximal only, where it is needed" },
} as const satisfies HyperSpecs;

export type L1Options = {
  /** Default "coupled". */
  readonly mode?: "coupled" | "proximal";
  /** The rate or schedule given to the rule; needed when proximal. */
  readonly rate?: Hyper;
};

/**
 * L1 decay for any rule. Coupled, before the rule: g += lambda sign(x). Proximal, after it: x = sign(x + u) max(|x + u| - a lambda, 0).
 *
 * @param l1 lambda, at least 0, a number or a schedule.
 * @param options `mode` "coupled" (the gradient of lambda |x|, Keras's `regularizers.L1`) or "proximal" (decoupled: ISTA's soft
 * threshold, whose weights become exactly 0), which needs the rule's `rate`.
 *
 * Its place in the `chain` is yours: before the rule when coupled, after it when proximal. For some parameters only put it in
 * `optim.masked`. Throws OptionError for a value out of range, a proximal step without a rate, a coupled one with.
 *
 * Source: Tibshirani, 1996; Daubechies, Defrise and De Mol, 2004.
 *
 * @example
 * optim.chain(optim.addL1(1e-4), optim.momentum(0.1)).config.parts[0] // -> { name: "addL1", l1: 0.0001, mode: "coupled" }
 */
export function addL1(l1: Hyper, options: L1Options = {}): Transform<NoState> {
  const values = resolve("addL1", hypers, l1, options);
  const { mode, rate } = values;
  if ((mode === "proximal") !== (rate !== undefined))
    throw new OptionError(
      `addL1: got mode = "${mode}" ${rate === undefined ? "without" : "with"} a rate; expected the rule's rate when proximal, and only then.`,
      "addL1.rate",
    );
  return transformOf(addL1Rule, values, {
    init: () => ({}),
    update(updates, state, ctx) {
      const lambda = ctx.hyper("l1", l1);
      if (rate === undefined) return [zipTrees((_, g, x) => g.add(x.sign().mul(lambda)), updates, ctx.params), state];
      const threshold = ctx.hyper("rate", rate).mul(lambda);
      // x + u less what of it lies within the threshold.
      const shrunk = (u: Tensor, x: Tensor): Tensor => u.sub(x.add(u).minimum(threshold).maximum(threshold.neg()));
      return [zipTrees((_, u, x) => shrunk(u, x), updates, ctx.params), state];
    },
  });
}

export const addL1Rule: Rule = {
  name: "addL1",
  role: "transform",
  equation: "coupled: g += lambda sign(x); proximal: x = sign(x + u) max(|x + u| - a lambda, 0)",
  source: "Tibshirani, 1996; Daubechies, Defrise and De Mol, 2004; Keras's regularizers.L1",
  hypers,
  create: addL1 as Rule["create"],
};
