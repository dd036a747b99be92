import { normalizeAxis, sizeOf } from "../../../src/core/dtype.ts";
import type { Tensor } from "../../../src/ops/tensor.ts";
import { type Call, Unsupported } from "../call.ts";
import type { Operators } from "./operator.ts";

function gather(call: Call): Tensor {
  const x = call.tensor(0);
  const axis = normalizeAxis("Gather", call.attribute("axis", 0), x.rank);
  return x.gather(call.indices(1, x.shape[axis] as number), axis);
}

/** Where each element at `indices` along `axis` lies in row-major order. */
function placesAlong(x: Tensor, indices: Tensor, axis: number): Tensor {
  return x.shape
    .map((_, i) => (i === axis ? indices : indices.iota(indices.shape, i)).mul(sizeOf(x.shape.slice(i + 1))))
    .reduce((a, b) => a.add(b));
}

function gatherElements(call: Call): Tensor {
  const x = call.tensor(0);
  const axis = normalizeAxis("GatherElements", call.attribute("axis", 0), x.rank);
  return x.reshape([-1]).gather(placesAlong(x, call.indices(1, x.shape[axis] as number), axis));
}

/** Tuples of indices into the first axes of `shape` (the last axis holds the tuple) as places in row-major order. */
function placesOf(indices: Tensor, shape: readonly number[]): Tensor {
  return shape
    .map((size, i) => {
      const at = indices.narrow(-1, i, 1).squeeze(-1);
      return at
        .less(0)
        .select(at.add(size), at)
        .mul(sizeOf(shape.slice(i + 1)));
    })
    .reduce((a, b) => a.add(b));
}

function gatherNd(call: Call): Tensor {
  const x = call.tensor(0);
  const indices = call.number(1);
  const batch = call.attribute("batch_dims", 0);
  const length = indices.shape.at(-1) as number;
  const indexed = x.shape.slice(batch, batch + length);
  const rest = x.shape.slice(batch + length);
  const places = placesOf(indices, indexed);
  const batches = x.shape.slice(0, batch);
  const own = batches
    .map((_, i) => places.iota(places.shape, i).mul(sizeOf(x.shape.slice(i + 1, batch)) * sizeOf(indexed)))
    .reduce((a, b) => a.add(b), places);
  return x.reshape([sizeOf(batches) * sizeOf(indexed), ...rest]).gather(own);
}

/** x [P, ...] with updates at places [...] of its first axis: put there, or added to what is there. */
function scattered(x: Tensor, places: Tensor, updates: Tensor, reduction: string): Tensor {
  const size = x.shape[0] as number;
  if (reduction === "add") return x.add(updates.scatterAdd(places, 0, size));
  if (reduction !== "none") throw new Unsupported(`scatter with reduction ${reduction}`);
  const touched = updates.onesLike().scatterAdd(places, 0, size).greater(0);
  return touched.select(updates.scatterAdd(places, 0, size), x);
}

function scatterElements(call: Call): Tensor {
  const x = call.tensor(0);
  const axis = normalizeAxis("ScatterElements", call.attribute("axis", 0), x.rank);
  const places = placesAlong(x, call.indices(1, x.shape[axis] as number), axis);
  const flat = [sizeOf(places.shape)];
  const reduction = call.text("reduction", "none");
  return scattered(x.reshape([-1]), places.reshape(flat), call.tensor(2).reshape(flat), reduction).reshape(x.shape);
}

function scatterNd(call: Call): Tensor {
  const x = call.tensor(0);
  const indices = call.number(1);
  const indexed = x.shape.slice(0, indices.shape.at(-1) as number);
  const rest = x.shape.slice(indexed.length);
  const places = placesOf(indices, indexed);
  const rows = x.reshape([sizeOf(indexed), ...rest]);
  return scattered(rows, places, call.tensor(2), call.text("reduction", "none")).reshape(x.shape);
}

function oneHot(call: Call): Tensor {
  const depth = call.knownNumber(1, 0);
  const indices = call.number(0).cast("i32");
  const wrapped = indices.less(0).select(indices.add(depth), indices);
  const chosen = wrapped.oneHot(depth, "bool");
  const values = call.number(2);
  const hot = chosen.select(values.narrow(0, 1, 1).reshape([]), values.narrow(0, 0, 1).reshape([]));
  const axis = normalizeAxis("OneHot", call.attribute("axis", -1), hot.rank);
  const order = indices.shape.map((_, i) => i);
  order.splice(axis, 0, hot.rank - 1);
  return hot.transpose(order);
}

export const indexOperators: Operators = {
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherNd,
  Scatter: scatterElements,
  ScatterElements: scatterElements,
  ScatterND: scatterNd,
  OneHot: oneHot,
};
