import { HostArray } from "../core/host-array.ts";
import type { Tensor } from "../ops/tensor.ts";
import { asGiven, asImage, LAYOUTS, spatial } from "./conv.ts";
import { defineLayer } from "./define-layer.ts";
import { expectCount, expectF32, type Layer } from "./layer.ts";

type Size = number | readonly [number, number];
type Axes = 1 | 2;

export type GlobalPoolOptions = {
  /** Keep the pooled axes with size 1, as PyTorch's adaptive pooling to size 1. Default false. */
  readonly keepDims?: boolean;
};

/** Mean over each channel's image: f32[N, C, H, W] -> f32[N, C], or f32[N, C, 1, 1] with `keepDims`. */
export function globalAvgPool2d(options: GlobalPoolOptions = {}): Layer {
  return global("globalAvgPool2d", 2, options, (x) => x.mean([2, 3], options));
}

/** Mean over each channel's sequence: f32[N, C, L] -> f32[N, C], or f32[N, C, 1] with `keepDims`. */
export function globalAvgPool1d(options: GlobalPoolOptions = {}): Layer {
  return global("globalAvgPool1d", 1, options, (x) => x.mean(2, options));
}

/**
 * Largest value of each channel's image: f32[N, C, H, W] -> f32[N, C], or f32[N, C, 1, 1] with `keepDims`. The gradient goes to
 * the first largest value.
 */
export function globalMaxPool2d(options: GlobalPoolOptions = {}): Layer {
  return global("globalMaxPool2d", 2, options, (x) => globalMax(x, options));
}

/** Largest value of each channel's sequence: f32[N, C, L] -> f32[N, C], or f32[N, C, 1] with `keepDims`. */
export function globalMaxPool1d(options: GlobalPoolOptions = {}): Layer {
  return global("globalMaxPool1d", 1, options, (x) => globalMax(x, options));
}

function globalMax(x: Tensor, { keepDims = false }: GlobalPoolOptions): Tensor {
  const y = firstLargest(x.flatten(2));
  return keepDims ? y.reshape([...y.shape, ...x.shape.slice(2).map(() => 1)]) : y;
}

function global(kind: string, axes: Axes, options: GlobalPoolOptions, apply: (x: Tensor) => Tensor): Layer {
  return defineLayer({
    kind,
    config: options,
    apply(_params, x: Tensor) {
      expectF32(kind, x.aval, [axes + 2], `f32[N, C, ${LAYOUTS[axes]}]`);
      return apply(x);
    },
  });
}

/** The largest value of the last axis; the gradient goes to the first of equals. */
function firstLargest(x: Tensor): Tensor {
  const axis = x.rank - 1;
  const chosen = x.argmax(axis).unsqueeze(axis).broadcastTo(x.shape).equal(x.iota(x.shape, axis));
  return chosen.select(x, 0).sum(axis);
}

/**
 * Means of windows chosen so that any image becomes `size`, a number or `[height, width]`: f32[N, C, H, W] -> f32[N, C, ...size];
 * output i is the mean of positions floor(i H / size) to ceil((i + 1) H / size) - 1, which overlap where the size does not
 * divide H, as in PyTorch.
 *
 * @example
 * nn.model(nn.adaptiveAvgPool2d([2, 3])).init(1, { dtype: "f32", shape: [8, 16, 7, 5] }).output.shape // -> [8, 16, 2, 3]
 */
export function adaptiveAvgPool2d(size: Size): Layer {
  return adaptive("adaptiveAvgPool2d", 2, size, averageOf);
}

/** `adaptiveAvgPool2d` of sequences: f32[N, C, L] -> f32[N, C, size]. */
export function adaptiveAvgPool1d(size: number): Layer {
  return adaptive("adaptiveAvgPool1d", 1, size, averageOf);
}

/** The largest values of the windows of `adaptiveAvgPool2d`. The gradient goes to the first of equals, as in PyTorch. */
export function adaptiveMaxPool2d(size: Size): Layer {
  return adaptive("adaptiveMaxPool2d", 2, size, largestOf);
}

/** `adaptiveMaxPool2d` of sequences: f32[N, C, L] -> f32[N, C, size]. */
export function adaptiveMaxPool1d(size: number): Layer {
  return adaptive("adaptiveMaxPool1d", 1, size, largestOf);
}

function adaptive(
  kind: string,
  axes: Axes,
  size: Size,
  apply: (x: Tensor, size: readonly [number, number]) => Tensor,
): Layer {
  const sizes = spatial(axes, size, 1);
  for (const each of sizes) expectCount(kind, "size", each);
  return defineLayer({
    kind,
    config: { size },
    apply(_params, x: Tensor) {
      expectF32(kind, x.aval, [axes + 2], `f32[N, C, ${LAYOUTS[axes]}]`);
      return asGiven(apply(asImage(x, axes), sizes), axes);
    },
  });
}

/** Windows along an axis; `length` is the longest one's. */
type Cut = { readonly starts: readonly number[]; readonly ends: readonly number[]; readonly length: number };

function cut(input: number, output: number): Cut {
  const starts = Array.from({ length: output }, (_, i) => Math.floor((i * input) / output));
  const ends = starts.map((_, i) => Math.ceil(((i + 1) * input) / output));
  return { starts, ends, length: Math.max(...ends.map((end, i) => end - (starts[i] as number))) };
}

/** The axis as two, windows and positions; a shorter window repeats its last position. */
function windowsOf(x: Tensor, axis: number, output: number): readonly [Tensor, Cut] {
  const input = x.shape[axis] as number;
  const windows = cut(input, output);
  const { starts, ends, length } = windows;
  const split = [...x.shape.slice(0, axis), output, length, ...x.shape.slice(axis + 1)];
  if (input === output * length) return [x.reshape(split), windows];
  const indices = starts.flatMap((start, i) =>
    Array.from({ length }, (_, j) => Math.min(start + j, (ends[i] as number) - 1)),
  );
  const at = x.constant(new HostArray("i32", [indices.length], Int32Array.from(indices)));
  return [x.gather(at, axis).reshape(split), windows];
}

function averageOf(x: Tensor, [height, width]: readonly [number, number]): Tensor {
  const [batch, channels, tall, wide] = x.shape as readonly [number, number, number, number];
  // Equal windows: one sum, where two would store what lies between.
  if (tall % height === 0 && wide % width === 0)
    return x.reshape([batch, channels, height, tall / height, width, wide / width]).mean([3, 5]);
  return averageAxis(averageAxis(x, 2, height), 3, width);
}

function averageAxis(x: Tensor, axis: number, output: number): Tensor {
  if (x.shape[axis] === output) return x;
  const [windows, { starts, ends, length }] = windowsOf(x, axis, output);
  const counts = starts.map((start, i) => (ends[i] as number) - start);
  if (counts.every((count) => count === length)) return windows.mean(axis + 1);
  const lined = (length: number, data: readonly number[]): Tensor =>
    x
      .constant(new HostArray("f32", [output, length], Float32Array.from(data)))
      .reshape([output, length, ...x.shape.slice(axis + 1).map(() => 1)]);
  const inside = counts.flatMap((count) => Array.from({ length }, (_, j) => (j < count ? 1 : 0)));
  const sums = lined(length, inside)
    .greater(0)
    .broadcastTo(windows.shape)
    .select(windows, 0)
    .sum(axis + 1);
  return sums.div(lined(1, counts).squeeze(1));
}

/** A repeated last position changes no largest value, and comes after the first of equals. */
function largestOf(x: Tensor, [height, width]: readonly [number, number]): Tensor {
  const [rows, { length: tall }] = windowsOf(x, 2, height);
  const [both, { length: wide }] = windowsOf(rows, 4, width);
  const [batch, channels] = x.shape as readonly [number, number];
  return firstLargest(both.transpose([0, 1, 2, 4, 3, 5]).reshape([batch, channels, height, width, tall * wide]));
}
