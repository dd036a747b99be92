/** Layers, initialisers, losses, metrics and model builders: the `nn` namespace. */
export {
  celu,
  elu,
  gelu,
  hardSigmoid,
  hardSwish,
  hardshrink,
  hardTanh,
  leakyRelu,
  logSigmoid,
  logSoftmax,
  mish,
  type PreluOptions,
  prelu,
  type RreluOptions,
  relu,
  relu6,
  rrelu,
  selu,
  sigmoid,
  silu,
  softmax,
  softmin,
  softplus,
  softshrink,
  softsign,
  tanh,
  tanhshrink,
  threshold,
} from "./activations.ts";
export { type AttentionMemory, type AttentionOptions, scaledDotProductAttention } from "./attention.ts";
export {
  type AttentionInput,
  type AttentionLayerOptions,
  attention,
  type HeadsInput,
  type MultiHeadAttentionOptions,
  mergeHeads,
  multiHeadAttention,
  splitHeads,
} from "./attention-layers.ts";
export { type BatchNormOptions, batchNorm } from "./batch-norm.ts";
export { type Calls, type Children, compose, residual } from "./compose.ts";
export type { ConfigReader, FromConfig } from "./config-reader.ts";
export {
  type Conv1dOptions,
  type Conv2dOptions,
  conv1d,
  conv2d,
  type DepthwiseOptions,
  depthwiseConv2d,
  separableConv2d,
} from "./conv.ts";
export {
  type ConvTranspose1dOptions,
  type ConvTranspose2dOptions,
  convTranspose1d,
  convTranspose2d,
} from "./conv-transpose.ts";
export { defineLayer, type LayerDefinition } from "./define-layer.ts";
export { alphaDropout, dropout, dropout1d, dropout2d, type StochasticDepthMode, stochasticDepth } from "./dropout.ts";
export { type BagMode, type EmbeddingBagOptions, type EmbeddingOptions, embedding, embeddingBag } from "./embedding.ts";
export type { Gate, GeluOptions, HardTanhOptions, SoftplusOptions } from "./functional.ts";
export * as functional from "./functional.ts";
export { type GatedLinearOptions, type GluOptions, geglu, glu, reglu, swiglu } from "./gated.ts";
export { type GroupNormOptions, groupNorm, type InstanceNormOptions, instanceNorm } from "./group-norm.ts";
export type { Initializer } from "./init.ts";
export * as init from "./init.ts";
export type {
  AnyLayer,
  AvalsOf,
  Json,
  Layer,
  LayerConfig,
  LayerContext,
  LayerInit,
  TensorsOf,
  Trait,
} from "./layer.ts";
export {
  initializerFromConfig,
  type LayerKinds,
  layerFromConfig,
  modelFromConfig,
} from "./layer-from-config.ts";
export { type LayerNormOptions, layerNorm, type RmsNormOptions, rmsNorm } from "./layer-norm.ts";
export { type LinearOptions, linear } from "./linear.ts";
export { type LocalResponseNormOptions, localResponseNorm } from "./local-response-norm.ts";
export * from "./losses/index.ts";
export type { Reduction } from "./losses/loss.ts";
export * as metrics from "./metrics/index.ts";
export { accuracy, type Metric } from "./metrics/index.ts";
export { Model, model, type PassOptions } from "./model.ts";
export * from "./models/index.ts";
export { type PaddingMode, type PaddingSides, type PadOptions, pad, padImages } from "./padding.ts";
export { flatten, identity, lambda } from "./plain-layers.ts";
export {
  type AvgPool1dOptions,
  type AvgPool2dOptions,
  avgPool1d,
  avgPool2d,
  type LpPool1dOptions,
  type LpPool2dOptions,
  lpPool1d,
  lpPool2d,
  type MaxPool1dOptions,
  type MaxPool2dOptions,
  maxPool1d,
  maxPool2d,
} from "./pooling.ts";
export {
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  adaptiveMaxPool1d,
  adaptiveMaxPool2d,
  type GlobalPoolOptions,
  globalAvgPool1d,
  globalAvgPool2d,
  globalMaxPool1d,
  globalMaxPool2d,
} from "./pooling-adaptive.ts";
export {
  alibi,
  type LearnedPositionsOptions,
  learnedPositions,
  type RotaryOptions,
  rotary,
  type SinusoidalOptions,
  sinusoidalPositions,
} from "./positions.ts";
export {
  gru,
  type LstmInput,
  type LstmOutput,
  lstm,
  type RecurrentInput,
  type RecurrentOptions,
  type RecurrentOutput,
  type RnnOptions,
  rnn,
} from "./recurrent.ts";
export {
  type CellOptions,
  gruCell,
  type LstmState,
  lstmCell,
  type RnnCellOptions,
  rnnCell,
} from "./recurrent-cells.ts";
export { remat } from "./remat.ts";
export { type RepeatOptions, repeat } from "./repeat.ts";
export { sequential } from "./sequential.ts";
export { permute, pixelShuffle, pixelUnshuffle, reshape, unflatten } from "./shaping.ts";
export { type LoadedState, type LoadStateOptions, type StateDict, stripPrefix } from "./state-dict.ts";
export { type Ties, tie } from "./tie.ts";
export {
  type DecoderInput,
  type EncoderInput,
  type StackOptions,
  type TransformerLayerOptions,
  transformerDecoder,
  transformerDecoderLayer,
  transformerEncoder,
  transformerEncoderLayer,
} from "./transformer.ts";
export { type UpsampleMode, type UpsampleOptions, upsample } from "./upsample.ts";
