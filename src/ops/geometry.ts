import { type Aval, formatAval, type Shape } from "../core/dtype.ts";
import { ShapeError } from "../core/errors.ts";

export type ConvOptions = {
  /** Default 1. */
  readonly stride?: number | readonly [number, number];
  /** Zeros added on each side: one number, `[vertical, horizontal]`, `"same"` (stride 1; an odd total puts the extra zero after) or `"valid"` (none). Default 0. */
  readonly padding?: number | readonly [number, number] | "same" | "valid";
  /** Default 1. */
  readonly dilation?: number | readonly [number, number];
  /** Default 1. */
  readonly groups?: number;
};

export type ConvTransposeOptions = {
  /** Default 1. */
  readonly stride?: number | readonly [number, number];
  /** Taken off each side of the output. Default 0. */
  readonly padding?: number | readonly [number, number];
  /** Added after the output, since several sizes belong to one input where the stride is not 1: less than the stride or the dilation. Default 0. */
  readonly outputPadding?: number | readonly [number, number];
  /** Default 1. */
  readonly dilation?: number | readonly [number, number];
  /** Default 1. */
  readonly groups?: number;
};

export type PoolOptions = {
  /** Default: the window. */
  readonly stride?: number | readonly [number, number];
  /**
   * One number, `[vertical, horizontal]` or `[[top, bottom], [left, right]]`. Default 0. Padding never wins a maximum; averages
   * divide by the whole window, as PyTorch's `count_include_pad=True`.
   */
  readonly padding?: number | readonly [number, number] | ConvParams["padding"];
};

/** Geometry shared by the convolution primitives; `padding` is [[top, bottom], [left, right]]. */
export type ConvParams = {
  readonly stride: readonly [number, number];
  readonly padding: readonly [readonly [number, number], readonly [number, number]];
  readonly dilation: readonly [number, number];
  readonly groups: number;
};

export type PoolParams = {
  readonly window: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [readonly [number, number], readonly [number, number]];
};

export function pair(value: number | readonly [number, number]): readonly [number, number] {
  return typeof value === "number" ? [value, value] : value;
}

const sizeAt = (shape: Shape, axis: number): number => shape[axis] as number;

/** The primitive's parameters; `weight` is [O, C / groups, kh, kw]. */
export function convParams(options: ConvOptions, weight: Shape): ConvParams {
  const { groups = 1, padding = 0 } = options;
  const stride = pair(options.stride ?? 1);
  const dilation = pair(options.dilation ?? 1);
  if (padding !== "same") return { stride, padding: bothSides(padding === "valid" ? 0 : padding), dilation, groups };
  if (stride[0] !== 1 || stride[1] !== 1)
    throw new ShapeError(
      `conv2d: got padding "same" with stride [${stride}]; expected stride 1. Give the padding as numbers.`,
    );
  return { stride, padding: sameSides([weight[2] ?? 1, weight[3] ?? 1], dilation), dilation, groups };
}

type Sides = ConvParams["padding"];

function bothSides(padding: number | readonly [number, number]): Sides {
  const [vertical, horizontal] = pair(padding);
  return [
    [vertical, vertical],
    [horizontal, horizontal],
  ];
}

/** What keeps the size at stride 1. */
export function sameSides(kernel: readonly [number, number], dilation: readonly [number, number]): Sides {
  const sides = (axis: 0 | 1): readonly [number, number] => {
    const total = dilation[axis] * (kernel[axis] - 1);
    return [Math.floor(total / 2), total - Math.floor(total / 2)];
  };
  return [sides(0), sides(1)];
}

/** Parameters of `convInputGrad`, and how many zeros follow its result along each spatial axis. */
export function convTransposeParams(
  x: Aval,
  weight: Aval,
  options: ConvTransposeOptions,
): readonly [params: ConvParams & { readonly inputShape: Shape }, zeros: readonly [number, number]] {
  const stride = pair(options.stride ?? 1);
  const dilation = pair(options.dilation ?? 1);
  const inner = pair(options.padding ?? 0);
  const extra = pair(options.outputPadding ?? 0);
  const { groups = 1 } = options;
  const fits =
    x.shape.length === 4 &&
    weight.shape.length === 4 &&
    x.dtype === "f32" &&
    weight.dtype === "f32" &&
    x.shape[1] === weight.shape[0] &&
    sizeAt(x.shape, 1) % groups === 0;
  if (!fits)
    throw new ShapeError(
      `convTranspose2d: got input ${formatAval(x)} and weight ${formatAval(weight)}; expected f32[N,C,H,W] and f32[C,O/groups,kh,kw] with C divisible by ${groups} groups.`,
    );
  if (
    [...stride, ...dilation, groups].some((n) => !Number.isInteger(n) || n < 1) ||
    [...inner, ...extra].some((n) => !Number.isInteger(n) || n < 0) ||
    extra[0] >= Math.max(stride[0], dilation[0]) ||
    extra[1] >= Math.max(stride[1], dilation[1])
  )
    throw new ShapeError(
      `convTranspose2d: got stride [${stride}], dilation [${dilation}], groups ${groups}, padding [${inner}], outputPadding [${extra}]; expected integers of 1 or more, padding of 0 or more, and outputPadding less than the stride or the dilation.`,
    );
  const side = (axis: 0 | 1) => {
    const reach =
      (sizeAt(x.shape, 2 + axis) - 1) * stride[axis] + dilation[axis] * (sizeAt(weight.shape, 2 + axis) - 1);
    const low = inner[axis];
    // A convolution drops less than a stride at its end. What goes beyond takes from the padding there, and then is zeros.
    const dropped = extra[axis] < stride[axis] ? extra[axis] : 0;
    const beyond = extra[axis] - dropped;
    const high = Math.max(low - beyond, 0);
    return { low, high, size: reach + 1 - low - high + dropped, zeros: Math.max(beyond - low, 0) };
  };
  const [v, h] = [side(0), side(1)];
  if (v.size < 1 || h.size < 1)
    throw new ShapeError(
      `convTranspose2d: got input ${formatAval(x)}, weight ${formatAval(weight)} and padding [${inner}]; expected an output of at least 1x1, not ${v.size + v.zeros}x${h.size + h.zeros}.`,
    );
  const inputShape = [sizeAt(x.shape, 0), sizeAt(weight.shape, 1) * groups, v.size, h.size];
  const padding: Sides = [
    [v.low, v.high],
    [h.low, h.high],
  ];
  return [{ stride, padding, dilation, groups, inputShape }, [v.zeros, h.zeros]];
}

export function poolParams(window: number | readonly [number, number], options: PoolOptions): PoolParams {
  const { padding = 0 } = options;
  const sides = typeof padding === "number" || typeof padding[0] === "number" ? bothSides(padding as number) : padding;
  return { window: pair(window), stride: pair(options.stride ?? window), padding: sides as Sides };
}
