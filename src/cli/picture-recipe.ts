import { OptionError } from "../core/errors.ts";
import { type BaseSettings, type Given, kebab } from "./settings.ts";

export type PictureRecipe = Readonly<Pick<BaseSettings, (typeof PICTURE_NAMES)[number]>> & {
  /** Undefined here and below: what the number of pictures decides. */
  readonly batchSize: number | undefined;
  readonly epochs: number | undefined;
};

const PICTURE_NAMES = [
  "imageSize",
  "fit",
  "test",
  "splitSeed",
  "classWeights",
  "followLinks",
  "maxBroken",
  "fineTune",
  "freezeEpochs",
  "bodyRate",
] as const;
/** In place of `DEFAULTS` where folders of pictures are trained on. */
export const PICTURE_TRAINING = { optimizer: "adamw", schedule: "warmup 5% | cosine" } as const;
export const PICTURE_RATES: Readonly<Record<string, number>> = { adamw: 1e-3, adam: 1e-3 };
/** Of a new last layer; what is before it has a tenth, the rate that it was trained with. */
export const TUNING_RATES: Readonly<Record<string, number>> = { adamw: 1e-2, adam: 1e-2 };

/** Throws OptionError for what belongs to pictures where other data is trained on. */
export function pictureRecipeOf(
  merged: BaseSettings & Given,
  isFolder: boolean,
  flags: Given,
): PictureRecipe | undefined {
  const { fineTune, freezeEpochs, bodyRate, weights, model, batchSize, epochs } = merged;
  const given = PICTURE_NAMES.find((name) => merged[name] !== undefined);
  const shown = (name: string): string => (flags[name] === undefined ? name : `--${kebab(name)}`);
  if (!isFolder) {
    if (given === undefined) return undefined;
    throw new OptionError(
      `${shown(given)}: got it with ${merged.data}; expected it with a folder of pictures only.`,
      given,
    );
  }
  for (const [name, value] of Object.entries({ freezeEpochs, bodyRate }))
    if (value !== undefined && fineTune === undefined)
      throw new OptionError(`${shown(name)}: got it without --fine-tune; expected both.`, name);
  if (fineTune !== undefined && weights !== undefined)
    throw new OptionError("--weights: got it with --fine-tune; expected one of the two.", "weights");
  if (fineTune !== undefined && model === undefined && /\.(pt|pth|bin)$/i.test(fineTune))
    throw new OptionError(
      `--fine-tune: got ${fineTune}, which does not say of what model it is; expected --model too.`,
      "fineTune",
    );
  const own = Object.fromEntries(
    PICTURE_NAMES.flatMap((name) => (merged[name] === undefined ? [] : [[name, merged[name]]])),
  );
  return { ...own, batchSize, epochs };
}
