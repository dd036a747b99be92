import { zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import {
  biasCorrectionOf,
  type DecoupledDecayOptions,
  decoupledDecayHypers,
  type HyperSpecs,
  oneMinus,
  type Rule,
  resolve,
  transformOf,
  zerosLike,
} from "./hyper.ts";
import { denominatorOf, momentHypers, movingAverage, square } from "./moments.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 1e-3, min: 0, text: "a, the learning rate" },
  beta1: { ...momentHypers.beta1, default: 0.98 },
  beta2: { ...momentHypers.beta2, default: 0.92, text: "decay of v, the mean of the gradients' differences" },
  beta3: { ...momentHypers.beta2, default: 0.99, text: "decay of n, the mean of the squares of g + (1 - beta2) d" },
  eps: momentHypers.eps,
  epsRoot: { ...momentHypers.epsRoot, default: 1e-8 },
  ...decoupledDecayHypers,
} as const satisfies HyperSpecs;

export type AdanOptions = DecoupledDecayOptions & {
  /** Default 0.98. */
  readonly beta1?: Hyper;
  /** Default 0.92. */
  readonly beta2?: Hyper;
  /** Default 0.99. */
  readonly beta3?: Hyper;
  /** Default 1e-8. */
  readonly eps?: Hyper;
  /** Added to n^ inside the root. Default 1e-8. */
  readonly epsRoot?: Hyper;
};

/** `g` is the gradient of the step before. */
export type AdanState = {
  readonly m: TensorTree;
  readonly v: TensorTree;
  readonly n: TensorTree;
  readonly g: TensorTree;
};

/**
 * Adan, adaptive Nesterov momentum: d = g - g of the step before (0 at first); m, v and n the means of g, d and
 * (g + (1 - b2) d)²; x += -a (m^ + (1 - b2) v^) / (sqrt(n^ + epsRoot) + eps), each mean corrected: m^ = m / (1 - b1^t).
 *
 * @param rate a, a number or a schedule. Default 1e-3 (optax has none).
 * @param options `beta1` 0.98, `beta2` 0.92, `beta3` 0.99, `eps` 1e-8, `epsRoot` 1e-8, `weightDecay` left out and decoupled:
 * as optax.adan.
 *
 * optax's decay is x += -a lambda x beside the update, as here; the paper divides by 1 + a lambda. Throws OptionError for a
 * value out of range.
 *
 * Source: Xie et al., "Adan: Adaptive Nesterov Momentum Algorithm for Faster Optimizing Deep Models", 2022.
 *
 * @example
 * optim.adan(0.01).config
 * // -> { name: "adan", rate: 0.01, beta1: 0.98, beta2: 0.92, beta3: 0.99, eps: 1e-8, epsRoot: 1e-8 }
 */
export function adan(rate?: Hyper, options: AdanOptions = {}): Transform<AdanState> {
  const values = resolve("adan", hypers, rate, options);
  const { beta1, beta2, beta3 } = values;
  return transformOf(adanRule, values, {
    init: (params) => ({ m: zerosLike(params), v: zerosLike(params), n: zerosLike(params), g: zerosLike(params) }),
    update(gradients, state, ctx) {
      const oneMinusB2 = ctx.hyper("beta2", beta2, oneMinus);
      const first = ctx.step.equal(0);
      const d = zipTrees((_, g, before) => first.select(0, g.sub(before)), gradients, state.g);
      const ahead = zipTrees((_, g, d) => g.add(d.mul(oneMinusB2)), gradients, d);
      const m = movingAverage(ctx, "beta1", beta1, state.m, gradients);
      const v = movingAverage(ctx, "beta2", beta2, state.v, d);
      const n = movingAverage(ctx, "beta3", beta3, state.n, ahead, square);

      const down = ctx.hyper("rate", values.rate).neg();
      const ofM = down.div(biasCorrectionOf(ctx, "beta1", beta1));
      const ofV = down.mul(oneMinusB2).div(biasCorrectionOf(ctx, "beta2", beta2));
      const root = denominatorOf(ctx, values, biasCorrectionOf(ctx, "beta3", beta3).reciprocal());
      const updates = zipTrees((_, m, v, n: Tensor) => m.mul(ofM).add(v.mul(ofV)).div(root(n)), m, v, n);
      return [updates, { m, v, n, g: gradients }];
    },
  });
}

export const adanRule: Rule = {
  name: "adan",
  role: "rule",
  equation:
    "d = g - g_before; x += -a (m^ + (1 - b2) v^) / (sqrt(n^ + epsRoot) + eps), m of g, v of d, n of (g + (1 - b2) d)²",
  source: "Xie et al., 2022",
  hypers,
  create: adan as Rule["create"],
};
