import { formatAval, type HostData, sameShape } from "../../core/dtype.ts";
import { DataError } from "../../core/errors.ts";
import { HostArray, newData } from "../../core/host-array.ts";
import { isBranch, leavesOf, type Tree, unflatten } from "../../core/tree.ts";

/** A value in a sample: a number, or an array. Typed arrays are vectors of their own type. */
export type SampleLeaf = number | boolean | HostArray | HostData;

/** The form of a sample with an array [N, ...] for each of its values. */
export type Stacked<T> = T extends SampleLeaf
  ? HostArray
  : T extends object
    ? { readonly [K in keyof T]: Stacked<T[K]> }
    : never;

export type StackOptions = {
  /** Which numbers are whole: paths such as "targets". Others become f32. */
  readonly whole?: readonly string[];
};

/** Arrays [N, ...] of which samples are rows. */
export class Rows {
  readonly tree: Tree<HostArray>;
  readonly leaves: readonly HostArray[];

  constructor(tree: Tree<HostArray>) {
    this.tree = tree;
    this.leaves = leavesOf<HostArray>(tree).map(([, leaf]) => leaf);
  }
}

/** One sample of `Rows`, for streams that hand on millions of them: nothing is made of it before it is stacked. */
export class RowSample {
  readonly rows: Rows;
  readonly row: number;

  constructor(rows: Rows, row: number) {
    this.rows = rows;
    this.row = row;
  }
}

/** Up to so many numbers a loop is faster than a view. */
const LOOPED = 32;

function stackRows(samples: readonly RowSample[]): Tree<HostArray> {
  const { rows: first } = samples[0] as RowSample;
  const stacked = first.leaves.map(({ dtype, shape: [count = 1, ...own], data }, k) => {
    const width = data.length / count;
    const out = newData(dtype, width * samples.length);
    let at = 0;
    for (const { rows, row } of samples) {
      const { data: from } = rows.leaves[k] as HostArray;
      const start = row * width;
      if (width > LOOPED) out.set(from.subarray(start, start + width), at);
      else for (let i = 0; i < width; i++) out[at + i] = from[start + i] as number;
      at += width;
    }
    return new HostArray(dtype, [samples.length, ...own], out);
  });
  return unflatten(first.tree, stacked);
}

/**
 * Samples of one form as arrays of all of them: [N, ...] for each value of the first. Numbers become f32, or i32 where they are said
 * to be `whole`; arrays keep their types. `first` is the number of the first in errors.
 */
export function stack<T>(samples: readonly T[], options: StackOptions = {}, first = 0): Stacked<T> {
  if (samples[0] instanceof RowSample) return stackRows(samples as unknown as readonly RowSample[]) as Stacked<T>;
  const sample = samples[0] as Tree<unknown>;
  const stacked = leavesOf<unknown>(sample).map(([path, leaf]) => {
    const keys = path === "" ? [] : path.split(".");
    const where = (i: number): string => `${path === "" ? "the value" : path} of sample ${first + i}`;
    const { dtype, shape, data } = arrayOf(leaf, options.whole?.includes(path) === true, where(0));
    const size = data.length;
    const out = newData(dtype, size * samples.length);
    for (let i = 0; i < samples.length; i++) {
      const own = at(samples[i], keys);
      if (typeof own === "number" || typeof own === "boolean") {
        const value = Number(own);
        if (shape.length > 0 || leaf instanceof HostArray) throw mismatch(where(i), `${own}`, dtype, shape);
        if (dtype === "i32" && (value | 0) !== value)
          throw new DataError(`batch: got ${value} for ${where(i)}; expected a whole number.`, path);
        out[i] = value;
        continue;
      }
      const array = arrayOf(own, false, where(i));
      if (array.dtype !== dtype || !sameShape(array.shape, shape))
        throw mismatch(where(i), formatAval(array.aval), dtype, shape);
      out.set(array.data, i * size);
    }
    return new HostArray(dtype, [samples.length, ...shape], out);
  });
  return unflatten(sample, stacked) as Stacked<T>;
}

function at(sample: unknown, keys: readonly string[]): unknown {
  let value = sample;
  for (const key of keys) value = isBranch(value) ? (value as Record<string, unknown>)[key] : undefined;
  return value;
}

function arrayOf(leaf: unknown, whole: boolean, where: string): HostArray {
  if (leaf instanceof HostArray) return leaf;
  if (typeof leaf === "number" || typeof leaf === "boolean")
    return new HostArray(whole ? "i32" : "f32", [], Float32Array.of(0));
  if (leaf instanceof Float32Array) return new HostArray("f32", [leaf.length], leaf);
  if (leaf instanceof Int32Array) return new HostArray("i32", [leaf.length], leaf);
  if (leaf instanceof Uint8Array) return new HostArray("u8", [leaf.length], leaf);
  throw new DataError(
    `batch: got ${describe(leaf)} for ${where}; expected a number, a Float32Array, Int32Array or Uint8Array, or an array of \`array(...)\`. Hint: \`map\` the samples to that.`,
    where,
  );
}

function describe(leaf: unknown): string {
  if (typeof leaf === "string") return JSON.stringify(leaf.length > 40 ? `${leaf.slice(0, 37)}...` : leaf);
  if (typeof leaf !== "object" || leaf === null) return leaf === undefined ? "nothing" : String(leaf);
  return leaf.constructor?.name ?? "an object";
}

function mismatch(where: string, got: string, dtype: HostArray["dtype"], shape: HostArray["shape"]): DataError {
  return new DataError(
    `batch: got ${got} for ${where}; expected ${formatAval({ dtype, shape })} as in the first. Hint: \`map\` the samples to one form.`,
    where,
  );
}
