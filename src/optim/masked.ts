import { type DispatchState, dispatch } from "./dispatch.ts";
import { type HyperSpecs, type Rule, resolve, transformOf } from "./hyper.ts";
import { matchParameters, type ParameterPattern } from "./parameters.ts";
import type { Transform } from "./transform.ts";

const hypers = {
  transform: { type: "transform", default: null, text: "what is applied to these parameters only" },
  params: { type: "parameters", default: null, text: 'which parameters, such as "matrix" or "!bias, !norm"' },
} as const satisfies HyperSpecs;

export type MaskedOptions = {
  /** Default: all. */
  readonly params?: ParameterPattern;
};

/**
 * A transform for some parameters only; the others' updates pass as they come. Its place is in a chain.
 *
 * @param transform what is applied, e.g. `optim.clipByGlobalNorm(1)`: to it, the other parameters are not there.
 * @param options `params`, a pattern; default: all.
 *
 * As optax.masked, with a pattern instead of a tree of booleans. For a rule with other options for some parameters see
 * `optim.groups`; for one transform or another, `optim.partition`. Throws OptionError, when the state is made, for a pattern
 * that matches nothing.
 *
 * @example
 * optim.chain(optim.masked(optim.addDecayedWeights(0.1), { params: "!bias, !norm" }), optim.sgd(0.1)).config.parts.length // -> 2
 */
export function masked(transform: Transform, options: MaskedOptions = {}): Transform<DispatchState> {
  const values = resolve("masked", hypers, transform, options);
  const { params: pattern = "**" } = values;
  return transformOf(maskedRule, values, {
    ...dispatch(
      (params) => [{ name: pattern, transform, paths: matchParameters("masked", pattern, params) }],
      [transform],
    ),
  });
}

export const maskedRule: Rule = {
  name: "masked",
  role: "wrapper",
  equation: "u = transform(u) for the parameters of the pattern",
  source: "optax.masked",
  hypers,
  create: masked as Rule["create"],
};
