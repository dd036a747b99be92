import { formatAval, sizeOf } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import { type HostArray, zeros as hostZeros } from "../core/host-array.ts";
import type { Tensor } from "../ops/tensor.ts";
import { defineLayer } from "./define-layer.ts";
import { constant } from "./init.ts";
import { expectCount, expectF32, type Layer, type LayerContext } from "./layer.ts";
import { expectEps, standardise } from "./standardise.ts";

export type GroupNormOptions = {
  /** Added to the variance. Default 1e-5, as PyTorch. */
  readonly eps?: number;
  /** Learn a weight and a bias for each channel. Default true. */
  readonly affine?: boolean;
};

export type InstanceNormOptions = {
  /** Added to the variance. Default 1e-5, as PyTorch. */
  readonly eps?: number;
  /** Learn a weight and a bias for each channel. Default false, as PyTorch. */
  readonly affine?: boolean;
  /** Keep running statistics and use them in evaluation; else evaluation uses its own samples'. Default false, as PyTorch. */
  readonly trackRunningStats?: boolean;
  /** Weight of the newest batch in the running statistics. Default 0.1, as PyTorch. */
  readonly momentum?: number;
};

type NormParams = { readonly weight?: HostArray; readonly bias?: HostArray };

/**
 * y = (x - mean) / sqrt(var + eps) * weight + bias, with mean and biased variance of each sample's groups of channels:
 * f32[N, C, ...] of the same shape. Training and evaluation are alike.
 *
 * Channels (axis 1) are cut into `numGroups` equal runs. `weight` and `bias` [C] start at 1 and 0.
 *
 * Errors: ShapeError when C is not a multiple of `numGroups`.
 * Source: Wu and He, "Group normalization" (2018).
 *
 * @example
 * nn.sequential(nn.conv2d(32, 3, { bias: false }), nn.groupNorm(8), nn.relu())
 */
export function groupNorm(numGroups: number, options: GroupNormOptions = {}): Layer {
  expectCount("groupNorm", "numGroups", numGroups);
  const { eps = 1e-5, affine = true } = options;
  expectEps("groupNorm", eps);
  return defineLayer<NormParams, Tensor, Tensor>({
    kind: "groupNorm",
    config: { numGroups, ...options },
    init: (key, input) => {
      expectChannels("groupNorm", input.shape.length >= 2 && input.dtype === "f32", formatAval(input));
      return affine ? affineInit(key, input.shape[1] as number) : {};
    },
    apply({ weight, bias }, x) {
      expectChannels("groupNorm", x.rank >= 2 && x.dtype === "f32", formatAval(x.aval));
      const channels = weight?.shape[0] ?? (x.shape[1] as number);
      if (x.shape[1] !== channels || channels % numGroups !== 0)
        throw new ShapeError(
          `groupNorm: got ${formatAval(x.aval)}; expected ${x.shape[1] === channels ? `a multiple of ${numGroups}` : channels} channels on axis 1.`,
        );
      const grouped = x.reshape([x.shape[0] as number, numGroups, -1]);
      return byChannel(standardise(grouped, [2], eps).reshape(x.shape), weight, bias);
    },
  });
}

/**
 * y = (x - mean) / sqrt(var + eps) * weight + bias, with mean and biased variance of each sample's channels: f32[N, C, L],
 * f32[N, C, H, W] or f32[N, C, D, H, W] of the same shape.
 *
 * With `trackRunningStats`, training moves the buffers `running_mean` and `running_var` [C] by the batch's mean of the samples'
 * means and unbiased variances, and evaluation uses them; as in PyTorch, `num_batches_tracked` stays 0.
 *
 * Errors: ShapeError when a channel has one value.
 * Source: Ulyanov, Vedaldi and Lempitsky, "Instance normalization" (2016).
 */
export function instanceNorm(options: InstanceNormOptions = {}): Layer {
  const { eps = 1e-5, affine = false, trackRunningStats = false, momentum = 0.1 } = options;
  expectEps("instanceNorm", eps);
  if (!(momentum >= 0 && momentum <= 1))
    throw new OptionError(`instanceNorm: got momentum ${momentum}; expected a number in [0, 1].`);
  const expected = "f32[N, C, L], f32[N, C, H, W] or f32[N, C, D, H, W]";
  return defineLayer<NormParams, Tensor, Tensor>({
    kind: "instanceNorm",
    config: options,
    init(key, input) {
      expectF32("instanceNorm", input, [3, 4, 5], expected);
      return affine ? affineInit(key, input.shape[1] as number) : {};
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
      expectF32("instanceNorm", x.aval, [3, 4, 5], expected);
      const channels = weight?.shape[0] ?? (trackRunningStats ? ctx.buffer("running_mean").shape[0] : x.shape[1]);
      if (x.shape[1] !== channels)
        throw new ShapeError(`instanceNorm: got ${formatAval(x.aval)}; expected ${channels} channels on axis 1.`);
      if (trackRunningStats && !ctx.training) {
        const scale = ctx.buffer("running_var").add(eps).rsqrt();
        const centred = x.sub(alongChannels(ctx.buffer("running_mean"), x));
        return byChannel(centred, weight ? scale.mul(weight) : scale, bias);
      }
      if (sizeOf(x.shape.slice(2)) === 1)
        throw new ShapeError(
          `instanceNorm: got ${formatAval(x.aval)}; expected more than one value for each channel of a sample.`,
        );
      if (trackRunningStats) track(x.stopGradient(), ctx, momentum);
      const axes = x.shape.map((_, axis) => axis).slice(2);
      return byChannel(standardise(x, axes, eps), weight, bias);
    },
  });
}

function expectChannels(kind: string, fits: boolean, got: string): void {
  if (!fits) throw new ShapeError(`${kind}: got ${got}; expected f32[N, C, ...].`);
}

function affineInit(key: readonly [number, number], channels: number): NormParams {
  return { weight: constant(1).sample(key, [channels]), bias: constant(0).sample(key, [channels]) };
}

/** A vector of one value for each channel, shaped to broadcast over [N, C, ...]. */
function alongChannels(vector: Tensor, x: Tensor): Tensor {
  return vector.reshape([vector.shape[0] as number, ...x.shape.slice(2).map(() => 1)]);
}

function byChannel(x: Tensor, weight: Tensor | undefined, bias: Tensor | undefined): Tensor {
  const scaled = weight ? x.mul(alongChannels(weight, x)) : x;
  return bias ? scaled.add(alongChannels(bias, x)) : scaled;
}

function track(x: Tensor, ctx: LayerContext, momentum: number): void {
  const axes = x.shape.map((_, axis) => axis).slice(2);
  const rate = ctx.statisticsMomentum ?? x.full(momentum);
  const move = (name: string, value: Tensor): void => {
    const old = ctx.buffer(name);
    ctx.setBuffer(name, old.add(value.sub(old).mul(rate)));
  };
  move("running_mean", x.mean(axes).mean(0));
  move("running_var", x.variance(axes, { ddof: 1 }).mean(0));
}
