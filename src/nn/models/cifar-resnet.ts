import type { Tensor } from "../../ops/tensor.ts";
import { batchNorm } from "../batch-norm.ts";
import { compose } from "../compose.ts";
import { conv2d } from "../conv.ts";
import { heNormal } from "../init.ts";
import { expectCount, type Layer } from "../layer.ts";
import { linear } from "../linear.ts";
import { sequential } from "../sequential.ts";
import { checkImageOptions, expectImages, type ImageModelOptions } from "./image-model.ts";

export type CifarResnetVariant = ImageModelOptions & {
  /**
   * Where a block halves the sides and doubles the channels: "A" takes every second pixel and adds channels of zeros,
   * without parameters; "B" is a 1x1 convolution and a norm, `shortcut.0` and `shortcut.1`. Default "A", the paper's.
   */
  readonly shortcut?: "A" | "B";
};

export type CifarResnetOptions = CifarResnetVariant & {
  /** n of the depth 6n + 2: blocks of each of the three stages. Default 3. */
  readonly blocks?: number;
  /** Channels of the first stage. Default 16. */
  readonly width?: number;
};

const conv = (channels: number, kernel: 1 | 3, stride = 1): Layer =>
  conv2d(channels, kernel, { stride, padding: kernel === 3 ? 1 : 0, bias: false, weightInit: heNormal() });

/** Every second pixel, between channels of zeros. */
function padded(x: Tensor, channels: number): Tensor {
  const [n, c, h, w] = x.shape as readonly [number, number, number, number];
  const low = Math.floor((channels - c) / 2);
  return x.slice([0, 0, 0, 0], [n, c, h, w], [1, 1, 2, 2]).pad([0, low, 0, 0], [0, channels - c - low, 0, 0]);
}

function block(channels: number, changes: boolean, option: "A" | "B"): Layer {
  const stride = changes ? 2 : 1;
  const children: Record<string, Layer> = {
    conv1: conv(channels, 3, stride),
    bn1: batchNorm(),
    conv2: conv(channels, 3),
    bn2: batchNorm(),
    ...(changes && option === "B" ? { shortcut: sequential(conv(channels, 1, 2), batchNorm()) } : {}),
  };
  return compose(
    children,
    (x: Tensor, at) => {
      const call = (name: string, value: Tensor): Tensor => at[name]?.(value) ?? value;
      const inner = call("bn1", call("conv1", x)).relu();
      const side = changes && option === "A" ? padded(x, channels) : call("shortcut", x);
      return call("bn2", call("conv2", inner)).add(side).relu();
    },
    { kind: "cifarBlock" },
  );
}

/**
 * The residual networks of 6n + 2 layers for images of 32 x 32: a 3x3 convolution, three stages of n blocks with 16, 32 and 64
 * channels, the mean of each map, one linear layer. f32[N, C, H, W] -> f32[N, classes], classes 10 unless given.
 *
 * Parameters are named as akamaster/pytorch_resnet_cifar10's, `layer1.0.conv1.weight` and `linear.weight`; its files have
 * "module." before every name, which `nn.stripPrefix` takes off. Convolutions and the linear weight start normal with
 * std = sqrt(2 / fanIn), as there.
 *
 * Errors: OptionError for options out of range; ShapeError where the input is not images of `inChannels`.
 * Source: He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (2015), section 4.2.
 *
 * @example
 * nn.model(nn.resnet20()).init(1, { dtype: "f32", shape: [2, 3, 32, 32] }).output.shape // -> [2, 10]
 */
export function cifarResnet(options: CifarResnetOptions = {}): Layer {
  const { blocks = 3, width = 16, classes = 10, inChannels, shortcut = "A" } = options;
  checkImageOptions("cifarResnet", options);
  expectCount("cifarResnet", "blocks", blocks);
  expectCount("cifarResnet", "width", width);
  const [layer1, layer2, layer3] = [0, 1, 2].map((stage) =>
    sequential(...Array.from({ length: blocks }, (_, i) => block(width * 2 ** stage, stage > 0 && i === 0, shortcut))),
  ) as [Layer, Layer, Layer];
  return compose(
    {
      conv1: conv(width, 3),
      bn1: batchNorm(),
      layer1,
      layer2,
      layer3,
      linear: linear(classes, { weightInit: heNormal() }),
    },
    (x: Tensor, at) => {
      expectImages("cifarResnet", x, inChannels);
      return at.linear(at.layer3(at.layer2(at.layer1(at.bn1(at.conv1(x)).relu()))).mean([2, 3]));
    },
    { kind: "cifarResnet", ...options },
  );
}

/** ResNet-20 for CIFAR: 0.27 million parameters. Options and names: `cifarResnet`. */
export function resnet20(options: CifarResnetVariant = {}): Layer {
  return cifarResnet({ ...options, blocks: 3 });
}

/** ResNet-32 for CIFAR: 0.46 million parameters. Options and names: `cifarResnet`. */
export function resnet32(options: CifarResnetVariant = {}): Layer {
  return cifarResnet({ ...options, blocks: 5 });
}

/** ResNet-44 for CIFAR: 0.66 million parameters. Options and names: `cifarResnet`. */
export function resnet44(options: CifarResnetVariant = {}): Layer {
  return cifarResnet({ ...options, blocks: 7 });
}

/** ResNet-56 for CIFAR: 0.85 million parameters. Options and names: `cifarResnet`. */
export function resnet56(options: CifarResnetVariant = {}): Layer {
  return cifarResnet({ ...options, blocks: 9 });
}

/** ResNet-110 for CIFAR: 1.7 million parameters. Options and names: `cifarResnet`. */
export function resnet110(options: CifarResnetVariant = {}): Layer {
  return cifarResnet({ ...options, blocks: 18 });
}
