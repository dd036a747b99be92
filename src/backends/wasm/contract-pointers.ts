import type { Axis, ContractKernel, ContractPart } from "../../compile/kernel.ts";
import type { FuncBuilder } from "./asm/module.ts";
import { SCRATCH, type Target } from "./kernel-code.ts";

/** Pointers start at 0, at this thread's scratch, or where a slice has moved to. */
export function startPointers(
  f: FuncBuilder,
  target: Target,
  kernel: ContractKernel,
): readonly [number, number, number] {
  return [kernel.a, kernel.b, kernel.c].map((buffer) => {
    const local = f.local("i32");
    const moving = target.moving.get(buffer);
    if (target.scratch.has(buffer)) f.get(SCRATCH).set(local);
    else if (moving !== undefined) f.op("global.get", moving).set(local);
    else f.i32(0).set(local);
    return local;
  }) as [number, number, number];
}

/** Vector operations of a part, about. */
export function workOf(part: ContractPart): number {
  const product = (axes: readonly Axis[]): number => axes.reduce((n, a) => n * a.size, 1);
  return (product(part.outer) * product(part.m) * product(part.k) * part.n.size) / 4;
}

/** Adds the offsets of a flat index over axes to the three pointers. */
export function decode(f: FuncBuilder, index: number, axes: readonly Axis[], pa: number, pb: number, pc: number): void {
  for (let i = axes.length - 1; i >= 0; i--) {
    const axis = axes[i] as Axis;
    const add = (pointer: number, stride: number): void => {
      if (stride === 0) return;
      f.get(pointer).get(index);
      if (i > 0) f.i32(axis.size).op("i32.rem_s");
      f.i32(4 * stride)
        .op("i32.mul")
        .op("i32.add")
        .set(pointer);
    };
    add(pa, axis.a);
    add(pb, axis.b);
    add(pc, axis.c);
    if (i > 0) f.get(index).i32(axis.size).op("i32.div_s").set(index);
  }
}
