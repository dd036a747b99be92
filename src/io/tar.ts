import { DataError } from "../core/errors.ts";

const BLOCK = 512;
/** Of a long name or of pax records, which come before the file that they are of. */
const MAX_NOTE_BYTES = 1 << 20;
const MAX_ENTRIES = 100_000;

export type TarOptions = {
  /** Which files are kept, by their path in the archive. Default: all. */
  readonly keep?: (path: string) => boolean;
  /** Most bytes of one kept file. Default 2^30. */
  readonly maxBytes?: number;
};

/** A file of an archive. */
export type TarFile = {
  /** Relative, with `/`, without `.` and `..`. */
  readonly path: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
};

/** What is read now: a header, a file that is kept, one that is passed over, or a note on the next. */
type State =
  | { readonly kind: "header" }
  | { readonly kind: "end" }
  | { readonly kind: "skip"; left: number }
  | { readonly kind: "keep" | "name" | "pax"; readonly path: string; readonly size: number; length: number };

/**
 * Reads a tar archive (ustar, GNU long names, pax paths and sizes) as it comes, chunk by chunk. Memory is taken for the files
 * that are kept alone, and grows with the bytes that came, not with what a header claims.
 *
 * The archive is taken as hostile. Throws DataError naming `name` and the byte for paths that leave their folder (absolute, with
 * `..`, a backslash or a drive's letter), links, devices and everything else that is neither file nor folder, a wrong
 * checksum, the same path twice among those that are kept, and sizes that lie.
 */
export class TarReader {
  private readonly name: string;
  private readonly options: TarOptions;
  private readonly block: Uint8Array<ArrayBuffer> = new Uint8Array(BLOCK);
  /** Bytes of `block` that came. */
  private filled = 0;
  /** Zeros after a file, up to a whole block. */
  private padding = 0;
  private held: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  private state: State = { kind: "header" };
  private longPath: string | undefined;
  private paxSize: number | undefined;
  private entries = 0;
  private zeroBlocks = 0;
  private byte = 0;
  private readonly seen: Set<string> = new Set();

  constructor(name = "tar", options: TarOptions = {}) {
    this.name = name;
    this.options = options;
  }

  /** The files that are whole with this chunk. */
  push(chunk: Uint8Array): TarFile[] {
    const files: TarFile[] = [];
    let at = 0;
    while (at < chunk.length && this.state.kind !== "end") {
      const taken = this.take(chunk.subarray(at), files);
      at += taken;
      this.byte += taken;
    }
    return files;
  }

  /** Throws where the archive stops in the middle. */
  end(): void {
    const { kind } = this.state;
    if (kind === "end" || (kind === "header" && this.filled === 0 && this.padding === 0 && this.entries > 0)) return;
    if (kind === "header" && this.entries === 0 && this.filled === 0) this.fail("is empty; expected a tar archive.");
    this.fail("ends in the middle of an entry. It is truncated.");
  }

  /** Reads what it can of these bytes in one go; answers how many. */
  private take(bytes: Uint8Array, files: TarFile[]): number {
    if (this.padding > 0) {
      const taken = Math.min(this.padding, bytes.length);
      this.padding -= taken;
      return taken;
    }
    const { state } = this;
    if (state.kind === "skip") {
      const taken = Math.min(state.left, bytes.length);
      state.left -= taken;
      if (state.left === 0) this.state = { kind: "header" };
      return taken;
    }
    if (state.kind === "header" || state.kind === "end") {
      const taken = Math.min(BLOCK - this.filled, bytes.length);
      this.block.set(bytes.subarray(0, taken), this.filled);
      this.filled += taken;
      if (this.filled === BLOCK) {
        this.filled = 0;
        this.header(files);
      }
      return taken;
    }
    const taken = Math.min(state.size - state.length, bytes.length);
    this.hold(state.length + taken, state.size);
    this.held.set(bytes.subarray(0, taken), state.length);
    state.length += taken;
    if (state.length === state.size) this.finish(files);
    return taken;
  }

  /** Room for `length` bytes: doubled, so that a header alone takes none. */
  private hold(length: number, size: number): void {
    if (length <= this.held.length) return;
    const grown = new Uint8Array(Math.min(size, Math.max(length, 2 * this.held.length, 1 << 16)));
    grown.set(this.held);
    this.held = grown;
  }

  private finish(files: TarFile[]): void {
    const { kind, path, size } = this.state as Extract<State, { readonly path: string }>;
    const bytes = this.held;
    this.padding = (BLOCK - (size % BLOCK)) % BLOCK;
    this.held = new Uint8Array(0);
    this.state = { kind: "header" };
    if (kind === "keep") files.push({ path, bytes });
    else if (kind === "name") this.longPath = textOf(bytes);
    else this.readPax(bytes);
  }

  private header(files: TarFile[]): void {
    const { block } = this;
    if (block.every((byte) => byte === 0)) {
      if (this.longPath !== undefined || this.paxSize !== undefined) this.fail("ends after a note on a file.");
      if (++this.zeroBlocks === 2) this.state = { kind: "end" };
      return;
    }
    if (this.zeroBlocks > 0) this.fail("goes on after a block of zeros; expected a second one, its end.");
    if (++this.entries > MAX_ENTRIES) this.fail(`has more than ${MAX_ENTRIES} entries.`);
    this.checkSum();
    const type = String.fromCharCode(block[156] as number);
    const claimed = this.octal(124, 12, "size");
    if (type === "K") this.fail("has a link; expected files and folders.");
    if (type === "x" || type === "g" || type === "L") {
      if (claimed > MAX_NOTE_BYTES) this.fail(`has a note of ${claimed} bytes; expected at most ${MAX_NOTE_BYTES}.`);
      // What a global record says (git's commit) is of no file in particular.
      if (type === "g") this.skip(claimed);
      else this.begin({ kind: type === "L" ? "name" : "pax", path: "", size: claimed, length: 0 }, files);
      return;
    }
    const stated = this.longPath ?? this.ownPath();
    const path = this.safePath(stated);
    const size = this.paxSize ?? claimed;
    this.longPath = undefined;
    this.paxSize = undefined;
    if (type === "5" || ((type === "0" || type === "\0") && stated.endsWith("/"))) {
      if (size !== 0) this.fail(`has the folder ${show(path)} with ${size} bytes; expected none.`);
      return;
    }
    if (type !== "0" && type !== "\0" && type !== "7")
      this.fail(`has ${show(path)} of type ${show(type)}; expected files and folders, no links and no devices.`);
    if (path === "") this.fail("has a file without a name.");
    if (this.options.keep?.(path) === false) {
      this.skip(size);
      return;
    }
    const { maxBytes = 2 ** 30 } = this.options;
    if (size > maxBytes) this.fail(`has ${show(path)} of ${size} bytes; expected at most ${maxBytes}.`);
    if (this.seen.has(path)) this.fail(`has ${show(path)} twice.`);
    this.seen.add(path);
    this.begin({ kind: "keep", path, size, length: 0 }, files);
  }

  private skip(size: number): void {
    if (size > 0) this.state = { kind: "skip", left: Math.ceil(size / BLOCK) * BLOCK };
  }

  private begin(state: Extract<State, { readonly path: string }>, files: TarFile[]): void {
    this.state = state;
    if (state.size === 0) this.finish(files);
  }

  /** The sum of all bytes of the header, its own field taken as blanks; some old writers summed signed bytes. */
  private checkSum(): void {
    const { block } = this;
    let unsigned = 0;
    let signed = 0;
    for (let i = 0; i < BLOCK; i++) {
      const byte = i >= 148 && i < 156 ? 32 : (block[i] as number);
      unsigned += byte;
      signed += byte < 128 ? byte : byte - 256;
    }
    const stated = this.octal(148, 8, "checksum");
    if (stated !== unsigned && stated !== signed)
      this.fail(`has a header with checksum ${stated}; expected ${unsigned}. It is damaged, or no tar archive.`);
  }

  private octal(at: number, length: number, what: string): number {
    const field = this.block.subarray(at, at + length);
    if (((field[0] as number) & 0x80) !== 0)
      this.fail(`has a ${what} of more than 8 GiB, in base 256; expected octal digits.`);
    const text = textOf(field).trim();
    if (!/^[0-7]*$/.test(text)) this.fail(`has the ${what} ${show(text)}; expected octal digits.`);
    return text === "" ? 0 : Number.parseInt(text, 8);
  }

  private ownPath(): string {
    const { block } = this;
    const isUstar = textOf(block.subarray(257, 262)) === "ustar" && block[262] === 0;
    const prefix = isUstar ? textOf(block.subarray(345, 500)) : "";
    const path = textOf(block.subarray(0, 100));
    return prefix === "" ? path : `${prefix}/${path}`;
  }

  /** Records `length key=value\n`; of these, the path and the size of the next file count. */
  private readPax(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      const blank = bytes.indexOf(32, at);
      const digits = blank < 0 || blank - at > 8 ? "" : new TextDecoder().decode(bytes.subarray(at, blank));
      const length = /^\d+$/.test(digits) ? Number(digits) : 0;
      const end = at + length;
      if (blank < 0 || end <= blank + 1 || end > bytes.length || bytes[end - 1] !== 10)
        this.fail("has pax records whose lengths do not fit.");
      const [, key, value = ""] =
        /^([^=]+)=(.*)$/s.exec(new TextDecoder().decode(bytes.subarray(blank + 1, end - 1))) ?? [];
      if (key === undefined) this.fail("has a pax record without a key.");
      if (key === "linkpath") this.fail("has a link; expected files and folders.");
      if (key === "path") this.longPath = value;
      if (key === "size") {
        const size = Number(value);
        if (!/^\d+$/.test(value) || !Number.isSafeInteger(size))
          this.fail(`has the size ${show(value)}; expected bytes.`);
        this.paxSize = size;
      }
      at = end;
    }
  }

  /** Refuses what would leave the folder it is written to, on any system. */
  private safePath(path: string): string {
    const parts = path.split("/");
    const leaves =
      path.startsWith("/") ||
      path.includes("\\") ||
      path.includes("\0") ||
      /^[a-z]:/i.test(path) ||
      parts.includes("..");
    if (leaves) this.fail(`has the path ${show(path)}; expected one below the archive's own folder.`);
    return parts.filter((part) => part !== "" && part !== ".").join("/");
  }

  private fail(what: string): never {
    throw new DataError(`tar: ${this.name} ${what}`, `${this.name}, byte ${this.byte}`);
  }
}

/** Up to the first zero. */
function textOf(field: Uint8Array): string {
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

const show = (text: string): string => JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text);

/**
 * The files of a whole tar archive. Throws DataError as `TarReader` does.
 *
 * @example
 * decodeTar(bytes, "data.tar").map(({ path }) => path) // -> ["data/train.bin", "data/test.bin"]
 */
export function decodeTar(bytes: Uint8Array, name = "tar", options: TarOptions = {}): readonly TarFile[] {
  const reader = new TarReader(name, options);
  const files = reader.push(bytes);
  reader.end();
  return files;
}
