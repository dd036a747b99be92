import type { Scalar } from "../ir/loops.ts";
import type { Phase } from "../ir/program.ts";
import { lowerContraction } from "./contraction.ts";
import { lowerControl } from "./control-flow.ts";
import { type Group, type GroupRoot, groupRoots } from "./groups.ts";
import type { Node, View } from "./kernel.ts";
import { Expressions, flatten, type Lowering, orderedLoops, type Target } from "./lowering.ts";
import { originOf, withOrigin } from "./origin.ts";
import { lowerReduction } from "./reduction.ts";
import { lowerScatter } from "./scatter.ts";
import { countOf, SETTLE_MASK } from "./settle.ts";

const SMALLEST_NORMAL_BITS = 0x0080_0000;

/** Lowers a whole program to nodes. Targets are written last, each after all that reads what it replaces. */
export function lowerProgram(lowering: Lowering, targets: readonly Target[]): readonly Node[] {
  lowering.prepare();
  for (const group of groupRoots(lowering, targets)) {
    const origin = originOf(lowering, group);
    lowering.origin = origin;
    const before = lowering.nodes.length;
    emitGroup(lowering, group);
    for (let i = before; i < lowering.nodes.length; i++)
      lowering.nodes[i] = withOrigin(lowering.nodes[i] as Node, origin);
  }
  return lowering.nodes;
}

function emitGroup(lowering: Lowering, group: Group): void {
  if (group.kind === "map") {
    emitMap(lowering, group.roots, group.phase);
    return;
  }
  const { eq } = group;
  switch (eq.primitive) {
    case "dot":
    case "conv2d":
    case "convInputGrad":
    case "convWeightGrad":
      lowerContraction(lowering, eq);
      return;
    case "sum":
    case "reduceMax":
    case "reduceMin":
    case "argmax":
      lowerReduction(lowering, eq);
      return;
    case "maxUnpool":
    case "sumUnpool":
    case "unslice":
    case "scatterAdd":
      lowerScatter(lowering, eq);
      return;
    case "scan":
    case "while":
    case "cond":
      lowerControl(lowering, eq, lowerProgram);
      return;
    default:
      throw new Error(`compiler: no template for ${eq.primitive}`);
  }
}

/** A value as state keeps it: denormal numbers are 0 when it is time (see settle.ts). */
function settled(lowering: Lowering, expressions: Expressions, view: View, value: Scalar): Scalar {
  if (view.buffer.home.kind !== "store" || view.buffer.dtype !== "f32") return value;
  const { loops: l } = expressions;
  // Magnitudes compare as their bits do; NaN lies above.
  const bits = l.binary("and", l.unary("asInt", value), l.constant(0x7fffffff, "i32"));
  const flushed = l.select(l.binary("lt", bits, l.constant(SMALLEST_NORMAL_BITS, "i32")), l.constant(0), value);
  const count = countOf(lowering.program);
  if (!count) return flushed;
  const left = l.binary("and", expressions.at(count, []), l.constant(SETTLE_MASK, "i32"));
  return l.select(l.binary("eq", left, l.constant(0, "i32")), flushed, value);
}

/** One nest over the shape that the roots share. */
function emitMap(lowering: Lowering, roots: readonly GroupRoot[], phase: Phase): void {
  const first = roots[0] as GroupRoot;
  const expressions = new Expressions(lowering);
  const nest = orderedLoops(expressions.loops, first.shape, first.view);
  const stores = roots.map((root) => {
    const value = expressions[root.copies ? "at" : "compute"](root.value, nest.index);
    if (!root.copies) expressions.remember(root.value, nest.index, value);
    return {
      view: root.view,
      index: flatten(root.view, nest.index),
      value: settled(lowering, expressions, root.view, value),
    };
  });
  lowering.push({
    kind: "map",
    name: roots.map((r) => r.name).join("+"),
    phase,
    loops: nest.loops,
    stores,
    operands: expressions.operands,
  });
}
