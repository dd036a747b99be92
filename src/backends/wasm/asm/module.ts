import { DownhillError } from "../../../core/errors.ts";
import { ByteWriter } from "./bytes.ts";
import { FuncBuilder, type IndexSpaces, type ValType, valTypeBytes } from "./func.ts";
import { opcodes } from "./opcodes.ts";
import { bodyLines, floatText, identifiers, stringLiteral, typeUse } from "./text.ts";

export { FuncBuilder, type ValType } from "./func.ts";
export type { OpName } from "./opcodes.ts";

type FunctionType = { readonly params: readonly ValType[]; readonly results: readonly ValType[] };
type FunctionImport = FunctionType & { readonly module: string; readonly name: string; readonly type: number };
type MemoryImport = {
  readonly module: string;
  readonly name: string;
  readonly minPages: number;
  readonly maxPages: number;
  readonly shared: boolean;
};
type GlobalEntry = { readonly type: Exclude<ValType, "v128">; readonly mutable: boolean; readonly init: number };
type Export = { readonly name: string; readonly func: FuncBuilder };
type DataSegment = { readonly offset: number; readonly bytes: Uint8Array };

/** Section ids (specification 5.5.2). */
const section = { custom: 0, type: 1, import: 2, function: 3, global: 6, export: 7, code: 10, data: 11 } as const;
const kindFunction = 0;
const kindMemory = 2;
const maxMemoryPages = 65_536;

/**
 * Builds one WebAssembly module, as bytes and as text. Functions are numbered as they are declared, imports first, so
 * all imports come before the first `func`.
 */
export class ModuleBuilder {
  readonly #types: FunctionType[] = [];
  readonly #typeIndex = new Map<string, number>();
  readonly #imports: FunctionImport[] = [];
  readonly #globals: GlobalEntry[] = [];
  readonly #funcs: { readonly func: FuncBuilder; readonly type: number }[] = [];
  readonly #exports: Export[] = [];
  readonly #data: DataSegment[] = [];
  #memory: MemoryImport | undefined;

  /** Sizes in pages of 64 KiB. */
  importMemory(module: string, name: string, minPages: number, maxPages: number, shared: boolean): void {
    if (this.#memory !== undefined) throw new DownhillError("importMemory: got a second memory; expected one");
    const ordered = Number.isInteger(minPages) && Number.isInteger(maxPages) && 0 <= minPages && minPages <= maxPages;
    if (!ordered || maxPages > maxMemoryPages)
      throw new DownhillError(
        `importMemory: got ${minPages} to ${maxPages} pages; expected integers, least first, at most ${maxMemoryPages}`,
      );
    this.#memory = { module, name, minPages, maxPages, shared };
  }

  /** Returns the function's index. */
  importFunc(module: string, name: string, params: readonly ValType[], results: readonly ValType[]): number {
    if (this.#funcs.length > 0)
      throw new DownhillError(`importFunc: got ${module}.${name} after a function; expected all imports before func()`);
    this.#imports.push({ module, name, params, results, type: this.#type(params, results) });
    return this.#imports.length - 1;
  }

  /** Returns the global's index. `init` is rounded to the type where that is a float. */
  global(type: ValType, mutable: boolean, init: number): number {
    if (type === "v128") throw new DownhillError("global: got v128; expected a number type");
    const fits =
      type === "i32"
        ? Number.isInteger(init) && init >= -0x80000000 && init <= 0xffffffff
        : type === "i64"
          ? Number.isSafeInteger(init)
          : true;
    if (!fits) throw new DownhillError(`global: got ${init} for ${type}; expected an integer in its range`);
    this.#globals.push({ type, mutable, init });
    return this.#globals.length - 1;
  }

  func(name: string, params: readonly ValType[], results: readonly ValType[]): FuncBuilder {
    const imports = this.#imports;
    const funcs = this.#funcs;
    const globals = this.#globals;
    const spaces: IndexSpaces = {
      get functionCount() {
        return imports.length + funcs.length;
      },
      get globalCount() {
        return globals.length;
      },
    };
    const func = new FuncBuilder(name, imports.length + funcs.length, [...params], [...results], spaces);
    funcs.push({ func, type: this.#type(params, results) });
    return func;
  }

  export(name: string, func: FuncBuilder): void {
    if (this.#funcs[func.index - this.#imports.length]?.func !== func)
      throw new DownhillError(`export: got ${func.name} of another module; expected a function of this one`);
    if (this.#exports.some((entry) => entry.name === name))
      throw new DownhillError(`export: got "${name}" twice; expected unique names`);
    this.#exports.push({ name, func });
  }

  /**
   * Bytes copied to `offset` of the memory at every instantiation: with a shared memory, by every worker again, so they
   * must be constants.
   */
  data(offset: number, bytes: Uint8Array): void {
    if (this.#memory === undefined) throw new DownhillError("data: got no memory; expected importMemory() before");
    if (!Number.isInteger(offset) || offset < 0 || offset + bytes.length > this.#memory.maxPages * 65_536)
      throw new DownhillError(`data: got ${bytes.length} bytes at ${offset}; expected a range inside the memory`);
    this.#data.push({ offset, bytes: bytes.slice() });
  }

  /** The binary format, with a name section, so that stack traces and profiles show the functions' names. */
  encode(): Uint8Array<ArrayBuffer> {
    const out = new ByteWriter(4096);
    for (const byte of [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]) out.u8(byte);
    const vector = <T>(id: number, items: readonly T[], write: (content: ByteWriter, item: T) => void): void => {
      if (items.length === 0) return;
      const content = new ByteWriter();
      content.u32(items.length);
      for (const item of items) write(content, item);
      writeSized(out, id, content);
    };

    vector(section.type, this.#types, (content, type) => {
      content.u8(0x60);
      writeTypes(content, type.params);
      writeTypes(content, type.results);
    });
    const memory = this.#memory === undefined ? [] : [this.#memory];
    vector(section.import, [...memory, ...this.#imports], (content, item) => {
      content.name(item.module);
      content.name(item.name);
      if ("shared" in item) {
        content.u8(kindMemory);
        content.u8(item.shared ? 3 : 1);
        content.u32(item.minPages);
        content.u32(item.maxPages);
      } else {
        content.u8(kindFunction);
        content.u32(item.type);
      }
    });
    vector(section.function, this.#funcs, (content, { type }) => content.u32(type));
    vector(section.global, this.#globals, (content, { type, mutable, init }) => {
      content.u8(valTypeBytes[type]);
      content.u8(mutable ? 1 : 0);
      content.u8(opcodes[`${type}.const`][1]);
      if (type === "i32") content.s32(init);
      else if (type === "i64") content.s64(init);
      else content[type](init);
      content.u8(opcodes.end[1]);
    });
    vector(section.export, this.#exports, (content, { name, func }) => {
      content.name(name);
      content.u8(kindFunction);
      content.u32(func.index);
    });
    vector(section.code, this.#funcs, (content, { func }) => {
      const runs = localRuns(func.locals);
      const header = new ByteWriter(64);
      header.u32(runs.length);
      for (const { count, type } of runs) {
        header.u32(count);
        header.u8(valTypeBytes[type]);
      }
      const body = func.body();
      content.u32(header.length + body.length + 1);
      content.append(header.view());
      content.append(body);
      content.u8(opcodes.end[1]);
    });
    vector(section.data, this.#data, (content, { offset, bytes }) => {
      content.u8(0);
      content.u8(opcodes["i32.const"][1]);
      content.s32(offset);
      content.u8(opcodes.end[1]);
      content.u32(bytes.length);
      content.append(bytes);
    });
    this.#writeNames(out);
    return out.copy();
  }

  /** The text format. */
  toText(): string {
    const names = identifiers(this.#functionNames());
    const encoder = new TextEncoder();
    const quote = (text: string): string => stringLiteral(encoder.encode(text));
    const lines: string[] = ["(module"];
    const memory = this.#memory;
    if (memory !== undefined) {
      const limits = `${memory.minPages} ${memory.maxPages}${memory.shared ? " shared" : ""}`;
      lines.push(`  (import ${quote(memory.module)} ${quote(memory.name)} (memory ${limits}))`);
    }
    this.#imports.forEach(({ module, name, params, results }, i) => {
      lines.push(`  (import ${quote(module)} ${quote(name)} (func ${names[i]}${typeUse(params, results)}))`);
    });
    for (const { type, mutable, init } of this.#globals) {
      const shown = type === "f32" ? floatText(Math.fround(init)) : type === "f64" ? floatText(init) : String(init + 0);
      lines.push(`  (global ${mutable ? `(mut ${type})` : type} (${type}.const ${shown}))`);
    }
    for (const { func } of this.#funcs) {
      lines.push(`  (func ${names[func.index]}${typeUse(func.params, func.results)}`);
      if (func.locals.length > 0) lines.push(`    (local ${func.locals.join(" ")})`);
      for (const line of bodyLines(func, names, "    ")) lines.push(line);
      lines.push("  )");
    }
    for (const { name, func } of this.#exports) lines.push(`  (export ${quote(name)} (func ${names[func.index]}))`);
    for (const { offset, bytes } of this.#data) lines.push(`  (data (i32.const ${offset}) ${stringLiteral(bytes)})`);
    lines.push(")", "");
    return lines.join("\n");
  }

  #type(params: readonly ValType[], results: readonly ValType[]): number {
    const key = `${params.join()}>${results.join()}`;
    let index = this.#typeIndex.get(key);
    if (index === undefined) {
      index = this.#types.push({ params: [...params], results: [...results] }) - 1;
      this.#typeIndex.set(key, index);
    }
    return index;
  }

  #functionNames(): string[] {
    return [...this.#imports.map(({ name }) => name), ...this.#funcs.map(({ func }) => func.name)];
  }

  #writeNames(out: ByteWriter): void {
    const names = this.#functionNames();
    if (names.length === 0) return;
    const map = new ByteWriter();
    map.u32(names.length);
    names.forEach((name, index) => {
      map.u32(index);
      map.name(name);
    });
    const content = new ByteWriter(map.length + 16);
    content.name("name");
    writeSized(content, 1, map);
    writeSized(out, section.custom, content);
  }
}

function writeSized(out: ByteWriter, id: number, content: ByteWriter): void {
  out.u8(id);
  out.u32(content.length);
  out.append(content.view());
}

function writeTypes(out: ByteWriter, types: readonly ValType[]): void {
  out.u32(types.length);
  for (const type of types) out.u8(valTypeBytes[type]);
}

/** Locals are declared as runs of equal type, in index order. */
function localRuns(locals: readonly ValType[]): { count: number; readonly type: ValType }[] {
  const runs: { count: number; readonly type: ValType }[] = [];
  for (const type of locals) {
    const last = runs.at(-1);
    if (last?.type === type) last.count++;
    else runs.push({ count: 1, type });
  }
  return runs;
}
