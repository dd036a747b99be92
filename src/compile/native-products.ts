import type { Axis, ContractKernel, ContractPart } from "./kernel.ts";
import { mergeAxes } from "./merge-axes.ts";

/** Which products a BLAS takes: those whose calls have at least so many multiplications and additions. */
export type GemmRule = { readonly minFlops: number };

/** A matrix as BLAS sees it, row by row: `ld` elements from one row to the next; `transposed` where it is stored the other way. */
type Operand = { readonly ld: number; readonly transposed: boolean };

/**
 * A contraction as calls c[rows, columns] = left[rows, depth] right[depth, columns] of row-major matrices, one for each index of
 * `outer` and each of the pieces that `splits` says.
 */
export type Gemm = {
  readonly outer: readonly Axis[];
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  /** `left` is the contraction's b and `right` its a: c is stored by columns. */
  readonly turned: boolean;
  readonly left: Operand;
  readonly right: Operand;
  readonly ldc: number;
  /** Pieces that threads share: cut in the same places for any number of them, since that may decide the last bits. */
  readonly rowCut: Cut;
  readonly columnCut: Cut;
};

/** A side in `count` pieces of `size`; the last one is what is left. */
export type Cut = { readonly count: number; readonly size: number };

/** A call with fewer rows or columns is a product with a vector, which gains nothing. */
const LEAST_SIDE = 4;
const LEAST_DEPTH = 8;
/** Outer indices from which threads have enough to share without cutting products. */
const OUTER_JOBS = 8;
/** OpenBLAS's tiles are 16 rows or columns at most. */
const CUT_UNIT = 16;
/** A side is not cut below this. */
const LEAST_PIECE = 64;

/**
 * Pieces of a product of so many multiplications and additions. Pieces side by side pack the operand that they share again: of 51
 * million, two pieces cost 5 % and four 14 % (128 x 256 x 784, one thread of an AVX-512 Xeon, OpenBLAS 0.3.21).
 */
function piecesFor(flops: number): number {
  if (flops < 3e6) return 1;
  if (flops < 64e6) return 2;
  return flops < 512e6 ? 4 : 8;
}

function cut(side: number, pieces: number): Cut {
  const size = Math.min(side, Math.ceil(side / pieces / CUT_UNIT) * CUT_UNIT);
  return { count: Math.ceil(side / size), size };
}

/**
 * The longer side is halved until there are enough: square pieces pack least. Of 256 x 512 x 4096, eight pieces of 256 x 64 ran at half
 * the speed of the whole.
 */
function cuts(rows: number, columns: number, pieces: number): readonly [Cut, Cut] {
  let [down, across] = [1, 1];
  while (down * across < pieces) {
    const [tall, wide] = [rows / down, columns / across];
    if (Math.max(tall, wide) < 2 * LEAST_PIECE) break;
    if (tall >= wide) down *= 2;
    else across *= 2;
  }
  return [cut(rows, down), cut(columns, across)];
}

const NONE: Axis = { size: 1, a: 0, b: 0, c: 0 };

/** A matrix of `height` x `width` with these strides, if BLAS can read it. */
function operandOf(height: number, rowStep: number, width: number, columnStep: number): Operand | null {
  if (columnStep === 1 && rowStep >= width) return { ld: rowStep, transposed: false };
  if (rowStep === 1 && columnStep >= height) return { ld: columnStep, transposed: true };
  return null;
}

/** How a BLAS computes this part, or null where it cannot, or gains nothing by it. By image, the batch is not among the axes. */
export function gemmOf(rule: GemmRule, part: ContractPart, images: ContractKernel["images"]): Gemm | null {
  if (part.panelB !== undefined) return null;
  const outer = mergeAxes(images && images.chunk === 0 ? part.outer.slice(1) : part.outer);
  const rowAxes = mergeAxes(part.m);
  const depthAxes = mergeAxes(images && images.chunk > 0 ? part.k.slice(1) : part.k);
  if (rowAxes.length > 1 || depthAxes.length !== 1) return null;
  let [m = NONE] = rowAxes;
  const [k] = depthAxes as [Axis];
  const { n } = part;
  // One matrix for all of a batch: its rows go on through the batch.
  const last = outer.at(-1);
  if (last && last.b === 0 && last.a === m.size * m.a && last.c === m.size * m.c) {
    outer.pop();
    m = { ...m, size: m.size * last.size };
  }
  const flops = 2 * m.size * n.size * k.size;
  if (flops < rule.minFlops || m.size < LEAST_SIDE || n.size < LEAST_SIDE || k.size < LEAST_DEPTH) return null;
  const turned = n.c !== 1;
  const [row, column] = turned ? [n, m] : [m, n];
  if (column.c !== 1 || row.c < column.size) return null;
  const left = turned ? operandOf(n.size, n.b, k.size, k.b) : operandOf(m.size, m.a, k.size, k.a);
  const right = turned ? operandOf(k.size, k.a, m.size, m.a) : operandOf(k.size, k.b, n.size, n.b);
  if (!left || !right) return null;
  const jobs = outer.reduce((count, { size }) => count * size, 1);
  const pieces = images || jobs >= OUTER_JOBS ? 1 : piecesFor(flops);
  const [rowCut, columnCut] = cuts(row.size, column.size, pieces);
  return {
    outer,
    rows: row.size,
    columns: column.size,
    depth: k.size,
    turned,
    left,
    right,
    ldc: row.c,
    rowCut,
    columnCut,
  };
}
