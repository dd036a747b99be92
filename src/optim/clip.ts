import { OptionError } from "../core/errors.ts";
import { leavesOf, mapTree } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { type HyperSpecs, type Rule, resolve, transformOf } from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { NoState, TensorTree, Transform } from "./transform.ts";

const normHypers = {
  maxNorm: { type: "number", default: null, above: 0, text: "the largest Euclidean norm of all gradients together" },
  like: {
    type: "choice",
    choices: ["pytorch", "optax", "keras"],
    default: "optax",
    text: "exact (optax, Keras), or with 1e-6 added to the norm (PyTorch)",
  },
} as const satisfies HyperSpecs;

export type ClipByGlobalNormOptions = {
  /** Default "optax". */
  readonly like?: "pytorch" | "optax" | "keras";
};

const valueHypers = {
  limit: { type: "number", default: null, above: 0, text: "the largest magnitude of one element" },
} as const satisfies HyperSpecs;

/** sqrt(sum of g² over all leaves), f32[]. */
export function globalNorm(tree: TensorTree): Tensor {
  const squares = leavesOf<Tensor>(tree).map(([, g]) => g.square().sum());
  const [first, ...others] = squares;
  if (first === undefined) throw new OptionError("globalNorm: got a tree without tensors; expected at least one.");
  return others.reduce((sum, square) => sum.add(square), first).sqrt();
}

/**
 * Scales all gradients together so that their norm is at most `maxNorm`: g *= min(1, maxNorm / |g|).
 *
 * @param maxNorm above 0, a number or a schedule.
 * @param options `like` "optax".
 *
 * | like | scale |
 * |---|---|
 * | "optax" (clip_by_global_norm), "keras" (global_clipnorm) | min(1, maxNorm / \|g\|) |
 * | "pytorch" (clip_grad_norm_) | min(1, maxNorm / (\|g\| + 1e-6)) |
 *
 * The norm is over all parameters at once; before clipping, it is the step's metric `gradientNorm`. Put it before the rule in a
 * `chain`. For a norm of each tensor see `optim.clipByNorm`. Throws OptionError for a value out of range.
 *
 * Source: Pascanu, Mikolov and Bengio, 2013.
 *
 * @example
 * optim.chain(optim.clipByGlobalNorm(1), optim.sgd(0.1)).config.parts
 * // -> [{ name: "clipByGlobalNorm", maxNorm: 1, like: "optax" }, { name: "sgd", rate: 0.1, like: "lecture" }]
 */
export function clipByGlobalNorm(maxNorm: Hyper, options: ClipByGlobalNormOptions = {}): Transform<NoState> {
  const values = resolve("clipByGlobalNorm", normHypers, maxNorm, options);
  return transformOf(clipByGlobalNormRule, values, {
    init: () => ({}),
    update(gradients, state, ctx) {
      const max = ctx.hyper("maxNorm", maxNorm);
      const norm = globalNorm(gradients);
      ctx.metric("gradientNorm", norm);
      // |g| = 0 divides to infinity, of which min makes 1.
      const scale = max.div(values.like === "pytorch" ? norm.add(1e-6) : norm).minimum(1);
      return [mapTree(gradients, (g) => g.mul(scale)), state];
    },
  });
}

/**
 * Clamps each element of the gradients: g = max(-limit, min(limit, g)).
 *
 * @param limit above 0, a number or a schedule.
 *
 * As PyTorch's `clip_grad_value_`, optax.clip and Keras's `clipvalue`. Put it before the rule in a `chain`. Throws OptionError for a value out
 * of range.
 *
 * @example
 * optim.clipByValue(0.5).config // -> { name: "clipByValue", limit: 0.5 }
 */
export function clipByValue(limit: Hyper, options: Readonly<Record<string, never>> = {}): Transform<NoState> {
  return transformOf(clipByValueRule, resolve("clipByValue", valueHypers, limit, options), {
    init: () => ({}),
    update(gradients, state, ctx) {
      const c = ctx.hyper("limit", limit);
      return [mapTree(gradients, (g) => g.minimum(c).maximum(c.neg())), state];
    },
  });
}

export const clipByGlobalNormRule: Rule = {
  name: "clipByGlobalNorm",
  role: "transform",
  equation: "g *= min(1, maxNorm / |g|), |g| over all parameters",
  equations: {
    pytorch: "g *= min(1, maxNorm / (|g| + 1e-6))",
    optax: "g *= min(1, maxNorm / |g|)",
    keras: "g *= min(1, maxNorm / |g|)",
  },
  source: "Pascanu, Mikolov and Bengio, 2013",
  hypers: normHypers,
  create: clipByGlobalNorm as Rule["create"],
};

export const clipByValueRule: Rule = {
  name: "clipByValue",
  role: "transform",
  equation: "g = max(-limit, min(limit, g))",
  source: "torch.nn.utils.clip_grad_value_, optax.clip, Keras's clipvalue",
  hypers: valueHypers,
  create: clipByValue,
};
