import { afterAll, describe, expect, test } from "vitest";
import type { Shape } from "../../src/core/dtype.ts";
import { HostArray } from "../../src/core/host-array.ts";
import * as nn from "../../src/nn/index.ts";
import type { Layer } from "../../src/nn/layer.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { grad } from "../../src/trace/grad.ts";
import { candidates } from "../conformance/candidates.ts";
import { list, run } from "./run.ts";

const aval = (...shape: number[]) => ({ dtype: "f32", shape }) as const;
const init = (layer: Layer, ...shape: number[]) => nn.model(nn.sequential(layer)).init(1, aval(...shape)).output.shape;
const infinity = Number.POSITIVE_INFINITY;

const backends = candidates.map(({ name, create }) => [name, create()] as const);
afterAll(() => Promise.all(backends.map(([, backend]) => backend.close())));

describe.each(backends)("infinities on %s", (_name, backend) => {
  const outputs = async (layer: Layer, shape: Shape, values: readonly number[]) => {
    const x = new HostArray("f32", shape, Float64Array.from(values));
    const { y, dx } = await run(backend, { x }, (feed) => {
      const f = (at: Tensor): Tensor => nn.model(layer).apply({}, {}, at)[0];
      return { y: f(feed("x")), dx: grad((at: Tensor) => f(at).sum())(feed("x")) };
    });
    return { y: list(y), dx: list(dx) };
  };

  test("padding does not win over -Infinity, and its gradient goes to the first position of the image", async () => {
    const lowest = new Array<number>(4).fill(-infinity);
    const { y, dx } = await outputs(nn.maxPool1d(2, { padding: 1 }), [1, 1, 4], lowest);
    expect(y).toEqual([-infinity, -infinity, -infinity]);
    expect(dx).toEqual([1, 1, 0, 1]);
    const dilated = await outputs(nn.maxPool1d(2, { stride: 1, dilation: 2 }), [1, 1, 4], [-infinity, 1, -infinity, 1]);
    expect(dilated).toEqual({ y: [-infinity, 1], dx: [1, 1, 0, 0] });
  });

  test("an infinite value stays within its windows", async () => {
    const values = [1, 2, infinity, 4, 5];
    expect((await outputs(nn.avgPool1d(2, { stride: 1 }), [1, 1, 5], values)).y).toEqual([
      1.5,
      infinity,
      infinity,
      4.5,
    ]);
    const mean = await outputs(nn.adaptiveAvgPool1d(4), [1, 1, 5], values);
    expect(mean).toEqual({ y: [1.5, infinity, infinity, 4.5], dx: [0.5, 1, 1, 1, 0.5] });
    const most = await outputs(nn.adaptiveMaxPool1d(4), [1, 1, 5], values);
    expect(most).toEqual({ y: [2, infinity, infinity, 5], dx: [0, 1, 2, 0, 1] });
    expect(
      (await outputs(nn.avgPool1d(3, { padding: 1, stride: 2, countIncludePad: false }), [1, 1, 5], values)).y,
    ).toEqual([1.5, infinity, 4.5]);
  });

  test("the largest of -Infinity alone, and NaN, come through", async () => {
    const lowest = new Array<number>(6).fill(-infinity);
    for (const layer of [nn.globalMaxPool1d(), nn.adaptiveMaxPool1d(1)])
      expect(await outputs(layer, [1, 1, 6], lowest)).toEqual({ y: [-infinity], dx: [1, 0, 0, 0, 0, 0] });
    for (const layer of [nn.globalMaxPool1d(), nn.adaptiveMaxPool1d(1), nn.maxPool1d(3, { dilation: 2 })])
      expect((await outputs(layer, [1, 1, 6], [1, 2, Number.NaN, 9, 5, 6])).y.some(Number.isNaN)).toBe(true);
  });
});

test("ceil mode leaves out a window that would begin in the padding after the image", () => {
  expect(init(nn.maxPool2d(2, { ceilMode: true }), 1, 1, 5, 5)).toEqual([1, 1, 3, 3]);
  expect(init(nn.maxPool2d(2, { stride: 3, padding: 1, ceilMode: true }), 1, 1, 5, 4)).toEqual([1, 1, 2, 2]);
  expect(init(nn.avgPool1d(3, { stride: 2, ceilMode: true }), 1, 1, 2)).toEqual([1, 1, 1]);
});

describe("what does not fit", () => {
  test("options", () => {
    expect(() => nn.maxPool1d(0)).toThrow("maxPool1d: got window 0; expected a positive integer.");
    expect(() => nn.maxPool2d(2, { stride: [1, 0] })).toThrow("maxPool2d: got stride 0; expected a positive integer.");
    expect(() => nn.maxPool2d(3, { dilation: 0.5 })).toThrow(
      "maxPool2d: got dilation 0.5; expected a positive integer.",
    );
    expect(() => nn.avgPool2d([2, 4], { padding: [0, 3] })).toThrow(
      "avgPool2d: got padding 3 and window 4; expected an integer from 0 to half of it.",
    );
    expect(() => nn.avgPool1d(2, { padding: -1 })).toThrow("avgPool1d: got padding -1 and window 2");
    expect(() => nn.avgPool2d(2, { divisorOverride: 0 })).toThrow(
      "avgPool2d: got divisorOverride 0; expected a number other than 0.",
    );
    expect(() => nn.lpPool2d(0, 2)).toThrow("lpPool2d: got p 0; expected a positive number.");
    expect(() => nn.adaptiveAvgPool2d([2, 0])).toThrow("adaptiveAvgPool2d: got size 0; expected a positive integer.");
  });

  test("inputs, with the layer's path", () => {
    expect(() => init(nn.maxPool1d(2), 1, 1, 4, 4)).toThrow(
      "sequential.0 (maxPool1d): got f32[1,1,4,4]; expected f32[N, C, L].",
    );
    expect(() => init(nn.maxPool1d(3, { dilation: 3 }), 2, 5, 6)).toThrow(
      "sequential.0 (maxPool1d): got f32[2,5,6] and a window that reaches over 7 with padding 0; expected one no larger than the padded sequence.",
    );
    expect(() => init(nn.avgPool2d(5, { padding: 1 }), 2, 5, 6, 2)).toThrow(
      "sequential.0 (avgPool2d): got f32[2,5,6,2] and a window that reaches over 5 with padding 1; expected one no larger than the padded image.",
    );
    expect(() => init(nn.adaptiveMaxPool2d(2), 2, 5, 6)).toThrow(
      "sequential.0 (adaptiveMaxPool2d): got f32[2,5,6]; expected f32[N, C, H, W].",
    );
    expect(() => init(nn.globalMaxPool1d(), 2, 5)).toThrow(
      "sequential.0 (globalMaxPool1d): got f32[2,5]; expected f32[N, C, L].",
    );
  });
});

test.each<readonly [string, Layer]>([
  ["maxPool2d", nn.maxPool2d([3, 2], { stride: 2, padding: [1, 0], dilation: [1, 2], ceilMode: true })],
  ["maxPool1d", nn.maxPool1d(3, { stride: 2, padding: 1, dilation: 2, ceilMode: true })],
  ["avgPool2d", nn.avgPool2d(3, { ceilMode: true, countIncludePad: false, divisorOverride: 4 })],
  ["avgPool1d", nn.avgPool1d(3, { ceilMode: true, countIncludePad: false })],
  ["lpPool2d", nn.lpPool2d(1.5, [2, 3], { stride: [1, 2], ceilMode: true })],
  ["lpPool1d", nn.lpPool1d(2, 2, { stride: 1 })],
  ["globalMaxPool2d", nn.globalMaxPool2d({ keepDims: true })],
  ["globalMaxPool1d", nn.globalMaxPool1d()],
  ["globalAvgPool1d", nn.globalAvgPool1d({ keepDims: true })],
  ["adaptiveAvgPool2d", nn.adaptiveAvgPool2d([3, 2])],
  ["adaptiveMaxPool1d", nn.adaptiveMaxPool1d(3)],
])("%s comes back from its configuration", (_name, { config }) => {
  expect(nn.layerFromConfig(JSON.parse(JSON.stringify(config))).config).toEqual(config);
});
