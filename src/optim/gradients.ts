import { mapTree, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { globalNorm } from "./clip.ts";
import { biasCorrectionOf, type HyperSpecs, oneMinus, type Rule, resolve, transformOf, zerosLike } from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { NoState, TensorTree, Transform } from "./transform.ts";

type NoOptions = Readonly<Record<string, never>>;

const normalizeHypers = {
  norm: { type: "number", default: 1, above: 0, text: "the norm of all updates together afterwards" },
  eps: { type: "number", default: 1e-6, min: 0, text: "keeps the division finite" },
} as const satisfies HyperSpecs;

const scaleHypers = {
  factor: { type: "number", default: null, text: "what every update is multiplied by" },
} as const satisfies HyperSpecs;

const traceHypers = {
  decay: { type: "number", default: 0.9, min: 0, below: 1, text: "d, the part of the trace that stays" },
  nesterov: { type: "flag", default: false, text: "look ahead along the trace" },
} as const satisfies HyperSpecs;

const averageHypers = {
  decay: { type: "number", default: 0.9, min: 0, below: 1, text: "d, the part of the average that stays" },
  debias: { type: "flag", default: true, text: "divide by 1 - d^t" },
} as const satisfies HyperSpecs;

/**
 * Takes each unit's mean off its gradient: g -= mean(g) over all axes but the first, for tensors of two axes or more.
 *
 * As optax.centralize. It stands before the rule. Throws OptionError for options: it has none.
 *
 * Source: Yong et al., "Gradient Centralization", 2020.
 *
 * @example
 * optim.chain(optim.centralize(), optim.momentum(0.1)).config.parts[0] // -> { name: "centralize" }
 */
export function centralize(options: NoOptions = {}): Transform<NoState> {
  return transformOf(centralizeRule, resolve("centralize", {}, undefined, options), {
    init: () => ({}),
    update: (gradients, state) => [
      mapTree<Tensor, Tensor>(gradients, (g) => {
        if (g.rank < 2) return g;
        return g.sub(g.mean(g.shape.map((_, axis) => axis).slice(1), { keepDims: true }));
      }),
      state,
    ],
  });
}

/**
 * Gives all updates together the same norm: u *= norm / (|u| + eps).
 *
 * @param norm above 0, a number or a schedule. Default 1.
 * @param options `eps` 1e-6.
 *
 * As optax.normalize_by_update_norm. Throws OptionError for a value out of range.
 *
 * @example
 * optim.normalizeByNorm().config // -> { name: "normalizeByNorm", norm: 1, eps: 0.000001 }
 */
export function normalizeByNorm(norm?: Hyper, options: { readonly eps?: Hyper } = {}): Transform<NoState> {
  const values = resolve("normalizeByNorm", normalizeHypers, norm, options);
  return transformOf(normalizeByNormRule, values, {
    init: () => ({}),
    update(updates, state, ctx) {
      const size = globalNorm(updates).add(ctx.hyper("eps", values.eps));
      const scale = ctx.hyper("norm", values.norm).div(size);
      return [mapTree(updates, (u) => u.mul(scale)), state];
    },
  });
}

/**
 * Puts 0 in the place of every NaN among the gradients.
 *
 * As optax.zero_nans; how many there were is the step's metric `nans`. It hides what is wrong: `optim.skipNonFinite` leaves such
 * steps out instead. A loss that is not finite still ends `fit`. Throws OptionError for options: it has none.
 *
 * @example
 * optim.zeroNans().config // -> { name: "zeroNans" }
 */
export function zeroNans(options: NoOptions = {}): Transform<NoState> {
  return transformOf(zeroNansRule, resolve("zeroNans", {}, undefined, options), {
    init: () => ({}),
    update(gradients, state, ctx) {
      let nans: Tensor | undefined;
      const cleaned = mapTree<Tensor, Tensor>(gradients, (g) => {
        const bad = g.notEqual(g);
        const count = bad.cast("f32").sum();
        nans = nans?.add(count) ?? count;
        return bad.select(0, g);
      });
      if (nans !== undefined) ctx.metric("nans", nans);
      return [cleaned, state];
    },
  });
}

/**
 * Multiplies every update: u *= factor.
 *
 * @param factor any number, or a schedule: after a rule, another factor on its rate.
 *
 * As optax.scale and scale_by_schedule. Throws OptionError for what is no number.
 *
 * @example
 * optim.chain(optim.trace(0.9), optim.scaleBy(-0.1)).config.parts[1] // -> { name: "scaleBy", factor: -0.1 }
 */
export function scaleBy(factor: Hyper, options: NoOptions = {}): Transform<NoState> {
  return transformOf(scaleByRule, resolve("scaleBy", scaleHypers, factor, options), {
    init: () => ({}),
    update(updates, state, ctx) {
      const scale = ctx.hyper("factor", factor);
      return [mapTree(updates, (u) => u.mul(scale)), state];
    },
  });
}

export type TraceState = { readonly trace: TensorTree };

/**
 * A sum of updates that fades: v = d v + u, handed on as v, or with `nesterov` as u + d v.
 *
 * @param decay d, at least 0 and below 1, a number or a schedule. Default 0.9.
 * @param options `nesterov` false.
 *
 * As optax.trace. Before `optim.sgd` it is PyTorch's momentum. Throws OptionError for a value out of range.
 *
 * @example
 * optim.trace(0.9).config // -> { name: "trace", decay: 0.9, nesterov: false }
 */
export function trace(decay?: Hyper, options: { readonly nesterov?: boolean } = {}): Transform<TraceState> {
  const values = resolve("trace", traceHypers, decay, options);
  return transformOf(traceRule, values, {
    init: (params) => ({ trace: zerosLike(params) }),
    update(updates, state, ctx) {
      const d = ctx.hyper("decay", values.decay);
      const grow = (u: Tensor, v: Tensor): Tensor => u.add(v.mul(d));
      const next = zipTrees((_, u, v) => grow(u, v), updates, state.trace);
      return [values.nesterov ? zipTrees((_, u, v) => grow(u, v), updates, next) : next, { trace: next }];
    },
  });
}

export type AverageUpdatesState = { readonly average: TensorTree };

/**
 * The running mean of updates: m = d m + (1 - d) u, handed on as m / (1 - d^t).
 *
 * @param decay d, at least 0 and below 1, a number or a schedule. Default 0.9.
 * @param options `debias` true; without it, m as it is.
 *
 * As optax.ema. For an average of the parameters see `optim.ema`. Throws OptionError for a value out of range.
 *
 * @example
 * optim.averageUpdates(0.99).config // -> { name: "averageUpdates", decay: 0.99, debias: true }
 */
export function averageUpdates(
  decay?: Hyper,
  options: { readonly debias?: boolean } = {},
): Transform<AverageUpdatesState> {
  const values = resolve("averageUpdates", averageHypers, decay, options);
  return transformOf(averageUpdatesRule, values, {
    init: (params) => ({ average: zerosLike(params) }),
    update(updates, state, ctx) {
      const d = ctx.hyper("decay", values.decay);
      const rest = ctx.hyper("decay", values.decay, oneMinus);
      const average = zipTrees<Tensor, Tensor>((_, u, m) => m.mul(d).add(u.mul(rest)), updates, state.average);
      if (!values.debias) return [average, { average }];
      const correction = biasCorrectionOf(ctx, "decay", values.decay);
      return [mapTree<Tensor, Tensor>(average, (m) => m.div(correction)), { average }];
    },
  });
}

export const centralizeRule: Rule = {
  name: "centralize",
  role: "transform",
  equation: "g -= mean(g) over all axes but the first, for tensors of two axes or more",
  source: "Yong et al., 2020; optax.centralize",
  hypers: {},
  create: centralize as Rule["create"],
};

export const normalizeByNormRule: Rule = {
  name: "normalizeByNorm",
  role: "transform",
  equation: "u *= norm / (|u| + eps), |u| over all parameters",
  source: "optax.normalize_by_update_norm",
  hypers: normalizeHypers,
  create: normalizeByNorm as Rule["create"],
};

export const zeroNansRule: Rule = {
  name: "zeroNans",
  role: "transform",
  equation: "g = 0 where g is NaN",
  source: "optax.zero_nans",
  hypers: {},
  create: zeroNans as Rule["create"],
};

export const scaleByRule: Rule = {
  name: "scaleBy",
  role: "transform",
  equation: "u *= factor",
  source: "optax.scale, optax.scale_by_schedule",
  hypers: scaleHypers,
  create: scaleBy as Rule["create"],
};

export const traceRule: Rule = {
  name: "trace",
  role: "transform",
  equation: "v = d v + u, handed on as v; with nesterov u + d v",
  source: "optax.trace",
  hypers: traceHypers,
  create: trace as Rule["create"],
};

export const averageUpdatesRule: Rule = {
  name: "averageUpdates",
  role: "transform",
  equation: "m = d m + (1 - d) u, handed on as m / (1 - d^t)",
  source: "optax.ema",
  hypers: averageHypers,
  create: averageUpdates as Rule["create"],
};
