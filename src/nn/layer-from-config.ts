import { OptionError } from "../core/errors.ts";
import {
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
  prelu,
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
import { batchNorm } from "./batch-norm.ts";
import { residual } from "./compose.ts";
import { ConfigReader, type FromConfig } from "./config-reader.ts";
import { type Conv2dOptions, conv1d, conv2d, depthwiseConv2d, separableConv2d } from "./conv.ts";
import { convTranspose1d, convTranspose2d } from "./conv-transpose.ts";
import { alphaDropout, dropout, dropout1d, dropout2d, stochasticDepth } from "./dropout.ts";
import { BAG_MODES, embedding, embeddingBag } from "./embedding.ts";
import { GATES } from "./functional.ts";
import { type GatedLinearOptions, geglu, glu, reglu, swiglu } from "./gated.ts";
import { groupNorm, instanceNorm } from "./group-norm.ts";
import * as init from "./init.ts";
import type { AnyLayer, Layer, LayerConfig } from "./layer.ts";
import { layerNorm, rmsNorm } from "./layer-norm.ts";
import { linear } from "./linear.ts";
import { localResponseNorm } from "./local-response-norm.ts";
import { Model } from "./model.ts";
import { modelKinds } from "./models/kinds.ts";
import { PADDING_MODES, pad } from "./padding.ts";
import { flatten, identity } from "./plain-layers.ts";
import { avgPool1d, avgPool2d, lpPool1d, lpPool2d, maxPool1d, maxPool2d } from "./pooling.ts";
import {
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  adaptiveMaxPool1d,
  adaptiveMaxPool2d,
  globalAvgPool1d,
  globalAvgPool2d,
  globalMaxPool1d,
  globalMaxPool2d,
} from "./pooling-adaptive.ts";
import { learnedPositions } from "./positions.ts";
import { gru, lstm, type RecurrentOptions, rnn } from "./recurrent.ts";
import { gruCell, lstmCell, rnnCell } from "./recurrent-cells.ts";
import { remat } from "./remat.ts";
import { repeat } from "./repeat.ts";
import { sequential } from "./sequential.ts";
import { permute, pixelShuffle, pixelUnshuffle, reshape, unflatten } from "./shaping.ts";
import { transformerKinds } from "./transformer-kinds.ts";
import { UPSAMPLE_MODES, upsample } from "./upsample.ts";

export { lossFromConfig } from "./losses/from-config.ts";

/** Layers of your own by kind, for configurations that name them. */
export type LayerKinds = { readonly [kind: string]: FromConfig<Layer> };

const INITIALIZERS: { readonly [kind: string]: FromConfig<init.Initializer> } = {
  constant: (o) => init.constant(o.number("value")),
  zeros: () => init.zeros(),
  ones: () => init.ones(),
  normal: (o) => init.normal(o.numbers("mean", "std")),
  uniform: (o) => init.uniform(o.numbers("low", "high")),
  truncatedNormal: (o) => init.truncatedNormal(o.numbers("mean", "std", "low", "high")),
  heNormal: (o) => init.heNormal({ ...o.choice("mode", ["fanIn", "fanOut"]), ...o.numbers("slope") }),
  heUniform: (o) => init.heUniform({ ...o.choice("mode", ["fanIn", "fanOut"]), ...o.numbers("slope") }),
  xavierNormal: (o) => init.xavierNormal(o.numbers("gain")),
  xavierUniform: (o) => init.xavierUniform(o.numbers("gain")),
  lecunNormal: () => init.lecunNormal(),
  lecunUniform: () => init.lecunUniform(),
  orthogonal: (o) => init.orthogonal(o.numbers("gain")),
};

/** Every kind of layer there is here. */
export const LAYERS: LayerKinds = {
  linear: (o) =>
    linear(o.number("outFeatures"), { ...o.booleans("bias"), ...o.numbers("inFeatures"), ...initializersOf(o) }),
  conv2d: (o) => conv2d(o.number("outChannels"), o.size("kernel"), { ...convOptionsOf(o), ...o.numbers("groups") }),
  conv1d: (o) =>
    conv1d(o.number("outChannels"), o.number("kernel"), {
      ...o.booleans("bias"),
      ...o.numbers("groups", "stride", "dilation"),
      ...paddingOf(o, () => o.number("padding")),
      ...o.choice("paddingMode", PADDING_MODES),
      ...initializersOf(o),
    }),
  depthwiseConv2d: (o) => depthwiseConv2d(o.size("kernel"), { ...convOptionsOf(o), ...o.numbers("multiplier") }),
  separableConv2d: (o) =>
    separableConv2d(o.number("outChannels"), o.size("kernel"), { ...convOptionsOf(o), ...o.numbers("multiplier") }),
  convTranspose1d: (o) =>
    convTranspose1d(o.number("outChannels"), o.number("kernel"), {
      ...o.booleans("bias"),
      ...o.numbers("groups", "stride", "padding", "outputPadding", "dilation"),
      ...initializersOf(o),
    }),
  convTranspose2d: (o) =>
    convTranspose2d(o.number("outChannels"), o.size("kernel"), {
      ...o.booleans("bias"),
      ...o.numbers("groups"),
      ...o.sizes("stride", "padding", "outputPadding", "dilation"),
      ...initializersOf(o),
    }),
  maxPool2d: (o) =>
    maxPool2d(o.size("window"), { ...o.sizes("stride", "padding", "dilation"), ...o.booleans("ceilMode") }),
  maxPool1d: (o) =>
    maxPool1d(o.number("window"), { ...o.numbers("stride", "padding", "dilation"), ...o.booleans("ceilMode") }),
  avgPool2d: (o) =>
    avgPool2d(o.size("window"), {
      ...o.sizes("stride", "padding"),
      ...o.booleans("ceilMode", "countIncludePad"),
      ...o.numbers("divisorOverride"),
    }),
  avgPool1d: (o) =>
    avgPool1d(o.number("window"), {
      ...o.numbers("stride", "padding"),
      ...o.booleans("ceilMode", "countIncludePad"),
    }),
  lpPool2d: (o) => lpPool2d(o.number("p"), o.size("window"), { ...o.sizes("stride"), ...o.booleans("ceilMode") }),
  lpPool1d: (o) => lpPool1d(o.number("p"), o.number("window"), { ...o.numbers("stride"), ...o.booleans("ceilMode") }),
  globalAvgPool2d: (o) => globalAvgPool2d(o.booleans("keepDims")),
  globalAvgPool1d: (o) => globalAvgPool1d(o.booleans("keepDims")),
  globalMaxPool2d: (o) => globalMaxPool2d(o.booleans("keepDims")),
  globalMaxPool1d: (o) => globalMaxPool1d(o.booleans("keepDims")),
  adaptiveAvgPool2d: (o) => adaptiveAvgPool2d(o.size("size")),
  adaptiveAvgPool1d: (o) => adaptiveAvgPool1d(o.number("size")),
  adaptiveMaxPool2d: (o) => adaptiveMaxPool2d(o.size("size")),
  adaptiveMaxPool1d: (o) => adaptiveMaxPool1d(o.number("size")),
  batchNorm: (o) =>
    batchNorm({
      ...(o.is("momentum", null) ? { momentum: null } : o.numbers("momentum")),
      ...o.numbers("eps"),
      ...o.booleans("affine", "trackRunningStats"),
    }),
  layerNorm: (o) =>
    layerNorm({ ...o.shapes("normalizedShape"), ...o.numbers("eps"), ...o.booleans("elementwiseAffine", "bias") }),
  rmsNorm: (o) => rmsNorm({ ...o.shapes("normalizedShape"), ...o.numbers("eps"), ...o.booleans("elementwiseAffine") }),
  groupNorm: (o) => groupNorm(o.number("numGroups"), { ...o.numbers("eps"), ...o.booleans("affine") }),
  instanceNorm: (o) => instanceNorm({ ...o.numbers("momentum", "eps"), ...o.booleans("affine", "trackRunningStats") }),
  localResponseNorm: (o) => localResponseNorm(o.number("size"), o.numbers("alpha", "beta", "k")),
  embedding: (o) =>
    embedding(o.number("numEmbeddings"), o.number("dim"), { ...o.numbers("paddingIndex"), ...initializersOf(o) }),
  embeddingBag: (o) =>
    embeddingBag(o.number("numEmbeddings"), o.number("dim"), {
      ...o.numbers("paddingIndex"),
      ...o.choice("mode", BAG_MODES),
      ...initializersOf(o),
    }),
  reshape: (o) => reshape(o.list("shape")),
  unflatten: (o) => unflatten(o.number("axis"), o.list("sizes")),
  permute: (o) => permute(o.list("order")),
  pixelShuffle: (o) => pixelShuffle(o.number("upscaleFactor")),
  pixelUnshuffle: (o) => pixelUnshuffle(o.number("downscaleFactor")),
  upsample: (o) =>
    upsample({
      ...o.shapes("size", "scaleFactor"),
      ...o.choice("mode", UPSAMPLE_MODES),
      ...o.booleans("alignCorners"),
    }),
  pad: (o) =>
    pad(typeof o.config.padding === "number" ? o.number("padding") : o.pairs("padding"), {
      ...o.choice("mode", PADDING_MODES),
      ...o.numbers("value"),
    }),
  rnn: (o) => rnn(o.number("hiddenSize"), { ...recurrentOptionsOf(o), ...o.choice("nonlinearity", ["tanh", "relu"]) }),
  gru: (o) => gru(o.number("hiddenSize"), recurrentOptionsOf(o)),
  lstm: (o) => lstm(o.number("hiddenSize"), recurrentOptionsOf(o)),
  rnnCell: (o) =>
    rnnCell(o.number("hiddenSize"), {
      ...o.booleans("bias"),
      ...o.choice("nonlinearity", ["tanh", "relu"]),
    }) as AnyLayer as Layer,
  gruCell: (o) => gruCell(o.number("hiddenSize"), o.booleans("bias")) as AnyLayer as Layer,
  lstmCell: (o) => lstmCell(o.number("hiddenSize"), o.booleans("bias")) as AnyLayer as Layer,
  dropout: (o) => dropout(o.number("p")),
  dropout1d: (o) => dropout1d(o.number("p")),
  dropout2d: (o) => dropout2d(o.number("p")),
  alphaDropout: (o) => alphaDropout(o.number("p")),
  stochasticDepth: (o) => stochasticDepth(o.number("p"), o.choice("mode", ["row", "batch"]).mode),
  flatten: (o) => flatten(o.number("start")),
  identity: () => identity(),
  relu: () => relu(),
  leakyRelu: (o) => leakyRelu(o.number("slope")),
  elu: (o) => elu(o.number("alpha")),
  gelu: (o) => gelu(o.choice("approximate", ["none", "tanh"])),
  sigmoid: () => sigmoid(),
  tanh: () => tanh(),
  softmax: (o) => softmax(o.number("axis")),
  softmin: (o) => softmin(o.number("axis")),
  logSoftmax: (o) => logSoftmax(o.number("axis")),
  relu6: () => relu6(),
  prelu: (o) => prelu(o.numbers("numParameters", "init")),
  rrelu: (o) => rrelu(o.numbers("lower", "upper")),
  selu: () => selu(),
  celu: (o) => celu(o.number("alpha")),
  silu: () => silu(),
  mish: () => mish(),
  softplus: (o) => softplus(o.numbers("beta", "threshold")),
  logSigmoid: () => logSigmoid(),
  hardSigmoid: () => hardSigmoid(),
  hardSwish: () => hardSwish(),
  hardTanh: (o) => hardTanh(o.numbers("minVal", "maxVal")),
  tanhshrink: () => tanhshrink(),
  softshrink: (o) => softshrink(o.number("lambda")),
  hardshrink: (o) => hardshrink(o.number("lambda")),
  threshold: (o) => threshold(o.number("threshold"), o.number("value")),
  softsign: () => softsign(),
  glu: (o) => glu({ ...o.numbers("axis"), ...o.choice("activation", GATES) }),
  swiglu: (o) => swiglu(o.number("outFeatures"), gatedOptionsOf(o)),
  geglu: (o) => geglu(o.number("outFeatures"), gatedOptionsOf(o)),
  reglu: (o) => reglu(o.number("outFeatures"), gatedOptionsOf(o)),
  sequential: (o, build) =>
    sequential(Object.fromEntries(o.records("layers").map((each) => [each.text("name"), build(each.record("layer"))]))),
  learnedPositions: (o) => learnedPositions(o.number("length"), initializersOf(o)),
  ...transformerKinds,
  remat: (o, build) => remat(build(o.record("layer"))),
  repeat: (o, build) => repeat(build(o.record("layer")), o.number("count"), o.booleans("scan")),
  residual: (o, build) =>
    residual(build(o.record("inner")), o.has("shortcut") ? build(o.record("shortcut")) : undefined),
  ...modelKinds,
};

const gatedOptionsOf = (o: ConfigReader): GatedLinearOptions => ({
  ...o.booleans("bias"),
  ...o.numbers("inFeatures"),
  ...initializersOf(o),
});

function recurrentOptionsOf(o: ConfigReader): RecurrentOptions {
  return {
    ...o.numbers("numLayers", "dropout"),
    ...o.booleans("bidirectional", "bias", "batchFirst", "returnSequences", "state"),
  };
}

/** A convolution's options, but for the number of channels and groups. */
function convOptionsOf(o: ConfigReader): Omit<Conv2dOptions, "groups"> {
  return {
    ...o.booleans("bias"),
    ...o.sizes("stride", "dilation"),
    ...paddingOf(o, () => o.size("padding")),
    ...o.choice("paddingMode", PADDING_MODES),
    ...initializersOf(o),
  };
}

function paddingOf<T>(o: ConfigReader, counts: () => T): { padding?: T | "same" | "valid" } {
  if (o.is("padding", "same") || o.is("padding", "valid")) return o.choice("padding", ["same", "valid"]);
  return o.has("padding") ? { padding: counts() } : {};
}

function initializersOf(o: ConfigReader): { weightInit?: init.Initializer; biasInit?: init.Initializer } {
  const found: { weightInit?: init.Initializer; biasInit?: init.Initializer } = {};
  for (const name of ["weightInit", "biasInit"] as const)
    if (o.has(name)) found[name] = initializerFromConfig(o.record(name));
  return found;
}

/** An initialiser from its configuration. One of a kind of your own comes back too, and fails when it is asked to sample. */
export function initializerFromConfig(config: LayerConfig): init.Initializer {
  const known = Object.hasOwn(INITIALIZERS, config.kind) ? INITIALIZERS[config.kind] : undefined;
  if (known) return known(new ConfigReader(config), unknownLayer);
  return {
    config,
    sample: () => {
      throw new OptionError(
        `init: got the kind "${config.kind}"; expected one of ${Object.keys(INITIALIZERS).join(", ")}.`,
      );
    },
  };
}

function unknownLayer(config: LayerConfig): never {
  throw new OptionError(`config: got the layer kind "${config.kind}" here; expected no layer.`);
}

/**
 * The layer whose `config` this is. Layers of your own (`defineLayer`, `compose`, `lambda`) are built by the functions you
 * give under their kinds; these win over the built-in ones.
 *
 * Errors: OptionError that names the kind and option which do not fit.
 *
 * @example
 * const copy = nn.layerFromConfig(JSON.parse(JSON.stringify(nn.mlp({ classes: 10 }).config)));
 */
export function layerFromConfig(config: LayerConfig, kinds: LayerKinds = {}): Layer {
  const { kind } = config;
  const make = Object.hasOwn(kinds, kind) ? kinds[kind] : Object.hasOwn(LAYERS, kind) ? LAYERS[kind] : undefined;
  if (!make)
    throw new OptionError(
      `config: got the layer kind "${kind}"; expected one of ${[...Object.keys(kinds), ...Object.keys(LAYERS)].join(", ")}. ` +
        "Hint: give a function for a layer of your own.",
    );
  return make(new ConfigReader(config), (inner) => layerFromConfig(inner, kinds));
}

/** `layerFromConfig` as a model. */
export function modelFromConfig(config: LayerConfig, kinds: LayerKinds = {}): Model {
  return new Model(layerFromConfig(config, kinds));
}
