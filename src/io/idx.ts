import type { DType, HostData } from "../core/dtype.ts";
import { DataError } from "../core/errors.ts";
import { HostArray } from "../core/host-array.ts";
import { claimedBytes } from "./claimed-bytes.ts";

/** The third byte of an idx file: what an element is stored as, and what it is read as. */
type ElementType = {
  readonly name: string;
  readonly bytes: 1 | 2 | 4 | 8;
  readonly dtype: DType;
  readonly read: (view: DataView, offset: number) => number;
};

const ELEMENT_TYPES: ReadonlyMap<number, ElementType> = new Map<number, ElementType>([
  [0x08, { name: "u8", bytes: 1, dtype: "u8", read: (view, at) => view.getUint8(at) }],
  [0x09, { name: "i8", bytes: 1, dtype: "i32", read: (view, at) => view.getInt8(at) }],
  [0x0b, { name: "i16", bytes: 2, dtype: "i32", read: (view, at) => view.getInt16(at) }],
  [0x0c, { name: "i32", bytes: 4, dtype: "i32", read: (view, at) => view.getInt32(at) }],
  [0x0d, { name: "f32", bytes: 4, dtype: "f32", read: (view, at) => view.getFloat32(at) }],
  [0x0e, { name: "f64", bytes: 8, dtype: "f32", read: (view, at) => view.getFloat64(at) }],
]);

/** What the first bytes of an idx file say. `totalBytes` is the size of the whole file, header included. */
export type IdxHeader = {
  /** Type the file stores: u8, i8, i16, i32, f32 or f64. */
  readonly stored: string;
  readonly shape: readonly number[];
  readonly headerBytes: number;
  readonly totalBytes: number;
};

/** Bytes that hold the longest possible header: 4 and 255 sizes of 4. */
export const MAX_IDX_HEADER_BYTES: number = 4 + 255 * 4;

/**
 * Reads the header of an idx file: two zero bytes, the element type, the number of dimensions, then each size as a
 * big-endian 32-bit integer. `bytes` may be the beginning of the file; nothing is allocated for what the sizes claim.
 *
 * Throws DataError naming `name` and the offset. Source: "The IDX file format", http://yann.lecun.com/exdb/mnist/.
 */
export function idxHeader(bytes: Uint8Array, name = "idx"): IdxHeader {
  const { name: stored, bytes: elementBytes } = elementTypeOf(bytes, name);
  const rank = bytes[3] as number;
  const headerBytes = 4 + 4 * rank;
  if (bytes.length < headerBytes)
    throw new DataError(
      `idx: ${name} ends at byte ${bytes.length}, inside its header; expected ${headerBytes} bytes of header for ${rank} dimensions. The file is truncated.`,
      `${name}, byte ${bytes.length}`,
    );
  const view = new DataView(bytes.buffer, bytes.byteOffset, headerBytes);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const dataBytes = claimedBytes(shape, elementBytes);
  if (dataBytes === undefined)
    throw new DataError(
      `idx: ${name} claims shape [${shape}], more than 2^53 bytes. The header is damaged.`,
      `${name}, byte 4`,
    );
  return { stored, shape, headerBytes, totalBytes: headerBytes + dataBytes };
}

function elementTypeOf(bytes: Uint8Array, name: string): ElementType {
  const first = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  if (bytes.length < 4)
    throw new DataError(
      `idx: ${name} has ${bytes.length} bytes; expected at least the 4 of an idx file's magic number. The file is truncated.`,
      `${name}, byte ${bytes.length}`,
    );
  const type = ELEMENT_TYPES.get(bytes[2] as number);
  if (bytes[0] !== 0 || bytes[1] !== 0 || type === undefined) {
    const hint =
      bytes[0] === 0x1f && bytes[1] === 0x8b ? " Hint: the file is compressed with gzip; decompress it first." : "";
    throw new DataError(
      `idx: ${name} begins with ${first}; expected 00 00, an element type (08, 09, 0b, 0c, 0d or 0e) and the number of dimensions.${hint}`,
      `${name}, byte 0`,
    );
  }
  return type;
}

/** Throws DataError when a file's size is not what its header claims. */
export function checkIdxSize({ stored, shape, totalBytes }: IdxHeader, fileBytes: number, name: string): void {
  if (fileBytes === totalBytes) return;
  const wrong = fileBytes < totalBytes ? "truncated" : "longer than its header says";
  throw new DataError(
    `idx: ${name} has ${fileBytes} bytes; expected ${totalBytes} for ${stored}[${shape}]. The file is ${wrong}.`,
    `${name}, byte ${Math.min(fileBytes, totalBytes)}`,
  );
}

/**
 * An idx file as a host array: u8 stays u8; i8, i16 and i32 become i32; f32 and f64 become f32 (f64 is rounded).
 *
 * u8 data is a view of `bytes`, not a copy. A file whose size differs from what its header claims is refused before
 * anything is allocated. Throws DataError naming `name`, the offset, and the expected and found sizes.
 *
 * @example
 * decodeIdx(new Uint8Array([0, 0, 8, 1, 0, 0, 0, 2, 7, 9])).data // -> Uint8Array [7, 9]
 */
export function decodeIdx(bytes: Uint8Array, name = "idx"): HostArray {
  const header = idxHeader(bytes, name);
  const { shape, headerBytes, totalBytes } = header;
  checkIdxSize(header, bytes.length, name);
  const type = elementTypeOf(bytes, name);
  // Not bytes.subarray: of a Node Buffer that would be a Buffer, whose slice() is not an array's.
  if (type.name === "u8")
    return new HostArray(
      "u8",
      shape,
      new Uint8Array(bytes.buffer, bytes.byteOffset + headerBytes, totalBytes - headerBytes),
    );
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = (totalBytes - headerBytes) / type.bytes;
  const data = type.dtype === "f32" ? new Float32Array(length) : new Int32Array(length);
  for (let i = 0; i < length; i++) data[i] = type.read(view, headerBytes + i * type.bytes);
  return new HostArray(type.dtype, shape, data);
}

/**
 * A host array as the bytes of an idx file: u8 and bool as u8, i32 and f32 as themselves, big-endian.
 * Throws DataError when a size needs more than 32 bits or there are more than 255 dimensions.
 */
export function encodeIdx(array: HostArray): Uint8Array<ArrayBuffer> {
  const { dtype, shape, data } = array;
  if (shape.length > 255 || shape.some((size) => size > 0xffffffff))
    throw new DataError(`idx: got shape [${shape}]; expected at most 255 dimensions, each below 2^32.`);
  const code = dtype === "f32" ? 0x0d : dtype === "i32" ? 0x0c : 0x08;
  const headerBytes = 4 + 4 * shape.length;
  const elementBytes = code === 0x08 ? 1 : 4;
  const bytes = new Uint8Array(headerBytes + data.length * elementBytes);
  const view = new DataView(bytes.buffer);
  bytes[2] = code;
  bytes[3] = shape.length;
  shape.forEach((size, i) => {
    view.setUint32(4 + 4 * i, size);
  });
  if (code === 0x08) bytes.set(data as Uint8Array, headerBytes);
  else writeBigEndian(view, headerBytes, data, dtype);
  return bytes;
}

function writeBigEndian(view: DataView, start: number, data: HostData, dtype: DType): void {
  for (let i = 0; i < data.length; i++) {
    const value = data[i] as number;
    if (dtype === "f32") view.setFloat32(start + 4 * i, value);
    else view.setInt32(start + 4 * i, value);
  }
}
