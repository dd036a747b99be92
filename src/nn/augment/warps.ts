import { OptionError } from "../../core/errors.ts";
import type { Tensor } from "../../ops/tensor.ts";
import { type Augmentation, between, checkAmount, checkRange, likePictures, perPicture } from "./augmentation.ts";

/**
 * Pictures [N, C, H, W] read at places (`across`, `down`) f32[N, 1, H, W] between their pixels, as numbers: the four pixels
 * around, each by its nearness. Outside is 0.
 */
export function sampled(x: Tensor, across: Tensor, down: Tensor): Tensor {
  const { shape } = x;
  const [, channels = 1, height = 1, width = 1] = shape;
  const pixels = x.reshape([-1]);
  const plane = x.iota(shape, 0).mul(channels).add(x.iota(shape, 1)).mul(height);
  const [left, top] = [across.floor(), down.floor()];
  const [rightShare, lowShare] = [across.sub(left), down.sub(top)];
  const corner = (dx: number, dy: number): Tensor => {
    const [column, row] = [left.add(dx), top.add(dy)];
    const inside = column.greaterEqual(0).and(column.less(width)).and(row.greaterEqual(0)).and(row.less(height));
    const share = (dx === 1 ? rightShare : rightShare.rsub(1)).mul(dy === 1 ? lowShare : lowShare.rsub(1));
    const at = (value: Tensor, size: number): Tensor =>
      value
        .maximum(0)
        .minimum(size - 1)
        .cast("i32")
        .broadcastTo(shape);
    const place = plane.add(at(row, height)).mul(width).add(at(column, width));
    return pixels.gather(place).cast("f32").mul(inside.select(share, 0).broadcastTo(shape));
  };
  return corner(0, 0).add(corner(1, 0)).add(corner(0, 1)).add(corner(1, 1));
}

/** Where each pixel is, f32[N, 1, H, W], along an axis. */
function places(x: Tensor, axis: number): Tensor {
  const [count = 1, , height = 1, width = 1] = x.shape;
  return x.iota([count, 1, height, width], axis, "f32");
}

/** What an affine map does to each picture: f32[N, 1, 1, 1] each. */
export type AffineDraws = {
  /** Radians, clockwise. */
  readonly angle: Tensor;
  /** Pixels to the right and down. */
  readonly right: Tensor;
  readonly down: Tensor;
  readonly scale: Tensor;
  /** Radians, along x. */
  readonly shear: Tensor;
};

/** The map about the picture's centre, read backwards with `sampled`. As torchvision's `affine` with bilinear interpolation. */
export function mapped(x: Tensor, { angle, right, down, scale, shear }: AffineDraws): Tensor {
  const [, , height = 1, width = 1] = x.shape;
  const [centreX, centreY] = [(width - 1) / 2, (height - 1) / 2];
  const [sin, cos] = [angle.sin(), angle.cos()];
  const slope = shear.sin().div(shear.cos());
  const column = places(x, 3);
  const whole = (value: Tensor): Tensor => value.broadcastTo(column.shape);
  const fromX = column.sub(centreX).sub(whole(right));
  const fromY = places(x, 2).sub(centreY).sub(whole(down));
  const row = (a: Tensor, b: Tensor, centre: number): Tensor =>
    fromX
      .mul(whole(a.div(scale)))
      .add(fromY.mul(whole(b.div(scale))))
      .add(centre);
  return sampled(x, row(cos.sub(sin.mul(slope)), sin.add(cos.mul(slope)), centreX), row(sin.neg(), cos, centreY));
}

export type AffineOptions = {
  /** Turned by up to this many degrees each way. Default 0. */
  readonly degrees?: number;
  /** Moved by up to this share of the width and of the height each way. Default 0. */
  readonly translate?: number;
  /** Enlarged by a factor, from and to. Default [1, 1]. */
  readonly scale?: readonly [number, number];
  /** Slanted along x by up to this many degrees each way. Default 0. */
  readonly shear?: number;
};

/**
 * Turns, moves, enlarges and slants each picture about its centre, between pixels by their nearness; what comes in is 0. As
 * torchvision's `RandomAffine` with bilinear interpolation, save that moves need not be whole pixels.
 *
 * Throws OptionError for a number out of its range.
 *
 * @example
 * fit(model, { ...options, augment: [augment.affine({ degrees: 10, translate: 0.1, scale: [0.9, 1.1] })] })
 */
export function affine({ degrees = 0, translate = 0, scale = [1, 1], shear = 0 }: AffineOptions = {}): Augmentation {
  for (const [option, value, most] of [
    ["degrees", degrees, 180],
    ["translate", translate, 1],
    ["shear", shear, 80],
  ] as const)
    if (!(value >= 0 && value <= most))
      throw new OptionError(`augment.affine: got ${option} ${value}; expected a number from 0 to ${most}.`, option);
  checkRange("affine", "scale", scale, Number.POSITIVE_INFINITY);
  return {
    config: { kind: "affine", degrees, translate, scale, shear },
    apply(x, key) {
      const [, , height = 1, width = 1] = x.shape;
      const within = (name: string, most: number): Tensor => between(key.fold(name), -most, most, x);
      const draws = {
        angle: within("angle", radians(degrees)),
        right: within("right", translate * width),
        down: within("down", translate * height),
        scale: between(key.fold("scale"), scale[0], scale[1], x),
        shear: within("shear", radians(shear)),
      };
      return likePictures(mapped(x, draws), x);
    },
  };
}

/**
 * Turns each picture by up to so many degrees each way about its centre, between pixels by their nearness; what comes in is 0.
 * As torchvision's `RandomRotation` with bilinear interpolation.
 *
 * Throws OptionError unless `degrees` is above 0 and at most 180.
 *
 * @example
 * fit(model, { ...options, augment: [augment.rotate(15)] })
 */
export function rotate(degrees: number): Augmentation {
  checkAmount("rotate", "degrees", degrees, 180);
  const { apply } = affine({ degrees });
  return { config: { kind: "rotate", degrees }, apply };
}

const radians = (degrees: number): number => (degrees * Math.PI) / 180;

/** A rectangle of each picture, in whole pixels, f32[N, 1, 1, 1] each. */
export type Box = { readonly left: Tensor; readonly top: Tensor; readonly width: Tensor; readonly height: Tensor };

/** The rectangle as large as the picture. As torchvision's `resized_crop` to the picture's own size, bilinear. */
export function enlarged(x: Tensor, box: Box): Tensor {
  const along = (axis: number, first: Tensor, length: Tensor): Tensor => {
    const at = places(x, axis);
    const whole = (value: Tensor): Tensor => value.broadcastTo(at.shape);
    const place = at
      .add(0.5)
      .mul(whole(length.div(x.shape[axis] as number)))
      .sub(0.5)
      .maximum(0)
      .minimum(whole(length.sub(1)));
    return place.add(whole(first));
  };
  return sampled(x, along(3, box.left, box.width), along(2, box.top, box.height));
}

export type ResizedCropOptions = {
  /** Of the picture's area, from and to. Default [0.08, 1]. */
  readonly scale?: readonly [number, number];
  /** Width over height, from and to, drawn evenly of its logarithm. Default [3/4, 4/3]. */
  readonly ratio?: readonly [number, number];
};

/**
 * Takes a rectangle of each picture and enlarges it to the picture's size, between pixels by their nearness. As torchvision's
 * `RandomResizedCrop`, save that a rectangle longer than the picture is cut to its length instead of drawn again.
 *
 * Throws OptionError for ranges that are none.
 *
 * @example
 * fit(model, { ...options, augment: [augment.resizedCrop({ scale: [0.35, 1] })] })
 */
export function resizedCrop({ scale = [0.08, 1], ratio = [3 / 4, 4 / 3] }: ResizedCropOptions = {}): Augmentation {
  checkRange("resizedCrop", "scale", scale, 1);
  checkRange("resizedCrop", "ratio", ratio, Number.POSITIVE_INFINITY);
  return {
    config: { kind: "resizedCrop", scale, ratio },
    apply(x, key) {
      const [, , rows = 1, columns = 1] = x.shape;
      const area = between(key.fold("area"), scale[0], scale[1], x).mul(rows * columns);
      const wide = between(key.fold("ratio"), Math.log(ratio[0]), Math.log(ratio[1]), x).exp();
      const length = (value: Tensor, size: number): Tensor => value.sqrt().round().maximum(1).minimum(size);
      const first = (name: string, own: Tensor, size: number): Tensor =>
        key
          .fold(name)
          .uniform(perPicture(x))
          .mul(own.rsub(size + 1))
          .floor();
      const width = length(area.mul(wide), columns);
      const height = length(area.div(wide), rows);
      const box = { left: first("left", width, columns), top: first("top", height, rows), width, height };
      return likePictures(enlarged(x, box), x);
    },
  };
}
