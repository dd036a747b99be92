import { mapTree, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import {
  addDecay,
  type HyperSpecs,
  type OwnDecayOptions,
  ownDecayHypers,
  type Rule,
  resolve,
  transformOf,
  zerosLike,
} from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 1e-3, above: 0, text: "a, the learning rate" },
  power: { type: "number", default: 0.5, min: 0, text: "p, how a weight's rate falls with the sum of its squares" },
  initialAccumulator: { type: "number", default: 0.1, min: 0, fixed: true, text: "value that n starts from" },
  l1: { type: "number", default: 0, min: 0, text: "makes weights of small gradients exactly 0" },
  l2: { type: "number", default: 0, min: 0, text: "draws weights to 0" },
  l2Shrinkage: { type: "number", default: 0, min: 0, text: "the L2 penalty of the loss" },
  beta: { type: "number", default: 0, min: 0, text: "keeps the first steps small" },
  ...ownDecayHypers,
} as const satisfies HyperSpecs;

export type FtrlOptions = OwnDecayOptions & {
  /** p, minus Keras's `learning_rate_power`. Default 0.5. */
  readonly power?: Hyper;
  /** Value that n starts from. Default 0.1. */
  readonly initialAccumulator?: number;
  /** Default 0. */
  readonly l1?: Hyper;
  /** Default 0. */
  readonly l2?: Hyper;
  /** Adds 2 l2Shrinkage x to the gradients that z collects. Default 0. */
  readonly l2Shrinkage?: Hyper;
  /** Default 0. */
  readonly beta?: Hyper;
};

export type FtrlState = { readonly n: TensorTree; readonly z: TensorTree };

const doubled = (value: number): number => 2 * value;

/**
 * Follow the regularized leader: n' = n + g²; z += g + 2 l2Shrinkage x - (n'^p - n^p) / a x;
 * x = a (clip(z, -l1, l1) - z) / (n'^p + beta + 2 a l2).
 *
 * @param rate a, above 0, a number or a schedule. Default 1e-3.
 * @param options `power` p 0.5, `initialAccumulator` 0.1, `l1`, `l2`, `l2Shrinkage` and `beta` 0, `weightDecay` left out.
 *
 * As keras.optimizers.Ftrl, weight decay too: x is first shrunk to x - a lambda x. A weight is what z and n make of it, not a sum of
 * steps: initial weights are lost but for the part that n^p of its starting value leaves out, a weight without gradients is 0 at once,
 * and a falling rate draws all weights to 0. It is for linear models of many sparse features. Throws OptionError for a value out of
 * range.
 *
 * Source: McMahan et al., "Ad Click Prediction: a View from the Trenches", 2013.
 *
 * @example
 * optim.ftrl(0.1, { l1: 0.01 }).config
 * // -> { name: "ftrl", rate: 0.1, power: 0.5, initialAccumulator: 0.1, l1: 0.01, l2: 0, l2Shrinkage: 0, beta: 0 }
 */
export function ftrl(rate?: Hyper, options: FtrlOptions = {}): Transform<FtrlState> {
  const values = resolve("ftrl", hypers, rate, options);
  const { initialAccumulator, weightDecay, noDecay } = values;
  return transformOf(ftrlRule, values, {
    init: (params) => ({
      n: mapTree(params, (x) => x.full(initialAccumulator, x.shape)),
      z: zerosLike(params),
    }),
    update(gradients, state, ctx) {
      const a = ctx.hyper("rate", values.rate);
      const p = ctx.hyper("power", values.power);
      const l1 = ctx.hyper("l1", values.l1);
      const twiceL2 = ctx.hyper("l2", values.l2, doubled);
      const twiceShrinkage = ctx.hyper("l2Shrinkage", values.l2Shrinkage, doubled);
      const below = ctx.hyper("beta", values.beta).add(a.mul(twiceL2));
      const from =
        weightDecay === undefined
          ? ctx.params
          : addDecay("ftrl", noDecay, ctx.params, ctx.params, a.mul(ctx.hyper("weightDecay", weightDecay)).neg());

      const n = zipTrees((_, n, g) => n.add(g.square()), state.n, gradients);
      const z = zipTrees(
        (_, z, g, x, old, n) => z.add(g).add(x.mul(twiceShrinkage.sub(n.pow(p).sub(old.pow(p)).div(a)))),
        state.z,
        gradients,
        from,
        state.n,
        n,
      );
      const least = l1.neg();
      const updates = zipTrees(
        (_, z: Tensor, n: Tensor, x: Tensor) => {
          const kept = z.maximum(least).minimum(l1).sub(z);
          const divisor = n.pow(p).add(below);
          // Where it is 0 there has been no gradient: z is 0 too.
          return kept.mul(a).div(divisor.equal(0).select(1, divisor)).sub(x);
        },
        z,
        n,
        ctx.params,
      );
      return [updates, { n, z }];
    },
  });
}

export const ftrlRule: Rule = {
  name: "ftrl",
  role: "rule",
  equation:
    "n' = n + g²; z += g + 2 l2Shrinkage x - (n'^p - n^p) / a x; x = a (clip(z, -l1, l1) - z) / (n'^p + beta + 2 a l2)",
  source: "McMahan et al., 2013",
  hypers,
  create: ftrl as Rule["create"],
};
