import { formatAval, type Shape, sameShape } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import type { Tensor } from "../ops/tensor.ts";
import { defineLayer } from "./define-layer.ts";
import { constant } from "./init.ts";
import { expectCount, expectF32, type Layer } from "./layer.ts";
import { divideByRms, expectEps, standardise } from "./standardise.ts";

export type LayerNormOptions = {
  /** The sizes of the last axes, which are normalised. Default: the last axis, of whatever size comes. */
  readonly normalizedShape?: number | Shape;
  /** Added to the variance. Default 1e-5, as PyTorch. */
  readonly eps?: number;
  /** Learn a weight and a bias for each element of the normalised shape. Default true. */
  readonly elementwiseAffine?: boolean;
  /** Learn the bias too. Default true. */
  readonly bias?: boolean;
};

export type RmsNormOptions = {
  /** The sizes of the last axes, which are normalised. Default: the last axis, of whatever size comes. */
  readonly normalizedShape?: number | Shape;
  /** Added to the mean square. Default 2^-23 = 1.19e-7, as PyTorch for float32; LLaMA has 1e-5 or 1e-6. */
  readonly eps?: number;
  /** Learn a weight for each element of the normalised shape. Default true. */
  readonly elementwiseAffine?: boolean;
};

type NormParams = { readonly weight?: HostArray; readonly bias?: HostArray };

/**
 * y = (x - mean) / sqrt(var + eps) * weight + bias over the last axes: f32[N, ...] of the same shape.
 *
 * Mean and biased variance are each sample's and position's own, in training and evaluation alike. `weight` and `bias`, of
 * the normalised shape, start at 1 and 0. The size is taken from the data unless `normalizedShape` says it; PyTorch asks
 * for it.
 *
 * Errors: ShapeError when the last axes are not `normalizedShape`.
 * Source: Ba, Kiros and Hinton, "Layer normalization" (2016).
 *
 * @example
 * nn.model(nn.layerNorm()).init(1, { dtype: "f32", shape: [8, 64, 128] }).output.shape // -> [8, 64, 128]
 */
export function layerNorm(options: LayerNormOptions = {}): Layer {
  const { eps = 1e-5, elementwiseAffine = true, bias = true } = options;
  return lastAxesNorm("layerNorm", { ...options }, options.normalizedShape, eps, {
    weight: elementwiseAffine,
    bias: elementwiseAffine && bias,
    normalise: standardise,
  });
}

/**
 * y = x / sqrt(mean(x²) + eps) * weight over the last axes: f32[N, ...] of the same shape. `weight` starts at 1.
 *
 * Errors: ShapeError when the last axes are not `normalizedShape`.
 * Source: Zhang and Sennrich, "Root mean square layer normalization" (2019).
 */
export function rmsNorm(options: RmsNormOptions = {}): Layer {
  const { eps = 2 ** -23, elementwiseAffine = true } = options;
  return lastAxesNorm("rmsNorm", { ...options }, options.normalizedShape, eps, {
    weight: elementwiseAffine,
    bias: false,
    normalise: divideByRms,
  });
}

type Parts = {
  readonly weight: boolean;
  readonly bias: boolean;
  readonly normalise: (x: Tensor, axes: readonly number[], eps: number) => Tensor;
};

function lastAxesNorm(
  kind: string,
  config: LayerNormOptions,
  normalizedShape: number | Shape | undefined,
  eps: number,
  { weight: learnsWeight, bias: learnsBias, normalise }: Parts,
): Layer {
  const wanted = typeof normalizedShape === "number" ? [normalizedShape] : normalizedShape;
  if (wanted?.length === 0) throw new OptionError(`${kind}: got the normalizedShape []; expected at least one size.`);
  for (const size of wanted ?? []) expectCount(kind, "normalizedShape", size);
  expectEps(kind, eps);
  const rank = wanted?.length ?? 1;
  const shapeOf = (shape: Shape): Shape => shape.slice(-rank);
  return defineLayer<NormParams, Tensor, Tensor>({
    kind,
    config,
    init(key, input) {
      expectF32(kind, input, undefined, "f32");
      const shape = shapeOf(input.shape);
      if (shape.length < rank || (wanted !== undefined && !sameShape(shape, wanted)))
        throw new ShapeError(`${kind}: got ${formatAval(input)}; expected f32[N, ${wanted ?? "D"}].`);
      return {
        ...(learnsWeight ? { weight: constant(1).sample(key, shape) } : {}),
        ...(learnsBias ? { bias: constant(0).sample(key, shape) } : {}),
      };
    },
    apply({ weight, bias }, x) {
      const known = weight?.shape ?? wanted;
      const shape = shapeOf(x.shape);
      if (x.dtype !== "f32" || shape.length < rank || (known !== undefined && !sameShape(shape, known)))
        throw new ShapeError(`${kind}: got ${formatAval(x.aval)}; expected f32[N, ${known ?? "D"}].`);
      const z = normalise(
        x,
        shape.map((_, i) => x.rank - rank + i),
        eps,
      );
      const scaled = weight ? z.mul(weight) : z;
      return bias ? scaled.add(bias) : scaled;
    },
  });
}
