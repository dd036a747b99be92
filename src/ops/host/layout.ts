import { type DType, type HostData, type Shape, sizeOf } from "../../core/dtype.ts";
import { HostArray, newData } from "../../core/host-array.ts";

const isDouble = (x: HostArray): boolean => x.data instanceof Float64Array;

/** Room for a result: doubles where it is f32 and some f32 input holds doubles. */
export function resultData(dtype: DType, length: number, inputs: readonly HostArray[]): HostData {
  return dtype === "f32" && inputs.some(isDouble) ? new Float64Array(length) : newData(dtype, length);
}

/** Sums gathered in double precision, rounded once. */
export function fromSums(dtype: DType, shape: Shape, sums: Float64Array, inputs: readonly HostArray[]): HostArray {
  if (dtype === "f32" && inputs.some(isDouble)) return new HostArray(dtype, shape, sums);
  const data = newData(dtype, sums.length);
  data.set(sums);
  return new HostArray(dtype, shape, data);
}

/** Calls `visit(flat, offset)` for each index of `shape` in row-major order, offset = base + sum of index * stride. */
export function eachOffset(
  shape: Shape,
  base: number,
  strides: readonly number[],
  visit: (flat: number, offset: number) => void,
): void {
  const size = sizeOf(shape);
  const index = new Int32Array(shape.length);
  let offset = base;
  for (let flat = 0; flat < size; flat++) {
    visit(flat, offset);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (index[axis] as number) + 1;
      offset += strides[axis] as number;
      if (next < (shape[axis] as number)) {
        index[axis] = next;
        break;
      }
      offset -= next * (strides[axis] as number);
      index[axis] = 0;
    }
  }
}

/** out[index] = x.data[base + sum of index * stride] */
export function readStrided(x: HostArray, shape: Shape, base: number, strides: readonly number[]): HostArray {
  const from = x.data;
  const data = resultData(x.dtype, sizeOf(shape), [x]);
  eachOffset(shape, base, strides, (flat, offset) => {
    data[flat] = from[offset] as number;
  });
  return new HostArray(x.dtype, shape, data);
}

/** to[base + sum of index * stride] = x[index] */
export function writeStrided(x: HostArray, to: HostData, base: number, strides: readonly number[]): void {
  const from = x.data;
  eachOffset(x.shape, base, strides, (flat, offset) => {
    to[offset] = from[flat] as number;
  });
}

/** Sizes before, at and after an axis. */
export function aroundAxis(shape: Shape, axis: number): readonly [before: number, size: number, after: number] {
  return [sizeOf(shape.slice(0, axis)), shape[axis] as number, sizeOf(shape.slice(axis + 1))];
}

export const clampIndex = (index: number, size: number): number => Math.min(Math.max(index, 0), size - 1);
