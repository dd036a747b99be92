import type { Tensor } from "../ops/tensor.ts";
import { compose } from "./compose.ts";
import { defineLayer } from "./define-layer.ts";
import * as f from "./functional.ts";
import { configOf, expectCount, expectF32, type Layer } from "./layer.ts";
import { type LinearOptions, linear } from "./linear.ts";

export type GluOptions = {
  /** The axis that is halved. Default -1. */
  readonly axis?: number;
  /** What the second half goes through. Default "sigmoid". */
  readonly activation?: f.Gate;
};

/**
 * a sigmoid(b), where a and b are the halves of x along `axis`: f32[..., 2 D] -> f32[..., D].
 *
 * Errors: ShapeError when the axis has an odd size.
 * Source: Dauphin, Fan, Auli and Grangier, "Language modeling with gated convolutional networks" (2016).
 */
export function glu(options: GluOptions = {}): Layer {
  const { axis = -1, activation = "sigmoid" } = options;
  return defineLayer({
    kind: "glu",
    config: options,
    apply(_params, x: Tensor) {
      expectF32("glu", x.aval, undefined, "f32");
      return f.glu(x, axis, activation);
    },
  });
}

export type GatedLinearOptions = Pick<LinearOptions, "bias" | "inFeatures" | "weightInit" | "biasInit">;

function gatedLinear(kind: string, gate: f.Gate, outFeatures: number, options: GatedLinearOptions): Layer {
  expectCount(kind, "outFeatures", outFeatures);
  const { weightInit, biasInit, ...rest } = options;
  const config = { outFeatures, ...rest, weightInit: weightInit?.config, biasInit: biasInit?.config };
  const children = { proj: linear(2 * outFeatures, options) };
  return compose(children, (x: Tensor, { proj }) => f.glu(proj(x), -1, gate), { ...configOf(kind, config) });
}

/**
 * value silu(gate), where [value, gate] = x proj.weightᵀ + proj.bias: f32[N, ..., in] -> f32[N, ..., outFeatures], as in LLaMA
 * and PaLM.
 *
 * One product makes both: `proj.weight` is [2 outFeatures, in], the value's rows before the gate's. LLaMA's `up_proj` stands
 * for the former and `gate_proj` for the latter; its `down_proj` is a linear layer after this one. Biases are there by
 * default, as in `linear`; LLaMA has none.
 *
 * Errors: ShapeError as `linear`.
 * Source: Shazeer, "GLU variants improve transformer" (2020).
 *
 * @example
 * const feedForward = nn.sequential(nn.swiglu(1024, { bias: false }), nn.linear(384, { bias: false }));
 */
export function swiglu(outFeatures: number, options: GatedLinearOptions = {}): Layer {
  return gatedLinear("swiglu", "silu", outFeatures, options);
}

/** value gelu(gate), as `swiglu`. Source: Shazeer (2020). */
export function geglu(outFeatures: number, options: GatedLinearOptions = {}): Layer {
  return gatedLinear("geglu", "gelu", outFeatures, options);
}

/** value relu(gate), as `swiglu`. Source: Shazeer (2020). */
export function reglu(outFeatures: number, options: GatedLinearOptions = {}): Layer {
  return gatedLinear("reglu", "relu", outFeatures, options);
}
