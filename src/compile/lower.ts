import { SMALLEST_NORMAL } from "../core/dtype.ts";
import type { Loops, Scalar } from "../ir/loops.ts";
import type { Phase } from "../ir/program.ts";
import { lowerContraction } from "./contraction.ts";
import { lowerControl } from "./control-flow.ts";
import { type Group, type GroupRoot, groupRoots } from "./groups.ts";
import type { Node, View } from "./kernel.ts";
import { Expressions, flatten, type Lowering, orderedLoops, type Target } from "./lowering.ts";
import { lowerReduction } from "./reduction.ts";
import { lowerScatter } from "./scatter.ts";

/** Lowers a whole program to nodes. Targets are written last, each after all that reads what it replaces. */
export function lowerProgram(lowering: Lowering, targets: readonly Target[]): readonly Node[] {
  lowering.prepare();
  for (const group of groupRoots(lowering, targets)) emitGroup(lowering, group);
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

/**
 * State never holds a denormal number: a moment that fades (m = 0.9 m) would stop at the smallest ones instead of at 0, and
 * arithmetic on those took 15 to 60 times as long.
 */
function settled(l: Loops, view: View, value: Scalar): Scalar {
  if (view.buffer.home.kind !== "store" || view.buffer.dtype !== "f32") return value;
  return l.select(l.binary("lt", l.unary("abs", value), l.constant(SMALLEST_NORMAL)), l.constant(0), value);
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
      value: settled(expressions.loops, root.view, value),
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
