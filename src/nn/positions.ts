import { formatAval } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import { HostArray } from "../core/host-array.ts";
import { cos, pow, sin } from "../core/math.ts";
import { foldKey } from "../core/prng.ts";
import type { Tensor } from "../ops/tensor.ts";
import { customVjp } from "../trace/grad.ts";
import { defineLayer } from "./define-layer.ts";
import { type Initializer, normal } from "./init.ts";
import { expectCount, expectF32, type Layer } from "./layer.ts";

/** Tables are computed in doubles: an angle of 1,000 computed in single precision is off by 3e-5. */
function table(shape: readonly [number, number], at: (row: number, column: number) => number): HostArray {
  const [rows, columns] = shape;
  const data = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) data[i * columns + j] = at(i, j);
  return new HostArray("f32", shape, data);
}

export type SinusoidalOptions = {
  /** The longest wavelength is 2π base. Default 10,000. */
  readonly base?: number;
};

/**
 * x + P with P[t, 2i] = sin(t / base^(2i / E)) and P[t, 2i + 1] = cos(t / base^(2i / E)), for x f32[..., T, E].
 *
 * Source: Vaswani et al., "Attention is all you need" (2017), section 3.5.
 *
 * @example
 * nn.sequential(nn.embedding(256, 64), nn.sinusoidalPositions(), nn.transformerEncoderLayer(64, 4))
 */
export function sinusoidalPositions(options: SinusoidalOptions = {}): Layer {
  const { base = 10_000 } = options;
  if (!(base > 0)) throw new OptionError(`sinusoidalPositions: got base ${base}; expected a positive number.`);
  return defineLayer({
    kind: "sinusoidalPositions",
    config: options,
    apply(_params, x: Tensor) {
      const [length, width] = sequenceOf("sinusoidalPositions", x);
      const angle = (t: number, j: number): number => t / pow(base, (2 * Math.floor(j / 2)) / width);
      return x.add(x.constant(table([length, width], (t, j) => (j % 2 === 0 ? sin(angle(t, j)) : cos(angle(t, j))))));
    },
  });
}

export type LearnedPositionsOptions = {
  /** Default normal with std 0.02, as GPT-2 and ViT; PyTorch's `nn.Embedding` has 1. */
  readonly weightInit?: Initializer;
};

/**
 * x + weight[0..T], for x f32[..., T, E]; weight [length, E].
 *
 * Errors: ShapeError for a sequence longer than `length`.
 */
export function learnedPositions(length: number, options: LearnedPositionsOptions = {}): Layer {
  expectCount("learnedPositions", "length", length);
  const { weightInit = normal({ std: 0.02 }) } = options;
  const check = (x: {
    readonly dtype: Tensor["dtype"];
    readonly shape: Tensor["shape"];
  }): readonly [number, number] => {
    const sizes = sequenceOf("learnedPositions", x);
    if (sizes[0] > length)
      throw new ShapeError(
        `learnedPositions: got ${formatAval({ dtype: x.dtype, shape: x.shape })}; expected at most ${length} positions.`,
      );
    return sizes;
  };
  return defineLayer<{ readonly weight: HostArray }>({
    kind: "learnedPositions",
    config: { length, weightInit: options.weightInit?.config },
    init: (key, input) => ({ weight: weightInit.sample(foldKey(key, "weight"), [length, check(input)[1]]) }),
    apply: ({ weight }, x) => x.add(weight.narrow(0, 0, check(x)[0])),
  });
}

function sequenceOf(
  kind: string,
  x: { readonly dtype: Tensor["dtype"]; readonly shape: Tensor["shape"] },
): readonly [length: number, width: number] {
  const [length, width] = x.shape.slice(-2);
  expectF32(kind, { dtype: x.dtype, shape: x.shape }, undefined, "f32[..., T, E]");
  if (x.shape.length < 2)
    throw new ShapeError(`${kind}: got ${formatAval({ dtype: x.dtype, shape: x.shape })}; expected f32[..., T, E].`);
  return [length as number, width as number];
}

export type RotaryOptions = {
  /** The angle of pair i at position t is t / base^(2i / dims). Default 10,000. */
  readonly base?: number;
  /** The position of the first element. Default 0. */
  readonly offset?: number;
  /** Pairs are neighbours (x0, x1), (x2, x3), ... as in the paper and GPT-J; else halves (x0, x_{D/2}), ... as in GPT-NeoX and Llama. Default false. */
  readonly interleaved?: boolean;
  /** Only the first so many elements are rotated. Even. Default D, all. */
  readonly dims?: number;
};

/**
 * Each pair (a, b) of the last axis turned by its angle: (a cos - b sin, a sin + b cos), for x f32[..., T, D]. The product
 * of a rotated query and a rotated key depends on the difference of their positions alone.
 *
 * Errors: OptionError for an odd or too large `dims`.
 * Source: Su et al., "RoFormer: enhanced transformer with rotary position embedding" (2021).
 *
 * @example
 * const y = nn.scaledDotProductAttention(nn.rotary(q), nn.rotary(k), v, { causal: true });
 */
export function rotary(x: Tensor, options: RotaryOptions = {}): Tensor {
  const [length, width] = sequenceOf("rotary", x);
  const { base = 10_000, offset = 0, interleaved = false, dims = width } = options;
  if (!Number.isInteger(dims) || dims < 2 || dims % 2 !== 0 || dims > width)
    throw new OptionError(`rotary: got ${dims} dims of ${formatAval(x.aval)}; expected an even number up to ${width}.`);
  if (!(base > 0) || !Number.isFinite(offset))
    throw new OptionError(`rotary: got base ${base} and offset ${offset}; expected a positive and a finite number.`);
  const angle = (t: number, i: number): number => (t + offset) / pow(base, (2 * i) / dims);
  const shape = [length, dims / 2] as const;
  const cosines = table(shape, (t, i) => cos(angle(t, i)));
  const sines = table(shape, (t, i) => sin(angle(t, i)));
  // The derivative turns the cotangent back. It may stand in another trace than the value (a scan's backward pass), so it
  // makes its constants anew.
  const turn = (sign: 1 | -1): ((given: Tensor) => Tensor) =>
    customVjp(
      (given) => {
        const own = given as Tensor;
        const sine = own.constant(sines);
        const turned = turnPairs(
          own.narrow(-1, 0, dims),
          own.constant(cosines),
          sign === 1 ? sine : sine.neg(),
          interleaved,
        );
        return dims === width ? turned : turned.concat([own.narrow(-1, dims, width - dims)], -1);
      },
      (g) => [turn(sign === 1 ? -1 : 1)(g)],
    ) as (given: Tensor) => Tensor;
  return turn(1)(x);
}

function turnPairs(x: Tensor, cosines: Tensor, sines: Tensor, interleaved: boolean): Tensor {
  const half = (x.shape.at(-1) as number) / 2;
  const pairs = interleaved ? x.reshape([...x.shape.slice(0, -1), half, 2]) : x;
  const [a, b] = interleaved
    ? [pairs.narrow(-1, 0, 1).squeeze(-1), pairs.narrow(-1, 1, 1).squeeze(-1)]
    : [x.narrow(-1, 0, half), x.narrow(-1, half, half)];
  const [first, second] = [a.mul(cosines).sub(b.mul(sines)), a.mul(sines).add(b.mul(cosines))];
  return interleaved
    ? first
        .unsqueeze(-1)
        .concat([second.unsqueeze(-1)], -1)
        .reshape(x.shape)
    : first.concat([second], -1);
}

/**
 * The bias -slope_h (t - s) of each head h for query t and key s, f32[heads, queries, keys], to be given as `mask` beside
 * `causal: true`. Slopes are 2^(-8h / n) for n heads, a power of two; for other counts, those of the power below and every
 * second one of the power above, as the authors' code. Where there are more keys than queries, the last ones are aligned.
 *
 * Source: Press, Smith and Lewis, "Train short, test long: attention with linear biases" (2021).
 */
export function alibi(x: Tensor, heads: number, queries: number, keys: number = queries): Tensor {
  for (const [name, value] of Object.entries({ heads, queries, keys })) expectCount("alibi", name, value);
  const slopesOf = (n: number): number[] => Array.from({ length: n }, (_, h) => pow(2, (-8 * (h + 1)) / n));
  let power = 1;
  while (2 * power <= heads) power *= 2;
  const slopes = [...slopesOf(power), ...slopesOf(2 * power).filter((_, i) => i % 2 === 0)].slice(0, heads);
  const grid = [queries, keys];
  const ahead = x
    .iota(grid, 1)
    .sub(x.iota(grid, 0))
    .sub(keys - queries);
  const each = new HostArray("f32", [heads, 1, 1], Float64Array.from(slopes));
  return x.constant(each).mul(ahead.abs().neg().cast("f32"));
}
