import type { FromConfig } from "../config-reader.ts";
import type { Layer } from "../layer.ts";
import { resnet } from "./resnet.ts";

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
};
