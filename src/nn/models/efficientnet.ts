import { OptionError } from "../../core/errors.ts";
import type { Tensor } from "../../ops/tensor.ts";
import { silu } from "../activations.ts";
import { compose } from "../compose.ts";
import { conv2d } from "../conv.ts";
import { dropout as dropoutLayer, stochasticDepth as stochasticDepthLayer } from "../dropout.ts";
import * as functional from "../functional.ts";
import { uniform, zeros } from "../init.ts";
import type { Layer } from "../layer.ts";
import { linear } from "../linear.ts";
import { sequential } from "../sequential.ts";
import { checkImageOptions, expectImages, expectRate, heFanOut, type ImageModelOptions } from "./image-model.ts";
import { channelsOf, convNorm } from "./mobilenet.ts";

export type EfficientnetVariant = ImageModelOptions & {
  /** Before the last layer. Default 0.2. */
  readonly dropout?: number;
  /** Chance of leaving out the last block for a sample in training; earlier ones in proportion to their place. Default 0.2. */
  readonly stochasticDepth?: number;
};

export type EfficientnetOptions = EfficientnetVariant & {
  /** Multiplies the channels, rounded to multiples of 8. Default 1. */
  readonly width?: number;
  /** Multiplies the blocks of each stage, rounded up. Default 1. */
  readonly depth?: number;
};

/** Expansion, kernel, stride, channels and blocks of each stage; the stem has 32 channels. */
const STAGES = [
  [1, 3, 1, 16, 1],
  [6, 3, 2, 24, 2],
  [6, 5, 2, 40, 2],
  [6, 3, 2, 80, 3],
  [6, 5, 1, 112, 3],
  [6, 5, 2, 192, 4],
  [6, 3, 1, 320, 1],
] as const;

/** x sigmoid(fc2(silu(fc1(mean(x))))): a factor for each channel. Source: Hu, Shen and Sun, "Squeeze-and-excitation networks" (2017). */
function squeezeExcitation(channels: number, squeezed: number): Layer {
  const conv = (out: number): Layer => conv2d(out, 1, { weightInit: heFanOut, biasInit: zeros() });
  return compose(
    { fc1: conv(squeezed), fc2: conv(channels) },
    (x: Tensor, at) => x.mul(at.fc2(functional.silu(at.fc1(x.mean([2, 3], { keepDims: true })))).sigmoid()),
    { kind: "squeezeExcitation" },
  );
}

type Block = {
  readonly inputs: number;
  readonly channels: number;
  readonly expansion: number;
  readonly kernel: number;
  readonly stride: number;
  readonly leftOut: number;
};

function mbConv({ inputs, channels, expansion, kernel, stride, leftOut }: Block): Layer {
  const hidden = channelsOf(inputs * expansion);
  const block = sequential(
    ...(hidden === inputs ? [] : [convNorm(hidden, { kernel: 1 }, silu)]),
    convNorm(hidden, { kernel, stride, groups: hidden }, silu),
    squeezeExcitation(hidden, Math.max(1, Math.floor(inputs / 4))),
    convNorm(channels, { kernel: 1 }),
  );
  if (stride !== 1 || inputs !== channels)
    return compose({ block }, (x: Tensor, at) => at.block(x), { kind: "mbConv" });
  return compose(
    { block, stochastic_depth: stochasticDepthLayer(leftOut, "row") },
    (x: Tensor, at) => at.stochastic_depth(at.block(x)).add(x),
    { kind: "mbConv" },
  );
}

/**
 * EfficientNet: MobileNetV2's blocks with silu, squeeze and excitation, and stochastic depth, scaled in `width` and `depth`.
 * f32[N, C, H, W] -> f32[N, classes]. `efficientnetB0` is the usual one.
 *
 * Parameters are named as torchvision's: `features.1.0.block.1.fc1.weight`, `classifier.1.bias`. Convolutions start normal
 * with std = sqrt(2 / fanOut), the linear weight uniform in ±1/sqrt(classes), biases at 0, as there.
 *
 * Errors: OptionError for options out of range; ShapeError where the input is not images of `inChannels`.
 * Source: Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural networks" (2019);
 * torchvision.models.efficientnet.
 *
 * @example
 * const net = nn.efficientnet({ width: 1.1, depth: 1.2, dropout: 0.3, classes: 10 }); // B2
 * nn.model(net).init(1, { dtype: "f32", shape: [2, 3, 64, 64] }).output.shape // -> [2, 10]
 */
export function efficientnet(options: EfficientnetOptions = {}): Layer {
  const { classes = 1000, inChannels, width = 1, depth = 1, dropout = 0.2, stochasticDepth = 0.2 } = options;
  checkImageOptions("efficientnet", options);
  expectRate("efficientnet", "dropout", dropout);
  expectRate("efficientnet", "stochasticDepth", stochasticDepth);
  for (const [name, value] of Object.entries({ width, depth }))
    if (!(value > 0 && value < Infinity))
      throw new OptionError(`efficientnet: got ${name} ${value}; expected a positive number.`);
  const counts = STAGES.map(([, , , , count]) => Math.ceil(count * depth));
  const total = counts.reduce((sum, count) => sum + count, 0);
  let inputs = channelsOf(32 * width);
  let place = 0;
  const features = [convNorm(inputs, { kernel: 3, stride: 2 }, silu)];
  STAGES.forEach(([expansion, kernel, first, base], stage) => {
    const channels = channelsOf(base * width);
    const blocks: Layer[] = [];
    for (let i = 0; i < (counts[stage] as number); i++) {
      const leftOut = (stochasticDepth * place++) / total;
      blocks.push(mbConv({ inputs, channels, expansion, kernel, stride: i === 0 ? first : 1, leftOut }));
      inputs = channels;
    }
    features.push(sequential(...blocks));
  });
  features.push(convNorm(4 * inputs, { kernel: 1 }, silu));
  const bound = 1 / Math.sqrt(classes);
  const last = linear(classes, { weightInit: uniform({ low: -bound, high: bound }), biasInit: zeros() });
  return compose(
    { features: sequential(...features), classifier: sequential(dropoutLayer(dropout), last) },
    (x: Tensor, at) => {
      expectImages("efficientnet", x, inChannels);
      return at.classifier(at.features(x).mean([2, 3]));
    },
    { kind: "efficientnet", ...options },
  );
}

/**
 * EfficientNet-B0: 5.3 million parameters. Options and names: `efficientnet`.
 *
 * @example
 * nn.model(nn.efficientnetB0({ classes: 10 })).init(1, { dtype: "f32", shape: [2, 3, 64, 64] }).output.shape // -> [2, 10]
 */
export function efficientnetB0(options: EfficientnetVariant = {}): Layer {
  return efficientnet(options);
}
