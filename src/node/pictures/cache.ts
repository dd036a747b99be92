import { createHash } from "node:crypto";
import { open, readdir, realpath, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { crc32 } from "node:zlib";
import type { PictureForm } from "../../data/picture-form.ts";
import { cacheDir } from "../cache-dir.ts";
import { writeFileAtomic } from "../file-store.ts";
import type { DecodedPicture } from "./decode.ts";

/** Of how many forms a folder's pictures are kept. */
const KEPT = 3;
const DIGEST_BYTES = 32;
/** Digest, width, height, flags and format, checksum. */
const HEAD_BYTES = DIGEST_BYTES + 4 + 4 + 4 + 4;
const FORMATS = ["jpeg", "png", "webp", "gif", "heif", "tiff", "svg"];

/** Decoded pictures of one folder in one form: a line that says which, then records of one size, each with its file's digest. */
export type PictureCache = { readonly file: string; readonly header: string; readonly recordBytes: number };

/** The digest of a file's content, by which its picture is found. */
export const digestOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** The cache of a folder's (or a list's) pictures in a form, as a decoder makes them. */
export async function cacheFor(
  source: string,
  form: PictureForm,
  decoder: string,
  folder: string = cacheDir(),
): Promise<PictureCache> {
  const { height, width, fit, background } = form;
  const header = `${JSON.stringify({ format: "downhill.pictures.1", decoder, height, width, fit, background })}\n`;
  const real = await realpath(source);
  const short = (text: string): string => digestOf(new TextEncoder().encode(text)).slice(0, 12);
  const own = `${basename(real).replaceAll(/[^\w.-]+/g, "-")}-${short(real)}`;
  return {
    file: join(folder, "pictures", own, `${height}x${width}-${short(header)}.bin`),
    header,
    recordBytes: HEAD_BYTES + 3 * height * width,
  };
}

/**
 * Hands out the pictures that are kept, of those whose digests `wanted` knows. A cache that is not there, of another form or damaged gives
 * fewer: what is missing is decoded again.
 */
export async function readCache(
  { file, header, recordBytes }: PictureCache,
  wanted: (digest: string) => boolean,
  take: (digest: string, picture: DecodedPicture) => void,
): Promise<void> {
  const handle = await open(file, "r").catch(() => undefined);
  if (handle === undefined) return;
  try {
    const start = Buffer.alloc(Buffer.byteLength(header));
    await handle.read(start, 0, start.length, 0);
    if (start.toString() !== header) return;
    const perRead = Math.max(1, Math.floor((8 << 20) / recordBytes));
    const buffer = Buffer.alloc(perRead * recordBytes);
    let at = start.length;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
      const records = Math.floor(bytesRead / recordBytes);
      for (let i = 0; i < records; i++) {
        const record = buffer.subarray(i * recordBytes, (i + 1) * recordBytes);
        const digest = record.toString("hex", 0, DIGEST_BYTES);
        if (!wanted(digest)) continue;
        const picture = decodeRecord(record);
        if (picture !== undefined) take(digest, picture);
      }
      if (records < perRead) return;
      at += records * recordBytes;
    }
  } finally {
    await handle.close();
  }
}

/** Replaces a cache by these pictures, and forgets the oldest forms of the same folder. */
export async function writeCache(
  cache: PictureCache,
  pictures: Iterable<readonly [digest: string, picture: DecodedPicture]>,
): Promise<void> {
  function* pieces(): Generator<Uint8Array> {
    yield Buffer.from(cache.header);
    for (const [digest, picture] of pictures) yield encodeRecord(digest, picture, cache.recordBytes);
  }
  await writeFileAtomic(cache.file, pieces());
  const folder = join(cache.file, "..");
  const dated = await Promise.all(
    (await readdir(folder)).map(async (name) => ({ name, time: (await stat(join(folder, name))).mtimeMs })),
  );
  for (const { name } of dated.sort((a, b) => b.time - a.time).slice(KEPT))
    await rm(join(folder, name), { force: true });
}

function encodeRecord(digest: string, picture: DecodedPicture, recordBytes: number): Buffer {
  const { width, height, format, alpha, deep, rotated, pixels } = picture;
  const record = Buffer.alloc(recordBytes);
  record.write(digest, 0, "hex");
  record.writeUInt32LE(width, DIGEST_BYTES);
  record.writeUInt32LE(height, DIGEST_BYTES + 4);
  record.writeUInt8(Number(alpha) | (Number(deep) << 1) | (Number(rotated) << 2), DIGEST_BYTES + 8);
  record.writeUInt8(FORMATS.indexOf(format) + 1, DIGEST_BYTES + 9);
  record.set(pixels, HEAD_BYTES);
  record.writeUInt32LE(checksumOf(record), HEAD_BYTES - 4);
  return record;
}

const checksumOf = (record: Buffer): number =>
  crc32(record.subarray(HEAD_BYTES), crc32(record.subarray(0, HEAD_BYTES - 4)));

function decodeRecord(record: Buffer): DecodedPicture | undefined {
  if (record.readUInt32LE(HEAD_BYTES - 4) !== checksumOf(record)) return undefined;
  const flags = record.readUInt8(DIGEST_BYTES + 8);
  return {
    width: record.readUInt32LE(DIGEST_BYTES),
    height: record.readUInt32LE(DIGEST_BYTES + 4),
    format: FORMATS[record.readUInt8(DIGEST_BYTES + 9) - 1] ?? "unknown",
    alpha: (flags & 1) > 0,
    deep: (flags & 2) > 0,
    rotated: (flags & 4) > 0,
    // A copy: the buffer is read into again, and slices of a Buffer are views.
    pixels: new Uint8Array(record.subarray(HEAD_BYTES)),
  };
}
