import { describe, expect, test } from "vitest";
import { type Aval, aval } from "../core/dtype.ts";
import { ShapeError } from "../core/errors.ts";
import type { Equation, Output, Program, Var } from "./program.ts";
import { InvalidProgramError, verifyProgram } from "./verify.ts";

const f32 = (...shape: number[]): Aval => aval("f32", shape);
const variable = (id: number, type: Aval): Var => ({ id, aval: type });
const equation = (
  primitive: string,
  inputs: Var[],
  outputs: Var[],
  extra: Partial<Pick<Equation, "params" | "programs">> = {},
): Equation => ({ primitive, params: {}, inputs, outputs, phase: "forward", site: "here", ...extra });
const result = (value: Var, path = "y"): Output => ({ path, value, role: "result" });
const nested = (inputs: Var[], equations: Equation[], outputs: Var[]): Program => ({
  inputs: inputs.map((value, i) => ({ path: `${i}`, value, role: "argument" })),
  equations,
  outputs: outputs.map((value, i) => result(value, `${i}`)),
});

/** neg keeps its type, sum reduces to a scalar. */
const shapeOf = (eq: Equation): readonly Aval[] | null => {
  const first = eq.inputs[0]?.aval as Aval;
  if (eq.primitive === "neg") return [first];
  if (eq.primitive === "less") return [aval("bool", first.shape)];
  if (eq.primitive === "sum") {
    if (first.shape.length === 0) throw new ShapeError("sum: got a scalar");
    return [f32()];
  }
  return null;
};

const x = variable(0, f32(3));
const y = variable(1, f32(3));
const z = variable(2, f32());
const fed = [{ path: "x", value: x, role: "feed" }] as const;
const valid: Program = {
  inputs: fed,
  equations: [equation("neg", [x], [y]), equation("sum", [y], [z])],
  outputs: [result(z)],
};

test("a valid program comes back as it is", () => {
  expect(verifyProgram(valid, shapeOf)).toBe(valid);
});

describe("faults", () => {
  const faults: readonly (readonly [string, Program, string])[] = [
    [
      "a use before its definition",
      { ...valid, equations: valid.equations.toReversed() },
      "equation 0 (sum): got %1 undefined",
    ],
    [
      "a second definition",
      { ...valid, equations: [...valid.equations, equation("neg", [x], [y])] },
      "equation 2 (neg): got %1 is defined again",
    ],
    [
      "an output that is not defined",
      { ...valid, outputs: [result(variable(9, f32()))] },
      "output y: got %9 undefined",
    ],
    [
      "a use with another type",
      { ...valid, equations: [equation("neg", [variable(0, f32(4))], [y])] },
      "got %0 as f32[4]; expected f32[3]",
    ],
    [
      "a type that the rule does not give",
      { ...valid, equations: [equation("neg", [x], [variable(1, f32(2))])] },
      "outputs (f32[2]); expected (f32[3])",
    ],
    [
      "one output too many",
      { ...valid, equations: [equation("neg", [x], [y, z])] },
      "outputs (f32[3], f32[]); expected (f32[3])",
    ],
    ["an unknown primitive", { ...valid, equations: [equation("nag", [x], [y])] }, "(nag): got an unknown primitive"],
    [
      "inputs that the primitive refuses",
      { ...valid, equations: [...valid.equations, equation("sum", [z], [variable(3, f32())])] },
      "equation 2 (sum): sum: got a scalar",
    ],
    [
      "two inputs of one path",
      { ...valid, inputs: [...fed, { path: "x", value: variable(7, f32()), role: "feed" }] },
      "got two inputs x",
    ],
    ["two outputs of one path", { ...valid, outputs: [result(z), result(y)] }, "got two outputs y"],
    [
      "a fractional size",
      { ...valid, inputs: [{ path: "x", value: variable(0, f32(1.5)), role: "feed" }] },
      "expected sizes that are whole numbers",
    ],
    [
      "nested programs where none belong",
      { ...valid, equations: [equation("neg", [x], [y], { programs: [] })] },
      "got nested programs; expected none",
    ],
    [
      "state that changes its type",
      {
        inputs: [{ path: "w", value: x, role: "state" }],
        equations: [equation("sum", [x], [z])],
        outputs: [{ path: "w", value: z, role: "state" }],
      },
      "output w: got f32[]; expected f32[3]",
    ],
    [
      "data that is written",
      {
        inputs: [{ path: "w", value: x, role: "data" }],
        equations: [],
        outputs: [{ path: "w", value: x, role: "state" }],
      },
      "got an input of role data; expected one of role state",
    ],
  ];
  test.each(faults)("%s", (_, program, text) => {
    expect(() => verifyProgram(program, shapeOf)).toThrow(InvalidProgramError);
    expect(() => verifyProgram(program, shapeOf)).toThrow(text);
  });
});

describe("control flow", () => {
  const yes = variable(3, aval("bool", []));
  const a = variable(0, f32(3));
  const b = variable(1, f32(3));
  const negate = nested([a], [equation("neg", [a], [b])], [b]);
  const program = (...equations: Equation[]): Program => ({
    inputs: [...fed, { path: "yes", value: yes, role: "feed" }],
    equations,
    outputs: [result(y)],
  });
  const scanned = (length: number, stack: number): Program => {
    const [c, t] = [variable(0, f32()), variable(1, f32(2))];
    const body = nested(
      [c, t, variable(2, f32(3))],
      [equation("neg", [c], [variable(3, f32())])],
      [variable(3, f32()), t],
    );
    const [carry, xs] = [variable(10, f32()), variable(11, f32(4, 2))];
    return {
      inputs: [carry, xs, x].map((value, i) => ({ path: `${i}`, value, role: "feed" })),
      equations: [
        equation("scan", [carry, xs, x], [variable(12, f32()), variable(13, f32(stack, 2)), variable(14, f32(stack))], {
          params: { length, carries: 1, xs: 1, reverse: false },
          programs: [body],
        }),
      ],
      outputs: [result(variable(12, f32()))],
    };
  };

  test("valid ones pass", () => {
    const call = equation("call", [x], [y], { programs: [negate] });
    const cond = equation("cond", [yes, x, x], [y], { params: { thenInputs: 1 }, programs: [negate, negate] });
    const test = nested([variable(0, f32(3)), yes], [], [yes]);
    const loop = equation("while", [x, yes], [y], {
      params: { carries: 1, conditionCaptured: 1 },
      programs: [test, negate],
    });
    for (const eq of [call, cond, loop]) expect(verifyProgram(program(eq), shapeOf).equations).toEqual([eq]);
    const scan = scanned(4, 4);
    expect(verifyProgram(scan, shapeOf)).toBe(scan);
  });
  test("types must be those of the nested programs", () => {
    const call = equation("call", [yes], [y], { programs: [negate] });
    expect(() => verifyProgram(program(call), shapeOf)).toThrow("inputs (bool[]); expected (f32[3])");
    const cond = equation("cond", [x, x, x], [y], { params: { thenInputs: 1 }, programs: [negate, negate] });
    expect(() => verifyProgram(program(cond), shapeOf)).toThrow("condition (f32[3]); expected (bool[])");
    const uneven = equation("cond", [yes, x, x], [y], { params: { thenInputs: 2 }, programs: [negate, negate] });
    expect(() => verifyProgram(program(uneven), shapeOf)).toThrow("inputs of then (f32[3], f32[3]); expected (f32[3])");
    expect(() => verifyProgram(scanned(3, 3), shapeOf)).toThrow(
      "carries and xs (f32[], f32[4,2]); expected (f32[], f32[3,2])",
    );
    expect(() => verifyProgram(scanned(4, 5), shapeOf)).toThrow(
      "outputs (f32[], f32[5,2], f32[5]); expected (f32[], f32[4,2], f32[4])",
    );
  });
  test("a loop's condition is a bool scalar and its body keeps the carries' types", () => {
    const params = { carries: 1, conditionCaptured: 0 };
    const self = nested([a], [], [a]);
    const loop = equation("while", [x], [y], { params, programs: [self, negate] });
    expect(() => verifyProgram(program(loop), shapeOf)).toThrow("the condition (f32[3]); expected (bool[])");
    const shrinking = nested([a], [equation("sum", [a], [z])], [z]);
    const ending = nested([a], [equation("sum", [a], [z]), equation("less", [z, z], [yes])], [yes]);
    const other = equation("while", [x], [y], { params, programs: [ending, shrinking] });
    expect(() => verifyProgram(program(other), shapeOf)).toThrow("carries from the body (f32[]); expected (f32[3])");
  });
  test("faults inside are found and located, and inner programs see no outer values", () => {
    const broken = nested([a], [equation("neg", [variable(5, f32(3))], [b])], [b]);
    const call = equation("call", [x], [y], { programs: [broken] });
    expect(() => verifyProgram(program(call), shapeOf)).toThrow(
      "program, equation 0 (call), program 0, equation 0 (neg): got %5 undefined",
    );
    const fedInside = { ...negate, inputs: [{ path: "x", value: a, role: "feed" } as const] };
    const other = equation("call", [x], [y], { programs: [fedInside] });
    expect(() => verifyProgram(program(other), shapeOf)).toThrow("nested input x of role feed; expected role argument");
  });
});
