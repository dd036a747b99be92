/** Whole models, ready to train; weights carry PyTorch's names. */
export { type CnnOptions, cnn } from "./cnn.ts";
export { type GptOptions, gpt } from "./gpt.ts";
export type { ImageModelOptions } from "./image-model.ts";
export { type MlpOptions, mlp } from "./mlp.ts";
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
export { type VitOptions, type VitVariant, vit, vitBase, vitSmall, vitTiny } from "./vit.ts";
