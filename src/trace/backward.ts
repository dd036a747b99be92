import { TraceError } from "../core/errors.ts";
import { isPrimitive, primitiveOf } from "../ops/table.ts";
import { Tensor } from "../ops/tensor.ts";
import type { CustomRange, Tracer } from "./trace.ts";

/**
 * Cotangents of `wrt` given cotangents of `outputs`, by walking the equations from `start` on backwards.
 * `wrt` must be defined at or after `start`, so that nothing else reaches them.
 */
export function backward(
  tracer: Tracer,
  start: number,
  wrt: readonly Tensor[],
  outputs: readonly Tensor[],
  cotangents: readonly Tensor[],
): (Tensor | null)[] {
  const end = tracer.equations.length;
  const ranges = new Map<number, CustomRange>();
  for (const range of tracer.customRanges)
    if (range.start >= start && range.end <= end) {
      // Of two ranges that end together the enclosing one rules.
      const known = ranges.get(range.end);
      if (!known || range.start < known.start) ranges.set(range.end, range);
    }

  const live = new Set(wrt.map((t) => t.variable.id));
  for (let i = start; i < end; i++) {
    const eq = tracer.equations[i] as (typeof tracer.equations)[number];
    const blocked = isPrimitive(eq.primitive) && primitiveOf(eq.primitive).vjp === "none";
    if (!blocked && eq.inputs.some((v) => live.has(v.id)))
      for (const v of eq.outputs) if (v.aval.dtype === "f32") live.add(v.id);
    // A rule of the user's carries gradients across what has no derivative.
    const range = ranges.get(i + 1);
    if (range?.inputs.some((t) => live.has(t.variable.id)))
      for (const output of range.outputs) if (output.dtype === "f32") live.add(output.variable.id);
  }
  const found = new Map<number, Tensor>();
  const accumulate = (at: Tensor, g: Tensor | null | undefined): void => {
    if (!g || !live.has(at.variable.id)) return;
    const sum = found.get(at.variable.id);
    found.set(at.variable.id, sum ? sum.add(g) : g);
  };
  outputs.forEach((output, i) => {
    accumulate(output, cotangents[i] as Tensor);
  });

  /** What a derivative computes, it computes for the layer whose derivative it is. */
  const { scope } = tracer.root;
  for (let i = end - 1; i >= start; i--) {
    tracer.root.scope = tracer.equations[i]?.site ?? scope;
    const range = ranges.get(i + 1);
    if (range) {
      const gs = range.outputs.map((output) => found.get(output.variable.id) ?? null);
      if (gs.some((g) => g !== null))
        range.backward(gs, range.outputs, range.inputs).forEach((cotangent, j) => {
          accumulate(range.inputs[j] as Tensor, cotangent);
        });
      i = range.start;
      continue;
    }
    const eq = tracer.equations[i] as (typeof tracer.equations)[number];
    const gs = eq.outputs.map((v) => found.get(v.id) ?? null);
    if (gs.every((g) => g === null) || !eq.inputs.some((v) => live.has(v.id))) continue;
    const inputs = eq.inputs.map((v) => new Tensor(tracer, v));
    const results = eq.outputs.map((v) => new Tensor(tracer, v));
    if (isPrimitive(eq.primitive)) {
      const { vjp } = primitiveOf(eq.primitive);
      if (vjp === "none") continue;
      vjp(gs, eq.params, results, ...inputs).forEach((cotangent, j) => {
        accumulate(inputs[j] as Tensor, cotangent);
      });
    } else {
      const rule = tracer.root.rules.get(eq);
      if (!rule)
        throw new TraceError(
          `${eq.primitive}: has no derivative. Use scan with a fixed length, or stopGradient() before it.`,
        );
      rule(tracer, gs, inputs, results).forEach((cotangent, j) => {
        accumulate(inputs[j] as Tensor, cotangent);
      });
    }
  }
  tracer.root.scope = scope;
  return wrt.map((t) => found.get(t.variable.id) ?? null);
}
