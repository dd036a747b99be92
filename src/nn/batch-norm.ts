import { formatAval, type Shape, sizeOf } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import { type HostArray, zeros as hostZeros } from "../core/host-array.ts";
import type { Tensor } from "../ops/tensor.ts";
import { customVjp } from "../trace/grad.ts";
import { defineLayer } from "./define-layer.ts";
import { constant } from "./init.ts";
import { expectF32, type Layer, type LayerContext } from "./layer.ts";
import { expectEps, standardise, standardised } from "./standardise.ts";

export type BatchNormOptions = {
  /** Weight of the newest batch in the running statistics; null: the plain mean over all batches. Default 0.1, as PyTorch (Keras's 0.99 is our 0.01). */
  readonly momentum?: number | null;
  /** Added to the variance. Default 1e-5, as PyTorch. */
  readonly eps?: number;
  /** Learn a weight and a bias for each channel. Default true. */
  readonly affine?: boolean;
  /** Keep running statistics and use them in evaluation; else evaluation uses its own batch. Default true. */
  readonly trackRunningStats?: boolean;
};

type BatchNormParams = { readonly weight?: HostArray; readonly bias?: HostArray };

/**
 * y = (x - mean) / sqrt(var + eps) * weight + bias for each channel (axis 1) of f32[N, C], f32[N, C, L] or f32[N, C, H, W].
 *
 * In training, mean and biased variance are the batch's, and each forward pass moves the buffers once:
 * running = (1 - momentum) running + momentum batch, with the unbiased variance. In evaluation the running ones are used.
 * Parameters `weight`, `bias` [C] start at 1 and 0; buffers are `running_mean`, `running_var` [C] and `num_batches_tracked`
 * (i32; PyTorch's is i64).
 *
 * Errors: ShapeError when a training batch has one value for each channel.
 * Source: Ioffe and Szegedy (2015).
 *
 * @example
 * nn.sequential(nn.conv2d(16, 3, { bias: false }), nn.batchNorm(), nn.relu())
 */
export function batchNorm(options: BatchNormOptions = {}): Layer {
  const { momentum = 0.1, eps = 1e-5, affine = true, trackRunningStats = true } = options;
  if (momentum !== null && !(momentum >= 0 && momentum <= 1))
    throw new OptionError(`batchNorm: got momentum ${momentum}; expected a number in [0, 1] or null.`);
  expectEps("batchNorm", eps);
  return defineLayer<BatchNormParams, Tensor, Tensor>({
    kind: "batchNorm",
    config: options,
    init(key, input) {
      expectF32("batchNorm", input, [2, 3, 4], "f32[N, C], f32[N, C, L] or f32[N, C, H, W]");
      const shape = [input.shape[1] as number];
      return affine ? { weight: constant(1).sample(key, shape), bias: constant(0).sample(key, shape) } : {};
    },
    buffers(input) {
      const shape = [input.shape[1] as number];
      if (!trackRunningStats) return {};
      return {
        running_mean: hostZeros(shape),
        running_var: constant(1).sample([0, 0], shape),
        num_batches_tracked: hostZeros([], "i32"),
      };
    },
    apply({ weight, bias }, x, ctx) {
      expectF32("batchNorm", x.aval, [2, 3, 4], "f32[N, C], f32[N, C, L] or f32[N, C, H, W]");
      const channels = weight?.shape[0] ?? (trackRunningStats ? ctx.buffer("running_mean").shape[0] : x.shape[1]);
      if (x.shape[1] !== channels)
        throw new ShapeError(`batchNorm: got ${formatAval(x.aval)}; expected ${channels} channels on axis 1.`);
      if (!ctx.training && trackRunningStats) {
        const { shape } = channelAxes(x);
        const scale = ctx.buffer("running_var").add(eps).rsqrt();
        const centred = x.sub(ctx.buffer("running_mean").reshape(shape));
        return affineOf(centred, weight ? scale.mul(weight) : scale, bias, shape);
      }
      const { count } = channelAxes(x);
      if (ctx.training && count === 1)
        throw new ShapeError(
          `batchNorm: got ${formatAval(x.aval)} in training; expected more than one value for each channel. Hint: drop the last batch or change the batch size.`,
        );
      if (ctx.training && trackRunningStats) track(x.stopGradient(), ctx, momentum);
      return weight && bias ? normaliseAffine(eps)(x, weight, bias) : standardise(x, channelAxes(x).axes, eps);
    },
  });
}

/** The axes that statistics run over, the shape that lines a vector up with the channels, and the values of each channel. */
function channelAxes(x: Tensor): { readonly axes: readonly number[]; readonly shape: Shape; readonly count: number } {
  return {
    axes: x.shape.map((_, axis) => axis).filter((axis) => axis !== 1),
    shape: x.shape.map((size, axis) => (axis === 1 ? size : 1)),
    count: sizeOf(x.shape) / (x.shape[1] as number),
  };
}

function affineOf(x: Tensor, scale: Tensor, shift: Tensor | undefined, shape: Shape): Tensor {
  const y = x.mul(scale.reshape(shape));
  return shift ? y.add(shift.reshape(shape)) : y;
}

function track(x: Tensor, ctx: LayerContext, momentum: number | null): void {
  const { axes, count } = channelAxes(x);
  const batches = ctx.buffer("num_batches_tracked").add(1);
  const own = (): Tensor => (momentum === null ? batches.cast("f32").reciprocal() : x.full(momentum));
  const rate = ctx.statisticsMomentum ?? own();
  const move = (name: string, value: Tensor): void => {
    const old = ctx.buffer(name);
    ctx.setBuffer(name, old.add(value.sub(old).mul(rate)));
  };
  move("running_mean", x.mean(axes));
  move("running_var", x.variance(axes).mul(count / (count - 1)));
  ctx.setBuffer("num_batches_tracked", batches);
}

/**
 * dx = scale weight (g - mean(g) - z mean(g z)), dbias = sum(g), dweight = sum(g z): two reductions in one sweep. The
 * statistics are written again in terms of x, so that the rule differentiates again; equal expressions are computed once.
 */
function normaliseAffine(eps: number): (x: Tensor, weight: Tensor, bias: Tensor) => Tensor {
  return customVjp(
    (...inputs) => {
      const [x, weight, bias] = inputs as readonly [Tensor, Tensor, Tensor];
      const { axes, shape } = channelAxes(x);
      return affineOf(standardised(x, axes, eps).z, weight, bias, shape);
    },
    (g, _output, ...inputs) => {
      const [x, weight] = inputs as readonly [Tensor, Tensor, Tensor];
      const { axes, shape, count } = channelAxes(x);
      const { z, scale } = standardised(x, axes, eps);
      const dBias = g.sum(axes);
      const dWeight = g.mul(z).sum(axes);
      const inner = g.sub(dBias.mul(1 / count).reshape(shape)).sub(z.mul(dWeight.mul(1 / count).reshape(shape)));
      return [inner.mul(scale.mul(weight.reshape(shape))), dWeight, dBias];
    },
  );
}
