import { type DType, type Shape, sizeOf } from "../../core/dtype.ts";
import { HostArray, newData } from "../../core/host-array.ts";
import type { ConvParams, PoolParams } from "../../ops/geometry.ts";
import type { OneOver } from "./any-batch.ts";
import { broadcastDims, type Dim, isFixed, productOf, sameDim, sameDims } from "./dims.ts";
import type { Attributes, GraphBuilder, Value } from "./graph.ts";
import { elementwise, exactAlong, exactly, type Given, type Operand, type Refusal, type Row, ranked } from "./row.ts";

/** The primitives that are not elementwise. */
export type StructureName =
  | "full"
  | "array"
  | "iota"
  | "reshape"
  | "transpose"
  | "broadcast"
  | "slice"
  | "unslice"
  | "pad"
  | "flip"
  | "concatenate"
  | "sum"
  | "reduceMax"
  | "reduceMin"
  | "argmax"
  | "dot"
  | "conv2d"
  | "convInputGrad"
  | "convWeightGrad"
  | "maxPool"
  | "maxUnpool"
  | "maxPick"
  | "sumPool"
  | "sumUnpool"
  | "gather"
  | "scatterAdd"
  | "randomBits";

/** Beyond every size: ends of slices that go to the end, forwards and backwards. */
const END = 2 ** 31 - 1;

const DERIVATIVE: Refusal = { refused: "it is part of a derivative" };

type Typed = { readonly dtype: DType; readonly shape: readonly Dim[] };

const full: Row<{ readonly value: number | Dim | OneOver }> = (graph, { params: { value }, outputs: [out] }) => {
  const { dtype } = out as Typed;
  if (typeof value === "number") return [graph.scalar(value, dtype)];
  const size = (dim: Dim): Value => graph.cast(graph.reshape(graph.sizes([dim]), []), dtype);
  return [
    "oneOver" in value ? elementwise(graph, "Div", [graph.scalar(1, dtype), size(value.oneOver)], dtype) : size(value),
  ];
};

const iota: Row<{ readonly axis: number }> = (graph, { params: { axis }, outputs: [out] }) => {
  const { dtype, shape } = out as Typed;
  const length = shape[axis] as Dim;
  const dims = [length, ...shape.slice(axis + 1).map(() => 1)];
  if (isFixed(length)) {
    const data = newData(dtype, length).map((_, i) => i);
    return [graph.constant(new HostArray(dtype, dims as Shape, data))];
  }
  const [zero, one] = [graph.scalar(0, "i32"), graph.scalar(1, "i32")];
  const stop = graph.cast(graph.reshape(graph.sizes([length]), []), "i32");
  const counted = graph.node("Range", [zero, stop, one], { type: "i32", dims: [length] });
  return [graph.reshape(graph.cast(counted, dtype), dims)];
};

/** Where only axes of size 1 come or go, those that repeat go on to; else the value is written out. */
const reshape: Row = (graph, { inputs: [x], outputs: [out] }) => {
  const operand = x as Operand;
  const { shape } = out as Typed;
  const kept = (dims: readonly Dim[]): Dim[] => dims.filter((dim) => dim !== 1);
  if (!sameDims(kept(operand.shape), kept(shape))) return [graph.reshape(exactly(graph, operand), shape)];
  const value = ranked(graph, operand);
  const left = value.dims.filter((_, axis) => operand.shape[axis] !== 1);
  return [
    graph.reshape(
      value,
      shape.map((dim) => (dim === 1 ? 1 : (left.shift() as Dim))),
    ),
  ];
};

const transpose: Row<{ readonly order: readonly number[] }> = (graph, { params: { order }, inputs: [x] }) => {
  const value = ranked(graph, x as Operand);
  const dims = order.map((axis) => value.dims[axis] as Dim);
  return [graph.node("Transpose", [value], { type: value.type, dims }, { perm: { ints: order } })];
};

const broadcast: Row<{ readonly axes: readonly number[] }> = (
  graph,
  { params: { axes }, inputs: [x], outputs: [out] },
) => {
  const value = ranked(graph, x as Operand);
  const rank = (out as Typed).shape.length;
  const first = axes[0] ?? rank;
  const dims = Array.from({ length: rank - first }, (_, i) => value.dims[axes.indexOf(first + i)] ?? 1);
  return [graph.reshape(value, dims)];
};

type SliceParams = Readonly<Record<"start" | "stop" | "stride", readonly Dim[]>>;

const slice: Row<SliceParams> = (graph, { params: { start, stop, stride }, inputs: [x], outputs: [out] }) => {
  const { shape } = x as Operand;
  const value = ranked(graph, x as Operand);
  const isCut = (axis: number): boolean =>
    start[axis] !== 0 || stride[axis] !== 1 || !sameDim(stop[axis] as Dim, shape[axis] as Dim);
  // An axis that repeats is as good a part of itself.
  const axes = shape
    .map((_, axis) => axis)
    .filter((axis) => isCut(axis) && sameDim(value.dims[axis] as Dim, shape[axis] as Dim));
  if (axes.length === 0) return [value];
  const at = (dims: readonly Dim[]): Value => graph.sizes(axes.map((axis) => dims[axis] as Dim));
  const ends = shape.map((size, axis) => (sameDim(stop[axis] as Dim, size) ? END : (stop[axis] as Dim)));
  const dims = value.dims.map((dim, axis) => (axes.includes(axis) ? ((out as Typed).shape[axis] as Dim) : dim));
  return [graph.node("Slice", [value, at(start), at(ends), graph.ints(axes), at(stride)], { type: value.type, dims })];
};

type PadParams = { readonly low: readonly Dim[]; readonly high: readonly Dim[]; readonly value: number };

const pad: Row<PadParams> = (graph, { params: { low, high, value: filler }, inputs: [x], outputs: [out] }) => {
  const { dtype, shape } = x as Operand;
  const axes = shape.map((_, axis) => axis).filter((axis) => low[axis] !== 0 || high[axis] !== 0);
  const value = exactAlong(graph, x as Operand, axes);
  const dims = value.dims.map((dim, axis) => (axes.includes(axis) ? ((out as Typed).shape[axis] as Dim) : dim));
  return [
    graph.node("Pad", [value, graph.sizes([...low, ...high]), graph.scalar(filler, dtype)], { type: dtype, dims }),
  ];
};

const flip: Row<{ readonly axes: readonly number[] }> = (graph, { params: { axes }, inputs: [x] }) => {
  const value = ranked(graph, x as Operand);
  const all = (n: number): Value => graph.ints(axes.map(() => n));
  return [graph.node("Slice", [value, all(-1), all(-END), graph.ints(axes), all(-1)], value)];
};

const concatenate: Row<{ readonly axis: number }> = (graph, { params: { axis }, inputs, outputs: [out] }) => {
  const { dtype, shape } = out as Typed;
  const values = inputs.map((input) => exactly(graph, input));
  return [graph.node("Concat", values, { type: dtype, dims: shape }, { axis: { int: axis } })];
};

const reduction =
  (op: string): Row<{ readonly axes: readonly number[] }> =>
  (graph, { params: { axes }, inputs: [x] }) => {
    const value = exactAlong(graph, x as Operand, axes);
    const dims = value.dims.filter((_, axis) => !axes.includes(axis));
    return [graph.node(op, [value, graph.ints(axes)], { type: value.type, dims }, { keepdims: { int: 0 } })];
  };

const argmax: Row<{ readonly axis: number }> = (graph, { params: { axis }, inputs: [x] }) => {
  const value = exactAlong(graph, x as Operand, [axis]);
  const dims = value.dims.filter((_, each) => each !== axis);
  const attributes = { axis: { int: axis }, keepdims: { int: 0 } };
  return [graph.cast(graph.node("ArgMax", [value], { type: "i64", dims }, attributes), "i32")];
};

/** Of matrices `Gemm`, which takes a transposed one as it is; of more axes `MatMul`, which repeats those in front. */
const dot: Row = (graph, { inputs, outputs: [out] }) => {
  const [a, b] = inputs as [Operand, Operand];
  const { shape } = out as Typed;
  const rank = shape.length;
  if (rank === 2) {
    const { transposeOf } = b.value;
    const right = transposeOf ?? exactly(graph, b);
    const attributes: Attributes = transposeOf ? { transB: { int: 1 } } : {};
    return [graph.node("Gemm", [exactly(graph, a), right], { type: "f32", dims: shape }, attributes)];
  }
  const [left, right] = [a, b].map((x) => exactAlong(graph, x, [rank - 2, rank - 1])) as [Value, Value];
  const lead = broadcastDims([left.dims.slice(0, -2), right.dims.slice(0, -2)]);
  return [graph.node("MatMul", [left, right], { type: "f32", dims: [...lead, ...shape.slice(-2)] })];
};

type Geometry = Pick<ConvParams, "stride" | "padding">;

/** ONNX has all that comes before the axes first, then all that comes after them. */
const geometry = ({ stride, padding: [[top, bottom], [left, right]] }: Geometry): Attributes => ({
  strides: { ints: stride },
  pads: { ints: [top, left, bottom, right] },
});

const conv = ({ params, inputs: [, w] }: Given<ConvParams>): Attributes => ({
  ...geometry(params),
  kernel_shape: { ints: (w as Operand).shape.slice(2) as Shape },
  dilations: { ints: params.dilation },
  group: { int: params.groups },
});

const conv2d: Row<ConvParams> = (graph, given) => {
  const inputs = given.inputs.map((input) => exactly(graph, input));
  return [graph.node("Conv", inputs, { type: "f32", dims: (given.outputs[0] as Typed).shape }, conv(given))];
};

const convInputGrad: Row<ConvParams> = (graph, given) => {
  const { params, inputs, outputs } = given;
  const [x, w] = inputs as [Operand, Operand];
  const { shape } = outputs[0] as Typed;
  // What of the output no window reaches.
  const extra = ([0, 1] as const).map((i) => {
    const [size, input, kernel] = [shape, x.shape, w.shape].map((dims) => dims[2 + i] as number) as [
      number,
      number,
      number,
    ];
    const [low, high] = params.padding[i];
    return size - ((input - 1) * params.stride[i] + params.dilation[i] * (kernel - 1) + 1 - low - high);
  });
  const attributes = { ...conv(given), output_padding: { ints: extra } };
  const values = inputs.map((input) => exactly(graph, input));
  return [graph.node("ConvTranspose", values, { type: "f32", dims: shape }, attributes)];
};

const pool = (params: PoolParams): Attributes => ({ ...geometry(params), kernel_shape: { ints: params.window } });

const maxPool: Row<PoolParams> = (graph, { params, inputs: [x], outputs: [out] }) => [
  graph.node("MaxPool", [exactly(graph, x as Operand)], { type: "f32", dims: (out as Typed).shape }, pool(params)),
];

const sumPool: Row<PoolParams> = (graph, { params, inputs: [x], outputs: [out] }) => {
  const attributes = { ...pool(params), count_include_pad: { int: 1 } };
  const mean = graph.node(
    "AveragePool",
    [exactly(graph, x as Operand)],
    { type: "f32", dims: (out as Typed).shape },
    attributes,
  );
  return [elementwise(graph, "Mul", [mean, graph.scalar(sizeOf(params.window), "f32")], "f32")];
};

const gather: Row<{ readonly axis: number }> = (graph, { params: { axis }, inputs: [x, at], outputs: [out] }) => {
  const { dtype, shape } = out as Typed;
  const indices = clamped(graph, exactly(graph, at as Operand), (x as Operand).shape[axis] as Dim);
  return [
    graph.node(
      "Gather",
      [exactly(graph, x as Operand), indices],
      { type: dtype, dims: shape },
      { axis: { int: axis } },
    ),
  ];
};

/** ONNX counts negative indices from the end, and refuses those beyond it. */
function clamped(graph: GraphBuilder, indices: Value, size: Dim): Value {
  const [zero, one] = [graph.scalar(0, "i32"), graph.scalar(1, "i32")];
  const last = isFixed(size)
    ? graph.scalar(size - 1, "i32")
    : elementwise(graph, "Sub", [graph.cast(graph.reshape(graph.sizes([size]), []), "i32"), one], "i32");
  return elementwise(graph, "Max", [elementwise(graph, "Min", [indices, last], "i32"), zero], "i32");
}

const scatterAdd: Row<{ readonly axis: number }> = (graph, { params: { axis }, inputs: [x, at], outputs: [out] }) => {
  const { dtype, shape } = out as Typed;
  const indices = at as Operand;
  // The axes of the indices as one, along which the updates have the index at each of their elements.
  const count = productOf(indices.shape);
  const dims = [...shape.slice(0, axis), count, ...shape.slice(axis + 1)];
  const updates = graph.reshape(exactly(graph, x as Operand), dims);
  const flat = graph.reshape(clamped(graph, exactly(graph, indices), shape[axis] as Dim), [count]);
  const along = graph.reshape(flat, [count, ...shape.slice(axis + 1).map(() => 1)]);
  const inputs = [graph.exact(graph.scalar(0, dtype), shape), graph.exact(along, dims), updates];
  const attributes = { axis: { int: axis }, reduction: { text: "add" } };
  return [graph.node("ScatterElements", inputs, { type: dtype, dims: shape }, attributes)];
};

export const structureRows: Readonly<Record<StructureName, Row | Refusal>> = {
  full,
  array: (graph, { params }) => [graph.constant((params as { readonly value: HostArray }).value)],
  iota,
  reshape,
  transpose,
  broadcast,
  slice,
  unslice: DERIVATIVE,
  pad,
  flip,
  concatenate,
  sum: reduction("ReduceSum"),
  reduceMax: reduction("ReduceMax"),
  reduceMin: reduction("ReduceMin"),
  argmax,
  dot,
  conv2d,
  convInputGrad,
  convWeightGrad: DERIVATIVE,
  maxPool,
  maxUnpool: DERIVATIVE,
  maxPick: DERIVATIVE,
  sumPool,
  sumUnpool: DERIVATIVE,
  gather,
  scatterAdd,
  randomBits: { refused: "ONNX has no random numbers that can be repeated" },
};
