import { DownhillError } from "../../../core/errors.ts";
import { ByteReader } from "./bytes.ts";
import { emptyBlockByte, type FuncBuilder, type ValType, valTypeBytes } from "./func.ts";
import { type Opcode, opcodes } from "./opcodes.ts";

type Decoded = { readonly name: string; readonly opcode: Opcode };

/** Opcodes by prefix * 2^16 + code. */
const byCode: ReadonlyMap<number, Decoded> = new Map(
  Object.entries(opcodes).map(([name, opcode]) => [opcode[0] * 0x10000 + opcode[1], { name, opcode }]),
);
const valTypes: ReadonlyMap<number, string> = new Map(Object.entries(valTypeBytes).map(([type, byte]) => [byte, type]));

/** The shortest decimal that identifies the f64 also identifies the f32 it came from, so this reads back exactly. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (Object.is(value, -0)) return "-0";
  return String(value).replace("Infinity", "inf");
}

export function typeUse(params: readonly ValType[], results: readonly ValType[]): string {
  const param = params.length > 0 ? ` (param ${params.join(" ")})` : "";
  return results.length > 0 ? `${param} (result ${results.join(" ")})` : param;
}

/** A string literal of the text format holding exactly these bytes. */
export function stringLiteral(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) {
    const plain = byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c;
    text += plain ? String.fromCharCode(byte) : `\\${byte.toString(16).padStart(2, "0")}`;
  }
  return `"${text}"`;
}

/** Identifiers for functions by index: their names with foreign characters replaced, and numbered where two agree. */
export function identifiers(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    const base = `$${name.replace(/[^0-9A-Za-z!#$%&'*+\-./:<=>?@\\^_`|~]/g, "_") || "_"}`;
    let id = base;
    for (let i = 1; taken.has(id); i++) id = `${base}.${i}`;
    taken.add(id);
    return id;
  });
}

/** Decodes the body into lines of the text format, indented by block. */
export function bodyLines(func: FuncBuilder, functionIds: readonly string[], indent: string): string[] {
  const reader = new ByteReader(func.body());
  const lines: string[] = [];
  let margin = indent;
  while (!reader.done) {
    const first = reader.u8();
    const prefixed = first >= 0xfc;
    const key = prefixed ? first * 0x10000 + reader.u32() : first;
    const decoded = byCode.get(key);
    if (decoded === undefined)
      throw new DownhillError(`toText: got code 0x${key.toString(16)}; expected one of the opcode table`);
    const { name, opcode } = decoded;
    const kind = opcode[2];
    if (kind === "end" || kind === "else") margin = margin.slice(2);
    lines.push(margin + name + immediateText(reader, opcode, functionIds));
    if (kind === "block" || kind === "else") margin += "  ";
  }
  return lines;
}

function immediateText(reader: ByteReader, [, , kind, size = 0]: Opcode, functionIds: readonly string[]): string {
  switch (kind) {
    case "none":
    case "else":
    case "end":
      return "";
    case "fence":
      reader.take(1);
      return "";
    case "memory":
      reader.take(size);
      return "";
    case "block": {
      const byte = reader.u8();
      return byte === emptyBlockByte ? "" : ` (result ${valTypes.get(byte)})`;
    }
    case "label":
    case "local":
    case "global":
      return ` ${reader.u32()}`;
    case "labels": {
      const depths: number[] = [];
      for (let left = reader.u32(); left >= 0; left--) depths.push(reader.u32());
      return ` ${depths.join(" ")}`;
    }
    case "func": {
      const index = reader.u32();
      return ` ${functionIds[index] ?? index}`;
    }
    case "memarg":
    case "atomic":
      return memargText(reader, size);
    case "memlane":
      return `${memargText(reader, size)} ${reader.u8()}`;
    case "lane":
      return ` ${reader.u8()}`;
    case "shuffle":
      return ` ${reader.take(16).join(" ")}`;
    case "v128":
      return vectorText(reader.take(16));
    case "i32":
    case "i64":
      return ` ${reader.signed()}`;
    case "f32":
      return ` ${floatText(reader.f32())}`;
    case "f64":
      return ` ${floatText(reader.f64())}`;
  }
}

function memargText(reader: ByteReader, natural: number): string {
  const align = 2 ** reader.u32();
  const offset = reader.u32();
  return (offset === 0 ? "" : ` offset=${offset}`) + (align === natural ? "" : ` align=${align}`);
}

/** As floats where all four lanes look like numbers someone wrote, else as hexadecimal integers. */
function vectorText(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const floats = [0, 4, 8, 12].map((at) => view.getFloat32(at, true));
  const plain = (x: number): boolean => x === 0 || (Math.abs(x) > 1e-30 && Math.abs(x) < 1e30);
  if (floats.every(plain)) return ` f32x4 ${floats.map(floatText).join(" ")}`;
  return ` i32x4 ${[0, 4, 8, 12].map((at) => `0x${view.getUint32(at, true).toString(16).padStart(8, "0")}`).join(" ")}`;
}
