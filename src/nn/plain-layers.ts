import type { Tensor } from "../ops/tensor.ts";
import { defineLayer } from "./define-layer.ts";
import type { Layer } from "./layer.ts";

/** Merges the axes from `start` on: f32[N, C, H, W] -> f32[N, C H W]. Start 1 unless given. */
export function flatten(start: number = 1): Layer {
  return defineLayer({ kind: "flatten", config: { start }, apply: (_params, x: Tensor) => x.flatten(start) });
}

/** x itself. */
export function identity(): Layer {
  return defineLayer({ kind: "identity", apply: (_params, x: Tensor) => x });
}

/**
 * A function without parameters as a layer. A model with one is rebuilt from its configuration only where
 * `layerFromConfig` is given a layer for the name, `{ [name]: () => nn.lambda(name, f) }`.
 *
 * @example
 * nn.sequential(nn.linear(8), nn.lambda("square", (x) => x.square()))
 */
export function lambda(name: string, f: (x: Tensor) => Tensor): Layer {
  return defineLayer({ kind: name, apply: (_params, x: Tensor) => f(x) });
}
