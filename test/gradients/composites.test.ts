import { describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import { runFunction } from "../../src/compile/run-function.ts";
import { array, type HostArray } from "../../src/core/host-array.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { checkGradient, drawInput, Random } from "../../src/testing/index.ts";
import { call, cond, scan, whileLoop } from "../../src/trace/control.ts";
import { customVjp, customVjps, grad, valueAndGrad } from "../../src/trace/grad.ts";

type Function = (...inputs: readonly Tensor[]) => Tensor;

const random = new Random(5);
const draw = (shape: readonly number[], low = -1.5, high = 1.5): HostArray =>
  drawInput(random, { dtype: "f32", shape, low, high });
const distinct = (shape: readonly number[]): HostArray =>
  drawInput(random, { dtype: "f32", shape, low: -2, high: 2, distinct: true });
const at = (...values: number[]): HostArray => array(Int32Array.from(values));

const composites: readonly (readonly [string, Function, readonly HostArray[]])[] = [
  ["softmax", (x) => (x as Tensor).softmax(), [draw([3, 5])]],
  ["logSoftmax along the first axis", (x) => (x as Tensor).logSoftmax(0), [draw([4, 3])]],
  ["logSumExp", (x) => (x as Tensor).logSumExp(), [draw([3, 5])]],
  ["variance and mean", (x) => (x as Tensor).variance([0, 2]).add((x as Tensor).mean([0, 2])), [draw([3, 2, 4])]],
  ["rsqrt and reciprocal", (x) => (x as Tensor).rsqrt().add((x as Tensor).reciprocal()), [draw([6], 0.5, 2)]],
  ["clip away from its ends", (x) => (x as Tensor).clip(-0.5, 0.5), [array([-1, -0.2, 0.3, 0.9])]],
  [
    "powers of numbers below zero by whole exponents",
    (x) => (x as Tensor).pow(3).add((x as Tensor).pow(2)),
    [array([-1.2, 0.4, 2])],
  ],
  [
    "broadcasting on both sides",
    (a, b) => (a as Tensor).mul(b as Tensor).add(a as Tensor),
    [draw([3, 1, 2]), draw([4, 1])],
  ],
  [
    "a vector times a matrix times a vector",
    (a, m, b) => (a as Tensor).matmul(m as Tensor).matmul(b as Tensor),
    [draw([3]), draw([3, 4]), draw([4])],
  ],
  ["matmul of a broadcast batch", (a, b) => (a as Tensor).matmul(b as Tensor), [draw([2, 1, 3, 2]), draw([3, 2, 4])]],
  [
    "convolution, relu and pooling",
    (x, w) =>
      (x as Tensor)
        .conv2d(w as Tensor, { padding: "same" })
        .relu()
        .maxPool2d(2)
        .avgPool2d(2, { stride: 1 }),
    [distinct([2, 2, 6, 6]), draw([3, 2, 3, 2])],
  ],
  [
    "grouped, strided, dilated convolution",
    (x, w) => (x as Tensor).conv2d(w as Tensor, { groups: 2, stride: [2, 1], dilation: [1, 2], padding: [1, 0] }),
    [draw([1, 4, 5, 6]), draw([4, 2, 2, 3])],
  ],
  [
    "cross entropy by gather",
    (x, i) =>
      (x as Tensor)
        .logSoftmax()
        .reshape([-1])
        .gather(i as Tensor)
        .mean(),
    [draw([3, 4]), at(1, 6, 8)],
  ],
  [
    "repeated and clamped indices",
    (x, i) => (x as Tensor).gather(i as Tensor, 1),
    [draw([2, 3, 2]), at(2, 2, -4, 7, 0)],
  ],
  [
    "one input used many times",
    (x) => (x as Tensor).mul(x as Tensor).sub((x as Tensor).sin().mul(x as Tensor)),
    [draw([5])],
  ],
  [
    "scan over a recurrence",
    (h, xs, w) => {
      const [last, all] = scan(
        (c: Tensor, x: Tensor) => {
          const next = c
            .matmul(w as Tensor)
            .add(x)
            .tanh();
          return [next, next.square().sum()];
        },
        h as Tensor,
        xs as Tensor,
        { reverse: true },
      );
      return last.sum().mul(all).sum();
    },
    [draw([2]), draw([3, 2]), draw([2, 2])],
  ],
  [
    "scan whose outputs alone matter, with an integer carry",
    (x) => {
      const [, ys] = scan(
        (c: { readonly v: Tensor; readonly n: Tensor }) => [
          { v: c.v.mul(c.v), n: c.n.add(1) },
          c.v.mul(c.n.cast("f32")),
        ],
        { v: x as Tensor, n: (x as Tensor).full(1, [], "i32") },
        [] as Tensor[],
        { length: 3 },
      );
      return ys;
    },
    [draw([3], 0.4, 1.2)],
  ],
  [
    "cond, then",
    (x, w) =>
      cond(
        (x as Tensor).sum().greater(-100),
        (v: Tensor) => v.mul(w as Tensor),
        (v) => v.sin(),
        x as Tensor,
      ),
    [draw([4]), draw([4])],
  ],
  [
    "cond, else",
    (x, w) =>
      cond(
        (x as Tensor).sum().greater(100),
        (v: Tensor) => v.mul(w as Tensor),
        (v) => v.sin(),
        x as Tensor,
      ),
    [draw([4]), draw([4])],
  ],
  [
    "call",
    (x, w) => call("block", (v: Tensor) => v.matmul(w as Tensor).tanh(), x as Tensor),
    [draw([2, 3]), draw([3, 3])],
  ],
  [
    "while behind stopGradient",
    (x) =>
      (x as Tensor).mul(
        whileLoop(
          (c: { readonly i: Tensor }) => c.i.less(3),
          (c) => ({ i: c.i.add(1) }),
          { i: (x as Tensor).full(0, [], "i32") },
        ).i.cast("f32"),
      ),
    [draw([3])],
  ],
  [
    "call inside scan inside cond",
    (x, w) =>
      cond(
        (x as Tensor).sum().less(100),
        (v: Tensor) =>
          scan(
            (c: Tensor) => [call("f", (u: Tensor) => u.mul(w as Tensor).sin(), c), [] as Tensor[]],
            v,
            [] as Tensor[],
            { length: 2 },
          )[0],
        (v) => v,
        x as Tensor,
      ),
    [draw([3]), draw([3])],
  ],
];

describe.each(composites)("%s", (_, f, inputs) => {
  test.each([1, 2] as const)("derivative of order %d", async (order) => {
    const { derivative, error } = await checkGradient(f, inputs, { order, tolerance: 1e-8 });
    expect(error).toBeLessThanOrEqual(1e-8);
    expect(Math.abs(derivative)).toBeGreaterThan(1e-4);
  });
});

/** The gradient of the sum of f at x. */
async function gradientAt(f: (x: Tensor) => Tensor, x: HostArray): Promise<number[]> {
  const [g] = await runFunction(
    referenceBackend({ precision: "f64" }),
    (t) => grad((p: Tensor) => f(p).sum())(t as Tensor),
    [x],
  );
  return Array.from(g?.data ?? [], (v) => v + 0);
}

describe("where derivatives jump or end, PyTorch's choice", () => {
  const cases: readonly (readonly [string, (x: Tensor) => Tensor, number[], number[]])[] = [
    ["relu is flat at 0", (x) => x.relu(), [-1, 0, 2], [0, 0, 1]],
    ["abs is flat at 0", (x) => x.abs(), [-1, 0, 2], [-1, 0, 1]],
    ["maximum halves at a tie", (x) => x.maximum(1), [0, 1, 2], [0, 0.5, 1]],
    ["max shares among equals", (x) => x.max().mul(6), [3, 1, 3, 3], [2, 0, 2, 2]],
    ["min shares among equals", (x) => x.min().mul(6), [1, 1, 3], [3, 3, 0]],
    ["sqrt is steep at 0", (x) => x.sqrt(), [0, 4], [Infinity, 0.25]],
    ["x^0, x^1 and x^2 at 0", (x) => x.pow(x.constant(array([0, 1, 2]))), [0, 0, 0], [0, 1, 0]],
    ["2^x", (x) => x.onesLike().mul(2).pow(x), [0, 3], [Math.LN2, 8 * Math.LN2]],
    ["0^x is flat", (x) => x.zerosLike().pow(x), [2, 0.5], [0, 0]],
    ["log at 0", (x) => x.log(), [0, 2], [Infinity, 0.5]],
    [
      "floor, ceil, round and sign are flat",
      (x) => x.floor().add(x.ceil()).add(x.round()).add(x.sign()),
      [0.3, -1.7],
      [0, 0],
    ],
    // 0 times the slope of sqrt there, NaN.
    [
      "the side not selected still counts where its slope is NaN",
      (x) => x.greater(0).select(x.sqrt(), x),
      [4, -1],
      [0.25, NaN],
    ],
    ["remainder in the dividend", (x) => x.rem(2), [3.5, -3.5], [1, 1]],
    ["sigmoid and tanh far out", (x) => x.sigmoid().add(x.tanh()), [1000, -1000], [0, 0]],
  ];
  test.each(cases)("%s", async (_, f, x, expected) => {
    const g = await gradientAt(f, array(x));
    for (const [i, want] of expected.entries())
      if (Number.isFinite(want)) expect(g[i]).toBeCloseTo(want, 12);
      else expect(g[i]).toBe(want);
    expect(g.length).toBe(expected.length);
  });
});

describe("custom derivatives and stops", () => {
  test("a custom derivative rules, inside scan and at second order too", async () => {
    const cube = customVjp(
      (x) => x.mul(x).mul(x),
      // Twice the true one, to tell them apart.
      (g, _, x) => [g.mul(x).mul(x).mul(6)],
    );
    expect(await gradientAt((x) => cube(x), array([2]))).toEqual([24]);
    const second = (x: Tensor): Tensor => grad((p: Tensor) => grad((q: Tensor) => cube(q).sum())(p).sum())(x);
    const [found] = await runFunction(referenceBackend(), (x) => second(x as Tensor), [array([2])]);
    expect(Array.from(found?.data ?? [])).toEqual([24]);
    const scanned = (x: Tensor): Tensor =>
      scan((c: Tensor) => [cube(c), [] as Tensor[]], x, [] as Tensor[], { length: 2 })[0];
    // d(x³)³ with each factor doubled: 6 x² · 6 x⁶
    expect(await gradientAt(scanned, array([1]))).toEqual([36]);
  });
  test("a custom derivative carries gradients across what has none", async () => {
    const rounded = customVjp(
      (x) => x.round(),
      (g) => [g],
    );
    expect(await gradientAt((x) => rounded(x.mul(2)).square(), array([0.6, 1.4]))).toEqual([4, 12]);
  });
  test("a custom derivative of several outputs gets the cotangents that are there", async () => {
    const seen: string[] = [];
    const both = customVjps(
      ([x]: readonly [Tensor]) => [x.square(), x.sin()] as const,
      ([gSquare, gSin], [, sin], [x]) => {
        seen.push(`${gSquare !== null} ${gSin !== null}`);
        // 3x for the square, and the sine's value for the sine, to tell them from the true ones.
        return [
          (gSquare ?? x.zerosLike())
            .mul(x)
            .mul(3)
            .add((gSin ?? x.zerosLike()).mul(sin)),
        ];
      },
    );
    expect(await gradientAt((x) => both([x])[0], array([2]))).toEqual([6]);
    expect((await gradientAt((x) => both([x])[1], array([2])))[0]).toBeCloseTo(Math.sin(2), 12);
    expect((await gradientAt((x) => both([x])[0].mul(both([x])[1]), array([2])))[0]).toBeCloseTo(
      6 * Math.sin(2) + 4 * Math.sin(2),
      12,
    );
    const squareInScan = (x: Tensor): Tensor =>
      scan((c: Tensor) => [both([c])[0], [] as Tensor[]], x, [] as Tensor[], { length: 2 })[0];
    expect(await gradientAt(squareInScan, array([1]))).toEqual([9]);
    // Kept outputs take part in the second derivative: d/dx (g sin x) = g times the rule of the sine, sin x.
    const second = (x: Tensor): Tensor => grad((p: Tensor) => grad((q: Tensor) => both([q])[1].sum())(p).sum())(x);
    const [found] = await runFunction(referenceBackend(), (x) => second(x as Tensor), [array([2])]);
    expect(found?.data[0]).toBeCloseTo(Math.sin(2), 6);
    expect(new Set(seen)).toEqual(new Set(["true false", "false true"]));
  });
  test("stopGradient cuts one of two paths", async () => {
    expect(await gradientAt((x) => x.mul(x.stopGradient()), array([3]))).toEqual([3]);
  });
  test("parameters that the loss does not use get zeros, and aux comes back", async () => {
    const [loss, used, unused, aux] = await runFunction(
      referenceBackend(),
      (a, b) => {
        const [value, grads, doubled] = valueAndGrad(
          (p: { readonly a: Tensor; readonly b: Tensor }) => [p.a.square().sum(), p.a.mul(2)] as const,
          { aux: true },
        )({ a: a as Tensor, b: b as Tensor });
        return [value, grads.a, grads.b, doubled];
      },
      [array([1, 2]), array([5])],
    );
    expect([loss, used, unused, aux].map((x) => Array.from(x?.data ?? []))).toEqual([[5], [2, 4], [0], [2, 4]]);
  });
});
