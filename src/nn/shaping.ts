import { formatAval, normalizeAxis, type Shape, sizeOf } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import type { Tensor } from "../ops/tensor.ts";
import { defineLayer } from "./define-layer.ts";
import { expectCount, expectF32, type Layer } from "./layer.ts";

/** Sizes of which one may be -1, whatever is left. */
function checkSizes(kind: string, name: string, sizes: Shape): void {
  const fits = sizes.every((size) => size === -1 || (Number.isInteger(size) && size >= 1));
  if (!fits || sizes.filter((size) => size === -1).length > 1)
    throw new OptionError(`${kind}: got ${name} [${sizes}]; expected positive integers, at most one of them -1.`);
}

function sizesFor(kind: string, x: Tensor, total: number, sizes: Shape): Shape {
  const known = sizes.reduce((n, size) => (size === -1 ? n : n * size), 1);
  const fits = sizes.includes(-1) ? total % known === 0 : total === known;
  if (!fits)
    throw new ShapeError(`${kind}: got ${formatAval(x.aval)} and [${sizes}]; expected sizes of ${total} elements.`);
  return sizes.map((size) => (size === -1 ? total / known : size));
}

/**
 * The same elements, row by row, in another shape: [N, ...] -> [N, ...shape]. The batch axis stays, as Keras's `Reshape`. One
 * size may be -1.
 *
 * Errors: ShapeError when a sample has another number of elements.
 *
 * @example
 * nn.model(nn.reshape([3, -1])).init(1, { dtype: "f32", shape: [8, 12] }).output.shape // -> [8, 3, 4]
 */
export function reshape(shape: Shape): Layer {
  checkSizes("reshape", "the shape", shape);
  return defineLayer({
    kind: "reshape",
    config: { shape },
    apply(_params, x: Tensor) {
      if (x.rank === 0) throw new ShapeError(`reshape: got ${formatAval(x.aval)}; expected a batch axis.`);
      return x.reshape([x.shape[0] as number, ...sizesFor("reshape", x, sizeOf(x.shape.slice(1)), shape)]);
    },
  });
}

/**
 * Cuts one axis into several: [N, 12] by unflatten(1, [3, -1]) -> [N, 3, 4]. One size may be -1.
 *
 * Errors: ShapeError when the axis has another size than theirs together.
 */
export function unflatten(axis: number, sizes: Shape): Layer {
  if (sizes.length === 0) throw new OptionError("unflatten: got no sizes; expected at least one.");
  checkSizes("unflatten", "the sizes", sizes);
  return defineLayer({
    kind: "unflatten",
    config: { axis, sizes },
    apply(_params, x: Tensor) {
      const at = normalizeAxis("unflatten", axis, x.rank);
      const cut = sizesFor("unflatten", x, x.shape[at] as number, sizes);
      return x.reshape([...x.shape.slice(0, at), ...cut, ...x.shape.slice(at + 1)]);
    },
  });
}

/**
 * Axes in another order: output axis i is input axis `order[i]`, the batch axis counted: permute([0, 2, 1]) of [N, T, C] gives
 * [N, C, T].
 *
 * Errors: OptionError when the order is not of each axis once; ShapeError when the input has another number of axes.
 */
export function permute(order: readonly number[]): Layer {
  const sorted = [...order].sort((a, b) => a - b);
  if (order.length === 0 || sorted.some((axis, i) => axis !== i))
    throw new OptionError(`permute: got the order [${order}]; expected each of 0 to ${order.length - 1} once.`);
  return defineLayer({
    kind: "permute",
    config: { order },
    apply(_params, x: Tensor) {
      if (x.rank !== order.length)
        throw new ShapeError(
          `permute: got ${formatAval(x.aval)} and the order [${order}]; expected ${order.length} axes.`,
        );
      return x.transpose(order);
    },
  });
}

/**
 * Channels to pixels: f32[N, C r², H, W] -> f32[N, C, H r, W r], where out[c, h r + i, w r + j] = x[c r² + i r + j, h, w].
 *
 * Errors: ShapeError when the channels are not a multiple of r².
 * Source: Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel convolutional neural
 * network" (2016).
 */
export function pixelShuffle(upscaleFactor: number): Layer {
  expectCount("pixelShuffle", "upscaleFactor", upscaleFactor);
  const r = upscaleFactor;
  return defineLayer({
    kind: "pixelShuffle",
    config: { upscaleFactor },
    apply(_params, x: Tensor) {
      expectF32("pixelShuffle", x.aval, [4], "f32[N, C, H, W]");
      const [n, channels, height, width] = x.shape as readonly [number, number, number, number];
      if (channels % (r * r) !== 0)
        throw new ShapeError(`pixelShuffle: got ${formatAval(x.aval)}; expected a multiple of ${r * r} channels.`);
      return x
        .reshape([n, channels / (r * r), r, r, height, width])
        .transpose([0, 1, 4, 2, 5, 3])
        .reshape([n, channels / (r * r), height * r, width * r]);
    },
  });
}

/**
 * Pixels to channels, the inverse of `pixelShuffle`: f32[N, C, H r, W r] -> f32[N, C r², H, W].
 *
 * Errors: ShapeError when height or width is not a multiple of r.
 */
export function pixelUnshuffle(downscaleFactor: number): Layer {
  expectCount("pixelUnshuffle", "downscaleFactor", downscaleFactor);
  const r = downscaleFactor;
  return defineLayer({
    kind: "pixelUnshuffle",
    config: { downscaleFactor },
    apply(_params, x: Tensor) {
      expectF32("pixelUnshuffle", x.aval, [4], "f32[N, C, H, W]");
      const [n, channels, height, width] = x.shape as readonly [number, number, number, number];
      if (height % r !== 0 || width % r !== 0)
        throw new ShapeError(
          `pixelUnshuffle: got ${formatAval(x.aval)}; expected a height and a width that are multiples of ${r}.`,
        );
      return x
        .reshape([n, channels, height / r, r, width / r, r])
        .transpose([0, 1, 3, 5, 2, 4])
        .reshape([n, channels * r * r, height / r, width / r]);
    },
  });
}
