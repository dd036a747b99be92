import { constantIndex, type Index, type Loops, loopIndex, type Scalar, scaleIndex, shiftIndex } from "../ir/loops.ts";
import type { Equation } from "../ir/program.ts";
import type { ConvParams } from "../ops/tensor.ts";
import type { ContractKernel, Layout, View } from "./kernel.ts";
import { Expressions, flatten, type Lowering, viewOf } from "./lowering.ts";

/**
 * Winograd's F(2x2, 3x3) for 3x3 convolutions of stride 1: tiles of 2 x 2 outputs through 16 products instead of 36. With
 * B'dB of each 4 x 4 input tile, GgG' of the kernel and A'mA of the products; a weight gradient is the transpose of that.
 * Source: Lavin and Gray, "Fast algorithms for convolutional neural networks" (2015). The error is that of the direct sum.
 */
export type Winograd = { readonly n: number; readonly tilesHigh: number; readonly tilesWide: number };

/** Fewer channels than this and the transforms cost more than the products save. */
const MIN_CHANNELS = 8;
/** Keeps the 16 planes of a transform off one another's cache sets. */
const PLANE_PAD = 16;

/** Whether a convolution with these output maps goes this way. */
export function fitsWinograd(
  { stride, dilation, groups }: ConvParams,
  kernel: readonly number[],
  channels: readonly number[],
  height: number,
  width: number,
): boolean {
  return (
    kernel[0] === 3 &&
    kernel[1] === 3 &&
    stride[0] === 1 &&
    stride[1] === 1 &&
    dilation[0] === 1 &&
    dilation[1] === 1 &&
    groups === 1 &&
    height % 2 === 0 &&
    width % 2 === 0 &&
    channels.every((c) => c >= MIN_CHANNELS)
  );
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

type Grid = readonly (readonly Scalar[])[];

/** M x M' for a matrix M given as signed sums of rows. */
function twice(grid: Grid, rows: (column: readonly Scalar[]) => Scalar[]): Grid {
  const transpose = (g: Grid): Grid => (g[0] as readonly Scalar[]).map((_, j) => g.map((row) => row[j] as Scalar));
  const once = transpose(transpose(grid).map((column) => rows(column)));
  return once.map((row) => rows(row));
}

/** B' of F(2x2, 3x3) on four values. */
const inputRows =
  (sum: Sum) =>
  ([a, b, c, d]: readonly Scalar[]): Scalar[] => [
    sum([1, a as Scalar], [-1, c as Scalar]),
    sum([1, b as Scalar], [1, c as Scalar]),
    sum([1, c as Scalar], [-1, b as Scalar]),
    sum([1, b as Scalar], [-1, d as Scalar]),
  ];

/** G on three values. */
const kernelRows =
  (l: Loops, sum: Sum) =>
  ([a, b, c]: readonly Scalar[]): Scalar[] => {
    const half = l.constant(0.5);
    const outer = sum([1, a as Scalar], [1, c as Scalar]);
    return [
      a as Scalar,
      l.binary("mul", half, sum([1, outer], [1, b as Scalar])),
      l.binary("mul", half, sum([1, outer], [-1, b as Scalar])),
      c as Scalar,
    ];
  };

/** A' on four values. */
const outputRows =
  (sum: Sum) =>
  ([a, b, c, d]: readonly Scalar[]): Scalar[] => [
    sum([1, a as Scalar], [1, b as Scalar], [1, c as Scalar]),
    sum([1, b as Scalar], [-1, c as Scalar], [-1, d as Scalar]),
  ];

/** A on two values: the transpose of the output's transform. */
const cotangentRows =
  (l: Loops, sum: Sum) =>
  ([a, b]: readonly Scalar[]): Scalar[] => [
    a as Scalar,
    sum([1, a as Scalar], [1, b as Scalar]),
    sum([1, a as Scalar], [-1, b as Scalar]),
    l.unary("neg", b as Scalar),
  ];

/** G' on four values: the transpose of the kernel's transform. */
const weightRows =
  (l: Loops, sum: Sum) =>
  ([a, b, c, d]: readonly Scalar[]): Scalar[] => {
    const half = l.constant(0.5);
    const plus = l.binary("mul", half, sum([1, b as Scalar], [1, c as Scalar]));
    const minus = l.binary("mul", half, sum([1, b as Scalar], [-1, c as Scalar]));
    return [sum([1, a as Scalar], [1, plus]), minus, sum([1, plus], [1, d as Scalar])];
  };

/** [N, 16, tilesHigh, tilesWide, channels], image outermost, planes padded. */
function planes(lowering: Lowering, name: string, { n, tilesHigh, tilesWide }: Winograd, channels: number): View {
  const row = tilesWide * channels;
  const plane = tilesHigh * row + PLANE_PAD;
  const layout: Layout = {
    strides: [16 * plane, plane, row, channels, 1],
    offset: 0,
    size: n * 16 * plane,
    border: false,
  };
  return viewOf(
    lowering.bufferWithLayout(name, { dtype: "f32", shape: [n, 16, tilesHigh, tilesWide, channels] }, layout),
  );
}

const at4 = (size: number, f: (i: number, j: number) => Scalar): Grid =>
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

/** B'dB of the 4 x 4 tiles of x [N, C, H, W], whose rows begin at `-pad`. */
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
  tileMap(lowering, eq, name, tiles, channels, (e, { n, h, w, c }) => {
    const d = at4(4, (i, j) =>
      e.read(x, [n, c, shiftIndex(scaleIndex(h, 2), i - pad[0]), shiftIndex(scaleIndex(w, 2), j - pad[1])]),
    );
    return twice(d, inputRows(summer(e.loops))).flatMap((row, i) =>
      row.map((value, j) => ({ view: v, at: [n, constantIndex(4 * i + j), h, w, c], value })),
    );
  });
  return v;
}

/** A dY A' of the 2 x 2 tiles of an output's cotangent. */
export function transformCotangent(lowering: Lowering, eq: Equation, g: View, tiles: Winograd, name: string): View {
  const channels = g.shape[1] as number;
  const z = planes(lowering, name, tiles, channels);
  tileMap(lowering, eq, name, tiles, channels, (e, { n, h, w, c }) => {
    const d = at4(2, (i, j) => e.read(g, [n, c, shiftIndex(scaleIndex(h, 2), i), shiftIndex(scaleIndex(w, 2), j)]));
    return twice(d, cotangentRows(e.loops, summer(e.loops))).flatMap((row, i) =>
      row.map((value, j) => ({ view: z, at: [n, constantIndex(4 * i + j), h, w, c], value })),
    );
  });
  return z;
}

/** GgG' of a kernel [O, I, 3, 3] as [16, from, to]; `flipped` for the input gradient, which goes from O to I. */
export function transformKernel(lowering: Lowering, eq: Equation, w: View, flipped: boolean, name: string): View {
  const [o, i] = w.shape as readonly [number, number];
  const [from, to] = flipped ? [o, i] : [i, o];
  const u = viewOf(lowering.buffer(name, { dtype: "f32", shape: [16, from, to] }));
  const e = new Expressions(lowering);
  const [a, b] = [e.loops.loop(from), e.loops.loop(to)];
  const [f, t] = [loopIndex(a), loopIndex(b)];
  const tap = (k: number): Index => constantIndex(flipped ? 2 - k : k);
  const g = at4(3, (p, q) => e.read(w, flipped ? [f, t, tap(p), tap(q)] : [t, f, tap(p), tap(q)]));
  const stores = twice(g, kernelRows(e.loops, summer(e.loops))).flatMap((row, p) =>
    row.map((value, q) => ({ view: u, index: flatten(u, [constantIndex(4 * p + q), f, t]), value })),
  );
  lowering.push({ kind: "map", name, phase: eq.phase, loops: [a, b], stores, operands: e.operands });
  return u;
}

/** The 16 products of every image, then A'mA into the output. */
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
          { size: 16, a: v.strides[1] as number, b: from * to, c: m.strides[1] as number },
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
    const grid = at4(4, (i, j) => e.read(m, [n, constantIndex(4 * i + j), h, w, c]));
    return twice(grid, outputRows(summer(e.loops))).flatMap((row, i) =>
      row.map((value, j) => ({
        view: out,
        at: [n, c, shiftIndex(scaleIndex(h, 2), i), shiftIndex(scaleIndex(w, 2), j)],
        value,
      })),
    );
  });
}

/** The sum over images and tiles of v z for each of the 16, in chunks; G'(sum)G then gives the weight's gradient. */
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
        outer: [{ size: 16, a: v.strides[1] as number, b: z.strides[1] as number, c: from * to }],
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

/** G' s G of [16, I, O] into a weight gradient [O, I, 3, 3]. */
export function transformWeightSum(lowering: Lowering, eq: Equation, sums: View, out: View): void {
  const [o, i] = out.shape as readonly [number, number];
  const e = new Expressions(lowering);
  const [a, b] = [e.loops.loop(i), e.loops.loop(o)];
  const [f, t] = [loopIndex(a), loopIndex(b)];
  const grid = at4(4, (p, q) => e.read(sums, [constantIndex(4 * p + q), f, t]));
  const stores = twice(grid, weightRows(e.loops, summer(e.loops))).flatMap((row, p) =>
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
