import { type Aval, formatAval } from "../core/dtype.ts";
import { ShapeError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import { constantIndex, type Index } from "../ir/loops.ts";
import { gatherHost, scatterAddHost } from "./host/move.ts";
import type { Primitive, Source } from "./primitive.ts";
import type { Tensor } from "./tensor.ts";

function expectIndices(op: string, indices: Aval): void {
  if (indices.dtype !== "i32") throw new ShapeError(`${op}: got indices ${formatAval(indices)}; expected i32.`);
}

/** x [pre, size, post] and indices [...] -> [pre, ..., post]; indices are clamped into [0, size). */
const gather: Primitive<{ readonly axis: number }> = {
  name: "gather",
  shape: ({ axis }, x, indices) => {
    const { dtype, shape } = x as Aval;
    expectIndices("gather", indices as Aval);
    return [{ dtype, shape: [...shape.slice(0, axis), ...(indices as Aval).shape, ...shape.slice(axis + 1)] }];
  },
  vjp: ([g], { axis }, _, x, indices) => [
    g?.scatterAdd(indices as Tensor, axis, (x as Tensor).shape[axis] as number),
    null,
  ],
  lower: (l, { axis }, inputs, index) => {
    const [x, indices] = inputs as [Source, Source];
    const rank = indices.aval.shape.length;
    const picked = indices.at(index.slice(axis, axis + rank));
    const last = (x.aval.shape[axis] as number) - 1;
    const clamped = l.binary("max", l.binary("min", picked, l.constant(last, "i32")), l.constant(0, "i32"));
    const along: Index =
      clamped.kind === "const"
        ? constantIndex(clamped.value)
        : { base: 0, terms: [], dynamic: { value: clamped, coefficient: 1 } };
    return x.at([...index.slice(0, axis), along, ...index.slice(axis + rank)]);
  },
  evaluate: ({ axis }, x, indices) => [gatherHost(x as HostArray, indices as HostArray, axis)],
};

/** The transpose of `gather`: updates [pre, ..., post] summed into zeros [pre, size, post]; indices are clamped. */
const scatterAdd: Primitive<{ readonly axis: number; readonly size: number }> = {
  name: "scatterAdd",
  shape: ({ axis, size }, updates, indices) => {
    const { dtype, shape } = updates as Aval;
    expectIndices("scatterAdd", indices as Aval);
    const rank = (indices as Aval).shape.length;
    if (dtype !== "f32" || (indices as Aval).shape.some((n, i) => shape[axis + i] !== n))
      throw new ShapeError(
        `scatterAdd: got updates ${formatAval(updates as Aval)} and indices ${formatAval(indices as Aval)} at axis ${axis}; expected f32 with the indices' shape at that axis.`,
      );
    return [{ dtype, shape: [...shape.slice(0, axis), size, ...shape.slice(axis + rank)] }];
  },
  vjp: ([g], { axis }, _, _updates, indices) => [g?.gather(indices as Tensor, axis), null],
  evaluate: ({ axis, size }, updates, indices) => [
    scatterAddHost(updates as HostArray, indices as HostArray, axis, size),
  ],
};

export const indexPrimitives: readonly Primitive<never>[] = [gather, scatterAdd] as readonly Primitive<never>[];
