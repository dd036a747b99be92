import { zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import {
  coupledDecay,
  type HyperSpecs,
  type OwnDecayOptions,
  ownDecayHypers,
  type Rule,
  resolve,
  scalarState,
  transformOf,
} from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 1e-2, min: 0, text: "a, the learning rate to begin with" },
  lambda: { type: "number", default: 1e-4, min: 0, text: "l, by which the weights shrink and the rate falls" },
  alpha: { type: "number", default: 0.75, min: 0, text: "p, how fast the rate falls" },
  averageFrom: { type: "number", default: 1e6, min: 0, text: "t0, the step after which the average begins" },
  ...ownDecayHypers,
} as const satisfies HyperSpecs;

export type AsgdOptions = OwnDecayOptions & {
  /** l, PyTorch's `lambd`. Default 1e-4. */
  readonly lambda?: Hyper;
  /** p, Default 0.75. */
  readonly alpha?: Hyper;
  /** t0. Default 1e6. */
  readonly averageFrom?: Hyper;
};

/** The mean of the weights, and the next step's rate, f32[]. */
export type AsgdState = { readonly average: TensorTree; readonly eta: Tensor };

/**
 * Averaged SGD: x = (1 - eta l) x - eta g; m += mu (x - m), mu = 1 / max(1, t - 1 - t0); then eta = a / (1 + l a t)^p. Evaluated
 * with m.
 *
 * @param rate a, the first step's eta, a number or a schedule. Default 0.01.
 * @param options `lambda` l 1e-4, `alpha` p 0.75, `averageFrom` t0 1e6, `weightDecay` left out: lambda x is added to the
 * gradients, beside the shrinking by l.
 *
 * As torch.optim.ASGD: eta is made for the next step, so that a schedule's rate acts one step later; until t0, m is x itself. There
 * m stays within the optimizer's state; here evaluation, prediction and saved models use it. For the mean after any other rule see
 * `optim.swa`. Throws OptionError for a value out of range.
 *
 * Source: Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992; Xu, 2011 (the rate).
 *
 * @example
 * optim.asgd(0.1, { averageFrom: 1000 }).config
 * // -> { name: "asgd", rate: 0.1, lambda: 1e-4, alpha: 0.75, averageFrom: 1000 }
 */
export function asgd(rate?: Hyper, options: AsgdOptions = {}): Transform<AsgdState> {
  const values = resolve("asgd", hypers, rate, options);
  return transformOf(asgdRule, values, {
    init: (params) => ({ average: params, eta: scalarState(params, 0) }),
    update(updates, state, ctx) {
      const gradients = coupledDecay("asgd", values, updates, ctx);
      const a = ctx.hyper("rate", values.rate);
      const l = ctx.hyper("lambda", values.lambda);
      const p = ctx.hyper("alpha", values.alpha);
      const t0 = ctx.hyper("averageFrom", values.averageFrom);

      const eta = ctx.step.equal(0).select(a, state.eta);
      const down = eta.neg();
      const steps = zipTrees((_, g, x) => x.mul(l).add(g).mul(down), gradients, ctx.params);

      const mu = ctx.step.cast("f32").sub(t0).maximum(1).reciprocal();
      const rest = mu.rsub(1);
      const average = zipTrees((_, m, x, s) => m.mul(rest).add(x.add(s).mul(mu)), state.average, ctx.params, steps);

      const t = ctx.step.add(1).cast("f32");
      return [steps, { average, eta: a.div(l.mul(a).mul(t).add(1).pow(p)) }];
    },
    evalParams: (_, { average }) => average,
    refreshesStatistics: true,
  });
}

export const asgdRule: Rule = {
  name: "asgd",
  role: "rule",
  equation: "x = (1 - eta l) x - eta g; m += (x - m) / max(1, t - 1 - t0); eta = a / (1 + l a t)^p; evaluate with m",
  source: "Polyak and Juditsky, 1992",
  hypers,
  create: asgd as Rule["create"],
};
