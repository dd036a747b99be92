import type { Buffer, View } from "../../compile/kernel.ts";
import { operandsOf } from "../../compile/scalar-parts.ts";
import { bytesOf } from "../../core/dtype.ts";
import type { Index, Loop, Range, Scalar } from "../../ir/loops.ts";

/** Loops of a kernel after merging; `removed` ones run inside the loop after them. */
export type Nest = { readonly loops: readonly SizedLoop[]; readonly removed: ReadonlySet<number> };
export type SizedLoop = { readonly loop: Loop; readonly size: number };

/** One access of memory: a load, or a store (`source` -1) at a view. */
export type Access = { readonly index: Index; readonly buffer: Buffer; readonly store: boolean };

/** Everything in a kernel that depends on the loops. */
export type Uses = {
  readonly accesses: readonly Access[];
  readonly positions: readonly Index[];
  readonly guards: readonly Range[];
  readonly nodes: number;
};

export function usesOf(
  values: readonly Scalar[],
  operands: readonly View[],
  stores: readonly { readonly view: View; readonly index: Index }[],
): Uses {
  const accesses: Access[] = stores.map(({ view, index }) => ({ index, buffer: view.buffer, store: true }));
  const positions: Index[] = [];
  const guards: Range[] = [];
  const seen = new Set<Scalar>();
  const visitIndex = (index: Index): void => {
    if (index.dynamic) visit(index.dynamic.value);
  };
  const visit = (node: Scalar): void => {
    if (seen.has(node)) return;
    seen.add(node);
    switch (node.kind) {
      case "load": {
        const [index] = node.index as readonly [Index];
        accesses.push({ index, buffer: (operands[node.source] as View).buffer, store: false });
        visitIndex(index);
        return;
      }
      case "index":
        positions.push(node.index);
        visitIndex(node.index);
        return;
      case "guard":
        for (const range of node.ranges) {
          guards.push(range);
          visitIndex(range.index);
        }
        visit(node.inside);
        visit(node.outside);
        return;
      default:
        for (const child of operandsOf(node)) visit(child);
    }
  };
  for (const value of values) visit(value);
  for (const { index } of stores) visitIndex(index);
  return { accesses, positions, guards, nodes: seen.size };
}

export function coefficient(index: Index, loop: Loop): number {
  return index.terms.find(([l]) => l === loop)?.[1] ?? 0;
}

/** Merges a loop with the next one where every use steps through both evenly. */
export function mergeLoops(loops: readonly Loop[], uses: Uses, fixed: ReadonlySet<Loop> = new Set()): Nest {
  const indices = [...uses.accesses.map((a) => a.index), ...uses.positions, ...uses.guards.map((g) => g.index)];
  const removed = new Set<number>();
  const out: SizedLoop[] = [];
  for (let i = loops.length - 1; i >= 0; i--) {
    const loop = loops[i] as Loop;
    const inner = out[0];
    const merges =
      inner &&
      !fixed.has(loop) &&
      !fixed.has(inner.loop) &&
      indices.every((index) => coefficient(index, loop) === inner.size * coefficient(index, inner.loop));
    if (merges) {
      removed.add(loop.id);
      out[0] = { loop: inner.loop, size: inner.size * loop.size };
    } else out.unshift({ loop, size: loop.size });
  }
  return { loops: out, removed };
}

/** True where the value depends on the loop. */
export function dependsOn(node: Scalar, loop: Loop, memo: Map<Scalar, boolean> = new Map()): boolean {
  const known = memo.get(node);
  if (known !== undefined) return known;
  memo.set(node, false);
  let result = false;
  if (node.kind === "load") result = indexDependsOn(node.index[0] as Index, loop, memo);
  else if (node.kind === "index") result = indexDependsOn(node.index, loop, memo);
  else {
    result = operandsOf(node).some((child) => dependsOn(child, loop, memo));
    if (node.kind === "guard") result ||= node.ranges.some((r) => indexDependsOn(r.index, loop, memo));
  }
  memo.set(node, result);
  return result;
}

export function indexDependsOn(index: Index, loop: Loop, memo?: Map<Scalar, boolean>): boolean {
  return coefficient(index, loop) !== 0 || (index.dynamic !== undefined && dependsOn(index.dynamic.value, loop, memo));
}

/**
 * The loop to run four lanes at a time: contiguous accesses are cheap, strided ones cost a load for each lane, computed ones
 * are impossible. Null where no loop qualifies: the kernel then runs one element at a time.
 */
export function chooseVectorLoop(nest: Nest, uses: Uses, candidates: readonly SizedLoop[]): SizedLoop | null {
  let best: { readonly loop: SizedLoop; readonly cost: number } | null = null;
  for (const candidate of candidates) {
    const { loop, size } = candidate;
    if (size < 4) continue;
    let cost = 0;
    let possible = true;
    const memo = new Map<Scalar, boolean>();
    for (const { index, buffer, store } of uses.accesses) {
      if (index.dynamic && dependsOn(index.dynamic.value, loop, memo)) possible = false;
      const c = coefficient(index, loop);
      if (c === 1) cost += bytesOf(buffer.dtype) === 4 ? 1 : 1.5;
      else if (c === 0) cost += store ? 0 : 0.25;
      else cost += store ? 4 : 5;
    }
    for (const index of uses.positions)
      if (index.dynamic && dependsOn(index.dynamic.value, loop, memo)) possible = false;
    for (const { index } of uses.guards) {
      if (index.dynamic && dependsOn(index.dynamic.value, loop, memo)) possible = false;
      if (coefficient(index, loop) === 0) continue;
      const others = index.terms.some(([l]) => l !== loop && !nest.removed.has(l.id));
      if (others || index.dynamic) possible = false;
    }
    // Short loops waste lanes in their tail.
    cost *= (Math.ceil(size / 4) * 4) / size;
    if (possible && (!best || cost <= best.cost)) best = { loop: candidate, cost };
  }
  const scalar = uses.accesses.length * 4;
  return best && best.cost < scalar ? best.loop : null;
}

/** Where guards change along a loop, as [start, end) pieces; every guard is constant within a piece. */
export function piecesOf(uses: Uses, loop: Loop, size: number): readonly (readonly [number, number])[] {
  const cuts = new Set<number>([0, size]);
  for (const { index, low, high } of uses.guards) {
    const c = coefficient(index, loop);
    if (c === 0) continue;
    // low <= base + c v < high
    for (const bound of [low, high]) {
      const cut = c > 0 ? Math.ceil((bound - index.base) / c) : Math.floor((index.base - bound) / -c) + 1;
      if (cut > 0 && cut < size) cuts.add(cut);
    }
  }
  const sorted = [...cuts].sort((a, b) => a - b);
  return sorted.slice(1).map((end, i) => [sorted[i] as number, end] as const);
}
