import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { DataError } from "../../core/errors.ts";
import type { PictureForm } from "../../data/picture-form.ts";
import { reasonOf } from "../file-store.ts";
import { cacheFor, digestOf, readCache, writeCache } from "./cache.ts";
import { type DecodedPicture, decodePixels } from "./decode.ts";
import type { FoundPicture } from "./find.ts";
import { decoderOf, loadSharp } from "./sharp.ts";

/** A picture with the digest of its file, or why there is none. */
export type ReadPicture = FoundPicture &
  (
    | { readonly digest: string; readonly picture: DecodedPicture; readonly reason?: undefined }
    | { readonly reason: string; readonly digest?: undefined; readonly picture?: undefined }
  );

export type ReadOptions = {
  /** The folder or list, by which the cache is named. */
  readonly source: string;
  readonly form: PictureForm;
  /** Default: the system's folder for caches. */
  readonly cacheDir?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
};

/**
 * Decodes pictures side by side, each content once, through the cache. What cannot be read or decoded has a reason. What was
 * decoded is kept when it is stopped.
 */
export async function readPictures(
  found: readonly FoundPicture[],
  options: ReadOptions,
): Promise<readonly ReadPicture[]> {
  const { source, form, signal, onProgress } = options;
  const sharp = await loadSharp();
  const cache = await cacheFor(source, form, decoderOf(sharp), options.cacheDir);
  const read: ({ readonly digest: string } | { readonly reason: string })[] = new Array(found.length);
  await sideBySide(found.length, signal, async (i) => {
    const { path } = found[i] as FoundPicture;
    read[i] = await readFile(path).then(
      (bytes) => (bytes.length === 0 ? { reason: "is empty" } : { digest: digestOf(bytes) }),
      (error: unknown) => ({ reason: `cannot be read: ${reasonOf(error)}` }),
    );
  });
  const first = new Map<string, FoundPicture>();
  read.forEach((each, i) => {
    if ("digest" in each && !first.has(each.digest)) first.set(each.digest, found[i] as FoundPicture);
  });

  const decoded = new Map<string, DecodedPicture>();
  await readCache(
    cache,
    (digest) => first.has(digest),
    (digest, picture) => decoded.set(digest, picture),
  );
  const missing = [...first].filter(([digest]) => !decoded.has(digest));
  const broken = new Map<string, string>();
  let done = 0;
  try {
    await sideBySide(missing.length, signal, async (i) => {
      const [digest, { path, name }] = missing[i] as [string, FoundPicture];
      try {
        decoded.set(digest, await decodePixels(await readFile(path), form, name));
      } catch (error) {
        broken.set(digest, reasonOf(error).replace(`picture: ${name} `, "").replace(/\.$/, ""));
      }
      done++;
      onProgress?.(done, missing.length);
    });
  } finally {
    // The cache is a convenience: where it cannot be written, the pictures are here all the same.
    if (missing.length > broken.size) await writeCache(cache, decoded).catch(() => undefined);
  }
  return found.map((each, i): ReadPicture => {
    const own = read[i] as { readonly digest: string } | { readonly reason: string };
    if (!("digest" in own)) return { ...each, reason: own.reason };
    const picture = decoded.get(own.digest);
    if (picture !== undefined) return { ...each, digest: own.digest, picture };
    return { ...each, reason: broken.get(own.digest) ?? "was not decoded" };
  });
}

/** Does `count` things, a few at a time. Throws the signal's reason when it is aborted, after those under way. */
export async function sideBySide(
  count: number,
  signal: AbortSignal | undefined,
  act: (i: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      signal?.throwIfAborted();
      await act(next++);
    }
  };
  const results = await Promise.allSettled(Array.from({ length: Math.min(count, 2 * availableParallelism()) }, worker));
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

/** Throws DataError where more pictures are broken than `share` of them, and more than a few. */
export function checkBroken(read: readonly ReadPicture[], share: number, source: string): void {
  const broken = read.filter(({ reason }) => reason !== undefined);
  if (broken.length === 0 || (broken.length < read.length && broken.length <= share * read.length)) return;
  const shown = broken.slice(0, 3).map(({ name, reason }) => `${name} ${reason}`);
  throw new DataError(
    `pictures: ${broken.length} of the ${read.length} pictures of ${source} cannot be used; expected at most ${Math.floor(share * read.length)}: ${shown.join("; ")}${broken.length > 3 ? " ..." : ""}. Hint: remove them, or allow more (--max-broken, \`maxBroken\`).`,
    source,
  );
}
