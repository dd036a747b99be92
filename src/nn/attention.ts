import { broadcastShapes, formatAval, sizeOf } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import type { Tensor } from "../ops/tensor.ts";
import { scan } from "../trace/control.ts";
import { customVjp } from "../trace/grad.ts";
import type { Key } from "../trace/random.ts";

/** How attention holds its scores. See `scaledDotProductAttention`. */
export type AttentionMemory = "auto" | "full" | "blocked";

export type AttentionOptions = {
  /** bool (true: take part) or f32 (added to the scores), broadcast to [..., T, S]. Default: none. */
  readonly mask?: Tensor;
  /** Query t sees keys 0..t only. With a mask, both hold (PyTorch refuses that). Default false. */
  readonly causal?: boolean;
  /** Multiplies the scores. Default 1 / sqrt(D). */
  readonly scale?: number;
  /** Each weight is 0 with this probability, else divided by 1 - dropout. Needs `key`. Default 0. */
  readonly dropout?: number;
  readonly key?: Key;
  /** Default "auto": "blocked" from 2^22 scores (16 MiB) on, counted over all leading axes. */
  readonly memory?: AttentionMemory;
  /** Queries a block. Default 64. */
  readonly block?: number;
};

/** Scores from which "auto" does not store them: 16 MiB. */
export const BLOCKED_FROM: number = 2 ** 22;

/**
 * softmax(scale q kᵀ + mask) v: q f32[..., T, D], k f32[..., S, D], v f32[..., S, E] -> f32[..., T, E].
 *
 * A query that may attend to nothing gives 0, as PyTorch's. `memory: "full"` keeps the weights [..., T, S] for the backward
 * pass; "blocked" handles a block of queries at a time and computes its weights again in the backward pass, so no
 * array of T x S scores ever exists. Values and gradients agree to rounding; dropout draws other elements.
 *
 * Errors: ShapeError naming the shapes that do not fit; OptionError for a dropout outside [0, 1) or without a key.
 * Source: Vaswani et al. (2017); Rabe and Staats, "Self-attention does not need O(n²) memory" (2021).
 *
 * @example
 * const y = nn.scaledDotProductAttention(q, k, v, { causal: true });
 */
export function scaledDotProductAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: AttentionOptions = {},
): Tensor {
  const { memory = "auto", block = 64, dropout = 0 } = options;
  const scores = checkShapes(query, key, value, options.mask);
  if (!(dropout >= 0 && dropout < 1))
    throw new OptionError(`attention: got dropout ${dropout}; expected a probability in [0, 1).`);
  if (dropout > 0 && !options.key)
    throw new OptionError("attention: got a dropout without a key; expected a random key. Hint: key: ctx.key.");
  if (!Number.isInteger(block) || block < 1)
    throw new OptionError(`attention: got block ${block}; expected a positive integer.`);
  const queries = query.shape.at(-2) as number;
  const blocked = memory === "blocked" || (memory === "auto" && sizeOf(scores) >= BLOCKED_FROM);
  if (blocked && queries > block) return attendByBlocks(query, key, value, block, options);
  return attend(query, key, value, options);
}

/** The shape of the scores. */
function checkShapes(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | undefined): readonly number[] {
  const given = `query ${formatAval(query.aval)}, key ${formatAval(key.aval)} and value ${formatAval(value.aval)}`;
  const floats = [query, key, value].every((x) => x.dtype === "f32" && x.rank >= 2);
  if (!floats || query.shape.at(-1) !== key.shape.at(-1) || key.shape.at(-2) !== value.shape.at(-2))
    throw new ShapeError(`attention: got ${given}; expected f32[..., T, D], f32[..., S, D] and f32[..., S, E].`);
  const lead = [key, value].reduce(
    (shape, x) => broadcastShapes("attention", shape, x.shape.slice(0, -2)),
    query.shape.slice(0, -2),
  );
  const scores = [...lead, query.shape.at(-2) as number, key.shape.at(-2) as number];
  if (mask) {
    const from = scores.length - mask.rank;
    const fits = from >= 0 && mask.shape.every((size, i) => size === 1 || size === scores[from + i]);
    if (!fits || (mask.dtype !== "bool" && mask.dtype !== "f32"))
      throw new ShapeError(
        `attention: got the mask ${formatAval(mask.aval)} for scores [${scores}]; expected bool or f32 that broadcasts to them.`,
      );
  }
  return scores;
}

/** Attention of a block of queries, the first of which is query `start` of all. */
function attend(query: Tensor, key: Tensor, value: Tensor, options: AttentionOptions, start?: Tensor): Tensor {
  const { mask, causal = false, dropout = 0, scale = 1 / Math.sqrt(query.shape.at(-1) as number) } = options;
  let scores = query.mul(scale).matmul(key.swapAxes(-1, -2));
  let allowed = mask?.dtype === "bool" ? mask : undefined;
  if (mask && !allowed) scores = scores.add(mask);
  if (causal) {
    const grid = scores.shape.slice(-2);
    const rows = query.iota(grid, 0);
    const past = (start ? rows.add(start) : rows).greaterEqual(query.iota(grid, 1));
    allowed = allowed ? allowed.and(past) : past;
  }
  if (allowed) scores = allowed.select(scores, Number.NEGATIVE_INFINITY);
  let weights = (mask ? softmaxOrNothing : softmax)(scores);
  if (dropout > 0) {
    const own = start ? (options.key as Key).fold(start) : (options.key as Key);
    weights = own
      .bernoulli(1 - dropout, weights.shape)
      .select(weights, 0)
      .mul(1 / (1 - dropout));
  }
  return weights.matmul(value);
}

/** dS = P (dP - sum(dP P)). */
const softmaxRule = (g: Tensor, p: Tensor): readonly Tensor[] => [p.mul(g.sub(g.mul(p).sum(-1, { keepDims: true })))];

const softmax = customVjp((scores) => (scores as Tensor).softmax(-1), softmaxRule) as (scores: Tensor) => Tensor;

/** Softmax that is 0 along a row of -infinity. */
const softmaxOrNothing = customVjp((...inputs) => {
  const scores = inputs[0] as Tensor;
  const most = scores.max(-1, { keepDims: true });
  const e = scores.sub(most.greater(Number.NEGATIVE_INFINITY).select(most, 0)).exp();
  const sum = e.sum(-1, { keepDims: true });
  return e.div(sum.equal(0).select(1, sum));
}, softmaxRule) as (scores: Tensor) => Tensor;

/** The scan's derivative computes each block again, and sums the gradients of key and value over the blocks. */
function attendByBlocks(query: Tensor, key: Tensor, value: Tensor, block: number, options: AttentionOptions): Tensor {
  const { mask, ...others } = options;
  const queries = query.shape.at(-2) as number;
  const count = Math.ceil(queries / block);
  /** [..., T, X] -> [count, ..., block, X] */
  const cut = (x: Tensor): Tensor => {
    const none = x.shape.map(() => 0);
    const padded = x.pad(none, none.with(-2, count * block - queries));
    const lead = x.rank - 2;
    return padded
      .reshape([...x.shape.slice(0, lead), count, block, x.shape.at(-1) as number])
      .transpose([lead, ...Array.from({ length: lead }, (_, i) => i), lead + 1, lead + 2]);
  };
  const rowwise = mask && mask.rank >= 2 && mask.shape.at(-2) !== 1;
  const xs: { start: Tensor; query: Tensor; mask?: Tensor } = {
    start: query.iota([count], 0).mul(block),
    query: cut(query),
  };
  if (mask && rowwise) xs.mask = cut(mask);
  const [, out] = scan(
    (carry: Record<string, Tensor>, x: typeof xs) => {
      const own = x.mask ?? mask;
      return [carry, attend(x.query, key, value, own ? { ...others, mask: own } : others, x.start)] as const;
    },
    {},
    xs,
  );
  const lead = out.rank - 3;
  return out
    .transpose([...Array.from({ length: lead }, (_, i) => i + 1), 0, lead + 1, lead + 2])
    .reshape([...out.shape.slice(1, 1 + lead), count * block, out.shape.at(-1) as number])
    .narrow(-2, 0, queries);
}
