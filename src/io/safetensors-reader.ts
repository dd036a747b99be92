import { DataError } from "../core/errors.ts";
import { HostArray, newData } from "../core/host-array.ts";
import { claimedBytes } from "./claimed-bytes.ts";
import { METADATA } from "./safetensors-writer.ts";
import { STORED_TYPES, type StoredType } from "./stored-types.ts";

/** Named arrays and notes, as a safetensors file holds them. */
export type Safetensors = {
  readonly tensors: Readonly<Record<string, HostArray>>;
  readonly metadata: Readonly<Record<string, string>>;
};

export type DecodeSafetensorsOptions = {
  /** Default 32 MiB. The reference reads up to 100 MB; JSON of that size, once parsed, can exhaust the heap. */
  readonly maxHeaderBytes?: number;
};

const MAX_HEADER_BYTES = 32 * 2 ** 20;
/** As in PyTorch. */
const MAX_RANK = 64;

type Entry = {
  readonly name: string;
  readonly type: StoredType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
};

/**
 * The arrays and notes of a safetensors file. F32, I32, U8 and BOOL are read as they are; F64, F16 and BF16 become f32;
 * I64, U64, U32, I16, U16 and I8 become i32, refused where a value does not fit. Arrays are copies, not views of `file`.
 *
 * The file is taken as hostile: the header's size, names, types, shapes and offsets are checked (in range, no overlap, no
 * gap) before anything is allocated for them. Throws DataError naming `name` and the array or offset.
 */
export function decodeSafetensors(
  file: Uint8Array,
  name = "safetensors",
  options: DecodeSafetensorsOptions = {},
): Safetensors {
  // A plain view: of a Node Buffer, slice() would not copy.
  const bytes = new Uint8Array(file.buffer, file.byteOffset, file.byteLength);
  const { header, text, dataStart } = readHeader(bytes, name, options.maxHeaderBytes ?? MAX_HEADER_BYTES);
  // Looked for only here: a header may have very many names.
  const fail: Fail = (key, what) => {
    const place = 8 + offsetIn(text, JSON.stringify(key));
    throw new DataError(`safetensors: ${name}, ${shorten(key)} ${what}`, `${name}, ${shorten(key)}, byte ${place}`);
  };
  const entries: Entry[] = [];
  let metadata: Readonly<Record<string, string>> = {};
  for (const [key, value] of Object.entries(header)) {
    if (key === METADATA) metadata = readMetadata(value, fail);
    else entries.push(readEntry(key, value, fail));
  }
  checkLayout(entries, bytes.length - dataStart, name, fail);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tensors = Object.fromEntries(
    entries.map((entry): [string, HostArray] => [entry.name, readArray(entry, bytes, view, dataStart, name)]),
  );
  return { tensors, metadata };
}

/** Throws, naming the entry of the header and its place. */
type Fail = (key: string, what: string) => never;

function readHeader(bytes: Uint8Array, name: string, maxHeaderBytes: number) {
  const fail = (text: string, at: number): never => {
    throw new DataError(`safetensors: ${name} ${text}`, `${name}, byte ${at}`);
  };
  if (bytes.length < 8)
    fail(`has ${bytes.length} bytes; expected at least the 8 of the header's length. The file is truncated.`, 0);
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes))
    fail(`claims a header of ${length} bytes; expected at most ${maxHeaderBytes}. Is it a safetensors file?`, 0);
  const dataStart = 8 + Number(length);
  if (dataStart > bytes.length)
    fail(
      `has ${bytes.length} bytes; expected at least ${dataStart} for its header. The file is truncated.`,
      bytes.length,
    );
  const text = bytes.slice(8, dataStart);
  if (text[0] !== 0x7b) fail("has a header that does not begin with {; expected a JSON object.", 8);
  const tooDeep = firstTooDeep(text);
  if (tooDeep !== undefined) fail("has a header nested more than 3 levels deep; expected at most 3.", 8 + tooDeep);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(text));
  } catch (error) {
    fail(`has a header that is not JSON: ${error instanceof Error ? error.message : String(error)}.`, 8);
  }
  return { header: header as Readonly<Record<string, unknown>>, text, dataStart };
}

/** Offset of the first bracket past depth 3: `{"name":{"shape":[` is all the format nests, and a parser pays for each level. */
function firstTooDeep(text: Uint8Array): number | undefined {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const byte = text[i];
    if (inString) {
      if (byte === 0x5c) i++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > 3) return i;
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return undefined;
}

/** Where a text first stands among bytes; 0 where it is written otherwise, with escapes. */
function offsetIn(bytes: Uint8Array, text: string): number {
  const wanted = new TextEncoder().encode(text);
  for (let at = bytes.indexOf(wanted[0] as number); at >= 0; at = bytes.indexOf(wanted[0] as number, at + 1))
    if (wanted.every((byte, i) => bytes[at + i] === byte)) return at;
  return 0;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** A part of a hostile header as an error quotes it. */
function shorten(value: unknown): string {
  const text = JSON.stringify(value) ?? "missing";
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`;
}

function readMetadata(value: unknown, fail: Fail): Readonly<Record<string, string>> {
  if (!isRecord(value) || Object.values(value).some((note) => typeof note !== "string"))
    return fail(METADATA, "is not an object of strings.");
  return value as Readonly<Record<string, string>>;
}

function readEntry(key: string, value: unknown, fail: Fail): Entry {
  if (!isRecord(value)) return fail(key, "is not an object; expected dtype, shape and data_offsets.");
  const { dtype, shape, data_offsets: offsets } = value;
  const type = typeof dtype === "string" ? STORED_TYPES.get(dtype) : undefined;
  if (type === undefined)
    return fail(key, `has dtype ${shorten(dtype)}; expected one of ${[...STORED_TYPES.keys()].join(", ")}.`);
  if (!Array.isArray(shape) || shape.length > MAX_RANK || !shape.every(isSize))
    return fail(key, `has shape ${shorten(shape)}; expected at most ${MAX_RANK} sizes, each >= 0.`);
  const [begin, end] = Array.isArray(offsets) && offsets.length === 2 ? (offsets as unknown[]) : [];
  if (!isSize(begin) || !isSize(end) || end < begin)
    return fail(key, `has data_offsets ${shorten(offsets)}; expected [begin, end] with begin <= end.`);
  const claimed = claimedBytes(shape, type.bytes);
  if (claimed !== end - begin)
    return fail(
      key,
      `has data_offsets of ${end - begin} bytes; expected ${claimed ?? "more than 2^53"} for ${String(dtype)}[${shape}].`,
    );
  return { name: key, type, shape, begin, end };
}

/** The format leaves no gap and no overlap: in order of their offsets, arrays cover the data exactly. */
function checkLayout(entries: readonly Entry[], dataBytes: number, name: string, fail: Fail): void {
  let covered = 0;
  for (const entry of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (entry.end > dataBytes)
      fail(entry.name, `ends at byte ${entry.end} of the data; expected at most ${dataBytes}. The file is truncated.`);
    if (entry.begin !== covered)
      fail(
        entry.name,
        `begins at byte ${entry.begin} of the data; expected ${covered}. Arrays must not overlap or leave gaps.`,
      );
    covered = entry.end;
  }
  if (covered !== dataBytes)
    throw new DataError(
      `safetensors: ${name} has ${dataBytes} bytes of data; expected ${covered}. The file is longer than its header says.`,
      `${name}, byte ${covered} of the data`,
    );
}

function readArray(entry: Entry, bytes: Uint8Array, view: DataView, dataStart: number, name: string): HostArray {
  const { type, shape } = entry;
  const begin = dataStart + entry.begin;
  const end = dataStart + entry.end;
  if (type === STORED_TYPES.get("U8")) return new HostArray("u8", shape, bytes.slice(begin, end));
  if (type === STORED_TYPES.get("F32")) {
    const copy = new Float32Array((end - begin) / 4);
    new Uint8Array(copy.buffer).set(bytes.subarray(begin, end));
    return new HostArray("f32", shape, copy);
  }
  const length = (end - begin) / type.bytes;
  const data = newData(type.dtype, length);
  for (let i = 0; i < length; i++) {
    const value = type.read(view, begin + i * type.bytes);
    if (value === undefined)
      throw new DataError(
        `safetensors: ${name}, ${shorten(entry.name)} has a value at index ${i} that ${type.dtype} cannot hold.`,
        `${name}, byte ${begin + i * type.bytes}`,
      );
    data[i] = value;
  }
  return new HostArray(type.dtype, shape, data);
}
