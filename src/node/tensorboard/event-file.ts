import { appendFileSync, existsSync, mkdirSync, readdirSync, statSync, truncateSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { DataError } from "../../core/errors.ts";
import { EVENT_VERSION, encodeSummaryEvent, type SummaryEvent } from "../../io/tensorboard.ts";
import { reasonOf } from "../file-store.ts";

/** Events wait in memory no longer than this between steps. */
const FLUSH_AFTER_MS = 500;
const PREFIX = "events.out.tfevents.";

let made = 0;

/** Names of the event files in a folder. */
export function eventFilesIn(folder: string): string[] {
  try {
    return existsSync(folder) ? readdirSync(folder).filter((name) => name.includes("tfevents")) : [];
  } catch (error) {
    throw new DataError(`tensorboard: cannot read ${folder}: ${reasonOf(error)}.`, folder);
  }
}

/** `events.out.tfevents.<10 digits>.<rest>`: readers take a folder's files in the order of their names, and never go back. */
export function eventFileName(seconds: number, rest: string): string {
  return `${PREFIX}${String(Math.floor(seconds)).padStart(10, "0")}.${rest}`;
}

/** A new event file in a folder, appended to in whole records. It and its folder are made when something is first written. */
export class EventFile {
  private readonly folder: string;
  private path: string | undefined;
  private waiting: Uint8Array[] = [];
  private flushedAt = -Infinity;
  private bytes = 0;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Keeps an event, and writes what waits where it is time. */
  write(event: SummaryEvent): void {
    this.waiting.push(encodeSummaryEvent(event));
    if (performance.now() - this.flushedAt >= FLUSH_AFTER_MS) this.flush();
  }

  /** Writes all that waits or, where that fails, nothing. Throws DataError naming the file. */
  flush(): void {
    if (this.waiting.length === 0) return;
    this.flushedAt = performance.now();
    try {
      this.path ??= this.create();
      const bytes = Buffer.concat(this.waiting);
      appendFileSync(this.path, bytes);
      this.bytes += bytes.length;
      this.waiting = [];
    } catch (error) {
      const file = this.path ?? this.folder;
      try {
        if (this.path !== undefined && statSync(this.path).size > this.bytes) truncateSync(this.path, this.bytes);
      } catch {
        // A reader takes a torn last record for one that is being written.
      }
      throw new DataError(`tensorboard: cannot write ${file}: ${reasonOf(error)}.`, file);
    }
  }

  /** With a name after those of the files that are there. */
  private create(): string {
    mkdirSync(this.folder, { recursive: true });
    const seconds = eventFilesIn(this.folder).map((name) => Number(/tfevents\.(\d+)/.exec(name)?.[1] ?? 0) + 1);
    const time = Date.now() / 1000;
    const rest = `${hostname()}.${process.pid}.${made++}`;
    const path = join(this.folder, eventFileName(Math.max(time, ...seconds), rest));
    const version = encodeSummaryEvent({ time, step: 0, summaries: [], version: EVENT_VERSION });
    appendFileSync(path, version, { flag: "ax" });
    this.bytes = version.length;
    return path;
  }
}
