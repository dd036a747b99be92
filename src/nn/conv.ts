import { formatAval } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import { foldKey } from "../core/prng.ts";
import { type ConvOptions, pair, type Tensor } from "../ops/tensor.ts";
import { defineLayer } from "./define-layer.ts";
import { defaultBias, defaultWeight, type Initializer } from "./init.ts";
import { expectCount, expectF32, type Layer } from "./layer.ts";

export type Conv2dOptions = ConvOptions & {
  /** Default true. */
  readonly bias?: boolean;
  /** Default: PyTorch's, uniform in ±1/sqrt(fanIn), fanIn = in / groups * kh * kw. */
  readonly weightInit?: Initializer;
  /** Default: PyTorch's, uniform in ±1/sqrt(fanIn). */
  readonly biasInit?: Initializer;
};

type ConvWeights = { readonly weight: HostArray; readonly bias?: HostArray };

/**
 * Convolution of images (cross-correlation, as in PyTorch): f32[N, C, H, W] -> f32[N, out, OH, OW],
 * OH = floor((H + 2 padding - dilation (kh - 1) - 1) / stride) + 1; weight [out, C / groups, kh, kw], bias [out].
 *
 * The number of input channels is taken from the data. `stride`, `padding`, `dilation` and `groups` default to 1, 0, 1, 1;
 * padding is of zeros.
 *
 * Errors: ShapeError when the input is not f32[N, C, H, W], when C or `out` is not a multiple of `groups`, or when the
 * window is larger than the padded image.
 *
 * @example
 * nn.model(nn.conv2d(32, 3, { padding: 1 })).init(1, { dtype: "f32", shape: [8, 1, 28, 28] }).output.shape // -> [8, 32, 28, 28]
 */
export function conv2d(
  outChannels: number,
  kernel: number | readonly [number, number],
  options: Conv2dOptions = {},
): Layer {
  expectCount("conv2d", "outChannels", outChannels);
  for (const size of pair(kernel)) expectCount("conv2d", "kernel", size);
  const { bias = true, weightInit = defaultWeight, biasInit, ...geometry } = options;
  const { groups = 1 } = geometry;
  expectCount("conv2d", "groups", groups);
  if (outChannels % groups !== 0)
    throw new OptionError(`conv2d: got ${outChannels} output channels and ${groups} groups; expected a multiple.`);
  return defineLayer<ConvWeights, Tensor, Tensor>({
    kind: "conv2d",
    config: {
      outChannels,
      kernel,
      ...geometry,
      bias: options.bias,
      weightInit: options.weightInit?.config,
      biasInit: biasInit?.config,
    },
    init(key, input) {
      expectF32("conv2d", input, [4], "f32[N, C, H, W]");
      const channels = input.shape[1] as number;
      if (channels % groups !== 0)
        throw new ShapeError(
          `conv2d: got ${formatAval(input)}; expected a multiple of ${groups} channels, one part for each group.`,
        );
      const weight = weightInit.sample(foldKey(key, "weight"), [outChannels, channels / groups, ...pair(kernel)]);
      if (!bias) return { weight };
      const init = biasInit ?? defaultBias(weight.shape);
      return { weight, bias: init.sample(foldKey(key, "bias"), [outChannels]) };
    },
    apply({ weight, bias: offset }, x) {
      const channels = (weight.shape[1] as number) * groups;
      if (x.dtype !== "f32" || x.rank !== 4 || x.shape[1] !== channels)
        throw new ShapeError(
          `conv2d: got ${formatAval(x.aval)}; expected f32[N, ${channels}, H, W] for the weight ${formatAval(weight.aval)}.`,
        );
      const y = x.conv2d(weight, geometry);
      return offset ? y.add(offset.reshape([outChannels, 1, 1])) : y;
    },
  });
}
