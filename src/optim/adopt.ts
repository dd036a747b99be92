import { zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import {
  type DecoupledDecayOptions,
  decoupledDecayHypers,
  type HyperSpecs,
  oneMinus,
  type Rule,
  resolve,
  transformOf,
  zerosLike,
} from "./hyper.ts";
import { momentHypers } from "./moments.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 1e-3, min: 0, text: "a, the learning rate" },
  beta1: { ...momentHypers.beta1, text: "decay of m, the mean of the scaled gradients" },
  beta2: { ...momentHypers.beta2, default: 0.9999 },
  eps: { type: "number", default: 1e-6, above: 0, text: "least divisor" },
  clipping: { type: "flag", default: true, text: "keep the scaled gradients within (t - 1)^(1/4)" },
  nesterov: { type: "flag", default: false, text: "look ahead as Nesterov's momentum does" },
  ...decoupledDecayHypers,
} as const satisfies HyperSpecs;

export type AdoptOptions = DecoupledDecayOptions & {
  /** Default 0.9. */
  readonly beta1?: Hyper;
  /** Default 0.9999. */
  readonly beta2?: Hyper;
  /** The least divisor. Default 1e-6. */
  readonly eps?: Hyper;
  /** Default true. */
  readonly clipping?: boolean;
  /** Default false. */
  readonly nesterov?: boolean;
};

export type AdoptState = { readonly m: TensorTree; readonly v: TensorTree };

/**
 * ADOPT: u = g / max(sqrt(v), eps), kept within (t - 1)^(1/4), with v from before; m = b1 m + (1 - b1) u;
 * v = b2 v + (1 - b2) g²; x += -a m.
 *
 * @param rate a, a number or a schedule. Default 1e-3, as the paper (optax has none).
 * @param options `beta1` 0.9, `beta2` 0.9999, `eps` 1e-6, `clipping` true, `nesterov` false, as optax.contrib.adopt;
 * `weightDecay` left out, decoupled.
 *
 * The first update moves nothing: it sets v = g². With `nesterov` x += -a (b1 m + (1 - b1) u). Throws OptionError for a value
 * out of range.
 *
 * Source: Taniguchi et al., "ADOPT: Modified Adam Can Converge with Any beta2 with the Optimal Rate", 2024.
 *
 * @example
 * optim.adopt(0.01).config
 * // -> { name: "adopt", rate: 0.01, beta1: 0.9, beta2: 0.9999, eps: 1e-6, clipping: true, nesterov: false }
 */
export function adopt(rate?: Hyper, options: AdoptOptions = {}): Transform<AdoptState> {
  const values = resolve("adopt", hypers, rate, options);
  const { beta1, beta2, clipping, nesterov } = values;
  return transformOf(adoptRule, values, {
    init: (params) => ({ m: zerosLike(params), v: zerosLike(params) }),
    update(gradients, state, ctx) {
      const down = ctx.hyper("rate", values.rate).neg();
      const eps = ctx.hyper("eps", values.eps);
      const first = ctx.step.equal(0);
      const [b1, oneMinusB1] = [
        first.select(1, ctx.hyper("beta1", beta1)),
        first.select(0, ctx.hyper("beta1", beta1, oneMinus)),
      ];
      const [b2, oneMinusB2] = [
        first.select(0, ctx.hyper("beta2", beta2)),
        first.select(1, ctx.hyper("beta2", beta2, oneMinus)),
      ];
      const limit = ctx.step.cast("f32").sqrt().sqrt();
      const within = (u: Tensor): Tensor => (clipping ? u.maximum(limit.neg()).minimum(limit) : u);

      const u = zipTrees((_, g, v) => within(g.div(v.sqrt().maximum(eps))), gradients, state.v);
      const mean = (m: Tensor, u: Tensor): Tensor => m.mul(b1).add(u.mul(oneMinusB1));
      const m = zipTrees((_, m, u) => mean(m, u), state.m, u);
      const v = zipTrees((_, v, g) => v.mul(b2).add(g.square().mul(oneMinusB2)), state.v, gradients);
      return [zipTrees((_, m, u) => (nesterov ? mean(m, u) : m).mul(down), m, u), { m, v }];
    },
  });
}

export const adoptRule: Rule = {
  name: "adopt",
  role: "rule",
  equation: "u = clip(g / max(sqrt(v_before), eps), (t - 1)^(1/4)); m = b1 m + (1 - b1) u; x += -a m",
  source: "Taniguchi et al., 2024",
  hypers,
  create: adopt as Rule["create"],
};
