import { zipTrees } from "../core/tree.ts";
import { type HyperSpecs, type Rule, resolve, transformOf } from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { NoState, Transform } from "./transform.ts";
import { normOf } from "./trust-ratio.ts";

const hypers = {
  rate: { type: "number", default: 1e-2, min: 0, text: "a, a step's length over the weights' own" },
  minNorm: { type: "number", default: 1e-6, above: 0, text: "the least that a norm counts as" },
} as const satisfies HyperSpecs;

export type FromageOptions = {
  /** Default 1e-6. */
  readonly minNorm?: Hyper;
};

const shrink = (a: number): number => 1 / Math.sqrt(1 + a * a);
const shrunkRate = (a: number): number => -a * shrink(a);
const lost = (a: number): number => shrink(a) - 1;

/**
 * Fromage: x = (x - a |x| / |g| g) / sqrt(1 + a²), norms of each parameter by itself.
 *
 * @param rate a, a number or a schedule. Default 0.01, the paper's (optax gives none).
 * @param options `minNorm` 1e-6: norms below it count as it.
 *
 * As optax.fromage. Throws OptionError for a value out of range.
 *
 * Source: Bernstein et al., "On the Distance between two Neural Networks and the Stability of Learning", 2020.
 *
 * @example
 * optim.fromage(0.01).config // -> { name: "fromage", rate: 0.01, minNorm: 1e-6 }
 */
export function fromage(rate?: Hyper, options: FromageOptions = {}): Transform<NoState> {
  const values = resolve("fromage", hypers, rate, options);
  return transformOf(fromageRule, values, {
    init: () => ({}),
    update(gradients, state, ctx) {
      const down = ctx.hyper("rate", values.rate, shrunkRate);
      const less = ctx.hyper("rate", values.rate, lost);
      const min = ctx.hyper("minNorm", values.minNorm);
      const updates = zipTrees(
        (_, g, x) => {
          const ratio = normOf(x).maximum(min).div(normOf(g).maximum(min));
          return g.mul(ratio.mul(down)).add(x.mul(less));
        },
        gradients,
        ctx.params,
      );
      return [updates, state];
    },
  });
}

export const fromageRule: Rule = {
  name: "fromage",
  role: "rule",
  equation: "x = (x - a |x| / |g| g) / sqrt(1 + a²)",
  source: "Bernstein et al., 2020",
  hypers,
  create: fromage as Rule["create"],
};
