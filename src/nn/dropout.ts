import { formatAval, type Shape } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import type { Tensor } from "../ops/tensor.ts";
import { defineLayer } from "./define-layer.ts";
import { expectF32, type Json, type Layer, type LayerContext } from "./layer.ts";

/** A layer that changes something in training alone, with probability p. */
function dropping(
  kind: string,
  p: number,
  config: { readonly [option: string]: Json },
  check: (x: Tensor) => void,
  drop: (x: Tensor, ctx: LayerContext) => Tensor,
): Layer {
  if (!(p >= 0 && p <= 1)) throw new OptionError(`${kind}: got p ${p}; expected a probability in [0, 1].`);
  return defineLayer({
    kind,
    config: { p, ...config },
    apply(_params, x: Tensor, ctx) {
      check(x);
      return !ctx.training || p === 0 ? x : drop(x, ctx);
    },
  });
}

/** 0 with probability p, else x / (1 - p): one draw for each element of `shape`, which broadcasts to x. */
function dropped(x: Tensor, p: number, shape: Shape, ctx: LayerContext): Tensor {
  if (p === 1) return x.zerosLike();
  return ctx.key
    .bernoulli(1 - p, shape)
    .select(x, 0)
    .mul(1 / (1 - p));
}

/** A shape's first axes, and 1 for each of the others: one draw for all that they hold. */
const upTo = (shape: Shape, axes: number): Shape => shape.map((size, axis) => (axis < axes ? size : 1));

/**
 * In training each element is 0 with probability p, else divided by 1 - p; in evaluation nothing changes. p is 0.5 unless given.
 *
 * The mask is a function of the pass's key, the layer's path and the element's place, so it is computed again in the
 * backward pass and never stored, and does not depend on the backend or the number of threads.
 *
 * Errors: OptionError when p is outside [0, 1].
 * Source: Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov (2014).
 */
export function dropout(p: number = 0.5): Layer {
  return dropping(
    "dropout",
    p,
    {},
    () => {},
    (x, ctx) => dropped(x, p, x.shape, ctx),
  );
}

/**
 * `dropout` of whole channels of sequences f32[N, C, L]: each sample's channel is 0 with probability p, else divided by 1 - p.
 *
 * Errors: OptionError when p is outside [0, 1].
 * Source: Tompson, Goroshin, Jain, LeCun and Bregler, "Efficient object localization using convolutional networks" (2015).
 */
export function dropout1d(p: number = 0.5): Layer {
  return dropping(
    "dropout1d",
    p,
    {},
    (x) => expectF32("dropout1d", x.aval, [3], "f32[N, C, L]"),
    (x, ctx) => dropped(x, p, upTo(x.shape, 2), ctx),
  );
}

/** `dropout` of whole channels of images f32[N, C, H, W]. Errors and source as `dropout1d`. */
export function dropout2d(p: number = 0.5): Layer {
  return dropping(
    "dropout2d",
    p,
    {},
    (x) => expectF32("dropout2d", x.aval, [4], "f32[N, C, H, W]"),
    (x, ctx) => dropped(x, p, upTo(x.shape, 2), ctx),
  );
}

/** -scale alpha of selu: what its outputs tend to. */
const SATURATED = -1.7580993408473766;

/**
 * `dropout` for `selu`: in training each element becomes -1.758 with probability p, and a x + b makes up for it, so that mean 0
 * and variance 1 stay. a = 1 / sqrt((1 - p) (1 + 1.758² p)), b = 1.758 a p. With p 1 all becomes 0, as in PyTorch.
 *
 * Errors: OptionError when p is outside [0, 1].
 * Source: Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks" (2017).
 */
export function alphaDropout(p: number = 0.5): Layer {
  const a = 1 / Math.sqrt((1 - p) * (1 + SATURATED ** 2 * p));
  const b = -SATURATED * a * p;
  return dropping(
    "alphaDropout",
    p,
    {},
    () => {},
    (x, ctx) => {
      if (p === 1) return x.zerosLike();
      return ctx.key
        .bernoulli(1 - p, x.shape)
        .select(x, SATURATED)
        .mul(a)
        .add(b);
    },
  );
}

export type StochasticDepthMode = "row" | "batch";

/**
 * In training all of x is 0 with probability p, else divided by 1 - p: each sample for itself ("row"), or the batch as one
 * ("batch"). At the end of a residual branch it leaves the branch out, as torchvision's `StochasticDepth` and timm's
 * `DropPath`.
 *
 * Errors: OptionError when p is outside [0, 1]; ShapeError for a scalar.
 * Source: Huang, Sun, Liu, Sedra and Weinberger, "Deep networks with stochastic depth" (2016).
 *
 * @example
 * nn.residual(nn.sequential(nn.conv2d(16, 3, { padding: 1 }), nn.batchNorm(), nn.stochasticDepth(0.1)))
 */
export function stochasticDepth(p: number, mode: StochasticDepthMode = "row"): Layer {
  return dropping(
    "stochasticDepth",
    p,
    { mode },
    (x) => {
      if (x.rank === 0) throw new ShapeError(`stochasticDepth: got ${formatAval(x.aval)}; expected f32[N, ...].`);
    },
    (x, ctx) => dropped(x, p, upTo(x.shape, mode === "row" ? 1 : 0), ctx),
  );
}
