import { ShapeError } from "./errors.ts";

export type DType = "f32" | "i32" | "u8" | "bool";
export type Shape = readonly number[];

/** What is known of a value before it exists. Printed as `f32[32,784]` everywhere. */
export type Aval = { readonly dtype: DType; readonly shape: Shape };

/** Storage of host arrays. A `Float64Array` under dtype f32 is the reference backend's double-precision reading of f32. */
export type HostData = Float64Array | Float32Array | Int32Array | Uint8Array;

/** Of f32. Smaller magnitudes are denormal; in a program's state they are 0. */
export const SMALLEST_NORMAL: number = 2 ** -126;

export function bytesOf(dtype: DType): 1 | 4 {
  return dtype === "u8" || dtype === "bool" ? 1 : 4;
}

export function formatAval(aval: Aval): string {
  return `${aval.dtype}[${aval.shape.join(",")}]`;
}

export function aval(dtype: DType, shape: Shape): Aval {
  return { dtype, shape };
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}

/** Number of elements. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const n of shape) size *= n;
  return size;
}

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= shape[i] as number;
  }
  return strides;
}

/** Resolves a possibly negative axis. Throws ShapeError when out of range. */
export function normalizeAxis(op: string, axis: number, rank: number): number {
  const resolved = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || resolved < 0 || resolved >= rank)
    throw new ShapeError(`${op}: got axis ${axis}; expected an integer in [${-rank}, ${rank - 1}].`);
  return resolved;
}

/** Resolves axes (all when omitted) to a sorted list without repeats. */
export function normalizeAxes(op: string, axes: number | readonly number[] | undefined, rank: number): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, i) => i);
  const list = (typeof axes === "number" ? [axes] : axes).map((axis) => normalizeAxis(op, axis, rank));
  const sorted = [...new Set(list)].sort((a, b) => a - b);
  if (sorted.length !== list.length) throw new ShapeError(`${op}: got axes [${list}]; expected each axis once.`);
  return sorted;
}

/** The NumPy broadcasting rule. Throws ShapeError naming both shapes. */
export function broadcastShapes(op: string, a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  const out = new Array<number>(rank);
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1)
      throw new ShapeError(
        `${op}: got shapes [${a}] and [${b}]; expected equal sizes or 1 on each axis, counted from the last.`,
      );
    out[i] = x === 1 ? y : x;
  }
  return out;
}
