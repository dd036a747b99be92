import { DataError } from "../../core/errors.ts";

/** `"opfs"`: the origin's private file system; `"indexeddb"`: a database. */
export type StorageKind = "opfs" | "indexeddb";

/** The files of one run, by names without a folder. */
export interface RunFiles {
  list(): Promise<readonly string[]>;
  /** Undefined where there is none. */
  read(name: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Wholly or not at all, also where the page dies meanwhile: until it resolves, what was there before is there. */
  write(name: string, bytes: Uint8Array): Promise<void>;
  remove(name: string): Promise<void>;
  removeAll(): Promise<void>;
  /** Removes what a page or browser that died left of its writes. Only for who holds the run's lock. */
  sweep(): Promise<void>;
}

/** One place of a browser that holds the files of runs. */
export interface RunStorage {
  readonly kind: StorageKind;
  /** Names of the runs that have files. */
  runs(): Promise<readonly string[]>;
  files(run: string): RunFiles;
}

/** Names the run and the file, and says what to do where there is no room. */
export async function storageError(doing: string, where: string, cause: unknown): Promise<DataError> {
  if (cause instanceof DataError) return cause;
  const reason = cause instanceof Error ? cause.message || cause.name : String(cause);
  if ((cause as { name?: unknown } | null)?.name !== "QuotaExceededError")
    return new DataError(`run: cannot ${doing} ${where}: ${reason}.`, where);
  // The quota that an estimate gives is made up in some browsers, so as not to tell of the disk.
  const { usage } = await navigator.storage.estimate().catch((): StorageEstimate => ({}));
  const used = usage === undefined ? "" : `; this origin uses ${(usage / 2 ** 20).toFixed(1)} MiB`;
  return new DataError(
    `run: cannot ${doing} ${where}: the browser gives no more room${used}. ` +
      "What was written before is kept. Hint: remove other runs, keep fewer checkpoints (`checkpoint: { last: 1, best: 0 }`), or ask for more with navigator.storage.persist().",
    where,
  );
}

/** The bytes in a buffer of their own, which is not shared: all of a view's buffer would be stored with it. */
export function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = bytes;
  return buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength
    ? (bytes as Uint8Array<ArrayBuffer>)
    : new Uint8Array(bytes);
}
