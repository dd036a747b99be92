import { DownhillError } from "../../../core/errors.ts";
import { ByteWriter } from "./bytes.ts";
import { type AnyOpName, type Opcode, type OpName, opcodes } from "./opcodes.ts";

export type ValType = "i32" | "i64" | "f32" | "f64" | "v128";

/** Encodings of value types (specification 5.3.1), and of the empty block type (5.3.6). */
export const valTypeBytes: Readonly<Record<ValType, number>> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
};
export const emptyBlockByte = 0x40;

const table: Readonly<Record<string, Opcode>> = opcodes;

/** A target of `br`: good for the function that made it, while its block is open. */
export type Label = { readonly height: number };

/** What a function must know of its module to check its immediates. */
export type IndexSpaces = { readonly functionCount: number; readonly globalCount: number };

/**
 * Writes the body of one function. Immediates are checked as they are written; operand types are left to the engine's
 * validation.
 */
export class FuncBuilder {
  readonly name: string;
  readonly index: number;
  readonly params: readonly ValType[];
  readonly results: readonly ValType[];
  readonly #spaces: IndexSpaces;
  readonly #code = new ByteWriter();
  readonly #locals: ValType[] = [];
  readonly #free = new Map<ValType, number[]>();
  readonly #open: Label[] = [];
  #start = 0;
  #instructions = 0;

  constructor(
    name: string,
    index: number,
    params: readonly ValType[],
    results: readonly ValType[],
    spaces: IndexSpaces,
  ) {
    this.name = name;
    this.index = index;
    this.params = params;
    this.results = results;
    this.#spaces = spaces;
  }

  /** Types of the locals after the parameters. */
  get locals(): readonly ValType[] {
    return this.#locals;
  }

  /** Instructions written so far, block ends included. */
  get instructionCount(): number {
    return this.#instructions;
  }

  /** The instructions without the function's own `end`: a view, valid until the next instruction. */
  body(): Uint8Array {
    if (this.#open.length > 0) throw this.#error(`body: got ${this.#open.length} open blocks; expected none`);
    return this.#code.view();
  }

  /** A local of that type: a released one if there is any, whose old value is still in it. */
  local(type: ValType): number {
    const reused = this.#free.get(type)?.pop();
    if (reused !== undefined) return reused;
    this.#locals.push(type);
    return this.params.length + this.#locals.length - 1;
  }

  /** Hands a local back for reuse by `local(type)`. */
  release(local: number): void {
    const type = this.#locals[local - this.params.length];
    if (type === undefined) throw this.#error(`release: got ${local}; expected a local that is not a parameter`);
    let free = this.#free.get(type);
    if (free === undefined) {
      free = [];
      this.#free.set(type, free);
    }
    if (free.includes(local))
      throw this.#error(`release: got local ${local}, which is free already; expected one in use`);
    free.push(local);
  }

  /**
   * Writes one instruction. Loads and stores take `(offset, align?)`, lane loads and stores `(offset, lane, align?)`,
   * with `align` in bytes, natural by default; atomics take `(offset)` and are always naturally aligned.
   * `f32.const` rounds to f32.
   */
  op(name: OpName, ...immediates: number[]): this {
    const opcode = this.#begin(name);
    const [, , kind, size = 0] = opcode;
    const code = this.#code;
    const first = immediates[0] ?? Number.NaN;
    switch (kind) {
      case "none":
        this.#count(name, immediates, 0);
        break;
      case "fence":
        this.#count(name, immediates, 0);
        code.u8(0);
        break;
      case "memory":
        this.#count(name, immediates, 0);
        for (let i = 0; i < size; i++) code.u8(0);
        break;
      case "local":
        this.#count(name, immediates, 1);
        this.#index(name, first, this.params.length + this.#locals.length);
        break;
      case "global":
        this.#count(name, immediates, 1);
        this.#index(name, first, this.#spaces.globalCount);
        break;
      case "func":
        this.#count(name, immediates, 1);
        this.#index(name, first, this.#spaces.functionCount);
        break;
      case "memarg":
        this.#count(name, immediates, 1, 2);
        this.#memarg(name, first, size, immediates[1] ?? size);
        break;
      case "atomic":
        this.#count(name, immediates, 1);
        this.#memarg(name, first, size, size);
        break;
      case "memlane":
        this.#count(name, immediates, 2, 3);
        this.#memarg(name, first, size, immediates[2] ?? size);
        this.#lane(name, immediates[1] ?? Number.NaN, 16 / size);
        break;
      case "lane":
        this.#count(name, immediates, 1);
        this.#lane(name, first, size);
        break;
      case "shuffle":
        this.#count(name, immediates, 16);
        for (const lane of immediates) this.#lane(name, lane, 32);
        break;
      case "v128":
        this.#count(name, immediates, 16);
        for (const byte of immediates) this.#lane(name, byte, 256);
        break;
      case "i32":
        this.#count(name, immediates, 1);
        if (!Number.isInteger(first) || first < -0x80000000 || first > 0xffffffff)
          this.#fail(`${name}: got ${first}; expected an integer in [-2^31, 2^32)`);
        code.s32(first);
        break;
      case "i64":
        this.#count(name, immediates, 1);
        if (!Number.isSafeInteger(first)) this.#fail(`${name}: got ${first}; expected a safe integer`);
        code.s64(first);
        break;
      case "f32":
        this.#count(name, immediates, 1);
        code.f32(first);
        break;
      case "f64":
        this.#count(name, immediates, 1);
        code.f64(first);
        break;
      default:
        this.#fail(
          `op: got ${name}; expected an instruction outside structured control. Hint: use block, loop, if or br`,
        );
    }
    return this;
  }

  /** `br(label)` inside leaves the block; `result` is the type of the value it leaves on the stack. */
  block(body: (label: Label) => void, result?: ValType): this {
    this.#structure("block", result, body);
    return this;
  }

  /** `br(label)` inside goes back to the start; falling through leaves the loop. */
  loop(body: (label: Label) => void): this {
    this.#structure("loop", undefined, body);
    return this;
  }

  /** Takes the condition, an i32, from the stack. */
  if(consequent: () => void, otherwise?: () => void, result?: ValType): this {
    if (result !== undefined && otherwise === undefined)
      throw this.#error(`if: got result ${result} without an else; expected both branches`);
    this.#structure("if", result, () => {
      consequent();
      if (otherwise === undefined) return;
      this.#begin("else");
      otherwise();
    });
    return this;
  }

  br(label: Label): this {
    const depth = this.#depth("br", label);
    this.#begin("br");
    this.#code.u32(depth);
    return this;
  }

  /** Takes the condition, an i32, from the stack. */
  brIf(label: Label): this {
    const depth = this.#depth("br_if", label);
    this.#begin("br_if");
    this.#code.u32(depth);
    return this;
  }

  /** Takes an i32 from the stack and goes to the label of that index, or to `otherwise` past the end. */
  brTable(labels: readonly Label[], otherwise: Label): this {
    const depths = [...labels, otherwise].map((label) => this.#depth("br_table", label));
    this.#begin("br_table");
    this.#code.u32(labels.length);
    for (const depth of depths) this.#code.u32(depth);
    return this;
  }

  get(local: number): this {
    return this.op("local.get", local);
  }

  set(local: number): this {
    return this.op("local.set", local);
  }

  tee(local: number): this {
    return this.op("local.tee", local);
  }

  i32(value: number): this {
    return this.op("i32.const", value);
  }

  f32(value: number): this {
    return this.op("f32.const", value);
  }

  /** The constant (value, value, value, value) as a v128. */
  f32x4Splat(value: number): this {
    this.#begin("v128.const");
    for (let lane = 0; lane < 4; lane++) this.#code.f32(value);
    return this;
  }

  /** The constant (value, value, value, value) as a v128, of an integer in [-2^31, 2^32). */
  i32x4Splat(value: number): this {
    const byte = (shift: number): number => (value >>> shift) & 0xff;
    if (!Number.isInteger(value) || value < -0x80000000 || value > 0xffffffff)
      throw this.#error(`i32x4Splat: got ${value}; expected an integer in [-2^31, 2^32)`);
    this.#begin("v128.const");
    for (let lane = 0; lane < 4; lane++) for (let shift = 0; shift < 32; shift += 8) this.#code.u8(byte(shift));
    return this;
  }

  #begin(name: AnyOpName): Opcode {
    const opcode = table[name];
    if (opcode === undefined) throw this.#error(`op: got "${name}"; expected a name of the opcode table`);
    this.#start = this.#code.length;
    this.#instructions++;
    const [prefix, code] = opcode;
    if (prefix === 0) this.#code.u8(code);
    else {
      this.#code.u8(prefix);
      this.#code.u32(code);
    }
    return opcode;
  }

  #structure(name: "block" | "loop" | "if", result: ValType | undefined, body: (label: Label) => void): void {
    this.#begin(name);
    this.#code.u8(result === undefined ? emptyBlockByte : valTypeBytes[result]);
    const label: Label = { height: this.#open.length };
    this.#open.push(label);
    body(label);
    this.#open.pop();
    this.#begin("end");
  }

  #depth(name: string, label: Label): number {
    if (this.#open[label.height] !== label)
      throw this.#error(`${name}: got a label that is not open here; expected one of an enclosing block`);
    return this.#open.length - 1 - label.height;
  }

  #memarg(name: string, offset: number, natural: number, align: number): void {
    if (!Number.isInteger(offset) || offset < 0 || offset > 0xffffffff)
      this.#fail(`${name}: got offset ${offset}; expected an integer in [0, 2^32)`);
    if (!(align >= 1 && align <= natural && (align & (align - 1)) === 0 && Number.isInteger(align)))
      this.#fail(`${name}: got align ${align}; expected a power of two in bytes, at most ${natural}`);
    this.#code.u8(31 - Math.clz32(align));
    this.#code.u32(offset);
  }

  #lane(name: string, value: number, limit: number): void {
    if (!Number.isInteger(value) || value < 0 || value >= limit)
      this.#fail(`${name}: got ${value}; expected an integer in [0, ${limit})`);
    this.#code.u8(value);
  }

  #index(name: string, value: number, limit: number): void {
    if (!Number.isInteger(value) || value < 0 || value >= limit)
      this.#fail(`${name}: got index ${value}; expected an integer in [0, ${limit})`);
    this.#code.u32(value);
  }

  #count(name: string, immediates: readonly number[], least: number, most: number = least): void {
    if (immediates.length < least || immediates.length > most)
      this.#fail(
        `${name}: got ${immediates.length} immediates; expected ${least === most ? least : `${least} to ${most}`}`,
      );
  }

  /** Throws after taking back the instruction in hand. */
  #fail(message: string): never {
    if (this.#code.length > this.#start) {
      this.#code.truncate(this.#start);
      this.#instructions--;
    }
    throw this.#error(message);
  }

  #error(message: string): DownhillError {
    return new DownhillError(message, `function ${this.name}`);
  }
}
