import { type Shape, sizeOf } from "../../core/dtype.ts";
import { OptionError } from "../../core/errors.ts";
import { deferred, type HostArray } from "../../core/host-array.ts";
import { broadcastHost } from "../../ops/host/move.ts";
import { isPrimitive, primitiveOf } from "../../ops/table.ts";
import { type AnyEquation, type AnyProgram, type AnyVar, liveEquations } from "./any-batch.ts";
import { CONTROL } from "./control.ts";
import { areFixed, broadcastDims } from "./dims.ts";
import { type GraphBuilder, SMALL, type Value } from "./graph.ts";
import { ROWS } from "./rows.ts";

/** Adds what a program's outputs need to the graph, and gives them with exact sizes. */
export function emitProgram(
  graph: GraphBuilder,
  program: Pick<AnyProgram, "inputs" | "equations" | "outputs">,
  inputs: readonly Value[],
): readonly Value[] {
  const values = new Map(program.inputs.map(({ value }, i) => [value.id, inputs[i] as Value]));
  const at = ({ id }: AnyVar): Value => values.get(id) as Value;
  const { equations, read } = liveEquations(program);
  const isRead = ({ id }: AnyVar): boolean => read.has(id);
  for (const equation of equations) {
    const results = emitEquation(graph, equation, equation.inputs.map(at), isRead);
    equation.outputs.forEach(({ id }, i) => {
      const value = results[i];
      if (value !== undefined) values.set(id, value);
      else if (read.has(id)) throw refusal(equation, "it is part of a derivative");
    });
  }
  return program.outputs.map(({ value }) => graph.exact(at(value), value.aval.shape));
}

function emitEquation(
  graph: GraphBuilder,
  equation: AnyEquation,
  inputs: readonly Value[],
  isRead: (output: AnyVar) => boolean,
): readonly (Value | undefined)[] {
  const { primitive, params } = equation;
  const control = Object.hasOwn(CONTROL, primitive) ? CONTROL[primitive] : undefined;
  if (control)
    return control({ graph, equation, inputs, isRead, emit: (program, own) => emitProgram(graph, program, own) });
  if (!isPrimitive(primitive)) throw refusal(equation, "it is not known");
  const folded = fold(graph, equation, inputs);
  if (folded) return [folded];
  const row = ROWS[primitive];
  if (typeof row !== "function") throw refusal(equation, row.refused);
  const typed = equation.inputs.map(({ aval }, i) => ({ ...aval, value: inputs[i] as Value }));
  return row(graph, { params, inputs: typed, outputs: equation.outputs.map(({ aval }) => aval) });
}

function refusal({ primitive, site }: AnyEquation, reason: string): OptionError {
  return new OptionError(
    `exportOnnx: got ${primitive}${site === "" ? "" : ` (at ${site})`}, which has no form in ONNX: ${reason}.`,
    site,
  );
}

/** A size of the batch's is a record, and never a plain number. */
const isRecord = (value: unknown): boolean => typeof value === "object" && value !== null;

/** Primitives whose rows know more of a constant than its elements. */
const BY_ROW: ReadonlySet<string> = new Set(["broadcast", "reshape", "stopGradient", "alias", "full", "array", "iota"]);

/**
 * The value of an equation over constants alone, computed here as our own reference does: what is made of weights, however
 * large, and small tables.
 */
function fold(graph: GraphBuilder, equation: AnyEquation, inputs: readonly Value[]): Value | undefined {
  const { primitive, params, outputs } = equation;
  const constants = inputs.flatMap(({ constant }) => (constant ? [constant] : []));
  if (inputs.length === 0 || constants.length < inputs.length || outputs.length > 1 || BY_ROW.has(primitive))
    return undefined;
  if (Object.values(params).flat().some(isRecord)) return undefined;
  const definition = primitiveOf(primitive);
  const largest = Math.max(SMALL, ...constants.map(({ data }) => data.length));
  if (definition.elementwise) {
    const dims = broadcastDims(constants.map(({ shape }) => shape)) as Shape;
    if (sizeOf(dims) > largest) return undefined;
    const same = constants.map((each) =>
      broadcastHost(
        each,
        dims,
        each.shape.map((_, i) => dims.length - each.shape.length + i),
      ),
    );
    return graph.constant(definition.evaluate(params, ...same)[0] as HostArray);
  }
  const exact = equation.inputs.map(({ aval }, i) => graph.exact(inputs[i] as Value, aval.shape).constant);
  const { dtype, shape } = (outputs[0] as AnyVar).aval;
  if (!areFixed(shape) || !exact.every((each) => each !== undefined)) return undefined;
  if (
    sizeOf(shape) >
    Math.max(
      largest,
      constants.reduce((sum, { data }) => sum + data.length, 0),
    )
  )
    return undefined;
  // A weight's transpose is not made where only the weight itself is used.
  const made = deferred(dtype, shape, () => (definition.evaluate(params, ...exact)[0] as HostArray).data);
  const isTranspose = primitive === "transpose" && shape.length === 2;
  return isTranspose
    ? { ...graph.constant(made), transposeOf: graph.constant(exact[0] as HostArray) }
    : graph.constant(made);
}
