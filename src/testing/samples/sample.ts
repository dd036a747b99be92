import { type DType, type Shape, sizeOf } from "../../core/dtype.ts";
import { HostArray, newData } from "../../core/host-array.ts";
import type { Params } from "../../ops/primitive.ts";
import type { Random } from "../random.ts";

/** What an input may be: its type and the range of its values. */
export type InputSpec = {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly low: number;
  readonly high: number;
  /** Values stay 0.05 away from these: kinks and jumps. */
  readonly avoid?: readonly number[];
  /** Values lie on offset + k * step, so that those of two inputs with different offsets never meet. */
  readonly grid?: { readonly step: number; readonly offset: number };
  /** No two values are closer than 0.4 of an even spacing of the range. */
  readonly distinct?: boolean;
};

/** One application of a primitive. */
export type Sample = { readonly params: Params; readonly inputs: readonly InputSpec[] };

/** How a primitive is tried. Every primitive has a row: a missing one is a type error. */
export type SampleRow = {
  /** dtypes of the first input (the condition of `select` excepted). */
  readonly dtypes: readonly DType[];
  /** Random parameters and input types. The values drawn for them are in the domain, away from jumps. */
  draw(random: Random, dtype: DType): Sample;
  /** First and second derivatives agree with central differences within this relative error; "none": they are zero or do not exist. */
  readonly gradient: "none" | { readonly tolerance: number; readonly draw?: (random: Random) => Sample };
  /** Argument tuples at the ends of the domain and past them. A backend gives the reference's values there, NaN included. */
  readonly special?: readonly (readonly number[])[];
  /** Error allowed to a backend in f32 units in the last place. Results below the smallest normal number may be 0. */
  readonly ulps: number;
  /** The result is a sum: the units are those of the sum of the terms' magnitudes. */
  readonly sums?: true;
};

/** Values as a spec wants them. f32 values are singles, so that every precision starts from the same numbers. */
export function drawInput(random: Random, spec: InputSpec): HostArray {
  const { dtype, shape, low, high, avoid, grid } = spec;
  const data = newData(dtype, sizeOf(shape));
  const order = spec.distinct ? random.shuffle(Array.from(data, (_, i) => i)) : undefined;
  for (let i = 0; i < data.length; i++) {
    if (dtype !== "f32") {
      data[i] = random.integer(low, high);
      continue;
    }
    let value = order
      ? low + ((order[i] as number) + random.uniform(0.2, 0.8)) * ((high - low) / data.length)
      : random.uniform(low, high);
    if (grid) value = grid.offset + grid.step * Math.round((value - grid.offset) / grid.step);
    for (const kink of avoid ?? []) if (Math.abs(value - kink) < 0.05) value = kink + (value < kink ? -0.05 : 0.05);
    data[i] = value;
  }
  return new HostArray(dtype, shape, data);
}

export function f32(shape: Shape, low = -2, high = 2, extra: Partial<InputSpec> = {}): InputSpec {
  return { dtype: "f32", shape, low, high, ...extra };
}

export function bool(shape: Shape): InputSpec {
  return { dtype: "bool", shape, low: 0, high: 1 };
}

export function i32(shape: Shape, low = -9, high = 9): InputSpec {
  return { dtype: "i32", shape, low, high };
}

/** Ordinary values of any dtype. */
export function any(dtype: DType, shape: Shape, extra: Partial<InputSpec> = {}): InputSpec {
  if (dtype === "f32") return f32(shape, -2, 2, extra);
  if (dtype === "i32") return i32(shape);
  return { dtype, shape, low: 0, high: dtype === "bool" ? 1 : 255 };
}

export const ALL: readonly DType[] = ["f32", "i32", "u8", "bool"];
export const FLOAT: readonly DType[] = ["f32"];
export const NUMBERS: readonly DType[] = ["f32", "i32"];
