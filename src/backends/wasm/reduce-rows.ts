import type { ReduceKernel, View } from "../../compile/kernel.ts";
import { operandsOf } from "../../compile/scalar-parts.ts";
import type { Index, Loop, Loops, Scalar } from "../../ir/loops.ts";
import type { FuncBuilder } from "./asm/module.ts";
import { ExpressionEmitter } from "./expression.ts";
import { emitInner, type InnerStore, storesOf, valuesOf, wholeRange } from "./inner-loop.ts";
import type { Target } from "./kernel-code.ts";
import { type SizedLoop, usesOf } from "./nest.ts";
import { openLoops } from "./open-loops.ts";

/** Rows that one pass over the results takes in. */
const ROWS = 4;
/** Results whose rows lie so far apart in memory that going down them a few columns at a time fetches line by line. */
const WIDE_ROW = 64;

type Rows = {
  readonly outer: readonly SizedLoop[];
  readonly reduced: readonly SizedLoop[];
  readonly columns: SizedLoop;
  readonly removed: ReadonlySet<number>;
};

export function goesByRows(kernel: ReduceKernel, { outer, reduced, columns }: Rows): boolean {
  const rows = reduced.at(-1)?.size ?? 0;
  const { dtype } = kernel.target.buffer;
  const fits = rows >= 2 * ROWS && rows % ROWS === 0;
  return outer.length > 0 && fits && columns.size >= WIDE_ROW && dtype === "f32" && kernel.op !== "argmax";
}

/** Combines rows into the results as they lie in memory, so that it is read as a stream; each result's order is that of the rows. */
export function emitByRows(
  f: FuncBuilder,
  target: Target,
  kernel: ReduceKernel,
  l: Loops,
  value: Scalar,
  { outer, reduced, columns, removed }: Rows,
  init: number,
): void {
  const operands: readonly View[] = [...kernel.operands, kernel.target];
  const { index, op } = kernel;
  const last = reduced.at(-1) as SizedLoop;
  let combined = l.load(kernel.operands.length, "f32", [index]);
  for (let row = 0; row < ROWS; row++)
    combined = l.binary(op === "sum" ? "add" : (op as "max" | "min"), combined, everyOther(l, value, last.loop, row));
  const e = new ExpressionEmitter(f, target, operands, removed, null);
  e.countUses([combined]);
  const pass = (result: Scalar): void => {
    const stores: readonly InnerStore[] = [{ view: kernel.target, index, value: result }];
    const values = valuesOf(stores);
    const uses = usesOf(values, operands, stores);
    const piece = [0, columns.size] as const;
    emitInner(
      f,
      e,
      columns.loop,
      true,
      { ...uses, values },
      storesOf(f, e, stores),
      wholeRange,
      piece,
      target.together,
    );
  };
  openLoops(f, e, outer, true, () => {
    pass(l.constant(init, "f32"));
    const rows = [...reduced.slice(0, -1), { loop: last.loop, size: last.size / ROWS }];
    openLoops(f, e, rows, false, () => pass(combined));
  });
}

/** The expression at iteration ROWS i + `row` of the loop. */
function everyOther(l: Loops, root: Scalar, loop: Loop, row: number): Scalar {
  const memo = new Map<Scalar, Scalar>();
  const at = (index: Index): Index => {
    const c = index.terms.find(([own]) => own === loop)?.[1] ?? 0;
    return {
      base: index.base + c * row,
      terms: index.terms.map(([own, k]) => [own, own === loop ? k * ROWS : k] as const),
      ...(index.dynamic && { dynamic: { ...index.dynamic, value: visit(index.dynamic.value) } }),
    };
  };
  const visit = (node: Scalar): Scalar => {
    const known = memo.get(node);
    if (known) return known;
    const made = rewritten(node);
    memo.set(node, made);
    return made;
  };
  const rewritten = (node: Scalar): Scalar => {
    const [a, b, c] = operandsOf(node).map(visit) as [Scalar, Scalar, Scalar];
    switch (node.kind) {
      case "const":
        return l.constant(node.value, node.lane);
      case "index":
        return l.index(at(node.index));
      case "load":
        return l.load(node.source, node.dtype, node.index.map(at));
      case "unary":
        return l.unary(node.op, a);
      case "binary":
        return l.binary(node.op, a, b);
      case "select":
        return l.select(a, b, c);
      case "cast":
        return l.cast(node.to, a);
      case "guard":
        return l.guard(
          node.ranges.map((range) => ({ ...range, index: at(range.index) })),
          () => a,
          b,
        );
    }
  };
  return visit(root);
}
