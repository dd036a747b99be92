import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type BinaryOp, Loops, type Scalar, type UnaryOp } from "../ir/loops.ts";
import { erf } from "../ops/host/elementwise.ts";
import { expandBinary, expandUnary } from "./expand-math.ts";

const N = 200_000;
const WAYS = [
  ["apart", false],
  ["fused", true],
] as const;
/** The smallest normal number. */
const SMALLEST = 2 ** -126;

type Compiled = (...inputs: readonly Float32Array[]) => Float32Array;

/**
 * JavaScript that evaluates an expression at every element of its inputs, each operation rounded to f32. Fused, a product is
 * added before it is rounded: it is exact in double, the sum is rounded to double, then to f32.
 */
class Writer {
  private readonly lines: string[] = [];
  private readonly named = new Map<Scalar, string>();
  private readonly fused: boolean;

  constructor(fused: boolean) {
    this.fused = fused;
  }

  function(node: Scalar): Compiled {
    const result = this.at(node);
    const body = `const F = new Float32Array(1), I = new Int32Array(F.buffer), round = Math.fround;
      const asInt = (x) => (F[0] = x, I[0]), asFloat = (x) => (I[0] = x, F[0]);
      return (...inputs) => inputs[0].map((_, i) => { ${this.lines.join("\n")} return ${result}; });`;
    return new Function(body)() as Compiled;
  }

  private at(node: Scalar): string {
    const known = this.named.get(node);
    if (known) return known;
    const text = this.text(node);
    const name = `v${node.id}`;
    this.lines.push(`const ${name} = ${text};`);
    this.named.set(node, name);
    return name;
  }

  private text(node: Scalar): string {
    switch (node.kind) {
      case "const":
        expect(Object.is(node.value, node.lane === "f32" ? Math.fround(node.value) : node.value | 0)).toBe(true);
        expect(Number.isFinite(node.value)).toBe(true);
        return `${node.value}`;
      case "load":
        return `inputs[${node.source}][i]`;
      case "unary":
        return this.unary(node.op, this.at(node.a));
      case "binary":
        return this.binary(node.op, node.a, node.b);
      case "select":
        expect([node.condition.lane, node.a.lane]).toEqual(["bool", node.b.lane]);
        return `${this.at(node.condition)} ? ${this.at(node.a)} : ${this.at(node.b)}`;
      case "cast":
        expect([node.a.lane, node.to]).toEqual(["i32", "f32"]);
        return `round(${this.at(node.a)})`;
      default:
        throw new Error(`${node.kind} has no place here`);
    }
  }

  private unary(op: UnaryOp, a: string): string {
    if (op === "asInt" || op === "asFloat") return `${op}(${a})`;
    if (op === "abs" || op === "floor") return `Math.${op}(${a})`;
    if (op === "sqrt") return `round(Math.sqrt(${a}))`;
    throw new Error(`${op} is not basic`);
  }

  private binary(op: BinaryOp, left: Scalar, right: Scalar): string {
    expect(left.lane).toBe(right.lane);
    const a = this.at(left);
    const b = this.at(right);
    const compare = COMPARE[op];
    if (compare) return `${a} ${compare} ${b}`;
    const sign = op === "add" ? "+" : "-";
    if (left.lane === "f32" && this.fused && (op === "add" || op === "sub")) {
      const x = this.product(left);
      if (x) return `round(${x} ${sign} ${b})`;
      const y = this.product(right);
      if (y) return `round(${a} ${sign} ${y})`;
    }
    const text = OPERATORS[left.lane][op];
    if (!text) throw new Error(`${op} is not basic for ${left.lane}`);
    return text.replace(/\b[ab]\b/g, (side) => (side === "a" ? a : b));
  }

  private product(node: Scalar): string | null {
    return node.kind === "binary" && node.op === "mul" ? `${this.at(node.a)} * ${this.at(node.b)}` : null;
  }
}

type Texts = { readonly [op in BinaryOp]?: string };
const COMPARE: Texts = { eq: "===", ne: "!==", lt: "<", le: "<=", gt: ">", ge: ">=" };
const OPERATORS: { readonly [lane in Scalar["lane"]]: Texts } = {
  f32: {
    add: "round(a + b)",
    sub: "round(a - b)",
    mul: "round(a * b)",
    div: "round(a / b)",
    max: "Math.max(a, b)",
    min: "Math.min(a, b)",
  },
  i32: {
    add: "a + b | 0",
    sub: "a - b | 0",
    and: "a & b",
    or: "a | b",
    xor: "a ^ b",
    shl: "a << b",
    shr: "a >>> b | 0",
  },
  bool: { and: "a && b", or: "a || b", xor: "a !== b" },
};

function operations(node: Scalar): number {
  const seen = new Set<Scalar>();
  let count = 0;
  const visit = (s: Scalar): void => {
    if (seen.has(s)) return;
    seen.add(s);
    if (s.kind === "unary" && s.op !== "asInt" && s.op !== "asFloat") count++;
    if (s.kind === "binary" || s.kind === "select" || s.kind === "cast") count++;
    if (s.kind === "unary" || s.kind === "cast") visit(s.a);
    if (s.kind === "select") visit(s.condition);
    if (s.kind === "binary" || s.kind === "select") {
      visit(s.a);
      visit(s.b);
    }
  };
  visit(node);
  return count;
}

function expanded(op: UnaryOp | "pow" | "rem", b?: number): Scalar {
  const l = new Loops();
  const x = l.load(0, "f32", []);
  const y = b === undefined ? l.load(1, "f32", []) : l.constant(b);
  const node = op === "pow" || op === "rem" ? expandBinary(l, op, x, y) : expandUnary(l, op, x);
  if (!node) throw new Error(`${op} is basic`);
  return node;
}

function evaluate(node: Scalar, fused: boolean, ...inputs: readonly Float32Array[]): Float32Array {
  return new Writer(fused).function(node)(...inputs);
}
function run(op: UnaryOp | "pow" | "rem", a: readonly number[], b: readonly number[] = []): number[] {
  return [...evaluate(expanded(op), false, new Float32Array(a), new Float32Array(b))];
}

const bits = new DataView(new ArrayBuffer(4));
function ofBits(value: number): number {
  bits.setInt32(0, value);
  return bits.getFloat32(0);
}
/** The spacing of f32 numbers at x, that of the normal numbers at least. */
function spacing(x: number): number {
  bits.setFloat32(0, x);
  const exponent = Math.max(((bits.getInt32(0) >>> 23) & 255) - 127, -126);
  return 2 ** (exponent - 23);
}
/** Uniform in [0, 1): a Weyl sequence, the same on every run. */
const weyl = (i: number): number => (i * 0.6180339887498949) % 1;
const between = (low: number, high: number): Float32Array =>
  Float32Array.from({ length: N }, (_, i) => low + (high - low) * weyl(i));
/** Every magnitude alike: equal steps of the bits between two numbers of one sign. */
function magnitudes(low: number, high: number): Float32Array {
  bits.setFloat32(0, low);
  const from = bits.getInt32(0);
  bits.setFloat32(0, high);
  const to = bits.getInt32(0);
  return Float32Array.from({ length: N }, (_, i) => ofBits(Math.floor(from + (to - from) * weyl(i))));
}
const shuffled = (x: Float32Array): Float32Array => x.map((_, i) => x[(i * 7919) % x.length] as number);

/** Largest |got - exact| in ULPs of `exact`, or of `floor` where that is larger. */
function worst(got: Float32Array, exact: (i: number) => number, floor = 0): readonly [ulp: number, at: number] {
  let ulp = 0;
  let at = -1;
  for (let i = 0; i < got.length; i++) {
    const e = exact(i);
    if (Object.is(e, got[i])) continue;
    const error = Math.abs((got[i] as number) - e) / spacing(Math.max(Math.abs(e), floor));
    if (!(error <= ulp)) [ulp, at] = [Number.isNaN(error) ? Infinity : error, i];
  }
  return [ulp, at];
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

describe("expandUnary", () => {
  const even = (low: number, high: number) => () => between(low, high);
  const all = (low: number, high: number) => () => magnitudes(low, high);
  type Case = [op: UnaryOp, exact: (x: number) => number, samples: () => Float32Array, bound: number, floor: number];
  const cases: Case[] = [
    ["exp", Math.exp, even(-87.3365, 88.72283), 0.9, 0],
    ["expm1", Math.expm1, even(-20, 88.72283), 1.5, 0],
    ["expm1", Math.expm1, even(-1, 1), 1.5, 0],
    ["expm1", Math.expm1, all(-1e-38, -87), 1.5, 0],
    ["log", Math.log, all(1e-45, 3.4e38), 0.85, 0],
    ["log", Math.log, even(0.5, 2), 0.85, 0],
    ["log1p", Math.log1p, even(-0.99999, 10), 1.4, 0],
    ["log1p", Math.log1p, all(1e-38, 3.4e38), 1.4, 0],
    ["log1p", Math.log1p, all(-1e-38, -0.99999), 1.4, 0],
    ["sigmoid", sigmoid, even(-87.3, 20), 2.4, 0],
    ["sigmoid", sigmoid, even(-2, 2), 2.4, 0],
    ["tanh", Math.tanh, even(-10, 10), 1.5, 0],
    ["tanh", Math.tanh, all(1e-38, 3.4e38), 1.5, 0],
    ["erf", erf, even(-5, 5), 1.2, 0],
    ["erf", erf, all(1e-38, 3.4e38), 1.2, 0],
    ["sin", Math.sin, all(1e-38, 0.7), 1, 0],
    ["sin", Math.sin, even(-10, 10), 1.3, 0.5],
    ["sin", Math.sin, even(-51_000, 51_000), 1.3, 0.5],
    ["cos", Math.cos, even(-10, 10), 1.3, 0.5],
    ["cos", Math.cos, even(-51_000, 51_000), 1.3, 0.5],
  ];
  test.each(cases)("%s is accurate, products and sums apart or fused", (op, exact, samples, bound, floor) => {
    const x = samples();
    for (const [way, fused] of WAYS) {
      const got = evaluate(expanded(op), fused, x);
      const [ulp, at] = worst(got, (i) => exact(x[i] as number), floor);
      expect(ulp, `${way}, at ${x[at]}`).toBeLessThanOrEqual(bound);
    }
  });

  test.each([
    ["exp", 27],
    ["expm1", 34],
    ["log", 43],
    ["log1p", 49],
    ["sigmoid", 30],
    ["tanh", 46],
    ["erf", 56],
    ["sin", 38],
    ["cos", 37],
    ["pow", 118],
    ["rem", 30],
  ] as const)("%s takes %i operations", (op, count) => {
    expect(operations(expanded(op))).toBe(count);
  });

  const special = [NaN, -Infinity, -3e38, -100, -0, 0, 100, 3e38, Infinity];
  test.each<[UnaryOp, number[]]>([
    ["exp", [NaN, 0, 0, 0, 1, 1, Infinity, Infinity, Infinity]],
    ["expm1", [NaN, -1, -1, -1, -0, 0, Infinity, Infinity, Infinity]],
    [
      "log",
      [NaN, NaN, NaN, NaN, -Infinity, -Infinity, Math.fround(Math.log(100)), Math.fround(Math.log(3e38)), Infinity],
    ],
    ["log1p", [NaN, NaN, NaN, NaN, -0, 0, Math.fround(Math.log(101)), Math.fround(Math.log(3e38)), Infinity]],
    ["sigmoid", [NaN, 0, 0, 0, 0.5, 0.5, 1, 1, 1]],
    ["tanh", [NaN, -1, -1, -1, -0, 0, 1, 1, 1]],
    ["erf", [NaN, -1, -1, -1, -0, 0, 1, 1, 1]],
    ["sin", [NaN, NaN, -0, Math.fround(Math.sin(-100)), -0, 0, Math.fround(Math.sin(100)), 0, NaN]],
    ["cos", [NaN, NaN, 1, Math.fround(Math.cos(100)), 1, 1, Math.fround(Math.cos(100)), 1, NaN]],
  ])("%s of the ends of the line and of both zeros", (op, expected) => {
    expect(run(op, special)).toEqual(expected);
  });

  test("a NaN of any bits stays NaN", () => {
    const strange = new Float32Array(4);
    new Int32Array(strange.buffer).set([0x7f800001, 0x7fffffff, -1, 0xff8001ff | 0]);
    for (const op of ["exp", "expm1", "log", "log1p", "sigmoid", "tanh", "erf", "sin", "cos", "pow", "rem"] as const)
      for (const inputs of [
        [strange, new Float32Array(4).fill(2.5)],
        [new Float32Array(4).fill(2.5), strange],
      ])
        if (op === "pow" || op === "rem" || inputs[0] === strange)
          expect([...evaluate(expanded(op), false, ...inputs)]).toEqual([NaN, NaN, NaN, NaN]);
  });

  test("exp is exact where it ends", () => {
    const [low, under, high, over] = run(
      "exp",
      [-87.33654022216797, -87.3365478515625, 88.72283172607422, 88.72283935546875],
    );
    expect(low).toBeGreaterThanOrEqual(SMALLEST);
    expect(under).toBe(0);
    expect(high).toBeLessThan(Infinity);
    expect(over).toBe(Infinity);
    expect(run("expm1", [88.72283172607422, 88.72283935546875])).toEqual([high, Infinity]);
    expect(run("log1p", [-1, -1.0000001, -0.99999994])).toEqual([-Infinity, NaN, Math.fround(Math.log(2 ** -24))]);
  });

  test("results of exp and sigmoid are never denormal", () => {
    const x = between(-90, -86);
    for (const op of ["exp", "sigmoid"] as const) {
      const y = evaluate(expanded(op), false, x);
      expect(y.filter((v) => v !== 0 && v < SMALLEST)).toHaveLength(0);
      expect(y.filter((v) => v === 0).length).toBeGreaterThan(N / 2);
    }
  });

  test("tanh, erf and sin are odd, cos is even, and none leaves [-1, 1]", () => {
    fc.assert(
      fc.property(fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 }), (x) => {
        const minus = x.map((v) => -v);
        for (const op of ["tanh", "erf", "sin", "cos"] as const) {
          const y = run(op, x);
          expect(run(op, minus)).toEqual(op === "cos" ? y : y.map((v) => -v));
          expect(y.every((v) => Math.abs(v) <= 1)).toBe(true);
        }
      }),
    );
  });

  test("beyond 51,000 the angle's error is half the spacing of the arguments at most", () => {
    const x = between(51_000, 6_000_000);
    for (const op of ["sin", "cos"] as const) {
      const y = evaluate(expanded(op), false, x);
      const exact = op === "sin" ? Math.sin : Math.cos;
      expect(x.filter((v, i) => !(Math.abs((y[i] as number) - exact(v)) <= 0.51 * spacing(v) + 2e-7))).toHaveLength(0);
    }
  });

  test("Adam's bias correction -expm1(t ln beta) is right to its rounding", () => {
    for (const beta of [0.9, 0.99, 0.999, 0.9999]) {
      const t = Array.from({ length: 2000 }, (_, i) => Math.fround((i + 1) * Math.fround(Math.log(beta))));
      const y = new Float32Array(run("expm1", t));
      expect(worst(y, (i) => Math.expm1(t[i] as number))[0]).toBeLessThanOrEqual(1.5);
    }
  });

  test("basic operators are kept", () => {
    const l = new Loops();
    const x = l.load(0, "f32", []);
    for (const op of ["neg", "abs", "sqrt", "floor", "ceil", "round", "not", "asInt", "asFloat"] as const)
      expect(expandUnary(l, op, x)).toBeNull();
    for (const op of ["add", "sub", "mul", "div", "max", "min", "eq", "lt"] as const)
      expect(expandBinary(l, op, x, x)).toBeNull();
    const i = l.load(1, "i32", []);
    expect(expandBinary(l, "rem", i, i)).toBeNull();
  });
});

describe("expandBinary", () => {
  /** Bases of every magnitude, exponents evenly spread and shuffled. */
  test.each([
    ["any base, roots", 1e-38, 3.4e38, -1, 1],
    ["moderate powers", 1e-3, 1e3, -12, 12],
    ["high powers", 0.5, 2, -126, 126],
    ["bases near 1", 0.9, 1.1, -900, 900],
    ["denormal bases", 1e-45, 1e-38, -0.8, 0.8],
  ] as const)("pow is accurate: %s", (_, low, high, from, to) => {
    const a = magnitudes(low, high);
    const b = shuffled(between(from, to));
    for (const [way, fused] of WAYS) {
      const got = evaluate(expanded("pow"), fused, a, b);
      const exact = (i: number): number => {
        const y = (a[i] as number) ** (b[i] as number);
        return y < SMALLEST ? 0 : Math.fround(y) === Infinity ? Infinity : y;
      };
      const [ulp, at] = worst(got, exact);
      expect(ulp, `${way}, at ${a[at]} ** ${b[at]}`).toBeLessThanOrEqual(1.2);
    }
  });

  test("pow of signs, zeros and infinities is that of **, but 1^Infinity is 1", () => {
    const values = [
      -Infinity,
      -3,
      -2.5,
      -2,
      -1,
      -0.5,
      -0,
      0,
      0.5,
      1,
      2,
      2.5,
      3,
      2 ** 24,
      16777215,
      3e38,
      Infinity,
      NaN,
    ];
    const pairs = values.flatMap((a) => values.map((b) => [a, b] as const));
    const got = run(
      "pow",
      pairs.map(([a]) => a),
      pairs.map(([, b]) => b),
    );
    for (const [i, [a, b]] of pairs.entries()) {
      const exact = Math.abs(a) === 1 && Math.abs(b) === Infinity ? 1 : a ** b;
      const rounded = Math.abs(exact) < SMALLEST ? 0 * Math.sign(exact) : Math.fround(exact);
      const y = got[i] as number;
      if (Number.isFinite(rounded) && rounded !== 0)
        expect(Math.abs(y - exact) / spacing(exact), `${a} ** ${b}`).toBeLessThanOrEqual(1.2);
      else expect(y, `${a} ** ${b}`).toBe(rounded);
    }
  });

  test("pow with a constant exponent", () => {
    const a = [-Infinity, -3, -0, 0, 0.3, 7, 1e30, Infinity, NaN];
    for (const b of [0, 1, 2, 3, -1]) {
      const got = evaluate(expanded("pow", b), false, new Float32Array(a));
      const [ulp] = worst(got, (i) => {
        const y = Math.fround(a[i] as number) ** b;
        return Math.abs(y) > 3.5e38 ? Infinity * Math.sign(y) : y;
      });
      expect(ulp, `x ** ${b}`).toBeLessThanOrEqual(1.5);
      expect(operations(expanded("pow", b))).toBeLessThanOrEqual(2);
    }
    const positive = magnitudes(1e-38, 3.4e38);
    for (const b of [0.5, -0.5]) {
      const got = evaluate(expanded("pow", b), false, positive);
      expect(worst(got, (i) => (positive[i] as number) ** b)[0]).toBeLessThanOrEqual(1.5);
    }
  });

  test.each([
    ["small quotients", 1, 10, 1, 10],
    ["up to a million", 1, 1e6, 1, 10],
    ["up to 2^24", 1, 16777215, 1, 1.9],
    ["any magnitudes", 1e-30, 1e6, 1e-30, 1e6],
  ] as const)("rem is exact: %s", (_, low, high, from, to) => {
    const a = magnitudes(low, high);
    const b = shuffled(magnitudes(from, to)).map((v, i) => (i % 3 === 0 ? -v : v));
    for (let i = 0; i < N; i += 2) a[i] = -(a[i] as number);
    for (const [way, fused] of WAYS) {
      const got = evaluate(expanded("rem"), fused, a, b);
      const exact = (i: number): number => {
        const x = a[i] as number;
        const y = b[i] as number;
        return Math.fround(Math.abs(x / y)) >= 2 ** 24 ? 0 : x % y;
      };
      expect(
        got.findIndex((v, i) => v !== exact(i)),
        way,
      ).toBe(-1);
    }
  });

  test("rem of signs, zeros and infinities is that of %", () => {
    const values = [-Infinity, -7.5, -3, -2, -0, 0, 0.5, 2, 3, 7.5, 16777215, Infinity, NaN];
    const pairs = values.flatMap((a) => values.map((b) => [a, b] as const));
    const got = run(
      "rem",
      pairs.map(([a]) => a),
      pairs.map(([, b]) => b),
    );
    for (const [i, [a, b]] of pairs.entries())
      expect(got[i], `${a} % ${b}`).toBe(Math.abs(a / b) >= 2 ** 24 && b !== 0 && Number.isFinite(a) ? 0 : a % b);
  });
});
