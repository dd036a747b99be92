import { formatAval } from "../../core/dtype.ts";
import { ShapeError } from "../../core/errors.ts";
import type { Tensor } from "../../ops/tensor.ts";
import { customVjp } from "../../trace/grad.ts";
import { expectSameShape } from "../targets.ts";
import { expectFrom, type Given, type Loss, type LossValues, type Reduction, timesLog, valueOrLoss } from "./loss.ts";

export type ErrorOptions = {
  /** Default "mean", over all elements. */
  readonly reduction?: Reduction;
};

/** output - target, which must be of one shape. */
function difference(op: string, output: Tensor, target: Tensor): Tensor {
  expectSameShape(op, output, target);
  return output.sub(target);
}

/**
 * mean (output - target)² over all elements. Unlike PyTorch's `mse_loss`, shapes never broadcast: [N, 1] against [N] is an error.
 *
 * With tensors: the value. Without: a `Loss` for `fit`.
 */
export function meanSquaredError(options?: ErrorOptions): Loss;
export function meanSquaredError(output: Tensor, target: Tensor, options?: ErrorOptions): Tensor;
export function meanSquaredError(...given: Given<ErrorOptions>): Loss | Tensor {
  return valueOrLoss(
    "meanSquaredError",
    (output, target): LossValues => ({ values: difference("meanSquaredError", output, target).square() }),
    given,
  );
}

/**
 * mean |output - target| over all elements: PyTorch's `l1_loss`. The derivative at 0 is 0. Shapes never broadcast.
 *
 * With tensors: the value. Without: a `Loss` for `fit`.
 */
export function meanAbsoluteError(options?: ErrorOptions): Loss;
export function meanAbsoluteError(output: Tensor, target: Tensor, options?: ErrorOptions): Tensor;
export function meanAbsoluteError(...given: Given<ErrorOptions>): Loss | Tensor {
  return valueOrLoss(
    "meanAbsoluteError",
    (output, target): LossValues => ({ values: difference("meanAbsoluteError", output, target).abs() }),
    given,
  );
}

export type HuberOptions = ErrorOptions & {
  /** The error from which the loss grows linearly, above 0. Default 1. */
  readonly delta?: number;
};

/**
 * d² / 2 where |d| < delta, else delta (|d| - delta / 2), for d = output - target. Shapes never broadcast.
 *
 * With tensors: the value. Without: a `Loss` for `fit`.
 */
export function huber(options?: HuberOptions): Loss;
export function huber(output: Tensor, target: Tensor, options?: HuberOptions): Tensor;
export function huber(...given: Given<HuberOptions>): Loss | Tensor {
  return valueOrLoss(
    "huber",
    (output, target, { delta = 1 }): LossValues => {
      const d = difference("huber", output, target);
      return {
        values: bowl(
          d,
          delta,
          (size) => size.square().mul(0.5),
          (size) => size.sub(delta / 2).mul(delta),
          1,
        ),
      };
    },
    given,
    ({ delta }) => expectFrom("huber", "delta", delta, 0, true),
  );
}

export type SmoothL1Options = ErrorOptions & {
  /** The error from which the loss grows linearly, at least 0. Default 1. */
  readonly beta?: number;
};

/**
 * d² / (2 beta) where |d| < beta, else |d| - beta / 2, for d = output - target: Huber's loss divided by its delta. With beta 0,
 * the mean absolute error. Shapes never broadcast.
 *
 * With tensors: the value. Without: a `Loss` for `fit`.
 */
export function smoothL1(options?: SmoothL1Options): Loss;
export function smoothL1(output: Tensor, target: Tensor, options?: SmoothL1Options): Tensor;
export function smoothL1(...given: Given<SmoothL1Options>): Loss | Tensor {
  return valueOrLoss(
    "smoothL1",
    (output, target, { beta = 1 }): LossValues => {
      const d = difference("smoothL1", output, target);
      if (beta === 0) return { values: d.abs() };
      const square = (size: Tensor): Tensor => size.square().mul(0.5 / beta);
      return { values: bowl(d, beta, square, (size) => size.sub(beta / 2), 1 / beta) };
    },
    given,
    ({ beta }) => expectFrom("smoothL1", "beta", beta, 0),
  );
}

/** `near` of |d| where it is below the limit, else `far`; derivative slope d, bounded where |d| reaches the limit. */
function bowl(
  d: Tensor,
  limit: number,
  near: (size: Tensor) => Tensor,
  far: (size: Tensor) => Tensor,
  slope: number,
): Tensor {
  const call = customVjp(
    (x) => {
      const size = (x as Tensor).abs();
      return size.less(limit).select(near(size), far(size));
    },
    (g, _output, given) => {
      const x = given as Tensor;
      const inner = x.abs().less(limit).select(x, x.sign().mul(limit));
      return [g.mul(slope === 1 ? inner : inner.mul(slope))];
    },
  );
  return call(d);
}

export type PoissonNllOptions = ErrorOptions & {
  /** The output is the logarithm of the rate. Default true. */
  readonly logInput?: boolean;
  /** Adds Stirling's y ln y - y + ln(2 pi y) / 2 where y > 1. Default false. */
  readonly full?: boolean;
  /** Added to a rate before its logarithm. Default 1e-8. */
  readonly eps?: number;
};

/**
 * Negative log likelihood of counts y under Poisson's distribution, without ln y!: e^x - y x for the output x, or
 * x - y ln(x + eps) where `logInput` is false. Shapes never broadcast.
 *
 * With tensors: the value. Without: a `Loss` for `fit`.
 */
export function poissonNll(options?: PoissonNllOptions): Loss;
export function poissonNll(output: Tensor, target: Tensor, options?: PoissonNllOptions): Tensor;
export function poissonNll(...given: Given<PoissonNllOptions>): Loss | Tensor {
  return valueOrLoss("poissonNll", poissonNllOf, given, ({ eps }) => expectFrom("poissonNll", "eps", eps, 0, true));
}

function poissonNllOf(x: Tensor, y: Tensor, options: PoissonNllOptions): LossValues {
  const { logInput = true, full = false, eps = 1e-8 } = options;
  expectSameShape("poissonNll", x, y);
  const values = logInput ? x.exp().sub(y.mul(x)) : x.sub(y.mul(x.add(eps).log()));
  if (!full) return { values };
  const above = y.greater(1);
  const safe = above.select(y, 1);
  const stirling = timesLog(safe, safe)
    .sub(safe)
    .add(
      safe
        .mul(2 * Math.PI)
        .log()
        .mul(0.5),
    );
  return { values: values.add(above.select(stirling, 0)) };
}

export type GaussianNllOptions = ErrorOptions & {
  /** Adds the constant ln(2 pi) / 2. Default false. */
  readonly full?: boolean;
  /** The least variance that is divided by; the derivative passes by the bound, as PyTorch's. Default 1e-6. */
  readonly eps?: number;
};

/** A normal distribution for each value. */
export type Gaussian<T = Tensor> = {
  readonly mean: T;
  /** Of the mean's shape, or with a last axis of 1, or without the last axis. */
  readonly variance: T;
};

/**
 * Negative log likelihood of values under normal distributions: (ln v + (y - m)² / v) / 2 with v = max(variance, eps).
 *
 * The output is a record of mean and variance, as a model of two outputs gives it. With tensors: the value. Without: a `Loss`
 * for `fit`.
 *
 * @example
 * nn.gaussianNll({ mean, variance }, target) // mean 1, variance 4, target 3: (ln 4 + 1) / 2 = 1.193
 */
export function gaussianNll(options?: GaussianNllOptions): Loss<Gaussian>;
export function gaussianNll(output: Gaussian, target: Tensor, options?: GaussianNllOptions): Tensor;
export function gaussianNll(...given: Given<GaussianNllOptions, Gaussian>): Loss<Gaussian> | Tensor {
  return valueOrLoss("gaussianNll", gaussianNllOf, given, ({ eps }) => expectFrom("gaussianNll", "eps", eps, 0, true));
}

function gaussianNllOf({ mean, variance }: Gaussian, target: Tensor, options: GaussianNllOptions): LossValues {
  const { full = false, eps = 1e-6 } = options;
  expectSameShape("gaussianNll", mean, target);
  const floored = customVjp(
    (v) => (v as Tensor).maximum(eps),
    (g) => [g],
  );
  const v = floored(alignedVariance(mean, variance));
  const values = mean.sub(target).square().div(v).add(v.log()).mul(0.5);
  return { values: full ? values.add(0.5 * Math.log(2 * Math.PI)) : values };
}

function alignedVariance(mean: Tensor, variance: Tensor): Tensor {
  const { shape } = mean;
  const aligned = variance.rank === shape.length - 1 ? variance.unsqueeze(-1) : variance;
  const fits = (size: number, i: number): boolean => size === shape[i] || (size === 1 && i === shape.length - 1);
  if (variance.dtype !== "f32" || aligned.rank !== shape.length || !aligned.shape.every(fits))
    throw new ShapeError(
      `gaussianNll: got mean ${formatAval(mean.aval)} and variance ${formatAval(variance.aval)}; expected the mean's shape, or 1 in the last axis.`,
    );
  return aligned;
}
