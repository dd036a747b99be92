import { type Aval, formatAval, sameShape } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import { type HostArray, zeros } from "../core/host-array.ts";
import { foldKey, type KeyWords } from "../core/prng.ts";
import { Tensor } from "../ops/tensor.ts";
import { type AttentionMemory, type AttentionOptions, scaledDotProductAttention } from "./attention.ts";
import { avalsOf, defineLayer } from "./define-layer.ts";
import { defaultWeight, xavierUniform } from "./init.ts";
import { type AvalsOf, configOf, expectCount, type Json, type Layer, type LayerContext } from "./layer.ts";
import { type RotaryOptions, rotary } from "./positions.ts";

export type AttentionLayerOptions = {
  /** Query t sees keys 0..t only. Default false. */
  readonly causal?: boolean;
  /** Of the weights, in training. Default 0. */
  readonly dropout?: number;
  /** Default "auto": see `scaledDotProductAttention`. */
  readonly memory?: AttentionMemory;
  /** Queries a block. Default 64. */
  readonly block?: number;
  /** Turns queries and keys by their positions. `true`: with the defaults of `rotary`. Default false. */
  readonly rotary?: boolean | RotaryOptions;
};

/** f32[N, H, T, D] each, the mask as `scaledDotProductAttention` takes it. */
export type HeadsInput = {
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
  readonly mask?: Tensor;
};

/**
 * `scaledDotProductAttention` as a layer without parameters, on the heads { query, key, value, mask? }, f32[N, H, T, D] each:
 * for attention of your own inside `compose`. The dropout's key is the pass's.
 *
 * Errors: OptionError for a dropout outside [0, 1).
 */
export function attention(options: AttentionLayerOptions = {}): Layer<HeadsInput> {
  checkAttention("attention", options);
  return defineLayer<Record<string, never>, HeadsInput>({
    kind: "attention",
    config: attentionConfig(options),
    apply: (_params, x, ctx) => attendHeads(x, options, ctx),
  });
}

function checkAttention(kind: string, { dropout = 0 }: AttentionLayerOptions): void {
  if (!(dropout >= 0 && dropout < 1))
    throw new OptionError(`${kind}: got dropout ${dropout}; expected a probability in [0, 1).`);
}

/** The options as JSON data. */
export function attentionConfig(options: AttentionLayerOptions): { readonly [option: string]: Json | undefined } {
  const { causal, dropout, memory, block, rotary: turned } = options;
  return { causal, dropout, memory, block, rotary: typeof turned === "object" ? { ...turned } : turned };
}

function attendHeads(x: HeadsInput, options: AttentionLayerOptions, ctx: LayerContext): Tensor {
  const { dropout = 0, causal = false, memory = "auto", block, rotary: turned = false } = options;
  const turn = (heads: Tensor): Tensor => (turned === false ? heads : rotary(heads, turned === true ? {} : turned));
  const all: AttentionOptions = {
    causal,
    memory,
    ...(block !== undefined && { block }),
    ...(x.mask && { mask: x.mask }),
    ...(dropout > 0 && ctx.training ? { dropout, key: ctx.key } : {}),
  };
  return scaledDotProductAttention(turn(x.query), turn(x.key), x.value, all);
}

/** [N, T, E] -> [N, heads, T, E / heads] */
export function splitHeads(x: Tensor, heads: number): Tensor {
  const [n, length, width] = x.shape as readonly [number, number, number];
  return x.reshape([n, length, heads, width / heads]).transpose([0, 2, 1, 3]);
}

/** [N, heads, T, D] -> [N, T, heads D] */
export function mergeHeads(x: Tensor): Tensor {
  const [n, heads, length, width] = x.shape as readonly [number, number, number, number];
  return x.transpose([0, 2, 1, 3]).reshape([n, length, heads * width]);
}

export type MultiHeadAttentionOptions = AttentionLayerOptions & {
  /** Of all projections. Default true. */
  readonly bias?: boolean;
  /** The key's width. Default embedDim. */
  readonly kdim?: number;
  /** The value's width. Default embedDim. */
  readonly vdim?: number;
};

/** Several inputs of attention. */
export type AttentionInput = {
  /** f32[N, T, E] */
  readonly query: Tensor;
  /** f32[N, S, kdim] */
  readonly key: Tensor;
  /** f32[N, S, vdim] */
  readonly value: Tensor;
  /** bool (true: take part) or f32 (added): [T, S], [N, T, S] or [N, heads, T, S]. */
  readonly mask?: Tensor;
  /** bool[N, S]; true: the key is padding, and nobody attends to it. */
  readonly keyPaddingMask?: Tensor;
};

type AttentionParams = {
  readonly in_proj_weight?: HostArray;
  readonly q_proj_weight?: HostArray;
  readonly k_proj_weight?: HostArray;
  readonly v_proj_weight?: HostArray;
  readonly in_proj_bias?: HostArray;
  readonly out_proj: { readonly weight: HostArray; readonly bias?: HostArray };
};

/**
 * Attention of several heads: q, k, v = projections of the inputs, cut into `heads` parts of E / heads each;
 * y = out_proj(softmax(q kᵀ / sqrt(E / heads) + mask) v).
 *
 * x f32[N, T, E] attends to itself; a record { query, key, value, mask?, keyPaddingMask? } to what it says. Batches come
 * first always, and the weights of attention are not returned. PyTorch's parameters: `in_proj_weight` [3E, E] (with kdim or
 * vdim `q_proj_weight` [E, E], `k_proj_weight` [E, kdim], `v_proj_weight` [E, vdim]), `in_proj_bias` [3E], `out_proj.weight`
 * [E, E], `out_proj.bias` [E].
 *
 * A bool `mask` is true where a query may attend, as in `scaledDotProductAttention`; PyTorch's `nn.MultiheadAttention` has it
 * the other way round. `keyPaddingMask` is true at padding, as there. A query without any key gives out_proj's bias, where
 * PyTorch may give NaN.
 *
 * Errors: OptionError when `heads` does not divide embedDim; ShapeError when an input does not fit.
 * Source: Vaswani et al., "Attention is all you need" (2017).
 *
 * @example
 * nn.model(nn.multiHeadAttention(64, 4, { causal: true })).init(1, { dtype: "f32", shape: [8, 16, 64] }).output.shape // -> [8, 16, 64]
 */
export function multiHeadAttention(
  embedDim: number,
  heads: number,
  options: MultiHeadAttentionOptions = {},
): Layer & Layer<Tensor | AttentionInput> {
  const kind = "multiHeadAttention";
  expectCount(kind, "embedDim", embedDim);
  expectCount(kind, "heads", heads);
  if (embedDim % heads !== 0)
    throw new OptionError(`${kind}: got embedDim ${embedDim} and ${heads} heads; expected heads to divide embedDim.`);
  const { bias = true, kdim = embedDim, vdim = embedDim } = options;
  expectCount(kind, "kdim", kdim);
  expectCount(kind, "vdim", vdim);
  checkAttention(kind, options);
  const oneWeight = kdim === embedDim && vdim === embedDim;
  const widths = [embedDim, kdim, vdim] as const;
  const layer = defineLayer<AttentionParams, Tensor | AttentionInput, Tensor>({
    kind,
    config: configOf(kind, {
      embedDim,
      heads,
      bias: options.bias,
      kdim: options.kdim,
      vdim: options.vdim,
      ...attentionConfig(options),
    }),
    init(key, input) {
      checkInputs(kind, input, widths, heads);
      const draw = (name: string, shape: readonly number[]): HostArray =>
        xavierUniform().sample(foldKey(key, name), shape);
      const weights = oneWeight
        ? { in_proj_weight: draw("in_proj_weight", [3 * embedDim, embedDim]) }
        : {
            q_proj_weight: draw("q_proj_weight", [embedDim, embedDim]),
            k_proj_weight: draw("k_proj_weight", [embedDim, kdim]),
            v_proj_weight: draw("v_proj_weight", [embedDim, vdim]),
          };
      return {
        ...weights,
        ...(bias ? { in_proj_bias: zeros([3 * embedDim]) } : {}),
        out_proj: outProjection(key, embedDim, bias),
      };
    },
    apply(params, x, ctx) {
      checkInputs(kind, avalsOf(x), widths, heads);
      const given = x instanceof Tensor ? { query: x, key: x, value: x } : x;
      const [query, key, value] = project(params as Projections, given, embedDim);
      const mask = maskOf(given);
      const y = attendHeads(
        {
          query: splitHeads(query, heads),
          key: splitHeads(key, heads),
          value: splitHeads(value, heads),
          ...(mask && { mask }),
        },
        options,
        ctx,
      );
      const out = params.out_proj as { readonly weight: Tensor; readonly bias?: Tensor };
      return affine(mergeHeads(y), out.weight, out.bias);
    },
  });
  return layer as Layer & typeof layer;
}

/** Throws ShapeError unless the inputs are [N, T, E], [N, S, kdim] and [N, S, vdim], and the masks fit them. */
function checkInputs(
  kind: string,
  input: AvalsOf<Tensor | AttentionInput>,
  [embedDim, kdim, vdim]: readonly [number, number, number],
  heads: number,
): void {
  const one = "dtype" in input ? (input as Aval) : undefined;
  const { query, key, value, mask, keyPaddingMask } = (
    one ? { query: one, key: one, value: one } : input
  ) as AvalsOf<AttentionInput>;
  const fits = (x: Aval | undefined, shape: readonly (number | undefined)[]): boolean =>
    x?.dtype === "f32" && x.shape.length === 3 && x.shape.every((size, i) => size === shape[i]);
  const [n, length] = query?.shape ?? [];
  const keys = key?.shape[1];
  if (!fits(query, [n, length, embedDim]) || !fits(key, [n, keys, kdim]) || !fits(value, [n, keys, vdim])) {
    const got = one
      ? formatAval(one)
      : `query ${query && formatAval(query)}, key ${key && formatAval(key)} and value ${value && formatAval(value)}`;
    const single = embedDim === kdim && embedDim === vdim ? `f32[N, T, ${embedDim}], or ` : "";
    throw new ShapeError(
      `${kind}: got ${got}; expected ${single}query f32[N, T, ${embedDim}], key f32[N, S, ${kdim}] and value f32[N, S, ${vdim}].`,
    );
  }
  if (keyPaddingMask && (keyPaddingMask.dtype !== "bool" || !sameShape(keyPaddingMask.shape, [n, keys] as number[])))
    throw new ShapeError(`${kind}: got keyPaddingMask ${formatAval(keyPaddingMask)}; expected bool[${n},${keys}].`);
  if (mask) {
    const full = [n, heads, length, keys]
      .filter((_, i) => !(mask.shape.length === 3 && i === 1))
      .slice(-mask.shape.length);
    const broadcasts = mask.shape.length >= 2 && mask.shape.every((size, i) => size === 1 || size === full[i]);
    if (!broadcasts || (mask.dtype !== "bool" && mask.dtype !== "f32"))
      throw new ShapeError(
        `${kind}: got mask ${formatAval(mask)}; expected bool or f32 of [${length},${keys}], [${n},${length},${keys}] or [${n},${heads},${length},${keys}].`,
      );
  }
}

function outProjection(
  key: KeyWords,
  width: number,
  bias: boolean,
): { readonly weight: HostArray; readonly bias?: HostArray } {
  const weight = defaultWeight.sample(foldKey(key, "out_proj.weight"), [width, width]);
  return bias ? { weight, bias: zeros([width]) } : { weight };
}

type Projections = { readonly [K in keyof AttentionParams as Exclude<K, "out_proj">]: Tensor };

function affine(x: Tensor, weight: Tensor, bias: Tensor | undefined): Tensor {
  const y = x.matmul(weight.transpose());
  return bias ? y.add(bias) : y;
}

function project(params: Projections, given: AttentionInput, width: number): readonly [Tensor, Tensor, Tensor] {
  const { query, key, value } = given;
  const { in_proj_weight: all, in_proj_bias: biases } = params;
  // One product for self-attention.
  if (all && query === key && key === value) {
    const qkv = affine(query, all, biases);
    return [0, 1, 2].map((i) => qkv.narrow(-1, i * width, width)) as [Tensor, Tensor, Tensor];
  }
  const weights = all
    ? [0, 1, 2].map((i) => all.narrow(0, i * width, width))
    : [params.q_proj_weight, params.k_proj_weight, params.v_proj_weight];
  return [query, key, value].map((x, i) => affine(x, weights[i] as Tensor, biases?.narrow(0, i * width, width))) as [
    Tensor,
    Tensor,
    Tensor,
  ];
}

/** Both masks as one that broadcasts to [N, heads, T, S]. */
function maskOf({ mask, keyPaddingMask }: AttentionInput): Tensor | undefined {
  const own = mask?.rank === 3 ? mask.unsqueeze(1) : mask;
  if (!keyPaddingMask) return own;
  const [n, keys] = keyPaddingMask.shape as readonly [number, number];
  const seen = keyPaddingMask.not().reshape([n, 1, 1, keys]);
  if (!own) return seen;
  return own.dtype === "bool" ? own.and(seen) : seen.select(own, Number.NEGATIVE_INFINITY);
}
