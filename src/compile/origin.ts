import { sizeOf } from "../core/dtype.ts";
import type { Equation } from "../ir/program.ts";
import type { Group } from "./groups.ts";
import type { Node, Origin } from "./kernel.ts";
import type { Lowering } from "./lowering.ts";

/** What the kernels of a group are for. */
export function originOf(lowering: Lowering, group: Group): Origin {
  if (group.kind === "template") {
    const { eq } = group;
    return { operation: `${eq.primitive} ${eq.outputs[0]?.id}`, site: eq.site, flops: directFlops(eq) };
  }
  const sites = group.roots.map(({ value }) => lowering.analysis.definition.get(value.id)?.site ?? "");
  const known = [...new Set(sites.filter((site) => site !== ""))];
  return { operation: group.roots.map(({ name }) => name).join("+"), site: known.join(", "), flops: 0 };
}

/** The same node, in which kernels without an origin, such as a loop's own copies, have this one. */
export function withOrigin(node: Node, origin: Origin): Node {
  const all = (nodes: readonly Node[]): Node[] => nodes.map((inner) => withOrigin(inner, origin));
  switch (node.kind) {
    case "kernel":
      return node.kernel.origin ? node : { ...node, kernel: { ...node.kernel, origin } };
    case "stage":
      return node;
    case "loop":
      return { ...node, body: all(node.body) };
    case "while":
      return { ...node, test: all(node.test), body: all(node.body) };
    case "cond":
      return { ...node, whenTrue: all(node.whenTrue), whenFalse: all(node.whenFalse) };
  }
}

/** 2 for each multiply-add of a product; the rest of the program counts by its kernels. */
function directFlops({ primitive, inputs, outputs }: Equation): number {
  const shapeOf = (side: Equation["inputs"], i: number): readonly number[] => side[i]?.aval.shape ?? [];
  const [a, b, out] = [shapeOf(inputs, 0), shapeOf(inputs, 1), shapeOf(outputs, 0)];
  switch (primitive) {
    case "dot":
      return 2 * sizeOf(out) * (a.at(-1) ?? 0);
    case "conv2d":
      return 2 * sizeOf(out) * sizeOf(b.slice(1));
    case "convInputGrad":
      return 2 * sizeOf(a) * sizeOf(b.slice(1));
    case "convWeightGrad":
      return 2 * sizeOf(b) * sizeOf(out.slice(1));
    default:
      return 0;
  }
}
