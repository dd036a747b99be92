import { type Aval, stridesOf } from "../core/dtype.ts";
import type { Equation, Program, Var } from "../ir/program.ts";
import type { CondParams, ScanParams, WhileParams } from "../trace/control.ts";
import type { Buffer, Node, View } from "./kernel.ts";
import { Lowering, type Target, viewOf } from "./lowering.ts";
import { isView } from "./materialize.ts";
import { alternating, type Carried, elementsOf, type ScanMemory } from "./scan-memory.ts";
import { copyView } from "./scatter.ts";
import { ownerOf, touches } from "./touches.ts";

/** How a nested program is lowered: as any program. */
type Lower = (lowering: Lowering, targets: readonly Target[]) => readonly Node[];

/** Nested programs are lowered in place: they read their inputs where these lie, and write their outputs where they are to be. */
export function lowerControl(lowering: Lowering, eq: Equation, lower: Lower): void {
  switch (eq.primitive) {
    case "scan":
      lowerScan(lowering, eq, lower);
      return;
    case "while":
      lowerWhile(lowering, eq, lower);
      return;
    default:
      lowerCond(lowering, eq, lower);
  }
}

/** A row-major buffer, filled from a variable. */
function entering(lowering: Lowering, eq: Equation, v: Var, name: string): View {
  const view = viewOf(lowering.buffer(name, v.aval));
  copyView(lowering, eq, lowering.viewOfVar(v), view);
  return view;
}

/**
 * The nodes of a nested program. What computes an output writes it where it is to be; only what is no computation of its own, such as
 * an input or a transposed view, is copied there.
 */
function nested(
  lower: Lower,
  lowering: Lowering,
  program: Program,
  inputs: readonly View[],
  outputs: readonly (View | null)[],
  prefix: string,
): readonly Node[] {
  const bindings = new Map(program.inputs.map((input, i) => [input.value.id, inputs[i] as View]));
  const inner = new Lowering(lowering.arena, program, bindings, () => undefined, prefix);
  const targets: Target[] = [];
  program.outputs.forEach(({ value, path }, i) => {
    const view = outputs[i];
    if (!view) return;
    if (!inner.views.has(value.id) && computes(inner, value, view)) {
      inner.analysis.stored.add(value.id);
      inner.views.set(value.id, view);
    } else if (!targets.some((other) => other.view.buffer === view.buffer)) {
      targets.push({ value, view, name: `${prefix}${path}` });
    }
  });
  return lower(inner, targets);
}

/** A loop's results lie in memory of its own. */
const NO_COMPUTATION: ReadonlySet<string> = new Set(["array", "full", "scan", "while"]);

/** Whether what computes a value may write it to this view. */
function computes({ analysis }: Lowering, value: Var, view: View): boolean {
  const eq = analysis.definition.get(value.id);
  if (!eq || isView(eq) || NO_COMPUTATION.has(eq.primitive) || analysis.border.has(value.id)) return false;
  const dense = stridesOf(view.shape);
  const order = analysis.order(value) ?? [];
  return order.every((axis, i) => axis === i) && view.strides.every((stride, axis) => stride === dense[axis]);
}

type Touched = { readonly reads: readonly Buffer[]; readonly writes: readonly Buffer[] };

const withOwners = (buffers: readonly Buffer[]): Buffer[] => [...buffers, ...buffers.map(ownerOf)];

function touchedBy(node: Node): Touched {
  if (node.kind === "kernel") {
    const { reads, writes } = touches(node.kernel);
    return { reads: withOwners(reads), writes: withOwners(writes) };
  }
  const inner = (
    node.kind === "stage"
      ? node.kernels.map((kernel): Node => ({ kind: "kernel", kernel }))
      : node.kind === "cond"
        ? [...node.whenTrue, ...node.whenFalse]
        : node.kind === "while"
          ? [...node.test, ...node.body]
          : node.body
  ).map(touchedBy);
  const condition = "condition" in node ? [node.condition] : [];
  return { reads: [...condition, ...inner.flatMap((t) => t.reads)], writes: inner.flatMap((t) => t.writes) };
}

/**
 * Puts kernels that would give the same in every round in front of the loop: those that read nothing the loop writes and nothing that
 * moves, such as the packing of a weight. Returns the nodes that stay inside.
 */
function outOfLoop(lowering: Lowering, inside: readonly Node[]): Node[] {
  const touched = new Map(inside.map((node) => [node, touchedBy(node)]));
  const still = ({ reads, writes }: Touched): boolean =>
    [...reads, ...writes].every((buffer) => buffer.home.kind !== "slice");
  const moves = new Set(inside.filter((node) => node.kind === "kernel" && still(touched.get(node) as Touched)));
  for (let before = -1; before !== moves.size; ) {
    before = moves.size;
    const written = new Set(inside.flatMap((node) => (moves.has(node) ? [] : (touched.get(node) as Touched).writes)));
    for (const node of moves) {
      const { reads, writes } = touched.get(node) as Touched;
      if ([...reads, ...writes].some((buffer) => written.has(buffer))) moves.delete(node);
    }
  }
  lowering.nodes.push(...moves);
  return inside.filter((node) => !moves.has(node));
}

/** The first value in its slot. */
function enter(lowering: Lowering, eq: Equation, carried: readonly (Carried | null)[]): void {
  carried.forEach((carry, i) => {
    if (carry) copyView(lowering, eq, lowering.viewOfVar(eq.inputs[i] as Var), carry.first);
  });
}

/** What the body reads of the carries. */
function entered(lowering: Lowering, eq: Equation, carried: readonly (Carried | null)[]): View[] {
  return carried.map((carry, i) => (carry ? viewOf(carry.before) : lowering.viewOfVar(eq.inputs[i] as Var)));
}

function lowerScan(lowering: Lowering, eq: Equation, lower: Lower): void {
  const { carries: count, xs, length, reverse } = eq.params as ScanParams;
  const [program] = eq.programs as [Program];
  const { carries } = lowering.scans.get(eq) as ScanMemory;
  const id = (eq.outputs[0] as Var).id;
  const make = (name: string, aval: Aval): Buffer => lowering.buffer(name, aval);
  enter(lowering, eq, carries);
  const elements = eq.inputs
    .slice(count, count + xs)
    .map((v, i) => elementsOf(make, `${id}.x${i}`, lowering.viewOfVar(v)));
  const results = program.outputs.slice(count).map(({ value }, i): Buffer | null => {
    const carried = program.outputs.findIndex((o, j) => j < count && carries[j] && o.value.id === value.id);
    if (carried >= 0) return null;
    const view = lowering.views.get((eq.outputs[count + i] as Var).id);
    return view ? elementsOf(make, `${id}.y${i}`, view) : null;
  });
  const after = carries.map((carry) => carry?.after ?? null);
  const captured = eq.inputs.slice(count + xs).map((v) => lowering.viewOfVar(v));
  const body = outOfLoop(
    lowering,
    nested(
      lower,
      lowering,
      program,
      [...entered(lowering, eq, carries), ...elements.map(viewOf), ...captured],
      [...after, ...results].map((buffer) => buffer && viewOf(buffer)),
      `${id}/`,
    ),
  );
  const slices = [...carries.map((carry) => carry?.before ?? null), ...after, ...elements, ...results];
  lowering.nodes.push({ kind: "loop", length, reverse, slices: slices.filter((buffer) => buffer !== null), body });
  carries.forEach((carry, i) => {
    const out = lowering.views.get((eq.outputs[i] as Var).id);
    const value = carry ? carry.last : lowering.viewOfVar(eq.inputs[i] as Var);
    if (out && out.buffer !== value.buffer) copyView(lowering, eq, value, out);
  });
}

/** Rounds of which nobody knows how many there will be: the slot that comes next is found again behind the loop. */
const UNKNOWN = 0;

function lowerWhile(lowering: Lowering, eq: Equation, lower: Lower): void {
  const params = eq.params as WhileParams;
  const [test, body] = eq.programs as [Program, Program];
  const id = (eq.outputs[0] as Var).id;
  const make = (name: string, aval: Aval): Buffer => lowering.buffer(name, aval);
  const carries = body.outputs.map(({ value }, i) =>
    value.id === body.inputs[i]?.value.id ? null : alternating(make, `${id}.carry${i}`, value.aval, UNKNOWN, false),
  );
  enter(lowering, eq, carries);
  const values = entered(lowering, eq, carries);
  const captured = eq.inputs.slice(params.carries).map((v) => lowering.viewOfVar(v));
  const condition = lowering.buffer(`${id}.condition`, { dtype: "bool", shape: [] });
  const testNodes = nested(
    lower,
    lowering,
    test,
    [...values, ...captured.slice(0, params.conditionCaptured)],
    [viewOf(condition)],
    `${id}?`,
  );
  const bodyNodes = nested(
    lower,
    lowering,
    body,
    [...values, ...captured.slice(params.conditionCaptured)],
    carries.map((carry) => carry && viewOf(carry.after)),
    `${id}/`,
  );
  const slices = carries.flatMap((carry) => (carry ? [carry.before, carry.after] : []));
  lowering.nodes.push({ kind: "while", condition, slices, test: testNodes, body: bodyNodes });
  values.forEach((value, i) => {
    const out = lowering.views.get((eq.outputs[i] as Var).id);
    if (out) copyView(lowering, eq, value, out);
  });
}

function lowerCond(lowering: Lowering, eq: Equation, lower: Lower): void {
  const { thenInputs } = eq.params as CondParams;
  const [yes, no] = eq.programs as [Program, Program];
  const [test, ...rest] = eq.inputs as [Var, ...Var[]];
  const id = (eq.outputs[0] as Var).id;
  const condition = entering(lowering, eq, test, `${id}.condition`).buffer;
  const inputs = rest.map((v) => lowering.viewOfVar(v));
  const results = eq.outputs.map((v) => lowering.views.get(v.id) ?? null);
  const whenTrue = nested(lower, lowering, yes, inputs.slice(0, thenInputs), results, `${id}+`);
  const whenFalse = nested(lower, lowering, no, inputs.slice(thenInputs), results, `${id}-`);
  lowering.nodes.push({ kind: "cond", condition, whenTrue, whenFalse });
}
