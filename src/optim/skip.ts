import { leavesOf } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { globalNorm } from "./clip.ts";
import { evaluationOf, type HeldState, initHeld, updateHeld } from "./held.ts";
import { type HyperSpecs, oneMinus, type Rule, resolve, scalarState, transformOf } from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform, UpdateContext } from "./transform.ts";

/** The metric by which an optimizer says that it skips a step: then the step counts, even where its loss is not finite. */
export const SKIPPED = "skipped";

const maxConsecutive = {
  type: "number",
  default: 5,
  min: 0,
  integer: true,
  fixed: true,
  text: "steps that are skipped in a row before it gives up",
} as const;

const finiteHypers = {
  transform: { type: "transform", default: null, text: "the rule whose steps are skipped" },
  maxConsecutive,
} as const satisfies HyperSpecs;

const explodingHypers = {
  transform: { type: "transform", default: null, text: "the rule whose steps are skipped" },
  factor: { type: "number", default: 10, above: 0, text: "skip norms above this times their running mean" },
  limit: { type: "number", default: null, above: 0, text: "skip norms above this" },
  decay: { type: "number", default: 0.99, min: 0, below: 1, text: "d, the part of the running mean that stays" },
  maxConsecutive,
} as const satisfies HyperSpecs;

export type SkipNonFiniteOptions = {
  /** Default 5. */
  readonly maxConsecutive?: number;
};

export type SkipExplodingOptions = SkipNonFiniteOptions & {
  /** Default 10. */
  readonly factor?: Hyper;
  /** Left out by default. */
  readonly limit?: Hyper;
  /** d. Default 0.99. */
  readonly decay?: Hyper;
};

/** How many steps were skipped in a row and in all, i32[], and the memory of the transform inside. */
export type SkipState = { readonly consecutive: Tensor; readonly total: Tensor; readonly held: HeldState };

/** With the running mean of the norms, f32[], which is mean / weight. */
export type SkipExplodingState = SkipState & { readonly mean: Tensor; readonly weight: Tensor };

// Infinity - Infinity and NaN - NaN are NaN.
const allFinite = (x: Tensor): Tensor => x.sub(x).equal(0);

function initSkip(transform: Transform, params: TensorTree): SkipState {
  const none = scalarState(params, 0).cast("i32");
  return { consecutive: none, total: none, held: initHeld(transform, params) };
}

/** The update where `good` (bool[]) holds, or it has not for too long. */
function updateSkip(
  transform: Transform,
  gradients: TensorTree,
  { consecutive, total, held }: SkipState,
  ctx: UpdateContext,
  good: Tensor,
  most: number,
): readonly [updates: TensorTree, state: SkipState, givesUp: Tensor] {
  const bad = good.not();
  const inRow = bad.select(consecutive.add(1), 0);
  const givesUp = inRow.greater(most);
  const takes = good.or(givesUp);
  const [updates, next] = updateHeld(transform, gradients, held, ctx, takes);
  const skipped = takes.not();
  ctx.metric(SKIPPED, skipped.cast("f32"));
  return [
    updates,
    { consecutive: givesUp.select(0, inRow), total: total.add(skipped.cast("i32")), held: next },
    givesUp,
  ];
}

/**
 * Leaves out steps whose loss or gradients are not all finite: parameters, buffers, memory and the count of updates stay.
 *
 * @param transform the rule, or a whole chain: it stands outermost.
 * @param options `maxConsecutive` 5 (optax: none).
 *
 * `fit` goes on after a skipped step, whose metric `skipped` is 1 and which counts for schedules. After `maxConsecutive` skipped in a row the
 * step is taken as it is, and a loss that is not finite ends `fit` as usual. As optax.apply_if_finite, which looks at the gradients
 * alone and takes every further bad step once it gave up; here the count starts anew. Throws OptionError for a value out of range.
 *
 * @example
 * optim.skipNonFinite(optim.adam(1e-3)).config.maxConsecutive // -> 5
 */
export function skipNonFinite(transform: Transform, options: SkipNonFiniteOptions = {}): Transform<SkipState> {
  const values = resolve("skipNonFinite", finiteHypers, transform, options);
  return transformOf<SkipState>(skipNonFiniteRule, values, {
    init: (params) => initSkip(transform, params),
    update(gradients, state, ctx) {
      // A sum of g - g, not of g, which may overflow.
      const sum = leavesOf<Tensor>(gradients).reduce((sum, [, g]) => sum.add(g.sub(g).sum()), ctx.loss.sub(ctx.loss));
      const [updates, next] = updateSkip(transform, gradients, state, ctx, sum.equal(0), values.maxConsecutive);
      return [updates, next];
    },
    ...evaluationOf<SkipState>(transform, ({ held }) => held.inner),
  });
}

/**
 * Leaves out steps whose gradients' norm |g| is above `limit`, or above `factor` times its running mean, or not finite.
 *
 * @param transform the rule, or a whole chain: it stands outermost.
 * @param options `factor` 10, `limit` left out, `decay` d 0.99, `maxConsecutive` 5.
 *
 * The mean is m = d m + (1 - d) min(|g|, factor m), without bias towards 0: a skipped norm moves it by what was allowed, so that a
 * level that stays high is accepted in the end. After `maxConsecutive` skipped in a row the step is taken as it is and the mean
 * starts anew from it. The norm is the step's metric `gradientNorm`; `fit` goes on after a skipped step, as with
 * `optim.skipNonFinite`. Throws OptionError for a value out of range.
 *
 * @example
 * optim.skipExploding(optim.sgd(0.1), { factor: 5 }).config
 * // -> { name: "skipExploding", transform: { name: "sgd", rate: 0.1, like: "lecture" }, factor: 5, decay: 0.99, maxConsecutive: 5 }
 */
export function skipExploding(transform: Transform, options: SkipExplodingOptions = {}): Transform<SkipExplodingState> {
  const values = resolve("skipExploding", explodingHypers, transform, options);
  return transformOf<SkipExplodingState>(skipExplodingRule, values, {
    init(params) {
      const zero = scalarState(params, 0);
      return { ...initSkip(transform, params), mean: zero, weight: zero };
    },
    update(gradients, { mean, weight, ...state }, ctx) {
      const norm = globalNorm(gradients);
      ctx.metric("gradientNorm", norm);
      const d = ctx.hyper("decay", values.decay);
      const rest = ctx.hyper("decay", values.decay, oneMinus);
      // Before there is a mean, any norm will do: 0 / 0 would not.
      const first = weight.equal(0);
      const usual = mean.div(first.select(1, weight)).mul(ctx.hyper("factor", values.factor));
      const byMean = first.select(norm, usual);
      const allowed = values.limit === undefined ? byMean : byMean.minimum(ctx.hyper("limit", values.limit));
      const finite = allFinite(norm).and(allFinite(ctx.loss));
      const good = norm.lessEqual(allowed).and(finite);
      const [updates, next, givesUp] = updateSkip(transform, gradients, state, ctx, good, values.maxConsecutive);
      const seen = norm.minimum(allowed);
      const anew = (fresh: Tensor | number, old: Tensor, value: Tensor): Tensor =>
        finite.select(givesUp.select(fresh, value), old);
      return [
        updates,
        {
          ...next,
          mean: anew(norm, mean, mean.mul(d).add(seen.mul(rest))),
          weight: anew(1, weight, weight.mul(d).add(rest)),
        },
      ];
    },
    ...evaluationOf<SkipExplodingState>(transform, ({ held }) => held.inner),
  });
}

export const skipNonFiniteRule: Rule = {
  name: "skipNonFinite",
  role: "wrapper",
  equation: "u = 0 where the loss or a gradient is not finite, else u = transform(g)",
  source: "optax.apply_if_finite",
  hypers: finiteHypers,
  create: skipNonFinite as Rule["create"],
};

export const skipExplodingRule: Rule = {
  name: "skipExploding",
  role: "wrapper",
  equation:
    "u = 0 where |g| > limit or |g| > factor m, else u = transform(g); m the running mean of min(|g|, factor m)",
  source: "this library",
  hypers: explodingHypers,
  create: skipExploding as Rule["create"],
};
