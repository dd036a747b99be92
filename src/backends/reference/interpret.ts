import { type Aval, sizeOf } from "../../core/dtype.ts";
import { DownhillError } from "../../core/errors.ts";
import { HostArray } from "../../core/host-array.ts";
import type { Equation, Phase, Program } from "../../ir/program.ts";
import { primitiveOf } from "../../ops/table.ts";
import { lastUses } from "./plan.ts";
import { allocate, inPrecision, type Precision } from "./store.ts";

/** Milliseconds of each phase, added to as equations run. */
export type Times = Record<Phase, number>;

/** Runs a program's equations in order. `values` are those of its inputs, in order and already in `precision`. */
export function interpret(
  program: Program,
  values: readonly HostArray[],
  precision: Precision,
  times?: Times,
): HostArray[] {
  const known = new Map(program.inputs.map((input, i) => [input.value.id, values[i] as HostArray]));
  const dead = lastUses(program);
  for (const [i, equation] of program.equations.entries()) {
    const start = times ? performance.now() : 0;
    const inputs = equation.inputs.map((v) => known.get(v.id) as HostArray);
    const outputs = run(equation, inputs, precision);
    for (const [k, output] of equation.outputs.entries()) known.set(output.id, outputs[k] as HostArray);
    for (const id of dead[i] as readonly number[]) known.delete(id);
    if (times) times[equation.phase] += performance.now() - start;
  }
  return program.outputs.map((output) => known.get(output.value.id) as HostArray);
}

function run(equation: Equation, inputs: readonly HostArray[], precision: Precision): readonly HostArray[] {
  const control = CONTROL[equation.primitive];
  if (control) return control(equation, inputs, precision);
  const constant = exactConstant(equation, precision);
  if (constant) return [constant];
  try {
    const results = primitiveOf(equation.primitive).evaluate(equation.params, ...inputs);
    return results.map((result) => inPrecision(result, precision));
  } catch (error) {
    if (error instanceof DownhillError || !(error instanceof Error)) throw error;
    throw new DownhillError(`${equation.primitive}: ${error.message}`, equation.site);
  }
}

/** In double precision a constant keeps all its digits, which `full` of the host would round to single. */
function exactConstant(equation: Equation, precision: Precision): HostArray | undefined {
  const aval = equation.outputs[0]?.aval;
  if (precision !== "f64" || equation.primitive !== "full" || aval?.dtype !== "f32") return undefined;
  const data = new Float64Array(sizeOf(aval.shape)).fill(equation.params.value as number);
  return new HostArray("f32", aval.shape, data);
}

type Control = (equation: Equation, inputs: readonly HostArray[], precision: Precision) => HostArray[];

const nested = (equation: Equation, which: number): Program => {
  const program = equation.programs?.[which];
  if (!program) throw new RangeError(`${equation.primitive} has no nested program ${which}`);
  return program;
};

/** Inputs, programs and outputs of each stand in the table of trace/control.ts. */
const CONTROL: Readonly<Record<string, Control>> = {
  call: (equation, inputs, precision) => interpret(nested(equation, 0), inputs, precision),

  cond: (equation, [predicate, ...operands], precision) => {
    const thenInputs = equation.params.thenInputs as number;
    return predicate?.data[0]
      ? interpret(nested(equation, 0), operands.slice(0, thenInputs), precision)
      : interpret(nested(equation, 1), operands.slice(thenInputs), precision);
  },

  while: (equation, inputs, precision) => {
    const count = equation.params.carries as number;
    const split = count + (equation.params.conditionCaptured as number);
    const [condition, body] = [nested(equation, 0), nested(equation, 1)];
    let carries = inputs.slice(0, count);
    const holds = (): boolean => {
      const [answer] = interpret(condition, [...carries, ...inputs.slice(count, split)], precision);
      return answer?.data[0] === 1;
    };
    while (holds()) carries = interpret(body, [...carries, ...inputs.slice(split)], precision);
    return carries;
  },

  scan: (equation, inputs, precision) => {
    const length = equation.params.length as number;
    const count = equation.params.carries as number;
    const split = count + (equation.params.xs as number);
    const body = nested(equation, 0);
    const xs = inputs.slice(count, split);
    const stacked = equation.outputs.slice(count).map(({ aval }) => blank(aval, precision));
    // A simplified scan hands out only some of the carries before each iteration.
    const kept = (equation.params.kept as readonly number[] | undefined) ?? inputs.slice(0, count).map((_, i) => i);
    let carries = inputs.slice(0, count);
    for (let step = 0; step < length; step++) {
      const at = equation.params.reverse ? length - 1 - step : step;
      const results = interpret(
        body,
        [...carries, ...xs.map((x) => element(x, at)), ...inputs.slice(split)],
        precision,
      );
      const rows = [...results.slice(count), ...kept.map((i) => carries[i] as HostArray)];
      for (const [k, target] of stacked.entries()) {
        const { data } = rows[k] as HostArray;
        target.data.set(data, at * data.length);
      }
      carries = results.slice(0, count);
    }
    return [...carries, ...stacked];
  },
};

const blank = ({ dtype, shape }: Aval, precision: Precision): HostArray =>
  new HostArray(dtype, shape, allocate(dtype, sizeOf(shape), precision));

/** Element `at` of the leading axis, a view. */
function element(x: HostArray, at: number): HostArray {
  const shape = x.shape.slice(1);
  const size = sizeOf(shape);
  return new HostArray(x.dtype, shape, x.data.subarray(at * size, (at + 1) * size));
}
