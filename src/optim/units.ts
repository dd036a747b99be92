import type { Tensor } from "../ops/tensor.ts";

/**
 * The Euclidean norm of each unit's weights, in a shape that broadcasts: all weights that lead to one output (every axis but the
 * first), or the whole tensor where at most one axis is longer than 1.
 */
export function unitNorms(x: Tensor): Tensor {
  const long = x.shape.filter((length) => length > 1).length;
  const axes = x.shape.map((_, axis) => axis).slice(long <= 1 ? 0 : 1);
  return x.square().sum(axes, { keepDims: true }).sqrt();
}
