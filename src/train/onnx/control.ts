import { HostArray, newData } from "../../core/host-array.ts";
import type { OnnxGraph } from "../../io/onnx.ts";
import type { CondParams, ScanParams, WhileParams } from "../../trace/control.ts";
import type { AnyEquation, AnyProgram, AnyVar } from "./any-batch.ts";
import { type Dim, isFixed } from "./dims.ts";
import type { GraphBuilder, ResultType, Value } from "./graph.ts";

/** Adds a program's equations to the graph, and gives its outputs with exact sizes. */
export type Emit = (
  program: Pick<AnyProgram, "inputs" | "equations" | "outputs">,
  inputs: readonly Value[],
) => readonly Value[];

/** An equation with nested programs, and which of its outputs are read. */
export type Control = {
  readonly graph: GraphBuilder;
  readonly equation: AnyEquation;
  /** Values of its inputs, not yet of exact sizes. */
  readonly inputs: readonly Value[];
  readonly isRead: (output: AnyVar) => boolean;
  readonly emit: Emit;
};

/** Values of the equation's outputs; undefined for those that nothing reads. */
export type ControlRow = (control: Control) => readonly (Value | undefined)[];

const typeOf = ({ aval }: AnyVar): ResultType => ({ type: aval.dtype, dims: aval.shape });

/** The given inputs with the sizes that the program has them in. */
const exact = ({ graph, equation, inputs }: Control, from: number, to?: number): Value[] =>
  inputs.slice(from, to).map((value, i) => graph.exact(value, (equation.inputs[from + i] as AnyVar).aval.shape));

/**
 * `Scan`. Values that the body captures are read where they are, since ONNX's inner graphs see those around them. What is stacked
 * and not read is left out.
 */
const scan: ControlRow = (control) => {
  const { graph, equation, inputs, isRead, emit } = control;
  const { length, carries, xs, reverse } = equation.params as Omit<ScanParams, "length"> & { readonly length: Dim };
  const [body] = equation.programs as readonly [AnyProgram];
  const taken = exact(control, 0, carries + xs);
  const counted = xs === 0 ? [counter(graph, length)] : [];
  const elements = body.inputs.slice(0, carries + xs).map(({ value }) => typeOf(value));
  const ys = body.outputs.slice(carries);
  const keptYs = ys.filter((_, i) => isRead(equation.outputs[carries + i] as AnyVar));
  const keptBefore = equation.outputs.slice(0, carries).flatMap((_, i) => (isRead(before(i)) ? [i] : []));
  function before(i: number): AnyVar {
    return equation.outputs[carries + ys.length + i] as AnyVar;
  }
  const inner = graph.inner("scan", [...elements, ...counted.map(({ type }) => ({ type, dims: [] }))], (own) => {
    const args = [...own.slice(0, carries + xs), ...inputs.slice(carries + xs)];
    const results = emit({ ...body, outputs: [...body.outputs.slice(0, carries), ...keptYs] }, args);
    return [...results, ...keptBefore.map((i) => own[i] as Value)];
  });
  const stacked = equation.outputs.slice(carries).filter(isRead);
  const scans = xs + counted.length;
  const directions = (count: number) => ({ ints: Array.from({ length: count }, () => (reverse ? 1 : 0)) });
  const made = graph.control(
    "Scan",
    [...taken, ...counted],
    [...equation.outputs.slice(0, carries), ...stacked].map(typeOf),
    {
      body: { graph: inner },
      num_scan_inputs: { int: scans },
      scan_input_directions: directions(scans),
      ...(stacked.length === 0 ? {} : { scan_output_directions: directions(stacked.length) }),
    },
  );
  const found = [...equation.outputs.slice(0, carries), ...stacked];
  return equation.outputs.map((output) => made[found.indexOf(output)]);
};

/** What a scan over nothing goes over, since ONNX's needs something. */
function counter(graph: GraphBuilder, length: Dim): Value {
  if (!isFixed(length)) return graph.exact(graph.scalar(0, "i32"), [length]);
  return graph.constant(new HostArray("i32", [length], newData("i32", length)));
}

/** `Loop` without a limit: the condition is computed before it, and at the end of its body. */
const whileLoop: ControlRow = (control) => {
  const { graph, equation, inputs, emit } = control;
  const { carries, conditionCaptured } = equation.params as WhileParams;
  const [condition, body] = equation.programs as readonly [AnyProgram, AnyProgram];
  const first = exact(control, 0, carries);
  const holds = (state: readonly Value[]): Value =>
    emit(condition, [...state, ...inputs.slice(carries, carries + conditionCaptured)])[0] as Value;
  const types = body.inputs.slice(0, carries).map(({ value }) => typeOf(value));
  const turn = [{ type: "i64", dims: [] } as const, { type: "bool", dims: [] } as const];
  const inner = graph.inner("loop", [...turn, ...types], ([, , ...state]) => {
    const next = emit(body, [...state, ...inputs.slice(carries + conditionCaptured)]);
    return [holds(next), ...next];
  });
  return graph.control("Loop", [undefined, holds(first), ...first], types, { body: { graph: inner } });
};

const cond: ControlRow = ({ graph, equation, inputs: [condition, ...inputs], emit }) => {
  const { thenInputs } = equation.params as CondParams;
  const [yes, no] = equation.programs as readonly [AnyProgram, AnyProgram];
  const branch = (name: string, program: AnyProgram, own: readonly Value[]): { readonly graph: OnnxGraph } => ({
    graph: graph.inner(name, [], () => emit(program, own)),
  });
  return graph.control("If", [graph.exact(condition as Value, [])], equation.outputs.map(typeOf), {
    then_branch: branch("then", yes, inputs.slice(0, thenInputs)),
    else_branch: branch("else", no, inputs.slice(thenInputs)),
  });
};

const call: ControlRow = ({ equation, inputs, emit }) => emit((equation.programs as readonly [AnyProgram])[0], inputs);

export const CONTROL: { readonly [primitive: string]: ControlRow } = { scan, while: whileLoop, cond, call };
