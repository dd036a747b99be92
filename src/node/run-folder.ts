import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { DataError, OptionError } from "../core/errors.ts";
import type { TrainEvent } from "../train/events.ts";
import { MODEL_FILE } from "../train/load.ts";
import type { CheckpointStore, RunSink } from "../train/run-sink.ts";
import { CheckpointFolder } from "./checkpoint-folder.ts";
import { environment } from "./environment.ts";
import { reasonOf, removeTemporary, writeFileAtomic } from "./file-store.ts";
import { lockRun } from "./run-lock.ts";

export type RunFolderOptions = {
  /** Folder that holds the runs. Default `runs`. */
  readonly out?: string;
  /** Written to `config.json`; default: the start event's `config`. Of that one, `backend` and its notes stand beside this. */
  readonly config?: object;
};

/** Events wait in memory no longer than this, so that a small model's steps do not each cost a write. */
const FLUSH_AFTER_MS = 500;
const LOG_FILE = "events.jsonl";
const CONFIG_FILE = "config.json";

/**
 * `runs/<date>-<time>-<name>/` with `config.json`, `events.jsonl` (one `TrainEvent` a line), `model.safetensors` and
 * `checkpoints/`. It is made when training starts, so that a run that never starts leaves nothing, and whole: a folder that
 * is there can be resumed. While a process works on it, it holds a `lock`.
 *
 * Errors: OptionError where the folder cannot be made or another process works on it, DataError where a later write fails.
 */
export class RunFolder implements RunSink {
  readonly resumes: boolean;
  private readonly options: RunFolderOptions;
  private folder: string | undefined;
  private store: CheckpointFolder | undefined;
  private unlock: (() => void) | undefined;
  private lines: string[] = [];
  private flushedAt = 0;
  private events = 0;
  /** The bytes of the log's whole lines. */
  private logBytes = 0;

  constructor(options: RunFolderOptions = {}) {
    this.options = options;
    this.resumes = false;
  }

  /**
   * The folder of a run that is there, to go on with. `config` is for where it has to start over.
   *
   * Errors: OptionError where it is no run's folder; once training starts, where another process works on it.
   */
  static open(folder: string, options: Pick<RunFolderOptions, "config"> = {}): RunFolder {
    if (!existsSync(join(folder, CONFIG_FILE)))
      throw new OptionError(`run folder: ${folder} has no ${CONFIG_FILE}; expected the folder of a run.`, folder);
    const run = new RunFolder(options);
    Object.assign(run, { resumes: true, folder });
    return run;
  }

  /** Refuses a run that another process works on. */
  open(): void {
    if (this.resumes) this.unlock = lockRun(this.opened(CONFIG_FILE));
  }

  get place(): string | undefined {
    return this.folder;
  }

  get checkpoints(): CheckpointStore {
    // The folder has its name when the first event has come.
    const opened = (): CheckpointFolder => {
      this.store ??= new CheckpointFolder(this.opened("checkpoints"));
      return this.store;
    };
    return {
      list: () => opened().list(),
      read: (name) => opened().read(name),
      write: (name, bytes) => opened().write(name, bytes),
      remove: (name) => opened().remove(name),
    };
  }

  event(event: TrainEvent): void {
    if (event.type === "start" && this.folder === undefined) this.create(event);
    else if (event.type === "start" && this.events === 0) this.writeConfig(event);
    this.lines.push(`${JSON.stringify(event)}\n`);
    const now = performance.now();
    if (event.type === "step" && now - this.flushedAt < FLUSH_AFTER_MS) return;
    this.flush();
    this.flushedAt = now;
  }

  saveModel(bytes: Uint8Array): Promise<void> {
    return writeFileAtomic(join(this.opened(MODEL_FILE), MODEL_FILE), bytes);
  }

  /** Writes what events still wait in memory: all of it or, where the disk is full, nothing. */
  flush(): void {
    if (this.lines.length === 0 || this.folder === undefined) return;
    this.withLog((log) => {
      const bytes = Buffer.from(this.lines.join(""));
      try {
        for (let at = 0; at < bytes.length; ) at += writeSync(log, bytes, at, bytes.length - at, this.logBytes + at);
      } catch (error) {
        ftruncateSync(log, this.logBytes);
        throw error;
      }
      this.logBytes += bytes.length;
      this.events += this.lines.length;
      this.lines = [];
    });
  }

  sync(): number {
    this.flush();
    this.withLog(fsyncSync);
    return this.events;
  }

  resume(events: number): void {
    const log = this.withLog((file) => {
      const text = readFileSync(file);
      const end = endOfLine(text, events);
      if (end === undefined) return undefined;
      ftruncateSync(file, end);
      fsyncSync(file);
      return end;
    });
    if (log === undefined) {
      const file = join(this.opened(LOG_FILE), LOG_FILE);
      throw new DataError(
        `resume: ${file} has fewer than the ${events} events that the checkpoint was written after; expected all of them. Was the file changed?`,
        file,
      );
    }
    this.logBytes = log;
    this.events = events;
    removeTemporary(this.opened(LOG_FILE));
  }

  close(): void {
    this.unlock?.();
    this.unlock = undefined;
  }

  private withLog<T>(use: (file: number) => T): T {
    const path = join(this.opened(LOG_FILE), LOG_FILE);
    try {
      // "a+" would write at the end whatever place is given.
      const file = openSync(path, existsSync(path) ? "r+" : "w+");
      try {
        return use(file);
      } finally {
        closeSync(file);
      }
    } catch (error) {
      if (error instanceof DataError) throw error;
      throw new DataError(`run folder: cannot write ${path}: ${reasonOf(error)}.`, path);
    }
  }

  /** Made under another name and moved into place, so that it is never there without its config. */
  private create(event: TrainEvent & { type: "start" }): void {
    const out = this.options.out ?? "runs";
    const made: string[] = [];
    try {
      made.push(...makeFolders(resolve(out)));
      const draft = makeDraft(out);
      made.push(draft);
      this.folder = draft;
      this.writeConfig(event);
      this.folder = moveToNew(draft, join(out, `${stamp(event.time)}-${event.run}`));
      made.push(this.folder);
      this.unlock = lockRun(this.folder);
    } catch (error) {
      for (const path of made.reverse()) rmSync(path, { recursive: true, force: true });
      this.folder = undefined;
      throw new OptionError(`out: cannot write to ${out}: ${reasonOf(error)}. Choose another folder with --out.`, out);
    }
  }

  /** All that `fit` says, or beside a config of the caller's own what ran it, and where. */
  private writeConfig({ config }: TrainEvent & { type: "start" }): void {
    const said = config as { readonly backend?: unknown; readonly backendNotes?: unknown };
    const { backend, backendNotes } = said;
    const settings = this.options.config === undefined ? said : { ...this.options.config, backend, backendNotes };
    const whole = { ...settings, environment: environment() };
    writeFileSync(join(this.opened(CONFIG_FILE), CONFIG_FILE), `${JSON.stringify(whole, null, 2)}\n`);
  }

  private opened(file: string): string {
    if (this.folder === undefined) throw new DataError(`run folder: got ${file} before the run started.`, file);
    return this.folder;
  }
}

/** `2025-01-31-142530` in local time: sorts by time. */
function stamp(time: number): string {
  const d = new Date(time);
  const two = (n: number): string => String(n).padStart(2, "0");
  const day = `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
  return `${day}-${two(d.getHours())}${two(d.getMinutes())}${two(d.getSeconds())}`;
}

/** Makes a folder and those above it; answers the new ones. Node's own recursive `mkdir` never returns in `/proc`. */
function makeFolders(path: string): string[] {
  if (existsSync(path)) return [];
  const above = makeFolders(dirname(path));
  try {
    mkdirSync(path);
  } catch (error) {
    for (const made of above.reverse()) rmdirSync(made);
    throw error;
  }
  return [...above, path];
}

/** A new hidden folder. */
function makeDraft(out: string): string {
  const draft = join(out, `.run-${process.pid}-${Math.floor(Math.random() * 2 ** 32).toString(16)}`);
  mkdirSync(draft);
  return draft;
}

/** Gives a folder the name, or it with `-2`, `-3`, ... where the name is taken. */
function moveToNew(draft: string, path: string): string {
  for (let n = 1; ; n++) {
    const candidate = n === 1 ? path : `${path}-${n}`;
    try {
      // A folder that is not empty is never replaced, and runs are not: they have a config.
      renameSync(draft, candidate);
      return candidate;
    } catch (error) {
      if (
        !["ENOTEMPTY", "EEXIST", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "") ||
        !existsSync(candidate)
      )
        throw error;
    }
  }
}

/** The place after the first `count` lines; undefined where there are fewer. */
function endOfLine(text: Uint8Array, count: number): number | undefined {
  let end = 0;
  for (let lines = 0; lines < count; lines++) {
    const at = text.indexOf(0x0a, end);
    if (at < 0) return undefined;
    end = at + 1;
  }
  return end;
}
