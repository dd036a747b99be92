import { describe, expect, test } from "vitest";
import type { Aval } from "../../src/core/dtype.ts";
import type { Tree } from "../../src/core/tree.ts";
import * as nn from "../../src/nn/index.ts";
import type { AnyLayer } from "../../src/nn/layer.ts";
import { LAYERS } from "../../src/nn/layer-from-config.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { type Checked, checkExport } from "./check.ts";

const f = (...shape: number[]): Aval => ({ dtype: "f32", shape });
const i = (...shape: number[]): Aval => ({ dtype: "i32", shape });
const b = (...shape: number[]): Aval => ({ dtype: "bool", shape });

type Case = readonly [layer: AnyLayer, sample: Tree<Aval>, more?: Omit<Checked, "layer" | "sample">];

const row = f(6);
const signal = f(4, 9);
const map = f(4, 7, 8);
const sequence = f(5, 8);
const activation = (layer: AnyLayer): Case[] => [[layer, f(3, 8)]];

/** Every kind of layer. */
const CASES: { readonly [kind: string]: readonly Case[] } = {
  linear: [
    [nn.linear(3), row],
    [nn.linear(3, { bias: false }), f(4, 6)],
  ],
  conv2d: [
    [nn.conv2d(6, 3, { stride: [1, 2], padding: [2, 1], dilation: [1, 2], groups: 2 }), map],
    [nn.conv2d(3, [3, 2], { padding: "same", bias: false }), map],
    [nn.conv2d(3, 3, { padding: 1, paddingMode: "reflect" }), map],
  ],
  conv1d: [[nn.conv1d(6, 3, { stride: 2, padding: 1, groups: 2 }), signal]],
  depthwiseConv2d: [[nn.depthwiseConv2d(3, { multiplier: 2 }), map]],
  separableConv2d: [[nn.separableConv2d(5, 3, { padding: 1 }), map]],
  convTranspose1d: [[nn.convTranspose1d(3, 3, { stride: 2, padding: 1, outputPadding: 1 }), signal]],
  convTranspose2d: [
    [nn.convTranspose2d(3, 3, { stride: 2, padding: 1, outputPadding: 1 }), map],
    [nn.convTranspose2d(4, [2, 3], { groups: 2, dilation: 2, bias: false }), map],
  ],
  maxPool2d: [
    [nn.maxPool2d(2), map],
    [nn.maxPool2d(3, { stride: 2, padding: 1, ceilMode: true }), map],
    [nn.maxPool2d(2, { stride: 1, dilation: 2 }), map],
  ],
  maxPool1d: [[nn.maxPool1d(3, { stride: 2, padding: 1 }), signal]],
  avgPool2d: [
    [nn.avgPool2d(2), map],
    [nn.avgPool2d(3, { stride: 2, padding: 1, ceilMode: true, countIncludePad: false }), map],
    [nn.avgPool2d(3, { stride: 2, padding: 1, ceilMode: true }), map],
  ],
  avgPool1d: [[nn.avgPool1d(3, { padding: 1 }), signal]],
  lpPool2d: [[nn.lpPool2d(2, 2), map]],
  lpPool1d: [[nn.lpPool1d(2, 3), signal]],
  globalAvgPool2d: [
    [nn.globalAvgPool2d(), map],
    [nn.globalAvgPool2d({ keepDims: true }), map],
  ],
  globalAvgPool1d: [[nn.globalAvgPool1d(), signal]],
  globalMaxPool2d: [[nn.globalMaxPool2d(), map]],
  globalMaxPool1d: [[nn.globalMaxPool1d(), signal]],
  adaptiveAvgPool2d: [[nn.adaptiveAvgPool2d([3, 4]), map]],
  adaptiveAvgPool1d: [[nn.adaptiveAvgPool1d(4), signal]],
  adaptiveMaxPool2d: [[nn.adaptiveMaxPool2d([3, 4]), map]],
  adaptiveMaxPool1d: [[nn.adaptiveMaxPool1d(4), signal]],
  batchNorm: [
    [nn.batchNorm(), map],
    [nn.batchNorm({ affine: false }), row],
    [nn.sequential(nn.conv2d(5, 3, { bias: false }), nn.batchNorm(), nn.relu()), map],
    // Statistics of the batch itself, also here.
    [nn.batchNorm({ trackRunningStats: false }), map, { batches: [1, 2, 4] }],
  ],
  layerNorm: [
    [nn.layerNorm(), sequence],
    [nn.layerNorm({ normalizedShape: [5, 8], elementwiseAffine: false }), sequence],
  ],
  rmsNorm: [[nn.rmsNorm(), sequence]],
  groupNorm: [[nn.groupNorm(2), map]],
  instanceNorm: [
    [nn.instanceNorm({ affine: true }), map],
    [nn.instanceNorm({ trackRunningStats: true }), map],
  ],
  localResponseNorm: [[nn.localResponseNorm(3), map]],
  embedding: [
    [nn.embedding(5, 3), i(4)],
    // Indices beyond the table: NaN here and there.
    [nn.embedding(5, 3), i(4), { indices: 9 }],
  ],
  embeddingBag: [
    [nn.embeddingBag(5, 3), i(4)],
    [nn.embeddingBag(5, 3, { mode: "max", paddingIndex: 1 }), i(4)],
  ],
  reshape: [[nn.reshape([2, -1]), map]],
  unflatten: [[nn.unflatten(1, [2, 3]), row]],
  permute: [[nn.permute([0, 2, 3, 1]), map]],
  pixelShuffle: [[nn.pixelShuffle(2), map]],
  pixelUnshuffle: [[nn.pixelUnshuffle(2), f(3, 4, 6)]],
  upsample: [
    [nn.upsample({ scaleFactor: 2 }), map],
    [nn.upsample({ size: [9, 5], mode: "bilinear" }), map],
    [nn.upsample({ scaleFactor: 2, mode: "bilinear", alignCorners: true }), map],
  ],
  pad: [
    [nn.pad(2, { value: 1.5 }), map],
    [
      nn.pad(
        [
          [1, 2],
          [0, 3],
        ],
        { mode: "reflect" },
      ),
      map,
    ],
    [nn.pad(1, { mode: "circular" }), map],
  ],
  rnn: [
    [nn.rnn(3), sequence],
    // The batch is the steps: a scan of any length.
    [nn.rnn(3, { batchFirst: false }), f(2, 4)],
    [nn.rnn(3, { nonlinearity: "relu", batchFirst: true, returnSequences: false }), sequence],
  ],
  gru: [
    [nn.gru(3, { batchFirst: true }), sequence],
    [nn.gru(3, { batchFirst: true, bidirectional: true, numLayers: 2 }), sequence],
  ],
  lstm: [
    [nn.lstm(3, { batchFirst: true }), sequence],
    [nn.lstm(3, { batchFirst: true, bidirectional: true, numLayers: 2 }), sequence],
    [
      nn.compose({ lstm: nn.lstm(3, { state: true }) }, (x: Tensor, { lstm }) => {
        const { output, h, c } = lstm({ x });
        return { output, h: h.swapAxes(0, 1), c: c.swapAxes(0, 1) };
      }),
      sequence,
    ],
  ],
  rnnCell: [[nn.rnnCell(3), { x: row, h: f(3) }]],
  gruCell: [[nn.gruCell(3), { x: row, h: f(3) }]],
  lstmCell: [[nn.lstmCell(3), { x: row, h: f(3), c: f(3) }]],
  dropout: [[nn.dropout(0.5), row]],
  dropout1d: [[nn.dropout1d(0.5), signal]],
  dropout2d: [[nn.dropout2d(0.5), map]],
  alphaDropout: [[nn.alphaDropout(0.5), row]],
  stochasticDepth: [[nn.stochasticDepth(0.5), map]],
  flatten: [
    [nn.flatten(), map],
    [nn.flatten(2), map],
  ],
  identity: [[nn.identity(), row]],
  relu: activation(nn.relu()),
  leakyRelu: activation(nn.leakyRelu(0.2)),
  elu: activation(nn.elu(0.7)),
  gelu: [...activation(nn.gelu()), ...activation(nn.gelu({ approximate: "tanh" }))],
  sigmoid: activation(nn.sigmoid()),
  tanh: activation(nn.tanh()),
  softmax: activation(nn.softmax(-1)),
  softmin: activation(nn.softmin(1)),
  logSoftmax: activation(nn.logSoftmax(-1)),
  relu6: [[nn.sequential(nn.linear(4, { weightInit: nn.init.normal({ std: 20 }) }), nn.relu6()), row]],
  prelu: [[nn.prelu({ numParameters: 4 }), map]],
  rrelu: activation(nn.rrelu()),
  selu: activation(nn.selu()),
  celu: activation(nn.celu(0.7)),
  silu: activation(nn.silu()),
  mish: activation(nn.mish()),
  softplus: activation(nn.softplus({ beta: 2, threshold: 1 })),
  logSigmoid: activation(nn.logSigmoid()),
  hardSigmoid: activation(nn.hardSigmoid()),
  hardSwish: activation(nn.hardSwish()),
  hardTanh: activation(nn.hardTanh()),
  tanhshrink: activation(nn.tanhshrink()),
  softshrink: activation(nn.softshrink(0.4)),
  hardshrink: activation(nn.hardshrink(0.4)),
  threshold: activation(nn.threshold(0.3, 7)),
  softsign: activation(nn.softsign()),
  glu: [[nn.glu(), row]],
  swiglu: [[nn.swiglu(4), row]],
  geglu: [[nn.geglu(4), row]],
  reglu: [[nn.reglu(4), row]],
  sequential: [[nn.sequential({ a: nn.linear(4), b: nn.relu() }), row]],
  learnedPositions: [[nn.learnedPositions(9), sequence]],
  sinusoidalPositions: [[nn.sinusoidalPositions(), sequence]],
  attention: [
    [nn.attention({ causal: true }), { query: sequence, key: sequence, value: sequence }],
    [nn.attention({ memory: "blocked", block: 2, rotary: true }), { query: sequence, key: sequence, value: sequence }],
  ],
  multiHeadAttention: [
    [nn.multiHeadAttention(8, 2), sequence],
    [
      nn.multiHeadAttention(8, 2, { causal: true }),
      { query: sequence, key: f(3, 8), value: f(3, 8), mask: b(1, 5, 3) },
    ],
  ],
  transformerEncoderLayer: [[nn.transformerEncoderLayer(8, 2, { dimFeedforward: 12 }), sequence]],
  transformerDecoderLayer: [
    [nn.transformerDecoderLayer(8, 2, { dimFeedforward: 12 }), { tgt: sequence, memory: f(3, 8) }],
  ],
  transformerEncoder: [
    [nn.transformerEncoder(nn.transformerEncoderLayer(8, 2, { dimFeedforward: 12, normFirst: true }), 2), sequence],
    [
      nn.transformerEncoder(nn.transformerEncoderLayer(8, 2, { dimFeedforward: 12 }), 2, { scanLayers: true }),
      sequence,
    ],
  ],
  transformerDecoder: [
    [
      nn.transformerDecoder(nn.transformerDecoderLayer(8, 2, { dimFeedforward: 12 }), 2),
      { tgt: sequence, memory: f(3, 8) },
    ],
  ],
  tie: [[nn.tie(nn.sequential(nn.linear(6), nn.linear(6)), { "1.weight": "0.weight" }), row]],
  remat: [[nn.remat(nn.sequential(nn.linear(4), nn.gelu())), row]],
  repeat: [
    [nn.repeat(nn.linear(6), 3), row],
    [nn.repeat(nn.sequential(nn.linear(6), nn.batchNorm(), nn.relu()), 3, { scan: true }), row],
  ],
  residual: [
    [nn.residual(nn.linear(6)), row],
    [nn.residual(nn.conv2d(3, 1), nn.conv2d(3, 1, { bias: false })), map],
  ],
  resnet: [[nn.resnet({ layers: [1, 1, 1, 1], width: 4, block: "bottleneck" }), f(3, 32, 32)]],
  cifarResnet: [[nn.cifarResnet({ blocks: 1, width: 4 }), f(3, 16, 16)]],
  vgg: [[nn.vgg({ depth: 11, width: 2, head: "linear", batchNorm: true }), f(3, 32, 32)]],
  lenet: [[nn.lenet(), f(1, 28, 28)]],
  mobilenetV2: [[nn.mobilenetV2({ width: 0.1, classes: 5 }), f(3, 32, 32)]],
  efficientnet: [[nn.efficientnet({ width: 0.1, depth: 0.2, classes: 5 }), f(3, 32, 32)]],
  tabular: [
    [nn.tabular({ outputs: 3, hidden: [7], levels: 5 }), { numbers: f(4), categories: i(2) }],
    [nn.tabular({ outputs: 1, hidden: [7] }), row],
  ],
  gpt: [[nn.gpt({ vocabSize: 11, blockSize: 8, layers: 2, heads: 2, width: 8 }), i(8), { indices: 11 }]],
  vit: [[nn.vit({ image: 8, patch: 4, width: 8, layers: 2, heads: 2, classes: 3 }), f(3, 8, 8)]],
};

test("the table has every kind of layer", () => {
  expect(Object.keys(CASES).sort()).toEqual(Object.keys(LAYERS).sort());
});

const cases = Object.entries(CASES).flatMap(([kind, list]) =>
  list.map((each, n) => [`${kind} ${n + 1}`, each] as const),
);

describe("onnxruntime gives what the oracle gives, at batches of 1, 2 and 5, of", () => {
  test.each(cases)("%s", async (_, [layer, sample, more]) => {
    await checkExport({ layer, sample, ...more });
  });
});
