import { joinBytes } from "../core/bytes.ts";
import { DataError } from "../core/errors.ts";

/** A field as it lies in the bytes: `integer` of a varint, else a view of its bytes, which begin at byte `at` of the file. */
export type ProtobufField = {
  readonly number: number;
  readonly integer: bigint;
  readonly bytes: Uint8Array;
  readonly at: number;
};

const VARINT = 0;
const FIXED_64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED_32 = 5;
const NONE = new Uint8Array(0);

/** The fields of a message that begins at byte `offset` of the file `name`. Throws DataError naming both for bytes that are no message. */
export function* protobufFields(bytes: Uint8Array, name: string, offset = 0): Generator<ProtobufField> {
  let at = 0;
  const fail = (text: string): never => {
    throw new DataError(`protobuf: ${name} ${text}`, `${name}, byte ${offset + at}`);
  };
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at] ?? fail("ends inside a number.");
      at++;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    return fail("has a number of more than 10 bytes.");
  };
  const take = (length: bigint): { bytes: Uint8Array; at: number } => {
    if (length > BigInt(bytes.length - at)) fail(`has a field of ${length} bytes where ${bytes.length - at} are left.`);
    const start = at;
    at += Number(length);
    return { bytes: bytes.subarray(start, at), at: offset + start };
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = Number(tag >> 3n);
    const wire = Number(tag & 7n);
    if (wire === VARINT) yield { number, integer: varint(), bytes: NONE, at: offset + at };
    else if (wire === FIXED_64) yield { number, integer: 0n, ...take(8n) };
    else if (wire === FIXED_32) yield { number, integer: 0n, ...take(4n) };
    else if (wire === LENGTH_DELIMITED) yield { number, integer: 0n, ...take(varint()) };
    else fail(`has the wire type ${wire}; expected 0, 1, 2 or 5.`);
  }
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** A field's whole number, signed. Throws no error: one beyond 2^53 is rounded. */
export const integerOf = ({ integer }: ProtobufField): number => Number(BigInt.asIntN(64, integer));

export const textOf = ({ bytes }: ProtobufField): string => new TextDecoder().decode(bytes);

/** One number of 4 or 8 bytes, or a packed list of them; a rest of fewer bytes is left out. */
export function floatsOf({ bytes }: ProtobufField, width: 4 | 8): number[] {
  const view = viewOf(bytes);
  return Array.from({ length: Math.floor(bytes.length / width) }, (_, i) =>
    width === 4 ? view.getFloat32(i * 4, true) : view.getFloat64(i * 8, true),
  );
}

function varint(value: number): number[] {
  const out: number[] = [];
  if (value >= 0) {
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) out.push((rest % 0x80) | 0x80);
    return [...out, rest];
  }
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 0x80n; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
  return [...out, Number(rest)];
}

/** `field: value` of a whole number (int32, int64, bool, enum) up to 2^53. */
export function integerField(field: number, value: number): Uint8Array {
  return Uint8Array.from([...varint(field * 8 + VARINT), ...varint(value)]);
}

/** Bytes, a text, or a message: the fields inside it, one after the other. */
export function bytesField(field: number, ...parts: readonly (Uint8Array | string)[]): Uint8Array {
  return joinBytes(messageParts(field, ...parts));
}

/** `bytesField` as pieces to be joined: of large messages inside of messages nothing is copied until then. */
export function messageParts(field: number, ...parts: readonly (Uint8Array | string)[]): Uint8Array[] {
  const all = parts.map((part) => (typeof part === "string" ? new TextEncoder().encode(part) : part));
  const length = all.reduce((sum, part) => sum + part.length, 0);
  return [Uint8Array.from([...varint(field * 8 + LENGTH_DELIMITED), ...varint(length)]), ...all];
}

export function floatField(field: number, value: number): Uint8Array {
  const out = new Uint8Array(5);
  out[0] = field * 8 + FIXED_32;
  new DataView(out.buffer).setFloat32(1, value, true);
  return out;
}

export function doubleField(field: number, value: number): Uint8Array {
  const out = new Uint8Array(9);
  out[0] = field * 8 + FIXED_64;
  new DataView(out.buffer).setFloat64(1, value, true);
  return out;
}

/** A packed list. */
export function doublesField(field: number, values: ArrayLike<number>): Uint8Array {
  const out = new Uint8Array(8 * values.length);
  const view = new DataView(out.buffer);
  for (let i = 0; i < values.length; i++) view.setFloat64(8 * i, values[i] as number, true);
  return bytesField(field, out);
}
