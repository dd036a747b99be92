import type { Buffer } from "../../compile/kernel.ts";
import { bytesOf } from "../../core/dtype.ts";
import type { Index, Loop, Scalar } from "../../ir/loops.ts";
import type { FuncBuilder } from "./asm/module.ts";
import { SCRATCH, type Target } from "./kernel-code.ts";
import { coefficient } from "./nest.ts";

/** Where elements lie in memory, and which guards hold: what of an expression depends on the loops alone. */
export abstract class AddressEmitter {
  readonly f: FuncBuilder;
  readonly target: Target;
  /** The current value of each open loop. */
  readonly loopLocals: Map<Loop, number> = new Map();
  readonly removed: ReadonlySet<number>;
  /** The batch's loop: scratch buffers do not move along it. */
  private readonly images: Loop | null;
  /** Locals that hold addresses known only when the code runs; the target's address of such a buffer is 0. */
  private readonly bases: ReadonlyMap<Buffer, number>;
  protected vectorLoop: Loop | null = null;
  /** The piece of the vector loop being written: guards along it are decided. */
  protected piece: readonly [number, number] = [0, 0];
  /** Elements by which what is being written is ahead of the pointers. */
  protected ahead = 0;
  protected readonly pointers: Map<string, { readonly local: number; readonly step: number }> = new Map();

  constructor(
    f: FuncBuilder,
    target: Target,
    removed: ReadonlySet<number>,
    images: Loop | null,
    bases: ReadonlyMap<Buffer, number>,
  ) {
    this.f = f;
    this.target = target;
    this.removed = removed;
    this.images = images;
    this.bases = bases;
  }

  /** Pushes one element of a computed index. */
  protected abstract scalar(node: Scalar): void;

  /** Four lanes along a loop that is not the innermost; null: one element. */
  lanesAlong(loop: Loop | null): void {
    this.vectorLoop = loop;
  }

  /** Moves every pointer along the innermost loop. */
  advance(elements: number): void {
    for (const { local, step } of this.pointers.values()) {
      if (step === 0) continue;
      this.f
        .get(local)
        .i32(step * elements)
        .op("i32.add")
        .set(local);
    }
  }

  protected signature(index: Index, buffer: Buffer): string {
    const bytes = bytesOf(buffer.dtype);
    const terms = this.terms(index, buffer).map(([loop, c]) => `${loop.id}*${c * bytes}`);
    const dynamic = index.dynamic ? `@${index.dynamic.value.id}*${index.dynamic.coefficient * bytes}` : "";
    const moving = this.target.moving.get(buffer);
    return `${this.base(buffer) ?? ""}${moving === undefined ? "" : `m${moving}`}+${terms.join("+")}${dynamic}${this.folds(index) ? `#${this.constant(index, buffer)}` : ""}`;
  }

  /** The local from which a buffer's address counts, if it is not 0. */
  private base(buffer: Buffer): number | undefined {
    return this.target.scratch.has(buffer) ? SCRATCH : this.bases.get(buffer);
  }

  private terms(index: Index, buffer?: Buffer): (readonly [Loop, number])[] {
    const still = buffer !== undefined && this.target.scratch.has(buffer) ? this.images : null;
    return index.terms.filter(([loop]) => !this.removed.has(loop.id) && loop !== still);
  }

  private constant(index: Index, buffer: Buffer): number {
    return this.target.address(buffer) + index.base * bytesOf(buffer.dtype);
  }

  /** An effective address is pointer + immediate without wrapping, so where the pointer alone could be negative the constant goes into it. */
  private folds(index: Index): boolean {
    return index.dynamic !== undefined || index.base < 0 || this.terms(index).some(([, c]) => c < 0);
  }

  /** Pushes the variable part of an address; returns the constant part, for the instruction's immediate. */
  protected pushAddress(index: Index, buffer: Buffer, usePointers = true): number {
    const { f } = this;
    const bytes = bytesOf(buffer.dtype);
    const folds = this.folds(index);
    const ahead = this.vectorLoop && usePointers ? this.ahead * coefficient(index, this.vectorLoop) * bytes : 0;
    const pointer = usePointers ? this.pointers.get(this.signature(index, buffer)) : undefined;
    if (pointer) {
      f.get(pointer.local);
      if (folds && ahead < 0) {
        f.i32(ahead).op("i32.add");
        return 0;
      }
      return folds ? ahead : this.constant(index, buffer) + ahead;
    }
    f.i32(folds ? this.constant(index, buffer) : 0);
    const base = this.base(buffer);
    if (base !== undefined) f.get(base).op("i32.add");
    const moving = this.target.moving.get(buffer);
    if (moving !== undefined) f.op("global.get", moving).op("i32.add");
    for (const [loop, c] of this.terms(index, buffer)) {
      const local = this.loopLocals.get(loop);
      if (local === undefined) throw new Error(`wasm: loop ${loop.id} is not open`);
      f.get(local);
      if (c * bytes !== 1) f.i32(c * bytes).op("i32.mul");
      f.op("i32.add");
    }
    if (index.dynamic) {
      this.scalar(index.dynamic.value);
      f.i32(index.dynamic.coefficient * bytes)
        .op("i32.mul")
        .op("i32.add");
    }
    if (ahead !== 0) f.i32(ahead).op("i32.add");
    return folds ? 0 : this.constant(index, buffer);
  }

  protected decide(node: Scalar & { readonly kind: "guard" }): boolean | undefined {
    const loop = this.vectorLoop;
    if (!loop) return undefined;
    let all = true;
    for (const { index, low, high } of node.ranges) {
      const c = coefficient(index, loop);
      if (c === 0) {
        all = false;
        continue;
      }
      const [first, last] = [index.base + c * this.piece[0], index.base + c * (this.piece[1] - 1)];
      if (Math.min(first, last) < low || Math.max(first, last) >= high) return false;
    }
    return all ? true : undefined;
  }

  /** Pushes an i32 truth of the ranges, leaving out those decided by the piece. */
  protected pushRanges(node: Scalar & { readonly kind: "guard" }): void {
    const { f } = this;
    let first = true;
    for (const { index, low, high } of node.ranges) {
      if (this.vectorLoop && coefficient(index, this.vectorLoop) !== 0) continue;
      // Unsigned: one comparison for both ends.
      this.pushIndex(index);
      f.i32(low)
        .op("i32.sub")
        .i32(high - low)
        .op("i32.lt_u");
      if (!first) f.op("i32.and");
      first = false;
    }
  }

  /** Pushes an index as an i32. */
  protected pushIndex(index: Index): void {
    const { f } = this;
    f.i32(index.base | 0);
    for (const [loop, c] of this.terms(index)) {
      f.get(this.loopLocals.get(loop) as number);
      if (c !== 1) f.i32(c).op("i32.mul");
      f.op("i32.add");
    }
    if (index.dynamic) {
      this.scalar(index.dynamic.value);
      f.i32(index.dynamic.coefficient).op("i32.mul").op("i32.add");
    }
  }
}
