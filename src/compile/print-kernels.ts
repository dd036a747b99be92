import { formatAval } from "../core/dtype.ts";
import type { Index, Loop, Scalar } from "../ir/loops.ts";
import type { Axis, Kernel, Node, SweepKernel, SweepSlot, View } from "./kernel.ts";
import { partsOf } from "./scalar-parts.ts";
import { slotIndex } from "./sweeps.ts";

const loopName = (loop: Loop): string => `i${loop.id}`;

const INFIX: Readonly<Record<string, string>> = {
  add: "+",
  sub: "-",
  mul: "*",
  div: "/",
  eq: "==",
  ne: "!=",
  lt: "<",
  le: "<=",
  gt: ">",
  ge: ">=",
};

/** Writes expressions; a part that is used twice gets a line and a name of its own. */
class ScalarPrinter {
  readonly lines: string[] = [];
  private readonly operands: readonly View[];
  private readonly uses = new Map<Scalar, number>();
  private readonly names = new Map<Scalar, string>();

  constructor(operands: readonly View[], roots: readonly Scalar[]) {
    this.operands = operands;
    for (const root of roots) this.count(root);
  }

  private count(node: Scalar): void {
    const seen = this.uses.get(node) ?? 0;
    this.uses.set(node, seen + 1);
    if (seen === 0) for (const part of partsOf(node)) this.count(part);
  }

  show(node: Scalar): string {
    const known = this.names.get(node);
    if (known) return known;
    const text = this.format(node);
    if ((this.uses.get(node) ?? 0) < 2 || node.kind === "const" || node.kind === "index") return text;
    const name = `t${this.names.size}`;
    this.names.set(node, name);
    this.lines.push(`${name} = ${text}`);
    return name;
  }

  private format(node: Scalar): string {
    const show = (n: Scalar): string => this.show(n);
    switch (node.kind) {
      case "const":
        return String(node.value);
      case "index":
        return this.index(node.index);
      case "load":
        return `${this.operands[node.source]?.buffer.name ?? `#${node.source}`}[${node.index.map((i) => this.index(i)).join(", ")}]`;
      case "unary":
        return `${node.op}(${show(node.a)})`;
      case "binary": {
        const infix = INFIX[node.op];
        return infix ? `(${show(node.a)} ${infix} ${show(node.b)})` : `${node.op}(${show(node.a)}, ${show(node.b)})`;
      }
      case "select":
        return `(${show(node.condition)} ? ${show(node.a)} : ${show(node.b)})`;
      case "cast":
        return `${node.to}(${show(node.a)})`;
      case "guard": {
        const ranges = node.ranges.map((r) => `${r.low} <= ${this.index(r.index)} < ${r.high}`).join(" and ");
        return `(${ranges} ? ${show(node.inside)} : ${show(node.outside)})`;
      }
    }
  }

  index(index: Index): string {
    const terms = index.terms.map(([loop, c]) => (c === 1 ? loopName(loop) : `${c}*${loopName(loop)}`));
    const { dynamic } = index;
    if (dynamic) terms.push(`${dynamic.coefficient === 1 ? "" : `${dynamic.coefficient}*`}${this.show(dynamic.value)}`);
    if (index.base !== 0 || terms.length === 0) terms.push(String(index.base));
    return terms.join(" + ");
  }
}

const nest = (loops: readonly Loop[]): string => loops.map((l) => `${loopName(l)} < ${l.size}`).join(", ") || "one";
const axes = (list: readonly Axis[]): string => list.map((a) => a.size).join(" x ") || "1";

function formatKernel(kernel: Kernel): string[] {
  const head = `${kernel.kind} ${kernel.name}  # ${kernel.phase}`;
  switch (kernel.kind) {
    case "map":
    case "reduce":
    case "scatter":
      return [head, ...formatNest(kernel)];
    case "sweep":
    case "sums":
      return [head, ...formatSweep(kernel)];
    case "contract":
      return [
        head,
        `  ${kernel.c.name}:${formatAval(kernel.c)} = ${kernel.a.name} x ${kernel.b.name}${kernel.images ? `, by image${kernel.images.chunk > 0 ? `, in sums of ${kernel.images.chunk}` : ""}` : ""}`,
        ...kernel.parts.map((p) => `  outer ${axes(p.outer)}, m ${axes(p.m)}, n ${p.n.size}, k ${axes(p.k)}`),
      ];
    case "pack":
      return [
        head,
        `  ${kernel.target.name}:${formatAval(kernel.target)} = ${kernel.source.buffer.name} in panels of ${kernel.width}`,
      ];
    case "fill":
      return [head];
  }
}

function formatNest(kernel: Extract<Kernel, { readonly kind: "map" | "reduce" | "scatter" }>): string[] {
  const stores =
    kernel.kind === "map" ? kernel.stores : [{ view: kernel.target, index: kernel.index, value: kernel.value }];
  const printer = new ScalarPrinter(
    kernel.operands,
    stores.map((s) => s.value),
  );
  const written = stores.map(({ view, index, value }) => {
    const text = printer.show(value);
    const place = `${view.buffer.name}[${printer.index(index)}]`;
    if (kernel.kind === "map") return `${place} = ${text}`;
    return kernel.kind === "scatter"
      ? `${place} += ${text}`
      : `${place} = ${kernel.op} over ${nest(kernel.reduced)} of ${text}`;
  });
  return [`  for ${nest(kernel.loops)}`, ...[...printer.lines, ...written].map((line) => `    ${line}`)];
}

/** The loop as it is for the first array, and the others' names. */
function formatSweep({ kind, arrays, slots, stores, loop }: SweepKernel): string[] {
  const [first, ...others] = arrays as [SweepKernel["arrays"][number], ...SweepKernel["arrays"]];
  const views = first.operands.map(({ buffer }): View => ({ buffer, shape: [first.size], strides: [1], offset: 0 }));
  const printer = new ScalarPrinter(
    views,
    stores.map((s) => s.value),
  );
  const written = stores.map(({ slot, value }) => {
    const text = printer.show(value);
    const sum = kind === "sums" ? `sum over ${loopName(loop)} < ${first.size} of ` : "";
    return `${views[slot]?.buffer.name}[${printer.index(slotIndex(slots[slot] as SweepSlot, loop))}] = ${sum}${text}`;
  });
  return [
    kind === "sums" ? "  for one" : `  for ${loopName(loop)} < ${first.size}`,
    ...[...printer.lines, ...written].map((line) => `    ${line}`),
    ...others.map(({ name, size }) => `  and for ${name}, ${size}`),
  ];
}

/** Kernels as text, in the order in which they run. */
export function printKernels(nodes: readonly Node[]): string {
  const lines: string[] = [];
  const visit = (list: readonly Node[], indent: string): void => {
    const add = (text: string): void => {
      lines.push(indent + text);
    };
    for (const node of list) {
      switch (node.kind) {
        case "kernel":
          for (const line of formatKernel(node.kernel)) add(line);
          break;
        case "stage":
          add(`for each of ${node.images} images`);
          visit(
            node.kernels.map((kernel) => ({ kind: "kernel", kernel })),
            `${indent}  `,
          );
          break;
        case "loop":
          add(`loop ${node.length} times${node.reverse ? ", from the last" : ""}`);
          visit(node.body, `${indent}  `);
          break;
        case "while":
          add(`while ${node.condition.name}`);
          visit(node.test, `${indent}  ? `);
          visit(node.body, `${indent}  `);
          break;
        case "cond":
          add(`if ${node.condition.name}`);
          visit(node.whenTrue, `${indent}  `);
          add("else");
          visit(node.whenFalse, `${indent}  `);
          break;
      }
    }
  };
  visit(nodes, "");
  return lines.join("\n");
}
