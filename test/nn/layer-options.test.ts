import { describe, expect, test } from "vitest";
import type { Aval } from "../../src/core/dtype.ts";
import type { HostArray } from "../../src/core/host-array.ts";
import { leavesOf } from "../../src/core/tree.ts";
import * as nn from "../../src/nn/index.ts";

const f32 = (...shape: number[]): Aval => ({ dtype: "f32", shape });
const i32 = (...shape: number[]): Aval => ({ dtype: "i32", shape });
const { init } = nn;

describe("a configuration rebuilds", () => {
  test.each<[string, nn.Layer, Aval]>([
    [
      "norms",
      nn.sequential(
        nn.layerNorm(),
        nn.layerNorm({ normalizedShape: 5, eps: 0.1, bias: false }),
        nn.layerNorm({ normalizedShape: [3, 5], elementwiseAffine: false }),
        nn.rmsNorm({ normalizedShape: [3, 5], eps: 0.2 }),
        nn.rmsNorm({ elementwiseAffine: false }),
        nn.groupNorm(2, { eps: 0.1 }),
        nn.groupNorm(4, { affine: false }),
        nn.instanceNorm({ affine: true, trackRunningStats: true, momentum: 0.3, eps: 0.1 }),
        nn.instanceNorm(),
        nn.localResponseNorm(3, { alpha: 0.1, beta: 0.5, k: 2 }),
      ),
      f32(2, 4, 3, 5),
    ],
    [
      "activations",
      nn.sequential(
        nn.relu6(),
        nn.prelu({ numParameters: 4, init: 0.1 }),
        nn.prelu(),
        nn.rrelu({ lower: 0.1, upper: 0.2 }),
        nn.selu(),
        nn.celu(0.5),
        nn.silu(),
        nn.mish(),
        nn.softplus({ beta: 2, threshold: 10 }),
        nn.logSigmoid(),
        nn.hardSigmoid(),
        nn.hardSwish(),
        nn.hardTanh({ minVal: -2, maxVal: 0.5 }),
        nn.tanhshrink(),
        nn.softshrink(0.1),
        nn.hardshrink(0.2),
        nn.threshold(0.1, 2),
        nn.softsign(),
        nn.softmin(1),
        nn.logSoftmax(1),
        nn.glu({ axis: 1, activation: "tanh" }),
        nn.swiglu(3, { bias: false, weightInit: init.heNormal() }),
        nn.geglu(2, { biasInit: init.ones() }),
        nn.reglu(5, { inFeatures: 2 }),
      ),
      f32(2, 4, 6),
    ],
    [
      "embeddings",
      nn.sequential(
        nn.embedding(7, 6, { paddingIndex: -1, weightInit: init.normal({ std: 0.02 }) }),
        nn.dropout1d(0.1),
      ),
      i32(2, 3),
    ],
    ["bags", nn.embeddingBag(5, 3, { mode: "max", paddingIndex: 2, weightInit: init.uniform() }), i32(2, 3)],
    [
      "dropout",
      nn.sequential(nn.dropout2d(0.1), nn.alphaDropout(0.2), nn.stochasticDepth(0.3), nn.stochasticDepth(0.4, "batch")),
      f32(2, 4, 3, 5),
    ],
    [
      "shapes",
      nn.sequential(
        nn.pad(1),
        nn.pad(
          [
            [1, 0],
            [0, 1],
          ],
          { mode: "reflect" },
        ),
        nn.pad(1, { value: 2 }),
        nn.upsample({ size: [8, 6], mode: "bilinear", alignCorners: true }),
        nn.upsample({ scaleFactor: 2 }),
        nn.pixelUnshuffle(2),
        nn.pixelShuffle(4),
        nn.permute([0, 2, 3, 1]),
        nn.reshape([-1, 4]),
        nn.unflatten(1, [2, -1]),
      ),
      f32(2, 4, 3, 4),
    ],
  ])("%s", (_name, layer, input) => {
    const copy = nn.layerFromConfig(JSON.parse(JSON.stringify(layer.config)) as nn.LayerConfig);
    expect(copy.config).toEqual(layer.config);
    const before = nn.model(layer).init(3, input);
    const after = nn.model(copy).init(3, input);
    expect(after.output).toEqual(before.output);
    expect(leavesOf<HostArray>(after.params)).toEqual(leavesOf<HostArray>(before.params));
    expect(leavesOf<HostArray>(after.buffers)).toEqual(leavesOf<HostArray>(before.buffers));
  });
});

test("parameters have PyTorch's names", () => {
  const names = (layer: nn.Layer, input: Aval): readonly string[] => {
    const model = nn.model(layer);
    const { params, buffers } = model.init(1, input);
    return Object.entries(model.stateDict(params, buffers)).map(([name, { shape }]) => `${name} [${shape}]`);
  };
  expect(names(nn.layerNorm({ normalizedShape: [3, 5] }), f32(2, 3, 5))).toEqual(["weight [3,5]", "bias [3,5]"]);
  expect(names(nn.rmsNorm(), f32(2, 3, 5))).toEqual(["weight [5]"]);
  expect(names(nn.groupNorm(2), f32(2, 4, 5))).toEqual(["weight [4]", "bias [4]"]);
  expect(names(nn.instanceNorm({ trackRunningStats: true }), f32(2, 4, 5))).toEqual([
    "running_mean [4]",
    "running_var [4]",
    "num_batches_tracked []",
  ]);
  expect(names(nn.prelu(), f32(2, 4))).toEqual(["weight [1]"]);
  expect(names(nn.swiglu(3), f32(2, 4))).toEqual(["proj.weight [6,4]", "proj.bias [6]"]);
});

test.each<[() => nn.Layer, Aval, string]>([
  [() => nn.layerNorm({ normalizedShape: 4 }), f32(2, 5), "layerNorm: got f32[2,5]; expected f32[N, 4]."],
  [() => nn.layerNorm({ normalizedShape: [3, 4] }), f32(4), "layerNorm: got f32[4]; expected f32[N, 3,4]."],
  [() => nn.rmsNorm(), i32(2, 4), "rmsNorm: got i32[2,4]; expected f32."],
  [() => nn.groupNorm(3), f32(2, 4, 5), "groupNorm: got f32[2,4,5]; expected a multiple of 3 channels on axis 1."],
  [() => nn.groupNorm(3), f32(4), "groupNorm: got f32[4]; expected f32[N, C, ...]."],
  [
    () => nn.instanceNorm(),
    f32(2, 4, 1),
    "instanceNorm: got f32[2,4,1]; expected more than one value for each channel of a sample.",
  ],
  [
    () => nn.instanceNorm(),
    f32(2, 4),
    "instanceNorm: got f32[2,4]; expected f32[N, C, L], f32[N, C, H, W] or f32[N, C, D, H, W].",
  ],
  [
    () => nn.localResponseNorm(3),
    f32(2, 4),
    "localResponseNorm: got f32[2,4]; expected f32[N, C, ...] of rank 3 or more.",
  ],
  [
    () => nn.prelu({ numParameters: 3 }),
    f32(2, 4),
    "prelu: got f32[2,4]; expected 3 channels on axis 1 for the weight f32[3].",
  ],
  [() => nn.silu(), i32(2, 4), "silu: got i32[2,4]; expected f32."],
  [() => nn.glu(), f32(2, 5), "glu: got f32[2,5] and axis -1; expected an even size there."],
  [() => nn.swiglu(3, { inFeatures: 4 }), f32(2, 5), "swiglu.proj (linear): got f32[2,5]; expected f32[N, 4]."],
  [
    () => nn.pad(2, { mode: "reflect" }),
    f32(1, 1, 4, 2),
    'pad: got f32[1,1,4,2] and padding [2, 2] of axis 3 by "reflect"; expected at most 1.',
  ],
  [
    () => nn.pad([[4, 0]], { mode: "circular" }),
    f32(1, 1, 3),
    'pad: got f32[1,1,3] and padding [4, 0] of axis 2 by "circular"; expected at most 3.',
  ],
  [() => nn.pad([[1, 1]]), f32(1, 1, 3, 3), "pad: got f32[1,1,3,3]; expected f32[N, C, L]."],
  [
    () => nn.upsample({ scaleFactor: 2, mode: "bilinear" }),
    f32(1, 1, 3),
    "upsample: got f32[1,1,3]; expected f32[N, C, H, W].",
  ],
  [
    () => nn.upsample({ size: [2, 3] }),
    f32(1, 1, 3),
    "upsample: got f32[1,1,3] and [2,3]; expected a number for each of 1 axes.",
  ],
  [
    () => nn.upsample({ scaleFactor: 0.2 }),
    f32(1, 1, 3),
    "upsample: got f32[1,1,3] and scaleFactor 0.2; expected at least one element.",
  ],
  [() => nn.reshape([5, -1]), f32(2, 3, 4), "reshape: got f32[2,3,4] and [5,-1]; expected sizes of 12 elements."],
  [() => nn.unflatten(1, [2, 2]), f32(2, 3), "unflatten: got f32[2,3] and [2,2]; expected sizes of 3 elements."],
  [() => nn.permute([0, 2, 1]), f32(2, 3), "permute: got f32[2,3] and the order [0,2,1]; expected 3 axes."],
  [() => nn.pixelShuffle(2), f32(2, 6, 3, 3), "pixelShuffle: got f32[2,6,3,3]; expected a multiple of 4 channels."],
  [
    () => nn.pixelUnshuffle(2),
    f32(2, 6, 4, 3),
    "pixelUnshuffle: got f32[2,6,4,3]; expected a height and a width that are multiples of 2.",
  ],
])("an input that does not fit is named with what was expected (%#)", (make, input, message) => {
  const at = message.startsWith("swiglu.") ? `sequential.0.${message.slice("swiglu.".length)}` : undefined;
  const layer = make();
  const { kind } = layer.config;
  const text =
    at ?? `sequential.0 (${kind}): ${message.startsWith(`${kind}: `) ? message.slice(kind.length + 2) : message}`;
  expect(() => nn.model(nn.sequential(layer)).init(1, input)).toThrow(text);
});

test.each<[() => nn.Layer, string]>([
  [() => nn.layerNorm({ normalizedShape: [] }), "layerNorm: got the normalizedShape []; expected at least one size."],
  [() => nn.layerNorm({ normalizedShape: 0 }), "layerNorm: got normalizedShape 0; expected a positive integer."],
  [() => nn.rmsNorm({ eps: -1 }), "rmsNorm: got eps -1; expected a number of 0 or more."],
  [() => nn.groupNorm(1.5), "groupNorm: got numGroups 1.5; expected a positive integer."],
  [() => nn.instanceNorm({ momentum: 2 }), "instanceNorm: got momentum 2; expected a number in [0, 1]."],
  [() => nn.localResponseNorm(0), "localResponseNorm: got size 0; expected a positive integer."],
  [() => nn.celu(0), "celu: got alpha 0; expected a positive number."],
  [() => nn.softplus({ beta: -1 }), "softplus: got beta -1; expected a positive number."],
  [() => nn.hardTanh({ minVal: 2 }), "hardTanh: got minVal 2 and maxVal 1; expected minVal < maxVal."],
  [() => nn.softshrink(-1), "softshrink: got lambda -1; expected a number of 0 or more."],
  [() => nn.rrelu({ lower: 1 }), "rrelu: got lower 1 and upper 0.3333333333333333; expected numbers in order."],
  [() => nn.pad(-1), "pad: got -1; expected a count of 0 or more for each side."],
  [() => nn.pad([]), "pad: got []; expected a count of 0 or more for each side."],
  [
    () => nn.pad(1, { mode: "reflect", value: 1 }),
    'pad: got the value 1 with mode "reflect"; expected it with "zeros" alone.',
  ],
  [() => nn.upsample({}), "upsample: got neither size nor scaleFactor; expected one of them."],
  [() => nn.upsample({ size: 1.5 }), "upsample: got size 1.5; expected a positive integer."],
  [
    () => nn.upsample({ size: 2, alignCorners: true }),
    'upsample: got alignCorners with mode "nearest"; expected "linear" or "bilinear".',
  ],
  [() => nn.reshape([-1, -1]), "reshape: got the shape [-1,-1]; expected positive integers, at most one of them -1."],
  [() => nn.permute([0, 2]), "permute: got the order [0,2]; expected each of 0 to 1 once."],
  [() => nn.unflatten(1, []), "unflatten: got no sizes; expected at least one."],
])("an option out of range is refused at once (%#)", (make, message) => {
  expect(make).toThrow(message);
});
