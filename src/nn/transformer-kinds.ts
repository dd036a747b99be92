import { OptionError } from "../core/errors.ts";
import type { Tensor } from "../ops/tensor.ts";
import { type AttentionLayerOptions, attention, multiHeadAttention } from "./attention-layers.ts";
import type { ConfigReader, FromConfig } from "./config-reader.ts";
import type { AnyLayer, Layer, LayerConfig } from "./layer.ts";
import { gpt } from "./models/gpt.ts";
import { vit } from "./models/vit.ts";
import { type RotaryOptions, sinusoidalPositions } from "./positions.ts";
import { type Ties, tie } from "./tie.ts";
import {
  type DecoderInput,
  type EncoderInput,
  type StackOptions,
  type TransformerLayerOptions,
  transformerDecoder,
  transformerDecoderLayer,
  transformerEncoder,
  transformerEncoderLayer,
} from "./transformer.ts";

const MEMORY = ["auto", "full", "blocked"] as const;

/** Attention, positions and what is made of them, from their configurations. */
export const transformerKinds: { readonly [kind: string]: FromConfig<Layer> } = {
  attention: (o) => attention(attentionOptionsOf(o)) as AnyLayer as Layer,
  multiHeadAttention: (o) =>
    multiHeadAttention(o.number("embedDim"), o.number("heads"), {
      ...o.booleans("bias"),
      ...o.numbers("kdim", "vdim"),
      ...attentionOptionsOf(o),
    }) as Layer,
  transformerEncoderLayer: (o) =>
    transformerEncoderLayer(o.number("dModel"), o.number("heads"), layerOptionsOf(o)) as Layer,
  transformerDecoderLayer: (o) =>
    transformerDecoderLayer(o.number("dModel"), o.number("heads"), layerOptionsOf(o)) as AnyLayer as Layer,
  transformerEncoder: (o, build) =>
    transformerEncoder(
      build(o.record("layer")) as AnyLayer as Layer<Tensor | EncoderInput>,
      o.number("numLayers"),
      stackOptionsOf(o, build),
    ) as Layer,
  transformerDecoder: (o, build) =>
    transformerDecoder(
      build(o.record("layer")) as AnyLayer as Layer<DecoderInput>,
      o.number("numLayers"),
      stackOptionsOf(o, build),
    ) as AnyLayer as Layer,
  sinusoidalPositions: (o) => sinusoidalPositions(o.numbers("base")),
  tie: (o, build) => tie(build(o.record("layer")), tiesOf(o)),
  gpt: (o) =>
    gpt({
      vocabSize: o.number("vocabSize"),
      blockSize: o.number("blockSize"),
      ...o.numbers("layers", "heads", "width", "dropout"),
      ...o.booleans("bias", "scanLayers", "remat"),
      ...o.choice("approximate", ["none", "tanh"]),
      ...o.choice("positions", ["learned", "rotary"]),
      ...o.choice("memory", MEMORY),
    }),
  vit: (o) =>
    vit({
      ...o.numbers("classes", "inChannels", "patch", "width", "layers", "heads", "mlpRatio", "image"),
      ...o.numbers("dropout", "attentionDropout"),
      ...o.booleans("qkvBias", "scanLayers", "remat"),
      ...o.choice("pool", ["token", "avg"]),
      ...o.choice("memory", MEMORY),
    }),
};

function attentionOptionsOf(o: ConfigReader): AttentionLayerOptions {
  return {
    ...o.booleans("causal"),
    ...o.numbers("dropout", "block"),
    ...o.choice("memory", MEMORY),
    ...(typeof o.config.rotary === "object" ? { rotary: o.config.rotary as RotaryOptions } : o.booleans("rotary")),
  };
}

function layerOptionsOf(o: ConfigReader): TransformerLayerOptions {
  return {
    ...o.numbers("dimFeedforward", "layerNormEps"),
    ...o.choice("activation", ["relu", "gelu"]),
    ...o.booleans("normFirst", "bias"),
    ...attentionOptionsOf(o),
  };
}

function stackOptionsOf(o: ConfigReader, build: (config: LayerConfig) => Layer): StackOptions {
  return {
    ...(o.has("norm") ? { norm: build(o.record("norm")) } : {}),
    ...o.booleans("scanLayers", "remat"),
  };
}

function tiesOf(o: ConfigReader): Ties {
  const { ties } = o.config;
  const isTies =
    typeof ties === "object" && ties !== null && Object.values(ties).every((source) => typeof source === "string");
  if (!isTies) throw new OptionError(`tie: got ${JSON.stringify(ties)} for ties; expected a record of paths.`);
  return ties as Ties;
}
