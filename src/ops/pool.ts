import { type Aval, formatAval, type Shape } from "../core/dtype.ts";
import { ShapeError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import { addIndex, constantIndex, type Index, type Loops, type Range, type Scalar, scaleIndex } from "../ir/loops.ts";
import { maxPickHost, maxPoolHost, maxUnpoolHost, sumPoolHost, sumUnpoolHost } from "./host/pool.ts";
import type { Primitive, Source } from "./primitive.ts";
import type { PoolParams, Tensor } from "./tensor.ts";

export type UnpoolParams = PoolParams & { readonly inputShape: Shape };

function poolShape(name: string, { window, stride, padding }: PoolParams, x: Aval): Aval {
  const size = (axis: 0 | 1): number => {
    const [low, high] = padding[axis];
    return Math.floor(((x.shape[2 + axis] as number) + low + high - window[axis]) / stride[axis]) + 1;
  };
  const counts = [...window, ...stride];
  const valid =
    x.shape.length === 4 &&
    x.dtype === "f32" &&
    counts.every((n) => Number.isInteger(n) && n >= 1) &&
    window[0] * window[1] <= 255 &&
    size(0) >= 1 &&
    size(1) >= 1 &&
    // Each window begins inside the input or in the padding before it, of which no window is full.
    padding.every(([low, high], i) => {
      const last = (size(i as 0 | 1) - 1) * (stride[i] as number) - low;
      return low >= 0 && high >= 0 && 2 * low <= (window[i] as number) && last < (x.shape[2 + i] as number);
    });
  if (!valid)
    throw new ShapeError(
      `${name}: got ${formatAval(x)}, window [${window}], stride [${stride}], padding [${padding}]; expected f32[N,C,H,W] no smaller than the window, padding at most half of it, a window of at most 255 positions. Use a mean over axes for global pooling.`,
    );
  return { dtype: "f32", shape: [x.shape[0] as number, x.shape[1] as number, size(0), size(1)] };
}

/** Input positions of the window at an output index, in row-major order. */
function taps({ window, stride, padding }: PoolParams, index: readonly Index[]): Index[][] {
  const [n, c, h, w] = index as [Index, Index, Index, Index];
  const out: Index[][] = [];
  for (let i = 0; i < window[0]; i++)
    for (let j = 0; j < window[1]; j++)
      out.push([
        n,
        c,
        addIndex(scaleIndex(h, stride[0]), constantIndex(i - padding[0][0])),
        addIndex(scaleIndex(w, stride[1]), constantIndex(j - padding[1][0])),
      ]);
  return out;
}

function inside(x: Source, at: readonly Index[]): Range[] {
  return [2, 3].map((d) => ({ index: at[d] as Index, low: 0, high: x.aval.shape[d] as number }));
}

function tapValue(l: Loops, x: Source, at: readonly Index[], outside: number): Scalar {
  return l.guard(inside(x, at), () => x.at(at), l.constant(outside));
}

const inputOf = (params: PoolParams, x: Tensor): UnpoolParams => ({ ...params, inputShape: x.shape });
const bind1 = (at: Tensor, name: string, params: object, inputs: readonly Tensor[]): Tensor =>
  at.trace.bind(name, params as Readonly<Record<string, unknown>>, inputs)[0] as Tensor;
const plain = ({ window, stride, padding }: PoolParams): PoolParams => ({ window, stride, padding });

/** Outputs: the largest value of each window, and its position i * kw + j inside the window (the first of equals). */
const maxPool: Primitive<PoolParams> = {
  name: "maxPool",
  shape: (params, x) => {
    const out = poolShape("maxPool2d", params, x as Aval);
    return [out, { dtype: "u8", shape: out.shape }];
  },
  vjp: ([g], params, [, position], x) => [
    g ? bind1(g, "maxUnpool", inputOf(params, x as Tensor), [g, position as Tensor]) : null,
  ],
  lower: (l, params, [x], index, output) => {
    const places = taps(params, index);
    const values = places.map((at) => tapValue(l, x as Source, at, -Infinity));
    let best = values[0] as Scalar;
    // The first position inside the image, which also stands where all values are -Infinity.
    let position = places.reduceRight<Scalar>(
      (rest, at, i) => l.guard(inside(x as Source, at), () => l.constant(i, "i32"), rest),
      l.constant(0, "i32"),
    );
    for (let i = 1; i < values.length; i++) {
      const value = values[i] as Scalar;
      // Not (value <= best), so that a NaN wins and stays; a NaN already held compares false both ways and is kept by the second test.
      const wins = l.binary("and", l.unary("not", l.binary("le", value, best)), l.binary("eq", best, best));
      best = l.select(wins, value, best);
      position = l.select(wins, l.constant(i, "i32"), position);
    }
    return output === 0 ? best : position;
  },
  evaluate: (params, x) => maxPoolHost(x as HostArray, params),
};

/** Sends each value back to the position that won its window; overlapping windows add. */
const maxUnpool: Primitive<UnpoolParams> = {
  name: "maxUnpool",
  shape: ({ inputShape }) => [{ dtype: "f32", shape: inputShape }],
  vjp: ([h], params, _, _g, position) => [h && bind1(h, "maxPick", plain(params), [h, position as Tensor]), null],
  evaluate: (params, g, position) => [maxUnpoolHost(g as HostArray, position as HostArray, params)],
};

/** The value at the given position of each window. */
const maxPick: Primitive<PoolParams> = {
  name: "maxPick",
  shape: (params, x) => [poolShape("maxPick", params, x as Aval)],
  vjp: ([g], params, _, x, position) => [
    g && bind1(g, "maxUnpool", inputOf(plain(params), x as Tensor), [g, position as Tensor]),
    null,
  ],
  lower: (l, params, [x, position], index) => {
    const chosen = (position as Source).at(index);
    return taps(params, index).reduce<Scalar>(
      (value, at, i) => l.select(l.binary("eq", chosen, l.constant(i, "i32")), tapValue(l, x as Source, at, 0), value),
      l.constant(0),
    );
  },
  evaluate: (params, x, position) => [maxPickHost(x as HostArray, position as HostArray, params)],
};

/** Sum of each window; average pooling divides by the window's size. */
const sumPool: Primitive<PoolParams> = {
  name: "sumPool",
  shape: (params, x) => [poolShape("avgPool2d", params, x as Aval)],
  vjp: ([g], params, _, x) => [g && bind1(g, "sumUnpool", inputOf(params, x as Tensor), [g])],
  lower: (l, params, [x], index) =>
    taps(params, index)
      .map((at) => tapValue(l, x as Source, at, 0))
      .reduce((a, b) => l.binary("add", a, b)),
  evaluate: (params, x) => [sumPoolHost(x as HostArray, params)],
};

const sumUnpool: Primitive<UnpoolParams> = {
  name: "sumUnpool",
  shape: ({ inputShape }) => [{ dtype: "f32", shape: inputShape }],
  vjp: ([h], params) => [h && bind1(h, "sumPool", plain(params), [h])],
  evaluate: (params, g) => [sumUnpoolHost(g as HostArray, params)],
};

export const poolPrimitives: readonly Primitive<never>[] = [
  maxPool,
  maxUnpool,
  maxPick,
  sumPool,
  sumUnpool,
] as readonly Primitive<never>[];
