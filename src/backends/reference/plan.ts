import { type Aval, bytesOf, sizeOf } from "../../core/dtype.ts";
import type { Program, Var } from "../../ir/program.ts";
import type { Precision } from "./store.ts";

/** For each equation, the values that nothing after it reads, its own unused outputs among them. */
export function lastUses(program: Program): readonly (readonly number[])[] {
  const needed = new Set(program.outputs.map((output) => output.value.id));
  const dead = new Array<number[]>(program.equations.length);
  for (let i = program.equations.length - 1; i >= 0; i--) {
    const equation = program.equations[i] as Program["equations"][number];
    const ended = new Set<number>();
    for (const { id } of [...equation.outputs, ...equation.inputs]) {
      if (!needed.has(id)) ended.add(id);
    }
    for (const { id } of equation.inputs) needed.add(id);
    dead[i] = [...ended];
  }
  return dead;
}

/** The most bytes that intermediates take at any moment, beside the store and the feeds. */
export function peakBytes(program: Program, precision: Precision): number {
  const bytes = (aval: Aval): number =>
    sizeOf(aval.shape) * (precision === "f64" && aval.dtype === "f32" ? 8 : bytesOf(aval.dtype));
  const walk = (p: Program): number => {
    const dead = lastUses(p);
    const held = new Map<number, number>();
    const hold = (v: Var): void => {
      held.set(v.id, bytes(v.aval));
    };
    let live = 0;
    let peak = 0;
    for (const [i, equation] of p.equations.entries()) {
      const inner = Math.max(0, ...(equation.programs ?? []).map(walk));
      for (const output of equation.outputs) {
        hold(output);
        live += bytes(output.aval);
      }
      peak = Math.max(peak, live + inner);
      for (const id of dead[i] as readonly number[]) live -= held.get(id) ?? 0;
    }
    return peak;
  };
  return walk(program);
}
