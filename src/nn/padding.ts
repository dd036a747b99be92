import { formatAval } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import type { Tensor } from "../ops/tensor.ts";
import { defineLayer } from "./define-layer.ts";
import { expectF32, type Layer } from "./layer.ts";

/** What stands outside: zeros; the image mirrored without repeating its edge; its edge repeated; the image again. */
export type PaddingMode = "zeros" | "reflect" | "replicate" | "circular";

/** How much is added before and after each axis: `[[top, bottom], [left, right]]` of images, `[[left, right]]` of sequences. */
export type PaddingSides = readonly (readonly [before: number, after: number])[];

export const PADDING_MODES: readonly PaddingMode[] = ["zeros", "reflect", "replicate", "circular"];

/**
 * Pads the last axes, one for each pair: [..., H, W] -> [..., top + H + bottom, left + W + right].
 *
 * Errors: ShapeError when "reflect" asks for as much as the axis has or more, or "circular" for more.
 *
 * @example
 * padImages(x, [[1, 1], [0, 2]], "reflect") // f32[N, C, H, W] -> f32[N, C, H + 2, W + 2]
 */
export function padImages(x: Tensor, padding: PaddingSides, mode: PaddingMode = "zeros", value: number = 0): Tensor {
  const first = x.rank - padding.length;
  if (first < 0)
    throw new ShapeError(
      `pad: got ${formatAval(x.aval)} and padding of ${padding.length} axes; expected a higher rank.`,
    );
  if (mode === "zeros") {
    const none = new Array<number>(first).fill(0);
    return x.pad(
      [...none, ...padding.map(([before]) => before)],
      [...none, ...padding.map(([, after]) => after)],
      value,
    );
  }
  padding.forEach(([before, after], i) => {
    const size = x.shape[first + i] as number;
    const most = { reflect: size - 1, replicate: Number.POSITIVE_INFINITY, circular: size }[mode];
    if (before > most || after > most)
      throw new ShapeError(
        `pad: got ${formatAval(x.aval)} and padding [${before}, ${after}] of axis ${first + i} by "${mode}"; expected at most ${most}.`,
      );
  });
  return padding.reduce((padded, sides, i) => padAxis(padded, first + i, sides, mode), x);
}

function padAxis(
  x: Tensor,
  axis: number,
  [before, after]: readonly [number, number],
  mode: Exclude<PaddingMode, "zeros">,
): Tensor {
  const size = x.shape[axis] as number;
  const edge = (at: number, count: number): Tensor =>
    x.narrow(axis, at, 1).broadcastTo(x.shape.map((n, i) => (i === axis ? count : n)));
  const parts: Tensor[] = [x];
  if (before > 0)
    parts.unshift(
      mode === "reflect"
        ? x.narrow(axis, 1, before).flip(axis)
        : mode === "replicate"
          ? edge(0, before)
          : x.narrow(axis, size - before, before),
    );
  if (after > 0)
    parts.push(
      mode === "reflect"
        ? x.narrow(axis, size - 1 - after, after).flip(axis)
        : mode === "replicate"
          ? edge(size - 1, after)
          : x.narrow(axis, 0, after),
    );
  const [start, ...rest] = parts as [Tensor, ...Tensor[]];
  return rest.length === 0 ? start : start.concat(rest, axis);
}

export type PadOptions = {
  /** Default "zeros". */
  readonly mode?: PaddingMode;
  /** What "zeros" puts there. Default 0. */
  readonly value?: number;
};

/**
 * Pads the image or sequence: f32[N, C, H, W] -> f32[N, C, top + H + bottom, left + W + right], f32[N, C, L] likewise.
 *
 * `padding` is one number for every side, or pairs by axis, `[[top, bottom], [left, right]]` or `[[left, right]]`. PyTorch has
 * a class for each mode and rank (ZeroPad2d, ReflectionPad1d, ...) and writes (left, right, top, bottom).
 *
 * Errors: OptionError for a count below 0; ShapeError when the input has another rank, or is too small for "reflect" or
 * "circular".
 *
 * @example
 * nn.model(nn.pad([[1, 0], [2, 2]], { mode: "reflect" })).init(1, { dtype: "f32", shape: [8, 3, 5, 5] }).output.shape // -> [8, 3, 6, 9]
 */
export function pad(padding: number | PaddingSides, options: PadOptions = {}): Layer {
  const { mode = "zeros", value = 0 } = options;
  const counts = typeof padding === "number" ? [padding] : padding.flat();
  if (counts.length === 0 || counts.some((count) => !Number.isInteger(count) || count < 0))
    throw new OptionError(`pad: got ${JSON.stringify(padding)}; expected a count of 0 or more for each side.`);
  if (value !== 0 && mode !== "zeros")
    throw new OptionError(`pad: got the value ${value} with mode "${mode}"; expected it with "zeros" alone.`);
  const ranks = typeof padding === "number" ? [3, 4] : [padding.length + 2];
  const expected = ranks.map((rank) => (rank === 3 ? "f32[N, C, L]" : "f32[N, C, H, W]")).join(" or ");
  if (ranks.some((rank) => rank > 4))
    throw new OptionError(`pad: got ${JSON.stringify(padding)}; expected pairs for one or two axes.`);
  return defineLayer({
    kind: "pad",
    config: { padding, ...options },
    apply(_params, x: Tensor) {
      expectF32("pad", x.aval, ranks, expected);
      const sides = typeof padding === "number" ? x.shape.slice(2).map(() => [padding, padding] as const) : padding;
      return padImages(x, sides, mode, value);
    },
  });
}
