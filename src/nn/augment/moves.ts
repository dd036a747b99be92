import { type Augmentation, checkCount, checkShare, perPicture, whole } from "./augmentation.ts";

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
  checkShare("flip", p);
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
