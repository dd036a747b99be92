import { zeros } from "../../core/host-array.ts";
import { mapTree } from "../../core/tree.ts";
import type { Tensor } from "../../ops/tensor.ts";
import { batchNorm } from "../batch-norm.ts";
import { compose } from "../compose.ts";
import { conv2d } from "../conv.ts";
import { expectCount, type Layer } from "../layer.ts";
import { linear } from "../linear.ts";
import { sequential } from "../sequential.ts";
import { checkImageOptions, expectCounts, expectImages, heFanOut, type ImageModelOptions } from "./image-model.ts";

export type ResnetVariant = ImageModelOptions & {
  /**
   * What the images meet first. "7x7": a convolution of stride 2 and a max pool, as torchvision, which divides the sides
   * by 4. "3x3": a convolution of stride 1 alone, usual for images of 32 x 32 and less. Default "7x7".
   */
  readonly stem?: "7x7" | "3x3";
  /** Channels of the first stage; each further one has twice as many. Default 64. */
  readonly width?: number;
  /** Start the last norm of each block at 0, so that every block starts as the identity. Default false, as torchvision. */
  readonly zeroInitResidual?: boolean;
};

export type ResnetOptions = ResnetVariant & {
  /** "basic": two 3x3 convolutions; "bottleneck": 1x1, 3x3 (which has the stride, as torchvision) and 1x1. Default "basic". */
  readonly block?: "basic" | "bottleneck";
  /** Blocks of each of the four stages. Default [2, 2, 2, 2]. */
  readonly layers?: readonly number[];
};

/** The batch norm that ends a block. */
function lastNorm(zero: boolean): Layer {
  const norm = batchNorm();
  if (!zero) return norm;
  return {
    ...norm,
    init(key, input, path) {
      const made = norm.init(key, input, path);
      return { ...made, params: mapTree(made.params, (a, name) => (name === "weight" ? zeros(a.shape) : a)) };
    },
  };
}

const conv = (channels: number, kernel: 1 | 3, stride = 1): Layer =>
  conv2d(channels, kernel, { stride, padding: kernel === 3 ? 1 : 0, bias: false, weightInit: heFanOut });

type Stage = { readonly channels: number; readonly stride: number; readonly project: boolean; readonly zero: boolean };

/** The 1x1 convolution and norm beside a block whose output differs in shape from its input. */
const downsample = (channels: number, { stride, project }: Stage): Record<string, Layer> =>
  project ? { downsample: sequential(conv(channels, 1, stride), batchNorm()) } : {};

function basicBlock(stage: Stage): Layer {
  const { channels, stride, zero } = stage;
  const children: Record<string, Layer> = {
    conv1: conv(channels, 3, stride),
    bn1: batchNorm(),
    conv2: conv(channels, 3),
    bn2: lastNorm(zero),
    ...downsample(channels, stage),
  };
  return compose(
    children,
    (x: Tensor, at) => {
      const call = (name: string, value: Tensor): Tensor => at[name]?.(value) ?? value;
      const inner = call("bn1", call("conv1", x)).relu();
      return call("bn2", call("conv2", inner)).add(call("downsample", x)).relu();
    },
    { kind: "basicBlock" },
  );
}

function bottleneck(stage: Stage): Layer {
  const { channels, stride, zero } = stage;
  const children: Record<string, Layer> = {
    conv1: conv(channels, 1),
    bn1: batchNorm(),
    conv2: conv(channels, 3, stride),
    bn2: batchNorm(),
    conv3: conv(4 * channels, 1),
    bn3: lastNorm(zero),
    ...downsample(4 * channels, stage),
  };
  return compose(
    children,
    (x: Tensor, at) => {
      const call = (name: string, value: Tensor): Tensor => at[name]?.(value) ?? value;
      const narrow = call("bn1", call("conv1", x)).relu();
      const inner = call("bn2", call("conv2", narrow)).relu();
      return call("bn3", call("conv3", inner)).add(call("downsample", x)).relu();
    },
    { kind: "bottleneck" },
  );
}

/**
 * A residual network, relu(x + f(x)) block by block: f32[N, C, H, W] -> scores f32[N, classes], from sides of 1 on.
 * `resnet18` to `resnet152` are the usual ones; parameters are named as torchvision's: `layer1.0.conv1.weight`.
 *
 * Convolutions start normal with std = sqrt(2 / fanOut), norms at 1 and 0, `fc` as `nn.linear`, all as torchvision.
 *
 * Errors: OptionError for options out of range; ShapeError where the input is not images of `inChannels`.
 * Source: He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (2015); torchvision.models.resnet.
 *
 * @example
 * const net = nn.resnet({ block: "basic", layers: [1, 1, 1, 1], width: 16, classes: 10 });
 * nn.model(net).init(1, { dtype: "f32", shape: [2, 3, 64, 64] }).output.shape // -> [2, 10]
 */
export function resnet(options: ResnetOptions = {}): Layer {
  const { block = "basic", layers = [2, 2, 2, 2], classes = 1000, stem = "7x7", width = 64 } = options;
  const { inChannels, zeroInitResidual: zero = false } = options;
  checkImageOptions("resnet", options);
  expectCounts("resnet", "layers", layers, 4);
  expectCount("resnet", "width", width);
  const large = stem === "7x7";
  const expansion = block === "basic" ? 1 : 4;
  let before = width;
  const stages = layers.map((count, stage) => {
    const channels = width * 2 ** stage;
    const blocks = Array.from({ length: count }, (_, i) => {
      const stride = i === 0 && stage > 0 ? 2 : 1;
      const project = stride !== 1 || before !== channels * expansion;
      before = channels * expansion;
      return (block === "basic" ? basicBlock : bottleneck)({ channels, stride, project, zero });
    });
    return sequential(...blocks);
  });
  const [layer1, layer2, layer3, layer4] = stages as [Layer, Layer, Layer, Layer];
  const conv1 = large ? conv2d(width, 7, { stride: 2, padding: 3, bias: false, weightInit: heFanOut }) : conv(width, 3);
  return compose(
    { conv1, bn1: batchNorm(), layer1, layer2, layer3, layer4, fc: linear(classes) },
    (x: Tensor, at) => {
      expectImages("resnet", x, inChannels);
      const normed = at.bn1(at.conv1(x));
      // A maximum commutes with relu, which then has a quarter of the elements.
      const first = (large ? normed.maxPool2d(3, { stride: 2, padding: 1 }) : normed).relu();
      return at.fc(at.layer4(at.layer3(at.layer2(at.layer1(first)))).mean([2, 3]));
    },
    { kind: "resnet", ...options },
  );
}

/**
 * 18 layers, 11.7 million parameters. Options and names: `resnet`.
 *
 * @example
 * nn.model(nn.resnet18({ classes: 10, stem: "3x3" })).init(1, { dtype: "f32", shape: [2, 3, 32, 32] }).output.shape // -> [2, 10]
 */
export function resnet18(options: ResnetVariant = {}): Layer {
  return resnet({ ...options, block: "basic", layers: [2, 2, 2, 2] });
}

/** 34 layers, 21.8 million parameters. Options and names: `resnet`. */
export function resnet34(options: ResnetVariant = {}): Layer {
  return resnet({ ...options, block: "basic", layers: [3, 4, 6, 3] });
}

/** 50 layers, 25.6 million parameters. Options and names: `resnet`. */
export function resnet50(options: ResnetVariant = {}): Layer {
  return resnet({ ...options, block: "bottleneck", layers: [3, 4, 6, 3] });
}

/** 101 layers, 44.5 million parameters. Options and names: `resnet`. */
export function resnet101(options: ResnetVariant = {}): Layer {
  return resnet({ ...options, block: "bottleneck", layers: [3, 4, 23, 3] });
}

/** 152 layers, 60.2 million parameters. Options and names: `resnet`. */
export function resnet152(options: ResnetVariant = {}): Layer {
  return resnet({ ...options, block: "bottleneck", layers: [3, 8, 36, 3] });
}
