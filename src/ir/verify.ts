import { type Aval, formatAval, sameShape } from "../core/dtype.ts";
import { DownhillError } from "../core/errors.ts";
import type { Equation, Program, Var } from "./program.ts";

/**
 * Types of an equation's outputs, as its primitive decides them; throws what the primitive throws. `null` for a name it does
 * not know, control flow excepted, which the verifier checks itself.
 */
export type ShapeRule = (equation: Equation) => readonly Aval[] | null;

/** A program that breaks an invariant: a fault of what built or rewrote it, never of the user. */
export class InvalidProgramError extends DownhillError {}

/**
 * Checks a program and those nested in it, and returns it: each variable defined once and before its uses, every use with the
 * type of its definition, equations with the types that their primitives decide, control flow with the types of its nested
 * programs, outputs defined, paths unique.
 *
 * Errors: InvalidProgramError names the equation.
 */
export function verifyProgram(program: Program, shapeOf: ShapeRule): Program {
  new Verifier(shapeOf).program(program, "program");
  return program;
}

const sameType = (a: Aval, b: Aval): boolean => a.dtype === b.dtype && sameShape(a.shape, b.shape);
const format = (avals: readonly Aval[]): string => `(${avals.map(formatAval).join(", ")})`;
const typesOf = (values: readonly { readonly value: Var }[]): Aval[] => values.map(({ value }) => value.aval);
const avalsOf = (vars: readonly Var[]): Aval[] => vars.map((v) => v.aval);

class Verifier {
  private readonly shapeOf: ShapeRule;
  constructor(shapeOf: ShapeRule) {
    this.shapeOf = shapeOf;
  }

  program(program: Program, where: string): void {
    const defined = new Map<number, Var>();
    const define = (v: Var, at: string): void => {
      if (defined.has(v.id)) fail(at, `%${v.id} is defined again`, "one definition for each variable");
      if (v.aval.shape.some((n) => !Number.isInteger(n) || n < 0))
        fail(at, formatAval(v.aval), "sizes that are whole numbers of 0 or more");
      defined.set(v.id, v);
    };
    const use = (v: Var, at: string): void => {
      const definition = defined.get(v.id);
      if (!definition) fail(at, `%${v.id} undefined`, "a value defined before its use");
      else if (!sameType(definition.aval, v.aval))
        fail(at, `%${v.id} as ${formatAval(v.aval)}`, `${formatAval(definition.aval)}, as it was defined`);
    };

    unique(where, "input", program.inputs);
    for (const { path, value } of program.inputs) define(value, `${where}, input ${path}`);
    for (const [i, equation] of program.equations.entries()) {
      const at = `${where}, equation ${i} (${equation.primitive})`;
      for (const v of equation.inputs) use(v, at);
      this.equation(equation, at);
      for (const v of equation.outputs) define(v, at);
    }
    unique(where, "output", program.outputs);
    for (const { path, value, role } of program.outputs) {
      use(value, `${where}, output ${path}`);
      const source = program.inputs.find((input) => input.path === path && input.role !== "argument");
      if (role !== "state" || !source) continue;
      if (source.role !== "state")
        fail(`${where}, output ${path}`, `an input of role ${source.role}`, "one of role state");
      if (!sameType(source.value.aval, value.aval))
        fail(`${where}, output ${path}`, formatAval(value.aval), `${formatAval(source.value.aval)}, as the input`);
    }
  }

  private equation(equation: Equation, at: string): void {
    for (const [i, nested] of (equation.programs ?? []).entries()) {
      for (const { path, role } of nested.inputs)
        if (role !== "argument") fail(at, `nested input ${path} of role ${role}`, "role argument");
      this.program(nested, `${at}, program ${i}`);
    }
    const control = CONTROL[equation.primitive];
    if (control) control(equation, at);
    else if (equation.programs !== undefined) fail(at, "nested programs", "none for this primitive");
    else match(at, "outputs", avalsOf(equation.outputs), this.expected(equation, at));
  }

  private expected(equation: Equation, at: string): readonly Aval[] {
    let avals: readonly Aval[] | null;
    try {
      avals = this.shapeOf(equation);
    } catch (error) {
      throw new InvalidProgramError(`${at}: ${error instanceof Error ? error.message : String(error)}`, equation.site);
    }
    return avals ?? fail(at, "an unknown primitive", "one of the table");
  }
}

function fail(at: string, got: string, expected: string): never {
  throw new InvalidProgramError(`${at}: got ${got}; expected ${expected}.`);
}

function unique(
  where: string,
  kind: string,
  values: readonly { readonly path: string; readonly role: string }[],
): void {
  const seen = new Set<string>();
  for (const { path, role } of values) {
    const key = kind === "output" ? `${role} ${path}` : path;
    if (seen.has(key)) fail(where, `two ${kind}s ${path}`, "one for each path");
    seen.add(key);
  }
}

function match(at: string, what: string, got: readonly Aval[], expected: readonly Aval[]): void {
  if (got.length !== expected.length || !got.every((a, i) => sameType(a, expected[i] as Aval)))
    fail(at, `${what} ${format(got)}`, format(expected));
}

function nested(equation: Equation, at: string, count: number): readonly Program[] {
  const programs = equation.programs ?? [];
  if (programs.length !== count) fail(at, `${programs.length} nested programs`, `${count}`);
  return programs;
}

function countOf(equation: Equation, at: string, name: string): number {
  const value = equation.params[name];
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0)
    return fail(at, `${name} ${String(value)}`, "a whole number of 0 or more");
  return value;
}

const BOOL: Aval = { dtype: "bool", shape: [] };

/** The order of inputs, programs and outputs stands in the table of trace/control.ts. */
const CONTROL: Readonly<Record<string, (equation: Equation, at: string) => void>> = {
  call: (equation, at) => {
    const [body] = nested(equation, at, 1) as [Program];
    match(at, "inputs", avalsOf(equation.inputs), typesOf(body.inputs));
    match(at, "outputs", avalsOf(equation.outputs), typesOf(body.outputs));
  },

  cond: (equation, at) => {
    const [yes, no] = nested(equation, at, 2) as [Program, Program];
    const thenInputs = countOf(equation, at, "thenInputs");
    const [condition, ...rest] = avalsOf(equation.inputs);
    match(at, "condition", condition ? [condition] : [], [BOOL]);
    match(at, "inputs of then", rest.slice(0, thenInputs), typesOf(yes.inputs));
    match(at, "inputs of else", rest.slice(thenInputs), typesOf(no.inputs));
    match(at, "outputs of then", avalsOf(equation.outputs), typesOf(yes.outputs));
    match(at, "outputs of else", avalsOf(equation.outputs), typesOf(no.outputs));
  },

  while: (equation, at) => {
    const [condition, body] = nested(equation, at, 2) as [Program, Program];
    const count = countOf(equation, at, "carries");
    const split = count + countOf(equation, at, "conditionCaptured");
    const inputs = avalsOf(equation.inputs);
    const carries = inputs.slice(0, count);
    match(at, "inputs of the condition", inputs.slice(0, split), typesOf(condition.inputs));
    match(at, "inputs of the body", [...carries, ...inputs.slice(split)], typesOf(body.inputs));
    match(at, "the condition", typesOf(condition.outputs), [BOOL]);
    match(at, "carries from the body", typesOf(body.outputs), carries);
    match(at, "outputs", avalsOf(equation.outputs), carries);
  },

  scan: (equation, at) => {
    const [body] = nested(equation, at, 1) as [Program];
    const length = countOf(equation, at, "length");
    const count = countOf(equation, at, "carries");
    const split = count + countOf(equation, at, "xs");
    const inputs = avalsOf(equation.inputs);
    const carries = inputs.slice(0, count);
    const stack = ({ dtype, shape }: Aval): Aval => ({ dtype, shape: [length, ...shape] });
    const parameters = typesOf(body.inputs);
    // A simplified scan hands out only some of the carries before each iteration.
    const kept = Array.isArray(equation.params.kept)
      ? equation.params.kept.map((i) => carries[i] ?? fail(at, `kept carry ${String(i)}`, `one of ${count}`))
      : carries;
    const ys = typesOf(body.outputs).slice(count);
    match(at, "carries and xs", inputs.slice(0, split), [
      ...parameters.slice(0, count),
      ...parameters.slice(count, split).map(stack),
    ]);
    match(at, "captured", inputs.slice(split), parameters.slice(split));
    match(at, "carries from the body", typesOf(body.outputs).slice(0, count), carries);
    match(at, "outputs", avalsOf(equation.outputs), [...carries, ...ys.map(stack), ...kept.map(stack)]);
  },
};
