import { describe, expect, test } from "vitest";
import { sizeOf } from "../../core/dtype.ts";
import { OptionError, ShapeError } from "../../core/errors.ts";
import type { HostArray } from "../../core/host-array.ts";
import { leavesOf } from "../../core/tree.ts";
import * as nn from "../index.ts";
import type { Layer } from "../layer.ts";
import { models } from "./table.ts";

const images = (channels: number, side: number) => ({ dtype: "f32", shape: [2, channels, side, side] }) as const;
const shapesOf = (layer: Layer, channels: number, side: number): readonly string[] => {
  const { params, buffers } = nn.model(layer).init(1, images(channels, side));
  return [...leavesOf<HostArray>(params), ...leavesOf<HostArray>(buffers)].map(
    ([path, { shape }]) => `${path} ${shape}`,
  );
};

describe.each(models.map((row) => [row.name, row] as const))("%s", (name, row) => {
  const [channels, side] = row.input;
  const layer = row.create({ classes: row.classes });

  test("has the published number of parameters", () => {
    const { params, output } = nn.model(layer).init(1, images(channels, side));
    const count = leavesOf<HostArray>(params).reduce((sum, [, { shape }]) => sum + sizeOf(shape), 0);
    expect(count).toBe(row.parameters);
    expect(output).toEqual({ dtype: "f32", shape: [2, row.classes] });
  });

  test("is the function of that name, and comes back from its configuration", () => {
    const own = (nn as unknown as Record<string, (options: { classes: number }) => Layer>)[name]?.({ classes: 7 });
    const copy = nn.layerFromConfig(JSON.parse(JSON.stringify(own?.config)));
    expect(copy.config).toEqual(row.create({ classes: 7 }).config);
    expect(shapesOf(copy, channels, side)).toEqual(shapesOf(row.create({ classes: 7 }), channels, side));
  });
});

test.each<[string, Layer]>([
  ["resnet", nn.resnet({ block: "bottleneck", layers: [1, 2, 1, 1], width: 4, stem: "3x3", zeroInitResidual: true })],
  ["cifarResnet", nn.cifarResnet({ blocks: 1, width: 4, shortcut: "B", classes: 3 })],
  ["vgg", nn.vgg({ depth: 13, batchNorm: true, head: "hidden", width: 4, hidden: 9, dropout: 0.1 })],
  ["lenet", nn.lenet({ padding: 2, inChannels: 3 })],
  ["mobilenetV2", nn.mobilenetV2({ width: 0.35, dropout: 0, inChannels: 3 })],
  ["efficientnet", nn.efficientnet({ width: 1.1, depth: 1.2, dropout: 0.3, stochasticDepth: 0 })],
])("%s keeps every option in its configuration", (_, layer) => {
  const copy = nn.layerFromConfig(JSON.parse(JSON.stringify(layer.config)));
  expect(copy.config).toEqual(layer.config);
  expect(shapesOf(copy, 3, 64)).toEqual(shapesOf(layer, 3, 64));
});

describe("first values are torchvision's", () => {
  const valuesOf = (layer: Layer, side = 32): Record<string, HostArray> =>
    Object.fromEntries(leavesOf<HostArray>(nn.model(layer).init(3, images(3, side)).params));
  const deviation = (data: ArrayLike<number> = []): number =>
    Math.sqrt(Array.from(data).reduce((sum, value) => sum + value * value, 0) / data.length);

  test("convolutions have the deviation sqrt(2 / fanOut), a VGG's linear layers 0.01, biases 0", () => {
    const vgg = valuesOf(nn.vgg({ width: 32, hidden: 64 }));
    // 9,216 and 32,768 values: the deviation of a deviation is below 1 %.
    expect(deviation(vgg["features.3.weight"]?.data) / Math.sqrt(2 / (64 * 9))).toBeCloseTo(1, 1);
    expect(deviation(vgg["classifier.3.weight"]?.data) / 0.01).toBeCloseTo(1, 1);
    expect(new Set(vgg["features.3.bias"]?.data)).toEqual(new Set([0]));
    expect(new Set(vgg["classifier.3.bias"]?.data)).toEqual(new Set([0]));
  });

  test("an EfficientNet's linear layer is uniform in 1/sqrt(classes)", () => {
    const { data = [] } = valuesOf(nn.efficientnetB0({ classes: 16 }))["classifier.1.weight"] ?? {};
    const largest = Array.from(data).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(largest).toBeLessThanOrEqual(0.25);
    expect(largest).toBeGreaterThan(0.249);
  });

  test("zeroInitResidual starts the last norm of each block at 0, and no other", () => {
    for (const [block, last] of [
      ["basic", "bn2"],
      ["bottleneck", "bn3"],
    ] as const) {
      const values = valuesOf(nn.resnet({ block, layers: [1, 1, 1, 1], width: 4, zeroInitResidual: true }));
      for (const [path, { data }] of Object.entries(values)) {
        if (!/\.bn\d\.weight$/.test(path)) continue;
        expect(new Set(data), path).toEqual(new Set([path.includes(last) ? 0 : 1]));
      }
    }
  });
});

describe("bad options and inputs", () => {
  test.each<[() => unknown, string]>([
    [() => nn.resnet18({ classes: 0 }), "resnet: got classes 0; expected a positive integer."],
    [() => nn.resnet({ layers: [1, 1] }), "resnet: got 2 values for layers; expected 4."],
    [() => nn.vgg({ depth: 12 as 11 }), "vgg: got depth 12; expected 11, 13, 16 or 19."],
    [() => nn.mobilenetV2({ width: 0 }), "mobilenetV2: got width 0; expected a positive number."],
    [() => nn.efficientnetB0({ dropout: 1 }), "efficientnet: got dropout 1; expected a probability in [0, 1)."],
  ])("%s", (make, message) => {
    expect(make).toThrow(new OptionError(message));
  });

  test("images of other channels name both", () => {
    const make = () => nn.model(nn.resnet18({ inChannels: 3 })).init(1, images(1, 32));
    expect(make).toThrow(ShapeError);
    expect(make).toThrow("resnet: got f32[2,1,32,32]; expected f32[N, 3, H, W].");
  });

  test("images that are too small name the pool that they do not reach", () => {
    expect(() => nn.model(nn.vggSmall()).init(1, images(3, 28))).toThrow(
      /^vgg\.features\.28 \(maxPool2d\): .*\[2,512,1,1\]/,
    );
  });
});
