import { type Aval, type DType, formatAval, type Shape, sameShape } from "../core/dtype.ts";
import { ShapeError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import { addIndex, constantIndex, type Index, laneOf, scaleIndex, shiftIndex } from "../ir/loops.ts";
import {
  broadcastHost,
  concatenateHost,
  flipHost,
  fullHost,
  iotaHost,
  padHost,
  reshapeHost,
  sliceHost,
  transposeHost,
  unsliceHost,
} from "./host/move.ts";
import type { Primitive, Source } from "./primitive.ts";
import type { Tensor } from "./tensor.ts";

const full: Primitive<{ readonly value: number; readonly shape: Shape; readonly dtype: DType }> = {
  name: "full",
  shape: ({ shape, dtype }) => [{ shape, dtype }],
  vjp: "none",
  lower: (l, { value, dtype }) => l.constant(dtype === "f32" ? Math.fround(value) : value, laneOf(dtype)),
  evaluate: ({ value, shape, dtype }) => [fullHost(value, shape, dtype)],
};

/** A host array as a constant; the compiler places it in memory. */
const array: Primitive<{ readonly value: HostArray }> = {
  name: "array",
  shape: ({ value }) => [value.aval],
  vjp: "none",
  evaluate: ({ value }) => [value],
};

const iota: Primitive<{ readonly shape: Shape; readonly axis: number; readonly dtype: DType }> = {
  name: "iota",
  shape: ({ shape, axis, dtype }) => {
    if (!(axis in shape))
      throw new ShapeError(`iota: got axis ${axis} for shape [${shape}]; expected one of its axes.`);
    return [{ shape, dtype }];
  },
  vjp: "none",
  lower: (l, { axis, dtype }, _, index) => l.cast(dtype, l.index(index[axis] as Index)),
  evaluate: ({ shape, axis, dtype }) => [iotaHost(shape, axis, dtype)],
};

/** Row-major reinterpretation. The compiler makes it a view of memory, so there is no element rule. */
const reshape: Primitive<{ readonly shape: Shape }> = {
  name: "reshape",
  shape: ({ shape }, x) => [{ dtype: (x as Aval).dtype, shape }],
  vjp: ([g], _, __, x) => [g?.reshape((x as Tensor).shape)],
  evaluate: ({ shape }, x) => [reshapeHost(x as HostArray, shape)],
};

const transpose: Primitive<{ readonly order: readonly number[] }> = {
  name: "transpose",
  shape: ({ order }, x) => [
    { dtype: (x as Aval).dtype, shape: order.map((axis) => (x as Aval).shape[axis] as number) },
  ],
  vjp: ([g], { order }) => {
    const inverse = new Array<number>(order.length);
    order.forEach((axis, i) => {
      inverse[axis] = i;
    });
    return [g?.transpose(inverse)];
  },
  lower: (_, { order }, [x], index) => {
    const at = new Array<Index>(order.length);
    order.forEach((axis, i) => {
      at[axis] = index[i] as Index;
    });
    return (x as Source).at(at);
  },
  evaluate: ({ order }, x) => [transposeHost(x as HostArray, order)],
};

const broadcast: Primitive<{ readonly shape: Shape; readonly axes: readonly number[] }> = {
  name: "broadcast",
  shape: ({ shape }, x) => [{ dtype: (x as Aval).dtype, shape }],
  vjp: ([g], { shape, axes }, _, x) => {
    const input = x as Tensor;
    const repeated = shape
      .map((_size, i) => i)
      .filter((i) => !axes.includes(i) || input.shape[axes.indexOf(i)] !== shape[i]);
    return [g?.sum(repeated).reshape(input.shape)];
  },
  lower: (_, { axes }, [x], index) => {
    const { aval, at } = x as Source;
    return at(axes.map((axis, i) => (aval.shape[i] === 1 ? constantIndex(0) : (index[axis] as Index))));
  },
  evaluate: ({ shape, axes }, x) => [broadcastHost(x as HostArray, shape, axes)],
};

type SliceParams = {
  readonly start: readonly number[];
  readonly stop: readonly number[];
  readonly stride: readonly number[];
};

const slice: Primitive<SliceParams> = {
  name: "slice",
  shape: ({ start, stop, stride }, x) => {
    const { shape, dtype } = x as Aval;
    const fits = shape.every((size, i) => {
      const [from, to, by] = [start[i] as number, stop[i] as number, stride[i] as number];
      return (
        Number.isInteger(from) &&
        Number.isInteger(to) &&
        from >= 0 &&
        from < to &&
        to <= size &&
        Number.isInteger(by) &&
        by >= 1
      );
    });
    if (start.length !== shape.length || stop.length !== shape.length || stride.length !== shape.length || !fits)
      throw new ShapeError(
        `slice: got [${start}] to [${stop}] by [${stride}] of ${formatAval(x as Aval)}; expected 0 <= start < stop <= size and stride >= 1 on each axis.`,
      );
    return [{ dtype, shape: start.map((from, i) => Math.ceil(((stop[i] as number) - from) / (stride[i] as number))) }];
  },
  vjp: ([g], { start, stride }, _, x) => {
    if (!g) return [null];
    const { shape } = x as Tensor;
    if (stride.every((by) => by === 1))
      return [
        g.pad(
          start,
          shape.map((size, i) => size - (start[i] as number) - (g.shape[i] as number)),
        ),
      ];
    return [g.trace.bind("unslice", { shape, start, stride }, [g])[0] as Tensor];
  },
  lower: (_, { start, stride }, [x], index) =>
    (x as Source).at(index.map((at, i) => shiftIndex(scaleIndex(at, stride[i] as number), start[i] as number))),
  evaluate: ({ start, stop, stride }, x) => [sliceHost(x as HostArray, start, stop, stride)],
};

/** The transpose of `slice`: zeros of `shape` with x at start, start + stride, ... */
const unslice: Primitive<{
  readonly shape: Shape;
  readonly start: readonly number[];
  readonly stride: readonly number[];
}> = {
  name: "unslice",
  shape: ({ shape }, x) => [{ dtype: (x as Aval).dtype, shape }],
  vjp: ([g], { start, stride }, _, x) => [
    g?.slice(
      start,
      start.map((from, i) => from + (((x as Tensor).shape[i] as number) - 1) * (stride[i] as number) + 1),
      stride,
    ),
  ],
  evaluate: ({ shape, start, stride }, x) => [unsliceHost(x as HostArray, shape, start, stride)],
};

const pad: Primitive<{ readonly low: readonly number[]; readonly high: readonly number[]; readonly value: number }> = {
  name: "pad",
  shape: ({ low, high }, x) => {
    const { shape, dtype } = x as Aval;
    if (
      low.length !== shape.length ||
      high.length !== shape.length ||
      [...low, ...high].some((n) => !Number.isInteger(n) || n < 0)
    )
      throw new ShapeError(
        `pad: got [${low}] and [${high}] for ${formatAval(x as Aval)}; expected a count of 0 or more for each axis. Use slice to crop.`,
      );
    return [{ dtype, shape: shape.map((size, i) => size + (low[i] as number) + (high[i] as number)) }];
  },
  vjp: ([g], { low }, _, x) => [
    g?.slice(
      low,
      (x as Tensor).shape.map((size, i) => size + (low[i] as number)),
    ),
  ],
  lower: (l, { low, value }, [x], index) => {
    const { aval, at } = x as Source;
    const shifted = index.map((i, axis) => shiftIndex(i, -(low[axis] as number)));
    const ranges = shifted.map((i, axis) => ({ index: i, low: 0, high: aval.shape[axis] as number }));
    return l.guard(ranges, () => at(shifted), l.constant(value, laneOf(aval.dtype)));
  },
  evaluate: ({ low, high, value }, x) => [padHost(x as HostArray, low, high, value)],
};

const flip: Primitive<{ readonly axes: readonly number[] }> = {
  name: "flip",
  shape: (_, x) => [x as Aval],
  vjp: ([g], { axes }) => [g?.flip(axes)],
  lower: (_, { axes }, [x], index) => {
    const { aval, at } = x as Source;
    return at(
      index.map((i, axis) =>
        axes.includes(axis) ? shiftIndex(scaleIndex(i, -1), (aval.shape[axis] as number) - 1) : i,
      ),
    );
  },
  evaluate: ({ axes }, x) => [flipHost(x as HostArray, axes)],
};

const concatenate: Primitive<{ readonly axis: number }> = {
  name: "concatenate",
  shape: ({ axis }, ...xs) => {
    const first = xs[0] as Aval;
    let size = 0;
    for (const x of xs) {
      const others = (a: Aval): number[] => a.shape.filter((_, i) => i !== axis);
      if (x.dtype !== first.dtype || x.shape.length !== first.shape.length || !sameShape(others(x), others(first)))
        throw new ShapeError(
          `concatenate: got ${formatAval(first)} and ${formatAval(x)}; expected equal dtypes and sizes on all axes but ${axis}.`,
        );
      size += x.shape[axis] as number;
    }
    return [{ dtype: first.dtype, shape: first.shape.map((n, i) => (i === axis ? size : n)) }];
  },
  vjp: ([g], { axis }, _, ...xs) => {
    let start = 0;
    return xs.map((x) => {
      const length = x.shape[axis] as number;
      const part = g?.narrow(axis, start, length);
      start += length;
      return part;
    });
  },
  lower: (l, { axis }, inputs, index) => {
    const along = index[axis] as Index;
    const starts: number[] = [];
    let total = 0;
    for (const input of inputs) {
      starts.push(total);
      total += input.aval.shape[axis] as number;
    }
    const part = (n: number) => {
      const { at } = inputs[n] as Source;
      return at(index.map((i, d) => (d === axis ? addIndex(i, constantIndex(-(starts[n] as number))) : i)));
    };
    const choose = (n: number): ReturnType<typeof part> => {
      const { aval } = inputs[n] as Source;
      const low = starts[n] as number;
      const range = { index: along, low, high: low + (aval.shape[axis] as number) };
      // The last part must be guarded as well: its reads outside would leave its array.
      const rest = n + 1 < inputs.length ? choose(n + 1) : l.constant(0, laneOf(aval.dtype));
      return l.guard([range], () => part(n), rest);
    };
    return choose(0);
  },
  evaluate: ({ axis }, ...xs) => [concatenateHost(xs, axis)],
};

export const movePrimitives: readonly Primitive<never>[] = [
  full,
  array,
  iota,
  reshape,
  transpose,
  broadcast,
  slice,
  unslice,
  pad,
  flip,
  concatenate,
] as readonly Primitive<never>[];
