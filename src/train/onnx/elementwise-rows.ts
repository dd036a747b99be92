import type { DType } from "../../core/dtype.ts";
import type { PrimitiveName } from "../../ops/table.ts";
import type { GraphBuilder, Value } from "./graph.ts";
import { elementwise, type Operand, type Row } from "./row.ts";
import type { StructureName } from "./structure-rows.ts";

/** One operator of the same meaning on the same types. */
const same =
  (op: string): Row =>
  (graph, { inputs, outputs: [out] }) => [
    elementwise(
      graph,
      op,
      inputs.map(({ value }) => value),
      out?.dtype as DType,
    ),
  ];

/** One operator on numbers, another on truth values. */
const byType =
  (numbers: string, bools: string): Row =>
  (graph, given) =>
    same(given.inputs[0]?.dtype === "bool" ? bools : numbers)(graph, given);

/** Runtimes compare f32 and i32 alone. */
const compare =
  (op: string, negated = false): Row =>
  (graph, { inputs }) => {
    const values = inputs.map(({ value }) => (value.type === "f32" ? value : graph.cast(value, "i32")));
    const found = elementwise(graph, op, values, "bool");
    return [negated ? elementwise(graph, "Not", [found], "bool") : found];
  };

/** Arithmetic on values of one type, in which numbers are scalars of that type. */
class Arithmetic {
  private readonly graph: GraphBuilder;
  private readonly type: DType;

  constructor(graph: GraphBuilder, type: DType) {
    this.graph = graph;
    this.type = type;
  }

  op(name: string, ...inputs: readonly (Value | number)[]): Value {
    return elementwise(this.graph, name, this.values(inputs), this.type);
  }

  test(name: string, ...inputs: readonly (Value | number)[]): Value {
    return elementwise(this.graph, name, this.values(inputs), "bool");
  }

  private values(inputs: readonly (Value | number)[]): Value[] {
    return inputs.map((x) => (typeof x === "number" ? this.graph.scalar(x, this.type) : x));
  }
}

const formula =
  (write: (f: Arithmetic, a: Value, b: Value) => Value): Row =>
  (graph, { inputs: [a, b], outputs: [out] }) => [
    write(new Arithmetic(graph, out?.dtype as DType), a?.value as Value, b?.value as Value),
  ];

/** Division of integers by zero is 0 here, and undefined there. */
const guarded =
  (divide: (graph: GraphBuilder, a: Value, b: Value) => Value): Row =>
  (graph, { inputs: [a, b] }) => {
    const [x, y] = [a?.value as Value, b?.value as Value];
    if (x.type === "f32") return [divide(graph, x, y)];
    const f = new Arithmetic(graph, "i32");
    const none = f.test("Equal", y, 0);
    return [f.op("Where", none, 0, divide(graph, x, f.op("Where", none, 1, y)))];
  };

const shift =
  (direction: "LEFT" | "RIGHT"): Row =>
  (graph, { inputs: [a, b] }) => {
    const words = [a, b].map((x) => graph.cast(x?.value as Value, "u32")) as [Value, Value];
    return [graph.cast(elementwise(graph, "BitShift", words, "u32", { direction: { text: direction } }), "i32")];
  };

/** All but those of `StructureName`. */
export const elementwiseRows: Readonly<Record<Exclude<PrimitiveName, StructureName>, Row>> = {
  neg: same("Neg"),
  abs: same("Abs"),
  sign: same("Sign"),
  exp: same("Exp"),
  // tanh(x / 2) (e^x + 1), which loses nothing at small x.
  expm1: formula((f, x) => f.op("Mul", f.op("Tanh", f.op("Mul", x, 0.5)), f.op("Add", f.op("Exp", x), 1))),
  log: same("Log"),
  // Of u = 1 + x: ln(u) x / (u - 1), in which the rounding of u cancels (Kahan); x where u is 1.
  log1p: formula((f, x) => {
    const u = f.op("Add", x, 1);
    const correction = f.op("Where", f.test("Less", x, 1), f.op("Div", x, f.op("Sub", u, 1)), 1);
    return f.op("Where", f.test("Equal", u, 1), x, f.op("Mul", f.op("Log", u), correction));
  }),
  sqrt: same("Sqrt"),
  sin: same("Sin"),
  cos: same("Cos"),
  tanh: same("Tanh"),
  sigmoid: same("Sigmoid"),
  erf: same("Erf"),
  floor: same("Floor"),
  ceil: same("Ceil"),
  round: same("Round"),
  relu: same("Relu"),
  stopGradient: (_, { inputs: [x] }) => [x?.value as Value],
  alias: (_, { inputs: [x] }) => [x?.value as Value],
  not: same("Not"),
  add: same("Add"),
  sub: same("Sub"),
  mul: same("Mul"),
  div: guarded((graph, a, b) => elementwise(graph, "Div", [a, b], a.type)),
  rem: guarded((graph, a, b) => elementwise(graph, "Mod", [a, b], a.type, { fmod: { int: 1 } })),
  pow: same("Pow"),
  max: same("Max"),
  min: same("Min"),
  and: byType("BitwiseAnd", "And"),
  or: byType("BitwiseOr", "Or"),
  xor: byType("BitwiseXor", "Xor"),
  shl: shift("LEFT"),
  shr: shift("RIGHT"),
  eq: compare("Equal"),
  ne: compare("Equal", true),
  lt: compare("Less"),
  le: compare("LessOrEqual"),
  gt: compare("Greater"),
  ge: compare("GreaterOrEqual"),
  select: (graph, { inputs, outputs: [out] }) => {
    const [c, a, b] = inputs.map(({ value }) => value) as [Value, Value, Value];
    if (out?.dtype !== "bool") return [elementwise(graph, "Where", [c, a, b], out?.dtype as DType)];
    const chosen = elementwise(graph, "Where", [c, graph.cast(a, "i32"), graph.cast(b, "i32")], "i32");
    return [graph.cast(chosen, "bool")];
  },
  // To bytes numbers are clamped here, and wrapped there.
  cast: (graph, { inputs: [x], outputs: [out] }) => {
    const { value, dtype } = x as Operand;
    const isCut = out?.dtype === "u8" && (dtype === "f32" || dtype === "i32");
    const f = new Arithmetic(graph, dtype);
    return [graph.cast(isCut ? f.op("Min", f.op("Max", value, 0), 255) : value, out?.dtype as DType)];
  },
};
