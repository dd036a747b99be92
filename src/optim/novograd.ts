import { mapTree, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import {
  addDecay,
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
  rate: { type: "number", default: 1e-3, min: 0, text: "a, the learning rate" },
  beta1: { type: "number", default: 0.9, min: 0, below: 1, text: "the part of the velocity m that stays" },
  beta2: { type: "number", default: 0.25, min: 0, below: 1, text: "decay of n, the mean of the squared norm" },
  eps: { type: "number", default: 1e-6, min: 0, text: "keeps the division finite" },
  ...ownDecayHypers,
} as const satisfies HyperSpecs;

export type NovogradOptions = OwnDecayOptions & {
  /** Default 0.9. */
  readonly beta1?: Hyper;
  /** Default 0.25. */
  readonly beta2?: Hyper;
  /** Default 1e-6. */
  readonly eps?: Hyper;
};

/** `n`, one number for each parameter. */
export type NovogradState = { readonly m: TensorTree; readonly n: TensorTree };

/**
 * NovoGrad: n = b2 n + (1 - b2) |g|²; m = b1 m + g / (sqrt(n) + eps) + lambda x; x += -a m, |g| of each parameter by itself.
 *
 * @param rate a, a number or a schedule. Default 1e-3 (optax gives none).
 * @param options `beta1` 0.9, `beta2` 0.25, `eps` 1e-6, `weightDecay` left out.
 *
 * As optax.novograd: n starts as the first |g|²; m is a sum, not a mean. Throws OptionError for a value out of range.
 *
 * Source: Ginsburg et al., "Stochastic Gradient Methods with Layer-wise Adaptive Moments", 2019.
 *
 * @example
 * optim.novograd(0.01).config.beta2 // -> 0.25
 */
export function novograd(rate?: Hyper, options: NovogradOptions = {}): Transform<NovogradState> {
  const values = resolve("novograd", hypers, rate, options);
  const { weightDecay, noDecay } = values;
  return transformOf(novogradRule, values, {
    init: (params) => ({ m: zerosLike(params), n: mapTree(params, (x) => x.full(0, [])) }),
    update(gradients, state, ctx) {
      const down = ctx.hyper("rate", values.rate).neg();
      const b1 = ctx.hyper("beta1", values.beta1);
      const b2 = ctx.hyper("beta2", values.beta2);
      const oneMinusB2 = ctx.hyper("beta2", values.beta2, oneMinus);
      const eps = ctx.hyper("eps", values.eps);
      const first = ctx.step.equal(0);
      const n = zipTrees(
        (_, n, g) => {
          const square = g.square().sum();
          return first.select(square, n.mul(b2).add(square.mul(oneMinusB2)));
        },
        state.n,
        gradients,
      );
      // Where the norm and eps are 0, so is the gradient.
      const scaled = zipTrees(
        (_, g, n) => {
          const below = n.sqrt().add(eps);
          return g.mul(below.equal(0).select(0, below.reciprocal()));
        },
        gradients,
        n,
      );
      const steps =
        weightDecay === undefined
          ? scaled
          : addDecay("novograd", noDecay, scaled, ctx.params, ctx.hyper("weightDecay", weightDecay));
      const m = zipTrees((_, m, u) => m.mul(b1).add(u), state.m, steps);
      return [mapTree(m, (velocity: Tensor) => velocity.mul(down)), { m, n }];
    },
  });
}

export const novogradRule: Rule = {
  name: "novograd",
  role: "rule",
  equation: "n = b2 n + (1 - b2) |g|²; m = b1 m + g / (sqrt(n) + eps) + lambda x; x += -a m",
  source: "Ginsburg et al., 2019",
  hypers,
  create: novograd as Rule["create"],
};
