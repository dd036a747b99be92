import type { Tensor } from "../../ops/tensor.ts";
import { compose } from "../compose.ts";
import { conv2d } from "../conv.ts";
import type { Layer } from "../layer.ts";
import { linear } from "../linear.ts";
import { checkImageOptions, expectImages, type ImageModelOptions } from "./image-model.ts";

export type LenetOptions = ImageModelOptions & {
  /** Zeros around the image for the first convolution: 2 makes images of 28 x 28 the 32 x 32 of the paper. Default 0. */
  readonly padding?: number;
};

/**
 * LeNet-5 with relu and max pools, as PyTorch's tutorial "Neural networks" has it: 5x5 convolutions to 6 and 16 channels,
 * each halved, then 120, 84 and `classes` (default 10). f32[N, C, H, W] -> f32[N, classes]; sides of 16 and more.
 *
 * Parameters: `conv1`, `conv2`, `fc1`, `fc2`, `fc3`, started as `nn.conv2d` and `nn.linear` do.
 *
 * Errors: OptionError for options out of range; ShapeError where the input is not images of `inChannels`.
 * Source: LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition" (1998).
 *
 * @example
 * nn.model(nn.lenet()).init(1, { dtype: "f32", shape: [2, 1, 28, 28] }).output.shape // -> [2, 10]
 */
export function lenet(options: LenetOptions = {}): Layer {
  const { classes = 10, inChannels, padding = 0 } = options;
  checkImageOptions("lenet", options);
  return compose(
    { conv1: conv2d(6, 5, { padding }), conv2: conv2d(16, 5), fc1: linear(120), fc2: linear(84), fc3: linear(classes) },
    (x: Tensor, at) => {
      expectImages("lenet", x, inChannels);
      // A maximum commutes with relu, which then has a quarter of the elements.
      const maps = at.conv2(at.conv1(x).maxPool2d(2).relu()).maxPool2d(2).relu();
      return at.fc3(at.fc2(at.fc1(maps.flatten(1)).relu()).relu());
    },
    { kind: "lenet", ...options },
  );
}
