import { OptionError } from "../core/errors.ts";
import { zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { type HyperSpecs, type Rule, resolve, transformOf } from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { NoState, TensorTree, Transform, UpdateContext } from "./transform.ts";
import { unitNorms } from "./units.ts";

const eps = { type: "number", default: 1e-7, min: 0, text: "keeps the division finite" } as const;

const maxHypers = {
  max: { type: "number", default: 2, above: 0, text: "the largest norm of a unit's weights" },
  eps,
} as const satisfies HyperSpecs;

const unitHypers = {
  norm: { type: "number", default: 1, above: 0, text: "the norm of a unit's weights" },
  eps,
} as const satisfies HyperSpecs;

const rangeHypers = {
  min: { type: "number", default: 0, min: 0, text: "the smallest norm of a unit's weights" },
  max: { type: "number", default: 1, above: 0, text: "the largest" },
  part: { type: "number", default: 1, above: 0, max: 1, text: "how much of the way into the range one step goes" },
  eps,
} as const satisfies HyperSpecs;

export type NormConstraintOptions = {
  /** Default 1e-7, as Keras. */
  readonly eps?: Hyper;
};

export type MinMaxNormOptions = NormConstraintOptions & {
  /** Default 1. */
  readonly max?: Hyper;
  /** How much of the way into the range one step goes, above 0 and at most 1. Default 1. Keras's `rate`. */
  readonly part?: Hyper;
};

/** Updates that lead to `constrain(x + u)`. */
const towards = (updates: TensorTree, ctx: UpdateContext, constrain: (x: Tensor) => Tensor): TensorTree =>
  zipTrees<Tensor, Tensor>((_, u, x) => constrain((x as Tensor).add(u)).sub(x as Tensor), updates, ctx.params);

/**
 * Weights that would be negative become 0: u = -x where x + u < 0.
 *
 * As Keras's NonNeg and optax.keep_params_nonnegative. Last in a `chain`, as all constraints; for some parameters only in
 * `optim.masked`. Throws OptionError for options: it has none.
 *
 * @example
 * optim.chain(optim.sgd(0.1), optim.nonNegative()).config.parts[1] // -> { name: "nonNegative" }
 */
export function nonNegative(options: Readonly<Record<string, never>> = {}): Transform<NoState> {
  return transformOf(nonNegativeRule, resolve("nonNegative", {}, undefined, options), {
    init: () => ({}),
    update: (updates, state, ctx) => [
      zipTrees<Tensor, Tensor>((_, u, x) => u.maximum((x as Tensor).neg()), updates, ctx.params),
      state,
    ],
  });
}

/**
 * Keeps the norm of each unit's weights at most `max`: x *= min(|x|, max) / (|x| + eps).
 *
 * @param max above 0, a number or a schedule. Default 2.
 * @param options `eps` 1e-7.
 *
 * A unit is all weights that lead to one output: every axis but the first of `[out, in, ...]`, what `axis=0` is to Keras's Dense
 * and `axis=[0, 1, 2]` to its Conv2D; a vector is one unit. As Keras's MaxNorm. Last in a `chain`: with
 * `optim.masked(optim.maxNorm(), { params: "matrix" })` without biases. Throws OptionError for a value out of range.
 *
 * Source: Srebro and Shraibman, 2005; Hinton et al., 2012, with dropout.
 *
 * @example
 * optim.chain(optim.sgd(0.1), optim.maxNorm(3)).config.parts[1] // -> { name: "maxNorm", max: 3, eps: 1e-7 }
 */
export function maxNorm(max?: Hyper, options: NormConstraintOptions = {}): Transform<NoState> {
  const values = resolve("maxNorm", maxHypers, max, options);
  return transformOf(maxNormRule, values, {
    init: () => ({}),
    update(updates, state, ctx) {
      const limit = ctx.hyper("max", values.max);
      const small = ctx.hyper("eps", values.eps);
      const constrain = (x: Tensor): Tensor => {
        const norms = unitNorms(x);
        return x.mul(norms.minimum(limit).div(norms.add(small)));
      };
      return [towards(updates, ctx, constrain), state];
    },
  });
}

/**
 * Gives each unit's weights the same norm: x *= norm / (|x| + eps).
 *
 * @param norm above 0, a number or a schedule. Default 1.
 * @param options `eps` 1e-7.
 *
 * Units are those of `optim.maxNorm`. As Keras's UnitNorm, whose norm is 1. Last in a `chain`. Throws OptionError for a value out
 * of range.
 *
 * @example
 * optim.chain(optim.sgd(0.1), optim.unitNorm()).config.parts[1] // -> { name: "unitNorm", norm: 1, eps: 1e-7 }
 */
export function unitNorm(norm?: Hyper, options: NormConstraintOptions = {}): Transform<NoState> {
  const values = resolve("unitNorm", unitHypers, norm, options);
  return transformOf(unitNormRule, values, {
    init: () => ({}),
    update(updates, state, ctx) {
      const wanted = ctx.hyper("norm", values.norm);
      const small = ctx.hyper("eps", values.eps);
      return [towards(updates, ctx, (x) => x.mul(wanted.div(unitNorms(x).add(small)))), state];
    },
  });
}

/**
 * Keeps the norm of each unit's weights between `min` and `max`: x *= (p clip(|x|, min, max) + (1 - p) |x|) / (|x| + eps).
 *
 * @param min at least 0, a number or a schedule. Default 0.
 * @param options `max` 1, `part` p 1, `eps` 1e-7.
 *
 * Units are those of `optim.maxNorm`. As Keras's MinMaxNorm, whose `rate` is `part` here. Last in a `chain`. Throws OptionError for
 * a value out of range, and for min above max.
 *
 * @example
 * optim.chain(optim.sgd(0.1), optim.minMaxNorm(0.5)).config.parts[1]
 * // -> { name: "minMaxNorm", min: 0.5, max: 1, part: 1, eps: 1e-7 }
 */
export function minMaxNorm(min?: Hyper, options: MinMaxNormOptions = {}): Transform<NoState> {
  const values = resolve("minMaxNorm", rangeHypers, min, options);
  if (typeof values.min === "number" && typeof values.max === "number" && values.min > values.max)
    throw new OptionError(
      `minMaxNorm: got min = ${values.min} and max = ${values.max}; expected min at most max.`,
      "minMaxNorm.min",
    );
  return transformOf(minMaxNormRule, values, {
    init: () => ({}),
    update(updates, state, ctx) {
      const low = ctx.hyper("min", values.min);
      const high = ctx.hyper("max", values.max);
      const part = ctx.hyper("part", values.part);
      const small = ctx.hyper("eps", values.eps);
      const constrain = (x: Tensor): Tensor => {
        const norms = unitNorms(x);
        const wanted = norms.add(norms.minimum(high).maximum(low).sub(norms).mul(part));
        return x.mul(wanted.div(norms.add(small)));
      };
      return [towards(updates, ctx, constrain), state];
    },
  });
}

export const nonNegativeRule: Rule = {
  name: "nonNegative",
  role: "transform",
  equation: "x = max(x + u, 0)",
  source: "Keras's NonNeg, optax.keep_params_nonnegative",
  hypers: {},
  create: nonNegative as Rule["create"],
};

export const maxNormRule: Rule = {
  name: "maxNorm",
  role: "transform",
  equation: "x *= min(|x|, max) / (|x| + eps), norms over each unit",
  source: "Srebro and Shraibman, 2005; Keras's MaxNorm",
  hypers: maxHypers,
  create: maxNorm as Rule["create"],
};

export const unitNormRule: Rule = {
  name: "unitNorm",
  role: "transform",
  equation: "x *= norm / (|x| + eps), norms over each unit",
  source: "Keras's UnitNorm",
  hypers: unitHypers,
  create: unitNorm as Rule["create"],
};

export const minMaxNormRule: Rule = {
  name: "minMaxNorm",
  role: "transform",
  equation: "x *= (p clip(|x|, min, max) + (1 - p) |x|) / (|x| + eps), norms over each unit",
  source: "Keras's MinMaxNorm",
  hypers: rangeHypers,
  create: minMaxNorm as Rule["create"],
};
