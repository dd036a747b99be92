import { formatAval, type Shape } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import { HostArray } from "../core/host-array.ts";
import type { ConvParams, Tensor } from "../ops/tensor.ts";
import { asGiven, asImage, LAYOUTS, spatial } from "./conv.ts";
import { defineLayer } from "./define-layer.ts";
import { expectCount, expectF32, type Json, type Layer } from "./layer.ts";

type Size = number | readonly [number, number];
type Axes = 1 | 2;

/** `S`: a number for sequences; for images a number or `[vertical, horizontal]`. */
type Windows<S> = {
  /** Default: the window. */
  readonly stride?: S;
  /** Added on each side, at most half of the window. Default 0. */
  readonly padding?: S;
  /** Also a last window that goes beyond the padding, if it begins before. Default false. */
  readonly ceilMode?: boolean;
};
type MaxOptions<S> = Windows<S> & {
  /** Distance between a window's positions. Default 1. */
  readonly dilation?: S;
};
type AvgOptions<S> = Windows<S> & {
  /** Divide by the padding's positions too; never by those beyond it. Default true. */
  readonly countIncludePad?: boolean;
};

export type MaxPool2dOptions = MaxOptions<Size>;
export type MaxPool1dOptions = MaxOptions<number>;
export type AvgPool2dOptions = AvgOptions<Size> & {
  /** Divides each sum instead of the number of positions. Default: that number. */
  readonly divisorOverride?: number;
};
export type AvgPool1dOptions = AvgOptions<number>;
export type LpPool2dOptions = Omit<Windows<Size>, "padding">;
export type LpPool1dOptions = Omit<Windows<number>, "padding">;

/**
 * Largest value of each window: f32[N, C, H, W] -> f32[N, C, OH, OW],
 * OH = floor((H + 2 padding - dilation (window - 1) - 1) / stride) + 1. The stride is the window unless given. Padding never
 * wins. The gradient goes to the first largest value, as in PyTorch.
 *
 * Errors: ShapeError when the window is larger than the padded image; OptionError for padding of more than half the window.
 *
 * @example
 * nn.model(nn.maxPool2d(2)).init(1, { dtype: "f32", shape: [8, 32, 28, 28] }).output.shape // -> [8, 32, 14, 14]
 */
export function maxPool2d(window: Size, options: MaxPool2dOptions = {}): Layer {
  return maxPool("maxPool2d", 2, window, options);
}

/** Largest value of each window: f32[N, C, L] -> f32[N, C, OL]; otherwise as `maxPool2d`. */
export function maxPool1d(window: number, options: MaxPool1dOptions = {}): Layer {
  return maxPool("maxPool1d", 1, window, options);
}

function maxPool(kind: string, axes: Axes, window: Size, options: MaxPool2dOptions): Layer {
  const geometry = geometryOf(kind, axes, window, options);
  return poolLayer(kind, axes, { window, ...options }, "maxPool", (x) => {
    const { sides, size } = placed(kind, axes, geometry, x.shape);
    const { stride, dilation } = geometry;
    return dilation[0] === 1 && dilation[1] === 1
      ? x.maxPool2d(geometry.window, { stride, padding: sides })
      : dilatedMax(x, geometry, sides, size);
  });
}

/** The positions of each window side by side, in row-major order, then the largest of each column. */
function dilatedMax(
  x: Tensor,
  { window, stride, dilation }: Geometry,
  sides: ConvParams["padding"],
  [height, width]: readonly [number, number],
): Tensor {
  const [batch, channels] = x.shape as readonly [number, number];
  const [[top, bottom], [left, right]] = sides;
  const padded = x.pad([0, 0, top, left], [0, 0, bottom, right], Number.NEGATIVE_INFINITY);
  const taps: Tensor[] = [];
  for (let i = 0; i < window[0]; i++)
    for (let j = 0; j < window[1]; j++) {
      const start = [i * dilation[0], j * dilation[1]] as const;
      const stop = [start[0] + (height - 1) * stride[0] + 1, start[1] + (width - 1) * stride[1] + 1];
      const tap = padded.slice([0, 0, ...start], [batch, channels, ...stop], [1, 1, ...stride]);
      taps.push(tap.reshape([batch, channels, 1, height * width]));
    }
  const [first, ...others] = taps as [Tensor, ...Tensor[]];
  const columns = others.length === 0 ? first : first.concat(others, 2);
  return columns.maxPool2d([taps.length, 1]).reshape([batch, channels, height, width]);
}

/**
 * Mean of each window: f32[N, C, H, W] -> f32[N, C, OH, OW], OH as in `maxPool2d`. The stride is the window unless given.
 * Padding counts as zeros unless `countIncludePad` is false, as in PyTorch.
 */
export function avgPool2d(window: Size, options: AvgPool2dOptions = {}): Layer {
  return avgPool("avgPool2d", 2, window, options);
}

/** Mean of each window: f32[N, C, L] -> f32[N, C, OL]; otherwise as `avgPool2d`. */
export function avgPool1d(window: number, options: AvgPool1dOptions = {}): Layer {
  return avgPool("avgPool1d", 1, window, options);
}

function avgPool(kind: string, axes: Axes, window: Size, options: AvgPool2dOptions): Layer {
  const geometry = geometryOf(kind, axes, window, options);
  const { countIncludePad = true, divisorOverride } = options;
  if (divisorOverride !== undefined && (!Number.isFinite(divisorOverride) || divisorOverride === 0))
    throw new OptionError(`${kind}: got divisorOverride ${divisorOverride}; expected a number other than 0.`);
  return poolLayer(kind, axes, { window, ...options }, undefined, (x) => {
    const sums = sumPool(kind, axes, x, geometry);
    if (divisorOverride !== undefined) return sums.mul(1 / divisorOverride);
    return averaged(sums, countsOf(geometry, x, sums, countIncludePad));
  });
}

function sumPool(kind: string, axes: Axes, x: Tensor, geometry: Geometry): Tensor {
  const { sides } = placed(kind, axes, geometry, x.shape);
  return x.sumPool2d(geometry.window, { stride: geometry.stride, padding: sides });
}

/** How many positions of each window count along each axis. */
function countsOf({ window, stride, padding }: Geometry, x: Tensor, y: Tensor, includePad: boolean): Counts {
  const along = (axis: 0 | 1): number[] => {
    const size = x.shape[2 + axis] as number;
    const [low, high] = includePad ? [-padding[axis], size + padding[axis]] : [0, size];
    return Array.from({ length: y.shape[2 + axis] as number }, (_, i) => {
      const start = i * stride[axis] - padding[axis];
      return Math.min(start + window[axis], high) - Math.max(start, low);
    });
  };
  return [along(0), along(1)];
}

type Counts = readonly [rows: readonly number[], columns: readonly number[]];

/** Each sum divided by the product of its row's and its column's count. */
function averaged(sums: Tensor, [rows, columns]: Counts): Tensor {
  const [first = 1, second = 1] = [rows[0], columns[0]];
  if (rows.every((n) => n === first) && columns.every((n) => n === second)) return sums.mul(1 / (first * second));
  const counts = rows.flatMap((row) => columns.map((column) => row * column));
  return sums.div(sums.constant(new HostArray("f32", [rows.length, columns.length], Float32Array.from(counts))));
}

/**
 * (sum of x^p over each window)^(1/p): f32[N, C, H, W] -> f32[N, C, OH, OW], OH as in `maxPool2d` without padding. p = 1 is a
 * sum, a large p nearly the largest value. As in PyTorch, x is not made positive first, the gradient is NaN or infinite where a
 * sum is 0, and in `ceilMode` a window that goes beyond the image counts as if its mean filled it.
 */
export function lpPool2d(p: number, window: Size, options: LpPool2dOptions = {}): Layer {
  return lpPool("lpPool2d", 2, p, window, options);
}

/** `lpPool2d` of sequences: f32[N, C, L] -> f32[N, C, OL]. */
export function lpPool1d(p: number, window: number, options: LpPool1dOptions = {}): Layer {
  return lpPool("lpPool1d", 1, p, window, options);
}

function lpPool(kind: string, axes: Axes, p: number, window: Size, options: LpPool2dOptions): Layer {
  if (!(p > 0 && Number.isFinite(p))) throw new OptionError(`${kind}: got p ${p}; expected a positive number.`);
  const geometry = geometryOf(kind, axes, window, options);
  return poolLayer(kind, axes, { p, window, ...options }, undefined, (x) => {
    const [height, width] = geometry.window;
    const sums = sumPool(kind, axes, p === 1 ? x : p === 2 ? x.square() : x.pow(p), geometry);
    const whole = options.ceilMode ? averaged(sums, countsOf(geometry, x, sums, true)).mul(height * width) : sums;
    return p === 1 ? whole : p === 2 ? whole.sqrt() : whole.pow(1 / p);
  });
}

type Geometry = {
  readonly window: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly ceilMode: boolean;
};

function geometryOf(kind: string, axes: Axes, window: Size, options: MaxPool2dOptions): Geometry {
  const { stride = window, padding = 0, dilation = 1, ceilMode = false } = options;
  for (const [name, value] of Object.entries({ window, stride, dilation }))
    for (const count of spatial(axes, value, 1)) expectCount(kind, name, count);
  const [sizes, steps, pads] = [spatial(axes, window, 1), spatial(axes, dilation, 1), spatial(axes, padding, 0)];
  pads.forEach((pad, i) => {
    const size = sizes[i] as number;
    if (!Number.isInteger(pad) || pad < 0 || 2 * pad > size)
      throw new OptionError(
        `${kind}: got padding ${pad} and window ${size}; expected an integer from 0 to half of it.`,
      );
  });
  return { window: sizes, stride: spatial(axes, stride, 1), padding: pads, dilation: steps, ceilMode };
}

/** The padding of each side with what the last windows take beyond it, and the number of windows, as PyTorch counts them. */
function placed(
  kind: string,
  axes: Axes,
  { window, stride, padding, dilation, ceilMode }: Geometry,
  shape: Shape,
): { readonly sides: ConvParams["padding"]; readonly size: readonly [number, number] } {
  const along = (axis: 0 | 1) => {
    const [input, pad, step] = [shape[2 + axis] as number, padding[axis], stride[axis]];
    const reach = dilation[axis] * (window[axis] - 1) + 1;
    let size = Math.floor((input + 2 * pad - reach + (ceilMode ? step - 1 : 0)) / step) + 1;
    // A window that would begin in the padding after the image is left out.
    if (ceilMode && (size - 1) * step >= input + pad) size--;
    if (size < 1) {
      const whole = shape.slice(0, 2).concat(shape.slice(axes === 1 ? 3 : 2));
      throw new ShapeError(
        `${kind}: got ${formatAval({ dtype: "f32", shape: whole })} and a window that reaches over ${reach} with padding ${pad}; expected one no larger than the padded ${axes === 1 ? "sequence" : "image"}.`,
      );
    }
    const beyond = (size - 1) * step + reach - input - pad;
    return { size, sides: [pad, ceilMode ? Math.max(0, beyond) : pad] as const };
  };
  const [v, h] = [along(0), along(1)];
  return { sides: [v.sides, h.sides], size: [v.size, h.size] };
}

function poolLayer(
  kind: string,
  axes: Axes,
  config: { readonly [option: string]: Json | undefined },
  trait: "maxPool" | undefined,
  apply: (x: Tensor) => Tensor,
): Layer {
  return defineLayer({
    kind,
    config,
    ...(trait ? { trait } : {}),
    apply(_params, x: Tensor) {
      expectF32(kind, x.aval, [axes + 2], `f32[N, C, ${LAYOUTS[axes]}]`);
      return asGiven(apply(asImage(x, axes)), axes);
    },
  });
}
