import type { Buffer, View } from "../../compile/kernel.ts";
import { operandsOf, partsOf } from "../../compile/scalar-parts.ts";
import { bytesOf } from "../../core/dtype.ts";
import type { BinaryOp, Index, Loop, Scalar } from "../../ir/loops.ts";
import { AddressEmitter } from "./address.ts";
import type { FuncBuilder } from "./asm/module.ts";
import type { Target } from "./kernel-code.ts";
import { lanes, scalarBinaryOp, scalarCast, vectorBinaryOp, vectorCast, vectorUnary } from "./lane-ops.ts";
import { coefficient, dependsOn, indexDependsOn } from "./nest.ts";

export type Mode = "vector" | "scalar";

type Scope = { readonly values: Map<string, number>; readonly outer: Scope | null };

/** Writes the code of scalar expressions, one element or four at a time. */
export class ExpressionEmitter extends AddressEmitter {
  readonly operands: readonly View[];
  private readonly hoisted = new Map<Scalar, number>();
  /** By the name of `max` or `min` and of its operand that does not move: what `extreme` needs beside it. */
  private readonly edges = new Map<string, number>();
  private readonly uses = new Map<Scalar, number>();
  private scope: Scope = { values: new Map(), outer: null };

  constructor(
    f: FuncBuilder,
    target: Target,
    operands: readonly View[],
    removed: ReadonlySet<number>,
    images: Loop | null,
    bases: ReadonlyMap<Buffer, number> = new Map(),
  ) {
    super(f, target, removed, images, bases);
    this.operands = operands;
  }

  countUses(roots: readonly Scalar[]): void {
    const visit = (node: Scalar): void => {
      const count = this.uses.get(node) ?? 0;
      this.uses.set(node, count + 1);
      if (count > 0) return;
      for (const part of partsOf(node)) visit(part);
    };
    for (const root of roots) visit(root);
  }

  /** Runs `body` with values remembered only inside. */
  scoped(body: () => void): void {
    this.scope = { values: new Map(), outer: this.scope };
    body();
    for (const key of this.scope.values.keys()) this.f.release(this.scope.values.get(key) as number);
    this.scope = this.scope.outer as Scope;
  }

  /**
   * Opens the innermost loop: pointers to all it touches, and values that do not change along it, get locals.
   * `start` is on the loop's local already.
   */
  enter(
    loop: Loop,
    vector: boolean,
    piece: readonly [number, number],
    accesses: readonly { readonly index: Index; readonly buffer: Buffer }[],
    roots: readonly Scalar[],
  ): void {
    this.vectorLoop = vector ? loop : null;
    this.piece = piece;
    for (const { index, buffer } of accesses) {
      const key = this.signature(index, buffer);
      // An address that is computed anew for each element has no pointer.
      if (this.pointers.has(key) || (index.dynamic && dependsOn(index.dynamic.value, loop))) continue;
      const local = this.f.local("i32");
      this.pushAddress(index, buffer, false);
      this.f.set(local);
      this.pointers.set(key, { local, step: coefficient(index, loop) * bytesOf(buffer.dtype) });
    }
    if (vector) this.hoist(roots, loop);
  }

  leave(): void {
    for (const { local } of this.pointers.values()) this.f.release(local);
    for (const local of this.hoisted.values()) this.f.release(local);
    for (const local of this.edges.values()) this.f.release(local);
    this.pointers.clear();
    this.hoisted.clear();
    this.edges.clear();
    this.vectorLoop = null;
  }

  /** Writes `body` for the elements `ahead` of the pointers. */
  atOffset(ahead: number, body: () => void): void {
    this.ahead = ahead;
    this.scoped(body);
    this.ahead = 0;
  }

  /** Constants too, however many: engines make a `v128.const` anew where it stands, and a spilled local is only a load. */
  private hoist(roots: readonly Scalar[], loop: Loop): void {
    const memo = new Map<Scalar, boolean>();
    const seen = new Set<Scalar>();
    const visit = (node: Scalar): void => {
      if (seen.has(node)) return;
      seen.add(node);
      if (!dependsOn(node, loop, memo)) {
        if (node.lane === "bool" && node.kind === "const") return;
        const local = this.f.local("v128");
        this.pushSplat(node);
        this.f.set(local);
        this.hoisted.set(node, local);
        return;
      }
      // What a changing guard protects must not be read ahead of it.
      if (node.kind === "guard" && node.ranges.some((r) => indexDependsOn(r.index, loop, memo))) {
        const decided = this.decide(node);
        if (decided !== undefined) visit(decided ? node.inside : node.outside);
        return;
      }
      for (const child of operandsOf(node)) visit(child);
      if (isExtreme(node)) for (const child of operandsOf(node)) if (this.hoisted.has(child)) this.edge(node.op, child);
    };
    for (const root of roots) visit(root);
  }

  /**
   * What corrects pmax(x, b), which is x < b ? b : x, for all x: added, -0 changes nothing, +0 makes the -0 of max(-0, +0) positive, and
   * NaN what it meets. For pmin bits are set instead: none, the sign where b is -0, or those of NaN.
   */
  private edge(op: "max" | "min", b: Scalar): void {
    const { f } = this;
    const key = `${op}${b.id}`;
    if (b.kind === "const" || this.edges.has(key)) return;
    const value = this.hoisted.get(b) as number;
    const made = f.local("v128");
    f.i32x4Splat(SIGN).get(value);
    if (op === "max") f.i32x4Splat(0).op("i32x4.eq").op("v128.andnot");
    else f.i32x4Splat(SIGN).op("i32x4.eq").op("v128.and");
    f.get(value).get(value).op("f32x4.ne").op("v128.or").set(made);
    this.edges.set(key, made);
  }

  /** The greater or the smaller of four where one side does not move: the engine takes eight instructions for `f32x4.max`. */
  private extreme(op: "max" | "min", x: Scalar, b: Scalar): boolean {
    const { f } = this;
    const edge = this.edges.get(`${op}${b.id}`);
    const constant = b.kind === "const" && !Number.isNaN(b.value) ? b.value : undefined;
    if (edge === undefined && constant === undefined) return false;
    this.vector(x);
    this.vector(b);
    f.op(op === "max" ? "f32x4.pmax" : "f32x4.pmin");
    if (edge !== undefined) f.get(edge).op(op === "max" ? "f32x4.add" : "v128.or");
    else if (op === "max" && Object.is(constant, 0)) f.i32x4Splat(~SIGN).op("v128.and");
    else if (op === "min" && Object.is(constant, -0)) f.i32x4Splat(SIGN).op("v128.or");
    return true;
  }

  private known(key: string): number | undefined {
    for (let scope: Scope | null = this.scope; scope; scope = scope.outer) {
      const local = scope.values.get(key);
      if (local !== undefined) return local;
    }
    return undefined;
  }

  private remembered(node: Scalar, mode: Mode, emit: () => void): void {
    const { f } = this;
    if ((this.uses.get(node) ?? 0) < 2 || node.kind === "const") {
      emit();
      return;
    }
    const key = `${mode}${node.id}`;
    const local = this.known(key);
    if (local !== undefined) {
      f.get(local);
      return;
    }
    emit();
    const made = f.local(mode === "vector" ? "v128" : node.lane === "f32" ? "f32" : "i32");
    f.tee(made);
    this.scope.values.set(key, made);
  }

  /** Pushes a v128 of four elements along the vector loop: f32, i32 or a mask. */
  vector(node: Scalar): void {
    const { f } = this;
    const hoisted = this.hoisted.get(node);
    if (hoisted !== undefined) {
      f.get(hoisted);
      return;
    }
    if (!this.vectorLoop || !dependsOn(node, this.vectorLoop)) {
      this.pushSplat(node);
      return;
    }
    this.remembered(node, "vector", () => this.vectorNode(node));
  }

  private pushSplat(node: Scalar): void {
    const { f } = this;
    if (node.kind === "const") {
      if (node.lane === "f32") f.f32x4Splat(node.value);
      else f.i32x4Splat(node.lane === "bool" ? (node.value ? -1 : 0) : node.value | 0);
      return;
    }
    this.scalar(node);
    if (node.lane === "f32") f.op("f32x4.splat");
    else if (node.lane === "i32") f.op("i32x4.splat");
    // 1 becomes a mask of ones.
    else f.i32(-1).op("i32.mul").op("i32x4.splat");
  }

  private vectorNode(node: Scalar): void {
    const { f } = this;
    switch (node.kind) {
      case "const":
        this.pushSplat(node);
        return;
      case "index": {
        const c = coefficient(node.index, this.vectorLoop as Loop);
        this.pushIndex(node.index);
        f.i32(c * this.ahead)
          .op("i32.add")
          .op("i32x4.splat");
        f.op("v128.const", ...lanes(0, c, 2 * c, 3 * c)).op("i32x4.add");
        return;
      }
      case "load":
        this.vectorLoad(node);
        return;
      case "unary":
        this.vector(node.a);
        vectorUnary(f, node.op, node.a.lane, this.target.together);
        return;
      case "binary":
        this.vectorBinary(node);
        return;
      case "select":
        // A mask is one instruction where a bitselect is several: relu's gradient, and the flush of denormal state.
        if (isZero(node.b)) {
          this.vector(node.a);
          this.vector(node.condition);
          f.op("v128.and");
          return;
        }
        if (isZero(node.a)) {
          this.vector(node.b);
          this.vector(node.condition);
          f.op("v128.andnot");
          return;
        }
        this.vector(node.a);
        this.vector(node.b);
        this.vector(node.condition);
        f.op("v128.bitselect");
        return;
      case "cast":
        this.vector(node.a);
        vectorCast(f, node.a.lane, node.to);
        return;
      case "guard": {
        const decided = this.decide(node);
        if (decided !== undefined) {
          this.vector(decided ? node.inside : node.outside);
          return;
        }
        this.pushRanges(node);
        f.if(
          () => this.scoped(() => this.vector(node.inside)),
          () => this.scoped(() => this.vector(node.outside)),
          "v128",
        );
        return;
      }
    }
  }

  private vectorLoad(node: Scalar & { readonly kind: "load" }): void {
    const { f } = this;
    const [index] = node.index as readonly [Index];
    const { buffer } = this.operands[node.source] as View;
    const c = coefficient(index, this.vectorLoop as Loop);
    const byte = bytesOf(buffer.dtype) === 1;
    if (c === 1) {
      const offset = this.pushAddress(index, buffer);
      if (byte) f.op("v128.load32_zero", offset, 1);
      else f.op("v128.load", offset, 4);
    } else {
      // Four strided loads; negative strides move the address instead of the immediate.
      const step = c * bytesOf(buffer.dtype);
      const address = f.local("i32");
      const offset = this.pushAddress(index, buffer);
      f.set(address);
      const lane = (i: number): number => {
        f.get(address);
        if (step < 0 && i > 0) {
          f.i32(step * i).op("i32.add");
          return offset;
        }
        return offset + step * i;
      };
      if (byte) {
        f.op("v128.const", ...lanes(0, 0, 0, 0));
        const vector = f.local("v128");
        f.set(vector);
        for (let i = 0; i < 4; i++) {
          const at = lane(i);
          f.get(vector).op("v128.load8_lane", at, i).set(vector);
        }
        f.get(vector);
        f.release(vector);
      } else {
        const at = lane(0);
        f.op("v128.load32_zero", at, 4);
        const vector = f.local("v128");
        f.set(vector);
        for (let i = 1; i < 4; i++) {
          const next = lane(i);
          f.get(vector).op("v128.load32_lane", next, i, 4).set(vector);
        }
        f.get(vector);
        f.release(vector);
      }
      f.release(address);
    }
    if (byte) f.op("i16x8.extend_low_i8x16_u").op("i32x4.extend_low_i16x8_u");
    if (buffer.dtype === "bool") f.i32x4Splat(0).op("i32x4.ne");
  }

  private vectorBinary(node: Scalar & { readonly kind: "binary" }): void {
    const { f } = this;
    const { op, a, b } = node;
    if (op === "shl" || op === "shr") {
      const count = b;
      if (count.kind === "const" || !dependsOn(count, this.vectorLoop as Loop)) {
        this.vector(a);
        this.scalar(count);
        f.op(op === "shl" ? "i32x4.shl" : "i32x4.shr_u");
        return;
      }
      this.perLane(a, b, () => f.op(op === "shl" ? "i32.shl" : "i32.shr_u"));
      return;
    }
    if (a.lane === "i32" && (op === "div" || op === "rem")) {
      this.perLane(a, b, () => f.op("call", op === "div" ? this.target.i32Div : this.target.i32Rem));
      return;
    }
    if (isExtreme(node) && this.vectorLoop) {
      const moves = (side: Scalar): boolean => dependsOn(side, this.vectorLoop as Loop);
      if (moves(a) !== moves(b) && (moves(a) ? this.extreme(node.op, a, b) : this.extreme(node.op, b, a))) return;
    }
    if (this.target.fused && a.lane === "f32" && this.fusedProduct(op, a, b)) return;
    this.vector(a);
    this.vector(b);
    f.op(vectorBinaryOp(op, a.lane));
  }

  /**
   * x y + c, or c - x y, of a product that nothing else needs. A difference of two products is left: where they are equal it is 0, which
   * one product with more digits than the other would not give.
   */
  private fusedProduct(op: BinaryOp, a: Scalar, b: Scalar): boolean {
    const { f } = this;
    const isProduct = (node: Scalar): node is Product =>
      node.kind === "binary" && node.op === "mul" && this.uses.get(node) === 1 && this.moves(node);
    const [product, rest] = op === "add" && isProduct(a) ? [a, b] : [b, a];
    if ((op !== "add" && op !== "sub") || !isProduct(product) || (op === "sub" && isMul(rest))) return false;
    this.vector(product.a);
    this.vector(product.b);
    this.vector(rest);
    f.op(op === "add" ? "f32x4.relaxed_madd" : "f32x4.relaxed_nmadd");
    return true;
  }

  private moves(node: Scalar): boolean {
    return this.vectorLoop !== null && dependsOn(node, this.vectorLoop);
  }

  /** i32 operations that SIMD lacks. */
  private perLane(a: Scalar, b: Scalar, apply: () => void): void {
    const { f } = this;
    const [x, y, result] = [f.local("v128"), f.local("v128"), f.local("v128")];
    this.vector(a);
    f.set(x);
    this.vector(b);
    f.set(y).i32x4Splat(0).set(result);
    for (let i = 0; i < 4; i++) {
      f.get(result).get(x).op("i32x4.extract_lane", i).get(y).op("i32x4.extract_lane", i);
      apply();
      f.op("i32x4.replace_lane", i).set(result);
    }
    f.get(result);
    for (const local of [x, y, result]) f.release(local);
  }

  /** Pushes one element: f32, or i32 (bool is 0 or 1). */
  scalar(node: Scalar): void {
    this.remembered(node, "scalar", () => this.scalarNode(node));
  }

  private scalarNode(node: Scalar): void {
    const { f } = this;
    switch (node.kind) {
      case "const":
        if (node.lane === "f32") f.f32(node.value);
        else f.i32(node.value | 0);
        return;
      case "index":
        this.pushIndex(node.index);
        return;
      case "load": {
        const { buffer } = this.operands[node.source] as View;
        const offset = this.pushAddress(node.index[0] as Index, buffer);
        f.op(buffer.dtype === "f32" ? "f32.load" : buffer.dtype === "i32" ? "i32.load" : "i32.load8_u", offset);
        return;
      }
      case "unary":
        this.scalarUnary(node);
        return;
      case "binary": {
        this.scalar(node.a);
        this.scalar(node.b);
        const integer = node.a.lane !== "f32";
        if (integer && node.op === "div") f.op("call", this.target.i32Div);
        else if (integer && node.op === "rem") f.op("call", this.target.i32Rem);
        else if (integer && (node.op === "max" || node.op === "min")) {
          const [x, y] = [f.local("i32"), f.local("i32")];
          f.set(y)
            .tee(x)
            .get(y)
            .get(x)
            .get(y)
            .op(node.op === "max" ? "i32.gt_s" : "i32.lt_s")
            .op("select");
          f.release(x);
          f.release(y);
        } else f.op(scalarBinaryOp(node.op, node.a.lane));
        return;
      }
      case "select":
        this.scalar(node.a);
        this.scalar(node.b);
        this.scalar(node.condition);
        f.op("select");
        return;
      case "cast":
        this.scalar(node.a);
        scalarCast(f, node.a.lane, node.to);
        return;
      case "guard": {
        const decided = this.decide(node);
        if (decided !== undefined) {
          this.scalar(decided ? node.inside : node.outside);
          return;
        }
        this.pushRanges(node);
        f.if(
          () => this.scoped(() => this.scalar(node.inside)),
          () => this.scoped(() => this.scalar(node.outside)),
          node.lane === "f32" ? "f32" : "i32",
        );
        return;
      }
    }
  }

  private scalarUnary(node: Scalar & { readonly kind: "unary" }): void {
    const { f } = this;
    const integer = node.a.lane !== "f32";
    switch (node.op) {
      case "not":
        this.scalar(node.a);
        f.op("i32.eqz");
        return;
      case "asInt":
        this.scalar(node.a);
        f.op("i32.reinterpret_f32");
        return;
      case "asFloat":
        this.scalar(node.a);
        f.op("f32.reinterpret_i32");
        return;
      case "neg":
        if (integer) f.i32(0);
        this.scalar(node.a);
        f.op(integer ? "i32.sub" : "f32.neg");
        return;
      case "abs":
        if (!integer) {
          this.scalar(node.a);
          f.op("f32.abs");
          return;
        }
        {
          const x = f.local("i32");
          this.scalar(node.a);
          f.set(x).i32(0).get(x).op("i32.sub").get(x).get(x).i32(0).op("i32.lt_s").op("select");
          f.release(x);
        }
        return;
      case "sqrt":
      case "floor":
      case "ceil":
        this.scalar(node.a);
        f.op(`f32.${node.op}`);
        return;
      case "round":
        this.scalar(node.a);
        f.op("f32.nearest");
        return;
      default:
        throw new Error(`wasm: ${node.op} was not expanded`);
    }
  }

  /** Stores four elements, or one, at an index. */
  store(buffer: Buffer, index: Index, mode: Mode, push: () => void): void {
    const { f } = this;
    const { dtype } = buffer;
    if (mode === "scalar") {
      const offset = this.pushAddress(index, buffer);
      push();
      f.op(dtype === "f32" ? "f32.store" : dtype === "i32" ? "i32.store" : "i32.store8", offset);
      return;
    }
    const byte = bytesOf(dtype) === 1;
    const c = this.vectorLoop ? coefficient(index, this.vectorLoop) : 1;
    const value = f.local("v128");
    push();
    if (dtype === "bool") f.i32x4Splat(1).op("v128.and");
    f.set(value);
    if (c === 1) {
      const offset = this.pushAddress(index, buffer);
      f.get(value);
      if (byte)
        f.op("v128.const", ...lanes(0, 0, 0, 0))
          .op("i8x16.shuffle", 0, 4, 8, 12, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16)
          .op("v128.store32_lane", offset, 0, 1);
      else f.op("v128.store", offset, 4);
    } else {
      const step = c * bytesOf(dtype);
      const address = f.local("i32");
      const offset = this.pushAddress(index, buffer);
      f.set(address);
      for (let i = 0; i < 4; i++) {
        f.get(address);
        if (step < 0 && i > 0) f.i32(step * i).op("i32.add");
        f.get(value);
        const at = step < 0 ? offset : offset + step * i;
        if (byte) f.op("v128.store8_lane", at, 4 * i);
        else f.op("v128.store32_lane", at, i, 4);
      }
      f.release(address);
    }
    f.release(value);
  }
}

const SIGN = -(2 ** 31);

type Product = Scalar & { readonly kind: "binary"; readonly op: "mul" };

const isMul = (node: Scalar): boolean => node.kind === "binary" && node.op === "mul";

type Extreme = Scalar & { readonly kind: "binary"; readonly op: "max" | "min" };

function isExtreme(node: Scalar): node is Extreme {
  return node.kind === "binary" && node.a.lane === "f32" && (node.op === "max" || node.op === "min");
}

/** All bits clear: not -0. */
function isZero(node: Scalar): boolean {
  return node.kind === "const" && Object.is(node.value, 0);
}
