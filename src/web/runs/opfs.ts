import { OptionError } from "../../core/errors.ts";
import { ownBytes, type RunFiles, type RunStorage, storageError } from "./run-files.ts";

/** All runs, below the root of the origin's private file system. */
const FOLDER = "downhill-runs";

const isMissing = (error: unknown): boolean => (error as { name?: unknown } | null)?.name === "NotFoundError";

/**
 * Runs in the origin's private file system, a folder each.
 *
 * Errors: OptionError where the browser has none: outside secure contexts, in some private windows, or where it cannot
 * replace a file as a whole (Safari before 26).
 */
export async function opfsStorage(): Promise<RunStorage> {
  const fail = (why: string): OptionError =>
    new OptionError(
      `storage: got "opfs" and ${why}; expected a private file system. Hint: storage: "indexeddb".`,
      "storage",
    );
  if (globalThis.isSecureContext !== true)
    throw fail("a page that is no secure context (https, or http from localhost)");
  if (typeof FileSystemFileHandle !== "function" || typeof FileSystemFileHandle.prototype.createWritable !== "function")
    throw fail("a browser without FileSystemFileHandle.createWritable");
  let root: FileSystemDirectoryHandle;
  try {
    root = await navigator.storage.getDirectory();
  } catch (error) {
    throw fail(`a browser that refuses it (${error instanceof Error ? error.message : String(error)})`);
  }
  return {
    kind: "opfs",
    async runs() {
      const folder = await folderAt(root, [FOLDER]);
      if (folder === undefined) return [];
      const names: string[] = [];
      for await (const [name, handle] of folder.entries())
        if (handle.kind === "directory" && (await filesOf(handle as FileSystemDirectoryHandle)).length > 0)
          names.push(name);
      return names;
    },
    files: (run) => new OpfsFiles(root, run),
  };
}

class OpfsFiles implements RunFiles {
  private readonly root: FileSystemDirectoryHandle;
  private readonly run: string;

  constructor(root: FileSystemDirectoryHandle, run: string) {
    this.root = root;
    this.run = run;
  }

  async list(): Promise<readonly string[]> {
    try {
      const folder = await this.folder();
      return folder === undefined ? [] : await filesOf(folder);
    } catch (error) {
      throw await storageError("list", this.at(), error);
    }
  }

  async read(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      const folder = await this.folder();
      const file = await (await folder?.getFileHandle(name))?.getFile();
      return file === undefined || file.size === 0 ? undefined : new Uint8Array(await file.arrayBuffer());
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw await storageError("read", this.at(name), error);
    }
  }

  /**
   * What goes to a writable stream reaches the file when it is closed, all at once (File System Standard, section
   * "FileSystemWritableFileStream"). Before that a new file is empty, and an empty file counts as none.
   */
  async write(name: string, bytes: Uint8Array): Promise<void> {
    const folder = await folderAt(this.root, [FOLDER, this.run], true);
    let isNew = false;
    try {
      const handle = await folder.getFileHandle(name, { create: true });
      isNew = (await handle.getFile()).size === 0;
      const stream = await handle.createWritable();
      try {
        await stream.write(ownBytes(bytes));
        await stream.close();
      } catch (error) {
        await stream.abort().catch(() => undefined);
        throw error;
      }
    } catch (error) {
      if (isNew) await folder.removeEntry(name).catch(() => undefined);
      throw await storageError("write", this.at(name), error);
    }
  }

  async remove(name: string): Promise<void> {
    try {
      await (await this.folder())?.removeEntry(name);
    } catch (error) {
      if (!isMissing(error)) throw await storageError("remove", this.at(name), error);
    }
  }

  async removeAll(): Promise<void> {
    try {
      await (await folderAt(this.root, [FOLDER]))?.removeEntry(this.run, { recursive: true });
    } catch (error) {
      if (!isMissing(error)) throw await storageError("remove", this.at(), error);
    }
  }

  async sweep(): Promise<void> {
    try {
      const folder = await this.folder();
      if (folder === undefined) return;
      const whole = new Set(await filesOf(folder));
      const left: string[] = [];
      for await (const name of folder.keys()) if (!whole.has(name)) left.push(name);
      for (const name of left) await folder.removeEntry(name);
    } catch (error) {
      throw await storageError("sweep", this.at(), error);
    }
  }

  private folder(): Promise<FileSystemDirectoryHandle | undefined> {
    return folderAt(this.root, [FOLDER, this.run]);
  }

  private at(name = ""): string {
    return `opfs:${this.run}${name === "" ? "" : `/${name}`}`;
  }
}

async function folderAt(
  root: FileSystemDirectoryHandle,
  path: readonly string[],
  create: true,
): Promise<FileSystemDirectoryHandle>;
async function folderAt(
  root: FileSystemDirectoryHandle,
  path: readonly string[],
): Promise<FileSystemDirectoryHandle | undefined>;
async function folderAt(
  root: FileSystemDirectoryHandle,
  path: readonly string[],
  create = false,
): Promise<FileSystemDirectoryHandle | undefined> {
  let folder = root;
  try {
    for (const name of path) folder = await folder.getDirectoryHandle(name, { create });
    return folder;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw await storageError("open", `opfs:${path.join("/")}`, error);
  }
}

/** Names of files that are whole; what a browser keeps beside them while it writes (`.crswap`) is none of ours. */
async function filesOf(folder: FileSystemDirectoryHandle): Promise<string[]> {
  const names: string[] = [];
  for await (const [name, handle] of folder.entries())
    if (
      handle.kind === "file" &&
      !name.endsWith(".crswap") &&
      (await (handle as FileSystemFileHandle).getFile()).size > 0
    )
      names.push(name);
  return names;
}
