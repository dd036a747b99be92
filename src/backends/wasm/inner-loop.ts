import type { View } from "../../compile/kernel.ts";
import type { Index, Loop, Scalar } from "../../ir/loops.ts";
import type { FuncBuilder } from "./asm/module.ts";
import type { ExpressionEmitter } from "./expression.ts";
import { HIGH, LOW } from "./kernel-code.ts";
import { dependsOn, type Uses } from "./nest.ts";

/** Elements of one job where the outermost loop is the vector loop itself. */
export const BLOCK = 1024;
const SMALL_BODY = 40;

export type InnerStore = { readonly view: View; readonly index: Index; readonly value: Scalar };

export const valuesOf = (stores: readonly InnerStore[]): readonly Scalar[] => stores.map((s) => s.value);

/** Writes the inner loop's body for the elements at each of these offsets. */
export type Body = (mode: "vector" | "scalar", offsets: readonly number[]) => void;

/** The stores of each element, or of each four. */
export function storesOf(f: FuncBuilder, e: ExpressionEmitter, stores: readonly InnerStore[]): Body {
  return (mode, offsets) => {
    // Every value is computed before the first is stored: an update may replace what it reads.
    const kept = offsets.map((offset) =>
      stores.map(({ value }) => {
        const local = f.local(mode === "vector" ? "v128" : value.lane === "f32" ? "f32" : "i32");
        return { offset, value, local };
      }),
    );
    for (const [i, offset] of offsets.entries())
      e.atOffset(offset, () => {
        for (const { value, local } of kept[i] as (typeof kept)[number]) {
          if (mode === "vector") e.vector(value);
          else e.scalar(value);
          f.set(local);
        }
      });
    stores.forEach(({ view, index }, s) => {
      for (const each of kept) {
        const { offset, local } = each[s] as (typeof each)[number];
        e.atOffset(offset, () => e.store(view.buffer, index, mode, () => f.get(local)));
      }
    });
    for (const { local } of kept.flat()) f.release(local);
  };
}

/** The condition of selections that the stored values end in, where it is the same in all of them and in the whole nest. */
export function invariantCondition(values: readonly Scalar[], loops: readonly Loop[]): Scalar | null {
  const [first, ...others] = new Set(values.flatMap((v) => (v.kind === "select" ? [v.condition] : [])));
  return first && others.length === 0 && loops.every((loop) => !dependsOn(first, loop)) ? first : null;
}

function decide(value: Scalar, condition: Scalar, truth: boolean): Scalar {
  if (value.kind !== "select" || value.condition !== condition) return value;
  return truth ? value.a : value.b;
}

/** Tests a condition, already pushed, once: the stores with its selections decided, each way a loop of its own. */
export function twoLoops(
  f: FuncBuilder,
  condition: Scalar,
  stores: readonly InnerStore[],
  emit: (stores: readonly InnerStore[]) => void,
): void {
  const decided = (truth: boolean) => (): void =>
    emit(stores.map((s) => ({ ...s, value: decide(s.value, condition, truth) })));
  f.if(decided(true), decided(false));
}

/** Sets the local `at` to the first element of a piece of the loop and `end` to where it stops. */
export type SetRange = (f: FuncBuilder, at: number, end: number, piece: readonly [number, number]) => void;

/** All elements of the piece. */
export const wholeRange: SetRange = (f, at, end, [start, stop]) => {
  f.i32(start).set(at).i32(stop).set(end);
};

/** Those in the range of jobs that the function was given, `block` elements each. */
export function blockRange(block: number): SetRange {
  return (f, at, end, [start, stop]) => {
    f.get(LOW).i32(block).op("i32.mul").set(at);
    f.get(HIGH).i32(block).op("i32.mul").set(end);
    if (start > 0) f.get(at).i32(start).get(at).i32(start).op("i32.gt_s").op("select").set(at);
    f.get(end).i32(stop).get(end).i32(stop).op("i32.lt_s").op("select").set(end);
  };
}

/** The innermost loop over one piece: unrolled vectors, `together` in one call of `body`, single vectors, then single elements. */
export function emitInner(
  f: FuncBuilder,
  e: ExpressionEmitter,
  loop: Loop,
  vector: boolean,
  uses: Pick<Uses, "accesses" | "nodes"> & { readonly values: readonly Scalar[] },
  body: Body,
  setRange: SetRange,
  piece: readonly [number, number],
  together: 1 | 2,
): void {
  const at = f.local("i32");
  const end = f.local("i32");
  setRange(f, at, end, piece);
  e.loopLocals.set(loop, at);
  e.enter(loop, vector, piece, uses.accesses, uses.values);
  const run = (width: number, copies: number): void => {
    const step = width * copies;
    const mode = width === 4 ? "vector" : "scalar";
    const count = copies % 2 === 0 ? together : 1;
    f.block((done) => {
      f.loop((again) => {
        f.get(at).i32(step).op("i32.add").get(end).op("i32.gt_s").brIf(done);
        for (let u = 0; u < copies; u += count)
          body(
            mode,
            Array.from({ length: count }, (_, i) => (u + i) * width),
          );
        e.advance(step);
        f.get(at).i32(step).op("i32.add").set(at);
        f.br(again);
      });
    });
  };
  const length = piece[1] - piece[0];
  // Blocks are whole vectors.
  const even = length % 4 === 0 && (setRange === wholeRange || piece[0] % 4 === 0);
  if (vector && length >= 4) {
    if (uses.nodes <= SMALL_BODY && length >= 16) run(4, 4);
    else if (together === 2 && length >= 8) run(4, 2);
    run(4, 1);
  }
  if (!vector || !even || length < 4) run(1, 1);
  e.leave();
  e.loopLocals.delete(loop);
  f.release(at);
  f.release(end);
}
