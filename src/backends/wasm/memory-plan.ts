import type { Buffer, Kernel, Node } from "../../compile/kernel.ts";
import { bytesOf } from "../../core/dtype.ts";

/** What a kernel reads and writes. */
export function touches(kernel: Kernel): { readonly reads: readonly Buffer[]; readonly writes: readonly Buffer[] } {
  switch (kernel.kind) {
    case "map":
      return { reads: kernel.operands.map((o) => o.buffer), writes: kernel.stores.map((s) => s.view.buffer) };
    case "reduce":
      return { reads: kernel.operands.map((o) => o.buffer), writes: [kernel.target.buffer] };
    case "scatter":
      return { reads: [...kernel.operands.map((o) => o.buffer), kernel.target.buffer], writes: [kernel.target.buffer] };
    case "contract":
      return { reads: [kernel.a, kernel.b], writes: [kernel.c] };
    case "fill":
      return { reads: [], writes: [kernel.target] };
    case "copy":
      return { reads: [kernel.source], writes: [kernel.target] };
  }
}

export const ALIGN = 64;
export const align = (bytes: number): number => Math.ceil(bytes / ALIGN) * ALIGN;

/** Vectors may read up to 12 bytes past the last element of a row. */
export function bytesOfBuffer(buffer: Buffer): number {
  return align(buffer.layout.size * bytesOf(buffer.dtype) + 16);
}

type Lifetime = { readonly buffer: Buffer; first: number; last: number };

/** First and last use of each arena buffer, in the order of the nodes; what crosses a loop's edge lives through the whole loop. */
function lifetimes(nodes: readonly Node[]): Lifetime[] {
  const found = new Map<Buffer, Lifetime>();
  const loops: { readonly start: number; readonly end: number }[] = [];
  let time = 0;
  const touch = (buffer: Buffer, at: number): void => {
    if (buffer.home.kind !== "arena") return;
    const known = found.get(buffer);
    if (known) known.last = Math.max(known.last, at);
    else found.set(buffer, { buffer, first: at, last: at });
  };
  const visit = (list: readonly Node[]): void => {
    for (const node of list) {
      if (node.kind === "kernel") {
        const { reads, writes } = touches(node.kernel);
        time++;
        for (const buffer of [...reads, ...writes]) touch(buffer, time);
        continue;
      }
      const start = ++time;
      if (node.kind === "cond") {
        touch(node.condition, time);
        visit(node.then);
        visit(node.otherwise);
        continue;
      }
      if (node.kind === "while") {
        visit(node.test);
        touch(node.condition, ++time);
        visit(node.body);
      } else visit(node.body);
      // Inner loops come before the loops around them.
      loops.push({ start, end: ++time });
    }
  };
  visit(nodes);
  for (const { start, end } of loops)
    for (const life of found.values()) {
      if (life.first < start && life.last > start) life.last = Math.max(life.last, end);
      if (life.first > start && life.first < end && life.last > end) life.first = start;
    }
  return [...found.values()];
}

export type MemoryPlan = {
  /** Byte offsets of arena buffers. */ readonly offsets: ReadonlyMap<Buffer, number>;
  readonly bytes: number;
};

/**
 * Places arena buffers so that no two that live at once overlap, largest first. A buffer with a zero border shares its place only
 * with buffers of the same layout, since each writer leaves the border as it is: it is zeroed once, before the first step.
 */
export function planMemory(nodes: readonly Node[]): MemoryPlan {
  const lives = lifetimes(nodes);
  const offsets = new Map<Buffer, number>();
  const slots: { readonly key: string; readonly offset: number; readonly lives: Lifetime[] }[] = [];
  let bytes = 0;
  const overlaps = (a: Lifetime, b: Lifetime): boolean => a.first <= b.last && b.first <= a.last;
  for (const life of lives) {
    const { layout, dtype } = life.buffer;
    if (!layout.border) continue;
    const key = `${dtype} ${layout.strides} ${layout.offset} ${layout.size} ${life.buffer.shape}`;
    let slot = slots.find((s) => s.key === key && !s.lives.some((other) => overlaps(other, life)));
    if (!slot) {
      slot = { key, offset: bytes, lives: [] };
      bytes += bytesOfBuffer(life.buffer);
      slots.push(slot);
    }
    slot.lives.push(life);
    offsets.set(life.buffer, slot.offset);
  }
  const start = bytes;
  const placed: { readonly life: Lifetime; readonly offset: number; readonly end: number }[] = [];
  const rest = lives
    .filter((l) => !l.buffer.layout.border)
    .sort((a, b) => bytesOfBuffer(b.buffer) - bytesOfBuffer(a.buffer) || a.buffer.id - b.buffer.id);
  for (const life of rest) {
    const size = bytesOfBuffer(life.buffer);
    const busy = placed.filter((p) => overlaps(p.life, life)).sort((a, b) => a.offset - b.offset);
    let offset = start;
    for (const other of busy) {
      if (other.offset - offset >= size) break;
      offset = Math.max(offset, other.end);
    }
    placed.push({ life, offset, end: offset + size });
    offsets.set(life.buffer, offset);
    bytes = Math.max(bytes, offset + size);
  }
  return { offsets, bytes };
}
