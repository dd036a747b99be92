import { OptionError } from "../core/errors.ts";
import { type BaseSettings, type Given, kebab } from "./settings.ts";

export type TextRecipe = {
  readonly layers: number;
  readonly heads: number;
  readonly width: number;
  readonly block: number;
  readonly dropout: number;
  readonly tokenizer: string;
  /** Undefined where the tokenizer is not learned. */
  readonly vocab: number | undefined;
  /** Undefined: the text's first line. */
  readonly sample: string | undefined;
  /** Undefined: a tenth of the run. */
  readonly sampleEvery: number | undefined;
  /** Undefined: what makes 600,000 tokens. */
  readonly epochs: number | undefined;
};

export const TEXT_DEFAULTS = { layers: 4, heads: 4, width: 128, block: 64, dropout: 0.1, tokenizer: "bpe" } as const;
const TEXT_NAMES = [...Object.keys(TEXT_DEFAULTS), "vocab", "sample", "sampleEvery"];
/** In place of `DEFAULTS` where a text is trained on. */
export const TEXT_TRAINING = { optimizer: "adamw", schedule: "warmup 5% | cosine", batchSize: 8, clipNorm: 1 } as const;
export const TEXT_RATES: Readonly<Record<string, number>> = { adamw: 2e-3, adam: 2e-3 };

/** Throws OptionError for what belongs to a text where none is trained on. */
export function textRecipeOf(merged: BaseSettings & Given, model: string, flags: Given): TextRecipe | undefined {
  const takes = (name: string): boolean => model === "tabular" && name === "dropout";
  const given = TEXT_NAMES.find((name) => merged[name] !== undefined && !takes(name));
  if (model !== "gpt") {
    if (given === undefined) return undefined;
    const shown = flags[given] === undefined ? given : `--${kebab(given)}`;
    throw new OptionError(`${shown}: got it with the model ${model}; expected it with gpt only.`, shown);
  }
  const { layers, heads, width, block, dropout, tokenizer } = { ...TEXT_DEFAULTS, ...merged };
  const { vocab, sample, sampleEvery, epochs } = merged;
  if (width % heads !== 0)
    throw new OptionError(`--heads: got ${heads} heads and width ${width}; expected heads to divide it.`, "heads");
  const overruled = flags.tokenizer !== undefined && flags.vocab === undefined;
  if (vocab !== undefined && tokenizer !== "bpe" && !overruled)
    throw new OptionError(`--vocab: got it with the tokenizer ${tokenizer}; expected it with bpe only.`, "vocab");
  const learned = tokenizer === "bpe" ? (vocab ?? 512) : undefined;
  return { layers, heads, width, block, dropout, tokenizer, vocab: learned, sample, sampleEvery, epochs };
}
