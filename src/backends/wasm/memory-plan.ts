import type { Buffer, Kernel, Node } from "../../compile/kernel.ts";
import { ownerOf, touches } from "../../compile/touches.ts";
import { bytesOf } from "../../core/dtype.ts";

export const ALIGN = 64;
export const align = (bytes: number): number => Math.ceil(bytes / ALIGN) * ALIGN;

/** Vectors may read up to 12 bytes past the last element of a row. */
export function bytesOfBuffer(buffer: Buffer): number {
  return align(buffer.layout.size * bytesOf(buffer.dtype) + 16);
}

type Lifetime = { readonly buffer: Buffer; first: number; last: number };

/** First and last use of each arena buffer, in the order of the nodes; what crosses a loop's edge lives through the whole loop. */
function lifetimesOf(nodes: readonly Node[]): Lifetime[] {
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
      if (node.kind === "kernel" || node.kind === "stage") {
        for (const kernel of node.kind === "kernel" ? [node.kernel] : node.kernels) {
          const { reads, writes } = touches(kernel);
          time++;
          for (const buffer of [...reads, ...writes]) touch(ownerOf(buffer), time);
        }
        // Within a stage the kernels run again for each image, so what lives across its edge lives through it.
        if (node.kind === "stage") loops.push({ start: time - node.kernels.length, end: ++time });
        continue;
      }
      const start = ++time;
      if (node.kind === "cond") {
        touch(ownerOf(node.condition), time);
        visit(node.whenTrue);
        visit(node.whenFalse);
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
      if (life.first <= start && life.last > start) life.last = Math.max(life.last, end);
      if (life.first > start && life.first < end && life.last > end) life.first = start;
    }
  return [...found.values()];
}

export type MemoryPlan = {
  /** Byte offsets of arena buffers; those of `scratch` count from a thread's own. */
  readonly offsets: ReadonlyMap<Buffer, number>;
  readonly scratch: ReadonlySet<Buffer>;
  readonly scratchBytes: number;
  readonly bytes: number;
};

/** Buffers that only one stage touches: every thread needs no more than one image of them at a time. */
function scratchOf(nodes: readonly Node[]): ReadonlySet<Buffer> {
  const found = new Set<Buffer>();
  const elsewhere = new Set<Buffer>();
  const visit = (list: readonly Node[]): void => {
    for (const node of list) {
      const kernels: readonly Kernel[] =
        node.kind === "kernel" ? [node.kernel] : node.kind === "stage" ? node.kernels : [];
      const own = new Set(kernels.flatMap((k) => [...touches(k).reads, ...touches(k).writes]).map(ownerOf));
      for (const buffer of own) {
        if (buffer.home.kind !== "arena") continue;
        const whole = node.kind !== "stage" || buffer.shape[0] !== node.images || sums(kernels).has(buffer);
        if (whole || found.has(buffer)) elsewhere.add(buffer);
        else found.add(buffer);
      }
      if (node.kind === "cond") {
        elsewhere.add(node.condition);
        visit(node.whenTrue);
        visit(node.whenFalse);
      } else if (node.kind === "while") {
        elsewhere.add(node.condition);
        visit(node.test);
        visit(node.body);
      } else if (node.kind === "loop") visit(node.body);
    }
  };
  visit(nodes);
  for (const buffer of elsewhere) found.delete(buffer);
  return found;
}

function sums(kernels: readonly Kernel[]): Set<Buffer> {
  return new Set(kernels.flatMap((k) => (k.kind === "contract" && k.images && k.images.chunk > 0 ? [k.c] : [])));
}

const overlaps = (a: Lifetime, b: Lifetime): boolean => a.first <= b.last && b.first <= a.last;

/**
 * Places arena buffers so that no two that live at once overlap, largest first. A buffer with a zero border shares its place only
 * with buffers of the same layout, since each writer leaves the border as it is: it is zeroed once, before the first step.
 */
export function planMemory(nodes: readonly Node[]): MemoryPlan {
  const scratch = scratchOf(nodes);
  const lives = lifetimesOf(nodes);
  const offsets = new Map<Buffer, number>();
  const bytes = placeAll(
    lives.filter((l) => !scratch.has(l.buffer)),
    bytesOfBuffer,
    offsets,
  );
  const image = (buffer: Buffer): number =>
    align(
      ((buffer.layout.strides[0] as number) + (buffer.layout.border ? buffer.layout.offset : 0)) *
        bytesOf(buffer.dtype) +
        16,
    );
  const scratchBytes = placeAll(
    lives.filter((l) => scratch.has(l.buffer)),
    image,
    offsets,
  );
  return { offsets, scratch, scratchBytes, bytes };
}

/** Fills `offsets`; returns the bytes used. */
function placeAll(
  lives: readonly Lifetime[],
  sizeOfBuffer: (buffer: Buffer) => number,
  offsets: Map<Buffer, number>,
): number {
  const slots: { readonly key: string; readonly offset: number; readonly lives: Lifetime[] }[] = [];
  let bytes = 0;
  for (const life of lives) {
    const { layout, dtype } = life.buffer;
    if (!layout.border) continue;
    const key = `${dtype} ${layout.strides} ${layout.offset} ${layout.size} ${life.buffer.shape}`;
    let slot = slots.find((s) => s.key === key && !s.lives.some((other) => overlaps(other, life)));
    if (!slot) {
      slot = { key, offset: bytes, lives: [] };
      bytes += sizeOfBuffer(life.buffer);
      slots.push(slot);
    }
    slot.lives.push(life);
    offsets.set(life.buffer, slot.offset);
  }
  const start = bytes;
  const placed: { readonly life: Lifetime; readonly offset: number; readonly end: number }[] = [];
  const rest = lives
    .filter((l) => !l.buffer.layout.border)
    .sort((a, b) => sizeOfBuffer(b.buffer) - sizeOfBuffer(a.buffer) || a.buffer.id - b.buffer.id);
  for (const life of rest) {
    const size = sizeOfBuffer(life.buffer);
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
  return bytes;
}
