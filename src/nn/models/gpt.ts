import { type Aval, formatAval } from "../../core/dtype.ts";
import { OptionError, ShapeError } from "../../core/errors.ts";
import type { Tensor } from "../../ops/tensor.ts";
import { gelu } from "../activations.ts";
import type { AttentionMemory } from "../attention.ts";
import { attention, mergeHeads, splitHeads } from "../attention-layers.ts";
import { compose } from "../compose.ts";
import { dropout as dropoutLayer } from "../dropout.ts";
import { embedding } from "../embedding.ts";
import { normal, zeros } from "../init.ts";
import { configOf, expectCount, type Layer } from "../layer.ts";
import { layerNorm } from "../layer-norm.ts";
import { linear } from "../linear.ts";
import { identity } from "../plain-layers.ts";
import { learnedPositions } from "../positions.ts";
import { remat as rematLayer } from "../remat.ts";
import { repeat } from "../repeat.ts";
import { sequential } from "../sequential.ts";
import { tie } from "../tie.ts";

export type GptOptions = {
  readonly vocabSize: number;
  /** The longest sequence. */
  readonly blockSize: number;
  /** Default 12. */
  readonly layers?: number;
  /** Default 12. */
  readonly heads?: number;
  /** Default 768. */
  readonly width?: number;
  /** Of the embeddings, the weights of attention and each residual branch, in training. Default 0. */
  readonly dropout?: number;
  /** Of the linear layers and norms. Default true, as GPT-2. */
  readonly bias?: boolean;
  /** Which gelu. Default "none", as nanoGPT; GPT-2's weights are for "tanh". */
  readonly approximate?: "none" | "tanh";
  /** "learned" are added to the embeddings; "rotary" turn queries and keys, and `transformer.wpe` is not there. Default "learned". */
  readonly positions?: "learned" | "rotary";
  /** How attention holds its scores. Default "auto". */
  readonly memory?: AttentionMemory;
  /** Compile one block and loop over it: see `repeat`. Default false. */
  readonly scanLayers?: boolean;
  /** Compute each block again in the backward pass: see `remat`. Default false. */
  readonly remat?: boolean;
};

/**
 * A GPT in nanoGPT's shape: token and position embeddings, pre-norm blocks of causal attention and a 4x wide gelu layer, a
 * last norm, and logits by the token embedding. i32[N, T], T up to blockSize, -> f32[N, T, vocabSize].
 *
 * nanoGPT's names: `transformer.wte`, `.wpe`, `.h.0.ln_1`, `.h.0.attn.c_attn`, `.h.0.attn.c_proj`, `.h.0.ln_2`,
 * `.h.0.mlp.c_fc`, `.h.0.mlp.c_proj`, `.ln_f`; `lm_head.weight` is `transformer.wte.weight` (`ties`). Weights start normal
 * with std 0.02, those of c_proj with 0.02 / sqrt(2 layers), biases at 0.
 *
 * Errors: OptionError when `heads` does not divide `width`; ShapeError for more than blockSize tokens, or what is no tokens.
 * Source: Radford et al., "Language models are unsupervised multitask learners" (2019); Karpathy, nanoGPT.
 *
 * @example
 * const net = nn.gpt({ vocabSize: 256, blockSize: 64, layers: 2, heads: 4, width: 128 });
 * nn.model(net).init(1, { dtype: "i32", shape: [8, 64] }).output.shape // -> [8, 64, 256]
 */
export function gpt(options: GptOptions): Layer {
  const { vocabSize, blockSize, layers = 12, heads = 12, width = 768, dropout = 0, bias = true } = options;
  for (const [name, value] of Object.entries({ vocabSize, blockSize, layers, heads, width }))
    expectCount("gpt", name, value);
  if (width % heads !== 0)
    throw new OptionError(`gpt: got width ${width} and ${heads} heads; expected heads to divide width.`);
  const learned = (options.positions ?? "learned") === "learned";
  const small = normal({ std: 0.02 });
  const inner = block(options, { heads, width, bias, dropout, residualStd: 0.02 / Math.sqrt(2 * layers) });
  const transformer = sequential({
    wte: embedding(vocabSize, width, { weightInit: small }),
    ...(learned ? { wpe: learnedPositions(blockSize, { weightInit: small }) } : {}),
    drop: dropoutLayer(dropout),
    h: repeat(options.remat ? rematLayer(inner) : inner, layers, { scan: options.scanLayers ?? false }),
    ln_f: layerNorm({ bias }),
  });
  const net = sequential({ transformer, lm_head: linear(vocabSize, { bias: false, weightInit: small }) });
  const tied = tie(net, { "lm_head.weight": "transformer.wte.weight" });
  return {
    ...tied,
    config: configOf("gpt", options),
    init(key, input, path = "gpt") {
      checkTokens(input, blockSize);
      return tied.init(key, input, path);
    },
    apply(params, x, ctx) {
      checkTokens(x.aval, blockSize);
      return tied.apply(params, x, ctx);
    },
  };
}

function checkTokens(tokens: Aval, blockSize: number): void {
  const [, length = 0] = tokens.shape;
  const isTokens = (tokens.dtype === "i32" || tokens.dtype === "u8") && tokens.shape.length === 2;
  if (!isTokens || length > blockSize)
    throw new ShapeError(`gpt: got ${formatAval(tokens)}; expected i32[N, T] of at most ${blockSize} tokens each.`);
}

type BlockSizes = {
  readonly heads: number;
  readonly width: number;
  readonly bias: boolean;
  readonly dropout: number;
  readonly residualStd: number;
};

/** x + attn(ln_1(x)), then x + mlp(ln_2(x)) */
function block(options: GptOptions, sizes: BlockSizes): Layer {
  const { width, bias, dropout, residualStd } = sizes;
  const dense = (out: number, std = 0.02): Layer =>
    linear(out, { bias, weightInit: normal({ std }), biasInit: zeros() });
  const mlp = sequential({
    c_fc: dense(4 * width),
    gelu: gelu(options.approximate ? { approximate: options.approximate } : {}),
    c_proj: dense(width, residualStd),
    dropout: dropoutLayer(dropout),
  });
  const children = {
    ln_1: layerNorm({ bias }),
    attn: selfAttention(options, sizes, dense),
    ln_2: layerNorm({ bias }),
    mlp,
  };
  return compose(
    children,
    (x: Tensor, { ln_1, attn, ln_2, mlp: wide }) => {
      const y = x.add(attn(ln_1(x)));
      return y.add(wide(ln_2(y)));
    },
    { kind: "gptBlock" },
  );
}

function selfAttention(
  { memory, positions }: GptOptions,
  { heads, width, dropout, residualStd }: BlockSizes,
  dense: (out: number, std?: number) => Layer,
): Layer {
  const children = {
    c_attn: dense(3 * width),
    attend: attention({ causal: true, dropout, rotary: positions === "rotary", ...(memory && { memory }) }),
    c_proj: dense(width, residualStd),
    resid_dropout: dropout > 0 ? dropoutLayer(dropout) : identity(),
  };
  return compose(
    children,
    (x: Tensor, { c_attn, attend, c_proj, resid_dropout }) => {
      const qkv = c_attn(x);
      const [query, key, value] = [0, 1, 2].map((i) => splitHeads(qkv.narrow(-1, i * width, width), heads)) as [
        Tensor,
        Tensor,
        Tensor,
      ];
      return resid_dropout(c_proj(mergeHeads(attend({ query, key, value }))));
    },
    { kind: "selfAttention" },
  );
}
