import type { DType } from "../core/dtype.ts";

/** A loop of a kernel's nest. */
export type Loop = { readonly id: number; readonly size: number };

/** base + sum of loop * coefficient + dynamic * its coefficient: affine in the loops, plus at most one computed i32 term. */
export type Index = {
  readonly base: number;
  readonly terms: readonly (readonly [loop: Loop, coefficient: number])[];
  readonly dynamic?: { readonly value: Scalar; readonly coefficient: number };
};

export type UnaryOp =
  | "neg"
  | "abs"
  | "sqrt"
  | "floor"
  | "ceil"
  | "round"
  | "not"
  | "exp"
  | "log"
  | "log1p"
  | "expm1"
  | "tanh"
  | "sigmoid"
  | "sin"
  | "cos"
  | "erf"
  /** Reinterprets the 32 bits. */
  | "asInt"
  | "asFloat";
export type BinaryOp =
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "rem"
  | "pow"
  | "max"
  | "min"
  | "and"
  | "or"
  | "xor"
  | "shl"
  | "shr"
  | "eq"
  | "ne"
  | "lt"
  | "le"
  | "gt"
  | "ge";

/** The type of a value in a register: u8 loads as i32, bool is a mask. */
export type Lane = "f32" | "i32" | "bool";

/** An element of an array as an expression; nodes are interned by `Loops`, so equal nodes are one object. */
export type Scalar = { readonly id: number; readonly lane: Lane } & (
  | { readonly kind: "const"; readonly value: number }
  | { readonly kind: "index"; readonly index: Index }
  /** `source` numbers the kernel's operands. */
  | { readonly kind: "load"; readonly source: number; readonly dtype: DType; readonly index: readonly Index[] }
  | { readonly kind: "unary"; readonly op: UnaryOp; readonly a: Scalar }
  | { readonly kind: "binary"; readonly op: BinaryOp; readonly a: Scalar; readonly b: Scalar }
  | { readonly kind: "select"; readonly condition: Scalar; readonly a: Scalar; readonly b: Scalar }
  | { readonly kind: "cast"; readonly to: DType; readonly a: Scalar }
  /** `inside` where every index lies in [low, high), else `outside`; `inside` is never read elsewhere. */
  | { readonly kind: "guard"; readonly ranges: readonly Range[]; readonly inside: Scalar; readonly outside: Scalar }
);

export type Range = { readonly index: Index; readonly low: number; readonly high: number };

type Unidentified<S> = S extends unknown ? Omit<S, "id"> : never;

export const laneOf = (dtype: DType): Lane => (dtype === "u8" ? "i32" : dtype);

export function indexKey(index: Index): string {
  const terms = index.terms.map(([loop, c]) => `${loop.id}*${c}`).join("+");
  return `${index.base}+${terms}${index.dynamic ? `+@${index.dynamic.value.id}*${index.dynamic.coefficient}` : ""}`;
}

export function constantIndex(base: number): Index {
  return { base, terms: [] };
}

export function loopIndex(loop: Loop): Index {
  return loop.size === 1 ? constantIndex(0) : { base: 0, terms: [[loop, 1]] };
}

export function scaleIndex(index: Index, factor: number): Index {
  if (factor === 0) return constantIndex(0);
  return {
    base: index.base * factor,
    terms: index.terms.map(([loop, c]) => [loop, c * factor] as const),
    ...(index.dynamic
      ? { dynamic: { value: index.dynamic.value, coefficient: index.dynamic.coefficient * factor } }
      : {}),
  };
}

/** a + b. At most one of them may have a dynamic term, unless both have the same. */
export function addIndex(a: Index, b: Index): Index {
  const coefficients = new Map<Loop, number>(a.terms);
  for (const [loop, c] of b.terms) coefficients.set(loop, (coefficients.get(loop) ?? 0) + c);
  const terms = [...coefficients].filter(([, c]) => c !== 0).sort((x, y) => x[0].id - y[0].id);
  let dynamic = a.dynamic ?? b.dynamic;
  if (a.dynamic && b.dynamic) {
    if (a.dynamic.value !== b.dynamic.value) throw new RangeError("an index holds one computed term");
    dynamic = { value: a.dynamic.value, coefficient: a.dynamic.coefficient + b.dynamic.coefficient };
  }
  return { base: a.base + b.base, terms, ...(dynamic ? { dynamic } : {}) };
}

export function shiftIndex(index: Index, by: number): Index {
  return by === 0 ? index : { ...index, base: index.base + by };
}

/** Smallest and largest value over the loops' ranges; unbounded with a computed term. */
export function boundsOf(index: Index): readonly [number, number] {
  if (index.dynamic) return [-Infinity, Infinity];
  let low = index.base;
  let high = index.base;
  for (const [loop, c] of index.terms) {
    if (c > 0) high += c * (loop.size - 1);
    else low += c * (loop.size - 1);
  }
  return [low, high];
}

/** Builds scalar expressions; equal expressions are the same object. */
export class Loops {
  private readonly interned = new Map<string, Scalar>();
  private nextLoop = 0;

  loop(size: number): Loop {
    return { id: this.nextLoop++, size };
  }

  private intern(key: string, node: Unidentified<Scalar>): Scalar {
    const found = this.interned.get(key);
    if (found) return found;
    const made = { ...node, id: this.interned.size } as Scalar;
    this.interned.set(key, made);
    return made;
  }

  constant(value: number, lane: Lane = "f32"): Scalar {
    const key = Object.is(value, -0) ? "-0" : String(value);
    return this.intern(`c${lane}${key}`, { kind: "const", lane, value });
  }
  /** The index itself as an i32. */
  index(index: Index): Scalar {
    if (index.terms.length === 0 && !index.dynamic) return this.constant(index.base, "i32");
    return this.intern(`i${indexKey(index)}`, { kind: "index", lane: "i32", index });
  }
  load(source: number, dtype: DType, index: readonly Index[]): Scalar {
    return this.intern(`l${dtype}${source}[${index.map(indexKey)}]`, {
      kind: "load",
      lane: laneOf(dtype),
      source,
      dtype,
      index,
    });
  }
  unary(op: UnaryOp, a: Scalar): Scalar {
    const lane = op === "asInt" ? "i32" : op === "asFloat" ? "f32" : a.lane;
    return this.intern(`${op}(${a.id})`, { kind: "unary", lane, op, a });
  }
  binary(op: BinaryOp, a: Scalar, b: Scalar): Scalar {
    const compares = op === "eq" || op === "ne" || op === "lt" || op === "le" || op === "gt" || op === "ge";
    return this.intern(`${op}(${a.id},${b.id})`, { kind: "binary", lane: compares ? "bool" : a.lane, op, a, b });
  }
  select(condition: Scalar, a: Scalar, b: Scalar): Scalar {
    return this.intern(`s(${condition.id},${a.id},${b.id})`, { kind: "select", lane: a.lane, condition, a, b });
  }
  cast(to: DType, a: Scalar): Scalar {
    return this.intern(`x${to}(${a.id})`, { kind: "cast", lane: laneOf(to), to, a });
  }
  /** Ranges that always hold are dropped; one that never holds gives `outside`. */
  guard(ranges: readonly Range[], inside: () => Scalar, outside: Scalar): Scalar {
    const open = ranges.filter((r) => {
      const [low, high] = boundsOf(r.index);
      return low < r.low || high >= r.high;
    });
    if (open.some((r) => boundsOf(r.index)[1] < r.low || boundsOf(r.index)[0] >= r.high)) return outside;
    const value = inside();
    if (open.length === 0) return value;
    const key = open.map((r) => `${indexKey(r.index)}:${r.low}:${r.high}`).join(";");
    return this.intern(`g(${key})(${value.id},${outside.id})`, {
      kind: "guard",
      lane: value.lane,
      ranges: open,
      inside: value,
      outside,
    });
  }
}
