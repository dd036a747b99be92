import { formatAval } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import type { Tensor } from "../ops/tensor.ts";
import { defineLayer } from "./define-layer.ts";
import * as f from "./functional.ts";
import { constant } from "./init.ts";
import { expectCount, expectF32, type Json, type Layer } from "./layer.ts";

function activation(
  kind: string,
  config: { readonly [option: string]: Json | undefined },
  apply: (x: Tensor) => Tensor,
): Layer {
  return defineLayer({
    kind,
    config,
    apply(_params, x: Tensor) {
      expectF32(kind, x.aval, undefined, "f32");
      return apply(x);
    },
  });
}

function expectPositive(kind: string, name: string, value: number): void {
  if (!(value > 0 && Number.isFinite(value)))
    throw new OptionError(`${kind}: got ${name} ${value}; expected a positive number.`);
}

function expectFinite(kind: string, name: string, value: number): void {
  if (!Number.isFinite(value)) throw new OptionError(`${kind}: got ${name} ${value}; expected a finite number.`);
}

/** max(x, 0). The derivative at 0 is 0. */
export function relu(): Layer {
  return defineLayer({ kind: "relu", trait: "relu", apply: (_params, x: Tensor) => x.relu() });
}

/** min(max(x, 0), 6), as in MobileNet. The derivative at 0 and at 6 is 0, as PyTorch. */
export function relu6(): Layer {
  return activation("relu6", {}, f.relu6);
}

/** x where x > 0, else slope x. Slope 0.01 unless given, as PyTorch. */
export function leakyRelu(slope: number = 0.01): Layer {
  expectFinite("leakyRelu", "slope", slope);
  return activation("leakyRelu", { slope }, (x) => f.leakyRelu(x, slope));
}

export type PreluOptions = {
  /** 1: one weight for all; the number of channels: one for each. Default 1. */
  readonly numParameters?: number;
  /** What each weight starts from. Default 0.25, as PyTorch. */
  readonly init?: number;
};

/**
 * x where x > 0, else weight x, with a learned `weight` [numParameters] for all channels or each (axis 1).
 *
 * Errors: ShapeError when there is neither one weight nor one for each channel.
 * Source: He, Zhang, Ren and Sun, "Delving deep into rectifiers" (2015).
 */
export function prelu(options: PreluOptions = {}): Layer {
  const { numParameters = 1, init = 0.25 } = options;
  expectCount("prelu", "numParameters", numParameters);
  expectFinite("prelu", "init", init);
  return defineLayer<{ readonly weight: HostArray }, Tensor, Tensor>({
    kind: "prelu",
    config: options,
    init: (key) => ({ weight: constant(init).sample(key, [numParameters]) }),
    apply({ weight }, x) {
      expectF32("prelu", x.aval, undefined, "f32");
      if (numParameters === 1) return f.prelu(x, weight.reshape([]));
      if (x.shape[1] !== numParameters)
        throw new ShapeError(
          `prelu: got ${formatAval(x.aval)}; expected ${numParameters} channels on axis 1 for the weight ${formatAval(weight.aval)}.`,
        );
      return f.prelu(x, weight.reshape(x.shape.map((_, axis) => (axis === 1 ? numParameters : 1)).slice(1)));
    },
  });
}

export type RreluOptions = {
  /** Default 1/8. */
  readonly lower?: number;
  /** Default 1/3. */
  readonly upper?: number;
};

/**
 * x where x > 0, else slope x, with a slope drawn for each element in training, uniform in [lower, upper); in evaluation it is
 * their mean.
 *
 * Errors: OptionError unless lower <= upper.
 * Source: Xu, Wang, Chen and Li, "Empirical evaluation of rectified activations in convolutional network" (2015).
 */
export function rrelu(options: RreluOptions = {}): Layer {
  const { lower = 1 / 8, upper = 1 / 3 } = options;
  if (!(lower <= upper && Number.isFinite(lower) && Number.isFinite(upper)))
    throw new OptionError(`rrelu: got lower ${lower} and upper ${upper}; expected numbers in order.`);
  return defineLayer({
    kind: "rrelu",
    config: options,
    apply(_params, x: Tensor, ctx) {
      expectF32("rrelu", x.aval, undefined, "f32");
      if (!ctx.training || lower === upper) return f.leakyRelu(x, (lower + upper) / 2);
      return f.prelu(
        x,
        ctx.key
          .uniform(x.shape)
          .mul(upper - lower)
          .add(lower),
      );
    },
  });
}

/** x where x > 0, else alpha (e^x - 1). Alpha 1 unless given. Source: Clevert, Unterthiner and Hochreiter (2015). */
export function elu(alpha: number = 1): Layer {
  expectFinite("elu", "alpha", alpha);
  return activation("elu", { alpha }, (x) => f.elu(x, alpha));
}

/**
 * 1.0507 x where x > 0, else 1.7581 (e^x - 1): keeps mean 0 and variance 1 where weights are LeCun normal.
 * Source: Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks" (2017).
 */
export function selu(): Layer {
  return activation("selu", {}, f.selu);
}

/** max(x, 0) + min(0, alpha (e^(x / alpha) - 1)). Alpha 1 unless given. Source: Barron (2017). */
export function celu(alpha: number = 1): Layer {
  expectPositive("celu", "alpha", alpha);
  return activation("celu", { alpha }, (x) => f.celu(x, alpha));
}

/**
 * x Φ(x) = x (1 + erf(x / √2)) / 2, or x (1 + tanh(u)) / 2 = x sigmoid(2u) with u = √(2/π) (x + 0.044715 x³).
 * Source: Hendrycks and Gimpel (2016).
 */
export function gelu(options: f.GeluOptions = {}): Layer {
  return activation("gelu", options, (x) => f.gelu(x, options));
}

/** x sigmoid(x), also called swish. Source: Elfwing, Uchibe and Doya (2017). */
export function silu(): Layer {
  return activation("silu", {}, f.silu);
}

/** x tanh(ln(1 + e^x)). Source: Misra (2019). */
export function mish(): Layer {
  return activation("mish", {}, f.mish);
}

/** ln(1 + e^(beta x)) / beta, and x itself where beta x > threshold. Defaults 1 and 20, as PyTorch. */
export function softplus(options: f.SoftplusOptions = {}): Layer {
  const { beta = 1, threshold: limit = 20 } = options;
  expectPositive("softplus", "beta", beta);
  expectFinite("softplus", "threshold", limit);
  return activation("softplus", options, (x) => f.softplus(x, options));
}

/** 1 / (1 + e^-x) */
export function sigmoid(): Layer {
  return activation("sigmoid", {}, f.sigmoid);
}

/** ln(1 / (1 + e^-x)), exact where the sigmoid is 0. */
export function logSigmoid(): Layer {
  return activation("logSigmoid", {}, f.logSigmoid);
}

/** min(max(x + 3, 0), 6) / 6. Source: Howard et al., "Searching for MobileNetV3" (2019). */
export function hardSigmoid(): Layer {
  return activation("hardSigmoid", {}, f.hardSigmoid);
}

/** x min(max(x + 3, 0), 6) / 6. Source: Howard et al., "Searching for MobileNetV3" (2019). */
export function hardSwish(): Layer {
  return activation("hardSwish", {}, f.hardSwish);
}

/** (e^x - e^-x) / (e^x + e^-x) */
export function tanh(): Layer {
  return activation("tanh", {}, f.tanh);
}

/** min(max(x, minVal), maxVal), -1 and 1 unless given. The derivative at both is 0, as PyTorch. */
export function hardTanh(options: f.HardTanhOptions = {}): Layer {
  const { minVal = -1, maxVal = 1 } = options;
  if (!(minVal < maxVal))
    throw new OptionError(`hardTanh: got minVal ${minVal} and maxVal ${maxVal}; expected minVal < maxVal.`);
  return activation("hardTanh", options, (x) => f.hardTanh(x, options));
}

/** x - tanh(x) */
export function tanhshrink(): Layer {
  return activation("tanhshrink", {}, f.tanhshrink);
}

/** x - lambda where x > lambda, x + lambda where x < -lambda, else 0. Lambda 0.5 unless given. */
export function softshrink(lambda: number = 0.5): Layer {
  if (!(lambda >= 0)) throw new OptionError(`softshrink: got lambda ${lambda}; expected a number of 0 or more.`);
  return activation("softshrink", { lambda }, (x) => f.softshrink(x, lambda));
}

/** x where |x| > lambda, else 0. Lambda 0.5 unless given. */
export function hardshrink(lambda: number = 0.5): Layer {
  if (!(lambda >= 0)) throw new OptionError(`hardshrink: got lambda ${lambda}; expected a number of 0 or more.`);
  return activation("hardshrink", { lambda }, (x) => f.hardshrink(x, lambda));
}

/** x where x > threshold, else value. */
export function threshold(limit: number, value: number): Layer {
  expectFinite("threshold", "threshold", limit);
  expectFinite("threshold", "value", value);
  return activation("threshold", { threshold: limit, value }, (x) => f.threshold(x, limit, value));
}

/** x / (1 + |x|) */
export function softsign(): Layer {
  return activation("softsign", {}, f.softsign);
}

/**
 * e^x / sum e^x along `axis`, the last unless given (PyTorch asks for it).
 * `crossEntropy` takes what comes before a softmax: a model that ends in one trains badly.
 */
export function softmax(axis: number = -1): Layer {
  return activation("softmax", { axis }, (x) => f.softmax(x, axis));
}

/** e^-x / sum e^-x along `axis`, the last unless given. */
export function softmin(axis: number = -1): Layer {
  return activation("softmin", { axis }, (x) => f.softmin(x, axis));
}

/** x - ln sum e^x along `axis`, the last unless given. */
export function logSoftmax(axis: number = -1): Layer {
  return activation("logSoftmax", { axis }, (x) => f.logSoftmax(x, axis));
}
