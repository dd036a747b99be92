import type { Tensor } from "../ops/tensor.ts";
import { defineLayer } from "./define-layer.ts";
import type { Json, Layer } from "./layer.ts";

function activation(
  kind: string,
  config: { readonly [option: string]: Json | undefined },
  f: (x: Tensor) => Tensor,
): Layer {
  return defineLayer({ kind, config, apply: (_params, x: Tensor) => f(x) });
}

/** max(x, 0). The derivative at 0 is 0. */
export function relu(): Layer {
  return defineLayer({ kind: "relu", trait: "relu", apply: (_params, x: Tensor) => x.relu() });
}

/** x where x > 0, else slope x. Slope 0.01 unless given, as PyTorch. */
export function leakyRelu(slope: number = 0.01): Layer {
  return activation("leakyRelu", { slope }, (x) => x.greater(0).select(x, x.mul(slope)));
}

/** x where x > 0, else alpha (e^x - 1). Alpha 1 unless given. Source: Clevert, Unterthiner and Hochreiter (2015). */
export function elu(alpha: number = 1): Layer {
  return activation("elu", { alpha }, (x) => {
    const positive = x.greater(0);
    // Large x never reaches expm1, whose infinite derivative would turn the unselected branch into NaN.
    return positive.select(x, positive.select(0, x).expm1().mul(alpha));
  });
}

export type GeluOptions = {
  /** "none": with erf; "tanh": the approximation of GPT-2 and BERT. Default "none", as PyTorch. */
  readonly approximate?: "none" | "tanh";
};

/**
 * x Φ(x) = x (1 + erf(x / √2)) / 2, or x (1 + tanh(u)) / 2 = x sigmoid(2u) with u = √(2/π) (x + 0.044715 x³).
 * Source: Hendrycks and Gimpel (2016).
 */
export function gelu(options: GeluOptions = {}): Layer {
  return activation("gelu", options, (x) => {
    if (options.approximate !== "tanh") return x.mul(0.5).mul(x.mul(Math.SQRT1_2).erf().add(1));
    // The sigmoid has no 1 + tanh to cancel where x is negative.
    const u = x.add(x.square().mul(x).mul(0.044715)).mul(Math.sqrt(2 / Math.PI));
    return x.mul(u.mul(2).sigmoid());
  });
}

/** 1 / (1 + e^-x) */
export function sigmoid(): Layer {
  return activation("sigmoid", {}, (x) => x.sigmoid());
}

export function tanh(): Layer {
  return activation("tanh", {}, (x) => x.tanh());
}

/**
 * e^x / sum e^x along `axis`, the last unless given (PyTorch asks for it).
 * `crossEntropy` takes what comes before a softmax: a model that ends in one trains badly.
 */
export function softmax(axis: number = -1): Layer {
  return activation("softmax", { axis }, (x) => x.softmax(axis));
}
