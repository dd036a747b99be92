import type { DType } from "../../core/dtype.ts";
import type { PrimitiveName } from "../../ops/table.ts";
import type { Random } from "../random.ts";
import type { ContractName } from "./contract.ts";
import type { MoveName } from "./move.ts";
import { ALL, any, bool, FLOAT, f32, type InputSpec, i32, NUMBERS, type SampleRow } from "./sample.ts";

const SMOOTH = { tolerance: 1e-8 };
/** Exact for polynomials, so only rounding is left. */
const LINEAR = { tolerance: 1e-9 };

const NON_FINITE = [[Infinity], [-Infinity], [NaN]] as const;
const ZEROS = [[0], [-0]] as const;

type UnaryOptions = {
  readonly low: number;
  readonly high: number;
  readonly avoid?: readonly number[];
  readonly gradient?: SampleRow["gradient"];
  readonly ulps?: number;
  readonly dtypes?: readonly DType[];
  readonly special?: readonly number[];
};

function unary({
  low,
  high,
  avoid,
  gradient = SMOOTH,
  ulps = 0,
  dtypes = FLOAT,
  special = [],
}: UnaryOptions): SampleRow {
  return {
    dtypes,
    draw: (random, dtype) => ({
      params: {},
      inputs: [dtype === "f32" ? f32(random.shape(), low, high, avoid ? { avoid } : {}) : any(dtype, random.shape())],
    }),
    gradient,
    ulps,
    special: dtypes.includes("f32") ? [...NON_FINITE, ...ZEROS, ...special.map((x) => [x])] : [],
  };
}

type BinaryOptions = {
  readonly a?: Partial<InputSpec>;
  readonly b?: Partial<InputSpec>;
  readonly gradient?: SampleRow["gradient"];
  readonly ulps?: number;
  readonly dtypes?: readonly DType[];
  readonly special?: readonly (readonly number[])[];
};

const EDGES = [0, -0, 1, -1, 0.5, 3, -3, Infinity, -Infinity, NaN, 3.4e38, 1e-40];
const PAIRS: readonly (readonly number[])[] = EDGES.flatMap((a) => EDGES.map((b) => [a, b]));

function binary({
  a = {},
  b = {},
  gradient = SMOOTH,
  ulps = 0,
  dtypes = NUMBERS,
  special = PAIRS,
}: BinaryOptions): SampleRow {
  return {
    dtypes,
    draw: (random, dtype) => {
      const shape = random.shape();
      const of = (extra: Partial<InputSpec>): InputSpec =>
        dtype === "f32" ? f32(shape, extra.low, extra.high, extra) : any(dtype, shape);
      return { params: {}, inputs: [of(a), of(b)] };
    },
    gradient,
    ulps,
    special: dtypes.includes("f32") ? special : [],
  };
}

/** Two inputs whose values never meet. */
const APART = { a: { grid: { step: 0.25, offset: 0 } }, b: { grid: { step: 0.25, offset: 0.125 } } } as const;
const compare: SampleRow = binary({ ...APART, dtypes: ALL, gradient: "none" });
const bits: SampleRow = binary({ dtypes: ["i32", "bool"], gradient: "none" });
const shift: SampleRow = {
  dtypes: ["i32"],
  draw: (random) => {
    const shape = random.shape();
    return { params: {}, inputs: [i32(shape, -(2 ** 31), 2 ** 31 - 1), i32(shape, 0, 31)] };
  },
  gradient: "none",
  ulps: 0,
};

const castSample = (random: Random, from: DType, to: DType) => ({
  params: { dtype: to },
  inputs: [
    // Away from whole numbers, where truncation jumps.
    from === "f32" ? f32(random.shape(), -9, 300, { grid: { step: 0.5, offset: 0.25 } }) : any(from, random.shape()),
  ],
});

/** The rest of the table: an elementwise primitive without a row is a type error here. */
export const elementwiseSamples: Readonly<Record<Exclude<PrimitiveName, MoveName | ContractName>, SampleRow>> = {
  neg: unary({ low: -2, high: 2, gradient: LINEAR, dtypes: NUMBERS }),
  abs: unary({ low: -2, high: 2, avoid: [0], gradient: LINEAR, dtypes: NUMBERS }),
  sign: unary({ low: -2, high: 2, avoid: [0], gradient: "none", dtypes: NUMBERS }),
  exp: unary({ low: -3, high: 3, ulps: 4, special: [88.7, 88.8, -87.3, -88, -103, -104, 1e-10, 1e10, -1e10] }),
  expm1: unary({ low: -3, high: 3, ulps: 4, special: [88.7, 89, -17, -100, 1e-7, -1e-7, 1e-20, 0.3, -0.3] }),
  log: unary({ low: 0.2, high: 4, ulps: 4, special: [-1, 1, 1e-40, 1e-38, 3.4e38, 0.99999994, 1.0000001] }),
  log1p: unary({ low: -0.7, high: 4, ulps: 4, special: [-1, -2, 1e-7, -1e-7, 1e-20, 3.4e38, -0.99999994] }),
  sqrt: unary({ low: 0.2, high: 4, special: [-1, 1e-40, 3.4e38, 2] }),
  // Arguments past 2^16 are outside the range reduction that backends promise.
  sin: unary({ low: -6, high: 6, ulps: 4, special: [1e-10, 100.5, -1000.25, Math.PI, Math.PI / 2] }),
  cos: unary({ low: -6, high: 6, ulps: 4, special: [1e-10, 100.5, -1000.25, Math.PI, Math.PI / 2] }),
  tanh: unary({ low: -3, high: 3, ulps: 4, special: [1e-10, -1e-4, 9, -9, 20, 100, -1e10] }),
  sigmoid: unary({ low: -5, high: 5, ulps: 4, special: [20, -20, 88, -88, 104, -104, 1e10, -1e10] }),
  erf: unary({ low: -3, high: 3, ulps: 4, special: [1e-10, -1e-4, 0.84375, 1.25, 3.9, 6, -1e10] }),
  floor: unary({
    low: -3,
    high: 3,
    avoid: [-3, -2, -1, 0, 1, 2, 3],
    gradient: "none",
    special: [0.5, -0.5, 8388609, 3e9, -3e9, 1e38],
  }),
  ceil: unary({
    low: -3,
    high: 3,
    avoid: [-3, -2, -1, 0, 1, 2, 3],
    gradient: "none",
    special: [0.5, -0.5, 8388609, 3e9, -3e9, 1e38],
  }),
  round: unary({
    low: -3,
    high: 3,
    avoid: [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5],
    gradient: "none",
    special: [0.5, -0.5, 1.5, 2.5, -2.5, 0.49999997, 8388609, 3e9],
  }),
  relu: unary({ low: -2, high: 2, avoid: [0], gradient: LINEAR, dtypes: NUMBERS }),
  stopGradient: unary({ low: -2, high: 2, gradient: "none", dtypes: ALL }),
  alias: unary({ low: -2, high: 2, gradient: LINEAR, dtypes: ALL }),
  not: unary({ low: 0, high: 1, gradient: "none", dtypes: ["bool"] }),
  add: binary({ gradient: LINEAR }),
  sub: binary({ gradient: LINEAR }),
  mul: binary({ gradient: LINEAR }),
  div: binary({ b: { low: 0.5, high: 2 } }),
  // b in {1, 2}, a at odd multiples of 1/4: a / b stays away from whole numbers.
  rem: binary({
    a: { low: -5, high: 5, grid: { step: 0.5, offset: 0.25 } },
    b: { low: 0.6, high: 2.4, grid: { step: 1, offset: 0 } },
    gradient: LINEAR,
    special: [
      [5, 3],
      [-5, 3],
      [5, -3],
      [0.5, 0.125],
      [1, 0],
      [Infinity, 2],
      [2, Infinity],
      [NaN, 1],
      [1e7, 7],
      [-0, 3],
    ],
  }),
  pow: binary({
    a: { low: 0.3, high: 2 },
    dtypes: FLOAT,
    ulps: 16,
    special: [
      [2, 10],
      [-2, 3],
      [-2, 2],
      [-2, 0.5],
      [0, 0],
      [0, 2],
      [0, -1],
      [1.5, -30],
      [1e-3, 12],
      [10, 38],
      [10, 39],
      [NaN, 0],
      [1, 1e10],
      [Infinity, 2],
      [Infinity, -2],
      [-1, 1e6],
      [0.999, 4000],
      [2, -126],
      [2, -149],
      [9, 0.5],
    ],
  }),
  max: binary({ ...APART, gradient: LINEAR }),
  min: binary({ ...APART, gradient: LINEAR }),
  and: bits,
  or: bits,
  xor: bits,
  shl: shift,
  shr: shift,
  eq: compare,
  ne: compare,
  lt: compare,
  le: compare,
  gt: compare,
  ge: compare,
  select: {
    dtypes: ALL,
    draw: (random, dtype) => {
      const shape = random.shape();
      return { params: {}, inputs: [bool(shape), any(dtype, shape), any(dtype, shape)] };
    },
    gradient: LINEAR,
    ulps: 0,
  },
  cast: {
    dtypes: ALL,
    draw: (random, dtype) => castSample(random, dtype, random.pick(ALL)),
    gradient: { ...LINEAR, draw: (random) => ({ params: { dtype: "f32" }, inputs: [f32(random.shape())] }) },
    ulps: 0,
  },
};
