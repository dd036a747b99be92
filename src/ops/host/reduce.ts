import type { DType } from "../../core/dtype.ts";
import { sizeOf, stridesOf } from "../../core/dtype.ts";
import { HostArray, newData } from "../../core/host-array.ts";
import { aroundAxis, eachOffset, fromSums } from "./layout.ts";

const LOWEST: Readonly<Record<DType, number>> = { f32: -Infinity, i32: -(2 ** 31), u8: 0, bool: 0 };
const HIGHEST: Readonly<Record<DType, number>> = { f32: Infinity, i32: 2 ** 31 - 1, u8: 255, bool: 1 };

/** `op` over `axes`, which disappear. Sums of f32 run in double; NaN wins max and min; i32 sums wrap. */
export function reduceHost(op: "sum" | "max" | "min", x: HostArray, axes: readonly number[]): HostArray {
  const kept = x.shape.map((_, i) => i).filter((axis) => !axes.includes(axis));
  const shape = kept.map((axis) => x.shape[axis] as number);
  const outStrides = stridesOf(shape);
  const strides = x.shape.map((_, axis) => (axes.includes(axis) ? 0 : (outStrides[kept.indexOf(axis)] as number)));
  const totals = new Float64Array(sizeOf(shape));
  const from = x.data;
  if (op === "sum") {
    eachOffset(x.shape, 0, strides, (flat, to) => {
      totals[to] = (totals[to] as number) + (from[flat] as number);
    });
  } else {
    totals.fill(op === "max" ? LOWEST[x.dtype] : HIGHEST[x.dtype]);
    const pick = op === "max" ? Math.max : Math.min;
    eachOffset(x.shape, 0, strides, (flat, to) => {
      totals[to] = pick(totals[to] as number, from[flat] as number);
    });
  }
  return fromSums(x.dtype, shape, totals, [x]);
}

/** i32 index of the first largest value along `axis`; the first NaN wins. */
export function argmaxHost(x: HostArray, axis: number): HostArray {
  const [before, size, after] = aroundAxis(x.shape, axis);
  const data = newData("i32", before * after);
  for (let i = 0; i < before; i++) {
    for (let j = 0; j < after; j++) {
      let best = 0;
      for (let k = 1; k < size; k++) {
        const top = x.data[(i * size + best) * after + j] as number;
        const value = x.data[(i * size + k) * after + j] as number;
        if (value > top || (Number.isNaN(value) && !Number.isNaN(top))) best = k;
      }
      data[i * after + j] = best;
    }
  }
  return new HostArray("i32", [...x.shape.slice(0, axis), ...x.shape.slice(axis + 1)], data);
}
