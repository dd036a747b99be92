import { OptionError } from "../core/errors.ts";
import type { Tensor } from "../ops/tensor.ts";
import { customVjp } from "../trace/grad.ts";

/** Throws OptionError unless `eps` is a number of 0 or more. */
export function expectEps(kind: string, eps: number): void {
  if (!(eps >= 0)) throw new OptionError(`${kind}: got eps ${eps}; expected a number of 0 or more.`);
}

/** z = (x - mean) / sqrt(var + eps) with mean and biased variance over `axes`, and 1 / sqrt(var + eps) with these kept. */
export function standardised(
  x: Tensor,
  axes: readonly number[],
  eps: number,
): { readonly z: Tensor; readonly scale: Tensor } {
  const scale = x.variance(axes, { keepDims: true }).add(eps).rsqrt();
  return { z: x.sub(x.mean(axes, { keepDims: true })).mul(scale), scale };
}

/**
 * (x - mean) / sqrt(var + eps) with mean and biased variance over `axes`.
 *
 * Derivative: dx = (g - mean(g) - z mean(g z)) / sqrt(var + eps), two reductions. The statistics are written again in terms
 * of x, so that the rule differentiates again; equal expressions are computed once.
 */
export function standardise(x: Tensor, axes: readonly number[], eps: number): Tensor {
  return customVjp(
    (own) => standardised(own as Tensor, axes, eps).z,
    (g, _output, own) => {
      const { z, scale } = standardised(own as Tensor, axes, eps);
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
