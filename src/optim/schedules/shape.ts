import { cos } from "../../core/math.ts";

/** How a value goes from one to another. */
export type Shape = "linear" | "cosine" | "1-sqrt";

export const SHAPES: readonly Shape[] = ["linear", "cosine", "1-sqrt"];

/** From 0 at p = 0 to 1 at p = 1: p, (1 - cos(pi p)) / 2, or 1 - sqrt(1 - p). Falling is `rise` at 1 - p. */
export function rise(shape: Shape, p: number): number {
  if (shape === "linear") return p;
  return shape === "cosine" ? (1 - cos(Math.PI * p)) / 2 : 1 - Math.sqrt(1 - p);
}
