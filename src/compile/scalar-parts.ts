import type { Scalar } from "../ir/loops.ts";

/** What a scalar expression is made of, computed indices included. */
export function partsOf(node: Scalar): readonly Scalar[] {
  switch (node.kind) {
    case "const":
      return [];
    case "index":
      return node.index.dynamic ? [node.index.dynamic.value] : [];
    case "load":
      return node.index.flatMap((i) => (i.dynamic ? [i.dynamic.value] : []));
    case "unary":
    case "cast":
      return [node.a];
    case "binary":
      return [node.a, node.b];
    case "select":
      return [node.condition, node.a, node.b];
    case "guard":
      return [
        ...node.ranges.flatMap((r) => (r.index.dynamic ? [r.index.dynamic.value] : [])),
        node.inside,
        node.outside,
      ];
  }
}
