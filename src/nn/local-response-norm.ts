import { formatAval } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import type { Tensor } from "../ops/tensor.ts";
import { defineLayer } from "./define-layer.ts";
import { expectCount, type Layer } from "./layer.ts";

export type LocalResponseNormOptions = {
  /** Default 1e-4. */
  readonly alpha?: number;
  /** Default 0.75. */
  readonly beta?: number;
  /** Default 1. */
  readonly k?: number;
};

/**
 * y_c = x_c / (k + alpha / size * sum x_j²)^beta over `size` channels j around c, floor(size / 2) of them before it; channels
 * that are not there count as 0: f32[N, C, ...] of the same shape.
 *
 * Defaults are PyTorch's, which divides alpha by `size` as here; the paper does not.
 *
 * Source: Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks" (2012).
 */
export function localResponseNorm(size: number, options: LocalResponseNormOptions = {}): Layer {
  expectCount("localResponseNorm", "size", size);
  const { alpha = 1e-4, beta = 0.75, k = 1 } = options;
  for (const [name, value] of Object.entries({ alpha, beta, k }))
    if (!Number.isFinite(value))
      throw new OptionError(`localResponseNorm: got ${name} ${value}; expected a finite number.`);
  return defineLayer({
    kind: "localResponseNorm",
    config: { size, ...options },
    apply(_params, x: Tensor) {
      if (x.dtype !== "f32" || x.rank < 3)
        throw new ShapeError(
          `localResponseNorm: got ${formatAval(x.aval)}; expected f32[N, C, ...] of rank 3 or more.`,
        );
      const channels = x.shape[1] as number;
      const before = Math.floor(size / 2);
      const sides = (count: number): number[] => x.shape.map((_, axis) => (axis === 1 ? count : 0));
      const squares = x.square().pad(sides(before), sides(size - 1 - before));
      let sum = squares.narrow(1, 0, channels);
      for (let i = 1; i < size; i++) sum = sum.add(squares.narrow(1, i, channels));
      return x.div(
        sum
          .mul(alpha / size)
          .add(k)
          .pow(beta),
      );
    },
  });
}
