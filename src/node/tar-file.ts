import { createReadStream } from "node:fs";
import { basename, join } from "node:path";
import { DataError } from "../core/errors.ts";
import { type TarFile, TarReader } from "../io/tar.ts";
import { reasonOf, writeFileAtomic } from "./file-store.ts";

/** A file that an archive must have, and its exact size. */
export type Member = { readonly path: string; readonly bytes: number };

/**
 * These files of a `.tar.gz`, one after the other as the archive has them; the others are passed over, one file is in memory
 * at a time. Throws DataError naming the archive where it is damaged, hostile (see `TarReader`) or has not all of
 * them, each in its size.
 */
export async function* readTarGz(path: string, members: readonly Member[]): AsyncGenerator<TarFile> {
  const left = new Map(members.map((member) => [member.path, member.bytes]));
  const wanted = new Set(left.keys());
  const reader = new TarReader(path, {
    keep: (each) => wanted.has(each),
    maxBytes: Math.max(...members.map(({ bytes }) => bytes)),
  });
  const { createGunzip } = await import("node:zlib");
  const source = createReadStream(path);
  const gunzip = source.pipe(createGunzip({ chunkSize: 2 ** 18 }));
  source.on("error", (error) => gunzip.destroy(error));
  try {
    for await (const chunk of gunzip as AsyncIterable<Uint8Array>)
      for (const file of reader.push(chunk)) {
        const bytes = left.get(file.path);
        if (file.bytes.length !== bytes)
          throw new DataError(
            `archive: ${path} has ${file.path} of ${file.bytes.length} bytes; expected ${bytes}.`,
            path,
          );
        left.delete(file.path);
        yield file;
      }
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`archive: cannot read ${path}: ${reasonOf(error)}. The file may be damaged.`, path);
  } finally {
    source.destroy();
  }
  reader.end();
  if (left.size > 0) throw new DataError(`archive: ${path} has no ${[...left.keys()].join(", no ")}.`, path);
}

/**
 * Writes these files of a `.tar.gz` into a folder, each under its last name, whole or not at all. Nothing else is written: an
 * archive's paths choose no place. Throws DataError as `readTarGz` does.
 */
export async function extractTarGz(path: string, folder: string, members: readonly Member[]): Promise<void> {
  const names = new Map(members.map((member) => [member.path, join(folder, basename(member.path))]));
  for await (const file of readTarGz(path, members)) await writeFileAtomic(names.get(file.path) as string, file.bytes);
}
