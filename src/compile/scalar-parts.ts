import type { Index, Scalar } from "../ir/loops.ts";

/** The expressions that a node computes with, those of its addresses left out. */
export function operandsOf(node: Scalar): readonly Scalar[] {
  switch (node.kind) {
    case "unary":
    case "cast":
      return [node.a];
    case "binary":
      return [node.a, node.b];
    case "select":
      return [node.condition, node.a, node.b];
    case "guard":
      return [node.inside, node.outside];
    default:
      return [];
  }
}

function indicesOf(node: Scalar): readonly Index[] {
  if (node.kind === "index") return [node.index];
  if (node.kind === "load") return node.index;
  return node.kind === "guard" ? node.ranges.map((range) => range.index) : [];
}

/** What a scalar expression is made of, computed indices included. */
export function partsOf(node: Scalar): readonly Scalar[] {
  return [...indicesOf(node).flatMap((index) => (index.dynamic ? [index.dynamic.value] : [])), ...operandsOf(node)];
}
