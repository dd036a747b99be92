import { formatAval } from "../../core/dtype.ts";
import { OptionError, ShapeError } from "../../core/errors.ts";
import { Tensor } from "../../ops/tensor.ts";
import { customVjp } from "../../trace/grad.ts";
import { expectSameShape } from "../targets.ts";
import {
  clampAtZero,
  expectFinite,
  expectFrom,
  type Given,
  type Loss,
  type LossValues,
  type Reduction,
  signsFor,
  TINY,
  valueOrLoss,
} from "./loss.ts";
import type { MarginOptions, Pair } from "./margins.ts";

/**
 * 1 - cos(x1, x2) where y is 1, max(0, cos(x1, x2) - margin) where y is -1. Squared lengths have 1e-12 added, as PyTorch's.
 *
 * The output is a record of x1 and x2, f32[N, D] or f32[D] each; y f32 or i32 [N]. With tensors: the value. Without: a `Loss`
 * for `fit`.
 */
export function cosineEmbedding(options?: MarginOptions): Loss<Pair>;
export function cosineEmbedding(output: Pair, target: Tensor, options?: MarginOptions): Tensor;
export function cosineEmbedding(...given: Given<MarginOptions, Pair>): Loss<Pair> | Tensor {
  return valueOrLoss("cosineEmbedding", cosineEmbeddingOf, given, ({ margin }) =>
    expectFinite("cosineEmbedding", "margin", margin),
  );
}

function cosineEmbeddingOf({ x1, x2 }: Pair, target: Tensor, { margin = 0 }: MarginOptions): LossValues {
  expectSameShape("cosineEmbedding", x1, x2);
  if (x1.rank !== 1 && x1.rank !== 2)
    throw new ShapeError(`cosineEmbedding: got ${formatAval(x1.aval)}; expected f32[N, D] or f32[D].`);
  const y = signsFor("cosineEmbedding", target, x1.shape.slice(0, -1));
  const squared = (x: Tensor): Tensor => x.square().sum(-1).add(TINY);
  const cosine = x1
    .mul(x2)
    .sum(-1)
    .div(squared(x1).mul(squared(x2)).sqrt());
  const apart = y.equal(-1).select(clampAtZero(cosine.sub(margin)), 0);
  return { values: y.equal(1).select(cosine.rsub(1), 0).add(apart) };
}

export type TripletMarginOptions = {
  /** Default 1. */
  readonly margin?: number;
  /** The norm of differences: above 0, Infinity for the largest difference. Default 2. */
  readonly p?: number;
  /** Added to each difference. Default 1e-6. */
  readonly eps?: number;
  /** The distance of positive and negative counts where it is the smaller one. Default false. */
  readonly swap?: boolean;
  /** Default "mean", over the examples. */
  readonly reduction?: Reduction;
};

/** Vectors f32[N, D] or f32[D]: each anchor should be closer to its positive than to its negative. */
export type Triplet<T = Tensor> = { readonly anchor: T; readonly positive: T; readonly negative: T };

/**
 * max(0, margin + d(anchor, positive) - d(anchor, negative)) with d(a, b) = |a - b + eps|_p.
 *
 * The output is a record of the three, f32[N, D] each. With tensors: the value; there is no target. Without: a `Loss` for
 * `fit` that takes any target.
 *
 * Source: Balntas et al., "Learning local feature descriptors with triplets", 2016.
 */
export function tripletMargin(options?: TripletMarginOptions): Loss<Triplet, Tensor>;
export function tripletMargin(output: Triplet, options?: TripletMarginOptions): Tensor;
export function tripletMargin(
  a: Triplet | TripletMarginOptions = {},
  options: TripletMarginOptions = {},
): Loss<Triplet> | Tensor {
  const isValue = "anchor" in a && a.anchor instanceof Tensor;
  const given = isValue ? ([a, a.anchor, options] as const) : ([a as TripletMarginOptions] as const);
  return valueOrLoss("tripletMargin", tripletMarginOf, given as Given<TripletMarginOptions, Triplet>, (found) => {
    const { p = 2, margin, eps } = found;
    if (!(p > 0)) throw new OptionError(`tripletMargin: got p ${p}; expected a number above 0.`);
    expectFrom("tripletMargin", "margin", margin, 0, true);
    expectFinite("tripletMargin", "eps", eps);
  });
}

function tripletMarginOf(output: Triplet, _target: Tensor, options: TripletMarginOptions): LossValues {
  const { anchor, positive, negative } = output;
  const { margin = 1, p = 2, eps = 1e-6, swap = false } = options;
  expectSameShape("tripletMargin", anchor, positive);
  expectSameShape("tripletMargin", anchor, negative);
  if (anchor.rank === 0) throw new ShapeError("tripletMargin: got f32[]; expected f32[N, D].");
  const distance = (a: Tensor, b: Tensor): Tensor => norm(a.sub(b).add(eps), p);
  const near = distance(anchor, positive);
  const own = distance(anchor, negative);
  const far = swap ? own.minimum(distance(positive, negative)) : own;
  return { values: clampAtZero(near.sub(far).add(margin)) };
}

/** |x|_p over the last axis; derivative sign(x) |x|^(p - 1) / |x|_p^(p - 1), 0 where the norm is 0. */
function norm(x: Tensor, p: number): Tensor {
  if (p === 1) return x.abs().sum(-1);
  if (p === Number.POSITIVE_INFINITY) return x.abs().max(-1);
  const call = customVjp(
    (given) => {
      const own = given as Tensor;
      return p === 2
        ? own.square().sum(-1).sqrt()
        : own
            .abs()
            .pow(p)
            .sum(-1)
            .pow(1 / p);
    },
    (g, output, given) => {
      const own = given as Tensor;
      const none = output.equal(0);
      const by = (t: Tensor): Tensor => none.select(0, g.div(none.select(1, t))).unsqueeze(-1);
      if (p === 2) return [own.mul(by(output))];
      const zero = own.equal(0);
      const power = zero.select(0, zero.select(1, own.abs()).pow(p - 1));
      return [
        own
          .sign()
          .mul(power)
          .mul(by(output.pow(p - 1))),
      ];
    },
  );
  return call(x);
}
