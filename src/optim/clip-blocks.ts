import { mapTree, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { type HyperSpecs, type Rule, resolve, transformOf } from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { NoState, Transform } from "./transform.ts";
import { unitNorms } from "./units.ts";

const normHypers = {
  maxNorm: { type: "number", default: null, above: 0, text: "the largest Euclidean norm of one tensor's gradient" },
} as const satisfies HyperSpecs;

const rmsHypers = {
  maxRms: { type: "number", default: null, above: 0, text: "the largest root mean square of one tensor's gradient" },
} as const satisfies HyperSpecs;

const adaptiveHypers = {
  ratio: {
    type: "number",
    default: 0.01,
    above: 0,
    text: "the largest norm of a unit's gradient, as a part of its weights' norm",
  },
  eps: { type: "number", default: 1e-3, above: 0, text: "norm that small weights count as, so that zeros can grow" },
} as const satisfies HyperSpecs;

/** min(1, limit / size): a size of 0 divides to infinity, of which min makes 1. */
const shrink = (limit: Tensor, size: Tensor): Tensor => limit.div(size).minimum(1);

/**
 * Scales each tensor's gradient so that its own norm is at most `maxNorm`: g *= min(1, maxNorm / |g|), |g| of each tensor.
 *
 * @param maxNorm above 0, a number or a schedule.
 *
 * As Keras's `clipnorm` and Burn's clipping by norm. It turns the gradient as a whole: `optim.clipByGlobalNorm` does not. Throws
 * OptionError for a value out of range.
 *
 * @example
 * optim.clipByNorm(1).config // -> { name: "clipByNorm", maxNorm: 1 }
 */
export function clipByNorm(maxNorm: Hyper, options: Readonly<Record<string, never>> = {}): Transform<NoState> {
  return transformOf(clipByNormRule, resolve("clipByNorm", normHypers, maxNorm, options), {
    init: () => ({}),
    update(gradients, state, ctx) {
      const max = ctx.hyper("maxNorm", maxNorm);
      return [mapTree(gradients, (g) => g.mul(shrink(max, g.square().sum().sqrt()))), state];
    },
  });
}

/**
 * Scales each tensor's gradient so that its root mean square is at most `maxRms`: g *= min(1, maxRms / sqrt(mean(g²))).
 *
 * @param maxRms above 0, a number or a schedule.
 *
 * As optax.clip_by_block_rms. Throws OptionError for a value out of range.
 *
 * Source: Shazeer and Stern, "Adafactor", 2018, where it clips the update.
 *
 * @example
 * optim.clipByBlockRms(1).config // -> { name: "clipByBlockRms", maxRms: 1 }
 */
export function clipByBlockRms(maxRms: Hyper, options: Readonly<Record<string, never>> = {}): Transform<NoState> {
  return transformOf(clipByBlockRmsRule, resolve("clipByBlockRms", rmsHypers, maxRms, options), {
    init: () => ({}),
    update(gradients, state, ctx) {
      const max = ctx.hyper("maxRms", maxRms);
      return [mapTree(gradients, (g) => g.mul(shrink(max, g.square().mean().sqrt()))), state];
    },
  });
}

export type AdaptiveClipOptions = {
  /** Default 1e-3. */
  readonly eps?: Hyper;
};

/**
 * Clips each unit's gradient by the norm of its weights: g *= min(1, ratio max(|x|, eps) / |g|), norms over each unit.
 *
 * @param ratio above 0, a number or a schedule. Default 0.01, as the paper (optax: none).
 * @param options `eps` 1e-3.
 *
 * A unit is all weights that lead to one output: every axis but the first of `[out, in, ...]`; a vector is one unit. As
 * optax.adaptive_grad_clip, whose units are the same for flax's dense layers and 2-D convolutions. The paper leaves out the last
 * layer: `optim.masked`.
 * Throws OptionError for a value out of range.
 *
 * Source: Brock et al., "High-Performance Large-Scale Image Recognition Without Normalization", 2021.
 *
 * @example
 * optim.adaptiveClip(0.02).config // -> { name: "adaptiveClip", ratio: 0.02, eps: 0.001 }
 */
export function adaptiveClip(ratio?: Hyper, options: AdaptiveClipOptions = {}): Transform<NoState> {
  const values = resolve("adaptiveClip", adaptiveHypers, ratio, options);
  return transformOf(adaptiveClipRule, values, {
    init: () => ({}),
    update(gradients, state, ctx) {
      const part = ctx.hyper("ratio", values.ratio);
      const eps = ctx.hyper("eps", values.eps);
      const scale = (g: Tensor, x: Tensor): Tensor => shrink(unitNorms(x).maximum(eps).mul(part), unitNorms(g));
      return [zipTrees((_, g, x) => g.mul(scale(g, x)), gradients, ctx.params), state];
    },
  });
}

export const clipByNormRule: Rule = {
  name: "clipByNorm",
  role: "transform",
  equation: "g *= min(1, maxNorm / |g|), |g| of each tensor",
  source: "Keras's clipnorm",
  hypers: normHypers,
  create: clipByNorm,
};

export const clipByBlockRmsRule: Rule = {
  name: "clipByBlockRms",
  role: "transform",
  equation: "g *= min(1, maxRms / sqrt(mean(g²))), the mean over each tensor",
  source: "optax.clip_by_block_rms",
  hypers: rmsHypers,
  create: clipByBlockRms,
};

export const adaptiveClipRule: Rule = {
  name: "adaptiveClip",
  role: "transform",
  equation: "g *= min(1, ratio max(|x|, eps) / |g|), norms over each unit",
  source: "Brock et al., 2021; optax.adaptive_grad_clip",
  hypers: adaptiveHypers,
  create: adaptiveClip as Rule["create"],
};
