import { OptionError } from "../../core/errors.ts";
import type { Augmentation } from "./augmentation.ts";
import { brightness, contrast, grayscale, hue, noise, saturation } from "./color.ts";
import { cutout, erase } from "./holes.ts";
import { cutmix, mixup } from "./mixes.ts";
import { crop, flip } from "./moves.ts";
import { randAugment, trivialAugment } from "./policies.ts";
import { resizedCrop, rotate } from "./warps.ts";

export type { Augmentation, MixedLabels } from "./augmentation.ts";
export {
  brightness,
  type ColorJitterOptions,
  colorJitter,
  contrast,
  grayscale,
  hue,
  noise,
  saturation,
} from "./color.ts";
export { cutout, type EraseOptions, erase } from "./holes.ts";
export { cutmix, mixup } from "./mixes.ts";
export { crop, type FlipOptions, flip } from "./moves.ts";
export { type RandAugmentOptions, randAugment, trivialAugment } from "./policies.ts";
export { type AffineOptions, affine, type ResizedCropOptions, resizedCrop, rotate } from "./warps.ts";

/** Of a kind: from its one number, which may be left out, and an example. */
type Kind = { readonly make: (n: number | undefined) => Augmentation; readonly example: string };

const withoutNumber = (name: string, make: () => Augmentation) => (n: number | undefined) => {
  if (n !== undefined) throw new OptionError(`augment: got "${name} ${n}"; expected ${name} alone.`, "augment");
  return make();
};

/** Kinds by name, as the command line and a run's record say them: with their one number, and without. */
export const AUGMENTATIONS: Readonly<Record<string, Kind>> = {
  flip: { make: (p = 0.5) => flip({ p }), example: "flip" },
  flipVertical: { make: (p = 0.5) => flip({ p, vertical: true }), example: "flipVertical" },
  crop: { make: (padding = 4) => crop(padding), example: "crop 4" },
  resizedCrop: { make: (least = 0.35) => resizedCrop({ scale: [least, 1] }), example: "resizedCrop 0.35" },
  rotate: { make: (degrees = 15) => rotate(degrees), example: "rotate 15" },
  brightness: { make: (strength = 0.2) => brightness(strength), example: "brightness 0.2" },
  contrast: { make: (strength = 0.2) => contrast(strength), example: "contrast 0.2" },
  saturation: { make: (strength = 0.2) => saturation(strength), example: "saturation 0.2" },
  hue: { make: (strength = 0.1) => hue(strength), example: "hue 0.1" },
  grayscale: { make: (p = 0.1) => grayscale({ p }), example: "grayscale 0.1" },
  noise: { make: (sigma = 0.05) => noise(sigma), example: "noise 0.05" },
  cutout: { make: (size = 8) => cutout(size), example: "cutout 8" },
  erase: { make: (p = 0.5) => erase({ p }), example: "erase 0.5" },
  trivialAugment: { make: withoutNumber("trivialAugment", trivialAugment), example: "trivialAugment" },
  randAugment: { make: (magnitude = 9) => randAugment({ magnitude }), example: "randAugment 9" },
  mixup: { make: (alpha = 0.2) => mixup(alpha), example: "mixup 0.2" },
  cutmix: { make: (alpha = 1) => cutmix(alpha), example: "cutmix 1" },
};

/**
 * `flip, crop 4` as augmentations, in that order. Throws OptionError naming what is unknown or out of range.
 *
 * @example
 * augment.parse("flip, crop 2").map(({ config }) => config.kind) // -> ["flip", "crop"]
 */
export function parse(text: string): Augmentation[] {
  return text.split(",").map((part) => {
    const [, name = "", number] = /^\s*([A-Za-z]+)(?:\s+([\d.]+))?\s*$/.exec(part) ?? [];
    const row = Object.hasOwn(AUGMENTATIONS, name) ? AUGMENTATIONS[name] : undefined;
    if (row === undefined)
      throw new OptionError(
        `augment: got "${part.trim()}"; expected a list of ${Object.values(AUGMENTATIONS)
          .map(({ example }) => example)
          .join(", ")}.`,
        "augment",
      );
    return row.make(number === undefined ? undefined : Number(number));
  });
}
