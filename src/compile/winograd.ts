import { constantIndex, type Index, type Loops, loopIndex, type Scalar, scaleIndex, shiftIndex } from "../ir/loops.ts";
import type { Equation } from "../ir/program.ts";
import type { ConvParams } from "../ops/tensor.ts";
import type { ContractKernel, Layout, View } from "./kernel.ts";
import { Expressions, flatten, type Lowering, viewOf } from "./lowering.ts";

/**
 * Winograd's F(2x2, 3x3) and F(4x4, 3x3) for 3x3 convolutions of stride 1: tiles of 2 x 2 outputs through 16 products instead of 36, or of
 * 4 x 4 through 36 instead of 144. With B'dB of each input tile, GgG' of the kernel and A'mA of the products; a weight gradient is
 * the transpose of that. Source: Lavin and Gray, "Fast algorithms for convolutional neural networks" (2015). The error of the small
 * form is that of the direct sum; the large one's is up to 2e-6 of the largest output, so only `fast` mode has it.
 */
export type Winograd = {
  readonly n: number;
  readonly tilesHigh: number;
  readonly tilesWide: number;
  readonly form: Form;
};

type Rows = (l: Loops, sum: Sum, values: readonly Scalar[]) => Scalar[];

/** Outputs of a tile along an axis, the inputs that it reads, and B', G and A' on a column; A and G' for the weight gradient. */
type Form = {
  readonly outputs: number;
  readonly inputs: number;
  readonly input: Rows;
  readonly kernel: Rows;
  readonly output: Rows;
  readonly cotangent: Rows;
  readonly weight: Rows;
};

/** An image with fewer of the large tiles gives products too few rows. */
const MIN_LARGE_TILES = 16;
/** Fewer channels than this and the transforms cost more than the products save. */
const MIN_CHANNELS = 8;
/** Keeps the 16 planes of a transform off one another's cache sets. */
const PLANE_PAD = 16;

/** The tiles of the maps [N, ..., H, W] that a pass of a convolution with kernel [O, I, kh, kw] goes through in this way, or null. */
export function winogradTiles(
  lowering: Lowering,
  eq: Equation,
  [o, i, ...kernel]: readonly number[],
  maps: readonly number[],
): Winograd | null {
  const { stride, dilation, groups } = eq.params as unknown as ConvParams;
  const [n, , height, width] = maps as readonly [number, number, number, number];
  const every = (of: readonly (number | undefined)[], size: number): boolean => of.every((value) => value === size);
  const fits =
    n > 1 &&
    every(kernel, 3) &&
    every(stride, 1) &&
    every(dilation, 1) &&
    groups === 1 &&
    height % 2 === 0 &&
    width % 2 === 0 &&
    Math.min(o as number, i as number) >= MIN_CHANNELS;
  if (!fits) return null;
  const large =
    lowering.arena.largeTiles &&
    height % LARGE.outputs === 0 &&
    width % LARGE.outputs === 0 &&
    (height * width) / LARGE.outputs ** 2 >= MIN_LARGE_TILES;
  const form = large ? LARGE : SMALL;
  return { n, tilesHigh: height / form.outputs, tilesWide: width / form.outputs, form };
}

type Sum = (...terms: readonly (readonly [sign: 1 | -1, value: Scalar])[]) => Scalar;

/** Sums without products: a leading minus becomes a subtraction from the next positive term. */
function summer(l: Loops): Sum {
  return (...terms) => {
    const ordered = [...terms].sort((a, b) => b[0] - a[0]);
    const [first, ...rest] = ordered as [readonly [1 | -1, Scalar], ...(readonly [1 | -1, Scalar])[]];
    const start = first[0] === 1 ? first[1] : l.unary("neg", first[1]);
    return rest.reduce((sum, [sign, value]) => l.binary(sign === 1 ? "add" : "sub", sum, value), start);
  };
}

type Two = readonly [Scalar, Scalar];
type Three = readonly [Scalar, Scalar, Scalar];
type Four = readonly [Scalar, Scalar, Scalar, Scalar];
type Six = readonly [Scalar, Scalar, Scalar, Scalar, Scalar, Scalar];
type Grid = readonly (readonly Scalar[])[];

/** M x M' for a matrix M given as sums of rows. */
function twice(l: Loops, grid: Grid, rows: Rows): Grid {
  const sum = summer(l);
  const transpose = (g: Grid): Grid => (g[0] as readonly Scalar[]).map((_, j) => g.map((row) => row[j] as Scalar));
  const once = transpose(transpose(grid).map((column) => rows(l, sum, column)));
  return once.map((row) => rows(l, sum, row));
}

const times = (l: Loops, factor: number, value: Scalar): Scalar => l.binary("mul", l.constant(factor), value);

const SMALL: Form = {
  outputs: 2,
  inputs: 4,
  input: (_, sum, values) => {
    const [a, b, c, d] = values as Four;
    return [sum([1, a], [-1, c]), sum([1, b], [1, c]), sum([1, c], [-1, b]), sum([1, b], [-1, d])];
  },
  kernel: (l, sum, values) => {
    const [a, b, c] = values as Three;
    const outer = sum([1, a], [1, c]);
    return [a, times(l, 0.5, sum([1, outer], [1, b])), times(l, 0.5, sum([1, outer], [-1, b])), c];
  },
  output: (_, sum, values) => {
    const [a, b, c, d] = values as Four;
    return [sum([1, a], [1, b], [1, c]), sum([1, b], [-1, c], [-1, d])];
  },
  cotangent: (l, sum, values) => {
    const [a, b] = values as Two;
    return [a, sum([1, a], [1, b]), sum([1, a], [-1, b]), l.unary("neg", b)];
  },
  weight: (l, sum, values) => {
    const [a, b, c, d] = values as Four;
    const plus = times(l, 0.5, sum([1, b], [1, c]));
    const minus = times(l, 0.5, sum([1, b], [-1, c]));
    return [sum([1, a], [1, plus]), minus, sum([1, plus], [1, d])];
  },
};

/** The points 0, 1, -1, 2, -2 and infinity. */
const LARGE: Form = {
  outputs: 4,
  inputs: 6,
  input: (l, sum, values) => {
    const [a, b, c, d, e, f] = values as Six;
    const [even, odd] = [sum([1, e], [-1, times(l, 4, c)]), sum([1, d], [-1, times(l, 4, b)])];
    const [near, far] = [sum([1, e], [-1, c]), times(l, 2, sum([1, d], [-1, b]))];
    return [
      sum([1, times(l, 4, a)], [-1, times(l, 5, c)], [1, e]),
      sum([1, even], [1, odd]),
      sum([1, even], [-1, odd]),
      sum([1, near], [1, far]),
      sum([1, near], [-1, far]),
      sum([1, times(l, 4, b)], [-1, times(l, 5, d)], [1, f]),
    ];
  },
  kernel: (l, sum, values) => {
    const [a, b, c] = values as Three;
    const outer = sum([1, a], [1, c]);
    const [quarter, twice] = [sum([1, a], [1, times(l, 4, c)]), times(l, 2, b)];
    return [
      times(l, 1 / 4, a),
      times(l, -1 / 6, sum([1, outer], [1, b])),
      times(l, -1 / 6, sum([1, outer], [-1, b])),
      times(l, 1 / 24, sum([1, quarter], [1, twice])),
      times(l, 1 / 24, sum([1, quarter], [-1, twice])),
      c,
    ];
  },
  output: (l, sum, values) => {
    const [a, b, c, d, e, f] = values as Six;
    const [plus, minus] = [sum([1, b], [1, c]), sum([1, b], [-1, c])];
    const [plus2, minus2] = [sum([1, d], [1, e]), sum([1, d], [-1, e])];
    return [
      sum([1, a], [1, plus], [1, plus2]),
      sum([1, minus], [1, times(l, 2, minus2)]),
      sum([1, plus], [1, times(l, 4, plus2)]),
      sum([1, minus], [1, times(l, 8, minus2)], [1, f]),
    ];
  },
  cotangent: (l, sum, values) => {
    const [a, b, c, d] = values as Four;
    const [even, odd] = [sum([1, a], [1, c]), sum([1, b], [1, d])];
    const [even2, odd2] = [sum([1, a], [1, times(l, 4, c)]), sum([1, times(l, 2, b)], [1, times(l, 8, d)])];
    return [
      a,
      sum([1, even], [1, odd]),
      sum([1, even], [-1, odd]),
      sum([1, even2], [1, odd2]),
      sum([1, even2], [-1, odd2]),
      d,
    ];
  },
  weight: (l, sum, values) => {
    const [a, b, c, d, e, f] = values as Six;
    const [near, far] = [times(l, 1 / 6, sum([1, b], [1, c])), sum([1, d], [1, e])];
    return [
      sum([1, times(l, 1 / 4, a)], [1, times(l, 1 / 24, far)], [-1, near]),
      sum([1, times(l, 1 / 6, sum([1, c], [-1, b]))], [1, times(l, 1 / 12, sum([1, d], [-1, e]))]),
      sum([1, times(l, 1 / 6, far)], [-1, near], [1, f]),
    ];
  },
};

/** [N, inputs squared, tilesHigh, tilesWide, channels], image outermost, planes padded. */
function planes(lowering: Lowering, name: string, { n, tilesHigh, tilesWide, form }: Winograd, channels: number): View {
  const count = form.inputs ** 2;
  const row = tilesWide * channels;
  const plane = tilesHigh * row + PLANE_PAD;
  const layout: Layout = {
    strides: [count * plane, plane, row, channels, 1],
    offset: 0,
    size: n * count * plane,
    border: false,
  };
  return viewOf(
    lowering.bufferWithLayout(name, { dtype: "f32", shape: [n, count, tilesHigh, tilesWide, channels] }, layout),
  );
}

const square = (size: number, f: (i: number, j: number) => Scalar): Grid =>
  Array.from({ length: size }, (_, i) => Array.from({ length: size }, (_, j) => f(i, j)));

/** A map over images, tiles and channels. */
function tileMap(
  lowering: Lowering,
  eq: Equation,
  name: string,
  { n, tilesHigh, tilesWide }: Winograd,
  channels: number,
  write: (
    e: Expressions,
    index: { readonly n: Index; readonly h: Index; readonly w: Index; readonly c: Index },
  ) => { readonly view: View; readonly at: readonly Index[]; readonly value: Scalar }[],
): void {
  const e = new Expressions(lowering);
  const loops = [n, tilesHigh, tilesWide, channels].map((size) => e.loops.loop(size));
  const [a, b, c, d] = loops.map(loopIndex) as [Index, Index, Index, Index];
  const stores = write(e, { n: a, h: b, w: c, c: d }).map(({ view, at, value }) => ({
    view,
    index: flatten(view, at),
    value,
  }));
  lowering.push({
    kind: "map",
    name,
    phase: eq.phase,
    loops: loops.filter((l) => l.size > 1),
    stores,
    operands: e.operands,
  });
}

/** B'dB of the tiles of x [N, C, H, W], whose rows begin at `-pad`. */
export function transformInput(
  lowering: Lowering,
  eq: Equation,
  x: View,
  pad: readonly [number, number],
  tiles: Winograd,
  name: string,
): View {
  const channels = x.shape[1] as number;
  const v = planes(lowering, name, tiles, channels);
  const { outputs, inputs, input } = tiles.form;
  tileMap(lowering, eq, name, tiles, channels, (e, { n, h, w, c }) => {
    const place = (tile: Index, at: number): Index => shiftIndex(scaleIndex(tile, outputs), at);
    const d = square(inputs, (i, j) => e.read(x, [n, c, place(h, i - pad[0]), place(w, j - pad[1])]));
    return twice(e.loops, d, input).flatMap((row, i) =>
      row.map((value, j) => ({ view: v, at: [n, constantIndex(inputs * i + j), h, w, c], value })),
    );
  });
  return v;
}

/** A dY A' of the tiles of an output's cotangent. */
export function transformCotangent(lowering: Lowering, eq: Equation, g: View, tiles: Winograd, name: string): View {
  const channels = g.shape[1] as number;
  const z = planes(lowering, name, tiles, channels);
  const { outputs, inputs, cotangent } = tiles.form;
  tileMap(lowering, eq, name, tiles, channels, (e, { n, h, w, c }) => {
    const place = (tile: Index, at: number): Index => shiftIndex(scaleIndex(tile, outputs), at);
    const d = square(outputs, (i, j) => e.read(g, [n, c, place(h, i), place(w, j)]));
    return twice(e.loops, d, cotangent).flatMap((row, i) =>
      row.map((value, j) => ({ view: z, at: [n, constantIndex(inputs * i + j), h, w, c], value })),
    );
  });
  return z;
}

/** GgG' of a kernel [O, I, 3, 3] as [inputs squared, from, to]; `flipped` for the input gradient, which goes from O to I. */
export function transformKernel(
  lowering: Lowering,
  eq: Equation,
  w: View,
  { form }: Winograd,
  flipped: boolean,
  name: string,
): View {
  const [o, i] = w.shape as readonly [number, number];
  const [from, to] = flipped ? [o, i] : [i, o];
  const u = viewOf(lowering.buffer(name, { dtype: "f32", shape: [form.inputs ** 2, from, to] }));
  const e = new Expressions(lowering);
  const [a, b] = [e.loops.loop(from), e.loops.loop(to)];
  const [f, t] = [loopIndex(a), loopIndex(b)];
  const tap = (k: number): Index => constantIndex(flipped ? 2 - k : k);
  const g = square(3, (p, q) => e.read(w, flipped ? [f, t, tap(p), tap(q)] : [t, f, tap(p), tap(q)]));
  const stores = twice(e.loops, g, form.kernel).flatMap((row, p) =>
    row.map((value, q) => ({ view: u, index: flatten(u, [constantIndex(form.inputs * p + q), f, t]), value })),
  );
  lowering.push({ kind: "map", name, phase: eq.phase, loops: [a, b], stores, operands: e.operands });
  return u;
}

/** The products of every image, then A'mA into the output. */
export function productsAndOutput(
  lowering: Lowering,
  eq: Equation,
  v: View,
  u: View,
  out: View,
  tiles: Winograd,
): void {
  const [, from, to] = u.shape as readonly [number, number, number];
  const m = planes(lowering, `${out.buffer.name}.products`, tiles, to);
  const count = tiles.tilesHigh * tiles.tilesWide;
  const { outputs, inputs, output } = tiles.form;
  lowering.push({
    kind: "contract",
    panel: lowering.arena.panel,
    name: `${eq.primitive} ${m.buffer.name}`,
    phase: eq.phase,
    a: v.buffer,
    b: u.buffer,
    c: m.buffer,
    parts: [
      {
        outer: [
          { size: tiles.n, a: v.strides[0] as number, b: 0, c: m.strides[0] as number },
          { size: inputs ** 2, a: v.strides[1] as number, b: from * to, c: m.strides[1] as number },
        ],
        m: [{ size: count, a: from, b: 0, c: to }],
        n: { size: to, a: 0, b: 1, c: 1 },
        k: [{ size: from, a: 1, b: to, c: 0 }],
        offsetA: 0,
        offsetB: 0,
        offsetC: 0,
      },
    ],
    images: { size: tiles.n, chunk: 0, chunkStride: 0 },
  });
  tileMap(lowering, eq, `${eq.primitive} ${out.buffer.name}`, tiles, to, (e, { n, h, w, c }) => {
    const grid = square(inputs, (i, j) => e.read(m, [n, constantIndex(inputs * i + j), h, w, c]));
    return twice(e.loops, grid, output).flatMap((row, i) =>
      row.map((value, j) => ({
        view: out,
        at: [n, c, shiftIndex(scaleIndex(h, outputs), i), shiftIndex(scaleIndex(w, outputs), j)],
        value,
      })),
    );
  });
}

/** The sum over images and tiles of v z for each plane, in chunks; G'(sum)G then gives the weight's gradient. */
export function weightProducts(
  lowering: Lowering,
  eq: Equation,
  v: View,
  z: View,
  sums: View,
  tiles: Winograd,
  images: NonNullable<ContractKernel["images"]>,
): void {
  const [from, to] = [v.shape[4] as number, z.shape[4] as number];
  lowering.push({
    kind: "contract",
    panel: lowering.arena.panel,
    name: `${eq.primitive} ${sums.buffer.name}`,
    phase: eq.phase,
    a: v.buffer,
    b: z.buffer,
    c: sums.buffer,
    parts: [
      {
        outer: [{ size: tiles.form.inputs ** 2, a: v.strides[1] as number, b: z.strides[1] as number, c: from * to }],
        m: [{ size: from, a: 1, b: 0, c: to }],
        n: { size: to, a: 0, b: 1, c: 1 },
        k: [
          { size: tiles.n, a: v.strides[0] as number, b: z.strides[0] as number, c: 0 },
          { size: tiles.tilesHigh * tiles.tilesWide, a: from, b: to, c: 0 },
        ],
        offsetA: 0,
        offsetB: 0,
        offsetC: 0,
      },
    ],
    images,
  });
}

/** G' s G of [planes, I, O] into a weight gradient [O, I, 3, 3]. */
export function transformWeightSum(lowering: Lowering, eq: Equation, sums: View, out: View, { form }: Winograd): void {
  const [o, i] = out.shape as readonly [number, number];
  const e = new Expressions(lowering);
  const [a, b] = [e.loops.loop(i), e.loops.loop(o)];
  const [f, t] = [loopIndex(a), loopIndex(b)];
  const grid = square(form.inputs, (p, q) => e.read(sums, [constantIndex(form.inputs * p + q), f, t]));
  const stores = twice(e.loops, grid, form.weight).flatMap((row, p) =>
    row.map((value, q) => ({ view: out, index: flatten(out, [t, f, constantIndex(p), constantIndex(q)]), value })),
  );
  lowering.push({
    kind: "map",
    name: `${eq.primitive} ${out.buffer.name}`,
    phase: eq.phase,
    loops: [a, b],
    stores,
    operands: e.operands,
  });
}
