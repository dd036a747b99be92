import { broadcastShapes, normalizeAxis, sizeOf } from "../../../src/core/dtype.ts";
import { padImages } from "../../../src/nn/padding.ts";
import type { Tensor } from "../../../src/ops/tensor.ts";
import { type Call, dtypeOf, Unsupported } from "../call.ts";
import { ELEMENT_TYPES } from "../protobuf.ts";
import type { Operators } from "./operator.ts";

const axesOf = (op: string, axes: readonly number[], rank: number): number[] =>
  axes.map((axis) => normalizeAxis(op, axis, rank));

function reshape(call: Call): Tensor {
  const x = call.tensor(0);
  const wanted = call.known(1).values;
  const zeroIsSize = call.flag("allowzero");
  const sizes = Array.from(wanted, (size, i) => (size === 0 && !zeroIsSize ? (x.shape[i] as number) : size));
  return x.reshape(sizes);
}

function flatten(call: Call): Tensor {
  const x = call.tensor(0);
  const axis = call.attribute("axis", 1);
  const at = axis < 0 ? axis + x.rank : axis;
  return x.reshape([sizeOf(x.shape.slice(0, at)), sizeOf(x.shape.slice(at))]);
}

function squeeze(call: Call): Tensor {
  const x = call.tensor(0);
  const given = call.knownList(1) ?? call.list("axes");
  const axes = given ? axesOf("Squeeze", given, x.rank) : x.shape.flatMap((n, i) => (n === 1 ? [i] : []));
  return [...axes].sort((a, b) => b - a).reduce((y, axis) => y.squeeze(axis), x);
}

function unsqueeze(call: Call): Tensor {
  const x = call.tensor(0);
  const given = call.knownList(1) ?? call.list("axes") ?? [];
  const axes = axesOf("Unsqueeze", given, x.rank + given.length);
  return [...axes].sort((a, b) => a - b).reduce((y, axis) => y.unsqueeze(axis), x);
}

/** `Tensor.slice` refuses to take nothing. */
function sliced(x: Tensor, low: readonly number[], high: readonly number[], stride?: readonly number[]): Tensor {
  const empty = low.some((start, axis) => start >= (high[axis] as number));
  if (!empty) return x.slice(low, high, stride);
  const step = (axis: number): number => stride?.[axis] ?? 1;
  const sizes = low.map((start, axis) => Math.max(0, Math.ceil(((high[axis] as number) - start) / step(axis))));
  return x.full(0, sizes);
}

function slice(call: Call): Tensor {
  const x = call.tensor(0);
  const starts = call.knownList(1) ?? [];
  const ends = call.knownList(2) ?? [];
  const axes = axesOf("Slice", call.knownList(3) ?? starts.map((_, i) => i), x.rank);
  const steps = call.knownList(4) ?? starts.map(() => 1);
  const low = x.shape.map(() => 0);
  const high = [...x.shape];
  const stride = x.shape.map(() => 1);
  const flipped: number[] = [];
  axes.forEach((axis, i) => {
    const size = x.shape[axis] as number;
    const [start, end, step] = [starts[i] as number, ends[i] as number, steps[i] as number];
    const at = (value: number, least: number, most: number): number =>
      Math.min(Math.max(value < 0 ? value + size : value, least), most);
    const first = step > 0 ? at(start, 0, size) : at(start, -1, size - 1);
    const past = step > 0 ? at(end, 0, size) : at(end, -1, size - 1);
    const count = Math.max(0, Math.ceil((past - first) / step));
    if (step < 0) flipped.push(axis);
    // A negative step takes the same elements from the other end.
    low[axis] = step > 0 ? first : first + (count - 1) * step;
    high[axis] = count === 0 ? (low[axis] as number) : (low[axis] as number) + (count - 1) * Math.abs(step) + 1;
    stride[axis] = Math.abs(step);
  });
  const taken = sliced(x, low, high, stride);
  return flipped.length > 0 ? taken.flip(flipped) : taken;
}

function split(call: Call): Tensor[] {
  const x = call.tensor(0);
  const axis = normalizeAxis("Split", call.attribute("axis", 0), x.rank);
  const count = call.node.outputs.length;
  const sizes = call.knownList(1) ?? Array.from({ length: count }, () => (x.shape[axis] as number) / count);
  let start = 0;
  return sizes.map((size) => {
    start += size;
    const [low, high] = [x.shape.map(() => 0), [...x.shape]];
    low[axis] = start - size;
    high[axis] = start;
    return sliced(x, low, high);
  });
}

function pad(call: Call): Tensor {
  const x = call.tensor(0);
  const pads = call.knownList(1) ?? [];
  const [low, high] = [pads.slice(0, x.rank), pads.slice(x.rank)];
  const mode = call.text("mode", "constant");
  if (mode === "constant") return x.pad(low, high, call.knownNumber(2, 0));
  const sides = low.map((before, axis) => [before, high[axis] ?? 0] as const);
  return padImages(x, sides, mode === "edge" ? "replicate" : "reflect");
}

function expand(call: Call): Tensor {
  const x = call.tensor(0);
  return x.broadcastTo(broadcastShapes("Expand", x.shape, [...call.known(1).values]));
}

function tile(call: Call): Tensor {
  const x = call.tensor(0);
  const repeats = call.known(1).values;
  const ones = x.shape.flatMap((size) => [1, size]);
  const repeated = x.shape.flatMap((size, i) => [repeats[i] as number, size]);
  return x
    .reshape(ones)
    .broadcastTo(repeated)
    .reshape(x.shape.map((size, i) => size * (repeats[i] as number)));
}

/** [N, C, H, W] to blocks of depth and back; `mode` says whether the block or the channel is the slower part of the depth. */
function depthToSpace(call: Call): Tensor {
  const x = call.tensor(0);
  const b = call.attribute("blocksize", 1);
  const [n, c, h, w] = x.shape as readonly [number, number, number, number];
  const crd = call.text("mode", "DCR") === "CRD";
  const parts = x.reshape(crd ? [n, c / b ** 2, b, b, h, w] : [n, b, b, c / b ** 2, h, w]);
  return parts.transpose(crd ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2]).reshape([n, c / b ** 2, h * b, w * b]);
}

function spaceToDepth(call: Call): Tensor {
  const x = call.tensor(0);
  const b = call.attribute("blocksize", 1);
  const [n, c, h, w] = x.shape as readonly [number, number, number, number];
  return x
    .reshape([n, c, h / b, b, w / b, b])
    .transpose([0, 3, 5, 1, 2, 4])
    .reshape([n, c * b ** 2, h / b, w / b]);
}

function shape(call: Call): Tensor {
  const { shape: sizes } = call.known(0);
  const start = call.attribute("start", 0);
  const end = call.attribute("end", sizes.length);
  return call.integers(sizes.slice(start, end));
}

function constant(call: Call): Tensor {
  const { attributes } = call.node;
  const { value, value_int, value_ints, value_float, value_floats } = attributes;
  if (value?.tensor) return call.constant(value.tensor);
  if (value_int) return call.integers([value_int.number as number], []);
  if (value_ints) return call.integers(value_ints.numbers);
  if (value_float) return call.floats([value_float.number as number], []);
  if (value_floats) return call.floats(value_floats.numbers);
  throw new Unsupported(`a constant of ${Object.keys(attributes)}`);
}

function constantOfShape(call: Call): Tensor {
  const value = call.node.attributes.value?.tensor;
  return call.anchor.full(value?.values[0] ?? 0, [...call.known(0).values], dtypeOf(value?.type ?? "float"));
}

function range(call: Call): Tensor {
  const [start, limit, delta] = [0, 1, 2].map((i) => call.knownNumber(i, 0)) as [number, number, number];
  const count = Math.max(0, Math.ceil((limit - start) / delta));
  const dtype = dtypeOf(call.typeOf(0));
  return call.anchor.iota([count], 0, dtype).mul(delta).add(start);
}

function eyeLike(call: Call): Tensor {
  const like = call.known(0);
  const type = ELEMENT_TYPES[call.attribute("dtype", ELEMENT_TYPES.indexOf(like.type))] ?? "undefined";
  const rows = call.anchor.iota(like.shape, 0).add(call.attribute("k", 0));
  return rows.equal(call.anchor.iota(like.shape, 1)).cast(dtypeOf(type));
}

/** The upper or lower triangle from the k-th diagonal on. */
function trilu(call: Call): Tensor {
  const x = call.number(0);
  const rows = x.iota(x.shape, x.rank - 2).add(call.knownNumber(1, 0));
  const columns = x.iota(x.shape, x.rank - 1);
  const kept = call.flag("upper", true) ? columns.greaterEqual(rows) : columns.lessEqual(rows);
  return kept.select(x, 0);
}

export const moveOperators: Operators = {
  Reshape: reshape,
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Transpose: (call) => call.tensor(0).transpose(call.list("perm")),
  Slice: slice,
  Split: split,
  Concat: (call) => {
    const [first, ...others] = Array.from({ length: call.count }, (_, i) => call.tensor(i));
    return (first as Tensor).concat(others, call.attribute("axis", 0));
  },
  Pad: pad,
  Expand: expand,
  Tile: tile,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Shape: shape,
  Size: (call) => call.integers([sizeOf(call.known(0).shape)], []),
  Constant: constant,
  ConstantOfShape: constantOfShape,
  Range: range,
  EyeLike: eyeLike,
  Trilu: trilu,
};
