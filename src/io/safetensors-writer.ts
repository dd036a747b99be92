import { bytesOf, type DType } from "../core/dtype.ts";
import { DataError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";

/** Where the notes stand among the names. */
export const METADATA = "__metadata__";
const WRITTEN_AS: Readonly<Record<DType, string>> = { f32: "F32", i32: "I32", u8: "U8", bool: "BOOL" };

export type EncodeSafetensorsOptions = {
  /** i32 arrays to write as I64, PyTorch's type for integers, by name. Default: none. */
  readonly i64?: readonly string[];
};

/**
 * Named arrays as the bytes of a safetensors file: f32, i32, u8 and bool as F32, I32, U8 and BOOL; i32 on request as I64.
 *
 * The data is laid out by element size, largest first, so that every array is aligned; the header keeps the order of
 * `tensors` and is padded with spaces to 8 bytes. Throws DataError for a name that the format reserves.
 * Source: https://github.com/huggingface/safetensors, "Format".
 *
 * @example
 * decodeSafetensors(encodeSafetensors({ w: array([1, 2]) }, { epoch: "3" })).metadata.epoch // -> "3"
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, HostArray>>,
  metadata: Readonly<Record<string, string>> = {},
  options: EncodeSafetensorsOptions = {},
): Uint8Array<ArrayBuffer> {
  const names = Object.keys(tensors);
  const arrayOf = (name: string): HostArray => tensors[name] as HostArray;
  const long = new Set(options.i64);
  for (const name of long)
    if (tensors[name]?.dtype !== "i32")
      throw new DataError(
        `safetensors: got ${tensors[name]?.dtype ?? "no array"} for ${name}; expected i32, to be written as I64.`,
      );

  const offsets = new Map<string, readonly [begin: number, end: number]>();
  let dataBytes = 0;
  for (const width of [8, 4, 1])
    for (const name of names) {
      const { dtype, data } = arrayOf(name);
      if ((long.has(name) ? 8 : bytesOf(dtype)) !== width) continue;
      offsets.set(name, [dataBytes, dataBytes + data.length * width]);
      dataBytes += data.length * width;
    }

  // Pairs through Object.fromEntries, which makes even `__proto__` an ordinary name.
  const entries = names.map((name): [string, unknown] => {
    if (name === METADATA) throw new DataError(`safetensors: got an array named ${METADATA}; expected another name.`);
    const { dtype, shape } = arrayOf(name);
    return [name, { dtype: long.has(name) ? "I64" : WRITTEN_AS[dtype], shape, data_offsets: offsets.get(name) }];
  });
  const notes: [string, unknown][] = Object.keys(metadata).length > 0 ? [[METADATA, metadata]] : [];
  const header = new TextEncoder().encode(JSON.stringify(Object.fromEntries([...notes, ...entries])));
  const headerBytes = Math.ceil(header.length / 8) * 8;

  const bytes = new Uint8Array(8 + headerBytes + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes), true);
  bytes.fill(0x20, 8, 8 + headerBytes);
  bytes.set(header, 8);
  for (const [name, [begin]] of offsets)
    bytes.set((long.has(name) ? asI64 : littleEndian)(arrayOf(name)), 8 + headerBytes + begin);
  return bytes;
}

/** Typed arrays are little-endian on every processor that a JavaScript engine with WebAssembly runs on. */
function littleEndian({ dtype, data }: HostArray): Uint8Array {
  const exact = dtype === "f32" && data instanceof Float64Array ? Float32Array.from(data) : data;
  return new Uint8Array(exact.buffer, exact.byteOffset, exact.byteLength);
}

function asI64({ data }: HostArray): Uint8Array {
  return new Uint8Array(BigInt64Array.from(data as Int32Array, BigInt).buffer);
}
