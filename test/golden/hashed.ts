import { type Shape, sizeOf } from "../../src/core/dtype.ts";

/** The values that `golden/models/common.py` gives a model, by the same integer hash: nothing so large is read from a file. */

/** fmix32(fnv1a32(name) + i 0x9E3779B9), with the finaliser of MurmurHash3. */
function word(seed: number, i: number): number {
  let x = (seed + Math.imul(i, 0x9e3779b9)) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

function fnv1a(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** In [-1, 1), in steps of 2^-15. */
export function values(name: string, count: number): Float32Array {
  const seed = fnv1a(name);
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) out[i] = (word(seed, i) >>> 16) / 32768 - 1;
  return out;
}

/** Each below `most`. */
export function tokens(most: number, count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => word(fnv1a("x"), i) % most);
}

export function labels(classes: number, count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => (word(fnv1a("y"), i) >>> 8) % classes);
}

/** What the parameter or buffer of this name starts from. */
export function firstValue(path: string, shape: Shape): Float32Array {
  const last = path.split(".").at(-1);
  const data = values(path, sizeOf(shape));
  if (last === "num_batches_tracked") return data.fill(3);
  if (last === "running_mean") return data.map((v) => v / 4);
  if (last === "running_var") return data.map((v) => 1 + v / 2);
  if (shape.length < 2) return data.map((v) => (last === "weight" ? 0.25 + v / 8 : v / 8));
  let scale = 1;
  while (scale * scale * sizeOf(shape.slice(1)) > 6) scale /= 2;
  return data.map((v) => v * scale);
}

/** The norm of an array, and its product with the hash of its name. */
export function summaryOf(path: string, data: ArrayLike<number>): readonly [norm: number, projection: number] {
  const direction = values(`project.${path}`, data.length);
  let squares = 0;
  let sum = 0;
  for (let i = 0; i < data.length; i++) {
    const value = data[i] as number;
    squares += value * value;
    sum += value * (direction[i] as number);
  }
  return [Math.sqrt(squares), sum];
}
