import { afterAll, describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import { array } from "../../src/core/host-array.ts";
import * as nn from "../../src/nn/index.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { grad } from "../../src/trace/grad.ts";
import { Key } from "../../src/trace/random.ts";
import { candidates } from "../conformance/candidates.ts";
import { list, run } from "./run.ts";

const { functional: f } = nn;
const backends = [
  ["reference in f64", referenceBackend({ precision: "f64" })] as const,
  ...candidates.map(({ name, create }) => [name, create()] as const),
];
afterAll(() => Promise.all(backends.map(([, backend]) => backend.close())));

type Row = readonly [name: string, f: (x: Tensor) => Tensor, y: readonly number[], slope: readonly number[]];

const inf = Number.POSITIVE_INFINITY;
const selu = 1.0507009873554805;
/** At -Infinity, -3e38, -1e20, 1e20, 3e38 and Infinity: the limits of the function and its derivative. */
const x = [-inf, -3e38, -1e20, 1e20, 3e38, inf];
const [zero, one] = [
  [0, 0, 0],
  [1, 1, 1],
];
const rows: readonly Row[] = [
  ["relu", f.relu, [...zero, 1e20, 3e38, inf], [...zero, ...one]],
  ["relu6", f.relu6, [...zero, 6, 6, 6], [...zero, ...zero]],
  ["leakyRelu", (v) => f.leakyRelu(v, 0.5), [-inf, -1.5e38, -5e19, 1e20, 3e38, inf], [0.5, 0.5, 0.5, ...one]],
  ["elu", (v) => f.elu(v, 2), [-2, -2, -2, 1e20, 3e38, inf], [...zero, ...one]],
  [
    "selu",
    f.selu,
    [...one.map((v) => -1.7580993408473766 * v), selu * 1e20, selu * 3e38, inf],
    [...zero, selu, selu, selu],
  ],
  ["celu", (v) => f.celu(v, 2), [-2, -2, -2, 1e20, 3e38, inf], [...zero, ...one]],
  ["gelu", (v) => f.gelu(v), [...zero, 1e20, 3e38, inf], [...zero, ...one]],
  ["gelu by tanh", (v) => f.gelu(v, { approximate: "tanh" }), [...zero, 1e20, 3e38, inf], [...zero, ...one]],
  ["silu", f.silu, [...zero, 1e20, 3e38, inf], [...zero, ...one]],
  ["mish", f.mish, [...zero, 1e20, 3e38, inf], [...zero, ...one]],
  ["softplus", (v) => f.softplus(v), [...zero, 1e20, 3e38, inf], [...zero, ...one]],
  ["sigmoid", f.sigmoid, [...zero, ...one], [...zero, ...zero]],
  ["logSigmoid", f.logSigmoid, [-inf, -3e38, -1e20, ...zero], [...one, ...zero]],
  ["hardSigmoid", f.hardSigmoid, [...zero, ...one], [...zero, ...zero]],
  ["hardSwish", f.hardSwish, [...zero, 1e20, 3e38, inf], [...zero, ...one]],
  ["hardTanh", (v) => f.hardTanh(v), [-1, -1, -1, ...one], [...zero, ...zero]],
  ["tanh", f.tanh, [-1, -1, -1, ...one], [...zero, ...zero]],
  ["tanhshrink", f.tanhshrink, [-inf, -3e38, -1e20, 1e20, 3e38, inf], [...one, ...one]],
  ["softshrink", (v) => f.softshrink(v), [-inf, -3e38, -1e20, 1e20, 3e38, inf], [...one, ...one]],
  ["hardshrink", (v) => f.hardshrink(v), [-inf, -3e38, -1e20, 1e20, 3e38, inf], [...one, ...one]],
  ["threshold", (v) => f.threshold(v, 1, 7), [7, 7, 7, 1e20, 3e38, inf], [...zero, ...one]],
  ["softsign", f.softsign, [-1, -1, -1, ...one], [...zero, ...zero]],
];

describe.each(backends)("activations on %s", (_name, backend) => {
  test.each(rows)(
    "%s at infinity and far out is its limit, twice differentiated without NaN",
    async (_, apply, y, slope) => {
      const first = (v: Tensor): Tensor => grad((z: Tensor) => apply(z).sum())(v);
      const results = await run(backend, { x: array(x) }, (feed) => ({
        y: apply(feed("x")),
        slope: first(feed("x")),
        second: grad((v: Tensor) => first(v).sum())(feed("x")),
      }));
      // -0 is 0; 3e38 is rounded to single precision.
      const close = (got: readonly number[], want: readonly number[]): void =>
        got.forEach((value, i) => {
          const expected = want[i] as number;
          if (Number.isFinite(expected))
            expect(Math.abs(value - expected) / Math.max(1, Math.abs(expected))).toBeLessThan(1e-6);
          else expect(value).toBe(expected);
        });
      close(list(results.y), y);
      close(list(results.slope), slope);
      close(list(results.second), [...zero, ...zero]);
    },
  );

  test.each(rows)("%s of NaN is NaN", async (_, apply) => {
    const results = await run(backend, { x: array([Number.NaN, 1]) }, (feed) => ({ y: apply(feed("x")) }));
    expect(results.y?.[0]).toBeNaN();
    expect(results.y?.[1]).not.toBeNaN();
  });

  test("prelu's weight has a finite gradient where x is infinite", async () => {
    const { dw } = await run(backend, { x: array([inf, -2, 3]), w: array([0.5]) }, (feed) => ({
      dw: grad((w: Tensor) => f.prelu(feed("x"), w).sum())(feed("w")),
    }));
    expect(list(dw)).toEqual([-2]);
  });
});

test("rrelu draws a slope for each negative element in training, and takes their mean else", async () => {
  const x = array(Array.from({ length: 3000 }, (_, i) => (i % 3 === 0 ? 2 : -1 - (i % 5))));
  const layer = nn.model(nn.rrelu({ lower: 0.25, upper: 0.75 }));
  const slopes = async (training: boolean): Promise<readonly number[]> => {
    const { y, dx } = await run(referenceBackend(), { x, key: array([1, 2], [2], "i32") }, (feed) => {
      const apply = (v: Tensor): Tensor => layer.apply({}, {}, v, { training, key: new Key(feed("key")) })[0];
      return { y: apply(feed("x")), dx: grad((v: Tensor) => apply(v).sum())(feed("x")) };
    });
    list(y).forEach((value, i) => {
      expect(value).toBe(Math.fround((x.data[i] as number) * (dx?.[i] as number)));
      if (i % 3 === 0) expect(dx?.[i]).toBe(1);
    });
    return list(dx).filter((_, i) => i % 3 !== 0);
  };
  const drawn = await slopes(true);
  expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0.25);
  expect(Math.max(...drawn)).toBeLessThan(0.75);
  expect(new Set(drawn).size).toBeGreaterThan(1990);
  // Of 2000 uniform in a width of 0.5 the mean deviates by 0.0032; this is five of it.
  expect(Math.abs(drawn.reduce((sum, v) => sum + v, 0) / drawn.length - 0.5)).toBeLessThan(0.016);
  expect(new Set(await slopes(false))).toEqual(new Set([0.5]));
});
