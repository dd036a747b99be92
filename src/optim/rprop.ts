import { mapTree, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { type HyperSpecs, type Rule, resolve, transformOf, zerosLike } from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 1e-2, min: 0, text: "a, every weight's first step length; later ones are its own" },
  etaMinus: { type: "number", default: 0.5, above: 0, below: 1, text: "shortens a step after a change of sign" },
  etaPlus: { type: "number", default: 1.2, above: 1, text: "lengthens a step that goes on" },
  minStep: { type: "number", default: 1e-6, min: 0, text: "the shortest step" },
  maxStep: { type: "number", default: 50, above: 0, text: "the longest step" },
  like: {
    type: "choice",
    choices: ["pytorch", "optax"],
    default: "pytorch",
    text: "the step of this gradient (the paper, PyTorch), or that of the gradient before it (optax)",
  },
} as const satisfies HyperSpecs;

export type RpropOptions = {
  /** Default 0.5. */
  readonly etaMinus?: Hyper;
  /** Default 1.2. */
  readonly etaPlus?: Hyper;
  /** Default 1e-6. */
  readonly minStep?: Hyper;
  /** Default 50. */
  readonly maxStep?: Hyper;
  /** Default "pytorch". */
  readonly like?: "pytorch" | "optax";
};

/** Step lengths, and the last steps with their gradients' signs. */
export type RpropState = { readonly e: TensorTree; readonly last: TensorTree };

/**
 * Resilient propagation (iRprop-): each weight's step e grows by etaPlus while its gradient keeps its sign, and shrinks by
 * etaMinus, without a step, where that changes; x += -e sign(g).
 *
 * @param rate a, the first e, a number or a schedule of which only the first step's value counts. Default 0.01 (optax gives none).
 * @param options `etaMinus` 0.5, `etaPlus` 1.2, `minStep` 1e-6, `maxStep` 50, `like` "pytorch": as torch.optim.Rprop.
 *
 * | like | update |
 * |---|---|
 * | "pytorch", the paper | x += -e sign(g), 0 where the sign has just changed |
 * | "optax" | the step that belongs to the gradient before, 0 where the sign has just changed: the first step moves nothing |
 *
 * For gradients of the whole data: those of mini-batches change sign by chance. Throws OptionError for a value out of range.
 *
 * Source: Riedmiller and Braun, "RPROP", 1993; Igel and Hüsken, "Improving the Rprop Learning Algorithm", 2000.
 *
 * @example
 * optim.rprop(0.1).config
 * // -> { name: "rprop", rate: 0.1, etaMinus: 0.5, etaPlus: 1.2, minStep: 1e-6, maxStep: 50, like: "pytorch" }
 */
export function rprop(rate?: Hyper, options: RpropOptions = {}): Transform<RpropState> {
  const values = resolve("rprop", hypers, rate, options);
  const lags = values.like === "optax";
  return transformOf(rpropRule, values, {
    init: (params) => ({ e: zerosLike(params), last: zerosLike(params) }),
    update(gradients, state, ctx) {
      const first = ctx.step.equal(0);
      const a = ctx.hyper("rate", values.rate);
      const shorter = ctx.hyper("etaMinus", values.etaMinus);
      const longer = ctx.hyper("etaPlus", values.etaPlus);
      const min = ctx.hyper("minStep", values.minStep);
      const max = ctx.hyper("maxStep", values.maxStep);

      // Of the signs, not of the gradients: a product of small ones would be 0.
      const agreement = zipTrees((_, g, last) => g.sign().mul(last), gradients, state.last);
      const e = zipTrees(
        (_, old, same) => {
          const from = first.select(a, old);
          const factor = same.greater(0).select(longer, same.less(0).select(shorter, 1));
          const to = from.mul(factor).maximum(min).minimum(max);
          return lags ? same.equal(0).select(from, to) : to;
        },
        state.e,
        agreement,
      );
      const held = (same: Tensor, step: Tensor): Tensor => same.less(0).select(0, step);
      const last = zipTrees((_, g, e, same) => held(same, e.mul(g.sign())), gradients, e, agreement);
      const steps = lags ? zipTrees((_, old, same) => held(same, old), state.last, agreement) : last;
      return [mapTree(steps, (step) => step.neg()), { e, last }];
    },
  });
}

export const rpropRule: Rule = {
  name: "rprop",
  role: "rule",
  equation:
    "e = clip(e {etaPlus | 1 | etaMinus}, minStep, maxStep) by the sign of g g_before; x += -e sign(g), 0 after a change of sign",
  source: "Riedmiller and Braun, 1993; Igel and Hüsken, 2000",
  equations: {
    pytorch: "x += -e sign(g), 0 after a change of sign",
    optax: "x += -e_before sign(g_before), 0 after a change of sign",
  },
  hypers,
  create: rprop as Rule["create"],
};
