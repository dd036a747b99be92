import { type Aval, bytesOf, sizeOf, stridesOf } from "../core/dtype.ts";
import type { Equation, Program, Var } from "../ir/program.ts";
import type { CondParams, ScanParams, WhileParams } from "../trace/control.ts";
import type { Buffer, Node, View } from "./kernel.ts";
import { Lowering, type Target, viewOf } from "./lowering.ts";
import { copyView } from "./scatter.ts";
import { touches } from "./touches.ts";

/** How a nested program is lowered: as any program. */
type Lower = (lowering: Lowering, targets: readonly Target[]) => readonly Node[];

/** Nested programs are lowered in place: their inputs and outputs are buffers that are copied around them. */
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

/** Leading slices of the variable lie one after another in this view: where it lies, or in a copy. */
function inSlices(lowering: Lowering, eq: Equation, v: Var, name: string): View {
  const view = lowering.viewOfVar(v);
  const { home, layout } = view.buffer;
  const dense = stridesOf(view.shape).every((stride, axis) => view.shape[axis] === 1 || stride === view.strides[axis]);
  const whole = view.offset === 0 && layout.offset === 0;
  return dense && whole && home.kind !== "feed" ? view : entering(lowering, eq, v, name);
}

/** A row-major buffer, filled from a variable. */
function entering(lowering: Lowering, eq: Equation, v: Var, name: string): View {
  const view = viewOf(lowering.buffer(name, v.aval));
  copyView(lowering, eq, lowering.viewOfVar(v), view);
  return view;
}

function nested(
  lower: Lower,
  lowering: Lowering,
  program: Program,
  inputs: readonly View[],
  outputs: readonly View[],
  prefix: string,
): readonly Node[] {
  const bindings = new Map(program.inputs.map((input, i) => [input.value.id, inputs[i] as View]));
  const inner = new Lowering(lowering.arena, program, bindings, () => undefined, prefix);
  const targets = program.outputs
    .map((o, i): Target => ({ value: o.value, view: outputs[i] as View, name: `${prefix}${o.path}` }))
    .filter(({ view }, i) => outputs.findIndex((other) => other.buffer === view.buffer) === i);
  return lower(inner, targets);
}

const bytes = (aval: Aval): number => sizeOf(aval.shape) * bytesOf(aval.dtype);

function copyNode(
  eq: Equation,
  name: string,
  source: Buffer,
  target: Buffer,
  size: number,
  sourceStep: number,
  targetStep: number,
): Node {
  return {
    kind: "kernel",
    kernel: { kind: "copy", name, phase: eq.phase, source, target, bytes: size, sourceStep, targetStep },
  };
}

type Touched = { readonly reads: readonly Buffer[]; readonly writes: readonly Buffer[] };

function touchedBy(node: Node): Touched {
  if (node.kind === "kernel") return touches(node.kernel);
  const inner =
    node.kind === "stage"
      ? node.kernels.map(touches)
      : (node.kind === "cond"
          ? [...node.whenTrue, ...node.whenFalse]
          : node.kind === "while"
            ? [...node.test, ...node.body]
            : node.body
        ).map(touchedBy);
  const condition = "condition" in node ? [node.condition] : [];
  return { reads: [...condition, ...inner.flatMap((t) => t.reads)], writes: inner.flatMap((t) => t.writes) };
}

/**
 * Puts kernels that would give the same in every round in front of the loop: those that read nothing the loop writes, such as a
 * weight packed for a product. Returns the nodes that stay inside.
 */
function outOfLoop(lowering: Lowering, inside: readonly Node[]): Node[] {
  const touched = new Map(inside.map((node) => [node, touchedBy(node)]));
  const moves = new Set(inside.filter((node) => node.kind === "kernel" && node.kernel.kind !== "copy"));
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

function lowerScan(lowering: Lowering, eq: Equation, lower: Lower): void {
  const params = eq.params as ScanParams & { readonly kept?: readonly number[] };
  const [program] = eq.programs as [Program];
  const id = (eq.outputs[0] as Var).id;
  const carries = eq.inputs.slice(0, params.carries).map((v, i) => entering(lowering, eq, v, `${id}.carry${i}`));
  const xs = eq.inputs.slice(params.carries, params.carries + params.xs).map((v, i) => {
    const dense = inSlices(lowering, eq, v, `${id}.xs${i}`);
    const element = lowering.buffer(`${id}.x${i}`, { dtype: v.aval.dtype, shape: v.aval.shape.slice(1) });
    return { dense, element };
  });
  const captured = eq.inputs.slice(params.carries + params.xs).map((v) => lowering.viewOfVar(v));
  const next = program.outputs.slice(0, params.carries).map((o, i) => lowering.buffer(`${id}.next${i}`, o.value.aval));
  // What is carried on and handed out is written once.
  const ys = program.outputs.slice(params.carries).map((o, i) => {
    const carried = program.outputs.slice(0, params.carries).findIndex((carry) => carry.value.id === o.value.id);
    return next[carried] ?? lowering.buffer(`${id}.y${i}`, o.value.aval);
  });
  const stackedYs = eq.outputs.slice(params.carries, params.carries + ys.length).map((v) => lowering.views.get(v.id));
  const kept = params.kept ?? carries.map((_, i) => i);
  const stackedCarries = eq.outputs.slice(params.carries + ys.length).map((v) => lowering.views.get(v.id));

  const inside: Node[] = [];
  xs.forEach(({ dense, element }, i) => {
    const size = bytes({ dtype: element.dtype, shape: element.shape });
    inside.push(copyNode(eq, `x${i}`, dense.buffer, element, size, size, 0));
  });
  kept.forEach((carry, i) => {
    const from = carries[carry] as View;
    const size = bytes({ dtype: from.buffer.dtype, shape: from.shape });
    const to = stackedCarries[i];
    if (to) inside.push(copyNode(eq, `carry${carry}`, from.buffer, to.buffer, size, 0, size));
  });
  const inputs = [...carries, ...xs.map(({ element }) => viewOf(element)), ...captured];
  inside.push(...nested(lower, lowering, program, inputs, [...next, ...ys].map(viewOf), `${id}/`));
  ys.forEach((y, i) => {
    const size = bytes({ dtype: y.dtype, shape: y.shape });
    const to = stackedYs[i];
    if (to) inside.push(copyNode(eq, `y${i}`, y, to.buffer, size, 0, size));
  });
  next.forEach((buffer, i) => {
    const size = bytes({ dtype: buffer.dtype, shape: buffer.shape });
    inside.push(copyNode(eq, `next${i}`, buffer, (carries[i] as View).buffer, size, 0, 0));
  });
  const body = outOfLoop(lowering, inside);
  lowering.nodes.push({ kind: "loop", length: params.length, reverse: params.reverse, body });
  leave(lowering, eq, carries);
}

/** Final values into the outputs' memory. */
function leave(lowering: Lowering, eq: Equation, values: readonly View[]): void {
  values.forEach((value, i) => {
    const out = lowering.views.get((eq.outputs[i] as Var).id);
    if (out) copyView(lowering, eq, value, out);
  });
}

function lowerWhile(lowering: Lowering, eq: Equation, lower: Lower): void {
  const params = eq.params as WhileParams;
  const [test, body] = eq.programs as [Program, Program];
  const id = (eq.outputs[0] as Var).id;
  const carries = eq.inputs.slice(0, params.carries).map((v, i) => entering(lowering, eq, v, `${id}.carry${i}`));
  const captured = eq.inputs.slice(params.carries).map((v) => lowering.viewOfVar(v));
  const condition = lowering.buffer(`${id}.condition`, { dtype: "bool", shape: [] });
  const next = carries.map((view, i) =>
    lowering.buffer(`${id}.next${i}`, { dtype: view.buffer.dtype, shape: view.shape }),
  );
  const testNodes = nested(
    lower,
    lowering,
    test,
    [...carries, ...captured.slice(0, params.conditionCaptured)],
    [viewOf(condition)],
    `${id}?`,
  );
  const bodyNodes = [
    ...nested(
      lower,
      lowering,
      body,
      [...carries, ...captured.slice(params.conditionCaptured)],
      next.map(viewOf),
      `${id}/`,
    ),
  ];
  next.forEach((buffer, i) => {
    bodyNodes.push(
      copyNode(
        eq,
        `next${i}`,
        buffer,
        (carries[i] as View).buffer,
        bytes({ dtype: buffer.dtype, shape: buffer.shape }),
        0,
        0,
      ),
    );
  });
  lowering.nodes.push({ kind: "while", condition, test: testNodes, body: bodyNodes });
  leave(lowering, eq, carries);
}

function lowerCond(lowering: Lowering, eq: Equation, lower: Lower): void {
  const { thenInputs } = eq.params as CondParams;
  const [yes, no] = eq.programs as [Program, Program];
  const [test, ...rest] = eq.inputs as [Var, ...Var[]];
  const id = (eq.outputs[0] as Var).id;
  const condition = entering(lowering, eq, test, `${id}.condition`).buffer;
  const inputs = rest.map((v) => lowering.viewOfVar(v));
  const results = yes.outputs.map((o, i) => viewOf(lowering.buffer(`${id}.result${i}`, o.value.aval)));
  const whenTrue = nested(lower, lowering, yes, inputs.slice(0, thenInputs), results, `${id}+`);
  const whenFalse = nested(lower, lowering, no, inputs.slice(thenInputs), results, `${id}-`);
  lowering.nodes.push({ kind: "cond", condition, whenTrue, whenFalse });
  leave(lowering, eq, results);
}
