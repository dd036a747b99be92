import { type Aval, aval, type Shape, sizeOf } from "../../core/dtype.ts";
import { primitiveOf } from "../../ops/table.ts";
import type { ConvParams, PoolParams } from "../../ops/tensor.ts";
import type { Random } from "../random.ts";
import { any, FLOAT, f32, type InputSpec, NUMBERS, type Sample, type SampleRow } from "./sample.ts";

/** Products of products: differences are of polynomials, exact but for rounding. */
const POLYNOMIAL = { tolerance: 1e-8 };

function reduction(gradient: SampleRow["gradient"], distinct: boolean): SampleRow {
  return {
    dtypes: NUMBERS,
    draw: (random, dtype) => {
      const shape = random.shape(random.integer(1, 4));
      return { params: { axes: random.axes(shape.length) }, inputs: [any(dtype, shape, { distinct })] };
    },
    gradient,
    ...(distinct ? { ulps: 0 } : { ulps: 8, sums: true }),
  };
}

const convOutput = (params: ConvParams, x: Shape, w: Shape): Shape =>
  (primitiveOf("conv2d").shape(params, aval("f32", x), aval("f32", w))[0] as Aval).shape;

type ConvDraw = { readonly params: ConvParams; readonly x: Shape; readonly w: Shape; readonly y: Shape };

function drawConv(random: Random): ConvDraw {
  const groups = random.pick([1, 1, 1, 2, 3]);
  const [perGroup, outPerGroup] = random.large
    ? [random.integer(1, 9), random.integer(1, 17)]
    : [random.integer(1, 3), random.integer(1, 4)];
  const sides = (): readonly [number, number] => [random.integer(0, 2), random.integer(0, 2)];
  const params: ConvParams = {
    stride: [random.pick([1, 1, 2, 3]), random.pick([1, 1, 2])],
    padding: [sides(), sides()],
    dilation: [random.pick([1, 1, 2]), random.pick([1, 1, 2])],
    groups,
  };
  const w = [groups * outPerGroup, perGroup, random.pick([1, 2, 3]), random.pick([1, 3, 3])] as const;
  const extent = (axis: 0 | 1): number => params.dilation[axis] * (w[2 + axis] as number) - params.dilation[axis] + 1;
  const room = random.large ? 12 : 5;
  const x = [
    random.integer(1, random.large ? 9 : 2),
    groups * perGroup,
    extent(0) + random.integer(0, room),
    extent(1) + random.integer(0, room),
  ];
  return { params, x, w, y: convOutput(params, x, w) };
}

function contraction(draw: (random: Random) => Sample): SampleRow {
  return { dtypes: FLOAT, draw, gradient: POLYNOMIAL, ulps: 16, sums: true };
}

type PoolDraw = { readonly params: PoolParams; readonly x: Shape; readonly y: Shape };

function drawPool(random: Random): PoolDraw {
  const window = [random.integer(1, 3), random.integer(1, 3)] as const;
  const stride = [random.integer(1, 3), random.integer(1, 3)] as const;
  const room = random.large ? 20 : 5;
  const x = [
    random.integer(1, random.large ? 9 : 2),
    random.integer(1, random.large ? 17 : 3),
    window[0] + random.integer(0, room),
    window[1] + random.integer(0, room),
  ];
  const sides = (axis: 0 | 1): readonly [number, number] => {
    const [size, low] = [x[2 + axis] as number, random.integer(0, Math.floor(window[axis] / 2))];
    if (random.integer(0, 2) > 0) return [low, random.integer(0, Math.floor(window[axis] / 2))];
    // So many that no window is left out: each that begins inside ends in the padding.
    const windows = Math.floor((size - 1 + low) / stride[axis]) + 1;
    return [low, Math.max(0, (windows - 1) * stride[axis] + window[axis] - size - low)];
  };
  const params: PoolParams = { window, stride, padding: [sides(0), sides(1)] };
  const [y] = primitiveOf("sumPool").shape(params, aval("f32", x)) as readonly [Aval];
  return { params, x, y: y.shape };
}

/** Positions inside a window; those that lie in the padding choose nothing. */
const positions = (params: PoolParams, shape: Shape): InputSpec => ({
  dtype: "u8",
  shape,
  low: 0,
  high: sizeOf(params.window) - 1,
});

function pooling(draw: (random: Random, pool: PoolDraw) => Sample, ulps: number): SampleRow {
  return { dtypes: FLOAT, draw: (random) => draw(random, drawPool(random)), gradient: POLYNOMIAL, ulps, sums: true };
}

export type ContractName =
  | "sum"
  | "reduceMax"
  | "reduceMin"
  | "argmax"
  | "dot"
  | "conv2d"
  | "convInputGrad"
  | "convWeightGrad"
  | "maxPool"
  | "maxUnpool"
  | "maxPick"
  | "sumPool"
  | "sumUnpool";

export const contractSamples: Readonly<Record<ContractName, SampleRow>> = {
  sum: reduction(POLYNOMIAL, false),
  reduceMax: reduction(POLYNOMIAL, true),
  reduceMin: reduction(POLYNOMIAL, true),
  argmax: {
    dtypes: NUMBERS,
    draw: (random, dtype) => {
      const shape = random.shape(random.integer(1, 3));
      return { params: { axis: random.integer(0, shape.length - 1) }, inputs: [any(dtype, shape, { distinct: true })] };
    },
    gradient: "none",
    ulps: 0,
  },
  dot: contraction((random) => {
    const batch = random.shape(random.integer(0, 2), 6, 2);
    const [m, k, n] = random.shape(3, 400) as readonly [number, number, number];
    return { params: {}, inputs: [f32([...batch, m, k]), f32([...batch, k, n])] };
  }),
  conv2d: contraction((random) => {
    const { params, x, w } = drawConv(random);
    return { params, inputs: [f32(x), f32(w)] };
  }),
  convInputGrad: contraction((random) => {
    const { params, x, w, y } = drawConv(random);
    return { params: { ...params, inputShape: x }, inputs: [f32(y), f32(w)] };
  }),
  convWeightGrad: contraction((random) => {
    const { params, x, w, y } = drawConv(random);
    return { params: { ...params, kernelShape: w }, inputs: [f32(x), f32(y)] };
  }),
  maxPool: pooling((_, { params, x }) => ({ params, inputs: [f32(x, -2, 2, { distinct: true })] }), 0),
  maxUnpool: pooling(
    (_, { params, x, y }) => ({ params: { ...params, inputShape: x }, inputs: [f32(y), positions(params, y)] }),
    4,
  ),
  maxPick: pooling((_, { params, x, y }) => ({ params, inputs: [f32(x), positions(params, y)] }), 0),
  sumPool: pooling((_, { params, x }) => ({ params, inputs: [f32(x)] }), 8),
  sumUnpool: pooling((_, { params, x, y }) => ({ params: { ...params, inputShape: x }, inputs: [f32(y)] }), 8),
};
