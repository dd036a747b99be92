import { formatAval } from "../../core/dtype.ts";
import { OptionError } from "../../core/errors.ts";
import { array } from "../../core/host-array.ts";
import type { Tensor } from "../../ops/tensor.ts";
import type { Key } from "../../trace/random.ts";
import { type Augmentation, checkCount, likePictures, perPicture, whole } from "./augmentation.ts";
import { blend, grey } from "./color.ts";
import { autoContrasted, equalized, posterized, smoothed, solarized } from "./levels.ts";

/** How strong each change is at the highest level. */
export type Strengths = {
  readonly shear: number;
  /** Pixels. */
  readonly translateX: number;
  readonly translateY: number;
  /** Degrees. */
  readonly rotate: number;
  /** Brightness, colour, contrast and sharpness away from 1. */
  readonly factor: number;
  /** Of eight bits, so many are lost. */
  readonly bits: number;
};

/** torchvision's, as those below. */
export const TRIVIAL_AUGMENT: Strengths = {
  shear: 0.99,
  translateX: 32,
  translateY: 32,
  rotate: 135,
  factor: 0.99,
  bits: 6,
};

export const RAND_AUGMENT = (height: number, width: number): Strengths => ({
  shear: 0.3,
  translateX: (150 / 331) * width,
  translateY: (150 / 331) * height,
  rotate: 30,
  factor: 0.9,
  bits: 4,
});

const LEVELS = 31;

/** In torchvision's order. */
export const CHANGES = [
  "identity",
  "shearX",
  "shearY",
  "translateX",
  "translateY",
  "rotate",
  "brightness",
  "color",
  "contrast",
  "sharpness",
  "posterize",
  "solarize",
  "autoContrast",
  "equalize",
] as const;
type Change = (typeof CHANGES)[number];

/** From so many on, and up to so many, a change has a sign. */
const SIGNED = [CHANGES.indexOf("shearX"), CHANGES.indexOf("sharpness")] as const;

/** How much of a change: shares, pixels, degrees, factors away from 1, the least step of posterize, solarize's threshold. */
export function amountOf(change: Change, level: number, strengths: Strengths): number {
  const share = level / (LEVELS - 1);
  switch (change) {
    case "shearX":
    case "shearY":
      return strengths.shear * share;
    case "translateX":
    case "translateY":
      return Math.trunc(strengths[change] * share);
    case "rotate":
      return strengths.rotate * share;
    case "posterize":
      return 2 ** Math.round(strengths.bits * share);
    case "solarize":
      return 255 * (1 - share);
    case "brightness":
    case "color":
    case "contrast":
    case "sharpness":
      return strengths.factor * share;
    default:
      return 0;
  }
}

/** Each picture after one change: f32 from 0 to 255; `which` i32[N, 1, 1, 1] counts in CHANGES, `amount` is f32[N, 1, 1, 1]. */
export function changedBy(x: Tensor, which: Tensor, amount: Tensor): Tensor {
  const is = (change: Change): Tensor => which.equal(CHANGES.indexOf(change));
  const among = (...changes: readonly Change[]): Tensor => changes.map(is).reduce((any, each) => any.or(each));
  const where = (condition: Tensor, changed: Tensor, other: Tensor): Tensor =>
    condition.broadcastTo(x.shape).select(changed, other);
  const moved = displaced(x, is, amount);
  const everywhere = (value: Tensor): Tensor => value.broadcastTo(x.shape);
  const shown = grey(x);
  const mean = everywhere(shown.mean([1, 2, 3], { keepDims: true }));
  const other = where(
    is("brightness"),
    x.zerosLike(),
    where(is("color"), everywhere(shown), where(is("contrast"), mean, smoothed(x))),
  );
  const step = is("posterize").select(amount, 1);
  const changed: readonly (readonly [Tensor, Tensor])[] = [
    [among("shearX", "shearY", "translateX", "translateY", "rotate"), moved],
    [among("brightness", "color", "contrast", "sharpness"), blend(x, other, amount.add(1))],
    [is("posterize"), posterized(x, step)],
    [is("solarize"), solarized(x, amount)],
    [is("autoContrast"), autoContrasted(x)],
    [is("equalize"), equalized(x)],
  ];
  return changed.reduce((now, [condition, after]) => where(condition, after, now), x);
}

/** Slanted, moved or turned, each pixel from the nearest; what comes in is 0. */
function displaced(x: Tensor, is: (change: Change) => Tensor, amount: Tensor): Tensor {
  const { shape } = x;
  const [, channels = 1, height = 1, width = 1] = shape;
  const of = (change: Change): Tensor => is(change).select(amount, 0);
  const angle = of("rotate").mul(-Math.PI / 180);
  const [sin, cos] = [angle.sin(), angle.cos()];
  const at = (axis: number, centre: number): Tensor => x.iota(shape, axis, "f32").sub(centre);
  const [middleX, middleY] = [(width - 1) / 2, (height - 1) / 2];
  const [fromX, fromY] = [at(3, middleX), at(2, middleY)];
  const everywhere = (value: Tensor): Tensor => value.broadcastTo(shape);
  // Slants leave the picture's corner where it is, turns its centre.
  const column = fromX
    .mul(everywhere(cos))
    .add(fromY.mul(everywhere(sin)))
    .add(at(2, -0.5).mul(everywhere(of("shearX"))))
    .add(middleX)
    .sub(everywhere(of("translateX")))
    .round();
  const row = fromY
    .mul(everywhere(cos))
    .sub(fromX.mul(everywhere(sin)))
    .add(at(3, -0.5).mul(everywhere(of("shearY"))))
    .add(middleY)
    .sub(everywhere(of("translateY")))
    .round();
  const inside = column.greaterEqual(0).and(column.less(width)).and(row.greaterEqual(0)).and(row.less(height));
  const place = (value: Tensor, size: number): Tensor => value.clip(0, size - 1).cast("i32");
  const plane = x.iota(shape, 0).mul(channels).add(x.iota(shape, 1)).mul(height);
  const pixel = plane.add(place(row, height)).mul(width).add(place(column, width));
  return inside.select(x.reshape([-1]).gather(pixel), x.zerosLike());
}

/** One change drawn for each picture, at this level. */
function drawn(x: Tensor, key: Key, strengths: Strengths, level: Tensor | number): Tensor {
  const table = CHANGES.flatMap((change) => Array.from({ length: LEVELS }, (_, i) => amountOf(change, i, strengths)));
  const which = whole(key.fold("which"), CHANGES.length, x);
  const place = which.mul(LEVELS).add(level);
  const amount = x.constant(array(table, [table.length], "f32")).gather(place);
  const hasSign = which.greaterEqual(SIGNED[0]).and(which.lessEqual(SIGNED[1]));
  const negative = hasSign.and(key.fold("sign").bernoulli(0.5, perPicture(x)));
  return changedBy(x, which, negative.select(amount.neg(), amount));
}

function checkBytes(name: string, x: Tensor): void {
  if (x.dtype !== "u8")
    throw new OptionError(
      `augment.${name}: got pictures ${formatAval(x.aval)}; expected bytes, u8, which say what is black and what white.`,
      "augment",
    );
}

/**
 * One of 14 changes, drawn for each picture, as strong as is drawn too, from 31 levels: nothing, shear and translation along an axis,
 * rotation, brightness, colour, contrast, sharpness, posterize, solarize, auto-contrast and equalize. Nothing has to be tuned.
 * As torchvision's `TrivialAugmentWide`, from the nearest pixels, save that bytes are rounded, not cut off. Pictures are bytes.
 * Source: Müller and Hutter (2021), arXiv:2103.10158.
 *
 * Throws OptionError for pictures of other numbers.
 *
 * @example
 * fit(model, { ...options, augment: [augment.flip(), augment.trivialAugment()] })
 */
export function trivialAugment(): Augmentation {
  return {
    config: { kind: "trivialAugment" },
    apply(x, key) {
      checkBytes("trivialAugment", x);
      const after = drawn(x.cast("f32"), key, TRIVIAL_AUGMENT, whole(key.fold("level"), LEVELS, x));
      return likePictures(after, x);
    },
  };
}

export type RandAugmentOptions = {
  /** Changes one after the other, each of them drawn. Default 2. */
  readonly count?: number;
  /** The level of all, from 0 to 30. Default 9. */
  readonly magnitude?: number;
};

/**
 * Some of the 14 changes of `trivialAugment`, drawn for each picture, all at one level: shears to 0.3, translations to 0.45 of the
 * picture, rotations to 30 degrees, factors to 0.9, at most four bits lost. As torchvision's `RandAugment`, save that bytes are
 * rounded, not cut off. Pictures are bytes. Source: Cubuk et al. (2019), arXiv:1909.13719.
 *
 * Throws OptionError for a count that is none, a magnitude outside 0 to 30, and for pictures of other numbers.
 *
 * @example
 * fit(model, { ...options, augment: [augment.randAugment({ magnitude: 7 })] })
 */
export function randAugment({ count = 2, magnitude = 9 }: RandAugmentOptions = {}): Augmentation {
  checkCount("randAugment", "count", count);
  if (!Number.isSafeInteger(magnitude) || magnitude < 0 || magnitude >= LEVELS)
    throw new OptionError(
      `augment.randAugment: got magnitude ${magnitude}; expected a whole number from 0 to ${LEVELS - 1}.`,
      "magnitude",
    );
  return {
    config: { kind: "randAugment", count, magnitude },
    apply(x, key) {
      checkBytes("randAugment", x);
      const [, , height = 1, width = 1] = x.shape;
      const strengths = RAND_AUGMENT(height, width);
      return Array.from({ length: count }).reduce<Tensor>(
        (now, _, i) => likePictures(drawn(now.cast("f32"), key.fold(i), strengths, magnitude), x),
        x,
      );
    },
  };
}
