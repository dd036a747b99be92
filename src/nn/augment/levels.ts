import type { Tensor } from "../../ops/tensor.ts";

// All functions here are of pictures of bytes as numbers: f32[N, C, H, W], 0 to 255.

/** Each pixel's mean with its eight neighbours, itself counted five times; the edge stays. As Pillow's SMOOTH. */
export function smoothed(x: Tensor): Tensor {
  const [, , height = 1, width = 1] = x.shape;
  if (height <= 2 || width <= 2) return x;
  const three = (y: Tensor, axis: number): Tensor => {
    const length = (y.shape[axis] as number) - 2;
    return y
      .narrow(axis, 0, length)
      .add(y.narrow(axis, 1, length))
      .add(y.narrow(axis, 2, length));
  };
  const inner = x.narrow(2, 1, height - 2).narrow(3, 1, width - 2);
  const mean = three(three(x, 2), 3)
    .add(inner.mul(4))
    .mul(1 / 13)
    .pad([0, 0, 1, 1], [0, 0, 1, 1]);
  const at = (axis: number, size: number): Tensor => {
    const place = x.iota(x.shape, axis);
    return place.greater(0).and(place.less(size - 1));
  };
  return at(2, height).and(at(3, width)).select(mean, x);
}

/** Only so many of the highest bits: `step` is the least that is left, a power of two. */
export function posterized(x: Tensor, step: Tensor): Tensor {
  const whole = step.broadcastTo(x.shape);
  return x.div(whole).floor().mul(whole);
}

/** 255 less what is at least the threshold. */
export function solarized(x: Tensor, threshold: Tensor): Tensor {
  return x.greaterEqual(threshold.broadcastTo(x.shape)).select(x.rsub(255), x);
}

/** Each channel's least number to 0, its greatest to 255; a channel of one number stays. */
export function autoContrasted(x: Tensor): Tensor {
  const [least, most] = [x.min([2, 3], { keepDims: true }), x.max([2, 3], { keepDims: true })];
  const even = least.equal(most);
  const scale = even.select(1, even.select(1, most.sub(least)).rdiv(255));
  return x.sub(even.select(0, least).broadcastTo(x.shape)).mul(scale.broadcastTo(x.shape));
}

/**
 * Each channel's numbers spread so that all are about as frequent: a number becomes floor((c + floor(s / 2)) / s), where c counts the
 * lesser ones and s is the 255th part of all but the greatest's; where that is 0 the channel stays. As Pillow's `equalize`.
 */
export function equalized(x: Tensor): Tensor {
  const [count = 1, channels = 1, height = 1, width = 1] = x.shape;
  const planes = count * channels;
  const flat = x.reshape([planes, height * width]);
  const place = flat.iota(flat.shape, 0).mul(256).add(flat.cast("i32"));
  const counts = flat
    .onesLike()
    .reshape([-1])
    .scatterAdd(place.reshape([-1]), 0, planes * 256)
    .reshape([planes, 256]);
  const greatest = flat.max(1, { keepDims: true });
  const last = flat.equal(greatest.broadcastTo(flat.shape)).cast("f32").sum(1, { keepDims: true });
  const step = last
    .rsub(height * width)
    .div(255)
    .floor();
  const lesser = counts
    .iota([256, 256], 0)
    .less(counts.iota([256, 256], 1))
    .cast("f32");
  const stays = step.equal(0);
  const divisor = stays.select(1, step).broadcastTo(counts.shape);
  const half = step.div(2).floor().broadcastTo(counts.shape);
  const table = counts.matmul(lesser).add(half).div(divisor).floor().clip(0, 255);
  const spread = table.reshape([-1]).gather(place);
  return stays.broadcastTo(flat.shape).select(flat, spread).reshape(x.shape);
}
