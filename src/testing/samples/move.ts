import type { DType, Shape } from "../../core/dtype.ts";
import type { Random } from "../random.ts";
import { ALL, any, drawInput, FLOAT, f32, i32, NUMBERS, type SampleRow } from "./sample.ts";

/** Only rounding is left: these are linear. */
const LINEAR = { tolerance: 1e-9 };
const SOME_RANK = [1, 2, 3, 4] as const;
const shapeOf = (random: Random): Shape => random.shape(random.pick(SOME_RANK));

function moved(draw: SampleRow["draw"]): SampleRow {
  return { dtypes: ALL, draw, gradient: LINEAR, ulps: 0 };
}

function source(dtypes: readonly DType[], draw: SampleRow["draw"]): SampleRow {
  return { dtypes, draw, gradient: "none", ulps: 0 };
}

export type MoveName =
  | "full"
  | "array"
  | "iota"
  | "reshape"
  | "transpose"
  | "broadcast"
  | "slice"
  | "unslice"
  | "pad"
  | "flip"
  | "concatenate"
  | "gather"
  | "scatterAdd"
  | "randomBits";

export const moveSamples: Readonly<Record<MoveName, SampleRow>> = {
  full: source(ALL, (random, dtype) => ({
    params: { value: dtype === "f32" ? random.uniform(-2, 2) : random.integer(0, 1), shape: random.shape(), dtype },
    inputs: [],
  })),
  array: source(ALL, (random, dtype) => ({
    params: { value: drawInput(random, any(dtype, random.shape())) },
    inputs: [],
  })),
  iota: source(NUMBERS, (random, dtype) => {
    const shape = shapeOf(random);
    return { params: { shape, axis: random.integer(0, shape.length - 1), dtype }, inputs: [] };
  }),
  reshape: moved((random, dtype) => {
    const shape = random.shape();
    const merged = shape.length < 2 ? [...shape, 1] : [(shape[0] as number) * (shape[1] as number), ...shape.slice(2)];
    return { params: { shape: random.chance(0.5) ? merged : random.shuffle(shape) }, inputs: [any(dtype, shape)] };
  }),
  transpose: moved((random, dtype) => {
    const shape = random.shape(random.integer(2, 4));
    return { params: { order: random.shuffle(shape.map((_, i) => i)) }, inputs: [any(dtype, shape)] };
  }),
  broadcast: moved((random, dtype) => {
    const shape = shapeOf(random);
    const axes = random.chance(0.2) ? [] : random.axes(shape.length);
    const from = axes.map((axis) => (random.chance(0.3) ? 1 : (shape[axis] as number)));
    return { params: { shape, axes }, inputs: [any(dtype, from)] };
  }),
  slice: moved((random, dtype) => {
    const shape = shapeOf(random);
    const start = shape.map((n) => random.integer(0, n - 1));
    const stop = shape.map((n, i) => random.integer((start[i] as number) + 1, n));
    return { params: { start, stop, stride: shape.map(() => random.integer(1, 3)) }, inputs: [any(dtype, shape)] };
  }),
  unslice: moved((random, dtype) => {
    const shape = random.shape(random.pick([1, 2, 3]), 60);
    const start = shape.map(() => random.integer(0, 2));
    const stride = shape.map(() => random.integer(1, 3));
    const end = (n: number, i: number): number => (start[i] as number) + (n - 1) * (stride[i] as number) + 1;
    return {
      params: { shape: shape.map((n, i) => end(n, i) + random.integer(0, 2)), start, stride },
      inputs: [any(dtype, shape)],
    };
  }),
  pad: moved((random, dtype) => {
    const shape = random.shape(random.pick(SOME_RANK), 60);
    const sides = (): number[] => shape.map(() => random.integer(0, 2));
    return { params: { low: sides(), high: sides(), value: random.integer(0, 1) }, inputs: [any(dtype, shape)] };
  }),
  flip: moved((random, dtype) => {
    const shape = shapeOf(random);
    return { params: { axes: random.axes(shape.length) }, inputs: [any(dtype, shape)] };
  }),
  concatenate: moved((random, dtype) => {
    const shape = random.shape(random.pick(SOME_RANK), 60);
    const axis = random.integer(0, shape.length - 1);
    const part = () =>
      any(
        dtype,
        shape.map((n, i) => (i === axis ? random.integer(1, 5) : n)),
      );
    return { params: { axis }, inputs: Array.from({ length: random.integer(1, 3) }, part) };
  }),
  gather: moved((random, dtype) => {
    const shape = random.shape(random.pick([1, 2, 3]), 60);
    const axis = random.integer(0, shape.length - 1);
    // Some indices lie outside, where they are clamped; many repeat.
    return {
      params: { axis },
      inputs: [any(dtype, shape), i32(random.shape(random.integer(0, 2), 6), -2, (shape[axis] as number) + 1)],
    };
  }),
  scatterAdd: {
    dtypes: FLOAT,
    draw: (random) => {
      const indices = random.shape(random.integer(0, 2), 8);
      const [pre, post] = [random.shape(random.integer(0, 1), 4), random.shape(random.integer(0, 1), 9)];
      const size = random.integer(1, 7);
      return {
        params: { axis: pre.length, size },
        inputs: [f32([...pre, ...indices, ...post]), i32(indices, -1, size)],
      };
    },
    gradient: LINEAR,
    ulps: 4,
    sums: true,
  },
  randomBits: source(["i32"], (random) => ({
    params: { shape: random.shape() },
    inputs: [i32([2], -(2 ** 31), 2 ** 31 - 1)],
  })),
};
