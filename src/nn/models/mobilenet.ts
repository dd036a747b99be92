import { OptionError } from "../../core/errors.ts";
import type { Tensor } from "../../ops/tensor.ts";
import { relu6 } from "../activations.ts";
import { batchNorm } from "../batch-norm.ts";
import { compose } from "../compose.ts";
import { conv2d } from "../conv.ts";
import { dropout as dropoutLayer } from "../dropout.ts";
import { normal, zeros } from "../init.ts";
import type { Layer } from "../layer.ts";
import { linear } from "../linear.ts";
import { sequential } from "../sequential.ts";
import { checkImageOptions, expectImages, expectRate, heFanOut, type ImageModelOptions } from "./image-model.ts";

export type MobilenetOptions = ImageModelOptions & {
  /** Multiplies the channels, rounded to multiples of 8; the last 1280 only grow. Default 1. */
  readonly width?: number;
  /** Before the last layer. Default 0.2. */
  readonly dropout?: number;
};

/** The nearest multiple of 8, but not below 0.9 of the value. */
export function channelsOf(value: number): number {
  const nearest = Math.max(8, Math.floor((value + 4) / 8) * 8);
  return nearest < 0.9 * value ? nearest + 8 : nearest;
}

type Convolution = { readonly kernel: number; readonly stride?: number; readonly groups?: number };

/** A convolution that keeps the sides but for its stride, a norm, and an activation if given. */
export function convNorm(
  channels: number,
  { kernel, stride = 1, groups = 1 }: Convolution,
  activation?: () => Layer,
): Layer {
  const padding = (kernel - 1) / 2;
  return sequential(
    conv2d(channels, kernel, { stride, padding, groups, bias: false, weightInit: heFanOut }),
    batchNorm(),
    ...(activation ? [activation()] : []),
  );
}

/** Expansion, channels, blocks and stride of each stage. */
const STAGES = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

function invertedResidual(inputs: number, channels: number, stride: number, expansion: number): Layer {
  const hidden = inputs * expansion;
  const conv = sequential(
    ...(expansion === 1 ? [] : [convNorm(hidden, { kernel: 1 }, relu6)]),
    convNorm(hidden, { kernel: 3, stride, groups: hidden }, relu6),
    conv2d(channels, 1, { bias: false, weightInit: heFanOut }),
    batchNorm(),
  );
  const adds = stride === 1 && inputs === channels;
  return compose({ conv }, (x: Tensor, at) => (adds ? x.add(at.conv(x)) : at.conv(x)), { kind: "invertedResidual" });
}

/**
 * MobileNetV2: depthwise convolutions between an expanding and a projecting 1x1 one, added to their input where the shapes
 * agree. f32[N, C, H, W] -> f32[N, classes]; 3.5 million parameters. The sides are divided by 32, and may be small.
 *
 * Parameters are named as torchvision's: `features.1.conv.0.0.weight`, `classifier.1.bias`. Convolutions start normal with
 * std = sqrt(2 / fanOut), the linear weight with 0.01, its bias at 0, as there.
 *
 * Errors: OptionError for options out of range; ShapeError where the input is not images of `inChannels`.
 * Source: Sandler, Howard, Zhu, Zhmoginov and Chen, "MobileNetV2: inverted residuals and linear bottlenecks" (2018);
 * torchvision.models.mobilenetv2.
 *
 * @example
 * nn.model(nn.mobilenetV2({ classes: 10 })).init(1, { dtype: "f32", shape: [2, 3, 64, 64] }).output.shape // -> [2, 10]
 */
export function mobilenetV2(options: MobilenetOptions = {}): Layer {
  const { classes = 1000, inChannels, width = 1, dropout = 0.2 } = options;
  checkImageOptions("mobilenetV2", options);
  expectRate("mobilenetV2", "dropout", dropout);
  if (!(width > 0 && width < Infinity))
    throw new OptionError(`mobilenetV2: got width ${width}; expected a positive number.`);
  let inputs = channelsOf(32 * width);
  const features = [convNorm(inputs, { kernel: 3, stride: 2 }, relu6)];
  for (const [expansion, base, count, first] of STAGES) {
    const channels = channelsOf(base * width);
    for (let i = 0; i < count; i++) {
      features.push(invertedResidual(inputs, channels, i === 0 ? first : 1, expansion));
      inputs = channels;
    }
  }
  features.push(convNorm(channelsOf(1280 * Math.max(1, width)), { kernel: 1 }, relu6));
  const last = linear(classes, { weightInit: normal({ std: 0.01 }), biasInit: zeros() });
  return compose(
    { features: sequential(...features), classifier: sequential(dropoutLayer(dropout), last) },
    (x: Tensor, at) => {
      expectImages("mobilenetV2", x, inChannels);
      return at.classifier(at.features(x).mean([2, 3]));
    },
    { kind: "mobilenetV2", ...options },
  );
}
