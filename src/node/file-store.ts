import { existsSync, readdirSync, rmSync } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { DataError } from "../core/errors.ts";

/** `EACCES: permission denied, open '/x'` as "permission denied"; other errors by their message. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as NodeJS.ErrnoException).code;
  return code === undefined ? error.message : error.message.replace(`${code}: `, "").replace(/, \w+( '.*')?$/, "");
}

export function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === "ENOENT" || code === "ENOTDIR";
}

/** A sibling of `path`, hidden and unique, so that a rename stays inside one file system. */
function temporaryName(path: string): string {
  const random = Math.floor(Math.random() * 2 ** 32).toString(16);
  return join(dirname(path), `.${basename(path)}.${process.pid}-${random}.tmp`);
}

/**
 * Writes a whole file (given at once or in pieces) or nothing: to a temporary name beside it, flushed to the disk, then renamed over `path`. A reader
 * sees the old file or the new one. Makes missing folders. Throws DataError naming the file; nothing is left behind.
 */
export async function writeFileAtomic(
  path: string,
  content: Uint8Array | string | Iterable<Uint8Array>,
): Promise<void> {
  const temporary = temporaryName(path);
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(temporary, "wx");
    try {
      const pieces = typeof content === "string" || content instanceof Uint8Array ? [content] : content;
      for (const piece of pieces) await file.writeFile(piece);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new DataError(`write: cannot write ${path}: ${reasonOf(error)}.`, path);
  }
  await syncFolder(dirname(path));
}

/** Removes what a killed process left half-written in a folder that nobody else writes to. */
export function removeTemporary(folder: string): void {
  for (const name of existsSync(folder) ? readdirSync(folder) : [])
    if (/^\..*\.tmp$/.test(name)) rmSync(join(folder, name), { force: true });
}

/** Makes a rename itself durable, where the system lets folders be flushed (Windows does not). */
export async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, "r");
    await folder.sync().finally(() => folder.close());
  } catch {
    // The file is whole and in place; only its survival of a power cut in the next seconds is not promised.
  }
}

/**
 * Makes a folder that can be written to, and proves it by writing a file and removing it. For output folders, before
 * hours of work depend on them. Throws DataError naming the folder.
 */
export async function prepareFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
    const probe = temporaryName(join(path, "probe"));
    await open(probe, "wx").then((file) => file.close());
    await rm(probe);
  } catch (error) {
    throw new DataError(`folder: cannot write to ${path}: ${reasonOf(error)}.`, path);
  }
}

/** Names in a folder. Throws DataError when it is missing, no folder, or not readable. */
export async function listFolder(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    throw new DataError(`folder: cannot read ${path}: ${reasonOf(error)}.`, path);
  }
}

/** Size of a file in bytes, undefined where there is no such file. */
export async function fileSize(path: string): Promise<number | undefined> {
  try {
    const found = await stat(path);
    return found.isFile() ? found.size : undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw new DataError(`file: cannot read ${path}: ${reasonOf(error)}.`, path);
  }
}
