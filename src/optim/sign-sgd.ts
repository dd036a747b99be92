import { mapTree } from "../core/tree.ts";
import { type HyperSpecs, type Rule, resolve, transformOf, zerosLike } from "./hyper.ts";
import { movingAverage } from "./moments.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { NoState, TensorTree, Transform } from "./transform.ts";

const rate = { type: "number", default: 1e-3, min: 0, text: "a, the learning rate" } as const;

const hypers = { rate } as const satisfies HyperSpecs;

const signumHypers = {
  rate,
  beta: { type: "number", default: 0.9, min: 0, below: 1, text: "decay of m, the mean of the gradients" },
} as const satisfies HyperSpecs;

export type SignumOptions = {
  /** Default 0.9. */
  readonly beta?: Hyper;
};

export type SignumState = { readonly m: TensorTree };

/**
 * SGD by signs: x += -a sign(g).
 *
 * @param rate a, a number or a schedule. Default 1e-3 (optax gives none).
 *
 * As optax.sign_sgd. Throws OptionError for a value out of range.
 *
 * Source: Bernstein et al., "signSGD", 2018.
 *
 * @example
 * optim.signSgd(0.01).config // -> { name: "signSgd", rate: 0.01 }
 */
export function signSgd(rate?: Hyper, options: Readonly<Record<string, never>> = {}): Transform<NoState> {
  const values = resolve("signSgd", hypers, rate, options);
  return transformOf(signSgdRule, values, {
    init: () => ({}),
    update(gradients, state, ctx) {
      const down = ctx.hyper("rate", values.rate).neg();
      return [mapTree(gradients, (g) => g.sign().mul(down)), state];
    },
  });
}

/**
 * SGD by the sign of the gradients' mean: m = b m + (1 - b) g; x += -a sign(m).
 *
 * @param rate a, a number or a schedule. Default 1e-3 (optax gives none).
 * @param options `beta` 0.9.
 *
 * As optax.signum. Throws OptionError for a value out of range.
 *
 * Source: Bernstein et al., "signSGD", 2018.
 *
 * @example
 * optim.signum(0.01).config // -> { name: "signum", rate: 0.01, beta: 0.9 }
 */
export function signum(rate?: Hyper, options: SignumOptions = {}): Transform<SignumState> {
  const values = resolve("signum", signumHypers, rate, options);
  return transformOf(signumRule, values, {
    init: (params) => ({ m: zerosLike(params) }),
    update(gradients, state, ctx) {
      const down = ctx.hyper("rate", values.rate).neg();
      const m = movingAverage(ctx, "beta", values.beta, state.m, gradients);
      return [mapTree(m, (mean) => mean.sign().mul(down)), { m }];
    },
  });
}

export const signSgdRule: Rule = {
  name: "signSgd",
  role: "rule",
  equation: "x += -a sign(g)",
  source: "Bernstein et al., 2018",
  hypers,
  create: signSgd as Rule["create"],
};

export const signumRule: Rule = {
  name: "signum",
  role: "rule",
  equation: "m = b m + (1 - b) g; x += -a sign(m)",
  source: "Bernstein et al., 2018",
  hypers: signumHypers,
  create: signum as Rule["create"],
};
