import { describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import { HostArray } from "../../src/core/host-array.ts";
import { keyOf, normalAt } from "../../src/core/prng.ts";
import { leavesOf } from "../../src/core/tree.ts";
import * as nn from "../../src/nn/index.ts";
import type { Layer } from "../../src/nn/layer.ts";
import type { ConvTransposeOptions, Tensor } from "../../src/ops/tensor.ts";
import { checkGradient } from "../../src/testing/check-gradient.ts";
import { Random } from "../../src/testing/random.ts";
import { list, run } from "./run.ts";

const aval = (...shape: number[]) => ({ dtype: "f32", shape }) as const;
const shapesOf = (layer: Layer, ...shape: number[]) =>
  leavesOf<HostArray>(nn.model(layer).init(1, aval(...shape)).params).map(([path, { shape }]) => [path, shape]);
const init = (layer: Layer, ...shape: number[]) => nn.model(nn.sequential(layer)).init(1, aval(...shape)).output.shape;

function numbers(seed: number, shape: readonly number[]): HostArray {
  const size = shape.reduce((n, s) => n * s, 1);
  return new HostArray(
    "f32",
    shape,
    Float64Array.from({ length: size }, (_, i) => normalAt(keyOf(seed), i)),
  );
}

describe("parameters", () => {
  test("have PyTorch's layouts", () => {
    expect(shapesOf(nn.conv1d(6, 5, { groups: 2 }), 1, 4, 9)).toEqual([
      ["weight", [6, 2, 5]],
      ["bias", [6]],
    ]);
    expect(shapesOf(nn.convTranspose2d(6, [2, 3], { groups: 2 }), 1, 4, 3, 3)).toEqual([
      ["weight", [4, 3, 2, 3]],
      ["bias", [6]],
    ]);
    expect(shapesOf(nn.convTranspose1d(6, 5, { bias: false }), 1, 4, 9)).toEqual([["weight", [4, 6, 5]]]);
    expect(shapesOf(nn.depthwiseConv2d(3, { multiplier: 2 }), 1, 4, 9, 9)).toEqual([
      ["weight", [8, 1, 3, 3]],
      ["bias", [8]],
    ]);
    expect(shapesOf(nn.separableConv2d(5, 3, { multiplier: 2 }), 1, 4, 9, 9)).toEqual([
      ["depthwise.weight", [8, 1, 3, 3]],
      ["pointwise.weight", [5, 8, 1, 1]],
      ["pointwise.bias", [5]],
    ]);
  });

  test("are uniform in ±1/sqrt(fan), the fan being the weight's second axis times the window", () => {
    const { params } = nn.model(nn.convTranspose2d(8, 4, { groups: 2 })).init(1, aval(1, 6, 3, 3));
    for (const [path, { data }] of leavesOf<HostArray>(params)) {
      const largest = Math.max(...Array.from(data, Math.abs));
      expect(largest, path).toBeLessThanOrEqual(1 / 8);
      expect(largest, path).toBeGreaterThan(path === "bias" ? 0.06 : 0.122);
    }
  });
});

test("a transposed convolution is the transpose of the convolution: <conv x, y> = <x, transposed y>", async () => {
  const random = new Random(7);
  const backend = referenceBackend({ precision: "f64" });
  for (let i = 0; i < 40; i++) {
    const groups = random.integer(1, 3);
    const both = (low: number, high: number): readonly [number, number] => [
      random.integer(low, high),
      random.integer(low, high),
    ];
    const [stride, dilation, padding, kernel] = [both(1, 3), both(1, 2), both(0, 2), both(1, 3)];
    const [inputs, outputs] = [groups * random.integer(1, 2), groups * random.integer(1, 2)];
    const size = both(5, 9);
    const out = size.map((n, k) => {
      const [s, d, p, w] = [stride[k], dilation[k], padding[k], kernel[k]] as [number, number, number, number];
      return [Math.floor((n + 2 * p - d * (w - 1) - 1) / s) + 1, (n + 2 * p - d * (w - 1) - 1) % s] as const;
    });
    const [[oh, restHigh], [ow, restWide]] = out as unknown as [[number, number], [number, number]];
    const options: ConvTransposeOptions = { stride, dilation, padding, groups, outputPadding: [restHigh, restWide] };
    const feeds = {
      x: numbers(3 * i, [2, inputs, ...size]),
      y: numbers(3 * i + 1, [2, outputs, oh, ow]),
      w: numbers(3 * i + 2, [outputs, inputs / groups, ...kernel]),
    };
    const found = await run(backend, feeds, (feed) => ({
      left: feed("x").conv2d(feed("w"), { stride, dilation, padding, groups }).mul(feed("y")).sum(),
      right: feed("y").convTranspose2d(feed("w"), options).mul(feed("x")).sum(),
    }));
    expect(found.right?.[0]).toBeCloseTo(found.left?.[0] ?? Number.NaN, 9);
  }
});

test("transposed convolutions differentiate twice by both inputs", async () => {
  for (const options of [
    { stride: 2, padding: 1, outputPadding: 1 },
    { dilation: 3, outputPadding: 2 },
    { groups: 2 },
  ]) {
    const f = (x: Tensor, w: Tensor): Tensor => x.convTranspose2d(w, options).tanh();
    const inputs = [numbers(1, [1, 2, 3, 4]), numbers(2, [2, 2, 3, 2])];
    for (const order of [1, 2] as const) await checkGradient(f as never, inputs, { order });
  }
});

test("a padding mode reads the image, not zeros", async () => {
  const x = new HostArray("f32", [1, 1, 4], Float64Array.of(1, 2, 3, 4));
  const sums = async (paddingMode: "zeros" | "reflect" | "replicate" | "circular") => {
    const model = nn.model(nn.conv1d(1, 3, { padding: 2, paddingMode, bias: false }));
    const { y } = await run(referenceBackend(), { x }, (feed) => ({
      y: model.apply({ weight: feed("x").full(1, [1, 1, 3]) }, {}, feed("x"))[0],
    }));
    return list(y);
  };
  expect(await sums("zeros")).toEqual([1, 3, 6, 9, 7, 4]);
  expect(await sums("reflect")).toEqual([6, 5, 6, 9, 10, 9]);
  expect(await sums("replicate")).toEqual([3, 4, 6, 9, 11, 12]);
  expect(await sums("circular")).toEqual([8, 7, 6, 9, 8, 7]);
});

describe("what does not fit", () => {
  test("options", () => {
    expect(() => nn.conv1d(4, 0)).toThrow("conv1d: got kernel 0; expected a positive integer.");
    expect(() => nn.conv1d(4, 3, { stride: 0 })).toThrow("conv1d: got stride 0; expected a positive integer.");
    expect(() => nn.conv1d(4, 3, { padding: -1 })).toThrow("conv1d: got padding -1; expected an integer of 0 or more.");
    expect(() => nn.conv2d(4, 3, { dilation: [1, 1.5] })).toThrow(
      "conv2d: got dilation 1.5; expected a positive integer.",
    );
    expect(() => nn.conv2d(4, 3, { padding: "same", stride: 2 })).toThrow(
      'conv2d: got padding "same" with stride 2; expected stride 1. Hint: give the padding as numbers.',
    );
    expect(() => nn.conv2d(4, 3, { paddingMode: "mirror" as "reflect" })).toThrow(
      'conv2d: got paddingMode "mirror"; expected zeros, reflect, replicate, circular.',
    );
    expect(() => nn.conv1d(4, 3, { groups: 3 })).toThrow(
      "conv1d: got 4 output channels and 3 groups; expected a multiple.",
    );
    expect(() => nn.depthwiseConv2d(3, { multiplier: 0 })).toThrow(
      "depthwiseConv2d: got multiplier 0; expected a positive integer.",
    );
    expect(() => nn.convTranspose2d(4, 3, { stride: 2, outputPadding: [0, 2] })).toThrow(
      "convTranspose2d: got outputPadding 2; expected less than the stride or the dilation, 2.",
    );
    expect(() => nn.convTranspose1d(3, 3, { groups: 2 })).toThrow(
      "convTranspose1d: got 3 output channels and 2 groups; expected a multiple.",
    );
  });

  test("inputs, with the layer's path", () => {
    expect(() => init(nn.conv1d(4, 3), 2, 3, 8, 8)).toThrow(
      "sequential.0 (conv1d): got f32[2,3,8,8]; expected f32[N, C, L].",
    );
    expect(() => init(nn.conv1d(4, 3, { groups: 2 }), 2, 3, 8)).toThrow(
      "sequential.0 (conv1d): got f32[2,3,8]; expected a multiple of 2 channels, one part for each group.",
    );
    expect(() => init(nn.conv1d(4, 3, { padding: 1, dilation: 3 }), 2, 3, 4)).toThrow(
      "sequential.0 (conv1d): got f32[2,3,4] and a kernel that reaches over 7 with padding 1; expected one no larger than the padded sequence.",
    );
    expect(() => init(nn.conv2d(4, 5, { padding: "valid" }), 2, 3, 4, 9)).toThrow(
      "sequential.0 (conv2d): got input f32[2,3,4,9] and kernel 5x5; expected a kernel no larger than the padded input.",
    );
    expect(() => init(nn.conv2d(4, 3, { padding: 3, paddingMode: "reflect" }), 2, 3, 3, 9)).toThrow(
      'by "reflect"; expected at most 2.',
    );
    expect(() => init(nn.convTranspose2d(4, 3), 2, 3, 8)).toThrow(
      "sequential.0 (convTranspose2d): got f32[2,3,8]; expected f32[N, C, H, W].",
    );
    expect(() => init(nn.convTranspose2d(4, 3, { groups: 2 }), 2, 3, 8, 8)).toThrow(
      "expected a multiple of 2 channels, one part for each group.",
    );
    expect(() => init(nn.convTranspose1d(4, 2, { padding: 3 }), 2, 3, 4)).toThrow(
      "sequential.0 (convTranspose1d): got f32[2,3,4], kernel 2 and padding 3; expected an output of at least 1 step, not -1.",
    );
    expect(() => init(nn.convTranspose2d(4, 2, { padding: [0, 3] }), 2, 3, 4, 4)).toThrow(
      "sequential.0 (convTranspose2d): got input f32[2,3,4,4], weight f32[3,4,2,2] and padding [0,3]; expected an output of at least 1x1, not 5x-1.",
    );
    const model = nn.model(nn.sequential(nn.depthwiseConv2d(3, { multiplier: 2 })));
    const { params, buffers } = model.init(1, aval(1, 3, 5, 5));
    expect(() => model.outputOf(params, buffers, aval(1, 2, 5, 5))).toThrow(
      "sequential.0 (depthwiseConv2d): got f32[1,2,5,5]; expected f32[N, 3, H, W] for the weight f32[6,1,3,3].",
    );
  });
});

test.each<readonly [string, Layer]>([
  ["conv1d", nn.conv1d(4, 3, { stride: 2, padding: 1, paddingMode: "circular", dilation: 2, groups: 2, bias: false })],
  ["conv1d, same", nn.conv1d(4, 3, { padding: "same", weightInit: nn.init.heNormal({ mode: "fanOut" }) })],
  ["conv2d, valid", nn.conv2d(4, [3, 1], { padding: "valid", paddingMode: "reflect" })],
  ["depthwiseConv2d", nn.depthwiseConv2d([3, 2], { multiplier: 2, padding: [1, 0], biasInit: nn.init.zeros() })],
  ["separableConv2d", nn.separableConv2d(8, 3, { padding: "same", bias: false })],
  ["convTranspose1d", nn.convTranspose1d(4, 3, { stride: 2, padding: 1, outputPadding: 1, groups: 2 })],
  ["convTranspose2d", nn.convTranspose2d(4, 3, { stride: [2, 1], dilation: 2, bias: false })],
])("%s comes back from its configuration", (_name, { config }) => {
  const copy = nn.layerFromConfig(JSON.parse(JSON.stringify(config)));
  expect(copy.config).toEqual(config);
});
