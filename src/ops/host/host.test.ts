import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sizeOf } from "../../core/dtype.ts";
import { array, HostArray } from "../../core/host-array.ts";
import { bitsAt } from "../../core/prng.ts";
import { conv2dHost, convInputGradHost, convWeightGradHost, dotHost } from "./contract.ts";
import { castHost, erf, mapBinary, mapUnary, roundTiesToEven, selectHost } from "./elementwise.ts";
import {
  broadcastHost,
  concatenateHost,
  flipHost,
  gatherHost,
  iotaHost,
  padHost,
  scatterAddHost,
  sliceHost,
  transposeHost,
  unsliceHost,
} from "./move.ts";
import { maxPickHost, maxPoolHost, maxUnpoolHost, sumPoolHost, sumUnpoolHost } from "./pool.ts";
import { randomBitsHost } from "./random.ts";
import { argmaxHost, reduceHost } from "./reduce.ts";

const values = (x: HostArray): number[] => Array.from(x.data);
/** Doubles that differ from element to element. */
const ramp = (shape: readonly number[], scale = 1): HostArray =>
  new HostArray(
    "f32",
    shape,
    Float64Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(1 + i * scale)),
  );
const inner = (a: HostArray, b: HostArray): number =>
  values(a).reduce((sum, x, i) => sum + x * (b.data[i] as number), 0);

describe("elementwise", () => {
  // math.erf of CPython 3.
  const known = [
    [1e-300, 1.1283791670955126e-300],
    [1e-9, 1.1283791670955127e-9],
    [0.1, 0.1124629160182849],
    [0.5, 0.5204998778130465],
    [0.84, 0.7651427114549946],
    [0.9, 0.7969082124228322],
    [1.2, 0.9103139782296353],
    [1.3, 0.9340079449406524],
    [2.8, 0.9999249868053346],
    [2.9, 0.9999589021219005],
    [4, 0.9999999845827421],
    [6, 1],
  ] as const;
  test.each(known)("erf(%f) is within an ULP of %f, and odd", (x, y) => {
    expect(Math.abs(erf(x) - y)).toBeLessThanOrEqual(y * 2 ** -52);
    expect(erf(-x)).toBe(-erf(x));
  });
  test("erf of the ends of the line", () => {
    expect([erf(Infinity), erf(-Infinity), erf(NaN), erf(-0)]).toEqual([1, -1, NaN, -0]);
  });
  test("rounding takes ties to even and keeps the sign of zero", () => {
    const from = [-2.5, -1.5, -0.5, -0.4, 0.5, 1.5, 2.5, 2.6, 1e20, Infinity];
    expect(from.map(roundTiesToEven)).toEqual([-2, -2, -0, -0, 0, 2, 2, 3, 1e20, Infinity]);
    expect(roundTiesToEven(NaN)).toBe(NaN);
  });
  test("results are doubles when an f32 input holds doubles, and rounded otherwise", () => {
    const third = (x: number): number => x / 3;
    expect(values(mapUnary(third, array([1])))).toEqual([Math.fround(1 / 3)]);
    expect(values(mapUnary(third, array(new Float64Array([1]), [1], "f32")))).toEqual([1 / 3]);
    const mixed = mapBinary((a, b) => a / b, array([1]), array(new Float64Array([3]), [1], "f32"));
    expect(values(mixed)).toEqual([1 / 3]);
  });
  test("booleans are 0 or 1, whatever the function returns", () => {
    expect(values(mapUnary((x) => x, array([0, 2, -3]), "bool"))).toEqual([0, 1, 1]);
    expect(values(mapBinary((a, b) => a - b, array([1, 5]), array([1, 3]), "bool"))).toEqual([0, 1]);
  });
  test("casts truncate and saturate", () => {
    const x = array([-1e10, -1.9, 1.9, 255.9, 300, 1e10, NaN]);
    expect(values(castHost(x, "i32"))).toEqual([-2147483648, -1, 1, 255, 300, 2147483647, 0]);
    expect(values(castHost(x, "u8"))).toEqual([0, 0, 1, 255, 255, 255, 0]);
    expect(values(castHost(array([0, -0, 0.1, NaN]), "bool"))).toEqual([0, 0, 1, 1]);
  });
  test("select takes from either side", () => {
    const picked = selectHost(array([true, false], [2], "bool"), array([1, 2]), array([3, 4]));
    expect(values(picked)).toEqual([1, 4]);
  });
});

describe("reductions", () => {
  const x = array([
    [1, NaN, 3],
    [7, 5, -6],
  ]);
  test("sum, max and min over axes", () => {
    expect(
      values(
        reduceHost(
          "sum",
          array([
            [1, 2],
            [3, 4],
          ]),
          [0],
        ),
      ),
    ).toEqual([4, 6]);
    expect(values(reduceHost("max", x, [1]))).toEqual([NaN, 7]);
    expect(values(reduceHost("min", x, [0]))).toEqual([1, NaN, -6]);
    expect(reduceHost("sum", x, [0, 1]).shape).toEqual([]);
  });
  test("i32 sums wrap", () => {
    const big = array(new Int32Array([2147483647, 1]));
    expect(values(reduceHost("sum", big, [0]))).toEqual([-2147483648]);
  });
  test("argmax takes the first of equals, and the first NaN", () => {
    expect(
      values(
        argmaxHost(
          array([
            [2, 9, 9],
            [NaN, 1, NaN],
          ]),
          1,
        ),
      ),
    ).toEqual([1, 0]);
    expect(values(argmaxHost(x, 0))).toEqual([1, 0, 0]);
  });
});

describe("contractions", () => {
  test("batched product", () => {
    const a = array([
      [
        [1, 2],
        [3, 4],
      ],
      [
        [0, 1],
        [1, 0],
      ],
    ]);
    const b = array([
      [
        [5, 6],
        [7, 8],
      ],
      [
        [1, 2],
        [3, 4],
      ],
    ]);
    expect(values(dotHost(a, b))).toEqual([19, 22, 43, 50, 3, 4, 1, 2]);
  });
  test("convolution with padding on one side, stride and groups", () => {
    // Group 0 sees channel 0 = [[1,2,3],[4,5,6],[7,8,9]], group 1 channel 1 = ten times that.
    const plane = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    const x = array(new Float32Array([...plane, ...plane.map((v) => 10 * v)]), [1, 2, 3, 3]);
    const w = array(new Float32Array([1, 0, 0, 1, 1, 1, 1, 1]), [2, 1, 2, 2]);
    const y = conv2dHost(x, w, {
      stride: [2, 1],
      padding: [
        [0, 0],
        [1, 0],
      ],
      dilation: [1, 1],
      groups: 2,
    });
    expect(y.shape).toEqual([1, 2, 1, 3]);
    expect(values(y)).toEqual([4, 6, 8, 50, 120, 160]);
  });
  const params = {
    stride: [2, 1],
    padding: [
      [1, 0],
      [2, 1],
    ],
    dilation: [1, 2],
    groups: 2,
  } as const;
  test("both gradients of a convolution are its transposes", () => {
    const [x, w] = [ramp([2, 4, 5, 6]), ramp([6, 2, 2, 3], 0.7)];
    const y = conv2dHost(x, w, params);
    const g = ramp(y.shape, 0.3);
    const product = inner(y, g);
    expect(inner(x, convInputGradHost(g, w, { ...params, inputShape: x.shape }))).toBeCloseTo(product, 10);
    expect(inner(w, convWeightGradHost(x, g, { ...params, kernelShape: w.shape }))).toBeCloseTo(product, 10);
  });
});

describe("pooling", () => {
  const params = {
    window: [3, 2],
    stride: [2, 2],
    padding: [
      [1, 1],
      [0, 1],
    ],
  } as const;
  test("the first of equals and the first NaN win; padding never does", () => {
    const window = {
      window: [2, 2],
      stride: [2, 2],
      padding: [
        [0, 0],
        [1, 1],
      ],
    } as const;
    const x = array(new Float32Array([-5, 3, 3, NaN, -5, 3, 2, NaN]), [1, 1, 2, 4]);
    const [y, index] = maxPoolHost(x, window);
    expect(values(y)).toEqual([-5, 3, NaN]);
    expect(values(index)).toEqual([1, 0, 0]);
  });
  test("a window of negative infinities still picks inside", () => {
    const x = array(new Float32Array(4).fill(-Infinity), [1, 1, 2, 2]);
    const [, index] = maxPoolHost(x, {
      window: [2, 2],
      stride: [1, 1],
      padding: [
        [1, 0],
        [1, 0],
      ],
    });
    expect(values(index)).toEqual([3, 2, 1, 0]);
  });
  test("unpooling is the transpose of picking and of summing, and picking finds the maximum", () => {
    const x = ramp([2, 3, 5, 5]);
    const [y, index] = maxPoolHost(x, params);
    const g = ramp(y.shape, 0.3);
    expect(values(maxPickHost(x, index, params))).toEqual(values(y));
    expect(inner(maxUnpoolHost(g, index, { ...params, inputShape: x.shape }), x)).toBeCloseTo(inner(g, y), 10);
    const sums = sumPoolHost(x, params);
    expect(inner(sumUnpoolHost(g, { ...params, inputShape: x.shape }), x)).toBeCloseTo(inner(g, sums), 10);
  });
});

describe("movement", () => {
  const x = array([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  test("transpose, flip and broadcast", () => {
    expect(values(transposeHost(x, [1, 0]))).toEqual([1, 4, 2, 5, 3, 6]);
    expect(values(flipHost(x, [1]))).toEqual([3, 2, 1, 6, 5, 4]);
    expect(values(broadcastHost(array([1, 2]), [2, 2], [0]))).toEqual([1, 1, 2, 2]);
    expect(values(broadcastHost(array([[1], [2]]), [2, 2, 1], [0, 1]))).toEqual([1, 1, 2, 2]);
  });
  test("slice, its transpose, and pad", () => {
    const part = sliceHost(x, [0, 0], [2, 3], [1, 2]);
    expect(values(part)).toEqual([1, 3, 4, 6]);
    expect(values(unsliceHost(part, [2, 3], [0, 0], [1, 2]))).toEqual([1, 0, 3, 4, 0, 6]);
    expect(values(padHost(array([[1]]), [0, 1], [1, 0], 9))).toEqual([9, 1, 9, 9]);
  });
  test("concatenate along an inner axis", () => {
    expect(values(concatenateHost([x, array([[7], [8]])], 1))).toEqual([1, 2, 3, 7, 4, 5, 6, 8]);
  });
  test("gather clamps; scatter adds repeated indices", () => {
    const at = array(
      [
        [2, -7],
        [99, 0],
      ],
      [2, 2],
      "i32",
    );
    expect(values(gatherHost(array([10, 20, 30]), at, 0))).toEqual([30, 10, 30, 10]);
    expect(
      values(
        scatterAddHost(
          array([
            [1, 2],
            [3, 4],
          ]),
          at,
          0,
          3,
        ),
      ),
    ).toEqual([6, 0, 4]);
  });
  test("scatterAdd is the transpose of gather", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 0, max: 2 }),
        fc.array(fc.integer({ min: -2, max: 6 }), { minLength: 1, maxLength: 5 }),
        (size, axis, picks) => {
          const shape = [2, 3, 2].map((n, i) => (i === axis ? size : n));
          const source = ramp(shape);
          const at = array(Int32Array.from(picks));
          const picked = gatherHost(source, at, axis);
          const g = ramp(picked.shape, 0.4);
          expect(inner(scatterAddHost(g, at, axis, size), source)).toBeCloseTo(inner(g, picked), 10);
        },
      ),
    );
  });
  test("iota counts along its axis", () => {
    expect(values(iotaHost([2, 3], 0, "i32"))).toEqual([0, 0, 0, 1, 1, 1]);
    expect(values(iotaHost([2, 3], 1, "f32"))).toEqual([0, 1, 2, 0, 1, 2]);
  });
});

test("random bits are those of the counter-based generator", () => {
  const bits = randomBitsHost(array(new Int32Array([3, -4])), [2, 2]);
  expect(values(bits).map((b) => b >>> 0)).toEqual([0, 1, 2, 3].map((i) => bitsAt([3, -4 >>> 0], i)));
});
