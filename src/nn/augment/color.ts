import { OptionError } from "../../core/errors.ts";
import type { Tensor } from "../../ops/tensor.ts";
import { type Augmentation, between, checkAmount, checkShare, forShare, likePictures } from "./augmentation.ts";

/** f x + (1 - f) other, of numbers. */
function blend(x: Tensor, other: Tensor, factor: Tensor): Tensor {
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
