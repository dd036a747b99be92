import { array, type HostArray } from "../../src/core/host-array.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { grad } from "../../src/trace/grad.ts";
import { Key } from "../../src/trace/random.ts";

/** A function, what goes in and what must come out, value for value. */
export type Case = {
  readonly name: string;
  readonly f: (...inputs: readonly Tensor[]) => Tensor | readonly Tensor[];
  readonly inputs: readonly HostArray[];
  readonly expected: readonly (readonly number[])[];
};

const f32 = (...values: number[]): HostArray => array(Float32Array.from(values));
const i32 = (...values: number[]): HostArray => array(Int32Array.from(values));
const MIN = -(2 ** 31);
const MAX = 2 ** 31 - 1;
const image = (h: number, w: number, ...values: number[]): HostArray => array(Float32Array.from(values), [1, 1, h, w]);

/** The gradient of the sum of g times f, for a fixed g. */
const pull =
  (f: (x: Tensor) => Tensor, ...g: number[]) =>
  (x: Tensor): Tensor =>
    grad((p: Tensor) => {
      const y = f(p);
      return y.mul(y.constant(array(Float32Array.from(g), y.shape))).sum();
    })(x);

export const exactCases: readonly Case[] = [
  {
    name: "argmax takes the first of equals and the first NaN",
    f: (x) => [x.argmax(1), x.argmax(0), x.argmin(1)],
    inputs: [array(Float32Array.of(1, 3, 3, NaN, 5, NaN, -1, -1, -Infinity), [3, 3])],
    expected: [
      [1, 0, 0],
      [1, 1, 1],
      [0, 0, 2],
    ],
  },
  {
    name: "maximum, minimum and their reductions let NaN win",
    f: (a, b) => [a.maximum(b), a.minimum(b), a.max(), a.min(), b.max(), b.min()],
    inputs: [f32(1, NaN, Infinity, -Infinity, 0), f32(2, 1, 3, 4, -1)],
    expected: [[2, NaN, Infinity, 4, 0], [1, NaN, 3, -Infinity, -1], [NaN], [NaN], [4], [-1]],
  },
  {
    name: "sums of infinities",
    f: (x) => [x.sum(1), x.sum(0)],
    inputs: [array(Float32Array.of(Infinity, 1, Infinity, -Infinity), [2, 2])],
    expected: [
      [Infinity, NaN],
      [Infinity, -Infinity],
    ],
  },
  {
    name: "ties share the gradient: maximum by halves, reductions equally, relu none at zero",
    f: (x) => [
      pull((p) => p.maximum(1), 2, 2, 2)(x),
      pull((p) => p.max(), 6)(x),
      pull((p) => p.min(), 6)(x.neg()),
      pull((p) => p.sub(1).relu(), 1, 1, 1)(x),
      pull((p) => p.sub(1).abs(), 1, 1, 1)(x),
    ],
    inputs: [f32(1, 0, 1)],
    expected: [
      [1, 0, 1],
      [3, 0, 3],
      [3, 0, 3],
      [0, 0, 0],
      [0, -1, 0],
    ],
  },
  {
    name: "max pooling takes the first of equals, with its gradient, and never the padding",
    f: (x) => [
      x.maxPool2d(2, { stride: 1 }),
      pull((p) => p.maxPool2d(2, { stride: 1 }), 1, 10, 100, 1000)(x),
      x.sub(9).maxPool2d(3, { padding: 1, stride: 2 }),
    ],
    inputs: [image(3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 2)],
    expected: [
      [1, 1, 1, 2],
      [1, 10, 0, 100, 0, 0, 0, 0, 1000],
      [-8, -8, -8, -7],
    ],
  },
  {
    name: "max pooling with NaN and -Infinity",
    f: (x) => [x.maxPool2d([1, 3]), pull((p) => p.maxPool2d([1, 3]), 5, 7, 9)(x)],
    inputs: [image(1, 9, 1, NaN, 3, -Infinity, -Infinity, -Infinity, -Infinity, 2, NaN)],
    expected: [
      [NaN, -Infinity, NaN],
      [0, 5, 0, 7, 0, 0, 0, 0, 9],
    ],
  },
  {
    name: "a padded window of -Infinity still sends its gradient inside",
    f: (x) => pull((p) => p.maxPool2d(2, { padding: 1, stride: 2 }), 1, 2, 3, 4)(x),
    inputs: [image(2, 2, -Infinity, -Infinity, -Infinity, -Infinity)],
    expected: [[1, 2, 3, 4]],
  },
  {
    name: "average pooling divides by the whole window",
    f: (x) => x.avgPool2d(2, { padding: 1, stride: 2 }),
    inputs: [image(2, 2, 4, 8, 12, 16)],
    expected: [[1, 2, 3, 4]],
  },
  {
    name: "gather clamps; scatterAdd adds repeated and clamped indices",
    f: (x, at) => [x.gather(at), x.gather(at).scatterAdd(at, 0, 3), x.unsqueeze(0).gather(at, 1)],
    inputs: [f32(10, 20, 30), i32(2, -7, 99, 0, 2)],
    expected: [
      [30, 10, 30, 10, 30],
      [20, 0, 90],
      [30, 10, 30, 10, 30],
    ],
  },
  {
    name: "gather from padding and from a slice at indices that change from lane to lane",
    f: (x, at) => [
      x.pad([1], [8], 0.5).gather(at),
      x.pad([2], [2], 9).flip(0).gather(at.rem(5)),
      x.slice([1], [2]).gather(at),
    ],
    inputs: [f32(1, 2), i32(0, 1, 2, 3, 10, 1, 2, 0)],
    expected: [
      [0.5, 1, 2, 0.5, 0.5, 1, 2, 0.5],
      [9, 9, 2, 1, 9, 9, 2, 9],
      [2, 2, 2, 2, 2, 2, 2, 2],
    ],
  },
  {
    name: "gather of a gather, merged into one axis",
    f: (x, at) => [
      x.reshape([2, 2]).gather(at, 0).gather(at, 1).reshape([9]).slice([1], [8], [3]).add(1),
      x
        .pad([1], [2], 0.5)
        .narrow(0, 0, 6)
        .reshape([1, 6])
        .gather(at.narrow(0, 0, 1).reshape([]), 1)
        .gather(at),
    ],
    inputs: [f32(1, 2, 3, 4), i32(1, 0, 1)],
    expected: [
      [4, 2, 4],
      [1, 1, 1],
    ],
  },
  {
    name: "scatterAdd of a thousand into one place",
    f: (x, at) => x.scatterAdd(at, 0, 2),
    inputs: [array(new Float32Array(1000).fill(3)), array(new Int32Array(1000).fill(1))],
    expected: [[0, 3000]],
  },
  {
    name: "integers wrap, and division by zero is zero",
    f: (a, b) => [a.add(b), a.sub(b), a.mul(b), a.div(b), a.rem(b), a.neg(), a.abs(), a.sum()],
    inputs: [i32(MAX, MIN, 7, -7, 5, MIN), i32(1, -1, -2, 2, 0, 2)],
    expected: [
      [MIN, MAX, 5, -5, 5, MIN + 2],
      [MAX - 1, MIN + 1, 9, -9, 5, MAX - 1],
      [MAX, MIN, -14, -14, 0, 0],
      [MAX, MIN, -3, -3, 0, -(2 ** 30)],
      [0, 0, 1, -1, 0, 0],
      [-MAX, MIN, -7, 7, -5, MIN],
      [MAX, MIN, 7, 7, 5, MIN],
      [(MAX + MIN + 5 + MIN) | 0],
    ],
  },
  {
    name: "shifts are logical to the right, and bits are bits",
    f: (a, b) => [a.shiftLeft(b), a.shiftRight(b), a.and(b), a.or(b), a.xor(b)],
    inputs: [i32(1, -1, MIN, 12), i32(31, 28, 31, 0)],
    expected: [
      [MIN, -(2 ** 28), 0, 12],
      [0, 15, 1, 12],
      [1, 28, 0, 0],
      [31, -1, MIN + 31, 12],
      [30, -29, MIN + 31, 12],
    ],
  },
  {
    name: "casts truncate and saturate; NaN is 0 as a number and true as a bool",
    f: (x) => [x.cast("i32"), x.cast("u8"), x.cast("bool"), x.cast("u8").cast("f32"), x.cast("bool").cast("f32")],
    inputs: [f32(-1e10, -1.9, 1.9, 255.9, 300, 1e10, NaN, 0)],
    expected: [
      [MIN, -1, 1, 255, 300, MAX, 0, 0],
      [0, 0, 1, 255, 255, 255, 0, 0],
      [1, 1, 1, 1, 1, 1, 1, 0],
      [0, 0, 1, 255, 255, 255, 0, 0],
      [1, 1, 1, 1, 1, 1, 1, 0],
    ],
  },
  {
    name: "comparisons with NaN and of bytes",
    f: (a, b, u) => [a.equal(b), a.notEqual(b), a.less(b), a.greaterEqual(b), u.greater(u.flip(0)), u.cast("i32")],
    inputs: [f32(NaN, 0, Infinity, 1), f32(NaN, -0, Infinity, 2), array(Uint8Array.of(200, 100, 255, 0))],
    expected: [
      [0, 1, 1, 0],
      [1, 0, 0, 1],
      [0, 0, 0, 1],
      [0, 1, 1, 0],
      [1, 0, 1, 0],
      [200, 100, 255, 0],
    ],
  },
  {
    name: "select takes either side as it is, NaN included",
    f: (c, a) => c.select(a, a.rsub(1)),
    inputs: [array([1, 0, 1, 0], [4], "bool"), f32(NaN, 2, 3, Infinity)],
    expected: [[NaN, -1, 3, -Infinity]],
  },
  {
    name: "a value handed out twice, an input handed out, and a constant",
    f: (x) => [x, x.add(1), x.add(1), x.full(7, [2]), x],
    inputs: [f32(1, 2)],
    expected: [
      [1, 2],
      [2, 3],
      [2, 3],
      [7, 7],
      [1, 2],
    ],
  },
  {
    name: "random bits are jax's threefry, partitionable",
    f: (key) => [new Key(key).bits([5]), new Key(key).uniform([3])],
    inputs: [i32(0, 42)],
    expected: [
      [2098992034, -1375260455, -1648100871, -1885421097, 1935504149],
      [0.48870962858200073, 0.6797971725463867, 0.6162715554237366],
    ],
  },
];
