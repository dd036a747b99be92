import { OptionError } from "../../core/errors.ts";
import type { LayerConfig } from "../layer.ts";

/**
 * A classifier's configuration for another number of classes: of the models of the table their `classes`, of a sequence the
 * width of its last layer.
 *
 * Errors: OptionError where the last layer is not linear.
 *
 * @example
 * withClasses(nn.resnet18({ classes: 10 }).config, 3).classes // -> 3
 */
export function withClasses(config: LayerConfig, classes: number): LayerConfig {
  if (typeof config.classes === "number") return { ...config, classes };
  if (config.kind === "linear") return { ...config, outFeatures: classes };
  const { layers } = config as { readonly layers?: readonly { readonly layer: LayerConfig }[] };
  const last = Array.isArray(layers) ? layers.at(-1) : undefined;
  if (config.kind !== "sequential" || last === undefined)
    throw new OptionError(
      `fine-tune: got a model that ends in ${config.kind}; expected a classifier of the models' table, or a sequence that ends in a linear layer.`,
      "fineTune",
    );
  const changed = { ...last, layer: withClasses(last.layer, classes) };
  return { ...config, layers: [...(layers as readonly unknown[]).slice(0, -1), changed] } as LayerConfig;
}
