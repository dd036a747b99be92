import * as nn from "../../../src/nn/index.ts";
import type { Layer } from "../../../src/nn/layer.ts";
import type { Tensor } from "../../../src/ops/tensor.ts";
import { type Call, Unsupported } from "../call.ts";
import { applied } from "./layers.ts";
import { inSingles, type Operators } from "./operator.ts";

type Sides = readonly [low: number, high: number];

function gemm(call: Call): Tensor {
  const [a, b] = [call.tensor(0), call.tensor(1)];
  const left = call.flag("transA") ? a.transpose() : a;
  const right = call.flag("transB") ? b.transpose() : b;
  const product = left.matmul(right).mul(call.attribute("alpha", 1));
  return call.has(2) ? product.add(call.tensor(2).mul(call.attribute("beta", 1))) : product;
}

type Geometry = {
  readonly window: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly padding: readonly Sides[];
};

/** The window of a convolution or pool over `sizes`; SAME becomes zeros at the ends. */
export function geometryOf(call: Call, sizes: readonly number[], window: readonly number[]): Geometry {
  const stride = call.list("strides") ?? window.map(() => 1);
  const dilation = call.list("dilations") ?? window.map(() => 1);
  const pads = call.list("pads") ?? window.flatMap(() => [0, 0]);
  const auto = call.text("auto_pad", "NOTSET");
  const padding = sizes.map((size, i): Sides => {
    const [s, extent] = [stride[i] as number, (dilation[i] as number) * ((window[i] as number) - 1) + 1];
    if (auto.startsWith("SAME")) {
      const total = Math.max(0, (Math.ceil(size / s) - 1) * s + extent - size);
      const less = Math.floor(total / 2);
      return auto === "SAME_UPPER" ? [less, total - less] : [total - less, less];
    }
    if (auto === "VALID") return [0, 0];
    const [low, high] = [pads[i] as number, pads[i + sizes.length] as number];
    return [low, high];
  });
  return { window, stride, dilation, padding };
}

const pairOf = <T>([a, b]: readonly T[]): readonly [T, T] => [a as T, b as T];

/** [N, C, L] as [N, C, L, 1], so that what is written for images serves sequences. */
function asImage(x: Tensor): Tensor {
  if (x.rank === 3) return x.unsqueeze(-1);
  if (x.rank === 4) return x;
  throw new Unsupported(`windows over ${x.rank - 2} axes`);
}

function conv(call: Call): Tensor {
  const x = asImage(call.tensor(0));
  const weight = asImage(call.tensor(1));
  const { stride, dilation, padding } = geometryOf(call, x.shape.slice(2), weight.shape.slice(2));
  const padded = x.pad([0, 0, ...padding.map(([low]) => low)], [0, 0, ...padding.map(([, high]) => high)]);
  const y = padded.conv2d(weight, {
    stride: pairOf(stride),
    dilation: pairOf(dilation),
    groups: call.attribute("group", 1),
  });
  const biased = call.has(2) ? y.add(call.tensor(2).reshape([-1, 1, 1])) : y;
  return call.tensor(0).rank === 3 ? biased.squeeze(-1) : biased;
}

/** Sides taken off the output of a transposed convolution; below 0: zeros added. */
function croppedSides(
  call: Call,
  sizes: readonly number[],
  plain: readonly number[],
  stride: readonly number[],
): Sides[] {
  const pads = call.list("pads") ?? sizes.flatMap(() => [0, 0]);
  const auto = call.text("auto_pad", "NOTSET");
  const wanted = call.list("output_shape")?.slice(-sizes.length);
  return sizes.map((size, i): Sides => {
    if (!wanted && !auto.startsWith("SAME")) return [pads[i] as number, pads[i + sizes.length] as number];
    const total = (plain[i] as number) - (wanted ? (wanted[i] as number) : size * (stride[i] as number));
    if (total < 0) return [0, total];
    const less = Math.floor(total / 2);
    return auto === "SAME_UPPER" ? [less, total - less] : [total - less, less];
  });
}

function convTranspose(call: Call): Tensor {
  const x = asImage(call.tensor(0));
  const weight = asImage(call.tensor(1));
  const axes = call.tensor(0).rank - 2;
  const all = (name: string, byDefault: number): readonly [number, number] => {
    const given = call.list(name) ?? [];
    return [given[0] ?? byDefault, given[1] ?? byDefault];
  };
  const [stride, dilation, extra] = [all("strides", 1), all("dilations", 1), all("output_padding", 0)];
  const options = { stride, dilation, groups: call.attribute("group", 1) };
  const sizes = x.shape.slice(2, 2 + axes);
  const plain = sizes.map(
    (size, i) =>
      (size - 1) * (stride[i] ?? 1) + (dilation[i] ?? 1) * ((weight.shape[2 + i] as number) - 1) + 1 + (extra[i] ?? 0),
  );
  const sides = croppedSides(call, sizes, plain, stride);
  const even = [0, 1].map((i) => Math.max(0, Math.min(...(sides[i] ?? [0]))));
  const y = x.convTranspose2d(weight, { ...options, padding: pairOf(even), outputPadding: extra });
  const rest = sides.map(([low, high], i): Sides => [low - (even[i] ?? 0), high - (even[i] ?? 0)]);
  const off = (side: 0 | 1): number[] => [0, 0, ...[0, 1].map((i) => Math.max(0, rest[i]?.[side] ?? 0))];
  const added = [0, 0, ...[0, 1].map((i) => Math.max(0, -(rest[i]?.[1] ?? 0)))];
  const cropped = y
    .slice(
      off(0),
      y.shape.map((size, axis) => size - (off(1)[axis] as number)),
    )
    .pad([0, 0, 0, 0], added);
  const biased = call.has(2) ? cropped.add(call.tensor(2).reshape([-1, 1, 1])) : cropped;
  return axes === 1 ? biased.squeeze(-1) : biased;
}

/** A pool's window with what it may be given to a layer: sides that are alike, and not more than half of it. */
type Pool = Geometry & { readonly even: boolean; readonly ceilMode: boolean };

function poolOf(call: Call, x: Tensor): Pool {
  const window = call.list("kernel_shape") ?? [];
  if (window.length > 2) throw new Unsupported(`windows over ${window.length} axes`);
  const geometry = geometryOf(call, x.shape.slice(2), window);
  const half = (i: number): number => Math.floor((window[i] as number) / 2);
  return {
    ...geometry,
    even: geometry.padding.every(([low, high], i) => low === high && low <= half(i)),
    ceilMode: call.flag("ceil_mode"),
  };
}

/** A layer for images, or its like for sequences. */
function pooled<O>(
  x: Tensor,
  window: readonly number[],
  options: { readonly [name: string]: readonly number[] },
  flags: O,
  image: (window: readonly [number, number], options: object) => Layer,
  sequence: (window: number, options: object) => Layer,
): Tensor {
  const of = (pick: (list: readonly number[]) => unknown): object => ({
    ...Object.fromEntries(Object.entries(options).map(([name, list]) => [name, pick(list)])),
    ...flags,
  });
  const layer =
    window.length === 1
      ? sequence(
          window[0] as number,
          of((list) => list[0]),
        )
      : image(pairOf(window), of(pairOf));
  return applied(layer, {}, x);
}

function padded(x: Tensor, sides: readonly Sides[], value: number): Tensor {
  return x.pad([0, 0, ...sides.map(([low]) => low)], [0, 0, ...sides.map(([, high]) => high)], value);
}

function maxPool(call: Call): Tensor {
  if (call.wants(1)) throw new Unsupported("indices of a max pool");
  const x = call.tensor(0);
  const { window, stride, dilation, padding, even, ceilMode } = poolOf(call, x);
  const zeros = window.map(() => 0);
  const sides = even ? padding.map(([low]) => low) : zeros;
  const ready = (y: Tensor): Tensor => (even ? y : padded(y, padding, -Infinity));
  return inSingles(x, (y) =>
    pooled(ready(y), window, { stride, dilation, padding: sides }, { ceilMode }, nn.maxPool2d, nn.maxPool1d),
  );
}

function averagePool(call: Call): Tensor {
  const x = call.tensor(0);
  const { window, stride, padding, even, ceilMode } = poolOf(call, x);
  const countIncludePad = call.flag("count_include_pad");
  const pool = (y: Tensor, sides: readonly number[], flags: object): Tensor =>
    pooled(y, window, { stride, padding: sides }, flags, nn.avgPool2d, nn.avgPool1d);
  const sides = padding.map(([low]) => low);
  if (even) return pool(x, sides, { ceilMode, countIncludePad });
  const zeros = window.map(() => 0);
  const mean = (y: Tensor): Tensor => pool(padded(y, padding, 0), zeros, { ceilMode: false });
  return countIncludePad ? mean(x) : mean(x).div(mean(x.onesLike()));
}

function globalMaxPool(call: Call): Tensor {
  const x = call.tensor(0);
  if (x.rank !== 4) throw new Unsupported(`windows over ${x.rank - 2} axes`);
  return applied(nn.globalMaxPool2d({ keepDims: true }), {}, x);
}

export const contractOperators: Operators = {
  MatMul: (call) => call.tensor(0).matmul(call.tensor(1)),
  Gemm: gemm,
  Conv: conv,
  ConvTranspose: convTranspose,
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalMaxPool: globalMaxPool,
};
