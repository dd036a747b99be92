import { referenceBackend } from "../backends/reference/index.ts";
import { runFunction } from "../compile/run-function.ts";
import { formatAval } from "../core/dtype.ts";
import { DownhillError, OptionError } from "../core/errors.ts";
import { HostArray } from "../core/host-array.ts";
import type { Tensor } from "../ops/tensor.ts";
import { grad } from "../trace/grad.ts";
import { Random } from "./random.ts";

export type GradientOptions = {
  /** Largest |derivative - difference| relative to the largest of both and 1. Default 1e-7. */
  readonly tolerance?: number;
  /** 2 checks the derivative of the gradient instead. Default 1. */
  readonly order?: 1 | 2;
  /** Draws the direction and the weights. Default 0. */
  readonly seed?: number;
  /** Step of the differences; the inputs move by twice this much. Default 2.5e-4. */
  readonly step?: number;
};

export type GradientReport = {
  /** By reverse mode, along the direction. */
  readonly derivative: number;
  /** By central differences. */
  readonly difference: number;
  readonly error: number;
};

/** A derivative that differs from the function's slope. */
export class GradientError extends DownhillError {
  readonly report: GradientReport;
  constructor(message: string, report: GradientReport) {
    super(message);
    this.report = report;
  }
}

type Function = (...inputs: readonly Tensor[]) => Tensor;

/**
 * Compares the derivative of a function with central differences of fourth order, (8 (L(h) - L(-h)) - (L(2h) - L(-2h))) / 12h,
 * along a random direction, in double precision on the reference backend. The function's value y, of any shape, is made a
 * scalar by L = sum of r y (1 + y / 2) with random weights r, so that the cotangent depends on the value and second derivatives
 * reach the rules of linear functions too. Inputs that are not f32 stay as they are.
 *
 * Errors: GradientError with both numbers, OptionError when no input is f32.
 *
 * @example
 * const { derivative } = await checkGradient((x) => x.square().sum(), [array([1, 2, 3])]);
 */
export async function checkGradient(
  f: Function,
  inputs: readonly HostArray[],
  options: GradientOptions = {},
): Promise<GradientReport> {
  const { tolerance = 1e-7, order = 1, seed = 0, step = 2.5e-4 } = options;
  const floats = inputs.flatMap((x, i) => (x.dtype === "f32" ? [i] : []));
  if (floats.length === 0)
    throw new OptionError(
      `checkGradient: got inputs ${inputs.map((x) => formatAval(x.aval)).join(", ") || "(none)"}; expected at least one f32.`,
    );
  const loss = order === 1 ? scalar(f, seed + 1) : slopeOf(scalar(f, seed + 1), floats, seed + 2);
  const random = new Random(seed);
  const direction = inputs.map((x) => doubles(x, () => random.uniform(-1, 1)));
  const backend = referenceBackend({ precision: "f64" });
  const at = (distance: number): HostArray[] =>
    inputs.map((x, i) => {
      const towards = direction[i] as HostArray;
      return x.dtype === "f32" ? doubles(x, (k) => value(x, k) + distance * value(towards, k)) : x;
    });
  const evaluate = async (g: Function, values: readonly HostArray[]): Promise<number> =>
    ((await runFunction(backend, g, values))[0] as HostArray).item();

  const [far, near, nearBack, farBack] = [
    await evaluate(loss, at(2 * step)),
    await evaluate(loss, at(step)),
    await evaluate(loss, at(-step)),
    await evaluate(loss, at(-2 * step)),
  ];
  const difference = (8 * (near - nearBack) - (far - farBack)) / (12 * step);
  const along: Function = (...all) => {
    const [xs, ds] = [all.slice(0, inputs.length), all.slice(inputs.length)];
    return dotAll(
      gradients(loss, xs, floats),
      floats.map((i) => ds[i] as Tensor),
    );
  };
  const derivative = await evaluate(along, [...at(0), ...direction]);
  const error = Math.abs(derivative - difference) / Math.max(1, Math.abs(derivative), Math.abs(difference));
  const report = { derivative, difference, error };
  if (!(error <= tolerance))
    throw new GradientError(
      `checkGradient: got a derivative of ${derivative} and a difference of ${difference}, relative error ${error}; expected at most ${tolerance}.`,
      report,
    );
  return report;
}

const value = (x: HostArray, i: number): number => x.data[i] as number;

function doubles(x: HostArray, at: (i: number) => number): HostArray {
  return new HostArray(
    "f32",
    x.shape,
    Float64Array.from(x.data, (_, i) => at(i)),
  );
}

const random64 = (shape: readonly number[], random: Random): HostArray => {
  const size = shape.reduce((n, k) => n * k, 1);
  return new HostArray(
    "f32",
    shape,
    Float64Array.from({ length: size }, () => random.uniform(-1.5, 1.5)),
  );
};

/** L = sum of r y (1 + y / 2) */
function scalar(f: Function, seed: number): Function {
  return (...xs) => {
    const y = f(...xs);
    const weights = y.constant(random64(y.shape, new Random(seed)));
    return y.mul(y.mul(0.5).add(1)).mul(weights).sum();
  };
}

function gradients(loss: Function, xs: readonly Tensor[], floats: readonly number[]): readonly Tensor[] {
  const of = (params: readonly Tensor[]): Tensor =>
    loss(...xs.map((x, i) => (floats.includes(i) ? (params[floats.indexOf(i)] as Tensor) : x)));
  return grad(of)(floats.map((i) => xs[i] as Tensor));
}

function dotAll(as: readonly Tensor[], bs: readonly Tensor[]): Tensor {
  return as.map((a, i) => a.mul(bs[i] as Tensor).sum()).reduce((a, b) => a.add(b));
}

/** Another scalar function: the slope of `loss` along a fixed random direction. */
function slopeOf(loss: Function, floats: readonly number[], seed: number): Function {
  return (...xs) => {
    const random = new Random(seed);
    const found = gradients(loss, xs, floats);
    return dotAll(
      found,
      found.map((g) => g.constant(random64(g.shape, random))),
    );
  };
}
