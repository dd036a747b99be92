import { OptionError } from "../../core/errors.ts";
import { ownBytes, type RunFiles, type RunStorage, storageError } from "./run-files.ts";

const DATABASE = "downhill-runs";
const VERSION = 1;
/** Bytes by `[run, name]`. */
const FILES = "files";

/**
 * Runs in a database of the origin, a record for each file, a transaction for each write.
 *
 * Errors: OptionError where the browser has no IndexedDB or refuses it.
 */
export async function indexedDbStorage(): Promise<RunStorage> {
  const fail = (why: string): OptionError =>
    new OptionError(`storage: got "indexeddb" and ${why}; expected IndexedDB.`, "storage");
  if (globalThis.indexedDB === undefined) throw fail("a browser without it");
  let database: IDBDatabase;
  try {
    database = await openDatabase();
  } catch (error) {
    throw fail(`a browser that refuses it (${error instanceof Error ? error.message : String(error)})`);
  }
  return {
    kind: "indexeddb",
    async runs() {
      const keys = await done(files(database, "readonly").getAllKeys());
      return [...new Set(keys.map((key) => (key as [string, string])[0]))];
    },
    files: (run) => new DatabaseFiles(database, run),
  };
}

let opening: Promise<IDBDatabase> | undefined;

/** One connection for each page; opened again after another version of this library asked for it to be closed. */
function openDatabase(): Promise<IDBDatabase> {
  opening ??= (async () => {
    const request = indexedDB.open(DATABASE, VERSION);
    request.onupgradeneeded = () => request.result.createObjectStore(FILES);
    const database = await done(request);
    const forget = (): void => {
      opening = undefined;
    };
    database.onclose = forget;
    database.onversionchange = () => {
      database.close();
      forget();
    };
    return database;
  })();
  opening.catch(() => {
    opening = undefined;
  });
  return opening;
}

class DatabaseFiles implements RunFiles {
  private readonly database: IDBDatabase;
  private readonly run: string;

  constructor(database: IDBDatabase, run: string) {
    this.database = database;
    this.run = run;
  }

  async list(): Promise<readonly string[]> {
    const keys = await this.attempt("list", undefined, (store) => store.getAllKeys(this.all()));
    return (keys as [string, string][]).map(([, name]) => name);
  }

  async read(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.attempt("read", name, (store) => store.get([this.run, name]));
  }

  async write(name: string, bytes: Uint8Array): Promise<void> {
    await this.attempt("write", name, (store) => store.put(ownBytes(bytes), [this.run, name]), "readwrite");
  }

  async remove(name: string): Promise<void> {
    await this.attempt("remove", name, (store) => store.delete([this.run, name]), "readwrite");
  }

  async removeAll(): Promise<void> {
    await this.attempt("remove", undefined, (store) => store.delete(this.all()), "readwrite");
  }

  /** A transaction leaves nothing. */
  async sweep(): Promise<void> {}

  private all(): IDBKeyRange {
    // An array sorts after every string.
    return IDBKeyRange.bound([this.run], [this.run, []]);
  }

  private async attempt<T>(
    doing: string,
    name: string | undefined,
    act: (store: IDBObjectStore) => IDBRequest<T>,
    mode: IDBTransactionMode = "readonly",
  ): Promise<T> {
    try {
      const store = files(this.database, mode);
      const request = act(store);
      await committed(store.transaction);
      return request.result;
    } catch (error) {
      throw await storageError(doing, `indexeddb:${this.run}${name === undefined ? "" : `/${name}`}`, error);
    }
  }
}

/** `strict`: a write is done when it is on the disk, not when the operating system has it. */
function files(database: IDBDatabase, mode: IDBTransactionMode): IDBObjectStore {
  return database.transaction(FILES, mode, { durability: "strict" }).objectStore(FILES);
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function committed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error("the browser aborted the transaction"));
  });
}
