import { sizeOf } from "../core/dtype.ts";
import { scaleIndex, shiftIndex } from "../ir/loops.ts";
import type { Equation, Var } from "../ir/program.ts";
import type { ConvInputGradParams, ConvWeightGradParams } from "../ops/contract.ts";
import type { ConvParams } from "../ops/tensor.ts";
import { backwardTaps, forwardTaps, isDepthwise, lowerTaps } from "./depthwise.ts";
import {
  type Axis,
  type Buffer,
  type ContractKernel,
  type ContractPart,
  type PackKernel,
  type PanelWidth,
  TILE_ROWS,
  type View,
} from "./kernel.ts";
import { Expressions, flatten, type Lowering, orderedLoops, viewOf } from "./lowering.ts";
import { gemmOf } from "./native-products.ts";
import { combine } from "./reduction.ts";
import { copyView } from "./scatter.ts";
import {
  productsAndOutput,
  transformCotangent,
  transformInput,
  transformKernel,
  transformWeightSum,
  weightProducts,
  winogradTiles,
} from "./winograd.ts";

/** Images of a batch are cut into this many chunks for a weight gradient, so that its sum does not depend on the threads. */
const WEIGHT_CHUNKS = 8;
/** Weights larger than this are not summed in copies. */
const MAX_CHUNKED_WEIGHT = 2 ** 20;

export function lowerContraction(lowering: Lowering, eq: Equation): void {
  switch (eq.primitive) {
    case "dot":
      lowerDot(lowering, eq);
      return;
    case "conv2d":
      lowerConv(lowering, eq);
      return;
    case "convInputGrad":
      lowerInputGrad(lowering, eq);
      return;
    default:
      lowerWeightGrad(lowering, eq);
  }
}

type Strided = { readonly buffer: Buffer; readonly strides: readonly number[]; readonly offset: number };

const axis = (size: number, a: number, b: number, c: number): Axis => ({ size, a, b, c });
const at = (view: Strided, i: number): number => view.strides[i] as number;

/** Pairs of vectors are found where they are stored side by side: where c's columns lie apart there are none. */
export function panelFor(lowering: Lowering, parts: readonly Pick<ContractPart, "n">[]): PanelWidth {
  return parts.every(({ n }) => n.c === 1) ? lowering.arena.panel : 8;
}

function push(
  lowering: Lowering,
  eq: Equation,
  a: Strided,
  b: Strided,
  c: Strided,
  parts: readonly ContractPart[],
  images: ContractKernel["images"] = null,
  panel: PanelWidth = panelFor(lowering, parts),
): void {
  lowering.push({
    kind: "contract",
    panel,
    name: `${eq.primitive} ${c.buffer.name}`,
    phase: eq.phase,
    a: a.buffer,
    b: b.buffer,
    c: c.buffer,
    parts,
    images,
  });
}

/** Elements of a span of memory in which the rows of a tile's panel stay in the first-level cache. */
const NEAR = 4096;
/** Rows and columns from which copying an operand costs little beside the product. */
const WIDE = 32;

/** A matrix [..., k, x], of which tiles read `width` neighbours in x at a time, copied so that these lie side by side. */
function inPanels(lowering: Lowering, eq: Equation, source: View, width: PackKernel["width"]): Strided {
  const rank = source.shape.length;
  const [k, x] = [source.shape[rank - 2] as number, source.shape[rank - 1] as number];
  const aval = { dtype: "f32", shape: [...source.shape.slice(0, -2), Math.ceil(x / width), k, width] } as const;
  const target = lowering.buffer(`${source.buffer.name}.panels`, aval);
  lowering.push({ kind: "pack", name: `pack ${source.buffer.name}`, phase: eq.phase, source, target, width });
  return viewOf(target);
}

/**
 * The right operand's buffer and strides [..., k, n], and the step between panels where it lies in them: where its rows are not
 * contiguous, or so far apart that the cache cannot hold a panel of them.
 */
function columnsOf(
  lowering: Lowering,
  eq: Equation,
  view: View,
  rows: number,
  width: PanelWidth,
): Strided & { readonly panel?: number } {
  const rank = view.shape.length;
  const [k, n] = [view.shape[rank - 2] as number, view.shape[rank - 1] as number];
  const contiguous = n === 1 || at(view, rank - 1) === 1;
  if (contiguous && (n <= width || rows < WIDE || k * at(view, rank - 2) <= NEAR)) return view;
  const { buffer, strides } = inPanels(lowering, eq, view, width);
  return { buffer, strides: [...strides.slice(0, -3), width, 1], offset: 0, panel: k * width };
}

/** Rows that pass over all columns before the next: those of a stay in the first-level cache meanwhile. */
const ROW_BLOCK = 8 * TILE_ROWS;

/** The rows in `count` blocks of `size` from `first` on; of `tiles` each block is whole ones, but for one of the rows left over. */
function rowBlocks(rows: number, tiles: boolean): (readonly [first: number, count: number, size: number])[] {
  const count = rows < 2 * ROW_BLOCK ? 0 : Math.floor(rows / ROW_BLOCK);
  const first = count * ROW_BLOCK;
  const last = tiles ? rows % TILE_ROWS : 0;
  const blocks = [
    [0, count, count === 0 ? 0 : ROW_BLOCK],
    [first, 1, rows - first - last],
    [rows - last, 1, last],
  ] as const;
  return blocks.filter(([, , size]) => size > 0);
}

function transposed(view: View): View {
  const turn = <T>(list: readonly T[]): T[] => [...list.slice(0, -2), list.at(-1) as T, list.at(-2) as T];
  return { ...view, shape: turn(view.shape), strides: turn(view.strides) };
}

/** A product that a BLAS takes reads its operands where they lie, transposed or not. */
function lowerToBlas(lowering: Lowering, eq: Equation, a: View, b: View, c: View): boolean {
  const { gemm } = lowering.arena;
  const [m, n] = [c.shape.length - 2, c.shape.length - 1];
  const part: ContractPart = {
    outer: c.shape.slice(0, -2).map((size, i) => axis(size, at(a, i), at(b, i), at(c, i))),
    m: [axis(c.shape[m] as number, at(a, m), 0, at(c, m))],
    n: axis(c.shape[n] as number, 0, at(b, n), at(c, n)),
    k: [axis(a.shape[n] as number, at(a, n), at(b, m), 0)],
    offsetA: a.offset,
    offsetB: b.offset,
    offsetC: c.offset,
  };
  if (!gemm || !gemmOf(gemm, part, null)) return false;
  push(lowering, eq, a, b, c, [part]);
  return true;
}

function lowerDot(lowering: Lowering, eq: Equation): void {
  const [x, y] = eq.inputs as [Var, Var];
  const left = lowering.viewOfVar(x);
  const right = lowering.viewOfVar(y);
  const out = lowering.viewOfVar(eq.outputs[0] as Var);
  const rank = out.shape.length;
  const [m, n] = [rank - 2, rank - 1];
  if (lowerToBlas(lowering, eq, left, right, out)) return;
  // The transposed product reads the left operand along its rows instead: no copy where that one is contiguous.
  const turned = right.strides[n] !== 1 && left.strides[m] === 1 && (out.shape[m] as number) > 1;
  const c = turned ? transposed(out) : out;
  const a = turned ? transposed(right) : left;
  const rows = c.shape[m] as number;
  const columns = c.shape[n] as number;
  const depth = a.shape[n] as number;
  const width = at(c, n) === 1 ? lowering.arena.panel : 8;
  const b = columnsOf(lowering, eq, turned ? transposed(left) : right, rows, width);
  const far = a.strides[m] === 1 && columns >= WIDE && rows >= WIDE && depth * at(a, n) > NEAR;
  const packed = far ? inPanels(lowering, eq, transposed(a), TILE_ROWS) : null;
  const source: Strided = packed ?? a;
  const [stepC, stepK] = [at(c, m), packed ? TILE_ROWS : at(a, n)];
  const tile = packed ? depth * TILE_ROWS : TILE_ROWS * at(a, m);
  const part = (first: number, count: number, size: number): ContractPart => ({
    outer: [
      ...c.shape.slice(0, -2).map((length, i) => axis(length, at(source, i), at(b, i), at(c, i))),
      axis(count, (size / TILE_ROWS) * tile, 0, size * stepC),
    ],
    m:
      packed && size >= TILE_ROWS
        ? [axis(size / TILE_ROWS, tile, 0, TILE_ROWS * stepC), axis(TILE_ROWS, 1, 0, stepC)]
        : [axis(size, at(a, m), 0, stepC)],
    n: axis(columns, 0, at(b, n), at(c, n)),
    k: [axis(depth, stepK, at(b, m), 0)],
    offsetA: source.offset + (first / TILE_ROWS) * tile,
    offsetB: b.offset,
    offsetC: c.offset + first * stepC,
    ...(b.panel === undefined ? {} : { panelB: b.panel }),
  });
  push(
    lowering,
    eq,
    source,
    b,
    c,
    rowBlocks(rows, packed !== null).map((block) => part(...block)),
    null,
    width,
  );
}

/** Weight axes [O, I, kh, kw] with the output channel contiguous. */
function packedWeight(lowering: Lowering, eq: Equation, view: View): View {
  if (view.strides[0] === 1 || view.shape[0] === 1) return view;
  const copy = viewOf(lowering.buffer(`${view.buffer.name}.packed`, { dtype: "f32", shape: view.shape }, [2, 3, 1, 0]));
  copyView(lowering, eq, view, copy);
  return copy;
}

/** Channels contiguous: images as the tiles want them. */
function packedImages(lowering: Lowering, eq: Equation, view: View): View {
  if (view.strides[1] === 1 || view.shape[1] === 1) return view;
  const copy = viewOf(lowering.buffer(`${view.buffer.name}.packed`, { dtype: "f32", shape: view.shape }, [0, 2, 3, 1]));
  copyView(lowering, eq, view, copy);
  return copy;
}

type Images = readonly [number, number, number, number];

function lowerConv(lowering: Lowering, eq: Equation): void {
  const { stride, padding, dilation, groups } = eq.params as unknown as ConvParams;
  const [xv, wv] = eq.inputs as [Var, Var];
  const x = lowering.viewOfVar(xv);
  const w = packedWeight(lowering, eq, lowering.viewOfVar(wv));
  const y = lowering.viewOfVar(eq.outputs[0] as Var);
  const [n, o, oh, ow] = y.shape as Images;
  const [, i, kh, kw] = w.shape as Images;
  const tiles = winogradTiles(lowering, eq, w.shape, y.shape);
  if (tiles) {
    const u = transformKernel(lowering, eq, w, tiles, false, `${w.buffer.name}.transformed`);
    const v = transformInput(lowering, eq, x, [padding[0][0], padding[1][0]], tiles, `${x.buffer.name}.tiles`);
    productsAndOutput(lowering, eq, v, u, y, tiles);
    return;
  }
  if (isDepthwise(groups * i, o, groups)) {
    const rows = forwardTaps(oh, kh, stride[0], dilation[0], padding[0][0]);
    const columns = forwardTaps(ow, kw, stride[1], dilation[1], padding[1][0]);
    lowerTaps(lowering, eq, x, w, y, [rows], [columns]);
    return;
  }
  push(
    lowering,
    eq,
    x,
    w,
    y,
    [
      {
        outer: [
          axis(n, at(x, 0), 0, at(y, 0)),
          axis(groups, i * at(x, 1), (o / groups) * at(w, 0), (o / groups) * at(y, 1)),
        ],
        m: [axis(oh, stride[0] * at(x, 2), 0, at(y, 2)), axis(ow, stride[1] * at(x, 3), 0, at(y, 3))],
        n: axis(o / groups, 0, at(w, 0), at(y, 1)),
        k: [
          axis(kh, dilation[0] * at(x, 2), at(w, 2), 0),
          axis(kw, dilation[1] * at(x, 3), at(w, 3), 0),
          axis(i, at(x, 1), at(w, 1), 0),
        ],
        offsetA: x.offset - padding[0][0] * at(x, 2) - padding[1][0] * at(x, 3),
        offsetB: w.offset,
        offsetC: y.offset,
      },
    ],
    byImage(n),
  );
}

/** Work by image pays where there are several. */
function byImage(size: number): ContractKernel["images"] {
  return size > 1 ? { size, chunk: 0, chunkStride: 0 } : null;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** Along one spatial axis: the input positions start, start + stride, ... and the kernel taps that reach them. */
type PhaseAxis = {
  readonly start: number;
  readonly count: number;
  readonly taps: number;
  readonly firstTap: number;
  readonly tapStep: number;
  readonly firstOutput: number;
  readonly outputStep: number;
};

/** A strided convolution's input gradient is stride x stride unit-stride phases; taps run downwards, so that outputs run upwards. */
function phases(size: number, kernel: number, stride: number, dilation: number, pad: number): PhaseAxis[] {
  const found: PhaseAxis[] = [];
  for (let start = 0; start < Math.min(stride, size); start++) {
    const taps: number[] = [];
    for (let tap = kernel - 1; tap >= 0; tap--) if ((start + pad - tap * dilation) % stride === 0) taps.push(tap);
    const tapStep = stride / gcd(dilation, stride);
    found.push({
      start,
      count: Math.ceil((size - start) / stride),
      taps: taps.length,
      firstTap: taps[0] ?? 0,
      tapStep,
      firstOutput: (start + pad - (taps[0] ?? 0) * dilation) / stride,
      outputStep: (tapStep * dilation) / stride,
    });
  }
  return found;
}

function lowerInputGrad(lowering: Lowering, eq: Equation): void {
  const { stride, padding, dilation, groups } = eq.params as unknown as ConvInputGradParams;
  const [gv, wv] = eq.inputs as [Var, Var];
  const g = lowering.viewOfVar(gv);
  const weight = lowering.viewOfVar(wv);
  const out = lowering.viewOfVar(eq.outputs[0] as Var);
  const [n, , height, width] = out.shape as Images;
  const [o, i, kh, kw] = weight.shape as Images;
  const tiles = winogradTiles(lowering, eq, weight.shape, out.shape);
  if (tiles) {
    const u = transformKernel(lowering, eq, weight, tiles, true, `${weight.buffer.name}.turned`);
    const v = transformInput(lowering, eq, g, [2 - padding[0][0], 2 - padding[1][0]], tiles, `${g.buffer.name}.tiles`);
    productsAndOutput(lowering, eq, v, u, out, tiles);
    return;
  }
  if (isDepthwise(groups * i, o, groups)) {
    const rows = backwardTaps(height, kh, stride[0], dilation[0], padding[0][0]);
    const columns = backwardTaps(width, kw, stride[1], dilation[1], padding[1][0]);
    lowerTaps(lowering, eq, g, packedWeight(lowering, eq, weight), out, rows, columns);
    return;
  }
  // Taps run downwards and input channels lie innermost in this copy: [kh reversed, kw reversed, o, i].
  const flipped = viewOf(lowering.buffer(`${weight.buffer.name}.flipped`, { dtype: "f32", shape: [kh, kw, o, i] }));
  const expressions = new Expressions(lowering);
  const nest = orderedLoops(expressions.loops, flipped.shape, flipped);
  const [a, b, p, q] = nest.index as [
    (typeof nest.index)[0],
    (typeof nest.index)[0],
    (typeof nest.index)[0],
    (typeof nest.index)[0],
  ];
  const reversed = (index: typeof a, size: number): typeof a => shiftIndex(scaleIndex(index, -1), size - 1);
  lowering.push({
    kind: "map",
    name: `flip ${weight.buffer.name}`,
    phase: eq.phase,
    loops: nest.loops,
    stores: [
      {
        view: flipped,
        index: flatten(flipped, nest.index),
        value: expressions.read(weight, [p, q, reversed(a, kh), reversed(b, kw)]),
      },
    ],
    operands: expressions.operands,
  });
  const parts: ContractPart[] = [];
  let missing = false;
  for (const v of phases(height, kh, stride[0], dilation[0], padding[0][0]))
    for (const h of phases(width, kw, stride[1], dilation[1], padding[1][0])) {
      if (v.taps === 0 || h.taps === 0) {
        missing = true;
        continue;
      }
      parts.push({
        outer: [
          axis(n, at(g, 0), 0, at(out, 0)),
          axis(groups, (o / groups) * at(g, 1), (o / groups) * at(flipped, 2), i * at(out, 1)),
        ],
        m: [axis(v.count, at(g, 2), 0, stride[0] * at(out, 2)), axis(h.count, at(g, 3), 0, stride[1] * at(out, 3))],
        n: axis(i, 0, 1, at(out, 1)),
        k: [
          axis(v.taps, v.outputStep * at(g, 2), v.tapStep * at(flipped, 0), 0),
          axis(h.taps, h.outputStep * at(g, 3), h.tapStep * at(flipped, 1), 0),
          axis(o / groups, at(g, 1), at(flipped, 2), 0),
        ],
        offsetA: g.offset + v.firstOutput * at(g, 2) + h.firstOutput * at(g, 3),
        offsetB: (kh - 1 - v.firstTap) * at(flipped, 0) + (kw - 1 - h.firstTap) * at(flipped, 1),
        offsetC: out.offset + v.start * at(out, 2) + h.start * at(out, 3),
      });
    }
  if (missing) lowering.push({ kind: "fill", name: `zero ${out.buffer.name}`, phase: eq.phase, target: out.buffer });
  push(lowering, eq, g, flipped, out, parts, byImage(n));
}

function lowerWeightGrad(lowering: Lowering, eq: Equation): void {
  const { stride, padding, dilation, groups } = eq.params as unknown as ConvWeightGradParams;
  const [xv, gv] = eq.inputs as [Var, Var];
  const x = lowering.viewOfVar(xv);
  const g = packedImages(lowering, eq, lowering.viewOfVar(gv));
  const out = lowering.viewOfVar(eq.outputs[0] as Var);
  const [n, o, oh, ow] = g.shape as Images;
  const [, i, kh, kw] = out.shape as Images;
  const chunkable = n > 1 && n % WEIGHT_CHUNKS === 0;
  const tiles = winogradTiles(lowering, eq, out.shape, g.shape);
  const planes = tiles === null ? 0 : tiles.form.inputs ** 2;
  const winograd = chunkable && tiles !== null && planes * i * o <= MAX_CHUNKED_WEIGHT;
  const order = out.shape.map((_, d) => d).sort((p, q) => at(out, q) - at(out, p) || p - q);
  const sumShape = winograd ? [planes, i, o] : out.shape;
  const size = sizeOf(sumShape);
  const chunks = chunkable && size <= MAX_CHUNKED_WEIGHT ? WEIGHT_CHUNKS : 1;
  const images: ContractKernel["images"] = chunks > 1 ? { size: n, chunk: n / chunks, chunkStride: size } : null;
  // One copy of the sum for each chunk, outermost; a sum in one copy goes straight to its place.
  const sumOrder = winograd ? [0, 1, 2, 3] : [0, ...order.map((d) => d + 1)];
  const parts =
    chunks === 1
      ? null
      : viewOf(lowering.buffer(`${out.buffer.name}.parts`, { dtype: "f32", shape: [chunks, ...sumShape] }, sumOrder));
  if (winograd && parts) {
    const v = transformInput(lowering, eq, x, [padding[0][0], padding[1][0]], tiles, `${x.buffer.name}.tiles`);
    const z = transformCotangent(lowering, eq, g, tiles, `${g.buffer.name}.tiles`);
    weightProducts(lowering, eq, v, z, parts, tiles, images as NonNullable<ContractKernel["images"]>);
    const sums = viewOf(lowering.buffer(`${out.buffer.name}.sums`, { dtype: "f32", shape: sumShape }));
    combine(lowering, eq, "sum", parts, sums);
    transformWeightSum(lowering, eq, sums, out, tiles);
    return;
  }
  const strides = parts ? parts.strides.slice(1) : out.strides;
  const c: Strided = { buffer: (parts ?? out).buffer, strides, offset: parts ? 0 : out.offset };
  push(
    lowering,
    eq,
    x,
    g,
    c,
    [
      {
        outer: [axis(groups, i * at(x, 1), (o / groups) * at(g, 1), (o / groups) * at(c, 0))],
        m: [
          axis(kh, dilation[0] * at(x, 2), 0, at(c, 2)),
          axis(kw, dilation[1] * at(x, 3), 0, at(c, 3)),
          axis(i, at(x, 1), 0, at(c, 1)),
        ],
        n: axis(o / groups, 0, at(g, 1), at(c, 0)),
        k: [
          axis(n, at(x, 0), at(g, 0), 0),
          axis(oh, stride[0] * at(x, 2), at(g, 2), 0),
          axis(ow, stride[1] * at(x, 3), at(g, 3), 0),
        ],
        offsetA: x.offset - padding[0][0] * at(x, 2) - padding[1][0] * at(x, 3),
        offsetB: g.offset,
        offsetC: c.offset,
      },
    ],
    images,
  );
  if (parts) combine(lowering, eq, "sum", parts, out);
}
