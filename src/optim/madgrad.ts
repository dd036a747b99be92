import { zipTrees } from "../core/tree.ts";
import {
  coupledDecay,
  type HyperSpecs,
  type OwnDecayOptions,
  oneMinus,
  ownDecayHypers,
  type Rule,
  resolve,
  transformOf,
  zerosLike,
} from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 1e-2, min: 0, text: "a, the learning rate" },
  momentum: { type: "number", default: 0.9, min: 0, below: 1, text: "mu, the part of x that stays" },
  eps: { type: "number", default: 1e-6, above: 0, text: "keeps the division finite" },
  ...ownDecayHypers,
} as const satisfies HyperSpecs;

export type MadgradOptions = OwnDecayOptions & {
  /** mu. Default 0.9. */
  readonly momentum?: Hyper;
  /** Default 1e-6. */
  readonly eps?: Hyper;
};

/** x0, and the weighted sums of the gradients and of their squares. */
export type MadgradState = { readonly start: TensorTree; readonly s: TensorTree; readonly v: TensorTree };

/**
 * MADGRAD: l = (a + eps) sqrt(t); v += l g²; s += l g; z = x0 - s / (cbrt(v) + eps); x = mu x + (1 - mu) z.
 *
 * @param rate a, a number or a schedule. Default 0.01, the authors' (optax gives none).
 * @param options `momentum` mu 0.9, `eps` 1e-6, `weightDecay` left out: lambda x is added to the gradients.
 *
 * As optax.contrib.madgrad and the authors' code. Throws OptionError for a value out of range.
 *
 * Source: Defazio and Jelassi, "Adaptivity without Compromise", 2021.
 *
 * @example
 * optim.madgrad(0.01).config // -> { name: "madgrad", rate: 0.01, momentum: 0.9, eps: 1e-6 }
 */
export function madgrad(rate?: Hyper, options: MadgradOptions = {}): Transform<MadgradState> {
  const values = resolve("madgrad", hypers, rate, options);
  return transformOf(madgradRule, values, {
    init: (params) => ({ start: params, s: zerosLike(params), v: zerosLike(params) }),
    update(updates, state, ctx) {
      const gradients = coupledDecay("madgrad", values, updates, ctx);
      const eps = ctx.hyper("eps", values.eps);
      const t = ctx.step.add(1).cast("f32");
      const weight = ctx.hyper("rate", values.rate).add(eps).mul(t.sqrt());
      const part = ctx.hyper("momentum", values.momentum, oneMinus);
      const v = zipTrees((_, v, g) => v.add(g.square().mul(weight)), state.v, gradients);
      const s = zipTrees((_, s, g) => s.add(g.mul(weight)), state.s, gradients);
      const steps = zipTrees(
        (_, x, x0, s, v) => {
          const root = v.greater(0).select(v.pow(1 / 3), 0);
          return x0
            .sub(s.div(root.add(eps)))
            .sub(x)
            .mul(part);
        },
        ctx.params,
        state.start,
        s,
        v,
      );
      return [steps, { start: state.start, s, v }];
    },
  });
}

export const madgradRule: Rule = {
  name: "madgrad",
  role: "rule",
  equation: "l = (a + eps) sqrt(t); v += l g²; s += l g; z = x0 - s / (cbrt(v) + eps); x = mu x + (1 - mu) z",
  source: "Defazio and Jelassi, 2021",
  hypers,
  create: madgrad as Rule["create"],
};
