import { appendFileSync, existsSync, mkdirSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { DataError, OptionError } from "../core/errors.ts";
import type { TrainEvent } from "../train/events.ts";
import { MODEL_FILE } from "../train/load.ts";
import type { RunSink } from "../train/run-sink.ts";
import { reasonOf, writeFileAtomic } from "./file-store.ts";

export type RunFolderOptions = {
  /** Folder that holds the runs. Default `runs`. */
  readonly out?: string;
  /** Written to `config.json`; default: the start event's `config`. Of that one, `backend` and its notes stand beside this. */
  readonly config?: object;
};

/** Events wait in memory no longer than this, so that a small model's steps do not each cost a write. */
const FLUSH_AFTER_MS = 500;

/**
 * `runs/<date>-<time>-<name>/` with `config.json`, `events.jsonl` (one `TrainEvent` a line) and `model.safetensors`.
 * It is made when training starts, so that a run that never starts leaves nothing.
 *
 * Errors: OptionError where the folder cannot be made, DataError where a later write fails.
 */
export class RunFolder implements RunSink {
  private readonly options: RunFolderOptions;
  private folder: string | undefined;
  private lines = "";
  private flushedAt = 0;

  constructor(options: RunFolderOptions = {}) {
    this.options = options;
  }

  get place(): string | undefined {
    return this.folder;
  }

  event(event: TrainEvent): void {
    if (event.type === "start") this.open(event);
    this.lines += `${JSON.stringify(event)}\n`;
    const now = performance.now();
    if (event.type === "step" && now - this.flushedAt < FLUSH_AFTER_MS) return;
    this.flush();
    this.flushedAt = now;
  }

  saveModel(bytes: Uint8Array): Promise<void> {
    return writeFileAtomic(join(this.opened(MODEL_FILE), MODEL_FILE), bytes);
  }

  /** Writes what events still wait in memory. */
  flush(): void {
    if (this.lines === "" || this.folder === undefined) return;
    const file = join(this.opened("events.jsonl"), "events.jsonl");
    try {
      appendFileSync(file, this.lines);
    } catch (error) {
      throw new DataError(`run folder: cannot write ${file}: ${reasonOf(error)}.`, file);
    }
    this.lines = "";
  }

  private open(event: TrainEvent & { type: "start" }): void {
    const out = this.options.out ?? "runs";
    const made: string[] = [];
    try {
      made.push(...makeFolders(resolve(out)));
      this.folder = makeNew(join(out, `${stamp(event.time)}-${event.run}`));
      made.push(this.folder);
      const config = JSON.stringify({ ...this.options.config, ...this.recordOf(event) }, null, 2);
      writeFileSync(join(this.folder, "config.json"), `${config}\n`);
    } catch (error) {
      for (const path of made.reverse()) rmSync(path, { recursive: true, force: true });
      this.folder = undefined;
      throw new OptionError(`out: cannot write to ${out}: ${reasonOf(error)}. Choose another folder with --out.`, out);
    }
  }

  /** What is to be known of the run: all that `fit` says, or beside a config of the caller's own what ran it. */
  private recordOf({ config }: TrainEvent & { type: "start" }): object {
    const said = config as { readonly backend?: unknown; readonly backendNotes?: unknown };
    return this.options.config === undefined ? said : { backend: said.backend, backendNotes: said.backendNotes };
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

/** Makes a folder that was not there: the name itself or with `-2`, `-3`, ... */
function makeNew(path: string): string {
  for (let n = 1; ; n++) {
    const candidate = n === 1 ? path : `${path}-${n}`;
    try {
      mkdirSync(candidate);
      return candidate;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}
