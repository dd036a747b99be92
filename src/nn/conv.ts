import { formatAval } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import { foldKey } from "../core/prng.ts";
import { sameSides } from "../ops/geometry.ts";
import { type ConvOptions, pair, type Tensor } from "../ops/tensor.ts";
import { defineLayer } from "./define-layer.ts";
import { defaultBias, defaultWeight, type Initializer } from "./init.ts";
import { configOf, expectCount, expectF32, type Json, type Layer } from "./layer.ts";
import { PADDING_MODES, type PaddingMode, padImages } from "./padding.ts";
import { sequential } from "./sequential.ts";

type WeightOptions = {
  /** Default true. */
  readonly bias?: boolean;
  /** Default: PyTorch's, uniform in ±1/sqrt(fanIn), fanIn = the weight's second axis times the window. */
  readonly weightInit?: Initializer;
  /** Default: PyTorch's, uniform in ±1/sqrt(fanIn). */
  readonly biasInit?: Initializer;
};

export type Conv2dOptions = ConvOptions &
  WeightOptions & {
    /** What stands in the padding. Default "zeros". */
    readonly paddingMode?: PaddingMode;
  };

export type Conv1dOptions = WeightOptions & {
  /** Default 1. */
  readonly stride?: number;
  /** Added on each side: a number, "same" (stride 1; an odd total puts the extra one after) or "valid" (none). Default 0. */
  readonly padding?: number | "same" | "valid";
  /** What stands in the padding. Default "zeros". */
  readonly paddingMode?: PaddingMode;
  /** Default 1. */
  readonly dilation?: number;
  /** Default 1. */
  readonly groups?: number;
};

export type DepthwiseOptions = Omit<Conv2dOptions, "groups"> & {
  /** Outputs of each channel, one after the other. Default 1. */
  readonly multiplier?: number;
};

type Size = number | readonly [number, number];
export type ConvWeights = { readonly weight: HostArray; readonly bias?: HostArray };

/**
 * Convolution of images (cross-correlation, as in PyTorch): f32[N, C, H, W] -> f32[N, out, OH, OW],
 * OH = floor((H + 2 padding - dilation (kh - 1) - 1) / stride) + 1; weight [out, C / groups, kh, kw], bias [out].
 *
 * The number of input channels is taken from the data. `stride`, `padding`, `dilation` and `groups` default to 1, 0, 1, 1;
 * the padding is of zeros unless `paddingMode` says otherwise.
 *
 * Errors: ShapeError when the input is not f32[N, C, H, W], when C or `out` is not a multiple of `groups`, or when the
 * window is larger than the padded image.
 *
 * @example
 * nn.model(nn.conv2d(32, 3, { padding: 1 })).init(1, { dtype: "f32", shape: [8, 1, 28, 28] }).output.shape // -> [8, 32, 28, 28]
 */
export function conv2d(outChannels: number, kernel: Size, options: Conv2dOptions = {}): Layer {
  return convolution("conv2d", 2, kernel, options, { outChannels });
}

/**
 * Convolution of sequences (cross-correlation): f32[N, C, L] -> f32[N, out, OL], OL as in `conv2d`; weight [out, C / groups, k],
 * bias [out]. Options, defaults and errors are as `conv2d`'s.
 *
 * @example
 * nn.model(nn.conv1d(16, 5, { padding: "same" })).init(1, { dtype: "f32", shape: [8, 4, 100] }).output.shape // -> [8, 16, 100]
 */
export function conv1d(outChannels: number, kernel: number, options: Conv1dOptions = {}): Layer {
  return convolution("conv1d", 1, kernel, options, { outChannels });
}

/**
 * Convolution of each channel by itself: f32[N, C, H, W] -> f32[N, C multiplier, OH, OW]; weight [C multiplier, 1, kh, kw],
 * bias [C multiplier]. It is PyTorch's Conv2d with `groups` = C and C multiplier outputs, with its parameters.
 *
 * @example
 * nn.sequential(nn.depthwiseConv2d(3, { padding: 1 }), nn.conv2d(64, 1))
 */
export function depthwiseConv2d(kernel: Size, options: DepthwiseOptions = {}): Layer {
  const { multiplier = 1, ...rest } = options;
  return convolution("depthwiseConv2d", 2, kernel, rest, { multiplier });
}

/**
 * A depthwise convolution, then a pointwise one: f32[N, C, H, W] -> f32[N, out, OH, OW]. Parameters: `depthwise.weight`
 * [C multiplier, 1, kh, kw], `pointwise.weight` [out, C multiplier, 1, 1] and, unless `bias` is false, `pointwise.bias` [out];
 * the depthwise part has none, as in Keras.
 *
 * Source: Chollet, "Xception" (2017).
 *
 * @example
 * nn.sequential(nn.separableConv2d(64, 3, { padding: 1 }), nn.relu())
 */
export function separableConv2d(outChannels: number, kernel: Size, options: DepthwiseOptions = {}): Layer {
  expectCount("separableConv2d", "outChannels", outChannels);
  const { biasInit, bias = true, ...depthwise } = options;
  const { weightInit } = options;
  const inner = sequential({
    depthwise: depthwiseConv2d(kernel, { ...depthwise, bias: false }),
    pointwise: conv2d(outChannels, 1, { bias, ...(weightInit && { weightInit }), ...(biasInit && { biasInit }) }),
  });
  return { ...inner, config: configOf("separableConv2d", configOfConv({ outChannels, kernel, ...options })) };
}

type Given = WeightOptions & { readonly [option: string]: unknown };

/** Options as JSON data. */
export function configOfConv({ weightInit, biasInit, ...options }: Given): {
  readonly [option: string]: Json | undefined;
} {
  const own = options as { readonly [option: string]: Json | undefined };
  return { ...own, weightInit: weightInit?.config, biasInit: biasInit?.config };
}

/** One or two spatial axes as two: a sequence is an image of height 1. */
export const spatial = (axes: 1 | 2, value: Size, first: number): readonly [number, number] =>
  axes === 1 ? [first, value as number] : pair(value);

/** Throws OptionError unless the options can be a convolution's. */
export function checkConv(
  kind: string,
  axes: 1 | 2,
  counts: { readonly [option: string]: Size },
  paddings: { readonly [option: string]: Size },
): void {
  for (const [name, value] of Object.entries(counts))
    for (const count of spatial(axes, value, 1)) expectCount(kind, name, count);
  for (const [name, value] of Object.entries(paddings))
    for (const count of spatial(axes, value, 0))
      if (!Number.isInteger(count) || count < 0)
        throw new OptionError(`${kind}: got ${name} ${String(count)}; expected an integer of 0 or more.`);
}

export const LAYOUTS: { readonly 1: string; readonly 2: string } = { 1: "L", 2: "H, W" };

/** As an image and back. */
export const asImage = (x: Tensor, axes: 1 | 2): Tensor => (axes === 1 ? x.unsqueeze(-2) : x);
export const asGiven = (y: Tensor, axes: 1 | 2): Tensor => (axes === 1 ? y.squeeze(-2) : y);

/** `outputs`: how many channels come out, or how many of each that goes in. */
function convolution(
  kind: string,
  axes: 1 | 2,
  kernel: Size,
  options: Conv2dOptions,
  outputs: { readonly outChannels: number } | { readonly multiplier: number },
): Layer {
  const { bias = true, weightInit = defaultWeight, biasInit, padding = 0, paddingMode = "zeros" } = options;
  const { stride: strides = 1, dilation: dilations = 1, groups: given = 1 } = options;
  const named = padding === "same" || padding === "valid";
  checkConv(
    kind,
    axes,
    { ...outputs, kernel, stride: strides, dilation: dilations, groups: given },
    named ? {} : { padding },
  );
  const depthwise = "multiplier" in outputs;
  if (!depthwise && outputs.outChannels % given !== 0)
    throw new OptionError(
      `${kind}: got ${outputs.outChannels} output channels and ${given} groups; expected a multiple.`,
    );
  if (!PADDING_MODES.includes(paddingMode))
    throw new OptionError(`${kind}: got paddingMode "${String(paddingMode)}"; expected ${PADDING_MODES.join(", ")}.`);
  const [window, stride, dilation] = [spatial(axes, kernel, 1), spatial(axes, strides, 1), spatial(axes, dilations, 1)];
  if (padding === "same" && stride.some((n) => n !== 1))
    throw new OptionError(
      `${kind}: got padding "same" with stride ${JSON.stringify(strides)}; expected stride 1. Hint: give the padding as numbers.`,
    );
  const shown = LAYOUTS[axes];
  return defineLayer<ConvWeights, Tensor, Tensor>({
    kind,
    config: configOfConv({ kernel, ...outputs, ...options }),
    init(key, input) {
      expectF32(kind, input, [axes + 2], `f32[N, C, ${shown}]`);
      const channels = input.shape[1] as number;
      const groups = depthwise ? channels : given;
      if (channels % groups !== 0)
        throw new ShapeError(
          `${kind}: got ${formatAval(input)}; expected a multiple of ${groups} channels, one part for each group.`,
        );
      const outChannels = depthwise ? channels * outputs.multiplier : outputs.outChannels;
      const shape = [outChannels, channels / groups, ...window.slice(2 - axes)];
      const weight = weightInit.sample(foldKey(key, "weight"), shape);
      if (!bias) return { weight };
      const init = biasInit ?? defaultBias(weight.shape);
      return { weight, bias: init.sample(foldKey(key, "bias"), [outChannels]) };
    },
    apply({ weight, bias: offset }, x) {
      const [outChannels, perGroup] = weight.shape as readonly [number, number];
      const channels = depthwise ? outChannels / outputs.multiplier : perGroup * given;
      const groups = depthwise ? channels : given;
      if (x.dtype !== "f32" || x.rank !== axes + 2 || x.shape[1] !== channels)
        throw new ShapeError(
          `${kind}: got ${formatAval(x.aval)}; expected f32[N, ${channels}, ${shown}] for the weight ${formatAval(weight.aval)}.`,
        );
      let image = asImage(x, axes);
      let inside: ConvOptions["padding"] = named ? padding : spatial(axes, padding, 0);
      if (axes === 1 && inside !== "same") {
        const [length, pad] = [x.shape[2] as number, inside === "valid" ? 0 : pair(inside)[1]];
        const reach = dilation[1] * (window[1] - 1) + 1;
        if (length + 2 * pad < reach)
          throw new ShapeError(
            `${kind}: got ${formatAval(x.aval)} and a kernel that reaches over ${reach} with padding ${pad}; expected one no larger than the padded sequence.`,
          );
      }
      if (paddingMode !== "zeros" && inside !== "valid") {
        const sides = inside === "same" ? sameSides(window, dilation) : pair(inside).map((n) => [n, n] as const);
        image = padImages(image, axes === 1 ? sides.slice(1) : sides, paddingMode);
        inside = 0;
      }
      const y = image.conv2d(asImage(weight, axes), { stride, dilation, groups, padding: inside });
      return asGiven(offset ? y.add(offset.reshape([outChannels, 1, 1])) : y, axes);
    },
  });
}
