import { describe, expect, test } from "vitest";
import type { Aval } from "../../src/core/dtype.ts";
import { HostArray } from "../../src/core/host-array.ts";
import type { Tree } from "../../src/core/tree.ts";
import * as nn from "../../src/nn/index.ts";
import { primitiveNames } from "../../src/ops/table.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { cond, scan, whileLoop } from "../../src/trace/control.ts";
import { grad } from "../../src/trace/grad.ts";
import { Key } from "../../src/trace/random.ts";
import { ROWS } from "../../src/train/onnx/rows.ts";
import { type Checked, checkExport } from "./check.ts";

const f = (...shape: number[]): Aval => ({ dtype: "f32", shape });
const i = (...shape: number[]): Aval => ({ dtype: "i32", shape });

type Inputs = Readonly<Record<"x" | "y" | "m" | "n" | "picture", Tensor>>;
const sample: Readonly<Record<keyof Inputs, Aval>> = { x: f(4), y: f(4), m: i(4), n: i(4), picture: f(2, 5, 6) };

/** A layer of these expressions. */
const layerOf = (
  outputs: (inputs: Inputs) => Readonly<Record<string, Tensor>>,
): nn.Layer<Inputs, Record<string, Tensor>> => nn.compose({}, outputs) as never;

const check = (outputs: (inputs: Inputs) => Readonly<Record<string, Tensor>>, more: Partial<Checked> = {}) =>
  checkExport({ layer: layerOf(outputs), sample: sample as Tree<Aval>, indices: 40, ...more });

const bind = (name: string, params: object, ...inputs: readonly [Tensor, ...Tensor[]]): Tensor =>
  inputs[0].trace.bind(name, params as never, inputs)[0] as Tensor;

type Expression = (inputs: Inputs) => Readonly<Record<string, Tensor>>;

/** An expression of each primitive that has a row. */
const EXPRESSIONS: { readonly [primitive: string]: Expression } = {
  neg: ({ x, m }) => ({ f: x.neg(), i: m.neg() }),
  abs: ({ x, m }) => ({ f: x.abs(), i: m.sub(20).abs() }),
  sign: ({ x, m }) => ({ f: x.sign(), i: m.sub(20).sign() }),
  exp: ({ x }) => ({ f: x.exp() }),
  // A result of 1e-6 has as many digits as others.
  expm1: ({ x }) => ({ f: x.expm1(), tiny: x.mul(1e-6).expm1(), far: x.mul(60).minimum(80).expm1().mul(1e-30) }),
  log: ({ x }) => ({ f: x.abs().log(), negative: x.log() }),
  log1p: ({ x }) => ({ f: x.abs().log1p(), tiny: x.mul(1e-6).log1p(), far: x.abs().mul(1e30).log1p() }),
  sqrt: ({ x }) => ({ f: x.abs().sqrt() }),
  sin: ({ x }) => ({ f: x.mul(9).sin() }),
  cos: ({ x }) => ({ f: x.mul(9).cos() }),
  tanh: ({ x }) => ({ f: x.tanh() }),
  sigmoid: ({ x }) => ({ f: x.sigmoid() }),
  erf: ({ x }) => ({ f: x.erf() }),
  floor: ({ x }) => ({ f: x.mul(3).floor() }),
  ceil: ({ x }) => ({ f: x.mul(3).ceil() }),
  round: ({ x, m }) => ({ f: x.mul(3).round(), ties: m.cast("f32").div(2).round() }),
  relu: ({ x, m }) => ({ f: x.relu(), i: bind("relu", {}, m.sub(20)) }),
  stopGradient: ({ x }) => ({ f: x.stopGradient() }),
  alias: ({ x }) => ({ f: bind("alias", {}, x) }),
  not: ({ x }) => ({ b: x.less(0).not() }),
  add: ({ x, y, m, n }) => ({ f: x.add(y), i: m.add(n), c: x.add(2) }),
  sub: ({ x, y, m, n }) => ({ f: x.sub(y), i: m.sub(n) }),
  mul: ({ x, y, m, n }) => ({ f: x.mul(y), i: m.mul(n) }),
  div: ({ x, y, m, n }) => ({ f: x.div(y), i: m.sub(20).div(n.rem(4)), c: m.div(3) }),
  rem: ({ x, y, m, n }) => ({ f: x.mul(7).rem(y), i: m.sub(20).rem(n.rem(4)) }),
  pow: ({ x, y }) => ({ f: x.abs().pow(y), square: x.pow(2) }),
  max: ({ x, y, m, n }) => ({ f: x.maximum(y), i: m.maximum(n) }),
  min: ({ x, y, m, n }) => ({ f: x.minimum(y), i: m.minimum(n) }),
  and: ({ x, y, m, n }) => ({ b: x.less(0).and(y.less(0)), i: m.sub(20).and(n) }),
  or: ({ x, y, m, n }) => ({ b: x.less(0).or(y.less(0)), i: m.sub(20).or(n) }),
  xor: ({ x, y, m, n }) => ({ b: x.less(0).xor(y.less(0)), i: m.sub(20).xor(n) }),
  shl: ({ m, n }) => ({ i: m.sub(20).shiftLeft(n.rem(32)) }),
  shr: ({ m, n }) => ({ i: m.sub(20).shiftRight(n.rem(32)) }),
  eq: ({ m, n, x, y }) => ({
    i: m.rem(3).equal(n.rem(3)),
    f: x.round().equal(y.round()),
    b: x.less(0).equal(y.less(0)),
  }),
  ne: ({ m, n, x, y }) => ({ i: m.rem(3).notEqual(n.rem(3)), b: x.less(0).notEqual(y.less(0)) }),
  lt: ({ m, n, x, y }) => ({ i: m.less(n), f: x.less(y), u: m.cast("u8").less(n.cast("u8")) }),
  le: ({ m, n, x, y }) => ({ i: m.rem(3).lessEqual(n.rem(3)), f: x.lessEqual(y) }),
  gt: ({ m, n, x, y }) => ({ i: m.greater(n), f: x.greater(y) }),
  ge: ({ m, n, x, y }) => ({ i: m.rem(3).greaterEqual(n.rem(3)), f: x.greaterEqual(y) }),
  select: ({ x, y, m, n }) => ({
    f: x.less(y).select(x, y),
    i: x.less(y).select(m, n),
    b: x.less(y).select(x.less(0), y.less(0)),
    clipped: x.clip(-0.5, 0.25),
  }),
  cast: ({ x, m }) => ({
    toI32: x.mul(3).cast("i32"),
    toBool: x.mul(3).cast("i32").cast("bool"),
    toF32: m.cast("f32"),
    u8: x.mul(300).cast("u8").cast("i32"),
  }),
  full: ({ x }) => ({ f: x.full(3, x.shape), mean: x.sub(x.mean(0)), count: x.mul(x.shape[0] as number) }),
  array: ({ x }) => ({ f: x.mul(x.constant(new HostArray("f32", [4], Float32Array.of(1, 2, 3, 4)))) }),
  iota: ({ x }) => ({ fixed: x.iota(x.shape, 1), batch: x.iota(x.shape, 0), f: x.iota(x.shape, 0, "f32").mul(x) }),
  reshape: ({ x, picture }) => ({
    flat: picture.reshape([picture.shape[0] as number, -1]),
    joined: picture
      .reshape([-1, 6])
      .sum(1)
      .reshape([x.shape[0] as number, 10]),
    repeated: x.full(2, [x.shape[0] as number, 6]).reshape([x.shape[0] as number, 2, 3]),
  }),
  transpose: ({ x, picture }) => ({
    p: picture.transpose([0, 3, 1, 2]),
    x: x.transpose().matmul(x).sum().broadcastTo(x.shape),
  }),
  broadcast: ({ x, picture }) => ({
    channel: picture.add(x.narrow(1, 0, 2).broadcastTo(picture.shape, [0, 1])),
    out: x.sum(0).broadcastTo(x.shape),
    middle: x.broadcastTo([x.shape[0] as number, 3, 4], [0, 2]),
  }),
  slice: ({ x, picture }) => {
    const [n, c, h, w] = picture.shape as [number, number, number, number];
    return {
      strided: picture.slice([0, 0, 1, 0], [n, c, h, w], [1, 1, 2, 3]),
      repeated: x.sum(0).broadcastTo(x.shape).narrow(1, 1, 2),
      last: x.slice([n - 1, 0], [n, 4]).broadcastTo(x.shape),
    };
  },
  pad: ({ x, m }) => ({
    f: x.pad([0, 1], [0, 2], 7),
    infinite: x.pad([0, 0], [0, 1], -Infinity),
    i: m.pad([0, 1], [0, 0], 3),
  }),
  flip: ({ x, picture }) => ({ x: x.flip(1), both: picture.flip([2, 3]), batch: x.flip(0) }),
  concatenate: ({ x, y, m }) => ({ f: x.concat([y, x.full(2, [x.shape[0] as number, 1])], 1), i: m.concat([m], 1) }),
  sum: ({ x, m, picture }) => ({
    f: picture.sum([1, 3]),
    i: m.sum(1),
    repeated: x.full(2, [x.shape[0] as number, 3]).sum(1),
  }),
  reduceMax: ({ m, picture }) => ({ f: picture.max([2, 3]), i: m.max(1) }),
  reduceMin: ({ m, picture }) => ({ f: picture.min([2, 3]), i: m.min(1) }),
  argmax: ({ x, m, picture }) => ({ f: x.argmax(1), i: m.argmax(1), ties: x.round().argmax(1), p: picture.argmax(2) }),
  dot: ({ x, y, picture }) => ({
    outer: x.unsqueeze(-1).matmul(y.unsqueeze(1)),
    batched: picture.matmul(picture.swapAxes(-1, -2)),
    shared: picture.matmul(x.full(1, [6, 2])),
    plain: x.matmul(
      x.constant(
        new HostArray(
          "f32",
          [4, 2],
          Float32Array.from({ length: 8 }, (_, k) => k),
        ),
      ),
    ),
  }),
  conv2d: ({ picture }) => ({ f: picture.conv2d(weight(picture, [3, 2, 2, 3]), { padding: [1, 0] }) }),
  convInputGrad: ({ picture }) => ({
    f: picture.convTranspose2d(weight(picture, [2, 3, 2, 3]), { stride: [3, 2], padding: 1, outputPadding: [2, 0] }),
  }),
  maxPool: ({ picture }) => ({
    f: picture.maxPool2d([2, 3], {
      stride: 1,
      padding: [
        [1, 0],
        [0, 1],
      ],
    }),
  }),
  sumPool: ({ picture }) => ({
    f: picture.sumPool2d([2, 3], {
      stride: 1,
      padding: [
        [1, 0],
        [0, 1],
      ],
    }),
  }),
  gather: ({ x, m, picture }) => ({
    byData: x.sum(0).gather(m.sub(10)),
    axis: picture.gather(picture.iota([2, 2], 1).mul(3), 3),
    batch: x.gather(x.iota([x.shape[0] as number], 0).mul(2)),
  }),
  scatterAdd: ({ x, m, picture }) => ({
    f: picture.scatterAdd(picture.iota([6], 0).rem(4), 3, 5),
    histogram: x.scatterAdd(m.sub(2), 0, 9).broadcastTo([x.shape[0] as number, 9]),
  }),
};

const weight = (at: Tensor, shape: readonly number[]): Tensor => {
  const count = shape.reduce((a, b) => a * b, 1);
  return at.constant(
    new HostArray(
      "f32",
      shape,
      Float32Array.from({ length: count }, (_, k) => Math.sin(k)),
    ),
  );
};

test("every primitive has a row that is tried, or says why it has none", () => {
  const names = primitiveNames.filter((name) => typeof ROWS[name] === "function");
  expect(Object.keys(EXPRESSIONS).sort()).toEqual([...names].sort());
  for (const name of primitiveNames) {
    const row = ROWS[name];
    if (typeof row !== "function") expect(row.refused).toMatch(/^\S+( \S+)+$/);
  }
});

describe("onnxruntime gives what the oracle gives for", () => {
  // Batches that the oracle does not fill up, since some expressions look at the whole batch.
  test.each(Object.entries(EXPRESSIONS))("%s", async (_, expression) => {
    await check(expression, { batches: [1, 2, 4] });
  });
});

describe("control flow", () => {
  const turns = (x: Tensor) => x.full(0, [], "i32");

  test("a scan with stacked outputs, from the end, over captured values", async () => {
    await check(({ x, y, picture }) => {
      const xs = picture.transpose([3, 0, 1, 2]).sum([2, 3]);
      const step = (carry: Tensor, each: Tensor): readonly [Tensor, Tensor] => {
        const next = carry.mul(0.5).add(each.unsqueeze(-1)).add(y);
        return [next, next.sum(1)];
      };
      const [last, all] = scan(step, x, xs, { reverse: true });
      const [other] = scan(step, x.zerosLike(), xs);
      return { last, all: all.swapAxes(0, 1), other };
    });
  });

  test("a scan over nothing", async () => {
    await check(({ x }) => {
      const [last] = scan((carry: Tensor) => [carry.mul(1.5), {}] as const, x, {} as Record<string, Tensor>, {
        length: 3,
      });
      return { last };
    });
  });

  test("a loop that ends by its values", async () => {
    await check(
      ({ x, y }) => {
        const limit = y.abs().sum().mul(10);
        const { count, value } = whileLoop(
          ({ value }) => value.sum().less(limit),
          ({ count, value }) => ({ count: count.add(1), value: value.mul(2).add(y.abs()) }),
          { count: turns(x), value: x.abs() },
        );
        return { value, count: count.broadcastTo([x.shape[0] as number]) };
      },
      { batches: [1, 2, 4] },
    );
  });

  test("a choice", async () => {
    await check(
      ({ x, y }) => {
        const choose = (test: Tensor): Tensor =>
          cond(
            test,
            (own: Tensor) => own.add(1),
            (own: Tensor) => own.mul(y),
            x,
          );
        return {
          yes: choose(x.sum().less(1e9)),
          no: choose(x.sum().less(-1e9)),
          same: cond(
            x.sum().less(0),
            (own: Tensor) => own,
            () => y,
            x,
          ),
        };
      },
      { batches: [1, 2, 4] },
    );
  });
});

describe("what is refused says so", () => {
  test("random numbers", async () => {
    const noisy: Expression = ({ x }) => {
      const key = new Key(x.constant(new HostArray("i32", [2], Int32Array.of(1, 2))));
      return { x: x.add(key.normal(x.shape)) };
    };
    await expect(check(noisy)).rejects.toThrow(
      /^exportOnnx: got randomBits .*, which has no form in ONNX: ONNX has no random numbers that can be repeated\.$/,
    );
  });

  test("a derivative's own primitive", async () => {
    const slope: Expression = ({ picture }) => ({ d: grad((p: Tensor) => p.sumPool2d(2).square().sum())(picture) });
    await expect(check(slope)).rejects.toThrow(
      "exportOnnx: got sumUnpool (at compose), which has no form in ONNX: it is part of a derivative.",
    );
  });

  test("a program of another form for each batch, unless the batch is fixed", async () => {
    const odd: Expression = ({ x }) => ({ x: x.mul(Math.sqrt(x.shape[0] as number)) });
    await expect(check(odd)).rejects.toThrow(
      "exportOnnx: what the model computes depends on the batch's size in more than its shapes (at compose: full); expected the same for all. Hint: { batch: 1 } makes a graph for batches of one size.",
    );
    await check(odd, { options: { batch: 4 }, batches: [4] });
  });
});
