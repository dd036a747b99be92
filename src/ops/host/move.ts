import { type DType, type Shape, sizeOf, stridesOf } from "../../core/dtype.ts";
import { HostArray, newData } from "../../core/host-array.ts";
import { aroundAxis, clampIndex, eachOffset, fromSums, readStrided, resultData, writeStrided } from "./layout.ts";

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, x, i) => sum + x * (b[i] as number), 0);

/** The same elements under another shape. */
export function reshapeHost(x: HostArray, shape: Shape): HostArray {
  return new HostArray(x.dtype, shape, x.data);
}

/** Output axis i is input axis `order[i]`. */
export function transposeHost(x: HostArray, order: readonly number[]): HostArray {
  const strides = stridesOf(x.shape);
  return readStrided(
    x,
    order.map((axis) => x.shape[axis] as number),
    0,
    order.map((axis) => strides[axis] as number),
  );
}

/** Input axis i becomes output axis `axes[i]`; size 1 repeats. */
export function broadcastHost(x: HostArray, shape: Shape, axes: readonly number[]): HostArray {
  const from = stridesOf(x.shape);
  const strides = shape.map(() => 0);
  for (const [i, axis] of axes.entries()) strides[axis] = x.shape[i] === 1 ? 0 : (from[i] as number);
  return readStrided(x, shape, 0, strides);
}

/** Elements start, start + stride, ... before stop on each axis. */
export function sliceHost(
  x: HostArray,
  start: readonly number[],
  stop: readonly number[],
  stride: readonly number[],
): HostArray {
  const from = stridesOf(x.shape);
  const shape = start.map((s, i) => Math.max(0, Math.ceil(((stop[i] as number) - s) / (stride[i] as number))));
  return readStrided(
    x,
    shape,
    dot(start, from),
    from.map((s, i) => s * (stride[i] as number)),
  );
}

/** Zeros of `shape` with x at start + i * stride: the transpose of `sliceHost`. */
export function unsliceHost(
  x: HostArray,
  shape: Shape,
  start: readonly number[],
  stride: readonly number[],
): HostArray {
  const to = stridesOf(shape);
  const data = resultData(x.dtype, sizeOf(shape), [x]);
  writeStrided(
    x,
    data,
    dot(start, to),
    to.map((s, i) => s * (stride[i] as number)),
  );
  return new HostArray(x.dtype, shape, data);
}

/** `value` before and after each axis. */
export function padHost(x: HostArray, low: readonly number[], high: readonly number[], value: number): HostArray {
  const shape = x.shape.map((n, i) => n + (low[i] as number) + (high[i] as number));
  const to = stridesOf(shape);
  const data = resultData(x.dtype, sizeOf(shape), [x]).fill(value);
  writeStrided(x, data, dot(low, to), to);
  return new HostArray(x.dtype, shape, data);
}

export function flipHost(x: HostArray, axes: readonly number[]): HostArray {
  const from = stridesOf(x.shape);
  const base = axes.reduce((sum, axis) => sum + ((x.shape[axis] as number) - 1) * (from[axis] as number), 0);
  return readStrided(
    x,
    x.shape,
    base,
    from.map((s, axis) => (axes.includes(axis) ? -s : s)),
  );
}

export function concatenateHost(xs: readonly HostArray[], axis: number): HostArray {
  const first = xs[0] as HostArray;
  const size = xs.reduce((sum, x) => sum + (x.shape[axis] as number), 0);
  const shape = first.shape.map((n, i) => (i === axis ? size : n));
  const strides = stridesOf(shape);
  const data = resultData(first.dtype, sizeOf(shape), xs);
  let at = 0;
  for (const x of xs) {
    writeStrided(x, data, at * (strides[axis] as number), strides);
    at += x.shape[axis] as number;
  }
  return new HostArray(first.dtype, shape, data);
}

/** Slices of `axis` chosen by indices of any shape, which take the axis's place. Indices are clamped into range. */
export function gatherHost(x: HostArray, indices: HostArray, axis: number): HostArray {
  const [before, size, after] = aroundAxis(x.shape, axis);
  const count = indices.data.length;
  const data = resultData(x.dtype, before * count * after, [x]);
  for (let i = 0; i < before; i++) {
    for (let k = 0; k < count; k++) {
      const from = (i * size + clampIndex(indices.data[k] as number, size)) * after;
      data.set(x.data.subarray(from, from + after), (i * count + k) * after);
    }
  }
  return new HostArray(x.dtype, [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)], data);
}

/** The transpose of `gatherHost`: sums updates [...pre, ...indices.shape, ...post] into zeros [...pre, size, ...post]. */
export function scatterAddHost(updates: HostArray, indices: HostArray, axis: number, size: number): HostArray {
  const pre = updates.shape.slice(0, axis);
  const post = updates.shape.slice(axis + indices.shape.length);
  const [before, count, after] = [sizeOf(pre), indices.data.length, sizeOf(post)];
  const sums = new Float64Array(before * size * after);
  for (let i = 0; i < before; i++) {
    for (let k = 0; k < count; k++) {
      const to = (i * size + clampIndex(indices.data[k] as number, size)) * after;
      const from = (i * count + k) * after;
      for (let j = 0; j < after; j++) sums[to + j] = (sums[to + j] as number) + (updates.data[from + j] as number);
    }
  }
  return fromSums(updates.dtype, [...pre, size, ...post], sums, [updates]);
}

/** 0, 1, 2, ... along `axis`. */
export function iotaHost(shape: Shape, axis: number, dtype: DType): HostArray {
  const data = newData(dtype, sizeOf(shape));
  const [, size, after] = aroundAxis(shape, axis);
  eachOffset(shape, 0, stridesOf(shape), (flat) => {
    data[flat] = Math.floor(flat / after) % size;
  });
  return new HostArray(dtype, shape, data);
}

export function fullHost(value: number, shape: Shape, dtype: DType): HostArray {
  return new HostArray(dtype, shape, newData(dtype, sizeOf(shape)).fill(value));
}
