import { formatAval } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import { foldKey } from "../core/prng.ts";
import type { ConvTransposeOptions, Tensor } from "../ops/tensor.ts";
import { asGiven, asImage, type ConvWeights, checkConv, configOfConv, LAYOUTS, spatial } from "./conv.ts";
import { defineLayer } from "./define-layer.ts";
import { defaultBias, defaultWeight, type Initializer } from "./init.ts";
import { expectF32, type Layer } from "./layer.ts";

type WeightOptions = {
  /** Default true. */
  readonly bias?: boolean;
  /** Default: PyTorch's, uniform in ±1/sqrt(fan), fan = out / groups times the window. */
  readonly weightInit?: Initializer;
  /** Default: PyTorch's, uniform in ±1/sqrt(fan). */
  readonly biasInit?: Initializer;
};

export type ConvTranspose2dOptions = ConvTransposeOptions & WeightOptions;

export type ConvTranspose1dOptions = WeightOptions & {
  /** Default 1. */
  readonly stride?: number;
  /** Taken off each side of the output. Default 0. */
  readonly padding?: number;
  /** Added after the output: less than the stride or the dilation. Default 0. */
  readonly outputPadding?: number;
  /** Default 1. */
  readonly dilation?: number;
  /** Default 1. */
  readonly groups?: number;
};

type Size = number | readonly [number, number];

/**
 * Transposed convolution, the gradient of `conv2d` by its input: f32[N, C, H, W] -> f32[N, out, OH, OW],
 * OH = (H - 1) stride - 2 padding + dilation (kh - 1) + outputPadding + 1; weight [C, out / groups, kh, kw], bias [out].
 *
 * With a stride, several sizes of an image give a convolution's output of one size; `outputPadding` chooses among them.
 * `stride`, `padding`, `outputPadding`, `dilation` and `groups` default to 1, 0, 0, 1, 1, as in PyTorch.
 *
 * Errors: ShapeError when the input is not f32[N, C, H, W] with C a multiple of `groups`, or the output would be empty.
 *
 * @example
 * nn.model(nn.convTranspose2d(8, 4, { stride: 2, padding: 1 })).init(1, { dtype: "f32", shape: [2, 16, 7, 7] }).output.shape // -> [2, 8, 14, 14]
 */
export function convTranspose2d(outChannels: number, kernel: Size, options: ConvTranspose2dOptions = {}): Layer {
  return transposed("convTranspose2d", 2, outChannels, kernel, options);
}

/** `convTranspose2d` of sequences: f32[N, C, L] -> f32[N, out, OL]; weight [C, out / groups, k], bias [out]. */
export function convTranspose1d(outChannels: number, kernel: number, options: ConvTranspose1dOptions = {}): Layer {
  return transposed("convTranspose1d", 1, outChannels, kernel, options);
}

function transposed(
  kind: string,
  axes: 1 | 2,
  outChannels: number,
  kernel: Size,
  options: ConvTranspose2dOptions,
): Layer {
  const { bias = true, weightInit = defaultWeight, biasInit } = options;
  const { stride = 1, padding = 0, outputPadding = 0, dilation = 1, groups = 1 } = options;
  checkConv(kind, axes, { outChannels, kernel, stride, dilation, groups }, { padding, outputPadding });
  if (outChannels % groups !== 0)
    throw new OptionError(`${kind}: got ${outChannels} output channels and ${groups} groups; expected a multiple.`);
  const geometry = {
    stride: spatial(axes, stride, 1),
    padding: spatial(axes, padding, 0),
    outputPadding: spatial(axes, outputPadding, 0),
    dilation: spatial(axes, dilation, 1),
    groups,
  };
  for (const axis of [0, 1] as const) {
    const most = Math.max(geometry.stride[axis], geometry.dilation[axis]);
    if (geometry.outputPadding[axis] >= most)
      throw new OptionError(
        `${kind}: got outputPadding ${geometry.outputPadding[axis]}; expected less than the stride or the dilation, ${most}.`,
      );
  }
  const shown = LAYOUTS[axes];
  const size = spatial(axes, kernel, 1);
  return defineLayer<ConvWeights, Tensor, Tensor>({
    kind,
    config: configOfConv({ outChannels, kernel, ...options }),
    init(key, input) {
      expectF32(kind, input, [axes + 2], `f32[N, C, ${shown}]`);
      const channels = input.shape[1] as number;
      if (channels % groups !== 0)
        throw new ShapeError(
          `${kind}: got ${formatAval(input)}; expected a multiple of ${groups} channels, one part for each group.`,
        );
      const shape = [channels, outChannels / groups, ...size.slice(2 - axes)];
      const weight = weightInit.sample(foldKey(key, "weight"), shape);
      if (!bias) return { weight };
      const init = biasInit ?? defaultBias(weight.shape);
      return { weight, bias: init.sample(foldKey(key, "bias"), [outChannels]) };
    },
    apply({ weight, bias: offset }, x) {
      const channels = weight.shape[0] as number;
      if (x.dtype !== "f32" || x.rank !== axes + 2 || x.shape[1] !== channels)
        throw new ShapeError(
          `${kind}: got ${formatAval(x.aval)}; expected f32[N, ${channels}, ${shown}] for the weight ${formatAval(weight.aval)}.`,
        );
      const length = ((x.shape[2] as number) - 1) * geometry.stride[1] + geometry.dilation[1] * (size[1] - 1) + 1;
      const out = length - 2 * geometry.padding[1] + geometry.outputPadding[1];
      if (axes === 1 && out < 1)
        throw new ShapeError(
          `${kind}: got ${formatAval(x.aval)}, kernel ${size[1]} and padding ${geometry.padding[1]}; expected an output of at least 1 step, not ${out}.`,
        );
      const y = asImage(x, axes).convTranspose2d(asImage(weight, axes), geometry);
      return asGiven(offset ? y.add(offset.reshape([outChannels, 1, 1])) : y, axes);
    },
  });
}
