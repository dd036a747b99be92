import { type Shape, sizeOf } from "../core/dtype.ts";
import type { Layout } from "./kernel.ts";

/** Zeros before and after each axis. */
export type Border = readonly (readonly [number, number])[];

/** A dense layout with the axes in `order`, outermost first, and a border. */
export function layoutOf(shape: Shape, order: readonly number[] = shape.map((_, i) => i), border?: Border): Layout {
  const strides = new Array<number>(shape.length).fill(0);
  let stride = 1;
  let offset = 0;
  for (let i = order.length - 1; i >= 0; i--) {
    const axis = order[i] as number;
    const [low, high] = border?.[axis] ?? [0, 0];
    strides[axis] = stride;
    offset += low * stride;
    stride *= (shape[axis] as number) + low + high;
  }
  return { strides, offset, size: stride, border: border?.some(([low, high]) => low + high > 0) ?? false };
}

/** Strides under which a strided view can be read with another shape, or null (torch's rule for `view`). */
export function viewStrides(shape: Shape, strides: readonly number[], target: Shape): number[] | null {
  if (sizeOf(shape) === 0) return null;
  // Runs of axes that lie one after another in memory, as (size, innermost stride).
  const runs: { size: number; stride: number }[] = [];
  for (let i = 0; i < shape.length; i++) {
    const size = shape[i] as number;
    if (size === 1) continue;
    const last = runs.at(-1);
    const stride = strides[i] as number;
    if (last && last.stride === size * stride) runs[runs.length - 1] = { size: last.size * size, stride };
    else runs.push({ size, stride });
  }
  const result = new Array<number>(target.length).fill(0);
  let axis = target.length - 1;
  for (let r = runs.length - 1; r >= 0; r--) {
    const run = runs[r] as { size: number; stride: number };
    let left = run.size;
    let { stride } = run;
    while (left > 1) {
      while (axis >= 0 && target[axis] === 1) axis--;
      const size = target[axis];
      if (size === undefined || left % size !== 0) return null;
      result[axis] = stride;
      stride *= size;
      left /= size;
      axis--;
    }
  }
  return result;
}
