import type { DType } from "../../core/dtype.ts";
import type { Lane } from "../../ir/loops.ts";
import type { FuncBuilder, OpName } from "./asm/module.ts";

const COMPARE = new Set(["eq", "ne", "lt", "le", "gt", "ge"]);

/** Bytes of four i32 lanes. */
export function lanes(...values: readonly [number, number, number, number]): number[] {
  return [...new Uint8Array(Int32Array.from(values).buffer)];
}

export function vectorUnary(f: FuncBuilder, op: string, lane: Lane, together: 1 | 2): void {
  if (op === "asInt" || op === "asFloat") return;
  // V8 joins pairs of `and`, but not of `abs`.
  if (op === "abs" && lane === "f32" && together === 2) {
    f.i32x4Splat(0x7fffffff).op("v128.and");
    return;
  }
  if (op === "not") {
    f.op("v128.not");
    return;
  }
  const name = op === "round" ? "nearest" : op;
  f.op(`${lane === "f32" ? "f32x4" : "i32x4"}.${name}` as OpName);
}

export function vectorBinaryOp(op: string, lane: Lane): OpName {
  if (op === "and" || op === "or" || op === "xor") return `v128.${op}`;
  if (lane === "f32") return `f32x4.${op}` as OpName;
  if (COMPARE.has(op)) return `i32x4.${op}${op === "eq" || op === "ne" ? "" : lane === "bool" ? "_u" : "_s"}` as OpName;
  if (op === "max" || op === "min") return `i32x4.${op}_s` as OpName;
  return `i32x4.${op}` as OpName;
}

export function scalarBinaryOp(op: string, lane: Lane): OpName {
  if (lane === "f32") return `f32.${op}` as OpName;
  if (op === "shr") return "i32.shr_u";
  if (COMPARE.has(op) && op !== "eq" && op !== "ne") return `i32.${op}_s` as OpName;
  return `i32.${op}` as OpName;
}

export function vectorCast(f: FuncBuilder, from: Lane, to: DType): void {
  if (to === "f32") {
    if (from === "i32") f.op("f32x4.convert_i32x4_s");
    else if (from === "bool") f.f32x4Splat(1).op("v128.and");
    return;
  }
  if (to === "bool") {
    if (from === "f32") f.f32x4Splat(0).op("f32x4.ne");
    else if (from === "i32") f.i32x4Splat(0).op("i32x4.ne");
    return;
  }
  if (from === "f32") f.op("i32x4.trunc_sat_f32x4_s");
  else if (from === "bool") f.i32x4Splat(1).op("v128.and");
  if (to === "u8") f.i32x4Splat(0).op("i32x4.max_s").i32x4Splat(255).op("i32x4.min_s");
}

export function scalarCast(f: FuncBuilder, from: Lane, to: DType): void {
  if (to === "f32") {
    if (from !== "f32") f.op("f32.convert_i32_s");
    return;
  }
  if (to === "bool") {
    if (from === "f32") f.f32(0).op("f32.ne");
    else if (from === "i32") f.i32(0).op("i32.ne");
    return;
  }
  if (from === "f32") f.op("i32.trunc_sat_f32_s");
  if (to === "u8") {
    const x = f.local("i32");
    f.set(x).get(x).i32(0).get(x).i32(0).op("i32.gt_s").op("select");
    f.set(x).get(x).i32(255).get(x).i32(255).op("i32.lt_s").op("select");
    f.release(x);
  }
}
