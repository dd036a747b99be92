import { OptionError } from "../../core/errors.ts";
import type { Tensor } from "../../ops/tensor.ts";
import { type Augmentation, between, checkAmount, checkShare, forShare, likePictures } from "./augmentation.ts";

/** f x + (1 - f) other, of numbers. */
export function blend(x: Tensor, other: Tensor, factor: Tensor): Tensor {
  const { shape } = x;
  return x.mul(factor.broadcastTo(shape)).add(other.broadcastTo(shape).mul(factor.rsub(1).broadcastTo(shape)));
}

/** 0.2989 R + 0.587 G + 0.114 B, f32[N, 1, H, W]; of one channel itself. */
export function grey(x: Tensor): Tensor {
  if (x.shape[1] !== 3) return x;
  const channel = (at: number, share: number): Tensor => x.narrow(1, at, 1).mul(share);
  return channel(0, 0.2989).add(channel(1, 0.587)).add(channel(2, 0.114));
}

/** Each picture times its factor. */
export const lit = (x: Tensor, factor: Tensor): Tensor => x.mul(factor.broadcastTo(x.shape));

/** Away from the mean of its grey by a factor. */
export const contrasted = (x: Tensor, factor: Tensor): Tensor =>
  blend(x, grey(x).mean([1, 2, 3], { keepDims: true }), factor);

/** Away from its own grey by a factor. */
export const saturated = (x: Tensor, factor: Tensor): Tensor => blend(x, grey(x), factor);

/**
 * Each pixel's hue turned by a share of the circle, its value and chroma as they are. Source: Smith (1978), "Color gamut
 * transform pairs"; back in the closed form of three clipped waves.
 */
export function hueTurned(x: Tensor, share: Tensor): Tensor {
  const [red, green, blue] = [0, 1, 2].map((at) => x.narrow(1, at, 1)) as [Tensor, Tensor, Tensor];
  const [value, chroma] = [
    x.max(1, { keepDims: true }),
    x.max(1, { keepDims: true }).sub(x.min(1, { keepDims: true })),
  ];
  const span = chroma.equal(0).select(1, chroma);
  const sixth = value
    .equal(red)
    .select(
      green.sub(blue).div(span),
      value.equal(green).select(blue.sub(red).div(span).add(2), red.sub(green).div(span).add(4)),
    );
  const turned = sixth.add(share.mul(6).broadcastTo(sixth.shape));
  const wave = (from: number): Tensor => {
    const at = turned.add(from);
    const within = at.sub(at.div(6).floor().mul(6));
    return value.sub(chroma.mul(within.minimum(within.rsub(4)).clip(0, 1)));
  };
  return wave(5).concat([wave(3), wave(1)], 1);
}

type Change = (x: Tensor, factor: Tensor) => Tensor;

function byFactor(kind: string, strength: number, change: Change): Augmentation {
  checkAmount(kind, "strength", strength, 1);
  return {
    config: { kind, strength },
    apply: (x, key) => likePictures(change(x.cast("f32"), between(key, 1 - strength, 1 + strength, x)), x),
  };
}

/** Multiplies each picture by a factor from 1 - `strength` to 1 + `strength`, and keeps it within its range where it is of bytes. As torchvision's `ColorJitter(brightness)`. */
export function brightness(strength: number): Augmentation {
  return byFactor("brightness", strength, lit);
}

/**
 * f x + (1 - f) m, with m the mean of the picture's grey and f from 1 - `strength` to 1 + `strength`. As torchvision's
 * `ColorJitter(contrast)`, save that bytes are rounded, not cut off, and other numbers have no bounds.
 *
 * Throws OptionError unless `strength` is above 0 and at most 1.
 *
 * @example
 * fit(model, { ...options, augment: [augment.contrast(0.3)] })
 */
export function contrast(strength: number): Augmentation {
  return byFactor("contrast", strength, contrasted);
}

/**
 * f x + (1 - f) g, with g the grey of each pixel and f from 1 - `strength` to 1 + `strength`. As torchvision's
 * `ColorJitter(saturation)`, with the differences of `contrast`. Pictures of one channel stay.
 *
 * Throws OptionError unless `strength` is above 0 and at most 1.
 *
 * @example
 * fit(model, { ...options, augment: [augment.saturation(0.3)] })
 */
export function saturation(strength: number): Augmentation {
  const made = byFactor("saturation", strength, saturated);
  return { ...made, apply: (x, key) => (x.shape[1] === 3 ? made.apply(x, key) : x) };
}

/**
 * Turns each pixel's hue by a share of the circle from -`strength` to `strength`, one for each picture. As torchvision's
 * `ColorJitter(hue)`, save that bytes are rounded, not cut off. Pictures of one channel stay.
 *
 * Throws OptionError unless `strength` is above 0 and at most 0.5.
 *
 * @example
 * fit(model, { ...options, augment: [augment.hue(0.1)] })
 */
export function hue(strength: number): Augmentation {
  checkAmount("hue", "strength", strength, 0.5);
  return {
    config: { kind: "hue", strength },
    apply: (x, key) =>
      x.shape[1] === 3 ? likePictures(hueTurned(x.cast("f32"), between(key, -strength, strength, x)), x) : x,
  };
}

export type ColorJitterOptions = {
  /** As `brightness` takes it; 0 leaves it as it is. Default 0. */
  readonly brightness?: number;
  /** As `contrast` takes it. Default 0. */
  readonly contrast?: number;
  /** As `saturation` takes it. Default 0. */
  readonly saturation?: number;
  /** As `hue` takes it. Default 0. */
  readonly hue?: number;
};

/**
 * Brightness, contrast, saturation and hue, in this order, each at random. As torchvision's `ColorJitter`, save that its order is
 * drawn too; as Keras' `RandomColorJitter`.
 *
 * Throws OptionError for a strength outside 0 to 1, of the hue outside 0 to 0.5, and where all are 0.
 *
 * @example
 * fit(model, { ...options, augment: [augment.colorJitter({ brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 })] })
 */
export function colorJitter(strengths: ColorJitterOptions): Augmentation {
  const changes = Object.entries({ brightness, contrast, saturation, hue }).flatMap(([kind, make]) => {
    const strength = strengths[kind as keyof ColorJitterOptions] ?? 0;
    return strength === 0 ? [] : [make(strength)];
  });
  if (changes.length === 0)
    throw new OptionError(
      "augment.colorJitter: got no strength above 0; expected brightness, contrast, saturation or hue.",
      "colorJitter",
    );
  return {
    config: { kind: "colorJitter", ...strengths },
    apply: (x, key) => changes.reduce((now, change, i) => change.apply(now, key.fold(i)), x),
  };
}

/**
 * Takes the colour from a share `p` of the pictures: 0.2989 R + 0.587 G + 0.114 B in all three channels. As torchvision's
 * `RandomGrayscale`. Pictures of one channel stay.
 *
 * Throws OptionError for a share outside 0 to 1.
 *
 * @example
 * fit(model, { ...options, augment: [augment.grayscale()] })
 */
export function grayscale({ p = 0.1 }: { readonly p?: number } = {}): Augmentation {
  checkShare("grayscale", p);
  return {
    config: { kind: "grayscale", p },
    apply: (x, key) =>
      x.shape[1] === 3 ? forShare(p, key, x, likePictures(grey(x.cast("f32")).broadcastTo(x.shape), x)) : x,
  };
}

/**
 * Adds normal noise to each number, with this standard deviation: a share of 255 for bytes. As torchvision v2's `GaussianNoise`.
 *
 * Throws OptionError unless `sigma` is above 0.
 *
 * @example
 * fit(model, { ...options, augment: [augment.noise(0.05)] })
 */
export function noise(sigma: number): Augmentation {
  if (!(sigma > 0 && Number.isFinite(sigma)))
    throw new OptionError(`augment.noise: got sigma ${sigma}; expected a number above 0.`, "sigma");
  return {
    config: { kind: "noise", sigma },
    apply(x, key) {
      const size = x.dtype === "u8" ? 255 * sigma : sigma;
      return likePictures(x.cast("f32").add(key.normal(x.shape).mul(size)), x);
    },
  };
}
