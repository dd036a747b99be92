import { OptionError } from "../core/errors.ts";
import type { Tensor } from "../ops/tensor.ts";
import type { Key } from "../trace/random.ts";
import type { LayerConfig } from "./layer.ts";

/**
 * Changes the pictures of a training batch at random, inside the compiled step: [N, C, H, W] of any type, before preprocessing.
 * Each picture has draws of its own, which depend on the seed, the step and the picture's place in the batch alone.
 */
export type Augmentation = {
  readonly config: LayerConfig;
  apply(pictures: Tensor, key: Key): Tensor;
};

/** A number for each picture, [N, 1, 1, 1], to go with pictures. */
const perPicture = ({ shape }: Tensor): number[] => [shape[0] as number, 1, 1, 1];

/** A whole number from 0 to `limit` - 1 for each picture, i32[N, 1, 1, 1]. */
function whole(key: Key, limit: number, pictures: Tensor): Tensor {
  return key.uniform(perPicture(pictures)).mul(limit).floor().cast("i32");
}

function checkCount(name: string, option: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1)
    throw new OptionError(`augment.${name}: got ${option} ${value}; expected a whole number of at least 1.`, option);
}

export type FlipOptions = {
  /** Share of the pictures that are flipped. Default 0.5. */
  readonly p?: number;
  /** Top to bottom instead of left to right. Default false. */
  readonly vertical?: boolean;
};

/**
 * Mirrors pictures, left to right. As torchvision's `RandomHorizontalFlip`, and `RandomVerticalFlip` with `vertical`.
 *
 * Throws OptionError for a share outside 0 to 1.
 *
 * @example
 * fit(model, { ...options, augment: [augment.flip()] })
 */
export function flip({ p = 0.5, vertical = false }: FlipOptions = {}): Augmentation {
  if (!(p >= 0 && p <= 1)) throw new OptionError(`augment.flip: got p ${p}; expected a number from 0 to 1.`, "p");
  return {
    config: { kind: "flip", p, vertical },
    apply: (x, key) =>
      key
        .bernoulli(p, perPicture(x))
        .broadcastTo(x.shape)
        .select(x.flip(vertical ? 2 : 3), x),
  };
}

/**
 * Moves pictures by up to `padding` pixels each way; what comes in is 0 (black, before preprocessing). As torchvision's
 * `RandomCrop(size, padding)` with the picture's own size.
 *
 * Throws OptionError unless `padding` is a whole number of at least 1.
 *
 * @example
 * fit(model, { ...options, augment: [augment.flip(), augment.crop(4)] })
 */
export function crop(padding: number): Augmentation {
  checkCount("crop", "padding", padding);
  return {
    config: { kind: "crop", padding },
    apply(x, key) {
      const { shape } = x;
      const [, channels = 1, height = 1, width = 1] = shape;
      const across = whole(key.fold("x"), 2 * padding + 1, x);
      const down = whole(key.fold("y"), 2 * padding + 1, x);
      const [high, wide] = [height + 2 * padding, width + 2 * padding];
      const padded = x.pad([0, 0, padding, padding], [0, 0, padding, padding]);
      const plane = x.iota(shape, 0).mul(channels).add(x.iota(shape, 1));
      const row = plane.mul(high).add(x.iota(shape, 2)).add(down.broadcastTo(shape));
      const place = row.mul(wide).add(x.iota(shape, 3)).add(across.broadcastTo(shape));
      return padded.reshape([-1]).gather(place);
    },
  };
}

/**
 * Sets a square of `size` pixels to 0, its centre anywhere in the picture, so that a part of it may lie outside.
 * Source: DeVries and Taylor (2017), arXiv:1708.04552.
 *
 * Throws OptionError unless `size` is a whole number of at least 1.
 *
 * @example
 * fit(model, { ...options, augment: [augment.cutout(8)] })
 */
export function cutout(size: number): Augmentation {
  checkCount("cutout", "size", size);
  return {
    config: { kind: "cutout", size },
    apply(x, key) {
      const { shape } = x;
      const before = Math.floor(size / 2);
      const inside = (axis: number): Tensor => {
        const centre = whole(key.fold(axis), shape[axis] as number, x).broadcastTo(shape);
        const from = x.iota(shape, axis).sub(centre).add(before);
        return from.greaterEqual(0).and(from.less(size));
      };
      return inside(2).and(inside(3)).select(x.zerosLike(), x);
    },
  };
}

/** Multiplies each picture by a factor from 1 - `strength` to 1 + `strength`, and keeps it within its range where it is of bytes. As torchvision's `ColorJitter(brightness)`. */
export function brightness(strength: number): Augmentation {
  if (!(strength > 0 && strength <= 1))
    throw new OptionError(
      `augment.brightness: got strength ${strength}; expected a number above 0 and at most 1.`,
      "strength",
    );
  return {
    config: { kind: "brightness", strength },
    apply(x, key) {
      const factor = key
        .uniform(perPicture(x))
        .mul(2 * strength)
        .add(1 - strength)
        .broadcastTo(x.shape);
      const lit = x.cast("f32").mul(factor);
      return x.dtype === "u8" ? lit.minimum(255).add(0.5).floor().minimum(255).cast("u8") : lit;
    },
  };
}

/** Kinds by name, as the command line and a run's record say them: with their one number, and without. */
export const AUGMENTATIONS: Readonly<
  Record<string, { readonly make: (n: number) => Augmentation; readonly example: string }>
> = {
  flip: { make: (p) => flip({ p: Number.isNaN(p) ? 0.5 : p }), example: "flip" },
  flipVertical: { make: (p) => flip({ p: Number.isNaN(p) ? 0.5 : p, vertical: true }), example: "flipVertical" },
  crop: { make: (n) => crop(Number.isNaN(n) ? 4 : n), example: "crop 4" },
  cutout: { make: (n) => cutout(Number.isNaN(n) ? 8 : n), example: "cutout 8" },
  brightness: { make: (n) => brightness(Number.isNaN(n) ? 0.2 : n), example: "brightness 0.2" },
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
    return row.make(number === undefined ? Number.NaN : Number(number));
  });
}
