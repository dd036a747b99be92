import type { Tensor } from "../../ops/tensor.ts";
import {
  type Augmentation,
  between,
  checkCount,
  checkRange,
  checkShare,
  forShare,
  perPicture,
  whole,
} from "./augmentation.ts";

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

export type EraseOptions = {
  /** Share of the pictures that lose a part. Default 0.5. */
  readonly p?: number;
  /** Of the picture's area, from and to. Default [0.02, 0.33]. */
  readonly scale?: readonly [number, number];
  /** Height over width, from and to, drawn evenly of its logarithm. Default [0.3, 3.3]. */
  readonly ratio?: readonly [number, number];
};

/**
 * Sets a rectangle within the picture to 0. As torchvision's `RandomErasing`, save that a rectangle longer than the picture is
 * cut to its length instead of drawn again. Source: Zhong et al. (2017), arXiv:1708.04896.
 *
 * Throws OptionError for a share outside 0 to 1, and for ranges that are none.
 *
 * @example
 * fit(model, { ...options, augment: [augment.erase({ p: 0.25 })] })
 */
export function erase({ p = 0.5, scale = [0.02, 0.33], ratio = [0.3, 3.3] }: EraseOptions = {}): Augmentation {
  checkShare("erase", p);
  checkRange("erase", "scale", scale, 1);
  checkRange("erase", "ratio", ratio, Number.POSITIVE_INFINITY);
  return {
    config: { kind: "erase", p, scale, ratio },
    apply(x, key) {
      const { shape } = x;
      const [, , height = 1, width = 1] = shape;
      const area = between(key.fold("area"), scale[0], scale[1], x).mul(height * width);
      const tall = between(key.fold("ratio"), Math.log(ratio[0]), Math.log(ratio[1]), x).exp();
      const inside = (axis: number, length: Tensor): Tensor => {
        const size = shape[axis] as number;
        const cut = length.round().maximum(1).minimum(size);
        const first = key
          .fold(axis)
          .uniform(perPicture(x))
          .mul(cut.rsub(size + 1))
          .floor();
        const at = x.iota(shape, axis, "f32");
        return at.greaterEqual(first.broadcastTo(shape)).and(at.less(first.add(cut).broadcastTo(shape)));
      };
      const gone = inside(2, area.mul(tall).sqrt()).and(inside(3, area.div(tall).sqrt()));
      return forShare(p, key.fold("p"), x, gone.select(x.zerosLike(), x));
    },
  };
}
