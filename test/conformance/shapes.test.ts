import { afterAll, describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import { runFunction } from "../../src/compile/run-function.ts";
import { sizeOf } from "../../src/core/dtype.ts";
import { array, HostArray } from "../../src/core/host-array.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { Random } from "../../src/testing/index.ts";
import { call, cond, scan, whileLoop } from "../../src/trace/control.ts";
import { grad, valueAndGrad } from "../../src/trace/grad.ts";
import { Key } from "../../src/trace/random.ts";
import { candidates } from "./candidates.ts";

type Function = (...inputs: readonly Tensor[]) => Tensor | readonly Tensor[];

function normal(seed: number, ...shape: number[]): HostArray {
  const random = new Random(seed);
  const value = (): number => Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());
  return new HostArray("f32", shape, Float32Array.from({ length: sizeOf(shape) }, value));
}

/** f, and the gradients of a weighted sum of its squares in all its inputs. */
const pulls =
  (f: (...inputs: readonly Tensor[]) => Tensor): Function =>
  (...inputs) => {
    const loss = (all: readonly Tensor[]): Tensor => {
      const y = f(...all);
      return y
        .square()
        .mul(y.constant(normal(99, ...y.shape)))
        .sum();
    };
    return [f(...inputs), ...grad(loss)(inputs)];
  };

/** Shapes beside the sizes of vectors, tiles and blocks. */
const cases: readonly (readonly [string, Function, readonly HostArray[]])[] = [
  ...[
    [1, 1, 1],
    [1, 7, 1],
    [5, 1, 9],
    [1, 64, 10],
    [4, 16, 16],
    [6, 16, 17],
    [17, 33, 65],
    [31, 127, 5],
    [64, 784, 10],
    [13, 300, 130],
    // Several blocks of rows, rows and columns left over, and both operands packed.
    [197, 131, 75],
    [38, 205, 193],
    // Every width of what is left over of panels of 6, 8 and 16, and of blocks of 4 and 16 along k.
    ...[1, 2, 3, 4, 5].map((left) => [36 + left, 128 + 3 * left, 96 + left]),
    ...[6, 7, 9, 10, 11, 12, 13, 14, 15].map((left) => [48, 144 + left, 96 + left]),
  ].map(
    ([m, k, n]) =>
      [
        `matmul ${m} x ${k} x ${n} and its gradients`,
        pulls((a, b) => (a as Tensor).matmul(b as Tensor)),
        [normal(1, m as number, k as number), normal(2, k as number, n as number)],
      ] as const,
  ),
  [
    "matmul of batches",
    pulls((a, b) => (a as Tensor).matmul(b as Tensor)),
    [normal(1, 3, 2, 5, 7), normal(2, 3, 2, 7, 11)],
  ],
  [
    "matmul of a broadcast batch",
    pulls((a, b) => (a as Tensor).matmul(b as Tensor)),
    [normal(1, 3, 5, 7), normal(2, 1, 7, 9)],
  ],
  [
    "matmul through transposes",
    pulls((a, b) => (a as Tensor).transpose().matmul((b as Tensor).transpose())),
    [normal(1, 19, 6), normal(2, 23, 19)],
  ],
  [
    "matmul of packed batches",
    pulls((a, b) => (a as Tensor).transpose([0, 2, 1]).matmul((b as Tensor).transpose([0, 2, 1]))),
    [normal(1, 2, 120, 41), normal(2, 2, 35, 120)],
  ],
  [
    "matmul through transposes of packed operands",
    pulls((a, b) => (a as Tensor).transpose().matmul((b as Tensor).transpose())),
    [normal(1, 101, 203), normal(2, 77, 101)],
  ],
  [
    "a linear layer with bias and relu",
    pulls((x, w, b) =>
      (x as Tensor)
        .matmul((w as Tensor).transpose())
        .add(b as Tensor)
        .relu(),
    ),
    [normal(1, 33, 20), normal(2, 17, 20), normal(3, 17)],
  ],
  ...(
    [
      ["3x3, 1 channel", [2, 1, 28, 28], [32, 1, 3, 3], {}],
      ["3x3, padded", [3, 5, 13, 11], [9, 5, 3, 3], { padding: 1 }],
      ["3x3, 16 to 33 channels", [2, 16, 9, 9], [33, 16, 3, 3], {}],
      ["5x5, stride 2", [2, 3, 17, 15], [8, 3, 5, 5], { stride: 2, padding: 2 }],
      ["1x1", [2, 7, 6, 6], [12, 7, 1, 1], {}],
      ["1x1, stride 3", [2, 4, 10, 7], [5, 4, 1, 1], { stride: 3 }],
      ["depthwise", [2, 6, 9, 8], [6, 1, 3, 3], { groups: 6, padding: "same" }],
      ["grouped", [2, 6, 8, 8], [10, 3, 3, 3], { groups: 2 }],
      ["dilated", [1, 3, 14, 12], [4, 3, 3, 2], { dilation: [2, 3], padding: [1, 2] }],
      ["kernel of the image's size", [4, 3, 5, 6], [7, 3, 5, 6], {}],
      ["even kernel, same", [1, 2, 6, 7], [3, 2, 4, 2], { padding: "same" }],
      ["one image row", [1, 3, 1, 40], [4, 3, 1, 5], { stride: [1, 2] }],
    ] as const
  ).map(
    ([name, x, w, options]) =>
      [
        `convolution ${name}, and its gradients`,
        pulls((a, b) => (a as Tensor).conv2d(b as Tensor, options)),
        [normal(1, ...x), normal(2, ...w)],
      ] as const,
  ),
  [
    "convolution, bias, relu and pooling in a row",
    pulls((x, w, b) =>
      (x as Tensor)
        .conv2d(w as Tensor)
        .add((b as Tensor).reshape([1, 8, 1, 1]))
        .relu()
        .maxPool2d(2),
    ),
    [normal(1, 3, 2, 12, 12), normal(2, 8, 2, 3, 3), normal(3, 8)],
  ],
  [
    "pooling with overlap, padding and a rest",
    pulls((x) =>
      (x as Tensor).maxPool2d(3, { stride: 2, padding: 1 }).add((x as Tensor).avgPool2d(3, { stride: 2, padding: 1 })),
    ),
    [normal(1, 2, 5, 11, 8)],
  ],
  ...[
    [[1000003], [0]],
    [[7, 1001], [0]],
    [[7, 1001], [1]],
    [
      [5, 6, 7, 8],
      [1, 3],
    ],
    [
      [5, 6, 7, 8],
      [0, 2],
    ],
    [[3, 1, 5], [1]],
    [
      [33, 65],
      [0, 1],
    ],
  ].map(
    ([shape, axes]) =>
      [
        `reductions of [${shape}] over [${axes}]`,
        ((x) => {
          const t = x as Tensor;
          return [
            t.sum(axes),
            t.mean(axes),
            t.max(axes),
            t.min(axes),
            t.square().sum(axes),
            t.argmax((axes as number[])[0] as number),
          ];
        }) as Function,
        [normal(1, ...(shape as number[]))],
      ] as const,
  ),
  [
    "elementwise of a million",
    (x) =>
      (x as Tensor)
        .mul(2)
        .add(1)
        .tanh()
        .mul(x as Tensor),
    [normal(1, 1000003)],
  ],
  [
    "softmax cross entropy, and its gradient",
    (x, at) =>
      valueAndGrad((logits: Tensor) =>
        logits
          .logSoftmax()
          .mul((at as Tensor).oneHot(10))
          .sum()
          .mul(-1 / 37),
      )(x as Tensor),
    [normal(1, 37, 10), array(Int32Array.from({ length: 37 }, (_, i) => (i * 7) % 10))],
  ],
  [
    "softmax of large and infinite logits",
    (x) => [(x as Tensor).softmax(), (x as Tensor).logSumExp()],
    [array(Float32Array.of(1000, 1001, 999, -Infinity, 0, -1000), [2, 3])],
  ],
  [
    "batch normalisation, and its gradient",
    pulls((x, scale, shift) => {
      const t = x as Tensor;
      const mean = t.mean([0, 2, 3], { keepDims: true });
      const variance = t.variance([0, 2, 3], { keepDims: true });
      const centred = t.sub(mean).mul(variance.add(1e-5).rsqrt());
      return centred.mul((scale as Tensor).reshape([1, 5, 1, 1])).add((shift as Tensor).reshape([1, 5, 1, 1]));
    }),
    [normal(1, 4, 5, 6, 7), normal(2, 5), normal(3, 5)],
  ],
  [
    "a chain of movements",
    (x) => {
      const t = x as Tensor;
      const a = t.transpose([2, 0, 1]).flip(1).pad([1, 0, 2], [0, 1, 0], 3).slice([0, 1, 0], [6, 4, 6], [2, 1, 3]);
      return [
        a,
        a.reshape([-1]).concat([a.reshape([-1]).flip(0)], 0),
        a.unsqueeze(1).broadcastTo([3, 4, 3, 2]).sum([1, 3]),
      ];
    },
    [normal(1, 3, 4, 5)],
  ],
  [
    "normal numbers",
    (key) => new Key(key as Tensor).fold("layer").fold(3).normal([1001]),
    [array(Int32Array.of(7, -9))],
  ],
  [
    "dropout by a key, and its gradient",
    (x, key) =>
      grad((p: Tensor) => new Key(key as Tensor).bernoulli(0.5, p.shape).select(p.mul(2), 0).square().sum())(
        x as Tensor,
      ),
    [normal(1, 64, 33), array(Int32Array.of(1, 2))],
  ],
  [
    "a recurrent scan, and its gradients",
    pulls((h, xs, w) => {
      const [last, all] = scan(
        (carry: Tensor, x: Tensor) => {
          const next = carry
            .matmul(w as Tensor)
            .add(x)
            .tanh();
          return [next, next.sum(1)];
        },
        h as Tensor,
        xs as Tensor,
      );
      return last.add(all.sum(0).unsqueeze(1));
    }),
    [normal(1, 3, 6), normal(2, 9, 3, 6), normal(3, 6, 6)],
  ],
  [
    "control flow inside control flow",
    (x, n) => {
      const count = n as Tensor;
      const [out] = scan(
        (c: Tensor, v: Tensor) => {
          const next = cond(
            v.sum().greater(0),
            (y: Tensor) => call("step", (z: Tensor) => z.mul(0.5).add(v), y),
            (y) =>
              whileLoop(
                (s: { readonly y: Tensor; readonly i: Tensor }) => s.i.less(count),
                (s) => ({ y: s.y.sub(v), i: s.i.add(1) }),
                { y, i: count.full(0) },
              ).y,
            c,
          );
          return [next, next.max()];
        },
        (x as Tensor).slice([0, 0], [1, 5]).reshape([5]),
        x as Tensor,
        { reverse: true },
      );
      return out;
    },
    [normal(1, 8, 5), array(3, [], "i32")],
  ],
];

describe.each(candidates)("$name", ({ create }) => {
  const backend = create();
  afterAll(() => backend.close());

  test.each(cases)("%s", async (_, f, inputs) => {
    const exact = await runFunction(referenceBackend({ precision: "f64" }), f, inputs);
    const got = await runFunction(backend, f, inputs);
    for (const [i, { data, shape, dtype }] of exact.entries()) {
      const actual = got[i] as HostArray;
      expect(actual.shape).toEqual(shape);
      let scale = 0;
      let worst = 0;
      for (let k = 0; k < data.length; k++) {
        const [a, b] = [actual.data[k] as number, data[k] as number];
        if (Number.isFinite(b)) scale = Math.max(scale, Math.abs(b));
        worst = Math.max(worst, Object.is(a, b) ? 0 : Number.isNaN(a - b) ? Infinity : Math.abs(a - b));
      }
      // Rounding of sums of up to a million terms stays below 1e-5 of the largest element.
      expect(worst, `output ${i}`).toBeLessThanOrEqual(dtype === "f32" ? 1e-5 * scale : 0);
    }
    expect(got.length).toBe(exact.length);
  });
});
