import { type PoolOptions, pair, type Tensor } from "../ops/tensor.ts";
import { defineLayer } from "./define-layer.ts";
import { expectCount, expectF32, type Layer } from "./layer.ts";

type Window = number | readonly [number, number];

function pool(kind: string, window: Window, options: PoolOptions, apply: (x: Tensor) => Tensor): Layer {
  for (const size of pair(window)) expectCount(kind, "window", size);
  return defineLayer({
    kind,
    config: { window, ...options },
    ...(kind === "maxPool2d" ? { trait: "maxPool" } : {}),
    apply(_params, x: Tensor) {
      expectF32(kind, x.aval, [4], "f32[N, C, H, W]");
      return apply(x);
    },
  });
}

/**
 * Largest value of each window: f32[N, C, H, W] -> f32[N, C, OH, OW], OH = floor((H + 2 padding - window) / stride) + 1.
 * The stride is the window unless given. The gradient goes to the first largest value, as in PyTorch.
 *
 * @example
 * nn.model(nn.maxPool2d(2)).init(1, { dtype: "f32", shape: [8, 32, 28, 28] }).output.shape // -> [8, 32, 14, 14]
 */
export function maxPool2d(window: Window, options: PoolOptions = {}): Layer {
  return pool("maxPool2d", window, options, (x) => x.maxPool2d(window, options));
}

/** Mean of each window, padding counted, as PyTorch's default: f32[N, C, H, W] -> f32[N, C, OH, OW]. The stride is the window unless given. */
export function avgPool2d(window: Window, options: PoolOptions = {}): Layer {
  return pool("avgPool2d", window, options, (x) => x.avgPool2d(window, options));
}

export type GlobalPoolOptions = {
  /** Keep the two axes with size 1, as PyTorch's `AdaptiveAvgPool2d(1)`. Default false. */
  readonly keepDims?: boolean;
};

/** Mean over each channel's image: f32[N, C, H, W] -> f32[N, C], or f32[N, C, 1, 1] with `keepDims`. */
export function globalAvgPool2d(options: GlobalPoolOptions = {}): Layer {
  return defineLayer({
    kind: "globalAvgPool2d",
    config: options,
    apply(_params, x: Tensor) {
      expectF32("globalAvgPool2d", x.aval, [4], "f32[N, C, H, W]");
      return x.mean([2, 3], options);
    },
  });
}
