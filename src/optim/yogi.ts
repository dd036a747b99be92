import { mapTree, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import {
  type DecoupledDecayOptions,
  decoupledDecayHypers,
  type HyperSpecs,
  oneMinus,
  type Rule,
  resolve,
  transformOf,
} from "./hyper.ts";
import { type BetaOptions, denominatorOf, descentOf, momentHypers, movingAverage, secondScale } from "./moments.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 1e-3, min: 0, text: "a, the learning rate" },
  ...momentHypers,
  eps: { ...momentHypers.eps, default: 1e-3 },
  initialAccumulator: { type: "number", default: 1e-6, min: 0, fixed: true, text: "value that m and v start from" },
  ...decoupledDecayHypers,
} as const satisfies HyperSpecs;

export type YogiOptions = DecoupledDecayOptions &
  BetaOptions & {
    /** Default 1e-3. */
    readonly eps?: Hyper;
    /** Added to v^ inside the root. Left out by default. */
    readonly epsRoot?: Hyper;
    /** Value that m and v start from. Default 1e-6. */
    readonly initialAccumulator?: number;
  };

export type YogiState = { readonly m: TensorTree; readonly v: TensorTree };

/**
 * Yogi: m = b1 m + (1 - b1) g; v += -(1 - b2) sign(v - g²) g²; x += -a m^ / (sqrt(v^) + eps) with m^ = m / (1 - b1^t),
 * v^ = v / (1 - b2^t).
 *
 * @param rate a, a number or a schedule. Default 1e-3 (optax has none; the paper: 0.01).
 * @param options `beta1` 0.9, `beta2` 0.999, `eps` 1e-3, `initialAccumulator` 1e-6, `epsRoot` left out, as optax.yogi;
 * `weightDecay` left out, decoupled.
 *
 * As in optax both means start from `initialAccumulator` and are corrected as if they started from 0. Throws OptionError for a
 * value out of range.
 *
 * Source: Zaheer et al., "Adaptive Methods for Nonconvex Optimization", 2018.
 *
 * @example
 * optim.yogi(0.01).config
 * // -> { name: "yogi", rate: 0.01, beta1: 0.9, beta2: 0.999, eps: 1e-3, initialAccumulator: 1e-6 }
 */
export function yogi(rate?: Hyper, options: YogiOptions = {}): Transform<YogiState> {
  const values = resolve("yogi", hypers, rate, options);
  const { beta1, beta2, initialAccumulator } = values;
  return transformOf(yogiRule, values, {
    init(params) {
      const start = (x: Tensor): Tensor => x.full(initialAccumulator, x.shape);
      return { m: mapTree(params, start), v: mapTree(params, start) };
    },
    update(gradients, state, ctx) {
      const oneMinusB2 = ctx.hyper("beta2", beta2, oneMinus);
      const descent = descentOf(ctx, values);
      const root = denominatorOf(ctx, values, secondScale(ctx, beta2));
      const m = movingAverage(ctx, "beta1", beta1, state.m, gradients);
      const v = zipTrees(
        (_, v, g) => v.sub(v.sub(g.square()).sign().mul(g.square()).mul(oneMinusB2)),
        state.v,
        gradients,
      );
      return [zipTrees((_, m, v, g) => descent(m, g).div(root(v)), m, v, gradients), { m, v }];
    },
  });
}

export const yogiRule: Rule = {
  name: "yogi",
  role: "rule",
  equation: "v += -(1 - b2) sign(v - g²) g²; x += -a m^ / (sqrt(v^) + eps)",
  source: "Zaheer et al., 2018",
  hypers,
  create: yogi as Rule["create"],
};
