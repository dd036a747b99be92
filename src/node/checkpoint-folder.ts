import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { DataError } from "../core/errors.ts";
import type { CheckpointStore } from "../train/run-sink.ts";
import { isMissing, reasonOf, removeTemporary, syncFolder, writeFileAtomic } from "./file-store.ts";

/** The checkpoints of a run's folder, as files of a folder in it, which is made with the first. */
export class CheckpointFolder implements CheckpointStore {
  private readonly folder: string;
  private swept = false;

  constructor(run: string) {
    this.folder = join(run, "checkpoints");
  }

  /** Where a checkpoint is. */
  fileOf(name: string): string {
    return join(this.folder, name);
  }

  async list(): Promise<readonly string[]> {
    try {
      return (await readdir(this.folder)).filter((name) => !name.startsWith("."));
    } catch (error) {
      if (isMissing(error)) return [];
      throw new DataError(`checkpoint: cannot read ${this.folder}: ${reasonOf(error)}.`, this.folder);
    }
  }

  async read(name: string): Promise<Uint8Array> {
    const file = join(this.folder, name);
    try {
      return await readFile(file);
    } catch (error) {
      throw new DataError(`checkpoint: cannot read ${file}: ${reasonOf(error)}.`, file);
    }
  }

  async write(name: string, bytes: Uint8Array): Promise<void> {
    this.sweep();
    await writeFileAtomic(join(this.folder, name), bytes);
  }

  async remove(name: string): Promise<void> {
    const file = join(this.folder, name);
    try {
      await rm(file, { force: true });
    } catch (error) {
      throw new DataError(`checkpoint: cannot remove ${file}: ${reasonOf(error)}.`, file);
    }
    await syncFolder(this.folder);
  }

  /** Only the run's own process writes here. */
  private sweep(): void {
    if (!this.swept) removeTemporary(this.folder);
    this.swept = true;
  }
}
