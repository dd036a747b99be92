import type { MapKernel, ScatterKernel, View } from "../../compile/kernel.ts";
import type { Index, Loop, Scalar } from "../../ir/loops.ts";
import type { FuncBuilder, ModuleBuilder } from "./asm/module.ts";
import { Expander } from "./expand.ts";
import { ExpressionEmitter } from "./expression.ts";
import { HIGH, type KernelCode, kernelFunction, LOW, type Target } from "./kernel-code.ts";
import {
  chooseVectorLoop,
  coefficient,
  dependsOn,
  mergeLoops,
  piecesOf,
  type SizedLoop,
  type Uses,
  usesOf,
} from "./nest.ts";
import { openLoops } from "./open-loops.ts";

/** Elements of one job where the outermost loop is the vector loop itself. */
const BLOCK = 1024;
const SMALL_BODY = 40;
/** Work from which a condition that never changes is tested once and not for each element. */
const WORTH_TWO_LOOPS = 1024;

/** `byImage`: the outermost loop is the batch and its iterations are the jobs. */
export function emitMap(module: ModuleBuilder, target: Target, kernel: MapKernel, byImage: boolean): KernelCode {
  const expander = new Expander();
  const stores = kernel.stores.map((s) => ({
    view: s.view,
    index: expander.index(s.index),
    value: expander.scalar(s.value),
  }));
  const images = byImage ? (kernel.loops[0] ?? null) : null;
  return emitNest(module, target, kernel.name, kernel.loops, kernel.operands, stores, null, true, images);
}

/** Adds into the target instead of storing; the outermost loop is shared only where its iterations cannot meet. */
export function emitScatter(module: ModuleBuilder, target: Target, kernel: ScatterKernel): KernelCode {
  const expander = new Expander();
  const l = expander.loops;
  const value = expander.scalar(kernel.value);
  const index = expander.index(kernel.index);
  const own = kernel.operands.length;
  const sum = l.binary("add", l.load(own, kernel.target.buffer.dtype, [index]), value);
  const stores = [{ view: kernel.target, index, value: sum }];
  const outer = kernel.loops[0];
  const apart = outer !== undefined && kernel.apart;
  return emitNest(
    module,
    target,
    kernel.name,
    kernel.loops,
    [...kernel.operands, kernel.target],
    stores,
    outer ?? null,
    apart,
    null,
  );
}

type NestStore = { readonly view: View; readonly index: Index; readonly value: Scalar };

function emitNest(
  module: ModuleBuilder,
  target: Target,
  name: string,
  loops: readonly Loop[],
  operands: readonly View[],
  stores: readonly NestStore[],
  adding: Loop | null,
  shared: boolean,
  images: Loop | null,
): KernelCode {
  const values = stores.map((s) => s.value);
  const uses = usesOf(values, operands, stores);
  const apart = adding ?? images;
  const nest = mergeLoops(loops, uses, apart ? new Set([apart]) : undefined);
  // Lanes that add into one place would meet: only a loop along which the target moves by one element will do.
  const candidates = nest.loops.filter(
    ({ loop }) =>
      loop !== images && (!adding || (loop !== adding && stores.every((s) => coefficient(s.index, loop) === 1))),
  );
  const vector = chooseVectorLoop(nest, uses, candidates);
  const last = nest.loops.at(-1);
  const inner = vector ?? (last?.loop === images ? undefined : last);
  const outer = nest.loops.filter((l) => l !== inner);
  const f = kernelFunction(module, name);
  const work = nest.loops.reduce((n, l) => n * l.size, Math.max(1, uses.nodes / 4));
  const blocked = inner !== undefined && outer.length === 0;
  const first = blocked ? inner : outer[0];
  const jobs = !shared || !first ? 1 : blocked ? Math.ceil(inner.size / BLOCK) : first.size;
  const emit = (chosen: readonly NestStore[], chosenUses: Uses): void => {
    const values = chosen.map((s) => s.value);
    const e = new ExpressionEmitter(f, target, operands, nest.removed, images);
    e.countUses(values);
    const emitStores = (mode: "vector" | "scalar"): void => {
      // Every value is computed before the first is stored: an update may replace what it reads.
      const kept = values.map((value) => {
        const local = f.local(mode === "vector" ? "v128" : value.lane === "f32" ? "f32" : "i32");
        if (mode === "vector") e.vector(value);
        else e.scalar(value);
        f.set(local);
        return local;
      });
      chosen.forEach(({ view, index }, i) => {
        e.store(view.buffer, index, mode, () => f.get(kept[i] as number));
      });
      for (const local of kept) f.release(local);
    };
    if (!inner) {
      openLoops(f, e, nest.loops, shared, () => e.scoped(() => emitStores("scalar")));
      return;
    }
    const extent: Extent = {
      block: !blocked ? 0 : shared ? BLOCK : inner.size,
      pieces: vector ? piecesOf(chosenUses, inner.loop, inner.size) : [[0, inner.size]],
    };
    const body = (): void => emitInner(f, e, inner, vector !== null, chosenUses, values, emitStores, extent);
    if (blocked) body();
    else openLoops(f, e, outer, shared, body);
  };
  const condition = work >= WORTH_TWO_LOOPS ? invariantCondition(values, loops) : null;
  if (condition) {
    const decided = (truth: boolean): void => {
      const chosen = stores.map((s) => ({ ...s, value: decide(s.value, condition, truth) }));
      emit(
        chosen,
        usesOf(
          chosen.map((s) => s.value),
          operands,
          chosen,
        ),
      );
    };
    new ExpressionEmitter(f, target, operands, nest.removed, images).scalar(condition);
    f.if(
      () => decided(true),
      () => decided(false),
    );
  } else emit(stores, uses);
  return { func: f, jobs, work };
}

/** The condition of selections that the stored values end in, where it is the same in all of them and in the whole nest. */
function invariantCondition(values: readonly Scalar[], loops: readonly Loop[]): Scalar | null {
  const [first, ...others] = new Set(values.flatMap((v) => (v.kind === "select" ? [v.condition] : [])));
  return first && others.length === 0 && loops.every((loop) => !dependsOn(first, loop)) ? first : null;
}

function decide(value: Scalar, condition: Scalar, truth: boolean): Scalar {
  if (value.kind !== "select" || value.condition !== condition) return value;
  return truth ? value.a : value.b;
}

type Extent = {
  /** Elements of a job, or 0 where the loop runs whole. */ readonly block: number;
  readonly pieces: readonly (readonly [number, number])[];
};

/** The innermost loop: unrolled vectors, single vectors, then single elements, for each piece. */
function emitInner(
  f: FuncBuilder,
  e: ExpressionEmitter,
  inner: SizedLoop,
  vector: boolean,
  uses: Uses,
  roots: readonly Scalar[],
  body: (mode: "vector" | "scalar") => void,
  { block, pieces }: Extent,
): void {
  const at = f.local("i32");
  const end = f.local("i32");
  for (const piece of pieces) {
    const [start, stop] = piece;
    // start = max(piece start, low * block), end = min(piece end, high * block)
    if (block > 0) {
      f.get(LOW).i32(block).op("i32.mul").set(at);
      f.get(HIGH).i32(block).op("i32.mul").set(end);
      if (start > 0) f.get(at).i32(start).get(at).i32(start).op("i32.gt_s").op("select").set(at);
      f.get(end).i32(stop).get(end).i32(stop).op("i32.lt_s").op("select").set(end);
    } else {
      f.i32(start).set(at);
      f.i32(stop).set(end);
    }
    e.loopLocals.set(inner.loop, at);
    e.enter(inner.loop, vector, piece, uses.accesses, roots);
    const run = (width: number, copies: number): void => {
      const step = width * copies;
      f.block((done) => {
        f.loop((again) => {
          f.get(at).i32(step).op("i32.add").get(end).op("i32.gt_s").brIf(done);
          for (let u = 0; u < copies; u++) e.atOffset(u * width, () => body(width === 4 ? "vector" : "scalar"));
          e.advance(step);
          f.get(at).i32(step).op("i32.add").set(at);
          f.br(again);
        });
      });
    };
    const length = stop - start;
    const even = length % 4 === 0 && (block === 0 || (start % 4 === 0 && block % 4 === 0));
    if (vector && length >= 4) {
      if (uses.nodes <= SMALL_BODY && length >= 16) run(4, 4);
      run(4, 1);
    }
    if (!vector || !even || length < 4) run(1, 1);
    e.leave();
    e.loopLocals.delete(inner.loop);
  }
  f.release(at);
  f.release(end);
}
