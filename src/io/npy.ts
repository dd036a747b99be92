import { type DType, sizeOf } from "../core/dtype.ts";
import { DataError } from "../core/errors.ts";
import { HostArray, newData } from "../core/host-array.ts";
import { claimedBytes } from "./claimed-bytes.ts";
import { halfToNumber } from "./half.ts";

/** NumPy limits a header to this unless told to trust the file. */
const MAX_HEADER_BYTES = 10_000;
/** As in NumPy 2. */
const MAX_RANK = 64;
const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/** Element at a byte offset; undefined where the value has no place in the type that it is read as. */
type Read = (view: DataView, at: number, little: boolean) => number | undefined;
type Stored = { readonly bytes: 1 | 2 | 4 | 8; readonly dtype: DType; readonly read: Read };

const asI32 = (value: number): number | undefined => ((value | 0) === value ? value : undefined);

const STORED: ReadonlyMap<string, Stored> = new Map<string, Stored>([
  ["f2", { bytes: 2, dtype: "f32", read: (view, at, little) => halfToNumber(view.getUint16(at, little)) }],
  ["f4", { bytes: 4, dtype: "f32", read: (view, at, little) => view.getFloat32(at, little) }],
  ["f8", { bytes: 8, dtype: "f32", read: (view, at, little) => view.getFloat64(at, little) }],
  ["i1", { bytes: 1, dtype: "i32", read: (view, at) => view.getInt8(at) }],
  ["i2", { bytes: 2, dtype: "i32", read: (view, at, little) => view.getInt16(at, little) }],
  ["i4", { bytes: 4, dtype: "i32", read: (view, at, little) => view.getInt32(at, little) }],
  ["i8", { bytes: 8, dtype: "i32", read: (view, at, little) => asI32(Number(view.getBigInt64(at, little))) }],
  ["u1", { bytes: 1, dtype: "u8", read: (view, at) => view.getUint8(at) }],
  ["u2", { bytes: 2, dtype: "i32", read: (view, at, little) => view.getUint16(at, little) }],
  ["u4", { bytes: 4, dtype: "i32", read: (view, at, little) => asI32(view.getUint32(at, little)) }],
  ["u8", { bytes: 8, dtype: "i32", read: (view, at, little) => asI32(Number(view.getBigUint64(at, little))) }],
  ["b1", { bytes: 1, dtype: "bool", read: (view, at) => (view.getUint8(at) <= 1 ? view.getUint8(at) : undefined) }],
]);

/**
 * The array of a `.npy` file (NumPy's format 1 to 3): floats become f32, u1 stays u8, b1 becomes bool, all other integers
 * i32, refused where a value does not fit; either byte order; Fortran's order of elements is put into C's.
 *
 * The file is taken as hostile: nothing is allocated before the header's size is held against the file's. Throws DataError
 * naming `name` and the byte, also for types that are no numbers (objects, texts, records).
 * Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 *
 * @example
 * decodeNpy(encodeNpy(array([[1, 2], [3, 4]]))).shape // -> [2, 2]
 */
export function decodeNpy(file: Uint8Array, name = "npy"): HostArray {
  const fail = (text: string, at: number): never => {
    throw new DataError(`npy: ${name} ${text}`, `${name}, byte ${at}`);
  };
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < 10 || MAGIC.some((byte, i) => file[i] !== byte))
    fail("does not begin as a .npy file does; expected \\x93NUMPY, a version and the header's length.", 0);
  const version = file[6] as number;
  if (version < 1 || version > 3) fail(`has version ${version}; expected 1, 2 or 3.`, 6);
  const start = version === 1 ? 10 : 12;
  if (file.length < start) fail("is cut off in its header's length.", file.length);
  const headerBytes = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (headerBytes > MAX_HEADER_BYTES)
    fail(`claims a header of ${headerBytes} bytes; expected at most ${MAX_HEADER_BYTES}.`, 8);
  const dataStart = start + headerBytes;
  if (dataStart > file.length)
    fail(
      `has ${file.length} bytes; expected at least ${dataStart} for its header. The file is truncated.`,
      file.length,
    );
  const header = new TextDecoder(version === 3 ? "utf-8" : "latin1").decode(file.slice(start, dataStart));
  const descr =
    /'descr':\s*'([^']*)'/.exec(header)?.[1] ??
    fail(
      "has no type of numbers in its header; expected 'descr' with one such as '<f4'. Objects and records cannot be read.",
      start,
    );
  const [, order = "", code = ""] = /^([<>|=]?)([a-z]\d+)$/.exec(descr) ?? [];
  const stored =
    STORED.get(code) ??
    fail(`has the type '${descr.slice(0, 40)}'; expected one of ${[...STORED.keys()].join(", ")}.`, start);
  const fortran =
    /'fortran_order':\s*(True|False)/.exec(header)?.[1] ?? fail("has no 'fortran_order' in its header.", start);
  const listed = /'shape':\s*\(([\d,\s]*)\)/.exec(header)?.[1] ?? fail("has no 'shape' in its header.", start);
  const shape = listed
    .split(",")
    .map((text) => text.trim())
    .filter((text) => text !== "")
    .map(Number);
  if (shape.length > MAX_RANK || !shape.every(Number.isSafeInteger))
    fail(`has the shape (${listed.slice(0, 60)}); expected at most ${MAX_RANK} whole numbers.`, start);
  const claimed = claimedBytes(shape, stored.bytes);
  if (claimed !== file.length - dataStart)
    fail(
      `has ${file.length - dataStart} bytes of data; expected ${claimed ?? "more than 2^53"} for ${descr}[${shape}].`,
      dataStart,
    );
  const length = sizeOf(shape);
  const data = newData(stored.dtype, length);
  const little = order !== ">";
  const place = fortran === "True" ? fromFortran(shape) : undefined;
  for (let i = 0; i < length; i++) {
    const at = dataStart + i * stored.bytes;
    const value =
      stored.read(view, at, little) ?? fail(`has a value at index ${i} that ${stored.dtype} cannot hold.`, at);
    data[place === undefined ? i : place(i)] = value;
  }
  return new HostArray(stored.dtype, shape, data);
}

/** Where the i-th element in Fortran's order, the first axis fastest, stands in C's. */
function fromFortran(shape: readonly number[]): (i: number) => number {
  return (i) => {
    let [rest, at, stride] = [i, 0, sizeOf(shape)];
    for (const size of shape) {
      stride /= size;
      at += (rest % size) * stride;
      rest = Math.floor(rest / size);
    }
    return at;
  };
}

const WRITTEN_AS: Readonly<Record<DType, string>> = { f32: "<f4", i32: "<i4", u8: "|u1", bool: "|b1" };

/** An array as the bytes of a `.npy` file, version 1: f32, i32, u8 and bool as f4, i4, u1 and b1. */
export function encodeNpy({ dtype, shape, data }: HostArray): Uint8Array<ArrayBuffer> {
  const listed = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text = `{'descr': '${WRITTEN_AS[dtype]}', 'fortran_order': False, 'shape': (${listed}), }`;
  const headerBytes = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
  const header = new TextEncoder().encode(`${text.padEnd(headerBytes - 1)}\n`);
  const exact = dtype === "f32" && data instanceof Float64Array ? Float32Array.from(data) : data;
  const bytes = new Uint8Array(10 + headerBytes + exact.byteLength);
  bytes.set(MAGIC);
  bytes.set([1, 0, headerBytes & 255, headerBytes >> 8], 6);
  bytes.set(header, 10);
  bytes.set(new Uint8Array(exact.buffer, exact.byteOffset, exact.byteLength), 10 + headerBytes);
  return bytes;
}
