import { type Shape, sizeOf } from "../../core/dtype.ts";
import { HostArray } from "../../core/host-array.ts";
import type { PoolParams } from "../tensor.ts";
import { fromSums, resultData } from "./layout.ts";

type Four = readonly [number, number, number, number];

const outputSize = (size: number, params: PoolParams, axis: 0 | 1): number =>
  Math.floor((size + params.padding[axis][0] + params.padding[axis][1] - params.window[axis]) / params.stride[axis]) +
  1;

const pooledShape = (input: Shape, params: PoolParams): Shape => [
  input[0] as number,
  input[1] as number,
  outputSize(input[2] as number, params, 0),
  outputSize(input[3] as number, params, 1),
];

/** Visits each input position of each window, padding left out: offsets of the output and input, and the position i * kw + j. */
function eachTap(input: Shape, params: PoolParams, visit: (to: number, from: number, position: number) => void): void {
  const [n, c, h, w] = input as Four;
  const [, , oh, ow] = pooledShape(input, params) as Four;
  for (let plane = 0; plane < n * c; plane++) {
    for (let oy = 0; oy < oh; oy++) {
      for (let ox = 0; ox < ow; ox++) {
        const to = (plane * oh + oy) * ow + ox;
        for (let i = 0; i < params.window[0]; i++) {
          const y = oy * params.stride[0] + i - params.padding[0][0];
          if (y < 0 || y >= h) continue;
          for (let j = 0; j < params.window[1]; j++) {
            const x = ox * params.stride[1] + j - params.padding[1][0];
            if (x >= 0 && x < w) visit(to, (plane * h + y) * w + x, i * params.window[1] + j);
          }
        }
      }
    }
  }
}

/** Largest value of each window and its position in it; the first wins a tie, the first NaN wins. Padding never wins. */
export function maxPoolHost(x: HostArray, params: PoolParams): readonly [values: HostArray, index: HostArray] {
  const shape = pooledShape(x.shape, params);
  const values = resultData(x.dtype, sizeOf(shape), [x]).fill(x.dtype === "f32" ? -Infinity : -(2 ** 31));
  const index = new Uint8Array(values.length);
  const seen = new Uint8Array(values.length);
  eachTap(x.shape, params, (to, from, position) => {
    const top = values[to] as number;
    const value = x.data[from] as number;
    if (seen[to] && !(value > top || (Number.isNaN(value) && !Number.isNaN(top)))) return;
    seen[to] = 1;
    values[to] = value;
    index[to] = position;
  });
  return [new HostArray(x.dtype, shape, values), new HostArray("u8", shape, index)];
}

/** Adds each g to the input position that `index` chose: the transpose of `maxPickHost`. */
export function maxUnpoolHost(
  g: HostArray,
  index: HostArray,
  params: PoolParams & { readonly inputShape: Shape },
): HostArray {
  const sums = new Float64Array(sizeOf(params.inputShape));
  eachTap(params.inputShape, params, (to, from, position) => {
    if (index.data[to] === position) sums[from] = (sums[from] as number) + (g.data[to] as number);
  });
  return fromSums(g.dtype, params.inputShape, sums, [g]);
}

/** The value of each window at the position that `index` chose (0 where that is padding). */
export function maxPickHost(x: HostArray, index: HostArray, params: PoolParams): HostArray {
  const shape = pooledShape(x.shape, params);
  const data = resultData(x.dtype, sizeOf(shape), [x]);
  eachTap(x.shape, params, (to, from, position) => {
    if (index.data[to] === position) data[to] = x.data[from] as number;
  });
  return new HostArray(x.dtype, shape, data);
}

/** Sum of each window; padding counts as zeros. */
export function sumPoolHost(x: HostArray, params: PoolParams): HostArray {
  const shape = pooledShape(x.shape, params);
  const sums = new Float64Array(sizeOf(shape));
  eachTap(x.shape, params, (to, from) => {
    sums[to] = (sums[to] as number) + (x.data[from] as number);
  });
  return fromSums(x.dtype, shape, sums, [x]);
}

/** Adds each g to every input position of its window: the transpose of `sumPoolHost`. */
export function sumUnpoolHost(g: HostArray, params: PoolParams & { readonly inputShape: Shape }): HostArray {
  const sums = new Float64Array(sizeOf(params.inputShape));
  eachTap(params.inputShape, params, (to, from) => {
    sums[from] = (sums[from] as number) + (g.data[to] as number);
  });
  return fromSums(g.dtype, params.inputShape, sums, [g]);
}
