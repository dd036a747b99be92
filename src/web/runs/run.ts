import { DataError, OptionError } from "../../core/errors.ts";
import { decodeEventLog } from "../../train/event-log.ts";
import type { TrainEvent } from "../../train/events.ts";
import { MODEL_FILE } from "../../train/load.ts";
import type { CheckpointStore, RunSink } from "../../train/run-sink.ts";
import { EventLog, isLogFile } from "./event-log.ts";
import { indexedDbStorage } from "./indexed-db.ts";
import { opfsStorage } from "./opfs.ts";
import type { RunFiles, RunStorage, StorageKind } from "./run-files.ts";
import { lockRun } from "./run-lock.ts";

export type OpenRunOptions = {
  /**
   * Where the run is kept. `"indexeddb"` is a database, which says that a checkpoint is written when it is on the disk;
   * `"opfs"` is the origin's private file system, for secure contexts only. Default `"auto"`: where a run of this name is,
   * else `"indexeddb"`.
   */
  readonly storage?: StorageKind | "auto";
};

/** A training that is kept in the browser. */
export interface WebRun {
  readonly name: string;
  readonly storage: StorageKind;
  /** For `fit`: a run that was there before goes on from its newest good checkpoint. */
  readonly sink: RunSink;
  readonly checkpoints: CheckpointStore;
  /** What was recorded so far, also by another page. Numbers that are not finite read as null. */
  events(): Promise<TrainEvent[]>;
  /** The trained model's file for `load`; undefined before the first epoch has ended. */
  model(): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Deletes all of it. Throws OptionError while it is being trained. */
  remove(): Promise<void>;
}

/**
 * A run that outlives the page, in the storage of the page's origin: its events, its model and its checkpoints.
 *
 * While `fit` trains with its sink, a Web Lock keeps other pages from doing so; it goes with the page. Files are written
 * wholly or not at all, so that a page may die at any moment.
 *
 * Errors: OptionError for a name that no folder can have, and where the browser lacks the storage; OptionError from `fit`
 * where another page trains the run or the context is not secure; DataError where the storage is full: what was written
 * before is kept.
 *
 * @example
 * const { sink } = await openRun("digits");
 * const run = await fit(model, { ...options, sink }); // after a reload: goes on where it was
 */
export async function openRun(name: string, options: OpenRunOptions = {}): Promise<WebRun> {
  const { storage = "auto" } = options;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: no name holds them
  if (name.length > 100 || /^\.{0,2}$|[/\\\u0000-\u001f]/.test(name))
    throw new OptionError(
      `openRun: got the name ${JSON.stringify(name)}; expected 1 to 100 characters without / and \\.`,
      "name",
    );
  return new StoredRun(name, await storageFor(name, storage));
}

/** The runs of this origin, in all storages of the browser. */
export async function listRuns(): Promise<{ readonly name: string; readonly storage: StorageKind }[]> {
  const found: { name: string; storage: StorageKind }[] = [];
  for (const storage of await storages()) {
    const { kind } = storage;
    for (const name of await storage.runs()) found.push({ name, storage: kind });
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

async function storageFor(name: string, wanted: StorageKind | "auto"): Promise<RunStorage> {
  if (wanted === "opfs") return opfsStorage();
  if (wanted === "indexeddb") return indexedDbStorage();
  if (wanted !== "auto")
    throw new OptionError(
      `openRun: got storage ${JSON.stringify(wanted)}; expected "opfs", "indexeddb" or "auto".`,
      "storage",
    );
  const usable = await storages();
  for (const storage of usable) if ((await storage.runs()).includes(name)) return storage;
  // Says what is wrong with it.
  return usable[0] ?? indexedDbStorage();
}

/** Those that this browser has, the preferred one first. */
async function storages(): Promise<RunStorage[]> {
  const made = await Promise.allSettled([indexedDbStorage(), opfsStorage()]);
  return made.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
}

class StoredRun implements WebRun {
  readonly name: string;
  readonly storage: StorageKind;
  readonly sink: WebRunSink;
  readonly checkpoints: CheckpointStore;
  private readonly files: RunFiles;
  private readonly place: string;

  constructor(name: string, storage: RunStorage) {
    this.name = name;
    this.storage = storage.kind;
    this.files = storage.files(name);
    this.place = `${storage.kind}:${name}`;
    this.checkpoints = checkpointsIn(this.files, this.place);
    this.sink = new WebRunSink(this.files, this.checkpoints, this.place);
  }

  async events(): Promise<TrainEvent[]> {
    await this.sink.settled();
    const lines = await new EventLog(this.files).read();
    const text = lines.map((line) => `${line}\n`).join("");
    return [...decodeEventLog(new TextEncoder().encode(text), this.place).events];
  }

  model(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.files.read(MODEL_FILE);
  }

  async remove(): Promise<void> {
    await this.sink.settled();
    const release = await lockRun(this.place);
    try {
      await this.files.removeAll();
    } finally {
      release();
    }
  }
}

/** All files that are neither the log's nor the model. */
function checkpointsIn(files: RunFiles, place: string): CheckpointStore {
  return {
    list: async () => (await files.list()).filter((name) => name !== MODEL_FILE && !isLogFile(name)),
    async read(name) {
      const bytes = await files.read(name);
      if (bytes === undefined) throw new DataError(`checkpoint: ${place} has no ${name}.`, name);
      return bytes;
    },
    write: (name, bytes) => files.write(name, bytes),
    remove: (name) => files.remove(name),
  };
}

/** Events of steps wait in memory no longer than this. */
const FLUSH_AFTER_MS = 1000;

class WebRunSink implements RunSink {
  readonly place: string;
  readonly checkpoints: CheckpointStore;
  resumes = false;
  private readonly files: RunFiles;
  private log: EventLog;
  private release: (() => void) | undefined;
  private flushedAt = 0;
  /** Of a write that nobody awaited. */
  private failure: { readonly error: unknown } | undefined;
  private late: Promise<void> = Promise.resolve();

  constructor(files: RunFiles, checkpoints: CheckpointStore, place: string) {
    this.files = files;
    this.checkpoints = checkpoints;
    this.place = place;
    this.log = new EventLog(files);
  }

  async open(): Promise<void> {
    await this.late;
    const release = await lockRun(this.place);
    try {
      this.failure = undefined;
      this.log = new EventLog(this.files);
      await this.files.sweep();
      this.resumes = (await this.files.list()).length > 0;
      this.release = release;
    } catch (error) {
      release();
      throw error;
    }
  }

  event(event: TrainEvent): void {
    if (this.failure !== undefined) throw this.failure.error;
    const line = JSON.stringify(event);
    if (this.release === undefined) {
      this.late = this.late.then(() => this.addLate(line));
      return;
    }
    this.log.add(line);
    const now = performance.now();
    if (event.type === "step" && now - this.flushedAt < FLUSH_AFTER_MS) return;
    this.flushedAt = now;
    this.log.flush().catch((error: unknown) => {
      this.failure ??= { error };
    });
  }

  saveModel(bytes: Uint8Array): Promise<void> {
    return this.files.write(MODEL_FILE, bytes);
  }

  resume(events: number): Promise<void> {
    return this.log.truncate(events);
  }

  async sync(): Promise<number> {
    await this.log.flush();
    return this.log.count;
  }

  async close(): Promise<void> {
    try {
      await this.log.flush();
    } finally {
      this.release?.();
      this.release = undefined;
    }
  }

  /** When all events so far are in the files. */
  async settled(): Promise<void> {
    await this.late;
    await this.log.flush();
  }

  /** An event after the training's end, such as a test's: by then another page may have gone on with the run. */
  private async addLate(line: string): Promise<void> {
    try {
      const release = await lockRun(this.place);
      try {
        await this.log.seek();
        this.log.add(line);
        await this.log.flush();
      } finally {
        release();
      }
    } catch (error) {
      console.warn(`downhill could not record an event: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
