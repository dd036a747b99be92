import type { DType } from "../core/dtype.ts";
import { halfToNumber } from "./half.ts";

/** How a file holds numbers, and what they become here. */
export type StoredType = { readonly bytes: 1 | 2 | 4 | 8; readonly dtype: DType; readonly read: Reader };
/** Element at a byte offset; undefined where the value has no place in `dtype`. */
type Reader = (view: DataView, offset: number) => number | undefined;

/** By the names of safetensors. */
export const STORED_TYPES: ReadonlyMap<string, StoredType> = new Map<string, StoredType>([
  ["F64", { bytes: 8, dtype: "f32", read: (view, at) => view.getFloat64(at, true) }],
  ["F32", { bytes: 4, dtype: "f32", read: (view, at) => view.getFloat32(at, true) }],
  ["F16", { bytes: 2, dtype: "f32", read: (view, at) => halfToNumber(view.getUint16(at, true)) }],
  ["BF16", { bytes: 2, dtype: "f32", read: (view, at) => bfloatToNumber(view.getUint16(at, true)) }],
  ["I64", { bytes: 8, dtype: "i32", read: (view, at) => asI32(Number(view.getBigInt64(at, true))) }],
  ["U64", { bytes: 8, dtype: "i32", read: (view, at) => asI32(Number(view.getBigUint64(at, true))) }],
  ["I32", { bytes: 4, dtype: "i32", read: (view, at) => view.getInt32(at, true) }],
  ["U32", { bytes: 4, dtype: "i32", read: (view, at) => asI32(view.getUint32(at, true)) }],
  ["I16", { bytes: 2, dtype: "i32", read: (view, at) => view.getInt16(at, true) }],
  ["U16", { bytes: 2, dtype: "i32", read: (view, at) => view.getUint16(at, true) }],
  ["I8", { bytes: 1, dtype: "i32", read: (view, at) => view.getInt8(at) }],
  ["U8", { bytes: 1, dtype: "u8", read: (view, at) => view.getUint8(at) }],
  ["BOOL", { bytes: 1, dtype: "bool", read: (view, at) => asBool(view.getUint8(at)) }],
]);

const asI32 = (value: number): number | undefined => ((value | 0) === value ? value : undefined);
const asBool = (value: number): number | undefined => (value <= 1 ? value : undefined);

const f32Word = new Float32Array(1);
const u32Word = new Uint32Array(f32Word.buffer);

/** bfloat16: the upper half of an f32. */
function bfloatToNumber(bits: number): number {
  u32Word[0] = bits << 16;
  return f32Word[0] as number;
}
