import { joinBytes } from "../core/bytes.ts";
import { DataError } from "../core/errors.ts";
import { crc32 } from "./crc.ts";

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END_BYTES = 22;
const STORED = 0;
const DEFLATED = 8;
/** What deflate can make of a byte at most: a claim of more is a lie. */
const MAX_RATIO = 1032;

/** What a kind of archive is called in errors, and what it may hold. */
export type ZipForm = {
  /** Stands before errors. */
  readonly format: string;
  /** What it holds, as in "1 arrays". */
  readonly what: string;
  readonly maxEntries: number;
  /** As an error says what was expected, such as ".npz". */
  readonly said: string;
  /** How all names must end. Default: any way. */
  readonly only?: string;
};

export type ZipEntry = {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly size: number;
  readonly inflated: number;
  /** Of its local header. */
  readonly at: number;
};

/**
 * The entries of a zip file, stored or deflated, in the directory's order.
 *
 * The file is taken as hostile: directory and local headers are held against each other and the file's length, sizes against
 * what deflate can give. Throws DataError naming `name` and the byte, also for zip64, encryption and other compressions.
 */
export function zipEntries(file: Uint8Array, name: string, form: ZipForm): ZipEntry[] {
  const { format, only } = form;
  const fail = (text: string, at: number): never => {
    throw new DataError(`${format}: ${name} ${text}`, `${name}, byte ${at}`);
  };
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  // A comment of up to 64 KiB may stand after the end record.
  let end = file.length - END_BYTES;
  const lowest = Math.max(0, end - 0xffff);
  while (end >= lowest && view.getUint32(end, true) !== END) end--;
  if (end < lowest)
    fail(
      `has no end of a zip directory; expected a ${form.said} file. Is it truncated?`,
      Math.max(0, file.length - END_BYTES),
    );
  const count = view.getUint16(end + 10, true);
  const directoryBytes = view.getUint32(end + 12, true);
  const start = view.getUint32(end + 16, true);
  if (count === 0xffff || start === 0xffffffff) fail("is a zip64 file; expected one below 4 GiB.", end);
  if (count > form.maxEntries) fail(`claims ${count} ${form.what}; expected at most ${form.maxEntries}.`, end + 10);
  if (start + directoryBytes > end) fail("has a zip directory that reaches past its end.", end + 12);
  const entries: ZipEntry[] = [];
  const names = new Set<string>();
  let at = start;
  for (let i = 0; i < count; i++) {
    if (at + 46 > end || view.getUint32(at, true) !== CENTRAL)
      fail(`has no entry ${i} where its zip directory says.`, at);
    const flags = view.getUint16(at + 8, true);
    const method = view.getUint16(at + 10, true);
    const size = view.getUint32(at + 20, true);
    const inflated = view.getUint32(at + 24, true);
    const [nameBytes, extra, comment] = [28, 30, 32].map((place) => view.getUint16(at + place, true)) as [
      number,
      number,
      number,
    ];
    if (at + 46 + nameBytes + extra + comment > end) fail(`has an entry ${i} that reaches past the zip directory.`, at);
    const entry = new TextDecoder().decode(file.slice(at + 46, at + 46 + nameBytes));
    if (flags & 1) fail(`has the encrypted entry ${show(entry)}; expected it plain.`, at + 8);
    if (method !== STORED && method !== DEFLATED)
      fail(`has compression ${method} in ${show(entry)}; expected 0 (stored) or 8 (deflate).`, at + 10);
    if (only !== undefined && !entry.endsWith(only))
      fail(`has the entry ${show(entry)}; expected ${only} files alone.`, at + 46);
    if (names.has(entry)) fail(`has the entry ${show(entry)} twice.`, at + 46);
    if (method === STORED ? inflated !== size : inflated > size * MAX_RATIO)
      fail(`claims ${inflated} bytes for ${show(entry)} out of ${size}; that cannot be.`, at + 24);
    names.add(entry);
    entries.push({
      name: entry,
      method,
      crc: view.getUint32(at + 16, true),
      size,
      inflated,
      at: view.getUint32(at + 42, true),
    });
    at += 46 + nameBytes + extra + comment;
  }
  // Two entries over the same bytes would give more than the file holds.
  const placed = [...entries].sort((a, b) => a.at - b.at);
  for (const [i, entry] of placed.entries()) {
    const next = placed[i + 1]?.at ?? start;
    if (entry.at + 30 + entry.size > next) fail(`has entries that overlap at ${show(entry.name)}.`, entry.at);
  }
  return entries;
}

/** An entry's bytes, a copy of the file's. Throws DataError where they are damaged or their CRC-32 does not fit. */
export async function zipContent(
  file: Uint8Array,
  entry: ZipEntry,
  name: string,
  { format }: ZipForm,
): Promise<Uint8Array> {
  const fail = (text: string): never => {
    throw new DataError(`${format}: ${name}, ${show(entry.name)} ${text}`, `${name}, byte ${entry.at}`);
  };
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (view.getUint32(entry.at, true) !== LOCAL) fail("does not begin where the zip directory says.");
  const start = entry.at + 30 + view.getUint16(entry.at + 26, true) + view.getUint16(entry.at + 28, true);
  if (view.getUint16(entry.at + 8, true) !== entry.method || start + entry.size > file.length)
    fail("has a local header that says otherwise than the zip directory.");
  const stored = file.subarray(start, start + entry.size);
  const bytes = entry.method === STORED ? stored.slice() : await inflate(stored, entry.inflated, fail);
  if (crc32(bytes) !== entry.crc) fail("is damaged: its CRC-32 does not fit.");
  return bytes;
}

/** Deflate's inverse, by the platform, stopped where it gives more than was claimed. */
async function inflate(bytes: Uint8Array, size: number, fail: (text: string) => never): Promise<Uint8Array> {
  const stream = new DecompressionStream("deflate-raw");
  const writer = stream.writable.getWriter();
  // What goes wrong shows when reading.
  const written = writer
    .write(bytes.slice())
    .then(() => writer.close())
    .catch(() => undefined);
  const reader = stream.readable.getReader();
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      length += part.value.length;
      if (length > size) break;
      parts.push(part.value);
    }
  } catch {
    length = -1;
  }
  if (length !== size) {
    await reader.cancel().catch(() => undefined);
    await written;
    return fail(
      length < 0 ? "has damaged compressed bytes." : `does not inflate to the ${size} bytes that are claimed.`,
    );
  }
  await written;
  return joinBytes(parts);
}

const show = (name: string): string => JSON.stringify(name.length <= 60 ? name : `${name.slice(0, 57)}...`);

/** The extra field that fills a local header up, as in PyTorch's files. */
const FILLER = 0x4246;

/** Files by name as a zip file, stored. With `align` each one's bytes begin at a multiple of it, after an extra field. */
export function encodeZip(
  files: readonly (readonly [name: string, bytes: Uint8Array])[],
  align = 1,
): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const [name, bytes] of files) {
    const text = new TextEncoder().encode(name);
    const crc = crc32(bytes);
    const common = (view: DataView, place: number): void => {
      view.setUint16(place, 20, true);
      // Names are UTF-8.
      view.setUint16(place + 2, 0x800, true);
      view.setUint32(place + 10, crc, true);
      view.setUint32(place + 14, bytes.length, true);
      view.setUint32(place + 18, bytes.length, true);
      view.setUint16(place + 22, text.length, true);
    };
    const bare = 30 + text.length;
    const extra = (at + bare) % align === 0 ? 0 : 4 + ((align - ((at + bare + 4) % align)) % align);
    const local = new Uint8Array(bare + extra);
    const localView = new DataView(local.buffer);
    localView.setUint32(0, LOCAL, true);
    common(localView, 4);
    localView.setUint16(28, extra, true);
    local.set(text, 30);
    if (extra > 0) {
      localView.setUint16(bare, FILLER, true);
      localView.setUint16(bare + 2, extra - 4, true);
    }
    const central = new Uint8Array(46 + text.length);
    const centralView = new DataView(central.buffer);
    centralView.setUint32(0, CENTRAL, true);
    common(centralView, 6);
    centralView.setUint32(42, at, true);
    central.set(text, 46);
    parts.push(local, bytes);
    directory.push(central);
    at += local.length + bytes.length;
  }
  const end = new Uint8Array(END_BYTES);
  const endView = new DataView(end.buffer);
  endView.setUint32(0, END, true);
  endView.setUint16(8, directory.length, true);
  endView.setUint16(10, directory.length, true);
  endView.setUint32(
    12,
    directory.reduce((sum, { length }) => sum + length, 0),
    true,
  );
  endView.setUint32(16, at, true);
  return joinBytes([...parts, ...directory, end]);
}
