import {
  addIndex,
  constantIndex,
  type Index,
  type Loop,
  loopIndex,
  type Scalar,
  scaleIndex,
  shiftIndex,
} from "../ir/loops.ts";
import type { Equation, Var } from "../ir/program.ts";
import type { UnpoolParams } from "../ops/pool.ts";
import type { View } from "./kernel.ts";
import { Expressions, flatten, type Lowering, orderedLoops, viewOf } from "./lowering.ts";

/** Writes that are not one element for each index of the output: the transposes of pooling, strided slices and gather. */
export function lowerScatter(lowering: Lowering, eq: Equation): void {
  switch (eq.primitive) {
    case "maxUnpool":
    case "sumUnpool":
      lowerUnpool(lowering, eq);
      return;
    case "unslice":
      lowerUnslice(lowering, eq);
      return;
    default:
      lowerScatterAdd(lowering, eq);
  }
}

function lowerUnpool(lowering: Lowering, eq: Equation): void {
  const { window, stride, padding, inputShape } = eq.params as unknown as UnpoolParams;
  const [g, position] = eq.inputs as [Var, Var | undefined];
  const [out] = eq.outputs as [Var];
  const view = lowering.viewOfVar(out);
  const apart = window[0] <= stride[0] && window[1] <= stride[1];
  const padded = padding.flat().some((n) => n > 0);
  const covers = [0, 1].every(
    (i) =>
      window[i] === stride[i] &&
      (g.aval.shape[2 + i] as number) * (stride[i] as number) === (inputShape[2 + i] as number),
  );
  if (!apart || padded) {
    addOverlapping(lowering, eq, g, position, view);
    return;
  }
  if (!covers) lowering.push({ kind: "fill", name: `zero ${view.buffer.name}`, phase: eq.phase, target: view.buffer });
  const expressions = new Expressions(lowering);
  const l = expressions.loops;
  const nest = orderedLoops(l, g.aval.shape, view);
  const [n, c, h, w] = nest.index as [Index, Index, Index, Index];
  const value = expressions.at(g, nest.index);
  const chosen = position && expressions.at(position, nest.index);
  const stores = [];
  for (let i = 0; i < window[0]; i++)
    for (let j = 0; j < window[1]; j++) {
      const at = [n, c, shiftIndex(scaleIndex(h, stride[0]), i), shiftIndex(scaleIndex(w, stride[1]), j)];
      const hit: Scalar = chosen
        ? l.select(l.binary("eq", chosen, l.constant(i * window[1] + j, "i32")), value, l.constant(0))
        : value;
      stores.push({ view, index: flatten(view, at), value: hit });
    }
  lowering.push({
    kind: "map",
    name: `${eq.primitive} ${out.id}`,
    phase: eq.phase,
    loops: nest.loops,
    stores,
    operands: expressions.operands,
  });
}

/** Overlapping or padded windows: added in order into an array that has the padding, of which the result is the middle. */
function addOverlapping(lowering: Lowering, eq: Equation, g: Var, position: Var | undefined, view: View): void {
  const { window, stride, padding, inputShape } = eq.params as unknown as UnpoolParams;
  const [n, c, h, w] = inputShape as [number, number, number, number];
  const shape = [n, c, h + padding[0][0] + padding[0][1], w + padding[1][0] + padding[1][1]];
  const order = view.shape
    .map((_, axis) => axis)
    .sort((a, b) => (view.strides[b] as number) - (view.strides[a] as number) || a - b);
  const buffer = lowering.buffer(`${(eq.outputs[0] as Var).id}.padded`, { dtype: "f32", shape }, order);
  const wide = viewOf(buffer);
  lowering.push({ kind: "fill", name: `zero ${buffer.name}`, phase: eq.phase, target: buffer });

  const expressions = new Expressions(lowering);
  const l = expressions.loops;
  const nest = orderedLoops(l, g.aval.shape, wide);
  const [in_, ic, ih, iw] = nest.index as [Index, Index, Index, Index];
  const corner = [in_, ic, scaleIndex(ih, stride[0]), scaleIndex(iw, stride[1])];
  const value = expressions.at(g, nest.index);
  let { loops } = nest;
  let index: Index;
  if (position) {
    const at = expressions.at(position, nest.index);
    const columns = l.constant(window[1], "i32");
    const step = (v: Scalar, axis: number): Scalar =>
      l.binary("mul", v, l.constant(wide.strides[axis] as number, "i32"));
    const dynamic = l.binary("add", step(l.binary("div", at, columns), 2), step(l.binary("rem", at, columns), 3));
    index = { ...flatten(wide, corner), dynamic: { value: dynamic, coefficient: 1 } };
  } else {
    const rows = l.loop(window[0]);
    const columns = l.loop(window[1]);
    loops = [...loops, rows, columns];
    index = flatten(wide, [
      in_,
      ic,
      addIndex(corner[2] as Index, loopIndex(rows)),
      addIndex(corner[3] as Index, loopIndex(columns)),
    ]);
  }
  lowering.push({
    kind: "scatter",
    name: `${eq.primitive} ${buffer.name}`,
    phase: eq.phase,
    loops,
    target: wide,
    index,
    value,
    operands: expressions.operands,
    apart: n > 1,
  });
  const middle: View = {
    buffer,
    shape: inputShape,
    strides: wide.strides,
    offset: wide.offset + padding[0][0] * (wide.strides[2] as number) + padding[1][0] * (wide.strides[3] as number),
  };
  copyView(lowering, eq, middle, view);
}

export function copyView(lowering: Lowering, eq: Pick<Equation, "phase">, from: View, to: View): void {
  const expressions = new Expressions(lowering);
  const nest = orderedLoops(expressions.loops, to.shape, to);
  const value = expressions.read(from, nest.index);
  lowering.push({
    kind: "map",
    name: `copy ${to.buffer.name}`,
    phase: eq.phase,
    loops: nest.loops,
    stores: [{ view: to, index: flatten(to, nest.index), value }],
    operands: expressions.operands,
  });
}

function lowerUnslice(lowering: Lowering, eq: Equation): void {
  const [x] = eq.inputs as [Var];
  const view = lowering.viewOfVar(eq.outputs[0] as Var);
  const start = eq.params.start as readonly number[];
  const by = eq.params.stride as readonly number[];
  lowering.push({ kind: "fill", name: `zero ${view.buffer.name}`, phase: eq.phase, target: view.buffer });
  const expressions = new Expressions(lowering);
  const nest = orderedLoops(expressions.loops, x.aval.shape, view);
  const at = nest.index.map((i, axis) => shiftIndex(scaleIndex(i, by[axis] as number), start[axis] as number));
  lowering.push({
    kind: "map",
    name: `unslice ${view.buffer.name}`,
    phase: eq.phase,
    loops: nest.loops,
    stores: [{ view, index: flatten(view, at), value: expressions.at(x, nest.index) }],
    operands: expressions.operands,
  });
}

function lowerScatterAdd(lowering: Lowering, eq: Equation): void {
  const [updates, indices] = eq.inputs as [Var, Var];
  const view = lowering.viewOfVar(eq.outputs[0] as Var);
  const axis = eq.params.axis as number;
  const size = eq.params.size as number;
  const rank = indices.aval.shape.length;
  lowering.push({ kind: "fill", name: `zero ${view.buffer.name}`, phase: eq.phase, target: view.buffer });
  const expressions = new Expressions(lowering);
  const l = expressions.loops;
  const index = updates.aval.shape.map((n) => ({ n, loop: l.loop(n) }));
  const loops: Loop[] = index.filter(({ n }) => n > 1).map(({ loop }) => loop);
  const at = index.map(({ n, loop }) => (n > 1 ? loopIndex(loop) : constantIndex(0)));
  const picked = expressions.at(indices, at.slice(axis, axis + rank));
  const clamped = l.binary("max", l.binary("min", picked, l.constant(size - 1, "i32")), l.constant(0, "i32"));
  const along: Index = { base: 0, terms: [], dynamic: { value: clamped, coefficient: 1 } };
  lowering.push({
    kind: "scatter",
    name: `scatterAdd ${view.buffer.name}`,
    phase: eq.phase,
    loops,
    target: view,
    index: flatten(view, [...at.slice(0, axis), along, ...at.slice(axis + rank)]),
    value: expressions.at(updates, at),
    operands: expressions.operands,
    apart: false,
  });
}
