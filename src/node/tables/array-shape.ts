import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { constants, inflateRawSync } from "node:zlib";
import { inputsAmong } from "./arrays.ts";

/** NumPy's longest header, and what stands before it. */
const HEADER_BYTES = 10_012;
/** The end of a zip file's directory, without and with the longest comment. */
const [END_BYTES, MAX_END_BYTES] = [22, 22 + 0xffff];
const MAX_DIRECTORY_BYTES = 2 ** 20;

/**
 * The shape of the inputs in a `.npy` or `.npz` file, read from their header alone. Undefined where there is none to be found:
 * who reads the whole file says what is wrong with it.
 */
export function inputsShape(path: string): readonly number[] | undefined {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return undefined;
  }
  try {
    const { size } = fstatSync(file);
    const read = (from: number, bytes: number): Buffer => {
      const start = Math.max(0, Math.min(from, size));
      const into = Buffer.alloc(Math.min(bytes, size - start));
      return into.subarray(0, readSync(file, into, 0, into.length, start));
    };
    const header = /\.npy$/i.test(path) ? read(0, HEADER_BYTES) : entryStart(read, size);
    return header === undefined ? undefined : shapeIn(header);
  } catch {
    return undefined;
  } finally {
    closeSync(file);
  }
}

type Read = (from: number, bytes: number) => Buffer;

/** The first bytes of a zip file's entry with the inputs. */
function entryStart(read: Read, size: number): Buffer | undefined {
  const tail = read(size - MAX_END_BYTES, MAX_END_BYTES);
  const end = tail.lastIndexOf("PK\x05\x06", tail.length - END_BYTES, "latin1");
  if (end < 0) return undefined;
  const directory = read(tail.readUInt32LE(end + 16), Math.min(tail.readUInt32LE(end + 12), MAX_DIRECTORY_BYTES));
  const entries = new Map<string, { readonly at: number; readonly isDeflated: boolean }>();
  for (let at = 0; at + 46 <= directory.length; ) {
    const nameBytes = directory.readUInt16LE(at + 28);
    const name = directory.toString("utf8", at + 46, at + 46 + nameBytes).replace(/\.npy$/, "");
    entries.set(name, { at: directory.readUInt32LE(at + 42), isDeflated: directory.readUInt16LE(at + 10) === 8 });
    at += 46 + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  const entry = entries.get(inputsAmong([...entries.keys()]) ?? "");
  if (entry === undefined) return undefined;
  const local = read(entry.at, 30);
  const start = entry.at + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
  const bytes = read(start, HEADER_BYTES);
  return entry.isDeflated ? inflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }) : bytes;
}

function shapeIn(header: Buffer): readonly number[] | undefined {
  const listed = /'shape':\s*\(([\d,\s]*)\)/.exec(header.toString("latin1", 0, HEADER_BYTES))?.[1];
  return listed
    ?.split(",")
    .filter((text) => text.trim() !== "")
    .map(Number);
}
