import type { Tensor } from "../ops/tensor.ts";

/** |x| of one tensor, f32[]. */
export const normOf = (x: Tensor): Tensor => x.square().sum().sqrt();

/** c |x| / (|u| + eps) of one parameter and its update; 1 where either norm is 0. */
export function trustRatio(x: Tensor, u: Tensor, coefficient?: Tensor, eps?: Tensor): Tensor {
  const [own, step] = [normOf(x), normOf(u)];
  const ratio = own.div(eps === undefined ? step : step.add(eps));
  const scaled = coefficient === undefined ? ratio : ratio.mul(coefficient);
  return own.greater(0).and(step.greater(0)).select(scaled, scaled.onesLike());
}
