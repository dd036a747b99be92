import { leavesOf, unflatten } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { whileLoop } from "../trace/control.ts";
import type { TensorTree } from "./transform.ts";

/**
 * What is known of the Hessian: a ring of steps s and of the gradients' differences y along them, f32[rows, n], each pair's
 * 1 / <s, y>, f32[rows], and how many pairs were ever kept, i32[].
 */
export type Curvature = { readonly s: Tensor; readonly y: Tensor; readonly rho: Tensor; readonly pairs: Tensor };

/** All parameters as one vector, and back. */
export type Vector = {
  readonly size: number;
  flatten(tree: TensorTree): Tensor;
  unflatten(vector: Tensor): TensorTree;
};

export function vectorOf(params: TensorTree): Vector {
  const shapes = leavesOf<Tensor>(params).map(([, x]) => x.shape);
  const sizes = shapes.map((shape) => shape.reduce((n, length) => n * length, 1));
  return {
    size: sizes.reduce((sum, size) => sum + size, 0),
    flatten(tree) {
      const [first, ...others] = leavesOf<Tensor>(tree).map(([, x]) => x.reshape([-1])) as [Tensor, ...Tensor[]];
      return others.length === 0 ? first : first.concat(others, 0);
    },
    unflatten(vector) {
      let start = 0;
      const parts = sizes.map((size, i) => {
        start += size;
        return vector.narrow(0, start - size, size).reshape(shapes[i] as readonly number[]);
      });
      return unflatten<Tensor, Tensor>(params, parts);
    },
  };
}

export const dot = (a: Tensor, b: Tensor): Tensor => a.mul(b).sum();

export function initCurvature(like: Tensor, rows: number, size: number): Curvature {
  const zeros = like.full(0, [rows, size], "f32");
  return { s: zeros, y: zeros, rho: like.full(0, [rows], "f32"), pairs: like.full(0, [], "i32") };
}

/** With one pair more, in the oldest one's place where the ring is full; `keep`, bool[], tells whether at all. */
export function remember(known: Curvature, s: Tensor, y: Tensor, rho: Tensor, keep: Tensor): Curvature {
  const rows = known.rho.shape[0] as number;
  const here = known.pairs.iota([rows], 0).equal(known.pairs.rem(rows)).and(keep);
  const row = here.reshape([rows, 1]);
  return {
    s: row.select(s, known.s),
    y: row.select(y, known.y),
    rho: here.select(rho, known.rho),
    pairs: known.pairs.add(keep.cast("i32")),
  };
}

/** H v for the inverse Hessian H that the pairs estimate from `scale` times the identity: the two-loop recursion. */
export function inverseHessianProduct({ s, y, rho, pairs }: Curvature, scale: Tensor, v: Tensor): Tensor {
  const rows = rho.shape[0] as number;
  const count = pairs.minimum(rows);
  const slot = (age: Tensor): Tensor => pairs.sub(age).sub(1).rem(rows);
  const zero = pairs.full(0);

  const newestFirst = whileLoop(
    ({ age }) => age.less(count),
    ({ age, q, alphas }) => {
      const i = slot(age);
      const alpha = dot(s.gather(i), q).mul(rho.gather(i));
      return {
        age: age.add(1),
        q: q.sub(y.gather(i).mul(alpha)),
        alphas: alphas.iota([rows], 0).equal(i).select(alpha, alphas),
      };
    },
    { age: zero, q: v, alphas: rho.zerosLike() },
  );
  const { alphas } = newestFirst;
  return whileLoop(
    ({ left }) => left.greater(0),
    ({ left, r }) => {
      const i = slot(left.sub(1));
      const beta = dot(y.gather(i), r).mul(rho.gather(i));
      return { left: left.sub(1), r: r.add(s.gather(i).mul(alphas.gather(i).sub(beta))) };
    },
    { left: count, r: newestFirst.q.mul(scale) },
  ).r;
}
