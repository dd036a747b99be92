import { type Aval, type DType, formatAval, type HostData, type Shape, sizeOf } from "./dtype.ts";
import { ShapeError } from "./errors.ts";

/** A typed array with a shape, row-major. A class, so that a leaf of a tree can be told from a branch. */
export class HostArray {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: HostData;

  constructor(dtype: DType, shape: Shape, data: HostData) {
    if (data.length !== sizeOf(shape))
      throw new ShapeError(`array: got ${data.length} values for shape [${shape}]; expected ${sizeOf(shape)}.`);
    this.dtype = dtype;
    this.shape = shape;
    this.data = data;
  }

  get aval(): Aval {
    return { dtype: this.dtype, shape: this.shape };
  }

  /** The only value of a one-element array. */
  item(): number {
    if (this.data.length !== 1) throw new ShapeError(`item: got ${formatAval(this.aval)}; expected one element.`);
    return this.data[0] as number;
  }
}

/**
 * An array whose values are made when they are first read. Own and enumerable, so that copies and comparisons see `data` as
 * that of any other array.
 */
export function deferred(dtype: DType, shape: Shape, make: () => HostData): HostArray {
  const array = Object.create(HostArray.prototype) as HostArray;
  return Object.defineProperties(array, {
    dtype: { value: dtype, enumerable: true },
    shape: { value: shape, enumerable: true },
    data: {
      get: () => {
        const { data } = new HostArray(dtype, shape, make());
        Object.defineProperty(array, "data", { value: data, enumerable: true });
        return data;
      },
      enumerable: true,
      configurable: true,
    },
  });
}

const defaultDType = (data: HostData): DType =>
  data instanceof Int32Array ? "i32" : data instanceof Uint8Array ? "u8" : "f32";

export function newData(dtype: DType, length: number): Float32Array | Int32Array | Uint8Array {
  if (dtype === "f32") return new Float32Array(length);
  return dtype === "i32" ? new Int32Array(length) : new Uint8Array(length);
}

export type NestedNumbers = number | boolean | readonly NestedNumbers[];

/**
 * A host array from nested numbers or from a typed array and a shape.
 * The dtype defaults to the typed array's own, else f32.
 *
 * @example
 * array([[1, 2], [3, 4]]).shape // -> [2, 2]
 */
export function array(values: NestedNumbers | HostData, shape?: Shape, dtype?: DType): HostArray {
  if (ArrayBuffer.isView(values)) {
    const data = values as HostData;
    return new HostArray(dtype ?? defaultDType(data), shape ?? [data.length], data);
  }
  const found: number[] = [];
  for (let v: NestedNumbers | undefined = values as NestedNumbers; Array.isArray(v); v = v[0] as NestedNumbers)
    found.push(v.length);
  const flat: number[] = [];
  const walk = (v: NestedNumbers, depth: number): void => {
    if (typeof v === "object") {
      if (v.length !== found[depth]) throw new ShapeError(`array: got ragged rows; expected shape [${found}].`);
      for (const x of v) walk(x, depth + 1);
    } else {
      if (depth !== found.length) throw new ShapeError(`array: got ragged rows; expected shape [${found}].`);
      flat.push(Number(v));
    }
  };
  walk(values as NestedNumbers, 0);
  const type = dtype ?? "f32";
  const data = newData(type, flat.length);
  data.set(flat);
  return new HostArray(type, shape ?? found, data);
}

export function zeros(shape: Shape, dtype: DType = "f32"): HostArray {
  return new HostArray(dtype, shape, newData(dtype, sizeOf(shape)));
}
