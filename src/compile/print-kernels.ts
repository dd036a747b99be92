import { formatAval } from "../core/dtype.ts";
import type { Index, Loop, Scalar } from "../ir/loops.ts";
import type { Axis, Kernel, Node, View } from "./kernel.ts";

const loopName = (loop: Loop): string => `i${loop.id}`;

function formatIndex(index: Index): string {
  const terms = index.terms.map(([loop, c]) => (c === 1 ? loopName(loop) : `${c}*${loopName(loop)}`));
  if (index.dynamic)
    terms.push(
      `${index.dynamic.coefficient === 1 ? "" : `${index.dynamic.coefficient}*`}(${formatScalar(index.dynamic.value, [])})`,
    );
  if (index.base !== 0 || terms.length === 0) terms.push(String(index.base));
  return terms.join(" + ");
}

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

function formatScalar(node: Scalar, operands: readonly View[]): string {
  const show = (n: Scalar): string => formatScalar(n, operands);
  switch (node.kind) {
    case "const":
      return String(node.value);
    case "index":
      return formatIndex(node.index);
    case "load":
      return `${operands[node.source]?.buffer.name ?? `#${node.source}`}[${node.index.map(formatIndex).join(", ")}]`;
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
    case "guard":
      return `(${node.ranges.map((r) => `${r.low} <= ${formatIndex(r.index)} < ${r.high}`).join(" and ")} ? ${show(node.inside)} : ${show(node.outside)})`;
  }
}

const nest = (loops: readonly Loop[]): string => loops.map((l) => `${loopName(l)} < ${l.size}`).join(", ");
const axes = (list: readonly Axis[]): string => list.map((a) => a.size).join(" x ") || "1";

function formatKernel(kernel: Kernel): string[] {
  const head = `${kernel.kind} ${kernel.name}  # ${kernel.phase}`;
  switch (kernel.kind) {
    case "map":
      return [
        head,
        `  for ${nest(kernel.loops)}`,
        ...kernel.stores.map(
          (s) => `    ${s.view.buffer.name}[${formatIndex(s.index)}] = ${formatScalar(s.value, kernel.operands)}`,
        ),
      ];
    case "reduce":
      return [
        head,
        `  for ${nest(kernel.loops)}`,
        `    ${kernel.target.buffer.name}[${formatIndex(kernel.index)}] = ${kernel.op} over ${nest(kernel.reduced)} of ${formatScalar(kernel.value, kernel.operands)}`,
      ];
    case "scatter":
      return [
        head,
        `  for ${nest(kernel.loops)}`,
        `    ${kernel.target.buffer.name}[${formatIndex(kernel.index)}] += ${formatScalar(kernel.value, kernel.operands)}`,
      ];
    case "contract":
      return [
        head,
        `  ${kernel.c.name}:${formatAval(kernel.c)} = ${kernel.a.name} x ${kernel.b.name}${kernel.images ? `, by image${kernel.images.chunk > 0 ? `, in sums of ${kernel.images.chunk}` : ""}` : ""}`,
        ...kernel.parts.map((p) => `  outer ${axes(p.outer)}, m ${axes(p.m)}, n ${p.n.size}, k ${axes(p.k)}`),
      ];
    case "fill":
      return [head];
    case "copy":
      return [head, `  ${kernel.target.name} = ${kernel.source.name}, ${kernel.bytes} bytes`];
  }
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
          visit(node.then, `${indent}  `);
          add("else");
          visit(node.otherwise, `${indent}  `);
          break;
      }
    }
  };
  visit(nodes, "");
  return lines.join("\n");
}
