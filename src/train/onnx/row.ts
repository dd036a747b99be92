import type { DType } from "../../core/dtype.ts";
import { broadcastDims, type Dim } from "./dims.ts";
import type { Attributes, GraphBuilder, Value } from "./graph.ts";

/** A value of the program: what stands for it in the graph, and its type. */
export type Operand = { readonly value: Value; readonly dtype: DType; readonly shape: readonly Dim[] };

export type OperandType = Pick<Operand, "dtype" | "shape">;

/** What a row is given of an equation. */
export type Given<P = unknown> = {
  readonly params: P;
  readonly inputs: readonly Operand[];
  readonly outputs: readonly OperandType[];
};

/** How a primitive is written in ONNX's operators. */
export type Row<P = unknown> = {
  bivariant(graph: GraphBuilder, given: Given<P>): readonly Value[];
}["bivariant"];

/** Why a primitive is not exported. */
export type Refusal = { readonly refused: string };

/** The value with the sizes it has in the program. */
export const exactly = (graph: GraphBuilder, { value, shape }: Operand): Value => graph.exact(value, shape);

/** The value with as many axes as it has in the program, those that repeat being of size 1. */
export const ranked = (graph: GraphBuilder, { value, shape }: Operand): Value => graph.ranked(value, shape.length);

/** `ranked`, and exactly as long as in the program along these axes. */
export function exactAlong(graph: GraphBuilder, operand: Operand, axes: readonly number[]): Value {
  const value = ranked(graph, operand);
  return graph.exact(
    value,
    value.dims.map((dim, axis) => (axes.includes(axis) ? (operand.shape[axis] as Dim) : dim)),
  );
}

/** An operator that repeats sizes of 1, on inputs of one type. */
export function elementwise(
  graph: GraphBuilder,
  op: string,
  inputs: readonly Value[],
  type: Value["type"],
  attributes: Attributes = {},
): Value {
  return graph.node(op, inputs, { type, dims: broadcastDims(inputs.map(({ dims }) => dims)) }, attributes);
}
