import { sizeOf } from "../../src/core/dtype.ts";
import { array } from "../../src/core/host-array.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import type { ElementType, OnnxGraph, OnnxNode, OnnxTensor } from "./protobuf.ts";

/** A case that asks for what does not exist here; the message is the reason under which it is listed. */
export class Unsupported extends Error {}

/** What is known of a value while a graph is traced. */
export type Value = {
  /** Why there is no tensor, where there is none: its element type does not exist here. */
  readonly tensor: Tensor | string;
  /** What it will be, for operators that ask for a shape, axes or the like as an input. */
  readonly known?: OnnxTensor;
};

export type Outputs = Tensor | readonly (Tensor | undefined)[];

export type RunGraph = (graph: OnnxGraph, inputs: readonly Tensor[]) => readonly Tensor[];

/** One node of a graph, as its operator sees it. */
export class Call {
  readonly node: OnnxNode;
  readonly opset: number;
  /** Any tensor of the trace: constants are made from it. */
  readonly anchor: Tensor;
  readonly runGraph: RunGraph;
  private readonly values: readonly (Value | undefined)[];

  constructor(
    node: OnnxNode,
    opset: number,
    values: readonly (Value | undefined)[],
    anchor: Tensor,
    runGraph: RunGraph,
  ) {
    this.node = node;
    this.opset = opset;
    this.values = values;
    this.anchor = anchor;
    this.runGraph = runGraph;
  }

  get count(): number {
    return this.values.length;
  }
  has(i: number): boolean {
    return this.values[i] !== undefined;
  }
  wants(output: number): boolean {
    return (this.node.outputs[output] ?? "") !== "";
  }

  private value(i: number): Value {
    const value = this.values[i];
    if (value === undefined) throw new Error(`${this.node.operator}: there is no input ${i}`);
    return value;
  }
  /** The input as it is. */
  tensor(i: number): Tensor {
    const { tensor } = this.value(i);
    if (typeof tensor === "string") throw new Unsupported(tensor);
    return tensor;
  }
  /** The input as a type that has arithmetic: u8 as i32. */
  number(i: number): Tensor {
    const x = this.tensor(i);
    return x.dtype === "u8" ? x.cast("i32") : x;
  }
  all(): Tensor[] {
    return this.values.map((_, i) => this.number(i));
  }
  optional(i: number): Tensor | undefined {
    return this.has(i) ? this.tensor(i) : undefined;
  }
  /** Indices along an axis of this size; negative ones count from the end. */
  indices(i: number, size: number): Tensor {
    const at = this.number(i);
    return at.less(0).select(at.add(size), at);
  }

  /** The input's values, read while the graph is traced. */
  known(i: number): OnnxTensor {
    const { known } = this.value(i);
    if (known === undefined) throw new Unsupported("a shape or axis that depends on data");
    return known;
  }
  knownList(i: number): number[] | undefined {
    return this.has(i) ? [...this.known(i).values] : undefined;
  }
  knownNumber(i: number, byDefault: number): number {
    return this.has(i) ? (this.known(i).values[0] ?? byDefault) : byDefault;
  }
  typeOf(i: number): ElementType {
    return this.known(i).type;
  }

  attribute(name: string, byDefault: number): number {
    return this.node.attributes[name]?.number ?? byDefault;
  }
  flag(name: string, byDefault = false): boolean {
    return this.attribute(name, byDefault ? 1 : 0) !== 0;
  }
  text(name: string, byDefault: string): string {
    return this.node.attributes[name]?.text ?? byDefault;
  }
  list(name: string): readonly number[] | undefined {
    return this.node.attributes[name]?.numbers;
  }
  texts(name: string): readonly string[] | undefined {
    return this.node.attributes[name]?.texts;
  }
  graph(name: string): OnnxGraph {
    const graph = this.node.attributes[name]?.graph;
    if (graph === undefined) throw new Error(`${this.node.operator}: there is no graph ${name}`);
    return graph;
  }

  constant(value: OnnxTensor): Tensor {
    return this.anchor.constant(hostOf(value, false));
  }
  integers(values: readonly number[], shape: readonly number[] = [values.length]): Tensor {
    return this.anchor.constant(array(Int32Array.from(values), shape, "i32"));
  }
  floats(values: readonly number[], shape: readonly number[] = [values.length]): Tensor {
    return this.anchor.constant(array(Float32Array.from(values), shape, "f32"));
  }
}

const INTEGERS: readonly ElementType[] = ["int8", "int16", "int32", "int64", "uint16", "uint32", "uint64"];

/** The dtype in which values of an element type are computed: singles for floats, i32 for integers that fit. */
export function dtypeOf(type: ElementType): "f32" | "i32" | "u8" | "bool" {
  if (type === "float" || type === "double") return "f32";
  if (type === "uint8") return "u8";
  if (type === "bool") return "bool";
  if (INTEGERS.includes(type)) return "i32";
  throw new Unsupported(`element type ${type}`);
}

/** `double`: keep the doubles of a tensor of them, for the reference backend in double precision. */
export function hostOf({ type, shape, values }: OnnxTensor, double: boolean): ReturnType<typeof array> {
  const dtype = dtypeOf(type);
  if (dtype === "i32" && values.some((v) => v !== Math.trunc(v) || Math.abs(v) >= 2 ** 31))
    throw new Unsupported(`${type} values that do not fit i32`);
  if (values.length !== sizeOf(shape)) throw new Error(`${values.length} values for [${shape}]`);
  if (dtype === "f32") return array(double ? values : Float32Array.from(values), shape, dtype);
  return array(dtype === "i32" ? Int32Array.from(values) : Uint8Array.from(values), shape, dtype);
}
