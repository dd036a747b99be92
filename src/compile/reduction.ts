import { sizeOf } from "../core/dtype.ts";
import { addIndex, type Index, loopIndex, type Scalar, scaleIndex } from "../ir/loops.ts";
import type { Equation, Var } from "../ir/program.ts";
import type { ReduceKernel, ReduceOp, View } from "./kernel.ts";
import { Expressions, flatten, type Lowering, orderedLoops, viewOf } from "./lowering.ts";
import { partsOf } from "./scalar-parts.ts";
import { isFlatSum } from "./sweeps.ts";

const OPS: Readonly<Record<string, ReduceOp>> = { sum: "sum", reduceMax: "max", reduceMin: "min", argmax: "argmax" };

/** Above this many elements for few results, a sum is cut into chunks that threads share; the cut depends on the shape alone. */
const SPLIT_ELEMENTS = 32_768;
const SPLIT_RESULTS = 4_096;
const MAX_CHUNKS = 16;
/** Results that are enough for all threads where each is the sum of a row. */
const ENOUGH_ROWS = 64;

export function lowerReduction(lowering: Lowering, eq: Equation): void {
  const [x] = eq.inputs as [Var];
  const [out] = eq.outputs as [Var];
  const op = OPS[eq.primitive] as ReduceOp;
  const axes = op === "argmax" ? [eq.params.axis as number] : (eq.params.axes as readonly number[]);
  const target = lowering.viewOfVar(out);
  const { shape } = x.aval;
  const results = sizeOf(out.aval.shape);
  const whole = reduction(lowering, eq, op, x, axes, target, undefined);
  const splits = op !== "argmax" && sizeOf(shape) >= SPLIT_ELEMENTS && results <= SPLIT_RESULTS;
  const chunked = splits && !(results >= ENOUGH_ROWS && isOfRows(whole)) ? splitAxis(shape, axes) : undefined;
  // A sum of all elements of flat memory is shared by threads in `sums`.
  if (!chunked || isFlatSum(whole)) {
    lowering.push(whole);
    return;
  }
  const partial = lowering.buffer(`${out.id}.parts`, {
    dtype: out.aval.dtype,
    shape: [chunked.chunks, ...out.aval.shape],
  });
  lowering.push(reduction(lowering, eq, op, x, axes, viewOf(partial), chunked));
  combine(lowering, eq, op, viewOf(partial), target);
}

/** What moves along the reduced axes lies, for the most part, element by element along one of them. */
function isOfRows({ value, reduced }: ReduceKernel): boolean {
  let [along, across] = [0, 0];
  const seen = new Set<Scalar>();
  const visit = (node: Scalar): void => {
    if (seen.has(node)) return;
    seen.add(node);
    if (node.kind === "load") {
      const terms = node.index[0]?.terms ?? [];
      const next = terms.find(([, c]) => c === 1)?.[0];
      if (next && reduced.includes(next)) along++;
      else if (next && terms.some(([loop]) => reduced.includes(loop))) across++;
    }
    for (const part of partsOf(node)) visit(part);
  };
  visit(value);
  return along > across;
}

type Chunked = { readonly axis: number; readonly chunks: number };

/** The first reduced axis that divides into enough chunks. */
function splitAxis(shape: readonly number[], axes: readonly number[]): Chunked | undefined {
  let best: Chunked | undefined;
  for (const axis of axes) {
    const size = shape[axis] as number;
    for (let chunks = Math.min(MAX_CHUNKS, size); chunks > 1; chunks--)
      if (size % chunks === 0) {
        if (!best || chunks > best.chunks) best = { axis, chunks };
        break;
      }
  }
  return best && best.chunks >= 4 ? best : undefined;
}

function reduction(
  lowering: Lowering,
  eq: Equation,
  op: ReduceOp,
  x: Var,
  axes: readonly number[],
  target: View,
  chunked: Chunked | undefined,
): ReduceKernel {
  const expressions = new Expressions(lowering);
  const { loops } = expressions;
  const { shape } = x.aval;
  const kept = shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const keptShape = kept.map((axis) => shape[axis] as number);
  const whole = chunked ? [chunked.chunks, ...keptShape] : keptShape;
  const nest = orderedLoops(loops, whole, target);
  const keptIndex = chunked ? nest.index.slice(1) : nest.index;
  const reduced = axes.map((axis) =>
    loops.loop((shape[axis] as number) / (chunked?.axis === axis ? chunked.chunks : 1)),
  );
  const index = shape.map((_, axis): Index => {
    const at = kept.indexOf(axis);
    if (at >= 0) return keptIndex[at] as Index;
    const loop = reduced[axes.indexOf(axis)] as (typeof reduced)[number];
    const own = loopIndex(loop);
    return chunked?.axis === axis ? addIndex(own, scaleIndex(nest.index[0] as Index, loop.size)) : own;
  });
  return {
    kind: "reduce",
    name: `${eq.primitive} ${target.buffer.name}`,
    phase: eq.phase,
    op,
    loops: nest.loops,
    reduced: reduced.filter((loop) => loop.size > 1),
    value: expressions.at(x, index),
    target,
    index: flatten(target, nest.index),
    operands: expressions.operands,
  };
}

/** Combines the leading axis of `parts` in order. */
export function combine(lowering: Lowering, eq: Equation, op: ReduceOp, parts: View, target: View): void {
  const expressions = new Expressions(lowering);
  const { loops } = expressions;
  const nest = orderedLoops(loops, target.shape, target);
  const chunk = loops.loop(parts.shape[0] as number);
  lowering.push({
    kind: "reduce",
    name: `${eq.primitive} ${target.buffer.name} of parts`,
    phase: eq.phase,
    op,
    loops: nest.loops,
    reduced: [chunk],
    value: expressions.read(parts, [loopIndex(chunk), ...nest.index]),
    target,
    index: flatten(target, nest.index),
    operands: expressions.operands,
  });
}
