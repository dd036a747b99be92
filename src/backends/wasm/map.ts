import type { MapKernel, ScatterKernel, View } from "../../compile/kernel.ts";
import type { Loop } from "../../ir/loops.ts";
import type { ModuleBuilder } from "./asm/module.ts";
import { Expander } from "./expand.ts";
import { ExpressionEmitter } from "./expression.ts";
import {
  BLOCK,
  blockRange,
  emitInner,
  type InnerStore,
  invariantCondition,
  storesOf,
  twoLoops,
  valuesOf,
  wholeRange,
} from "./inner-loop.ts";
import { type KernelCode, kernelFunction, type Target } from "./kernel-code.ts";
import { chooseVectorLoop, coefficient, mergeLoops, piecesOf, type Uses, usesOf } from "./nest.ts";
import { openLoops } from "./open-loops.ts";

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

function emitNest(
  module: ModuleBuilder,
  target: Target,
  name: string,
  loops: readonly Loop[],
  operands: readonly View[],
  stores: readonly InnerStore[],
  adding: Loop | null,
  shared: boolean,
  images: Loop | null,
): KernelCode {
  const values = valuesOf(stores);
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
  const emit = (chosen: readonly InnerStore[], chosenUses: Uses): void => {
    const values = valuesOf(chosen);
    const e = new ExpressionEmitter(f, target, operands, nest.removed, images);
    e.countUses(values);
    const emitStores = storesOf(f, e, chosen);
    if (!inner) {
      openLoops(f, e, nest.loops, shared, () => e.scoped(() => emitStores("scalar", [0])));
      return;
    }
    const range = !blocked || !shared ? wholeRange : blockRange(BLOCK);
    const pieces = vector ? piecesOf(chosenUses, inner.loop, inner.size) : [[0, inner.size] as const];
    const body = (): void => {
      for (const piece of pieces)
        emitInner(
          f,
          e,
          inner.loop,
          vector !== null,
          { ...chosenUses, values },
          emitStores,
          range,
          piece,
          target.together,
        );
    };
    if (blocked) body();
    else openLoops(f, e, outer, shared, body);
  };
  const condition = work >= WORTH_TWO_LOOPS ? invariantCondition(values, loops) : null;
  if (condition) {
    new ExpressionEmitter(f, target, operands, nest.removed, images).scalar(condition);
    twoLoops(f, condition, stores, (chosen) => emit(chosen, usesOf(valuesOf(chosen), operands, chosen)));
  } else emit(stores, uses);
  return { func: f, jobs, work };
}
