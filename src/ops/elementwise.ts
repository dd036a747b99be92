import { type Aval, type DType, formatAval, sameShape } from "../core/dtype.ts";
import { ShapeError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import type { BinaryOp, Loops, Scalar, UnaryOp } from "../ir/loops.ts";
import { castHost, erf, mapBinary, mapUnary, roundTiesToEven, selectHost } from "./host/elementwise.ts";
import type { Primitive, Source, Vjp } from "./primitive.ts";
import type { Tensor } from "./tensor.ts";

function same(op: string, first: Aval, ...others: readonly Aval[]): void {
  for (const other of others)
    if (!sameShape(first.shape, other.shape))
      throw new ShapeError(`${op}: got ${formatAval(first)} and ${formatAval(other)}; expected one shape.`);
}

function expectDType(op: string, value: Aval, allowed: readonly DType[]): void {
  if (!allowed.includes(value.dtype))
    throw new ShapeError(
      `${op}: got ${formatAval(value)}; expected ${allowed.join(" or ")}. Use .cast("${allowed[0]}").`,
    );
}

const NUMBERS: readonly DType[] = ["f32", "i32"];
const FLOAT: readonly DType[] = ["f32"];

type UnaryRule = {
  readonly dtypes: readonly DType[];
  readonly apply: (x: number) => number;
  /** Cotangent of x from the output's cotangent, x and the output. */
  readonly vjp: "none" | ((g: Tensor, x: Tensor, y: Tensor) => Tensor);
  readonly lower?: (l: Loops, x: Scalar) => Scalar;
};

function unary(name: string, rule: UnaryRule): Primitive {
  const { vjp } = rule;
  return {
    name,
    elementwise: true,
    shape: (_, x) => {
      expectDType(name, x, rule.dtypes);
      return [x];
    },
    vjp: vjp === "none" ? "none" : ([g], _, [y], x) => [g ? vjp(g, x as Tensor, y as Tensor) : null],
    lower: (l, _, [x], index) => {
      const value = (x as Source).at(index);
      return rule.lower ? rule.lower(l, value) : l.unary(name as UnaryOp, value);
    },
    evaluate: (_, x) => [mapUnary(rule.apply, x as HostArray)],
  };
}

const zero = (l: Loops, x: Scalar): Scalar => l.constant(0, x.lane);

export const unaryPrimitives: readonly Primitive[] = [
  unary("neg", { dtypes: NUMBERS, apply: (x) => -x, vjp: (g) => g.neg() }),
  unary("abs", { dtypes: NUMBERS, apply: Math.abs, vjp: (g, x) => g.mul(x.sign()) }),
  unary("sign", {
    dtypes: NUMBERS,
    apply: Math.sign,
    vjp: "none",
    lower: (l, x) =>
      l.select(
        l.binary("gt", x, zero(l, x)),
        l.constant(1, x.lane),
        l.select(l.binary("lt", x, zero(l, x)), l.constant(-1, x.lane), x),
      ),
  }),
  unary("exp", { dtypes: FLOAT, apply: Math.exp, vjp: (g, _, y) => g.mul(y) }),
  unary("expm1", { dtypes: FLOAT, apply: Math.expm1, vjp: (g, _, y) => g.mul(y.add(1)) }),
  unary("log", { dtypes: FLOAT, apply: Math.log, vjp: (g, x) => g.div(x) }),
  unary("log1p", { dtypes: FLOAT, apply: Math.log1p, vjp: (g, x) => g.div(x.add(1)) }),
  unary("sqrt", { dtypes: FLOAT, apply: Math.sqrt, vjp: (g, _, y) => g.mul(0.5).div(y) }),
  unary("sin", { dtypes: FLOAT, apply: Math.sin, vjp: (g, x) => g.mul(x.cos()) }),
  unary("cos", { dtypes: FLOAT, apply: Math.cos, vjp: (g, x) => g.mul(x.sin().neg()) }),
  unary("tanh", { dtypes: FLOAT, apply: Math.tanh, vjp: (g, _, y) => g.mul(y.square().rsub(1)) }),
  unary("sigmoid", { dtypes: FLOAT, apply: (x) => 1 / (1 + Math.exp(-x)), vjp: (g, _, y) => g.mul(y).mul(y.rsub(1)) }),
  unary("erf", { dtypes: FLOAT, apply: erf, vjp: (g, x) => g.mul(x.square().neg().exp()).mul(2 / Math.sqrt(Math.PI)) }),
  unary("floor", { dtypes: FLOAT, apply: Math.floor, vjp: "none" }),
  unary("ceil", { dtypes: FLOAT, apply: Math.ceil, vjp: "none" }),
  unary("round", { dtypes: FLOAT, apply: roundTiesToEven, vjp: "none" }),
  // The mask is read off the output, so that only one of the two arrays is kept for the backward pass.
  unary("relu", {
    dtypes: NUMBERS,
    apply: (x) => (x > 0 || Number.isNaN(x) ? x : 0),
    vjp: (g, _, y) => y.greater(0).select(g, 0),
    lower: (l, x) => l.binary("max", x, zero(l, x)),
  }),
  unary("stopGradient", { dtypes: ["f32", "i32", "u8", "bool"], apply: (x) => x, vjp: "none", lower: (_, x) => x }),
  // A name of its own for a value, so that gradients can be taken with respect to this use of it.
  unary("alias", { dtypes: ["f32", "i32", "u8", "bool"], apply: (x) => x, vjp: (g) => g, lower: (_, x) => x }),
  {
    name: "not",
    elementwise: true,
    shape: (_, x) => {
      expectDType("not", x as Aval, ["bool"]);
      return [x as Aval];
    },
    vjp: "none",
    lower: (l, _, [x], index) => l.unary("not", (x as Source).at(index)),
    evaluate: (_, x) => [mapUnary((v) => (v ? 0 : 1), x as HostArray)],
  },
];

type BinaryRule = {
  readonly dtypes: readonly DType[];
  readonly bool?: true;
  readonly apply: (a: number, b: number, dtype: DType) => number;
  readonly vjp: "none" | ((g: Tensor, a: Tensor, b: Tensor, y: Tensor) => readonly [Tensor, Tensor]);
};

function binary(name: BinaryOp, rule: BinaryRule): Primitive {
  const { vjp } = rule;
  const derivative: Vjp = ([g], _, [y], a, b) =>
    g && vjp !== "none" ? vjp(g, a as Tensor, b as Tensor, y as Tensor) : [null, null];
  return {
    name,
    elementwise: true,
    shape: (_, a, b) => {
      expectDType(name, a as Aval, rule.dtypes);
      expectDType(name, b as Aval, [(a as Aval).dtype]);
      same(name, a as Aval, b as Aval);
      return [rule.bool ? { dtype: "bool", shape: (a as Aval).shape } : (a as Aval)];
    },
    vjp: vjp === "none" ? "none" : derivative,
    lower: (l, _, [a, b], index) => l.binary(name, (a as Source).at(index), (b as Source).at(index)),
    evaluate: (_, a, b) => {
      const dtype = (a as HostArray).dtype;
      const result = rule.bool ? "bool" : dtype;
      return [mapBinary((x, y) => Number(rule.apply(x, y, dtype)), a as HostArray, b as HostArray, result)];
    },
  };
}

/** Half to each of two equal values, all to the winner otherwise. */
function share(g: Tensor, a: Tensor, b: Tensor, wins: Tensor): readonly [Tensor, Tensor] {
  const tie = a.equal(b);
  const half = g.mul(0.5);
  return [tie.select(half, wins.select(g, 0)), tie.select(half, wins.select(0, g))];
}

const compare = (name: BinaryOp, apply: (a: number, b: number) => boolean): Primitive =>
  binary(name, {
    dtypes: ["f32", "i32", "u8", "bool"],
    bool: true,
    apply: (a, b) => (apply(a, b) ? 1 : 0),
    vjp: "none",
  });

const BITS: readonly DType[] = ["i32", "bool"];

export const binaryPrimitives: readonly Primitive[] = [
  binary("add", { dtypes: NUMBERS, apply: (a, b) => a + b, vjp: (g) => [g, g] }),
  binary("sub", { dtypes: NUMBERS, apply: (a, b) => a - b, vjp: (g) => [g, g.neg()] }),
  binary("mul", {
    dtypes: NUMBERS,
    apply: (a, b, dtype) => (dtype === "i32" ? Math.imul(a, b) : a * b),
    vjp: (g, a, b) => [g.mul(b), g.mul(a)],
  }),
  binary("div", {
    dtypes: NUMBERS,
    apply: (a, b, dtype) => (dtype === "i32" ? (b === 0 ? 0 : Math.trunc(a / b) | 0) : a / b),
    vjp: (g, _, b, y) => [g.div(b), g.mul(y).div(b).neg()],
  }),
  binary("rem", {
    dtypes: NUMBERS,
    apply: (a, b, dtype) => (dtype === "i32" && b === 0 ? 0 : a % b),
    vjp: (g, a, b) => {
      const q = a.div(b);
      return [g, g.mul(q.less(0).select(q.ceil(), q.floor())).neg()];
    },
  }),
  binary("pow", {
    dtypes: FLOAT,
    apply: (a, b) => a ** b,
    vjp: (g, a, b, y) => [
      // 0^b has slope 0 for b > 1, 1 for b = 1: pow itself gives both. d/db is 0 where a is 0.
      b.equal(0).select(0, g.mul(b).mul(a.pow(b.sub(1)))),
      a.equal(0).select(0, g.mul(y).mul(a.greater(0).select(a, 1).log())),
    ],
  }),
  binary("max", {
    dtypes: NUMBERS,
    apply: (a, b) => Math.max(a, b),
    vjp: (g, a, b) => share(g, a, b, a.greater(b)),
  }),
  binary("min", {
    dtypes: NUMBERS,
    apply: (a, b) => Math.min(a, b),
    vjp: (g, a, b) => share(g, a, b, a.less(b)),
  }),
  binary("and", { dtypes: BITS, apply: (a, b) => a & b, vjp: "none" }),
  binary("or", { dtypes: BITS, apply: (a, b) => a | b, vjp: "none" }),
  binary("xor", { dtypes: BITS, apply: (a, b) => a ^ b, vjp: "none" }),
  binary("shl", { dtypes: ["i32"], apply: (a, b) => a << b, vjp: "none" }),
  binary("shr", { dtypes: ["i32"], apply: (a, b) => (a >>> b) | 0, vjp: "none" }),
  compare("eq", (a, b) => a === b),
  compare("ne", (a, b) => a !== b),
  compare("lt", (a, b) => a < b),
  compare("le", (a, b) => a <= b),
  compare("gt", (a, b) => a > b),
  compare("ge", (a, b) => a >= b),
];

const select: Primitive = {
  name: "select",
  elementwise: true,
  shape: (_, c, a, b) => {
    expectDType("select", c as Aval, ["bool"]);
    same("select", c as Aval, a as Aval, b as Aval);
    expectDType("select", b as Aval, [(a as Aval).dtype]);
    return [a as Aval];
  },
  vjp: ([g], _params, _outputs, c) =>
    g ? [null, (c as Tensor).select(g, g.zerosLike()), (c as Tensor).select(g.zerosLike(), g)] : [null, null, null],
  lower: (l, _, inputs, index) => {
    const [c, a, b] = inputs.map((input) => input.at(index)) as [Scalar, Scalar, Scalar];
    return l.select(c, a, b);
  },
  evaluate: (_, c, a, b) => [selectHost(c as HostArray, a as HostArray, b as HostArray)],
};

const cast: Primitive<{ readonly dtype: DType }> = {
  name: "cast",
  elementwise: true,
  shape: ({ dtype }, x) => [{ dtype, shape: (x as Aval).shape }],
  vjp: ([g], { dtype }, _, x) => [g && dtype === "f32" && (x as Tensor).dtype === "f32" ? g : null],
  lower: (l, { dtype }, [x], index) => l.cast(dtype, (x as Source).at(index)),
  evaluate: ({ dtype }, x) => [castHost(x as HostArray, dtype)],
};

export const elementwisePrimitives: readonly Primitive<never>[] = [
  ...unaryPrimitives,
  ...binaryPrimitives,
  select,
  cast,
] as readonly Primitive<never>[];
