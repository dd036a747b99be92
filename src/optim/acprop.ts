import { zipTrees } from "../core/tree.ts";
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
import { type BetaOptions, momentHypers, movingAverage } from "./moments.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 1e-3, min: 0, text: "a, the learning rate" },
  beta1: momentHypers.beta1,
  beta2: { ...momentHypers.beta2, text: "decay of s, the mean of the squared distances from m" },
  eps: { ...momentHypers.eps, default: 1e-16 },
  epsRoot: { type: "number", default: 1e-16, min: 0, text: "added to s at each step" },
  ...decoupledDecayHypers,
} as const satisfies HyperSpecs;

export type AcpropOptions = DecoupledDecayOptions &
  BetaOptions & {
    /** Default 1e-16. */
    readonly eps?: Hyper;
    /** Added to s at each step, so that it adds up. Default 1e-16. */
    readonly epsRoot?: Hyper;
  };

export type AcpropState = { readonly m: TensorTree; readonly s: TensorTree };

/**
 * ACProp: x += -a g / (sqrt(s^) + eps) with s^ = s / (1 - b2^(t - 1)) from before (1 at first); then
 * s = b2 s + (1 - b2) (g - m)² + epsRoot, with m from before, and m = b1 m + (1 - b1) g.
 *
 * @param rate a, a number or a schedule. Default 1e-3 (optax has none).
 * @param options `beta1` 0.9, `beta2` 0.999, `eps` 1e-16, `epsRoot` 1e-16, `weightDecay` left out and decoupled: as
 * optax.contrib.acprop.
 *
 * The first update is that of gradient descent. Throws OptionError for a value out of range.
 *
 * Source: Zhuang et al., "Momentum Centering and Asynchronous Update for Adaptive Gradient Methods", 2021.
 *
 * @example
 * optim.acprop(0.01).config
 * // -> { name: "acprop", rate: 0.01, beta1: 0.9, beta2: 0.999, eps: 1e-16, epsRoot: 1e-16 }
 */
export function acprop(rate?: Hyper, options: AcpropOptions = {}): Transform<AcpropState> {
  const values = resolve("acprop", hypers, rate, options);
  const { beta1, beta2 } = values;
  return transformOf(acpropRule, values, {
    init: (params) => ({ m: zerosLike(params), s: zerosLike(params) }),
    update(gradients, state, ctx) {
      const down = ctx.hyper("rate", values.rate).neg();
      const eps = ctx.hyper("eps", values.eps);
      const epsRoot = ctx.hyper("epsRoot", values.epsRoot);
      const b2 = ctx.hyper("beta2", beta2);
      const oneMinusB2 = ctx.hyper("beta2", beta2, oneMinus);

      // s^ = scale s + offset: at first s is 0 and its correction too, and s^ is 1.
      const first = ctx.step.equal(0);
      const scale = first.select(0, biasCorrectionOf(ctx, "beta2", beta2, 0).reciprocal());
      const offset = first.cast("f32");
      const updates = zipTrees(
        (_, g, s) => g.mul(down).div(s.mul(scale).add(offset).sqrt().add(eps)),
        gradients,
        state.s,
      );
      const s = zipTrees(
        (_, s, g, m) => s.mul(b2).add(g.sub(m).square().mul(oneMinusB2)).add(epsRoot),
        state.s,
        gradients,
        state.m,
      );
      return [updates, { m: movingAverage(ctx, "beta1", beta1, state.m, gradients), s }];
    },
  });
}

export const acpropRule: Rule = {
  name: "acprop",
  role: "rule",
  equation: "x += -a g / (sqrt(s^_before) + eps); s = b2 s + (1 - b2) (g - m_before)² + epsRoot",
  source: "Zhuang et al., 2021",
  hypers,
  create: acprop as Rule["create"],
};
