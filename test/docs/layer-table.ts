import { LAYERS } from "../../src/nn/layer-from-config.ts";
import { factories } from "./factories.ts";
import { code, markdownTable } from "./markdown.ts";

export function layerTable(): string {
  const known = factories(["src/nn", "src/ops"], "Layer", (name) => Object.hasOwn(LAYERS, name));
  const rows = Object.keys(LAYERS).map((kind) => {
    const factory = known.get(kind);
    if (!factory?.text) throw new Error(`${kind}: the layer has no exported function of its name with documentation`);
    return [code(factory.call), factory.text];
  });
  return markdownTable(["call", "what it does"], rows);
}
