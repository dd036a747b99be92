import { type DType, type HostData, sizeOf } from "../../core/dtype.ts";
import { deferred, HostArray, newData } from "../../core/host-array.ts";
import {
  ELEMENT_TYPES,
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxNode,
  type OnnxTensor,
  type OnnxType,
  type OnnxValueInfo,
} from "../../io/onnx.ts";
import { broadcastHost } from "../../ops/host/move.ts";
import { areFixed, type Dim, dimName, isFixed, sameDims, withRank } from "./dims.ts";

/**
 * A value of the graph. Its `dims` may be smaller than those of the program's value that it stands for: axes of size 1, and
 * those that are missing at the front, stand for any size, since ONNX's operators repeat them as NumPy does.
 */
export type Value = {
  readonly type: OnnxType;
  readonly dims: readonly Dim[];
  /** How many graphs its own stands in. */
  readonly level: number;
  /** Of values that are computed. */
  readonly name?: string;
  readonly constant?: HostArray;
  /** What a constant matrix is the transpose of. */
  readonly transposeOf?: Value;
};

export type ResultType = Pick<Value, "type" | "dims">;
export type Attributes = Readonly<Record<string, OnnxAttribute>>;

type Level = { readonly nodes: OnnxNode[]; readonly known: Map<string, readonly Value[]> };

/** Constants up to this many elements are told apart by their values, others by their memory. */
const COMPARED = 64;
/** Elements of a constant that may be written out instead of being computed by who runs the graph. */
export const SMALL = 4096;

/** Collects nodes and constants. Equal nodes are there once, each in the outermost graph that has its inputs. */
export class GraphBuilder {
  readonly tensors: Map<string, OnnxTensor> = new Map();
  private readonly levels: Level[] = [{ nodes: [], known: new Map() }];
  private readonly taken = new Set<string>();
  private readonly counts = new Map<string, number>();
  /** Names of constants by the memory of their elements and their shape, or by their values. */
  private readonly named = new Map<HostData | string, Map<string, string>>();
  private readonly arrays = new Map<string, HostArray>();
  private readonly weights = new Map<HostData, string>();
  /** Which weight a constant of another name is. */
  readonly variants: Map<string, string> = new Map();
  /** Sizes of computed values, by name. */
  readonly dims: Map<string, readonly Dim[]> = new Map();
  private firstInput: Value | undefined;

  /** These names are left to the graph's outputs. */
  constructor(outputs: readonly string[]) {
    for (const name of outputs) this.taken.add(name);
  }

  /** Declares an input of the model; the batch is the first axis of the first one. */
  input(name: string, type: OnnxType, dims: readonly Dim[]): Value {
    const value = { type, dims, level: 0, name: this.free(name) };
    this.firstInput ??= value;
    this.dims.set(value.name, dims);
    return value;
  }

  /** A constant that keeps this name. */
  weight(name: string, array: HostArray): Value {
    this.weights.set(array.data, name);
    return this.constant(array);
  }

  constant(array: HostArray): Value {
    return { type: array.dtype, dims: array.shape, level: 0, constant: array };
  }

  scalar(value: number, dtype: DType): Value {
    const data = newData(dtype, 1);
    data[0] = value;
    return this.constant(new HostArray(dtype, [], data));
  }

  /** A constant, by its name, under another shape of as many elements. */
  renamedShape(name: string, shape: readonly number[]): string {
    return this.nameOfArray(reshaped(this.arrays.get(name) as HostArray, shape));
  }

  /** A constant vector of whole numbers. */
  ints(values: readonly number[]): Value {
    const name = this.register(`i64 ${values}`, [values.length], "sizes", () => ({
      type: "i64",
      bytes: bytesOf(BigInt64Array.from(values, BigInt)),
    }));
    return { type: "i64", dims: [values.length], level: 0, name };
  }

  /** These sizes as a vector, of which those of the batch are read off the first input. */
  sizes(dims: readonly Dim[]): Value {
    if (areFixed(dims)) return this.ints(dims);
    const parts = dims.map((dim) => this.size(dim));
    if (parts.length === 1) return parts[0] as Value;
    return this.node("Concat", parts, { type: "i64", dims: [dims.length] }, { axis: { int: 0 } });
  }

  private size(dim: Dim): Value {
    if (isFixed(dim)) return this.ints([dim]);
    const one = { type: "i64", dims: [1] } as const;
    const start = { start: { int: 0 }, end: { int: 1 } };
    const samples = this.node("Shape", [this.firstInput as Value], one, start);
    const all = dim.perSample === 1 ? samples : this.node("Mul", [samples, this.ints([dim.perSample])], one);
    return dim.plus === 0 ? all : this.node("Add", [all, this.ints([dim.plus])], one);
  }

  /** A node with one result. */
  node(op: string, inputs: readonly Value[], result: ResultType, attributes: Attributes = {}): Value {
    return this.nodes(op, inputs, [result], attributes)[0] as Value;
  }

  nodes(
    op: string,
    inputs: readonly Value[],
    results: readonly ResultType[],
    attributes: Attributes = {},
  ): readonly Value[] {
    const level = Math.max(0, ...inputs.map((input) => input.level));
    const names = inputs.map((input) => this.nameOf(input));
    const key = JSON.stringify([op, names, attributes]);
    const { known } = this.levels[level] as Level;
    const found = known.get(key) ?? this.push(level, op, names, results, attributes);
    known.set(key, found);
    return found;
  }

  /** A node with graphs inside of it: it stands where its values are needed, and is never shared. */
  control(
    op: string,
    inputs: readonly (Value | undefined)[],
    results: readonly ResultType[],
    attributes: Attributes,
  ): readonly Value[] {
    const names = inputs.map((input) => (input === undefined ? "" : this.nameOf(input)));
    return this.push(this.levels.length - 1, op, names, results, attributes);
  }

  private push(
    level: number,
    op: string,
    inputs: readonly string[],
    results: readonly ResultType[],
    attributes: Attributes,
  ): readonly Value[] {
    const values = results.map(({ type, dims }) => ({ type, dims, level, name: this.free(op) }));
    for (const { name, dims } of values) this.dims.set(name, dims);
    (this.levels[level] as Level).nodes.push({ op, inputs, outputs: values.map(({ name }) => name), attributes });
    return values;
  }

  /** The same elements under other sizes. */
  reshape(value: Value, dims: readonly Dim[]): Value {
    if (sameDims(value.dims, dims)) return value;
    if (value.constant && areFixed(dims)) return this.constant(reshaped(value.constant, dims));
    // One size that is not known is what is left over, and ONNX finds it.
    const open = dims.filter((dim) => !isFixed(dim)).length;
    const shape = open === 1 ? this.ints(dims.map((dim) => (isFixed(dim) ? dim : -1))) : this.sizes(dims);
    return this.node("Reshape", [value, shape], { type: value.type, dims });
  }

  ranked(value: Value, rank: number): Value {
    return this.reshape(value, withRank(value.dims, rank));
  }

  /** With exactly these sizes. */
  exact(value: Value, dims: readonly Dim[]): Value {
    if (sameDims(value.dims, dims)) return value;
    if (value.constant && areFixed(dims) && sizeOf(dims) <= SMALL) return this.constant(repeated(value.constant, dims));
    return this.node("Expand", [value, this.sizes(dims)], { type: value.type, dims });
  }

  cast(value: Value, type: OnnxType): Value {
    const to = { to: { int: ELEMENT_TYPES[type] } };
    return value.type === type ? value : this.node("Cast", [value], { type, dims: value.dims }, to);
  }

  /** A graph inside of this one: `make` turns its inputs into its outputs, whose sizes are exact. */
  inner(name: string, inputs: readonly ResultType[], make: (inputs: readonly Value[]) => readonly Value[]): OnnxGraph {
    const level = this.levels.length;
    const made: Level = { nodes: [], known: new Map() };
    this.levels.push(made);
    const own = inputs.map(({ type, dims }) => ({ type, dims, level, name: this.free("in") }));
    const outputs = make(own).map(
      (value) => this.push(level, "Identity", [this.nameOf(value)], [value], {})[0] as Value,
    );
    this.levels.pop();
    return {
      name: this.free(name),
      nodes: made.nodes,
      initializers: [],
      inputs: own.map(infoOf),
      outputs: outputs.map(infoOf),
    };
  }

  /** The nodes of the outermost graph. */
  get nodesOutside(): readonly OnnxNode[] {
    return (this.levels[0] as Level).nodes;
  }

  nameOf({ name, constant }: Value): string {
    return name ?? this.nameOfArray(constant as HostArray);
  }

  private nameOfArray(array: HostArray): string {
    const { dtype, shape, data } = array;
    const weight = this.weights.get(data);
    const compared = data.length <= COMPARED && weight === undefined;
    const key = compared ? `${dtype} ${Array.from(data, (x) => (Object.is(x, -0) ? "-0" : x))}` : data;
    const name = this.register(key, shape, weight ?? "constant", () => ({
      type: dtype,
      bytes: bytesOf(stored(array)),
    }));
    this.arrays.set(name, array);
    if (weight !== undefined && name !== weight) this.variants.set(name, weight);
    return name;
  }

  private register(
    key: HostData | string,
    shape: readonly number[],
    name: string,
    make: () => Pick<OnnxTensor, "type" | "bytes">,
  ): string {
    const shapes = this.named.get(key) ?? new Map<string, string>();
    this.named.set(key, shapes);
    const known = shapes.get(`${shape}`);
    if (known !== undefined) return known;
    const made = this.free(name);
    shapes.set(`${shape}`, made);
    this.tensors.set(made, { name: made, shape, ...make() });
    return made;
  }

  /** The name, or the first of name_1, name_2, ... that is not taken. */
  private free(name: string): string {
    let free = name;
    for (let i = this.counts.get(name) ?? 0; this.taken.has(free); i++) {
      this.counts.set(name, i + 1);
      free = `${name}_${i + 1}`;
    }
    this.taken.add(free);
    return free;
  }
}

const infoOf = ({ name, type, dims }: Value): OnnxValueInfo => ({
  name: name as string,
  type,
  shape: dims.map(dimName),
});

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

const stored = ({ dtype, data }: HostArray): HostData =>
  dtype === "f32" && data instanceof Float64Array ? Float32Array.from(data) : data;

const reshaped = (array: HostArray, shape: readonly number[]): HostArray =>
  deferred(array.dtype, shape, () => array.data);

const repeated = (array: HostArray, shape: readonly number[]): HostArray =>
  broadcastHost(
    array,
    shape,
    array.shape.map((_, i) => shape.length - array.shape.length + i),
  );
