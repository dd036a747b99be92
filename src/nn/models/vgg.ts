import { OptionError } from "../../core/errors.ts";
import type { Tensor } from "../../ops/tensor.ts";
import { relu } from "../activations.ts";
import { batchNorm } from "../batch-norm.ts";
import { compose } from "../compose.ts";
import { conv2d } from "../conv.ts";
import { dropout as dropoutLayer } from "../dropout.ts";
import { normal, zeros } from "../init.ts";
import { expectCount, type Layer } from "../layer.ts";
import { linear } from "../linear.ts";
import { maxPool2d } from "../pooling.ts";
import { adaptiveAvgPool2d } from "../pooling-adaptive.ts";
import { sequential } from "../sequential.ts";
import { checkImageOptions, expectImages, expectRate, heFanOut, type ImageModelOptions } from "./image-model.ts";

export type VggVariant = ImageModelOptions & {
  /** A batch norm after each convolution, torchvision's `_bn`. Default false. */
  readonly batchNorm?: boolean;
  /** Of the two hidden linear layers. Default 0.5. */
  readonly dropout?: number;
};

export type VggOptions = VggVariant & {
  /** Layers with weights. Default 11. */
  readonly depth?: 11 | 13 | 16 | 19;
  /** "hidden": maps of 7x7, two hidden linear layers; "linear": the mean of each map and one. Default "hidden", torchvision's. */
  readonly head?: "hidden" | "linear";
  /** Channels of the first convolutions; later ones have up to 8 times as many. Default 64. */
  readonly width?: number;
  /** Size of the hidden linear layers. Default 4096. */
  readonly hidden?: number;
};

/** Convolutions of each of the five parts, between which pools halve the sides. */
const CONVOLUTIONS: Readonly<Record<number, readonly number[]>> = {
  11: [1, 1, 2, 2, 2],
  13: [2, 2, 2, 2, 2],
  16: [2, 2, 3, 3, 3],
  19: [2, 2, 4, 4, 4],
};

/**
 * 3x3 convolutions, relu and pools, then linear layers: f32[N, C, H, W] -> f32[N, classes], sides of 32 and more.
 * `vgg11` to `vgg19` are the usual ones, `vggSmall` one for small images.
 *
 * Parameters are named as torchvision's, `features.0.weight`, `classifier.6.bias`; with `head: "linear"` as
 * kuangliu/pytorch-cifar's, `classifier.weight`. Convolutions start normal with std = sqrt(2 / fanOut), linear layers with
 * 0.01, biases at 0, as torchvision.
 *
 * Errors: OptionError for options out of range; ShapeError where the input is not images of `inChannels`, or too small.
 * Source: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition" (2014);
 * torchvision.models.vgg.
 *
 * @example
 * const net = nn.vgg({ depth: 13, batchNorm: true, head: "linear", width: 16, classes: 10 });
 * nn.model(net).init(1, { dtype: "f32", shape: [2, 3, 32, 32] }).output.shape // -> [2, 10]
 */
export function vgg(options: VggOptions = {}): Layer {
  const { depth = 11, classes = 1000, inChannels, dropout = 0.5, width = 64, hidden = 4096 } = options;
  checkImageOptions("vgg", options);
  expectCount("vgg", "width", width);
  expectCount("vgg", "hidden", hidden);
  expectRate("vgg", "dropout", dropout);
  const counts = CONVOLUTIONS[depth];
  if (counts === undefined) throw new OptionError(`vgg: got depth ${depth}; expected 11, 13, 16 or 19.`);
  const features = counts.flatMap((count, part) => {
    const channels = width * 2 ** Math.min(part, 3);
    const convolutions = Array.from({ length: count }, () => [
      conv2d(channels, 3, { padding: 1, weightInit: heFanOut, biasInit: zeros() }),
      ...(options.batchNorm ? [batchNorm()] : []),
      relu(),
    ]);
    return [...convolutions.flat(), maxPool2d(2)];
  });
  const dense = (out: number): Layer => linear(out, { weightInit: normal({ std: 0.01 }), biasInit: zeros() });
  const small = options.head === "linear";
  const classifier = small
    ? dense(classes)
    : sequential(
        ...[dense(hidden), relu(), dropoutLayer(dropout)],
        ...[dense(hidden), relu(), dropoutLayer(dropout)],
        dense(classes),
      );
  const config = { kind: "vgg", ...options };
  const images = (x: Tensor): Tensor => {
    expectImages("vgg", x, inChannels);
    return x;
  };
  const body = sequential(...features);
  if (small)
    return compose(
      { features: body, classifier },
      (x: Tensor, at) => at.classifier(at.features(images(x)).mean([2, 3])),
      config,
    );
  return compose(
    { features: body, avgpool: adaptiveAvgPool2d(7), classifier },
    (x: Tensor, at) => at.classifier(at.avgpool(at.features(images(x))).flatten(1)),
    config,
  );
}

/** VGG-11, 132.9 million parameters. Options and names: `vgg`. */
export function vgg11(options: VggVariant = {}): Layer {
  return vgg({ ...options, depth: 11 });
}

/** VGG-13, 133.0 million parameters. Options and names: `vgg`. */
export function vgg13(options: VggVariant = {}): Layer {
  return vgg({ ...options, depth: 13 });
}

/** VGG-16, 138.4 million parameters. Options and names: `vgg`. */
export function vgg16(options: VggVariant = {}): Layer {
  return vgg({ ...options, depth: 16 });
}

/** VGG-19, 143.7 million parameters. Options and names: `vgg`. */
export function vgg19(options: VggVariant = {}): Layer {
  return vgg({ ...options, depth: 19 });
}

/**
 * VGG-11 with batch norms and one linear layer, for images of 32 x 32: 9.2 million parameters with 10 classes, the default.
 * Names: `vgg` with `head: "linear"`.
 *
 * @example
 * nn.model(nn.vggSmall()).init(1, { dtype: "f32", shape: [2, 3, 32, 32] }).output.shape // -> [2, 10]
 */
export function vggSmall(options: ImageModelOptions = {}): Layer {
  return vgg({ classes: 10, ...options, depth: 11, batchNorm: true, head: "linear" });
}
