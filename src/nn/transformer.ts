import type { Aval } from "../core/dtype.ts";
import { OptionError } from "../core/errors.ts";
import { Tensor } from "../ops/tensor.ts";
import { gelu, relu } from "./activations.ts";
import {
  type AttentionInput,
  type AttentionLayerOptions,
  attentionConfig,
  multiHeadAttention,
} from "./attention-layers.ts";
import { ChildInits, compose } from "./compose.ts";
import { dropout as dropoutLayer } from "./dropout.ts";
import { type AvalsOf, configOf, expectCount, type Json, type Layer } from "./layer.ts";
import { layerNorm } from "./layer-norm.ts";
import { linear } from "./linear.ts";
import { remat as rematLayer } from "./remat.ts";
import { repeat } from "./repeat.ts";

export type TransformerLayerOptions = AttentionLayerOptions & {
  /** Default 2048. */
  readonly dimFeedforward?: number;
  /** Of the weights of attention, inside the feed-forward part and of each branch, in training. Default 0.1, as PyTorch. */
  readonly dropout?: number;
  /** Default "relu". */
  readonly activation?: "relu" | "gelu";
  /** Default 1e-5. */
  readonly layerNormEps?: number;
  /** Norms before each part (pre-norm) instead of after the addition (post-norm). Default false, as PyTorch. */
  readonly normFirst?: boolean;
  /** Of linear layers, attention and norms. Default true. */
  readonly bias?: boolean;
};

/** A sequence with its masks; `mask` and `keyPaddingMask` as in `AttentionInput`. */
export type EncoderInput = {
  readonly src: Tensor;
  readonly mask?: Tensor;
  readonly srcKeyPaddingMask?: Tensor;
};

export type DecoderInput = {
  /** f32[N, T, E] */
  readonly tgt: Tensor;
  /** f32[N, S, E], what the encoder gave. */
  readonly memory: Tensor;
  readonly tgtMask?: Tensor;
  readonly memoryMask?: Tensor;
  readonly tgtKeyPaddingMask?: Tensor;
  readonly memoryKeyPaddingMask?: Tensor;
};

function transformerConfig(
  kind: string,
  dModel: number,
  heads: number,
  options: TransformerLayerOptions,
): { readonly kind: string; readonly [option: string]: Json } {
  const { dimFeedforward, activation, layerNormEps, normFirst, bias } = options;
  const given = { dModel, heads, dimFeedforward, activation, layerNormEps, normFirst, bias };
  return configOf(kind, { ...given, ...attentionConfig(options) }) as { kind: string; [option: string]: Json };
}

/** The parts that encoder and decoder layers share, with PyTorch's names. */
function partsOf(kind: string, dModel: number, options: TransformerLayerOptions) {
  const { dimFeedforward = 2048, dropout = 0.1, activation = "relu", layerNormEps = 1e-5, bias = true } = options;
  expectCount(kind, "dimFeedforward", dimFeedforward);
  if (activation !== "relu" && activation !== "gelu")
    throw new OptionError(`${kind}: got activation ${JSON.stringify(activation)}; expected "relu" or "gelu".`);
  const norm = (): Layer => layerNorm({ eps: layerNormEps, bias });
  return {
    linear1: linear(dimFeedforward, { bias }),
    activation: activation === "gelu" ? gelu() : relu(),
    dropout: dropoutLayer(dropout),
    linear2: linear(dModel, { bias }),
    norm1: norm(),
    norm2: norm(),
    dropout1: dropoutLayer(dropout),
    dropout2: dropoutLayer(dropout),
  } as const;
}

/** Pre-norm: x + f(norm(x)); post-norm: norm(x + f(x)). */
function branch(x: Tensor, normFirst: boolean, norm: (x: Tensor) => Tensor, f: (x: Tensor) => Tensor): Tensor {
  return normFirst ? x.add(f(norm(x))) : norm(x.add(f(x)));
}

/**
 * Self-attention and a feed-forward part, linear2(activation(linear1(x))), each with dropout, a residual sum and a layer norm
 * after it, or before it with `normFirst`. f32[N, T, dModel] of the same shape; a record { src, mask?, srcKeyPaddingMask? }
 * brings masks, and `causal` hides what follows.
 *
 * PyTorch's names: `self_attn.*`, `linear1`, `linear2`, `norm1`, `norm2`. Batches come first. `rotary` turns queries and keys.
 *
 * Errors: OptionError when `heads` does not divide dModel; ShapeError when an input does not fit.
 * Source: Vaswani et al., "Attention is all you need" (2017); pre-norm: Xiong et al. (2020).
 *
 * @example
 * nn.transformerEncoderLayer(128, 4, { dimFeedforward: 512, normFirst: true, causal: true })
 */
export function transformerEncoderLayer(
  dModel: number,
  heads: number,
  options: TransformerLayerOptions = {},
): Layer & Layer<Tensor | EncoderInput> {
  const kind = "transformerEncoderLayer";
  const { normFirst = false, bias = true } = options;
  const children = {
    self_attn: multiHeadAttention(dModel, heads, { dropout: 0.1, ...attentionOf(options), bias }),
    ...partsOf(kind, dModel, options),
  };
  const layer = compose(
    children,
    (x: Tensor | EncoderInput, parts) => {
      const { src, mask, srcKeyPaddingMask }: EncoderInput = x instanceof Tensor ? { src: x } : x;
      const attend = (y: Tensor): Tensor =>
        parts.dropout1(parts.self_attn(attentionInput(y, y, mask, srcKeyPaddingMask)));
      const feed = (y: Tensor): Tensor =>
        parts.dropout2(parts.linear2(parts.dropout(parts.activation(parts.linear1(y)))));
      return branch(branch(src, normFirst, parts.norm1, attend), normFirst, parts.norm2, feed);
    },
    transformerConfig(kind, dModel, heads, options),
  );
  return layer as Layer & typeof layer;
}

function attentionOf({ causal, dropout, memory, block, rotary }: TransformerLayerOptions): AttentionLayerOptions {
  return {
    ...(causal !== undefined && { causal }),
    ...(dropout !== undefined && { dropout }),
    ...(memory !== undefined && { memory }),
    ...(block !== undefined && { block }),
    ...(rotary !== undefined && { rotary }),
  };
}

function attentionInput(
  query: Tensor,
  key: Tensor,
  mask: Tensor | undefined,
  keyPaddingMask: Tensor | undefined,
): Tensor | AttentionInput {
  if (query === key && !mask && !keyPaddingMask) return query;
  return { query, key, value: key, ...(mask && { mask }), ...(keyPaddingMask && { keyPaddingMask }) };
}

/**
 * As `transformerEncoderLayer`, with attention to the encoder's output between: of a record { tgt, memory, tgtMask?,
 * memoryMask?, tgtKeyPaddingMask?, memoryKeyPaddingMask? }, f32[N, T, dModel] like `tgt`. `causal` and `rotary` are about the
 * self-attention.
 *
 * PyTorch's names: `self_attn.*`, `multihead_attn.*`, `linear1`, `linear2`, `norm1`, `norm2`, `norm3`.
 */
export function transformerDecoderLayer(
  dModel: number,
  heads: number,
  options: TransformerLayerOptions = {},
): Layer<DecoderInput, Tensor> {
  const kind = "transformerDecoderLayer";
  const { normFirst = false, bias = true, dropout = 0.1, layerNormEps = 1e-5 } = options;
  const children = {
    self_attn: multiHeadAttention(dModel, heads, { dropout, ...attentionOf(options), bias }),
    multihead_attn: multiHeadAttention(dModel, heads, {
      ...attentionOf(options),
      dropout,
      bias,
      causal: false,
      rotary: false,
    }),
    ...partsOf(kind, dModel, options),
    norm3: layerNorm({ eps: layerNormEps, bias }),
    dropout3: dropoutLayer(dropout),
  };
  return compose(
    children,
    (x: DecoderInput, parts) => {
      const attend = (y: Tensor): Tensor =>
        parts.dropout1(parts.self_attn(attentionInput(y, y, x.tgtMask, x.tgtKeyPaddingMask)));
      const cross = (y: Tensor): Tensor =>
        parts.dropout2(parts.multihead_attn(attentionInput(y, x.memory, x.memoryMask, x.memoryKeyPaddingMask)));
      const feed = (y: Tensor): Tensor =>
        parts.dropout3(parts.linear2(parts.dropout(parts.activation(parts.linear1(y)))));
      const first = branch(x.tgt, normFirst, parts.norm1, attend);
      return branch(branch(first, normFirst, parts.norm2, cross), normFirst, parts.norm3, feed);
    },
    transformerConfig(kind, dModel, heads, options),
  );
}

export type StackOptions = {
  /** After the last layer, under the name `norm`; pre-norm layers need one. Default none, as PyTorch. */
  readonly norm?: Layer;
  /** Compile one layer and loop over it: see `repeat`. Default false. */
  readonly scanLayers?: boolean;
  /** Compute each layer again in the backward pass: see `remat`. Default false. */
  readonly remat?: boolean;
};

/**
 * `numLayers` encoder layers one after the other, with parameters of their own, `layers.0.`, `layers.1.`, ..., then `norm`
 * where it is given. Takes what the layer takes; the masks go to every layer. PyTorch starts all from the same values.
 *
 * @example
 * const encoder = nn.transformerEncoder(nn.transformerEncoderLayer(128, 4), 2, { norm: nn.layerNorm() });
 */
export function transformerEncoder(
  layer: Layer<Tensor | EncoderInput, Tensor>,
  numLayers: number,
  options: StackOptions = {},
): Layer & Layer<Tensor | EncoderInput> {
  const own = layer as Layer<EncoderInput>;
  return stackOf<EncoderInput>("transformerEncoder", "src", own, numLayers, options) as Layer &
    Layer<Tensor | EncoderInput>;
}

/** `numLayers` decoder layers, `layers.0.`, ..., each with the same `memory` and masks, then `norm` where it is given. */
export function transformerDecoder(
  layer: Layer<DecoderInput, Tensor>,
  numLayers: number,
  options: StackOptions = {},
): Layer<DecoderInput, Tensor> {
  return stackOf<DecoderInput>("transformerDecoder", "tgt", layer, numLayers, options) as Layer<DecoderInput, Tensor>;
}

/** Layers from { [first]: x, ...others } to x's type; the others are the same for all. */
function stackOf<In extends { readonly [name: string]: Tensor }>(
  kind: string,
  first: string,
  layer: Layer<In, Tensor>,
  count: number,
  options: StackOptions,
): Layer<Tensor | In, Tensor> {
  expectCount(kind, "numLayers", count);
  const { norm, scanLayers = false, remat = false } = options;
  // The others are closed over, so that a loop carries and keeps x alone.
  const layersWith = (others: object | undefined): Layer => {
    const given = <X>(x: X): X => (others === undefined ? x : ({ [first]: x, ...others } as X));
    const one: Layer = {
      config: layer.config,
      init: (key, x, path) => layer.init(key, given(x) as unknown as AvalsOf<In>, path),
      apply: (params, x, ctx) => layer.apply(params, given(x) as unknown as In, ctx),
    };
    return repeat(remat ? rematLayer(one) : one, count, { scan: scanLayers });
  };
  const partsIn = (input: object): readonly [x: unknown, others: object | undefined] => {
    const { [first]: x, ...others } = input as { readonly [name: string]: unknown };
    return x === undefined ? [input, undefined] : [x, others];
  };
  return {
    config: configOf(kind, {
      layer: layer.config,
      numLayers: count,
      norm: norm?.config,
      scanLayers: options.scanLayers,
      remat: options.remat,
    }),
    init(key, input, path = kind) {
      const collected = new ChildInits(key, path);
      const [x, others] = partsIn(input);
      const output = collected.init("layers", layersWith(others), x as Aval);
      if (norm) collected.init("norm", norm, output);
      return { params: collected.params, buffers: collected.buffers, output };
    },
    apply(params, input, ctx) {
      const [x, others] = input instanceof Tensor ? [input, undefined] : partsIn(input);
      const y = ctx.apply("layers", layersWith(others), params, x as Tensor);
      return norm ? ctx.apply("norm", norm, params, y) : y;
    },
  };
}
