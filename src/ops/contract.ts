import { type Aval, formatAval, type Shape } from "../core/dtype.ts";
import { ShapeError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import { conv2dHost, convInputGradHost, convWeightGradHost, dotHost } from "./host/contract.ts";
import type { Primitive } from "./primitive.ts";
import type { ConvParams, Tensor } from "./tensor.ts";

/** [B..., M, K] x [B..., K, N] -> [B..., M, N] */
const dot: Primitive = {
  name: "dot",
  shape: (_, a, b) => {
    const [x, y] = [a as Aval, b as Aval];
    const batch = x.shape.slice(0, -2);
    const fits =
      x.dtype === "f32" &&
      y.dtype === "f32" &&
      x.shape.length === y.shape.length &&
      x.shape.length >= 2 &&
      batch.every((n, i) => n === y.shape[i]) &&
      x.shape.at(-1) === y.shape.at(-2);
    if (!fits)
      throw new ShapeError(`dot: got ${formatAval(x)} and ${formatAval(y)}; expected f32[...,M,K] and f32[...,K,N].`);
    return [{ dtype: "f32", shape: [...x.shape.slice(0, -1), y.shape.at(-1) as number] }];
  },
  vjp: ([g], _, __, a, b) => {
    if (!g) return [null, null];
    const [x, y] = [a as Tensor, b as Tensor];
    return [g.matmul(y.swapAxes(-1, -2)), x.swapAxes(-1, -2).matmul(g)];
  },
  evaluate: (_, a, b) => [dotHost(a as HostArray, b as HostArray)],
};

/** Size of a convolution's output along one spatial axis. */
export function convSize(size: number, kernel: number, axis: 0 | 1, { stride, padding, dilation }: ConvParams): number {
  const [low, high] = padding[axis];
  return Math.floor((size + low + high - dilation[axis] * (kernel - 1) - 1) / stride[axis]) + 1;
}

function checkGeometry({ stride, padding, dilation, groups }: ConvParams): void {
  const counts = [...stride, ...dilation, groups];
  if (counts.some((n) => !Number.isInteger(n) || n < 1) || padding.flat().some((n) => !Number.isInteger(n) || n < 0))
    throw new ShapeError(
      `conv2d: got stride [${stride}], dilation [${dilation}], groups ${groups}, padding [${padding}]; expected integers of 1 or more, padding of 0 or more.`,
    );
}

const conv2d: Primitive<ConvParams> = {
  name: "conv2d",
  shape: (params, x, w) => {
    const [input, weight] = [x as Aval, w as Aval];
    checkGeometry(params);
    const { groups } = params;
    const [n, c, h, wd] = input.shape as [number, number, number, number];
    const [o, i, kh, kw] = weight.shape as [number, number, number, number];
    if (
      input.dtype !== "f32" ||
      weight.dtype !== "f32" ||
      input.shape.length !== 4 ||
      weight.shape.length !== 4 ||
      c !== i * groups ||
      o % groups !== 0
    )
      throw new ShapeError(
        `conv2d: got input ${formatAval(input)} and weight ${formatAval(weight)}; expected f32[N,C,H,W] and f32[O,C/groups,kh,kw] with C = ${i ?? "?"} x ${groups} groups and O divisible by the groups.`,
      );
    const size = [convSize(h, kh, 0, params), convSize(wd, kw, 1, params)] as const;
    if (size[0] < 1 || size[1] < 1)
      throw new ShapeError(
        `conv2d: got input ${formatAval(input)} and kernel ${kh}x${kw}; expected a kernel no larger than the padded input.`,
      );
    return [{ dtype: "f32", shape: [n, o, size[0], size[1]] }];
  },
  vjp: ([g], params, _, x, w) => {
    if (!g) return [null, null];
    const [input, weight] = [x as Tensor, w as Tensor];
    return [
      g.trace.bind("convInputGrad", { ...params, inputShape: input.shape }, [g, weight])[0] as Tensor,
      g.trace.bind("convWeightGrad", { ...params, kernelShape: weight.shape }, [input, g])[0] as Tensor,
    ];
  },
  evaluate: (params, x, w) => [conv2dHost(x as HostArray, w as HostArray, params)],
};

export type ConvInputGradParams = ConvParams & { readonly inputShape: Shape };
export type ConvWeightGradParams = ConvParams & { readonly kernelShape: Shape };

const geometry = ({ stride, padding, dilation, groups }: ConvParams): ConvParams => ({
  stride,
  padding,
  dilation,
  groups,
});
const bind1 = (at: Tensor, name: string, params: object, inputs: Tensor[]): Tensor =>
  at.trace.bind(name, params as Readonly<Record<string, unknown>>, inputs)[0] as Tensor;

/** Cotangent of a convolution's input from (cotangent of its output, weight); linear in both, so its derivatives are convolutions again. */
const convInputGrad: Primitive<ConvInputGradParams> = {
  name: "convInputGrad",
  shape: ({ inputShape }) => [{ dtype: "f32", shape: inputShape }],
  vjp: ([h], params, _, g, w) => {
    if (!h) return [null, null];
    const base = geometry(params);
    return [
      bind1(h, "conv2d", base, [h, w as Tensor]),
      bind1(h, "convWeightGrad", { ...base, kernelShape: (w as Tensor).shape }, [h, g as Tensor]),
    ];
  },
  evaluate: (params, g, w) => [convInputGradHost(g as HostArray, w as HostArray, params)],
};

/** Cotangent of a convolution's weight from (its input, cotangent of its output). */
const convWeightGrad: Primitive<ConvWeightGradParams> = {
  name: "convWeightGrad",
  shape: ({ kernelShape }) => [{ dtype: "f32", shape: kernelShape }],
  vjp: ([h], params, _, x, g) => {
    if (!h) return [null, null];
    const base = geometry(params);
    return [
      bind1(h, "convInputGrad", { ...base, inputShape: (x as Tensor).shape }, [g as Tensor, h]),
      bind1(h, "conv2d", base, [x as Tensor, h]),
    ];
  },
  evaluate: (params, x, g) => [convWeightGradHost(x as HostArray, g as HostArray, params)],
};

export const contractPrimitives: readonly Primitive<never>[] = [
  dot,
  conv2d,
  convInputGrad,
  convWeightGrad,
] as readonly Primitive<never>[];
