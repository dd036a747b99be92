import { afterAll, expect, test } from "vitest";
import { wasmBackend } from "../../src/backends/wasm/index.ts";
import type { HostArray } from "../../src/core/host-array.ts";
import { takeRows } from "../../src/data/dataset.ts";
import * as nn from "../../src/nn/index.ts";
import { mnist } from "../../src/node/datasets.ts";
import type { Preparation } from "../../src/train/examples.ts";
import { checkExport, contentsOf } from "./check.ts";

const backend = wasmBackend({ threads: 1 });
afterAll(() => backend.close());

/**
 * Both engines round sums of some thousands of products to f32 in orders of their own, layer after layer: 2^-24 times some
 * hundreds.
 */
const tolerance = 5e-5;
const real = { backend, tolerance, busy: 0.01 } as const;

const digits: Preparation = { "": { kind: "standardize", scale: 1 / 255, mean: [0.1307], std: [0.3081] } };
const photographs: Preparation = {
  "": { kind: "standardize", scale: 1 / 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
};

test("ResNet-18 on handwritten digits", async () => {
  const { test: data } = await mnist();
  const bytes = await checkExport({
    ...real,
    layer: nn.resnet18({ classes: 10, inChannels: 1 }),
    sample: { dtype: "u8", shape: [1, 28, 28] },
    preparation: digits,
    inputs: (batch) =>
      takeRows(
        data.inputs as HostArray,
        Array.from({ length: batch }, (_, i) => 7 * i),
      ),
  });
  const { operators, constants } = contentsOf(bytes);
  // One operator each for a convolution and a batch norm, and a bias inside the last product.
  expect(operators).toEqual({
    Cast: 1,
    Mul: 2,
    Sub: 1,
    Conv: 20,
    BatchNormalization: 20,
    Relu: 17,
    MaxPool: 1,
    Add: 8,
    ReduceSum: 1,
    Gemm: 1,
  });
  expect(constants).toEqual(
    expect.arrayContaining(["conv1.weight", "bn1.running_mean", "bn1.bias", "fc.weight", "fc.bias"]),
  );
});

test("MobileNetV2 on photographs", async () => {
  const bytes = await checkExport({
    ...real,
    layer: nn.mobilenetV2({ classes: 10 }),
    sample: { dtype: "u8", shape: [3, 96, 96] },
    preparation: photographs,
  });
  expect(contentsOf(bytes).operators).toMatchObject({ Conv: 52, BatchNormalization: 52, Clip: 35, Gemm: 1 });
});

test("ViT on photographs", async () => {
  const bytes = await checkExport({
    ...real,
    layer: nn.vitTiny({ classes: 10 }),
    sample: { dtype: "u8", shape: [3, 224, 224] },
    preparation: photographs,
  });
  expect(contentsOf(bytes).constants).toEqual(
    expect.arrayContaining(["patch_embed.proj.weight", "blocks.11.mlp.fc2.weight", "head.bias"]),
  );
});

test.each([
  ["with learned positions", {}],
  ["with rotary positions and blocks in a loop", { positions: "rotary", scanLayers: true }],
] as const)("GPT %s", async (_, options) => {
  const bytes = await checkExport({
    ...real,
    layer: nn.gpt({ vocabSize: 65, blockSize: 64, layers: 4, heads: 4, width: 64, ...options }),
    sample: { dtype: "i32", shape: [64] },
    indices: 65,
  });
  expect(contentsOf(bytes).constants).toContain("transformer.wte.weight");
});
