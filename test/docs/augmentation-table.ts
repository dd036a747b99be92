import { AUGMENTATIONS } from "../../src/nn/augment/index.ts";
import { factories } from "./factories.ts";
import { code, markdownTable } from "./markdown.ts";

/** Those that the published library has, with the text that the command line takes. */
export function augmentationTable(): string {
  const examples = Object.values(AUGMENTATIONS).map(({ make, example }) => ({
    kind: make(undefined).config.kind,
    example,
  }));
  const known = factories(["src/nn/augment"], "Augmentation");
  const missing = examples.find(({ kind }) => !known.has(kind));
  if (missing) throw new Error(`${missing.kind}: the augmentation has no exported function of its name`);
  const rows = [...known]
    .filter(([name]) => name !== "parse")
    .map(([name, { call, text }]) => {
      const texts = examples.filter(({ kind }) => kind === name).map(({ example }) => code(example));
      return [code(call), texts.join(", "), text];
    });
  return markdownTable(["in code", "as text", "what it does"], rows);
}
