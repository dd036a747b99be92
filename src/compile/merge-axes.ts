import type { Axis } from "./kernel.ts";

/** Axes that step evenly through both operands become one. */
export function mergeAxes(axes: readonly Axis[]): Axis[] {
  const out: Axis[] = [];
  for (const axis of axes) {
    if (axis.size === 1) continue;
    const last = out.at(-1);
    if (last && last.a === axis.size * axis.a && last.b === axis.size * axis.b && last.c === axis.size * axis.c)
      out[out.length - 1] = { ...axis, size: last.size * axis.size };
    else out.push(axis);
  }
  return out;
}
