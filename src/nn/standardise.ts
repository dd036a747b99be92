import type { Tensor } from "../ops/tensor.ts";
import { customVjp } from "../trace/grad.ts";

/**
 * (x - mean) / sqrt(var + eps) with mean and biased variance over `axes`.
 *
 * Derivative: dx = (g - mean(g) - z mean(g z)) / sqrt(var + eps), two reductions. The statistics are written again in terms
 * of x, so that the rule differentiates again; equal expressions are computed once.
 */
export function standardise(x: Tensor, axes: readonly number[], eps: number): Tensor {
  const parts = (own: Tensor): { readonly z: Tensor; readonly scale: Tensor } => {
    const scale = own.variance(axes, { keepDims: true }).add(eps).rsqrt();
    return { z: own.sub(own.mean(axes, { keepDims: true })).mul(scale), scale };
  };
  return customVjp(
    (own) => parts(own as Tensor).z,
    (g, _output, own) => {
      const { z, scale } = parts(own as Tensor);
      const inner = g.sub(g.mean(axes, { keepDims: true })).sub(z.mul(g.mul(z).mean(axes, { keepDims: true })));
      return [inner.mul(scale)];
    },
  )(x);
}

/** x / sqrt(mean(x²) + eps) over `axes`; derivative (g - z mean(g z)) / sqrt(mean(x²) + eps). */
export function divideByRms(x: Tensor, axes: readonly number[], eps: number): Tensor {
  const scaleOf = (own: Tensor): Tensor => own.square().mean(axes, { keepDims: true }).add(eps).rsqrt();
  return customVjp(
    (own) => (own as Tensor).mul(scaleOf(own as Tensor)),
    (g, _output, own) => {
      const scale = scaleOf(own as Tensor);
      const z = (own as Tensor).mul(scale);
      return [g.sub(z.mul(g.mul(z).mean(axes, { keepDims: true }))).mul(scale)];
    },
  )(x);
}
