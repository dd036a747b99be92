import type { Layer } from "../layer.ts";
import { resnet20, resnet32, resnet44, resnet56, resnet110 } from "./cifar-resnet.ts";
import { cnn } from "./cnn.ts";
import { efficientnetB0 } from "./efficientnet.ts";
import { lenet } from "./lenet.ts";
import { mlp } from "./mlp.ts";
import { mobilenetV2 } from "./mobilenet.ts";
import { resnet18, resnet34, resnet50, resnet101, resnet152 } from "./resnet.ts";
import { vgg11, vgg13, vgg16, vgg19, vggSmall } from "./vgg.ts";
import { vitBase, vitSmall, vitTiny } from "./vit.ts";

export type ModelRow = {
  /** The function's name in `nn`, and the command line's. */
  readonly name: string;
  readonly create: (options: { readonly classes: number }) => Layer;
  /** What it was made for: channels, sides and classes; others do where the sizes come out. */
  readonly input: readonly [channels: number, side: number];
  readonly classes: number;
  /** With these sizes. */
  readonly parameters: number;
  /** Where the parameters' names come from: whose checkpoints load. */
  readonly names: string;
  readonly source: string;
};

const TORCHVISION = "torchvision";
const AKAMASTER = "akamaster/pytorch_resnet_cifar10";
const HE = "He et al. (2015)";
const VGG = "Simonyan and Zisserman (2014)";

type Named = Pick<ModelRow, "create" | "parameters" | "names" | "source">;
const made = (create: Named["create"], parameters: number, names: string, source: string): Named => ({
  create,
  parameters,
  names,
  source,
});
const imageNet = (name: string, row: Named): ModelRow => ({ name, ...row, input: [3, 224], classes: 1000 });
const cifar = (name: string, row: Named): ModelRow => ({ name, ...row, input: [3, 32], classes: 10 });
const digits = (name: string, row: Named): ModelRow => ({ name, ...row, input: [1, 28], classes: 10 });

/** Every image classifier by name. */
export const models: readonly ModelRow[] = [
  digits("mlp", made(mlp, 235_146, "nn.sequential", "256 and 128 hidden units")),
  digits("cnn", made(cnn, 421_642, "nn.sequential", "two convolutions and a hidden layer")),
  digits("lenet", made(lenet, 44_426, "PyTorch's tutorial", "LeCun et al. (1998)")),
  cifar("vggSmall", made(vggSmall, 9_231_114, "kuangliu/pytorch-cifar", VGG)),
  cifar("resnet20", made(resnet20, 269_722, AKAMASTER, HE)),
  cifar("resnet32", made(resnet32, 464_154, AKAMASTER, HE)),
  cifar("resnet44", made(resnet44, 658_586, AKAMASTER, HE)),
  cifar("resnet56", made(resnet56, 853_018, AKAMASTER, HE)),
  cifar("resnet110", made(resnet110, 1_727_962, AKAMASTER, HE)),
  imageNet("resnet18", made(resnet18, 11_689_512, TORCHVISION, HE)),
  imageNet("resnet34", made(resnet34, 21_797_672, TORCHVISION, HE)),
  imageNet("resnet50", made(resnet50, 25_557_032, TORCHVISION, HE)),
  imageNet("resnet101", made(resnet101, 44_549_160, TORCHVISION, HE)),
  imageNet("resnet152", made(resnet152, 60_192_808, TORCHVISION, HE)),
  imageNet("mobilenetV2", made(mobilenetV2, 3_504_872, TORCHVISION, "Sandler et al. (2018)")),
  imageNet("efficientnetB0", made(efficientnetB0, 5_288_548, TORCHVISION, "Tan and Le (2019)")),
  imageNet("vgg11", made(vgg11, 132_863_336, TORCHVISION, VGG)),
  imageNet("vgg13", made(vgg13, 133_047_848, TORCHVISION, VGG)),
  imageNet("vgg16", made(vgg16, 138_357_544, TORCHVISION, VGG)),
  imageNet("vgg19", made(vgg19, 143_667_240, TORCHVISION, VGG)),
  imageNet("vitTiny", made(vitTiny, 5_717_416, "timm", "Touvron et al. (2020)")),
  imageNet("vitSmall", made(vitSmall, 22_050_664, "timm", "Touvron et al. (2020)")),
  imageNet("vitBase", made(vitBase, 86_567_656, "timm", "Dosovitskiy et al. (2020)")),
];
