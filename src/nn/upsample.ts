import { formatAval } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import { array, HostArray } from "../core/host-array.ts";
import type { Tensor } from "../ops/tensor.ts";
import { defineLayer } from "./define-layer.ts";
import { expectF32, type Layer } from "./layer.ts";

export type UpsampleMode = "nearest" | "linear" | "bilinear";

export const UPSAMPLE_MODES: readonly UpsampleMode[] = ["nearest", "linear", "bilinear"];

export type UpsampleOptions = {
  /** The sizes after it, one for all axes or one for each. This or `scaleFactor`. */
  readonly size?: number | readonly number[];
  /** Each axis's factor, one for all or one for each; sizes are rounded down. This or `size`. */
  readonly scaleFactor?: number | readonly number[];
  /** "nearest" of sequences and images, "linear" of sequences, "bilinear" of images. Default "nearest", as PyTorch. */
  readonly mode?: UpsampleMode;
  /** Whether the centres of the corner pixels, instead of the outer edges, come to lie on one another. Default false, as PyTorch. */
  readonly alignCorners?: boolean;
};

/**
 * Makes images or sequences larger, or smaller: f32[N, C, H, W] -> f32[N, C, OH, OW], f32[N, C, L] -> f32[N, C, OL].
 *
 * Output i takes its value at s (i + 1/2) - 1/2, at least 0, or with `alignCorners` at i (L - 1) / (OL - 1), between its two
 * neighbours; "nearest" takes element floor(s i). s is L / OL, or 1 / scaleFactor where that is given, as PyTorch.
 *
 * Errors: OptionError unless one of `size` and `scaleFactor` is given; ShapeError when the input does not fit the mode.
 *
 * @example
 * nn.model(nn.upsample({ scaleFactor: 2 })).init(1, { dtype: "f32", shape: [8, 3, 5, 7] }).output.shape // -> [8, 3, 10, 14]
 */
export function upsample(options: UpsampleOptions): Layer {
  const { size, scaleFactor, mode = "nearest", alignCorners = false } = options;
  if ((size === undefined) === (scaleFactor === undefined))
    throw new OptionError(
      `upsample: got ${size === undefined ? "neither size nor" : "both size and"} scaleFactor; expected one of them.`,
    );
  for (const each of [size ?? []].flat())
    if (!Number.isInteger(each) || each < 1)
      throw new OptionError(`upsample: got size ${each}; expected a positive integer.`);
  for (const each of [scaleFactor ?? []].flat())
    if (!(each > 0 && Number.isFinite(each)))
      throw new OptionError(`upsample: got scaleFactor ${each}; expected a positive number.`);
  if (alignCorners && mode === "nearest")
    throw new OptionError('upsample: got alignCorners with mode "nearest"; expected "linear" or "bilinear".');
  const ranks = { nearest: [3, 4], linear: [3], bilinear: [4] }[mode];
  const expected = ranks.map((rank) => (rank === 3 ? "f32[N, C, L]" : "f32[N, C, H, W]")).join(" or ");
  return defineLayer({
    kind: "upsample",
    config: options,
    apply(_params, x: Tensor) {
      expectF32("upsample", x.aval, ranks, expected);
      const given = size ?? scaleFactor ?? 1;
      const each = typeof given === "number" ? x.shape.slice(2).map(() => given) : given;
      if (each.length !== x.rank - 2)
        throw new ShapeError(
          `upsample: got ${formatAval(x.aval)} and [${each}]; expected a number for each of ${x.rank - 2} axes.`,
        );
      return each.reduce((y, value, i) => {
        const from = x.shape[2 + i] as number;
        const to = size === undefined ? Math.floor(from * value) : value;
        if (to < 1)
          throw new ShapeError(
            `upsample: got ${formatAval(x.aval)} and scaleFactor ${value}; expected at least one element.`,
          );
        const step = size === undefined ? 1 / value : from / to;
        return mode === "nearest" ? nearest(y, 2 + i, to, step) : linear(y, 2 + i, to, step, alignCorners);
      }, x);
    },
  });
}

const indices = (x: Tensor, values: readonly number[]): Tensor => x.constant(array(values, [values.length], "i32"));

function nearest(x: Tensor, axis: number, to: number, step: number): Tensor {
  const from = x.shape[axis] as number;
  if (to === from && step === 1) return x;
  if (to % from === 0 && step === from / to) return repeat(x, axis, to / from);
  // In single precision, as PyTorch: which side of a whole number a product falls on depends on it.
  const rounded = Math.fround(step);
  const at = Array.from({ length: to }, (_, i) => Math.min(from - 1, Math.floor(Math.fround(i * rounded))));
  return x.gather(indices(x, at), axis);
}

/** Each element `count` times. */
function repeat(x: Tensor, axis: number, count: number): Tensor {
  const { shape } = x;
  const apart = [...shape.slice(0, axis + 1), count, ...shape.slice(axis + 1)];
  return x
    .unsqueeze(axis + 1)
    .broadcastTo(apart)
    .reshape(shape.map((n, i) => (i === axis ? n * count : n)));
}

function linear(x: Tensor, axis: number, to: number, step: number, alignCorners: boolean): Tensor {
  const from = x.shape[axis] as number;
  const places = Array.from({ length: to }, (_, i) =>
    alignCorners ? (to === 1 ? 0 : (i * (from - 1)) / (to - 1)) : Math.max(0, step * (i + 0.5) - 0.5),
  );
  const low = places.map((place) => Math.min(from - 1, Math.floor(place)));
  const shares = places.map((place, i) => (low[i] === from - 1 ? 0 : place - (low[i] as number)));
  const share = x.constant(new HostArray("f32", [to], Float64Array.from(shares)));
  const weights = share.reshape(x.shape.slice(axis).map((_, i) => (i === 0 ? to : 1)));
  const before = x.gather(indices(x, low), axis);
  const after = x.gather(
    indices(
      x,
      low.map((at) => Math.min(from - 1, at + 1)),
    ),
    axis,
  );
  return before.mul(weights.rsub(1)).add(after.mul(weights));
}
