import type { Axis, PanelWidth } from "../../compile/kernel.ts";
import { mergeAxes } from "../../compile/merge-axes.ts";

/** A slice of k this long keeps a panel of b in the first-level cache while all rows pass over it. */
const K_BLOCK = 384;
/** Columns of one tile: `vectors` x 4, or `columns` single ones. */
export type Panel = { readonly start: number; readonly vectors: number; readonly columns: number };
export type Row = { readonly a: number; readonly c: number };
/** Tiles along the rows: `count` times `rows`, each `stepA`, `stepC` after the one before. */
export type RowRun = {
  readonly offsetA: number;
  readonly offsetC: number;
  readonly count: number;
  readonly stepA: number;
  readonly stepC: number;
  readonly rows: readonly Row[];
};

export function panelsOf(columns: number, width: PanelWidth): Panel[] {
  const panels: Panel[] = [];
  let start = 0;
  for (const wide of width === 16 ? [16, 8] : [8])
    for (; columns - start >= wide; start += wide) panels.push({ start, vectors: wide / 4, columns: wide });
  if (columns - start >= 4) {
    panels.push({ start, vectors: 1, columns: 4 });
    start += 4;
  }
  if (start < columns) panels.push({ start, vectors: 0, columns: columns - start });
  return panels;
}

/** Cuts the rows into tiles of at most `limit`, of nearly equal size; short inner axes are taken several at a time. */
export function rowRuns(
  axes: readonly Axis[],
  limit: number,
): { readonly outer: readonly Axis[]; readonly runs: readonly RowRun[] } {
  const merged = mergeAxes(axes);
  const inner = merged.at(-1) ?? { size: 1, a: 0, b: 0, c: 0 };
  const next = merged.at(-2);
  const line = (start: number, count: number): Row[] =>
    Array.from({ length: count }, (_, i) => ({ a: (start + i) * inner.a, c: (start + i) * inner.c }));
  if (next && inner.size * 2 <= limit) {
    const together = Math.floor(limit / inner.size);
    const block = (count: number): Row[] =>
      Array.from({ length: count }, (_, i) =>
        line(0, inner.size).map((r) => ({ a: r.a + i * next.a, c: r.c + i * next.c })),
      ).flat();
    const runs = cut(next.size, together).map(({ start, count, size }) => ({
      offsetA: start * next.a,
      offsetC: start * next.c,
      count,
      stepA: size * next.a,
      stepC: size * next.c,
      rows: block(size),
    }));
    return { outer: merged.slice(0, -2), runs };
  }
  const runs = cut(inner.size, limit).map(({ start, count, size }) => ({
    offsetA: start * inner.a,
    offsetC: start * inner.c,
    count,
    stepA: size * inner.a,
    stepC: size * inner.c,
    rows: line(0, size),
  }));
  return { outer: merged.slice(0, -1), runs };
}

/** `size` as runs of equal pieces of at most `limit` that differ by one at most. */
function cut(size: number, limit: number): { start: number; count: number; size: number }[] {
  const pieces = Math.ceil(size / limit);
  const small = Math.floor(size / pieces);
  const large = size - small * pieces;
  const runs = [];
  if (large > 0) runs.push({ start: 0, count: large, size: small + 1 });
  if (pieces > large) runs.push({ start: large * (small + 1), count: pieces - large, size: small });
  return runs;
}

/** k axes in two parts: those run outside the tiles, adding into c, and those summed in registers. */
export function splitK(k: readonly Axis[]): { readonly outside: readonly Axis[]; readonly inside: readonly Axis[] } {
  const merged = mergeAxes(k);
  const [first, ...rest] = merged;
  if (first && rest.length === 0 && first.size > K_BLOCK) {
    for (let blocks = Math.ceil(first.size / K_BLOCK); blocks <= 64; blocks++)
      if (first.size % blocks === 0) {
        const size = first.size / blocks;
        return {
          outside: [{ size: blocks, a: size * first.a, b: size * first.b, c: 0 }],
          inside: [{ ...first, size }],
        };
      }
  }
  // Many small pieces of k, as in a weight gradient over images: the outer ones add into c.
  if (merged.length >= 3) return { outside: merged.slice(0, -2), inside: merged.slice(-2) };
  return { outside: [], inside: merged };
}
