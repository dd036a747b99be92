import type { Aval } from "../../core/dtype.ts";
import { formatAval } from "../../core/dtype.ts";
import { OptionError, ShapeError } from "../../core/errors.ts";
import { foldKey } from "../../core/prng.ts";
import type { Tensor } from "../../ops/tensor.ts";
import { gelu } from "../activations.ts";
import type { AttentionMemory } from "../attention.ts";
import { attention, mergeHeads, splitHeads } from "../attention-layers.ts";
import { ChildInits, compose } from "../compose.ts";
import { conv2d } from "../conv.ts";
import { dropout as dropoutLayer } from "../dropout.ts";
import { normal, zeros } from "../init.ts";
import { configOf, expectCount, expectF32, type Layer } from "../layer.ts";
import { layerNorm } from "../layer-norm.ts";
import { linear } from "../linear.ts";
import { remat as rematLayer } from "../remat.ts";
import { repeat } from "../repeat.ts";
import { sequential } from "../sequential.ts";
import { checkImageOptions, type ImageModelOptions } from "./image-model.ts";

export type VitOptions = ImageModelOptions & {
  /** The side of a patch. Default 16. */
  readonly patch?: number;
  /** Default 768. */
  readonly width?: number;
  /** Default 12. */
  readonly layers?: number;
  /** Default 12. */
  readonly heads?: number;
  /** The hidden width of the feed-forward part over `width`. Default 4. */
  readonly mlpRatio?: number;
  /** The images' side, checked against the data. Default: whatever comes; the positions are of the size first met. */
  readonly image?: number;
  /** What the head sees: the class token, or the mean over the patches, after a norm called `fc_norm`. Default "token". */
  readonly pool?: "token" | "avg";
  /** After the positions, and of each branch, in training. Default 0. */
  readonly dropout?: number;
  /** Of the weights of attention, in training. Default 0. */
  readonly attentionDropout?: number;
  /** Of the projection to queries, keys and values. Default true. */
  readonly qkvBias?: boolean;
  /** How attention holds its scores. Default "auto". */
  readonly memory?: AttentionMemory;
  /** Compile one block and loop over it: see `repeat`. Default false. */
  readonly scanLayers?: boolean;
  /** Compute each block again in the backward pass: see `remat`. Default false. */
  readonly remat?: boolean;
};

/** What is left to say where a preset fixes the sizes. */
export type VitVariant = Omit<VitOptions, "width" | "layers" | "heads">;

/**
 * A vision transformer: patches as tokens, a class token, learned positions, pre-norm blocks, a last norm and a linear head.
 * f32[N, C, H, W], H and W multiples of `patch`, -> f32[N, classes].
 *
 * timm's names: `cls_token` [1, 1, width], `pos_embed` [1, 1 + patches, width], `patch_embed.proj`, `blocks.0.norm1`,
 * `.attn.qkv`, `.attn.proj`, `.norm2`, `.mlp.fc1`, `.mlp.fc2`, `norm`, `head`. Norms have eps 1e-6, gelu is the exact one. Linear
 * weights and positions start normal with std 0.02 (timm cuts them at 100 deviations).
 *
 * Errors: OptionError when `heads` does not divide `width`; ShapeError for images that are not whole patches.
 * Source: Dosovitskiy et al., "An image is worth 16x16 words" (2020).
 *
 * @example
 * nn.model(nn.vit({ classes: 10, patch: 4, width: 64, layers: 4, heads: 4 }))
 *   .init(1, { dtype: "f32", shape: [8, 3, 32, 32] }).output.shape // -> [8, 10]
 */
export function vit(options: VitOptions = {}): Layer {
  const { classes = 1000, patch = 16, width = 768, layers = 12, heads = 12, mlpRatio = 4, pool = "token" } = options;
  const { dropout = 0 } = options;
  for (const [name, value] of Object.entries({ patch, width, layers, heads, image: options.image ?? 1 }))
    expectCount("vit", name, value);
  checkImageOptions("vit", options);
  if (width % heads !== 0)
    throw new OptionError(`vit: got width ${width} and ${heads} heads; expected heads to divide width.`);
  if (pool !== "token" && pool !== "avg")
    throw new OptionError(`vit: got pool ${JSON.stringify(pool)}; expected "token" or "avg".`);
  const hidden = Math.floor(mlpRatio * width);
  if (!(hidden >= 1)) throw new OptionError(`vit: got mlpRatio ${mlpRatio}; expected a positive number.`);
  const inner = block(options, width, heads, hidden);
  const patches = sequential({ proj: conv2d(width, patch, { stride: patch }) });
  const drop = dropoutLayer(dropout);
  const blocks = repeat(options.remat ? rematLayer(inner) : inner, layers, { scan: options.scanLayers ?? false });
  const norm = layerNorm({ eps: 1e-6 });
  const normName = pool === "avg" ? "fc_norm" : "norm";
  const head = dense(classes);
  return {
    config: configOf("vit", options),
    init(key, input, path = "vit") {
      checkImages(input, patch, options);
      const collected = new ChildInits(key, path);
      const grid = collected.init("patch_embed", patches, input);
      const [n = 0, , rows = 0, columns = 0] = grid.shape;
      const tokens: Aval = { dtype: "f32", shape: [n, 1 + rows * columns, width] };
      collected.init("blocks", blocks, tokens);
      const pooled: Aval = { dtype: "f32", shape: [n, width] };
      collected.init(normName, norm, pooled);
      const output = collected.init("head", head, pooled);
      const own = {
        cls_token: normal({ std: 1e-6 }).sample(foldKey(key, "cls_token"), [1, 1, width]),
        pos_embed: normal({ std: 0.02 }).sample(foldKey(key, "pos_embed"), [1, 1 + rows * columns, width]),
      };
      return { params: { ...own, ...collected.params }, buffers: collected.buffers, output };
    },
    apply(params, x, ctx) {
      checkImages(x.aval, patch, options);
      const { cls_token: token, pos_embed: positions } = params as {
        readonly cls_token: Tensor;
        readonly pos_embed: Tensor;
      };
      const grid = ctx.apply("patch_embed", patches, params, x);
      const n = grid.shape[0] as number;
      const tokens = token.broadcastTo([n, 1, width]).concat([grid.flatten(2).swapAxes(1, 2)], 1);
      if (tokens.shape[1] !== positions.shape[1])
        throw new ShapeError(
          `vit: got ${formatAval(x.aval)}, ${tokens.shape[1]} tokens; expected ${positions.shape[1]}, as pos_embed has.`,
        );
      const y = ctx.apply("blocks", blocks, params, ctx.apply("drop", drop, params, tokens.add(positions)));
      const seen = pool === "avg" ? y.narrow(1, 1, (y.shape[1] as number) - 1).mean(1) : y.narrow(1, 0, 1).squeeze(1);
      return ctx.apply("head", head, params, ctx.apply(normName, norm, params, seen));
    },
  };
}

function checkImages(images: Aval, patch: number, { image, inChannels }: VitOptions): void {
  const [, channels, height = 0, columns = 0] = images.shape;
  const side = (name: string): string => (image === undefined ? name : `${image}`);
  const expected = `f32[N, ${inChannels ?? "C"}, ${side("H")}, ${side("W")}]`;
  expectF32("vit", images, [4], expected);
  const fits =
    (inChannels === undefined || channels === inChannels) &&
    (image === undefined || (height === image && columns === image));
  if (!fits || height % patch !== 0 || columns % patch !== 0 || height * columns === 0)
    throw new ShapeError(`vit: got ${formatAval(images)}; expected ${expected} of whole patches of ${patch}x${patch}.`);
}

const dense = (out: number, bias = true): Layer =>
  linear(out, { bias, weightInit: normal({ std: 0.02 }), biasInit: zeros() });

/** x + attn(norm1(x)), then x + mlp(norm2(x)) */
function block(options: VitOptions, width: number, heads: number, hidden: number): Layer {
  const { dropout = 0 } = options;
  const children = {
    norm1: layerNorm({ eps: 1e-6 }),
    attn: selfAttention(options, width, heads),
    norm2: layerNorm({ eps: 1e-6 }),
    mlp: sequential({
      fc1: dense(hidden),
      act: gelu(),
      drop1: dropoutLayer(dropout),
      fc2: dense(width),
      drop2: dropoutLayer(dropout),
    }),
  };
  return compose(
    children,
    (x: Tensor, { norm1, attn, norm2, mlp }) => {
      const y = x.add(attn(norm1(x)));
      return y.add(mlp(norm2(y)));
    },
    { kind: "vitBlock" },
  );
}

function selfAttention(options: VitOptions, width: number, heads: number): Layer {
  const { dropout = 0, attentionDropout = 0, qkvBias = true, memory } = options;
  const children = {
    qkv: dense(3 * width, qkvBias),
    attend: attention({ dropout: attentionDropout, ...(memory && { memory }) }),
    proj: dense(width),
    proj_drop: dropoutLayer(dropout),
  };
  return compose(
    children,
    (x: Tensor, { qkv, attend, proj, proj_drop }) => {
      const all = qkv(x);
      const part = (i: number): Tensor => splitHeads(all.narrow(-1, i * width, width), heads);
      return proj_drop(proj(mergeHeads(attend({ query: part(0), key: part(1), value: part(2) }))));
    },
    { kind: "selfAttention" },
  );
}

/** ViT-Ti: width 192, 12 layers, 3 heads; 5.7 M parameters with patches of 16 and 1000 classes. Source: Touvron et al. (2020). */
export function vitTiny(options: VitVariant = {}): Layer {
  return vit({ ...options, width: 192, layers: 12, heads: 3 });
}

/** ViT-S: width 384, 12 layers, 6 heads; 22 M parameters. Source: Touvron et al. (2020). */
export function vitSmall(options: VitVariant = {}): Layer {
  return vit({ ...options, width: 384, layers: 12, heads: 6 });
}

/** ViT-B: width 768, 12 layers, 12 heads; 86 M parameters. Source: Dosovitskiy et al. (2020). */
export function vitBase(options: VitVariant = {}): Layer {
  return vit({ ...options, width: 768, layers: 12, heads: 12 });
}
