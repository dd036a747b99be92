import { afterAll, describe, expect, test } from "vitest";
import { wasmBackend } from "../backends/wasm/index.ts";
import { runFunction } from "../compile/run-function.ts";
import { sizeOf } from "../core/dtype.ts";
import { array, HostArray } from "../core/host-array.ts";
import { keyOf, normalAt } from "../core/prng.ts";
import { leavesOf, unflatten } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { grad, type TensorTree } from "../trace/grad.ts";
import { Key } from "../trace/random.ts";
import { attention, multiHeadAttention } from "./attention-layers.ts";
import type { AnyLayer, Layer } from "./layer.ts";
import { layerFromConfig } from "./layer-from-config.ts";
import { layerNorm } from "./layer-norm.ts";
import { Model } from "./model.ts";
import { gpt } from "./models/gpt.ts";
import { vit, vitBase, vitSmall, vitTiny } from "./models/vit.ts";
import { learnedPositions, sinusoidalPositions } from "./positions.ts";
import { sequential } from "./sequential.ts";
import {
  transformerDecoder,
  transformerDecoderLayer,
  transformerEncoder,
  transformerEncoderLayer,
} from "./transformer.ts";

const backend = wasmBackend();
afterAll(() => backend.close());

function normals(seed: number, ...shape: readonly number[]): HostArray {
  const data = Float32Array.from({ length: sizeOf(shape) }, (_, i) => normalAt(keyOf(seed), i));
  return new HostArray("f32", shape, data);
}

/** The output, and the gradients of a weighted sum of it, for each set of parameters in turn. */
async function passOf(layer: Layer, x: HostArray, training: boolean, seed = 1): Promise<readonly Float32Array[]> {
  const model = new Model(layer);
  const { params, output } = model.init(1, x.aval);
  const leaves = leavesOf<HostArray>(params).map(([, leaf]) => leaf);
  const results = await runFunction(
    backend,
    (input, cotangent, words, ...tensors) => {
      const tree = unflatten<HostArray, Tensor>(params, tensors) as TensorTree;
      const f = (p: TensorTree): Tensor => model.apply(p, {}, input, { training, key: new Key(words) })[0];
      const found = grad((p: TensorTree) => f(p).mul(cotangent).sum())(tree);
      return [f(tree), ...leavesOf<Tensor>(found).map(([, g]) => g)];
    },
    [x, normals(9, ...output.shape), array([seed, 0], [2], "i32"), ...leaves],
  );
  return results.map(({ data }) => data as Float32Array);
}

describe("dropout in transformers", () => {
  const x = normals(1, 2, 5, 8);
  const encoderLayer = transformerEncoderLayer(8, 2, { dimFeedforward: 16, dropout: 0.5 });

  test("drops in training alone, by the pass's key", async () => {
    const encoder = transformerEncoder(encoderLayer, 2);
    const [one] = await passOf(encoder, x, true, 1);
    const [again] = await passOf(encoder, x, true, 1);
    const [other] = await passOf(encoder, x, true, 2);
    const [whole] = await passOf(encoder, x, false, 1);
    const [same] = await passOf(encoder, x, false, 2);
    expect(again).toEqual(one);
    expect(other).not.toEqual(one);
    expect(whole).not.toEqual(one);
    expect(same).toEqual(whole);
  });

  test("draws the same again where a layer is computed again", async () => {
    const plain = await passOf(transformerEncoder(encoderLayer, 2), x, true);
    const again = await passOf(transformerEncoder(encoderLayer, 2, { remat: true }), x, true);
    expect(again).toEqual(plain);
  });

  test("draws other numbers for each layer of a loop", async () => {
    const only = transformerEncoderLayer(8, 2, { dimFeedforward: 16, dropout: 0, normFirst: true });
    const still = await passOf(transformerEncoder(only, 2, { scanLayers: true }), x, true);
    const copies = await passOf(transformerEncoder(only, 2), x, true);
    // The same sums in the same order.
    still.forEach((values, i) => {
      const error = values.reduce((most, value, j) => Math.max(most, Math.abs(value - (copies[i]?.[j] ?? 9))), 0);
      expect(error).toBeLessThan(1e-5);
    });
    const dropping = await passOf(transformerEncoder(encoderLayer, 2, { scanLayers: true }), x, true);
    expect(dropping[0]).not.toEqual((await passOf(transformerEncoder(encoderLayer, 2), x, true))[0]);
  });

  test("works by blocks inside a loop", async () => {
    const blocked = transformerEncoderLayer(8, 2, { dimFeedforward: 4, dropout: 0.5, memory: "blocked", block: 2 });
    const looped = transformerEncoder(blocked, 2, { scanLayers: true, remat: true });
    const one = await passOf(looped, x, true, 1);
    expect(await passOf(looped, x, true, 1)).toEqual(one);
    expect((await passOf(looped, x, true, 2))[0]).not.toEqual(one[0]);
    expect(one.every((values) => values.every(Number.isFinite) && values.some((value) => value !== 0))).toBe(true);
  });

  test("needs a key in training", () => {
    const model = new Model(attention({ dropout: 0.1 }));
    const heads = { dtype: "f32", shape: [1, 1, 2, 2] } as const;
    const input = { query: heads, key: heads, value: heads };
    expect(model.init(1, input).output).toEqual(heads);
    return expect(
      runFunction(backend, (q) => model.apply({}, {}, { query: q, key: q, value: q }, { training: true })[0], [
        normals(1, 1, 1, 2, 2),
      ]),
    ).rejects.toThrow("attention: got no random key; expected one in the forward pass.");
  });
});

describe("configurations", () => {
  const layer = transformerEncoderLayer(4, 2, {
    dimFeedforward: 3,
    dropout: 0.25,
    activation: "gelu",
    layerNormEps: 0.01,
    normFirst: true,
    bias: false,
    causal: true,
    memory: "full",
    block: 8,
    rotary: { base: 10, interleaved: true },
  });
  const each: readonly AnyLayer[] = [
    attention({ causal: true, rotary: true, dropout: 0.5, memory: "blocked", block: 3 }),
    multiHeadAttention(6, 3, { bias: false, kdim: 4, vdim: 5, rotary: { dims: 2, offset: 1 } }),
    layer,
    transformerDecoderLayer(4, 2, { activation: "relu" }),
    transformerEncoder(layer, 3, { norm: layerNorm(), scanLayers: true, remat: true }),
    transformerDecoder(transformerDecoderLayer(4, 2), 2, { norm: layerNorm() }),
    sinusoidalPositions({ base: 7 }),
    learnedPositions(5),
    gpt({ vocabSize: 3, blockSize: 4, layers: 1, heads: 1, width: 2, approximate: "tanh", positions: "rotary" }),
    vit({ classes: 3, inChannels: 1, patch: 2, width: 4, layers: 1, heads: 2, image: 8, pool: "avg", qkvBias: false }),
  ];
  test.each(each.map((one) => [one.config.kind, one] as const))("%s comes back", (_kind, { config }) => {
    expect(layerFromConfig(JSON.parse(JSON.stringify(config))).config).toEqual(config);
  });
});

describe("what does not fit", () => {
  const f32 = (...shape: readonly number[]) => ({ dtype: "f32", shape }) as const;

  test("is named with the layer's path", () => {
    const net = sequential({ encoder: transformerEncoder(transformerEncoderLayer(8, 2), 2) });
    expect(() => new Model(net).init(1, f32(2, 5, 6))).toThrow(
      "sequential.encoder.layers.0.self_attn (multiHeadAttention): got f32[2,5,6]; expected f32[N, T, 8], or query f32[N, T, 8], key f32[N, S, 8] and value f32[N, S, 8].",
    );
    expect(() =>
      new Model(transformerDecoder(transformerDecoderLayer(8, 2), 1)).init(1, {
        tgt: f32(2, 3, 8),
        memory: f32(3, 5, 8),
      }),
    ).toThrow("transformerDecoder.layers.0.multihead_attn (multiHeadAttention): got query f32[2,3,8], key f32[3,5,8]");
  });

  test("options are refused", () => {
    expect(() => transformerEncoderLayer(8, 3)).toThrow(
      "got embedDim 8 and 3 heads; expected heads to divide embedDim.",
    );
    expect(() => transformerEncoderLayer(8, 2, { activation: "tanh" as "relu" })).toThrow(
      'transformerEncoderLayer: got activation "tanh"; expected "relu" or "gelu".',
    );
    expect(() => transformerEncoder(transformerEncoderLayer(8, 2), 0)).toThrow("got numLayers 0");
    expect(() => vit({ width: 10, heads: 4 })).toThrow(
      "vit: got width 10 and 4 heads; expected heads to divide width.",
    );
    expect(() => vit({ mlpRatio: -1 })).toThrow("vit: got mlpRatio -1; expected a positive number.");
  });

  test("images are", () => {
    const net = new Model(vit({ classes: 2, patch: 4, width: 4, layers: 1, heads: 1, image: 8, inChannels: 3 }));
    expect(() => net.init(1, f32(2, 3, 8, 12))).toThrow(
      "vit: got f32[2,3,8,12]; expected f32[N, 3, 8, 8] of whole patches of 4x4.",
    );
    const any = new Model(vit({ classes: 2, patch: 4, width: 4, layers: 1, heads: 1 }));
    expect(() => any.init(1, f32(2, 3, 8, 6))).toThrow("expected f32[N, C, H, W] of whole patches of 4x4.");
    const { params, buffers } = any.init(1, f32(2, 3, 8, 8));
    expect(() => any.outputOf(params, buffers, f32(2, 3, 8, 12))).toThrow(
      "vit: got f32[2,3,8,12], 7 tokens; expected 5, as pos_embed has.",
    );
  });
});

test("the presets of ViT have timm's sizes", () => {
  const sizes = [vitTiny, vitSmall, vitBase].map((preset) => preset({ classes: 10 }).config);
  expect(sizes).toEqual(
    [192, 384, 768].map((width) => ({ kind: "vit", classes: 10, width, layers: 12, heads: width / 64 })),
  );
  // timm.create_model("vit_tiny_patch16_224", num_classes=10)
  const { params } = new Model(vitTiny({ classes: 10 })).init(1, { dtype: "f32", shape: [1, 3, 224, 224] });
  expect(leavesOf<HostArray>(params).reduce((sum, [, { data }]) => sum + data.length, 0)).toBe(5_526_346);
});
