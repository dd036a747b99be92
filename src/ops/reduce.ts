import { type Aval, formatAval } from "../core/dtype.ts";
import { ShapeError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import { argmaxHost, reduceHost } from "./host/reduce.ts";
import type { Primitive, Vjp } from "./primitive.ts";
import type { Tensor } from "./tensor.ts";

type Axes = { readonly axes: readonly number[] };

const kept = (shape: readonly number[], axes: readonly number[]): number[] =>
  shape.map((_, i) => i).filter((i) => !axes.includes(i));

/** A reduced tensor repeated along the reduced axes of `like`. */
function expand(reduced: Tensor, axes: readonly number[], like: Tensor): Tensor {
  return reduced.broadcastTo(like.shape, kept(like.shape, axes));
}

/** Ties share the cotangent equally, as PyTorch's amax and amin. */
const extremum: Vjp<Axes> = ([g], { axes }, [y], x) => {
  if (!g) return [null];
  const input = x as Tensor;
  const hits = input.equal(expand(y as Tensor, axes, input));
  const counts = hits.cast("f32").sum(axes);
  return [hits.select(expand(g.div(counts), axes, input), 0)];
};

function reduction(name: string, op: "sum" | "max" | "min", vjp: Vjp<Axes>): Primitive<Axes> {
  return {
    name,
    shape: ({ axes }, x) => {
      const { dtype, shape } = x as Aval;
      if (dtype !== "f32" && dtype !== "i32")
        throw new ShapeError(`${name}: got ${formatAval(x as Aval)}; expected f32 or i32. Use .cast("f32").`);
      return [{ dtype, shape: kept(shape, axes).map((i) => shape[i] as number) }];
    },
    vjp,
    evaluate: ({ axes }, x) => [reduceHost(op, x as HostArray, axes)],
  };
}

const argmax: Primitive<{ readonly axis: number }> = {
  name: "argmax",
  shape: ({ axis }, x) => [{ dtype: "i32", shape: (x as Aval).shape.filter((_, i) => i !== axis) }],
  vjp: "none",
  evaluate: ({ axis }, x) => [argmaxHost(x as HostArray, axis)],
};

export const reducePrimitives: readonly Primitive<never>[] = [
  reduction("sum", "sum", ([g], { axes }, _, x) => [g && expand(g, axes, x as Tensor)]),
  reduction("reduceMax", "max", extremum),
  reduction("reduceMin", "min", extremum),
  argmax,
] as readonly Primitive<never>[];
