import type { Store } from "../../compile/backend.ts";
import { type Aval, type DType, formatAval, type HostData, sameShape } from "../../core/dtype.ts";
import { DataError, ShapeError } from "../../core/errors.ts";
import { HostArray } from "../../core/host-array.ts";

/** How dtype f32 is held: rounded to single, or as doubles, which turns the interpreter into an oracle for derivatives. */
export type Precision = "f32" | "f64";

/** The array in the given precision: itself where it already is. */
export function inPrecision(value: HostArray, precision: Precision): HostArray {
  if (value.dtype !== "f32" || value.data instanceof (precision === "f64" ? Float64Array : Float32Array)) return value;
  return new HostArray("f32", value.shape, allocate("f32", value.data, precision));
}

/** Storage of a dtype in the given precision, of some length or with copied values. */
export function allocate(dtype: DType, from: number | HostData, precision: Precision): HostData {
  const values = typeof from === "number" ? new Uint8Array(from) : from;
  if (dtype === "f32") return precision === "f64" ? Float64Array.from(values) : Float32Array.from(values);
  return dtype === "i32" ? Int32Array.from(values) : Uint8Array.from(values);
}

const sameType = (a: Aval, b: Aval): boolean => a.dtype === b.dtype && sameShape(a.shape, b.shape);

/** Values by path. Arrays are never written in place, so several paths may hold the same one. */
export class ReferenceStore implements Store {
  private readonly values = new Map<string, HostArray>();
  readonly precision: Precision;

  constructor(precision: Precision) {
    this.precision = precision;
  }

  write(path: string, value: HostArray): void {
    const held = this.values.get(path);
    if (held && !sameType(held.aval, value.aval))
      throw new ShapeError(
        `store: got ${formatAval(value.aval)} for ${path}; expected ${formatAval(held.aval)}, its type since the first write.`,
        path,
      );
    this.values.set(path, new HostArray(value.dtype, value.shape, allocate(value.dtype, value.data, this.precision)));
  }

  async read(path: string): Promise<HostArray> {
    const { dtype, shape, data } = this.get(path);
    return new HostArray(dtype, shape, data.slice());
  }

  has(path: string): boolean {
    return this.values.has(path);
  }

  get paths(): readonly string[] {
    return [...this.values.keys()];
  }

  avalOf(path: string): Aval {
    return this.get(path).aval;
  }

  /** The array itself, not to be written to. */
  get(path: string): HostArray {
    const value = this.values.get(path);
    if (!value)
      throw new DataError(
        `store: got no value for ${path}; expected one written before. Hint: it holds ${list(this.paths)}.`,
        path,
      );
    return value;
  }

  /** Replaces values at the end of a step. */
  replace(values: ReadonlyMap<string, HostArray>): void {
    for (const [path, value] of values) {
      const held = this.values.get(path);
      if (held && !sameType(held.aval, value.aval))
        throw new ShapeError(
          `step: got ${formatAval(value.aval)} for state ${path}; expected ${formatAval(held.aval)}, as the store holds.`,
          path,
        );
    }
    for (const [path, value] of values) this.values.set(path, value);
  }
}

function list(paths: readonly string[]): string {
  if (paths.length === 0) return "nothing";
  return paths.length > 8 ? `${paths.slice(0, 8).join(", ")} and ${paths.length - 8} more` : paths.join(", ");
}
