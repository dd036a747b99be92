import { type Shape, sizeOf } from "../../core/dtype.ts";
import type { HostArray } from "../../core/host-array.ts";
import type { ConvParams } from "../tensor.ts";
import { fromSums } from "./layout.ts";

/** [B..., M, K] x [B..., K, N] -> [B..., M, N] */
export function dotHost(a: HostArray, b: HostArray): HostArray {
  const rank = a.shape.length;
  const [m, k, n] = [a.shape[rank - 2] as number, a.shape[rank - 1] as number, b.shape[rank - 1] as number];
  const batch = a.shape.slice(0, -2);
  const count = sizeOf(batch);
  const sums = new Float64Array(count * m * n);
  for (let row = 0; row < count * m; row++) {
    const block = Math.floor(row / m) * k * n;
    for (let i = 0; i < k; i++) {
      const left = a.data[row * k + i] as number;
      for (let j = 0; j < n; j++) {
        const at = row * n + j;
        sums[at] = (sums[at] as number) + left * (b.data[block + i * n + j] as number);
      }
    }
  }
  return fromSums(a.dtype, [...batch, m, n], sums, [a, b]);
}

type Four = readonly [number, number, number, number];

const outputSize = (size: number, kernel: number, params: ConvParams, axis: 0 | 1): number =>
  Math.floor(
    (size + params.padding[axis][0] + params.padding[axis][1] - params.dilation[axis] * (kernel - 1) - 1) /
      params.stride[axis],
  ) + 1;

/** Visits each product of a convolution: offsets into x [N, C, H, W], w [O, C / groups, kh, kw] and y [N, O, OH, OW]. */
function eachProduct(
  x: Shape,
  w: Shape,
  params: ConvParams,
  visit: (xAt: number, wAt: number, yAt: number) => void,
): Shape {
  const [n, c, h, width] = x as Four;
  const [o, perGroup, kh, kw] = w as Four;
  const oh = outputSize(h, kh, params, 0);
  const ow = outputSize(width, kw, params, 1);
  const outPerGroup = o / params.groups;
  for (let image = 0; image < n; image++) {
    for (let out = 0; out < o; out++) {
      const firstChannel = Math.floor(out / outPerGroup) * perGroup;
      for (let channel = 0; channel < perGroup; channel++) {
        const plane = (image * c + firstChannel + channel) * h;
        for (let i = 0; i < kh; i++) {
          for (let j = 0; j < kw; j++) {
            const wAt = ((out * perGroup + channel) * kh + i) * kw + j;
            for (let oy = 0; oy < oh; oy++) {
              const y = oy * params.stride[0] + i * params.dilation[0] - params.padding[0][0];
              if (y < 0 || y >= h) continue;
              for (let ox = 0; ox < ow; ox++) {
                const at = ox * params.stride[1] + j * params.dilation[1] - params.padding[1][0];
                if (at >= 0 && at < width)
                  visit((plane + y) * width + at, wAt, ((image * o + out) * oh + oy) * ow + ox);
              }
            }
          }
        }
      }
    }
  }
  return [n, o, oh, ow];
}

/** Cross-correlation: x [N, C, H, W], w [O, C / groups, kh, kw] -> [N, O, OH, OW]. */
export function conv2dHost(x: HostArray, w: HostArray, params: ConvParams): HostArray {
  const oh = outputSize(x.shape[2] as number, w.shape[2] as number, params, 0);
  const ow = outputSize(x.shape[3] as number, w.shape[3] as number, params, 1);
  const sums = new Float64Array((x.shape[0] as number) * (w.shape[0] as number) * oh * ow);
  const shape = eachProduct(x.shape, w.shape, params, (xAt, wAt, yAt) => {
    sums[yAt] = (sums[yAt] as number) + (x.data[xAt] as number) * (w.data[wAt] as number);
  });
  return fromSums(x.dtype, shape, sums, [x, w]);
}

/** Gradient of conv2d in its input: g [N, O, OH, OW], w -> inputShape. */
export function convInputGradHost(
  g: HostArray,
  w: HostArray,
  params: ConvParams & { readonly inputShape: Shape },
): HostArray {
  const sums = new Float64Array(sizeOf(params.inputShape));
  eachProduct(params.inputShape, w.shape, params, (xAt, wAt, yAt) => {
    sums[xAt] = (sums[xAt] as number) + (g.data[yAt] as number) * (w.data[wAt] as number);
  });
  return fromSums(g.dtype, params.inputShape, sums, [g, w]);
}

/** Gradient of conv2d in its weight: x, g [N, O, OH, OW] -> kernelShape. */
export function convWeightGradHost(
  x: HostArray,
  g: HostArray,
  params: ConvParams & { readonly kernelShape: Shape },
): HostArray {
  const sums = new Float64Array(sizeOf(params.kernelShape));
  eachProduct(x.shape, params.kernelShape, params, (xAt, wAt, yAt) => {
    sums[wAt] = (sums[wAt] as number) + (x.data[xAt] as number) * (g.data[yAt] as number);
  });
  return fromSums(x.dtype, params.kernelShape, sums, [x, g]);
}
