import type { FromConfig } from "../config-reader.ts";
import type { Layer } from "../layer.ts";
import { cifarResnet } from "./cifar-resnet.ts";
import { efficientnet } from "./efficientnet.ts";
import { lenet } from "./lenet.ts";
import { mobilenetV2 } from "./mobilenet.ts";
import { resnet } from "./resnet.ts";
import { tabular } from "./tabular.ts";
import { type VggOptions, vgg } from "./vgg.ts";

/** The models that are layers of a kind of their own, from their configurations. */
export const modelKinds: { readonly [kind: string]: FromConfig<Layer> } = {
  resnet: (o) =>
    resnet({
      ...o.choice("block", ["basic", "bottleneck"]),
      ...(o.has("layers") ? { layers: o.list("layers") } : {}),
      ...o.numbers("classes", "inChannels", "width"),
      ...o.choice("stem", ["7x7", "3x3"]),
      ...o.booleans("zeroInitResidual"),
    }),
  cifarResnet: (o) =>
    cifarResnet({ ...o.numbers("classes", "inChannels", "blocks", "width"), ...o.choice("shortcut", ["A", "B"]) }),
  vgg: (o) =>
    vgg({
      // The function itself refuses other depths.
      ...(o.numbers("depth") as Pick<VggOptions, "depth">),
      ...o.numbers("classes", "inChannels", "dropout", "width", "hidden"),
      ...o.booleans("batchNorm"),
      ...o.choice("head", ["hidden", "linear"]),
    }),
  lenet: (o) => lenet(o.numbers("classes", "inChannels", "padding")),
  mobilenetV2: (o) => mobilenetV2(o.numbers("classes", "inChannels", "width", "dropout")),
  tabular: (o) =>
    tabular({
      outputs: o.number("outputs"),
      ...(o.has("hidden") ? { hidden: o.list("hidden") } : {}),
      ...o.numbers("dropout", "levels", "width"),
    }) as unknown as Layer,
  efficientnet: (o) => efficientnet(o.numbers("classes", "inChannels", "width", "depth", "dropout", "stochasticDepth")),
};
