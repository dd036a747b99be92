/** Whole models, ready to train; weights carry PyTorch's names. */
export {
  type CifarResnetOptions,
  type CifarResnetVariant,
  cifarResnet,
  resnet20,
  resnet32,
  resnet44,
  resnet56,
  resnet110,
} from "./cifar-resnet.ts";
export { type CnnOptions, cnn } from "./cnn.ts";
export { type EfficientnetOptions, type EfficientnetVariant, efficientnet, efficientnetB0 } from "./efficientnet.ts";
export { type GptOptions, gpt } from "./gpt.ts";
export type { ImageModelOptions } from "./image-model.ts";
export { type LenetOptions, lenet } from "./lenet.ts";
export { type MlpOptions, mlp } from "./mlp.ts";
export { type MobilenetOptions, mobilenetV2 } from "./mobilenet.ts";
export {
  type ResnetOptions,
  type ResnetVariant,
  resnet,
  resnet18,
  resnet34,
  resnet50,
  resnet101,
  resnet152,
} from "./resnet.ts";
export { type TabularInputs, type TabularOptions, tabular } from "./tabular.ts";
export { type VggOptions, type VggVariant, vgg, vgg11, vgg13, vgg16, vgg19, vggSmall } from "./vgg.ts";
export { type VitOptions, type VitVariant, vit, vitBase, vitSmall, vitTiny } from "./vit.ts";
