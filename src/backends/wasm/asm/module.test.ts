import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DownhillError } from "../../../core/errors.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { type FuncBuilder, ModuleBuilder, type OpName, type ValType } from "./module.ts";
import { type Opcode, opcodes } from "./opcodes.ts";
import { bodyLines } from "./text.ts";

// Engines before V8 11.4 (Node 20) hold relaxed SIMD behind a flag.
if (Number(process.versions.node.split(".")[0]) < 21) setFlagsFromString("--experimental-wasm-relaxed-simd");

type Exported = (...args: (number | bigint)[]) => number | bigint;
const structured: readonly string[] = ["block", "else", "end", "label", "labels"];
const opNames = (Object.entries(opcodes) as [OpName, Opcode][])
  .filter(([, opcode]) => !structured.includes(opcode[2]))
  .map(([name]) => name);
const isRelaxed = (name: string): boolean => name.includes("relaxed");

function instantiate(module: ModuleBuilder, imports: WebAssembly.Imports = {}): Record<string, Exported> {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.encode()), imports);
  return instance.exports as Record<string, Exported>;
}

/** Compiles one function over `memory` (one page, if given) and returns it. */
function compile(
  params: readonly ValType[],
  results: readonly ValType[],
  body: (f: FuncBuilder) => void,
  memory?: WebAssembly.Memory,
  shared = false,
): Exported {
  const module = new ModuleBuilder();
  if (memory !== undefined) module.importMemory("env", "memory", 1, 1, shared);
  const f = module.func("f", params, results);
  body(f);
  module.export("f", f);
  return instantiate(module, memory === undefined ? {} : { env: { memory } }).f as Exported;
}

const newMemory = (shared = false): WebAssembly.Memory => new WebAssembly.Memory({ initial: 1, maximum: 1, shared });

/** One result from constants: `of(["i32.const", 7], ["i32.const", 2], ["i32.add"])`. */
function of(result: ValType, ...instructions: readonly (readonly [OpName, ...number[]])[]): number | bigint {
  return compile([], [result], (f) => {
    for (const [name, ...immediates] of instructions) f.op(name, ...immediates);
  })();
}

function sampleImmediates(name: OpName): number[] {
  const [, , kind, size = 0]: Opcode = opcodes[name];
  switch (kind) {
    case "func":
    case "global":
      return [0];
    case "local":
      return [1];
    case "memarg":
    case "atomic":
      return [300];
    case "memlane":
      return [300, 16 / size - 1];
    case "lane":
      return [size - 1];
    case "shuffle":
      return [0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 31];
    case "v128":
      return [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255];
    case "i32":
    case "i64":
      return [-123456];
    case "f32":
    case "f64":
      return [-0.1];
    default:
      return [];
  }
}

/** A module in which one instruction stands between two `unreachable`, so that any operand types are valid. */
function moduleWith(name: OpName): { readonly module: ModuleBuilder; readonly func: FuncBuilder } {
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", 1, 1, true);
  module.global("i32", true, 0);
  module.func("callee", [], []);
  const func = module.func("f", ["i32", "f32"], []);
  func
    .op("unreachable")
    .op(name, ...sampleImmediates(name))
    .op("unreachable");
  return { module, func };
}

describe("opcode table", () => {
  const golden = JSON.parse(readFileSync(new URL("opcodes.golden.json", import.meta.url), "utf8")) as Record<
    string,
    string
  >;

  test("the golden file has one line for each instruction", () => {
    const instructions = Object.keys(golden).map((line) => line.split(" ")[0]);
    expect(instructions.sort()).toEqual([...opNames].sort());
  });

  test.each(opNames)("%s has wabt's bytes for its own text", (name) => {
    const { func } = moduleWith(name);
    const line = bodyLines(func, ["$callee"], "")[1] as string;
    expect(Buffer.from(func.body().subarray(1, -1)).toString("hex")).toBe(golden[line]);
  });

  const relaxedHere = WebAssembly.validate(moduleWith("f32x4.relaxed_madd").module.encode());
  test.for(opNames)("%s is valid in this engine", (name, { skip }) => {
    const { module } = moduleWith(name);
    skip(isRelaxed(name) && !relaxedHere, "no relaxed SIMD in this engine, and no flag for it");
    expect(WebAssembly.validate(module.encode())).toBe(true);
  });
});

describe("LEB128", () => {
  /** The definition of specification 5.2.2, over unbounded integers. */
  function reference(value: bigint, signed: boolean): number[] {
    const bytes: number[] = [];
    let rest = value;
    for (;;) {
      const digit = Number(rest & 127n);
      rest >>= 7n;
      const last = signed ? (rest === 0n && digit < 64) || (rest === -1n && digit >= 64) : rest === 0n;
      if (last) return [...bytes, digit];
      bytes.push(digit | 128);
    }
  }
  const edges = [0, 63, 64, 127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];

  test("u32", () => {
    fc.assert(
      fc.property(fc.oneof(fc.constantFrom(...edges), fc.nat(2 ** 32 - 1)), (value) => {
        const writer = new ByteWriter(1);
        writer.u32(value);
        expect([...writer.view()]).toEqual(reference(BigInt(value), false));
        expect(new ByteReader(writer.view()).u32()).toBe(value);
      }),
    );
  });

  test("s32 takes unsigned-looking values modulo 2^32", () => {
    const values = fc.oneof(
      fc.constantFrom(...edges, ...edges.slice(0, 7).map((x) => -x)),
      fc.integer({ min: -(2 ** 31), max: 2 ** 32 - 1 }),
    );
    fc.assert(
      fc.property(values, (value) => {
        const writer = new ByteWriter(1);
        writer.s32(value);
        expect([...writer.view()]).toEqual(reference(BigInt(value | 0), true));
        expect(new ByteReader(writer.view()).signed()).toBe(value | 0);
      }),
    );
  });

  test("s64", () => {
    fc.assert(
      fc.property(fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -200, max: 200 })), (value) => {
        const writer = new ByteWriter(1);
        writer.s64(value);
        expect([...writer.view()]).toEqual(reference(BigInt(value), true));
        expect(new ByteReader(writer.view()).signed()).toBe(value);
      }),
    );
  });
});

describe("numbers", () => {
  test.each<[ValType, number | bigint, ...(readonly [OpName, ...number[]])[]]>([
    ["i32", -1, ["i32.const", 0xffffffff]],
    ["i32", -(2 ** 31), ["i32.const", 2 ** 31]],
    ["i32", -3, ["i32.const", -7], ["i32.const", 2], ["i32.div_s"]],
    ["i32", 1, ["i32.const", -7], ["i32.const", 4], ["i32.lt_s"]],
    ["i32", 0x34000012, ["i32.const", 0x1234], ["i32.const", 24], ["i32.rotl"]],
    ["i32", 5, ["i32.const", 5], ["i32.const", 9], ["i32.const", 1], ["select"]],
    ["i64", 2n ** 53n - 1n, ["i64.const", 2 ** 53 - 1]],
    ["i64", -12345678901n, ["i64.const", 0], ["i64.const", 12345678901], ["i64.sub"]],
    ["i64", 4294967295n, ["i32.const", -1], ["i64.extend_i32_u"]],
    ["f32", Math.fround(0.1), ["f32.const", 0.1]],
    ["f32", Math.fround(Math.sqrt(2)), ["f32.const", 2], ["f32.sqrt"]],
    ["f32", -0, ["f32.const", 0], ["f32.neg"]],
    ["f64", 0.1, ["f64.const", 0.1]],
    ["f64", -2, ["f64.const", -1.5], ["f64.nearest"]],
    ["i32", 2 ** 31 - 1, ["f32.const", 1e20], ["i32.trunc_sat_f32_s"]],
    ["i32", 0, ["f64.const", -3], ["i32.trunc_sat_f64_u"]],
    ["i32", -56, ["i32.const", 200], ["i32.extend8_s"]],
    ["i32", 0x3f800000, ["f32.const", 1], ["i32.reinterpret_f32"]],
  ])("%s %s", (type, expected, ...instructions) => {
    expect(of(type, ...instructions)).toBe(expected);
  });

  type Tree = number | { readonly op: string; readonly args: readonly Tree[] };
  type Rule = { readonly arity: number; readonly evaluate: (...x: number[]) => number };
  const rule = (arity: number, evaluate: (...x: number[]) => number): Rule => ({ arity, evaluate });
  const two = (evaluate: (a: number, b: number) => number): Rule => rule(2, (a = 0, b = 0) => evaluate(a, b));
  const one = (evaluate: (a: number) => number): Rule => rule(1, (a = 0) => evaluate(a));
  const integerRules: Record<string, Rule> = {
    add: two((a, b) => (a + b) | 0),
    sub: two((a, b) => (a - b) | 0),
    mul: two((a, b) => Math.imul(a, b)),
    and: two((a, b) => a & b),
    or: two((a, b) => a | b),
    xor: two((a, b) => a ^ b),
    shl: two((a, b) => a << b),
    shr_s: two((a, b) => a >> b),
    shr_u: two((a, b) => (a >>> b) | 0),
    lt_s: two((a, b) => Number(a < b)),
    gt_u: two((a, b) => Number(a >>> 0 > b >>> 0)),
    clz: one((a) => Math.clz32(a)),
    eqz: one((a) => Number(a === 0)),
  };
  const floatRules = (round: (x: number) => number): Record<string, Rule> => ({
    add: two((a, b) => round(a + b)),
    sub: two((a, b) => round(a - b)),
    mul: two((a, b) => round(a * b)),
    div: two((a, b) => round(a / b)),
    min: two((a, b) => Math.min(a, b)),
    max: two((a, b) => Math.max(a, b)),
    sqrt: one((a) => round(Math.sqrt(a))),
    abs: one(Math.abs),
    neg: one((a) => -a),
    floor: one(Math.floor),
    trunc: one(Math.trunc),
  });

  const f32s = fc.oneof(fc.float({ noNaN: true }), fc.integer({ min: -100, max: 100 }));
  const f64s = fc.oneof(fc.double({ noNaN: true }), fc.integer({ min: -100, max: 100 }));
  test.each<["i32" | "f32" | "f64", Record<string, Rule>, fc.Arbitrary<number>]>([
    ["i32", integerRules, fc.integer()],
    ["f32", floatRules(Math.fround), f32s],
    ["f64", floatRules((x) => x), f64s],
  ])("%s expression trees give what JavaScript gives", (type, rules, constants) => {
    const { tree } = fc.letrec<{ tree: Tree; node: Tree }>((tie) => ({
      tree: fc.oneof({ maxDepth: 6, depthSize: "medium" }, constants, tie("node")),
      node: fc
        .constantFrom(...Object.keys(rules))
        .chain((op) =>
          fc.tuple(...Array.from({ length: rules[op]?.arity ?? 0 }, () => tie("tree"))).map((args) => ({ op, args })),
        ),
    }));
    const evaluate = (t: Tree): number =>
      typeof t === "number" ? t : (rules[t.op] as Rule).evaluate(...t.args.map(evaluate));
    const emit = (f: FuncBuilder, t: Tree): void => {
      if (typeof t === "number") {
        f.op(`${type}.const`, t);
        return;
      }
      for (const arg of t.args) emit(f, arg);
      f.op(`${type}.${t.op}` as OpName);
    };
    fc.assert(
      fc.property(tree, (t) => {
        expect(compile([], [type], (f) => emit(f, t))()).toBe(evaluate(t));
      }),
      { numRuns: 300 },
    );
  });
});

describe("locals, globals, calls", () => {
  test("locals of mixed types keep their values, and released ones are reused", () => {
    const module = new ModuleBuilder();
    const f = module.func("f", ["i32"], ["f32"]);
    const [a, b, c] = [f.local("f32"), f.local("i32"), f.local("f32")];
    expect([a, b, c]).toEqual([1, 2, 3]);
    f.f32(1.5).set(a).get(0).i32(3).op("i32.mul").set(b).f32(100).set(c);
    f.release(a);
    expect(f.local("i32")).toBe(4);
    expect(f.local("f32")).toBe(a);
    f.get(a).get(b).op("f32.convert_i32_s").op("f32.add").get(c).op("f32.add");
    module.export("f", f);
    expect(instantiate(module).f?.(7)).toBe(122.5);
  });

  test("releasing a parameter or a free local is refused", () => {
    const f = new ModuleBuilder().func("f", ["i32"], []);
    const local = f.local("v128");
    f.release(local);
    expect(() => f.release(local)).toThrow(/free already/);
    expect(() => f.release(0)).toThrow(/not a parameter/);
    expect(() => f.release(9)).toThrow(DownhillError);
  });

  test("imported functions are numbered first; a function may call one declared after it", () => {
    const module = new ModuleBuilder();
    const log = module.importFunc("env", "log", ["i32"], []);
    const counter = module.global("i32", true, 40);
    const scale = module.global("f32", false, 0.1);
    const main = module.func("main", [], ["f32"]);
    const bump = module.func("bump", ["i32"], []);
    expect([log, main.index, bump.index]).toEqual([0, 1, 2]);
    bump.op("global.get", counter).get(0).op("i32.add").op("global.set", counter);
    bump.op("global.get", counter).op("call", log);
    main.i32(2).op("call", bump.index).op("global.get", scale);
    module.export("main", main);
    const seen: number[] = [];
    expect(instantiate(module, { env: { log: (x: number) => seen.push(x) } }).main?.()).toBe(Math.fround(0.1));
    expect(seen).toEqual([42]);
    expect(() => module.importFunc("env", "late", [], [])).toThrow(/before func/);
  });

  test("a trap names the function it happened in", () => {
    const module = new ModuleBuilder();
    const f = module.func("conv2d forward é", [], []).op("unreachable");
    module.export("f", f);
    try {
      instantiate(module).f?.();
      expect.unreachable();
    } catch (error) {
      expect((error as Error).stack).toContain("conv2d forward é");
    }
  });
});

describe("control", () => {
  test("a loop sums 1 to n, and leaves by its block", () => {
    const sum = compile(["i32"], ["i32"], (f) => {
      const total = f.local("i32");
      f.block((done) => {
        f.loop((again) => {
          f.get(0).op("i32.eqz").brIf(done);
          f.get(total).get(0).op("i32.add").set(total);
          f.get(0).i32(1).op("i32.sub").set(0);
          f.br(again);
        });
      }).get(total);
    });
    expect([0, 1, 10, 100_000].map((n) => sum(n))).toEqual([0, 1, 55, (100_000 * 100_001) / 2 - 2 ** 32]);
  });

  test("if with and without else; block with a result", () => {
    const f = compile(["i32"], ["i32"], (f) => {
      f.block((out) => {
        f.get(0).i32(10).op("i32.gt_s");
        f.if(() => f.i32(1000).br(out));
        f.get(0)
          .op("i32.eqz")
          .if(
            () => f.i32(-1),
            () => f.get(0).i32(2).op("i32.mul"),
            "i32",
          );
      }, "i32");
    });
    expect([f(0), f(4), f(11)]).toEqual([-1, 8, 1000]);
  });

  test("brTable picks the block", () => {
    const f = compile(["i32"], ["i32"], (f) => {
      f.block((last) => {
        f.block((b) => {
          f.block((a) => f.get(0).brTable([b, a], last));
          f.i32(100).op("return");
        });
        f.i32(200).op("return");
      });
      f.i32(300);
    });
    expect([f(0), f(1), f(2), f(-1)]).toEqual([200, 100, 300, 300]);
  });

  test("a label of a closed block or of another function is refused", () => {
    const module = new ModuleBuilder();
    const f = module.func("f", [], []);
    const g = module.func("g", [], []);
    f.block((outer) => {
      f.block(() => f.br(outer));
      g.block(() => expect(() => g.br(outer)).toThrow(/not open here/));
      f.block(() => undefined);
    });
    let stale = { height: 0 };
    f.block((label) => {
      stale = label;
    });
    f.block(() => expect(() => f.brIf(stale)).toThrow(/not open here/));
    expect(WebAssembly.validate(module.encode())).toBe(true);
  });

  test("100,000 instructions in one function", () => {
    const f = compile(["i32"], ["i32"], (f) => {
      f.get(0);
      for (let i = 0; i < 50_000; i++) f.i32(i * 3).op(i % 2 === 0 ? "i32.add" : "i32.xor");
    });
    let expected = 17;
    for (let i = 0; i < 50_000; i++) expected = i % 2 === 0 ? (expected + i * 3) | 0 : expected ^ (i * 3);
    expect(f(17)).toBe(expected);
  });
});

describe("memory", () => {
  test("loads and stores of every width, with offsets and unaligned", () => {
    const memory = newMemory();
    const view = new DataView(memory.buffer);
    compile(
      [],
      [],
      (f) => {
        f.i32(1).i32(-2).op("i32.store", 300, 1);
        f.i32(0).i32(0x1ff).op("i32.store8", 8);
        f.i32(0).op("i64.const", -5).op("i64.store", 16);
        f.i32(0).f32(1.25).op("f32.store", 24);
        f.i32(0).op("f64.const", Math.PI).op("f64.store", 32);
        f.i32(0).i32(0).op("i32.load16_u", 300).op("i32.store16", 40);
        f.i32(0).i32(0).op("i32.load8_s", 8).op("i32.store", 44);
      },
      memory,
    )();
    expect(view.getInt32(301, true)).toBe(-2);
    expect(view.getInt16(8, true)).toBe(0xff);
    expect(view.getBigInt64(16, true)).toBe(-5n);
    expect(view.getFloat32(24, true)).toBe(1.25);
    expect(view.getFloat64(32, true)).toBe(Math.PI);
    expect(view.getUint16(40, true)).toBe(0xfe00);
    expect(view.getInt32(44, true)).toBe(-1);
  });

  test("copy, fill, size, grow and data segments", () => {
    const memory = newMemory();
    const module = new ModuleBuilder();
    module.importMemory("env", "memory", 1, 1, false);
    module.data(65_530, new Uint8Array([1, 2, 0, 34, 92, 255]));
    const f = module.func("f", [], ["i32"]);
    f.i32(10).i32(65_530).i32(6).op("memory.copy");
    f.i32(12).i32(7).i32(2).op("memory.fill");
    f.op("memory.size").i32(100).op("i32.mul").i32(1).op("memory.grow").op("i32.add");
    module.export("f", f);
    expect(instantiate(module, { env: { memory } }).f?.()).toBe(99);
    expect([...new Uint8Array(memory.buffer, 9, 8)]).toEqual([0, 1, 2, 7, 7, 92, 255, 0]);
    expect(module.toText()).toContain('(data (i32.const 65530) "\\01\\02\\00\\22\\5c\\ff")');
  });
});

/** Runs `body`, which leaves one v128, over float or integer lanes that stand at 0, 16 and 32 of the memory. */
function vectorResult(body: (f: FuncBuilder) => void, ...inputs: readonly (Float32Array | Int32Array)[]): DataView {
  const memory = newMemory();
  inputs.forEach((lanes, i) => {
    new Uint8Array(memory.buffer).set(new Uint8Array(lanes.buffer), 16 * i);
  });
  const fill = (f: FuncBuilder): void => {
    f.i32(0);
    body(f);
    f.op("v128.store", 64);
  };
  compile([], [], fill, memory)();
  return new DataView(memory.buffer, 64, 16);
}
const f32Lanes = (view: DataView): number[] => [0, 4, 8, 12].map((at) => view.getFloat32(at, true));
const i32Lanes = (view: DataView): number[] => [0, 4, 8, 12].map((at) => view.getInt32(at, true));
const load = (f: FuncBuilder, index: number): FuncBuilder => f.i32(0).op("v128.load", 16 * index);

describe("SIMD", () => {
  const x = new Float32Array([1, -2.5, 3.75, 1e10]);
  const y = new Float32Array([0.5, 4, -1, 3]);
  const i = new Int32Array([1, -2, 3, 2 ** 31 - 1]);

  test.each<[string, (f: FuncBuilder) => void, number[]]>([
    ["f32x4.add", (f) => load(load(f, 0), 1).op("f32x4.add"), [1.5, 1.5, 2.75, Math.fround(1e10 + 3)]],
    ["f32x4.pmax", (f) => load(load(f, 0), 1).op("f32x4.pmax"), [1, 4, 3.75, 1e10]],
    [
      "f32x4.sqrt of abs",
      (f) => load(f, 1).op("f32x4.abs").op("f32x4.sqrt"),
      [0.5, 4, 1, 3].map((v) => Math.fround(v ** 0.5)),
    ],
    ["splat constant", (f) => f.f32x4Splat(0.1), Array(4).fill(Math.fround(0.1))],
    ["load32_splat", (f) => f.i32(0).op("v128.load32_splat", 4), Array(4).fill(-2.5)],
    ["load32_zero", (f) => f.i32(0).op("v128.load32_zero", 8), [3.75, 0, 0, 0]],
    ["load32_lane", (f) => load(f.i32(16), 0).op("v128.load32_lane", 4, 2), [1, -2.5, 4, 1e10]],
    ["replace_lane", (f) => load(f, 0).f32(9).op("f32x4.replace_lane", 3), [1, -2.5, 3.75, 9]],
    [
      "shuffle",
      (f) => load(load(f, 0), 1).op("i8x16.shuffle", 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23),
      [1, 0.5, -2.5, 4],
    ],
    [
      "bitselect of a comparison",
      (f) =>
        load(load(load(load(f, 0), 1), 0), 1)
          .op("f32x4.gt")
          .op("v128.bitselect"),
      [1, 4, 3.75, 1e10],
    ],
    ["convert_i32x4_s", (f) => load(f, 2).op("f32x4.convert_i32x4_s"), [1, -2, 3, 2 ** 31]],
  ])("%s", (_, body, expected) => {
    expect(f32Lanes(vectorResult(body, x, y, i))).toEqual(expected);
  });

  test.each<[string, (f: FuncBuilder) => void, number[]]>([
    ["i32x4.mul", (f) => load(load(f, 2), 2).op("i32x4.mul"), [1, 4, 9, 1]],
    ["trunc_sat", (f) => load(f, 0).op("i32x4.trunc_sat_f32x4_s"), [1, -2, 3, 2 ** 31 - 1]],
    ["shl", (f) => load(f, 2).i32(3).op("i32x4.shl"), [8, -16, 24, -8]],
    [
      "v128.const",
      (f) => f.op("v128.const", 1, 0, 0, 0, 0, 1, 0, 0, 255, 255, 255, 255, 0, 0, 0, 128),
      [1, 256, -1, -(2 ** 31)],
    ],
    ["i32x4Splat", (f) => f.i32x4Splat(0xfffffffe), Array(4).fill(-2)],
    [
      "u8 to i32 by load8x8_u and extend",
      (f) => f.i32(0).op("v128.load8x8_u", 36).op("i32x4.extend_low_i16x8_u"),
      [0xfe, 0xff, 0xff, 0xff],
    ],
    ["load16x4_s", (f) => f.i32(0).op("v128.load16x4_s", 32), [1, 0, -2, -1]],
    [
      "i8x16.narrow and add_sat",
      (f) => load(load(f, 2), 2).op("i16x8.narrow_i32x4_s").op("i32x4.extend_high_i16x8_s"),
      [1, -2, 3, 32767],
    ],
    ["dot_i16x8_s", (f) => load(load(f, 2), 2).op("i32x4.dot_i16x8_s"), [1, 5, 9, 1 + 32767 * 32767]],
    ["i64x2.neg", (f) => load(f, 2).op("i64x2.neg"), [-1, 1, -3, -(2 ** 31)]],
  ])("%s", (_, body, expected) => {
    expect(i32Lanes(vectorResult(body, x, y, i))).toEqual(expected);
  });

  test("f64x2, any_true, all_true, bitmask and store_lane", () => {
    const memory = newMemory();
    new Float64Array(memory.buffer).set([0.1, -3]);
    const f = compile(
      [],
      ["i32"],
      (f) => {
        load(f.i32(0), 0).op("f64x2.promote_low_f32x4").op("drop");
        load(load(f, 0), 0).op("f64x2.mul").op("v128.store64_lane", 32, 1);
        load(f, 0).op("v128.any_true");
        load(f, 2).op("i32x4.all_true").i32(10).op("i32.mul").op("i32.add");
        load(f, 0).op("i64x2.bitmask").i32(100).op("i32.mul").op("i32.add");
      },
      memory,
    );
    expect(f()).toBe(201);
    expect(new Float64Array(memory.buffer)[4]).toBe(9);
  });

  const relaxed = WebAssembly.validate(moduleWith("f32x4.relaxed_madd").module.encode());
  test.skipIf(!relaxed)("relaxed madd, nmadd, laneselect, min, max, trunc (skipped where the engine has none)", () => {
    const xyi = [x, y, i] as const;
    const three = (name: OpName): number[] =>
      f32Lanes(vectorResult((f) => load(load(load(f, 1), 1), 1).op(name), ...xyi));
    // These values are exact, so fused and unfused agree.
    expect(three("f32x4.relaxed_madd")).toEqual([0.75, 20, 0, 12]);
    expect(three("f32x4.relaxed_nmadd")).toEqual([0.25, -12, -2, -6]);
    const pair = (name: OpName): number[] => f32Lanes(vectorResult((f) => load(load(f, 0), 1).op(name), ...xyi));
    expect(pair("f32x4.relaxed_min")).toEqual([0.5, -2.5, -1, 3]);
    expect(pair("f32x4.relaxed_max")).toEqual([1, 4, 3.75, 1e10]);
    const picked = vectorResult(
      (f) =>
        load(load(load(load(f, 0), 1), 0), 1)
          .op("f32x4.lt")
          .op("i32x4.relaxed_laneselect"),
      ...xyi,
    );
    expect(f32Lanes(picked)).toEqual([0.5, -2.5, -1, 3]);
    expect(i32Lanes(vectorResult((f) => load(f, 1).op("i32x4.relaxed_trunc_f32x4_s"), ...xyi))).toEqual([0, 4, -1, 3]);
  });
});

describe("threads", () => {
  test("loads, stores and read-modify-writes on a shared memory", () => {
    const memory = newMemory(true);
    const words = new Int32Array(memory.buffer);
    words.set([10, 6, 6, 6, 5, 7, 7], 1);
    const rmw = (name: OpName, offset: number, ...operands: number[]): number | bigint =>
      compile(
        [],
        ["i32"],
        (f) => {
          f.i32(0);
          for (const operand of operands) f.i32(operand);
          f.op(name, offset);
        },
        memory,
        true,
      )();
    expect(rmw("i32.atomic.rmw.add", 4, 5)).toBe(10);
    expect(rmw("i32.atomic.rmw.sub", 8, 5)).toBe(6);
    expect(rmw("i32.atomic.rmw.and", 12, 3)).toBe(6);
    expect(rmw("i32.atomic.rmw.or", 16, 1)).toBe(6);
    expect(rmw("i32.atomic.rmw.xchg", 20, 77)).toBe(5);
    expect(rmw("i32.atomic.rmw.cmpxchg", 24, 7, 70)).toBe(7);
    expect(rmw("i32.atomic.rmw.cmpxchg", 28, 8, 70)).toBe(7);
    expect(rmw("i32.atomic.load", 4)).toBe(15);
    expect([...words.subarray(1, 8)]).toEqual([15, 1, 2, 7, 77, 70, 7]);
    compile([], [], (f) => f.i32(0).i32(-9).op("i32.atomic.store", 40).op("atomic.fence"), memory, true)();
    expect(words[10]).toBe(-9);
  });

  test("wait returns 1 on another value and 2 after its time; notify counts the woken", () => {
    const memory = newMemory(true);
    const wait = compile(
      ["i32"],
      ["i32"],
      (f) => f.i32(0).get(0).op("i64.const", 1_000_000).op("memory.atomic.wait32", 8),
      memory,
      true,
    );
    expect([wait(1), wait(0)]).toEqual([1, 2]);
    const notify = (shared: boolean): number | bigint =>
      compile([], ["i32"], (f) => f.i32(0).i32(1).op("memory.atomic.notify", 8), newMemory(shared), shared)();
    expect([notify(true), notify(false)]).toEqual([0, 0]);
  });
});

describe("refused immediates", () => {
  test.each<[OpName, number[], RegExp]>([
    ["i32.const", [2 ** 32], /expected an integer in \[-2\^31, 2\^32\)/],
    ["i32.const", [0.5], /0\.5/],
    ["i32.const", [Number.NaN], /NaN/],
    ["i64.const", [2 ** 53], /safe integer/],
    ["i32.add", [1], /got 1 immediates; expected 0/],
    ["f32.const", [], /got 0 immediates; expected 1/],
    ["local.get", [2], /expected an integer in \[0, 2\)/],
    ["global.get", [0], /expected an integer in \[0, 0\)/],
    ["call", [1], /expected an integer in \[0, 1\)/],
    ["v128.load", [-1], /offset -1/],
    ["v128.load", [2 ** 32], /offset/],
    ["v128.load", [0, 32], /align 32/],
    ["v128.load", [0, 3], /align 3/],
    ["i32.atomic.load", [0, 1], /got 2 immediates/],
    ["f32x4.extract_lane", [4], /\[0, 4\)/],
    ["v128.load32_lane", [0, 4], /\[0, 4\)/],
    ["i8x16.shuffle", Array(16).fill(32), /\[0, 32\)/],
    ["v128.const", [1, 2], /expected 16/],
    ["block" as OpName, [], /structured control/],
    ["i32.plus" as OpName, [], /opcode table/],
  ])("%s %j", (name, immediates, message) => {
    const f = new ModuleBuilder().func("f", ["i32"], []);
    f.local("f32");
    f.get(0);
    const before = [...f.body()];
    expect(() => f.op(name, ...immediates)).toThrow(message);
    expect(() => f.op(name, ...immediates)).toThrow(DownhillError);
    expect([[...f.body()], f.instructionCount]).toEqual([before, 1]);
  });

  test("a module refuses what it cannot encode", () => {
    const module = new ModuleBuilder();
    expect(() => module.data(0, new Uint8Array(1))).toThrow(/no memory/);
    expect(() => module.importMemory("env", "memory", 2, 1, false)).toThrow(/2 to 1 pages/);
    module.importMemory("env", "memory", 1, 2, false);
    expect(() => module.importMemory("env", "memory", 1, 2, false)).toThrow(/second memory/);
    expect(() => module.data(2 * 65_536, new Uint8Array(1))).toThrow(/inside the memory/);
    expect(() => module.global("i32", false, 1.5)).toThrow(/1\.5/);
    expect(() => module.global("v128", false, 0)).toThrow(/v128/);
    const f = module.func("f", [], []);
    module.export("f", f);
    expect(() => module.export("f", f)).toThrow(/twice/);
    expect(() => module.export("g", new ModuleBuilder().func("f", [], []))).toThrow(/another module/);
    expect(() =>
      f.block(() => {
        throw new Error("inside");
      }),
    ).toThrow("inside");
    expect(() => module.encode()).toThrow(/open blocks/);
  });
});

test("toText prints a module that wabt assembles to the same bytes", () => {
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", 1, 16, true);
  const log = module.importFunc("env", "log", ["f32", "i32"], []);
  module.global("i32", true, -1);
  module.global("f32", false, 0.1);
  const f = module.func("add bias", ["i32", "i32"], ["f32"]);
  const [sum, wide] = [f.local("f32"), f.local("v128")];
  f.loop((again) => {
    f.get(0).op("v128.load", 16).f32x4Splat(-0.5).op("f32x4.mul").tee(wide);
    f.op("f32x4.extract_lane", 1).set(sum);
    f.get(0).op("v128.load", 0, 4).i32x4Splat(1).op("i32x4.add").set(wide);
    f.get(1)
      .i32(1)
      .op("i32.sub")
      .tee(1)
      .if(
        () => f.br(again),
        () => f.f32(Number.NEGATIVE_INFINITY).i32(0x80000000).op("call", log),
      );
  }).block((out) => f.block((inner) => f.f32(1e-7).get(1).brTable([inner, out], out).op("drop"), "f32"), "f32");
  const same = module.func("add bias", [], []);
  same.i32(0).get(same.local("i32")).i32(3).op("memory.fill").op("atomic.fence");
  module.export("f", f);
  module.data(8, new Uint8Array([104, 105, 0]));
  expect(module.toText()).toMatchInlineSnapshot(`
    "(module
      (import "env" "memory" (memory 1 16 shared))
      (import "env" "log" (func $log (param f32 i32)))
      (global (mut i32) (i32.const -1))
      (global f32 (f32.const 0.10000000149011612))
      (func $add_bias (param i32 i32) (result f32)
        (local f32 v128)
        loop
          local.get 0
          v128.load offset=16
          v128.const f32x4 -0.5 -0.5 -0.5 -0.5
          f32x4.mul
          local.tee 3
          f32x4.extract_lane 1
          local.set 2
          local.get 0
          v128.load align=4
          v128.const i32x4 0x00000001 0x00000001 0x00000001 0x00000001
          i32x4.add
          local.set 3
          local.get 1
          i32.const 1
          i32.sub
          local.tee 1
          if
            br 1
          else
            f32.const -inf
            i32.const -2147483648
            call $log
          end
        end
        block (result f32)
          block (result f32)
            f32.const 1.0000000116860974e-7
            local.get 1
            br_table 0 1 1
            drop
          end
        end
      )
      (func $add_bias.1
        (local i32)
        i32.const 0
        local.get 0
        i32.const 3
        memory.fill
        atomic.fence
      )
      (export "f" (func $add_bias))
      (data (i32.const 8) "hi\\00")
    )
    "
  `);
  // wabt 1.0.39: wat2wasm --enable-threads of the text above, which writes no name section.
  const assembled = [
    "0061736d01000000010f0360027d7f0060027f7f017d600000021a0203656e76066d656d6f72790203011003656e76036c6f6700000303",
    "020102060e027f01417f0b7d0043cdcccc3d0b070501016600010a8801027502017d017b03402000fd000410fd0c000000bf000000bf00",
    "0000bf000000bffde6012203fd1f0121022000fd000200fd0c01000000010000000100000001000000fdae012103200141016b22010440",
    "0c010543000080ff41808080807810000b0b027d027d4395bfd63320010e020001011a0b0b0b1001017f410020004103fc0b00fe03000b",
    "0b09010041080b03686900",
  ].join("");
  const bytes = Buffer.from(module.encode()).toString("hex");
  expect(bytes.slice(0, assembled.length)).toBe(assembled);
  expect(bytes.slice(assembled.length)).toMatch(/^00[0-9a-f]{2}046e616d65/);
});
