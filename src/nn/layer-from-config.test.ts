import { describe, expect, test } from "vitest";
import type { Aval } from "../core/dtype.ts";
import type { HostArray } from "../core/host-array.ts";
import { leavesOf } from "../core/tree.ts";
import * as nn from "./index.ts";

const image: Aval = { dtype: "f32", shape: [2, 4, 8, 8] };
const { init } = nn;

const layers: readonly nn.Layer[] = [
  nn.sequential(
    nn.conv2d(6, [3, 2], {
      stride: [1, 2],
      padding: [1, 0],
      dilation: [2, 1],
      groups: 2,
      weightInit: init.heNormal({ mode: "fanOut", slope: 0.1 }),
    }),
    nn.conv2d(4, 3, { padding: "same", bias: false, weightInit: init.orthogonal({ gain: 2 }) }),
    nn.batchNorm({ momentum: null, eps: 0.1, affine: false }),
    nn.batchNorm({ momentum: 0.3, trackRunningStats: false }),
    nn.leakyRelu(0.3),
    nn.maxPool2d(2, { stride: 1, padding: 1 }),
    nn.avgPool2d([2, 1]),
    nn.residual(nn.conv2d(4, 1), nn.identity()),
    nn.residual(nn.gelu({ approximate: "tanh" })),
    nn.globalAvgPool2d({ keepDims: true }),
    nn.flatten(),
    nn.elu(0.5),
    nn.dropout(0.1),
  ),
  nn.sequential({
    flat: nn.flatten(1),
    a: nn.linear(6, { inFeatures: 256, weightInit: init.truncatedNormal({ std: 0.02 }), biasInit: init.constant(0.1) }),
    b: nn.linear(6, { bias: false, weightInit: init.xavierUniform({ gain: 2 }) }),
    c: nn.linear(6, { weightInit: init.xavierNormal(), biasInit: init.zeros() }),
    d: nn.linear(6, { weightInit: init.lecunNormal(), biasInit: init.ones() }),
    e: nn.linear(6, { weightInit: init.lecunUniform(), biasInit: init.normal({ mean: 1 }) }),
    f: nn.linear(6, { weightInit: init.heUniform(), biasInit: init.uniform({ high: 2 }) }),
    inner: nn.sequential(nn.relu(), nn.gelu(), nn.sigmoid(), nn.tanh(), nn.softmax(1)),
  }),
];

describe("a configuration", () => {
  test.each(layers.map((layer) => [layer]))("rebuilds the same layers and first values (%#)", (layer) => {
    const copy = nn.layerFromConfig(JSON.parse(JSON.stringify(layer.config)) as nn.LayerConfig);
    expect(copy.config).toEqual(layer.config);
    const before = nn.model(layer).init(3, image);
    const after = nn.model(copy).init(3, image);
    expect(after.output).toEqual(before.output);
    expect(leavesOf<HostArray>(after.params)).toEqual(leavesOf<HostArray>(before.params));
    expect(leavesOf<HostArray>(after.buffers)).toEqual(leavesOf<HostArray>(before.buffers));
  });

  test.each([
    nn.crossEntropy({ labelSmoothing: 0.1, reduction: "sum", weight: [1, 2] }),
    nn.hinge({ delta: 2, squared: true }),
    nn.meanSquaredError({ reduction: "sum" }),
  ])("rebuilds the loss $name", (loss) => {
    expect(nn.lossFromConfig(JSON.parse(JSON.stringify(loss.config)) as nn.LayerConfig).config).toEqual(loss.config);
  });

  test("of layers of one's own asks for their functions", () => {
    const config = nn.sequential(
      nn.linear(2),
      nn.lambda("twice", (x) => x.mul(2)),
    ).config;
    expect(() => nn.layerFromConfig(config)).toThrow(
      'config: got the layer kind "twice"; expected one of linear, conv2d,',
    );
    const copy = nn.layerFromConfig(config, { twice: () => nn.lambda("twice", (x) => x.mul(2)) });
    expect(copy.config).toEqual(config);
  });

  test("with an initialiser of one's own is rebuilt, and only fails to sample", () => {
    const own: nn.Initializer = { config: { kind: "own" }, sample: (key, shape) => init.normal().sample(key, shape) };
    const copy = nn.layerFromConfig(nn.linear(2, { weightInit: own }).config);
    expect(() => nn.model(copy).init(1, { dtype: "f32", shape: [1, 2] })).toThrow(
      'init: got the kind "own"; expected one of constant, zeros',
    );
  });

  test.each<[nn.LayerConfig, string]>([
    [{ kind: "linear" }, "linear: got nothing for outFeatures; expected a number."],
    [{ kind: "linear", outFeatures: "10" }, 'linear: got "10" for outFeatures; expected a number.'],
    [
      { kind: "conv2d", outChannels: 3, kernel: [3, 3, 3] },
      "conv2d: got [3,3,3] for kernel; expected a number or a pair.",
    ],
    [{ kind: "gelu", approximate: "exp" }, 'gelu: got "exp" for approximate; expected none or tanh.'],
    [
      { kind: "sequential", layers: [{ name: "a", layer: 3 }] },
      "sequential: got 3 for layer; expected a record with a kind.",
    ],
    [{ kind: "toString" }, 'config: got the layer kind "toString"; expected one of'],
  ])("that is damaged names the kind and the option: %j", (config, message) => {
    expect(() => nn.layerFromConfig(config)).toThrow(message);
  });
});
