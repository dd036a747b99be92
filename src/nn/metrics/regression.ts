import { sizeOf } from "../../core/dtype.ts";
import type { HostArray } from "../../core/host-array.ts";
import type { Tensor } from "../../ops/tensor.ts";
import { expectSameShape } from "../targets.ts";
import { builtIn, countTensor, expectChoice, type Metric, rowsOf, sumOf } from "./metric.ts";

export type ErrorMetricOptions = {
  /** What the targets were divided by before training: errors are given in the units from before. Default 1. */
  readonly scale?: number;
};

/** mean |output - target| over all elements, times `scale`. */
export function meanAbsoluteError(options: ErrorMetricOptions = {}): Metric {
  const { scale = 1 } = options;
  return errorMetric(
    "meanAbsoluteError",
    options,
    (difference) => difference.abs(),
    (mean) => scale * mean,
  );
}

/** mean (output - target)² over all elements, times `scale`². */
export function meanSquaredError(options: ErrorMetricOptions = {}): Metric {
  const { scale = 1 } = options;
  return errorMetric(
    "meanSquaredError",
    options,
    (difference) => difference.square(),
    (mean) => scale ** 2 * mean,
  );
}

/** sqrt(mean (output - target)²) over all elements of all batches, times `scale`. */
export function rootMeanSquaredError(options: ErrorMetricOptions = {}): Metric {
  const { scale = 1 } = options;
  const last = (mean: number): number => scale * Math.sqrt(mean);
  return errorMetric("rootMeanSquaredError", options, (difference) => difference.square(), last);
}

function errorMetric(
  kind: string,
  options: ErrorMetricOptions,
  of: (difference: Tensor) => Tensor,
  last: (mean: number) => number,
): Metric {
  return builtIn(kind, options, {
    apply(output, target) {
      expectSameShape(kind, output, target);
      return { sum: of(output.sub(target)).sum(), count: countTensor(output, sizeOf(output.shape)) };
    },
    value: ({ sum, count }) => last(sum.item() / count.item()),
  });
}

export type R2Options<A extends "uniform" | "variance" | "none" = "uniform" | "variance"> = {
  /** Over several values of each example: "uniform" the plain mean, "variance" weighted by the targets', "none" a list. Default "uniform". */
  readonly multioutput?: A;
};

/**
 * The coefficient of determination, 1 - sum (y - output)² / sum (y - mean y)², as scikit-learn: 1 where both sums are 0, 0 where
 * only the second is. Outputs and targets f32[N] or f32[N, ...], each value of an example on its own. All are kept until the
 * end, and the sums are in doubles: the mean of the targets may be far from 0.
 */
export function r2(options: R2Options<"none"> & { readonly multioutput: "none" }): Metric<Tensor, Tensor, number[]>;
export function r2(options?: R2Options): Metric;
export function r2(options: R2Options<"uniform" | "variance" | "none"> = {}): Metric<Tensor, Tensor, never> {
  const { multioutput = "uniform" } = options;
  expectChoice("r2", "multioutput", multioutput, ["uniform", "variance", "none"]);
  return builtIn("r2", options, {
    name: multioutput === "none" ? "r2OfOutputs" : multioutput === "uniform" ? "r2" : "varianceWeightedR2",
    collects: true,
    apply(output, target) {
      expectSameShape("r2", output, target);
      const rows = [output.shape[0] ?? 1, -1];
      return { output: output.reshape(rows), target: target.reshape(rows) };
    },
    value({ output, target }) {
      const columns = Array.from({ length: rowsOf(target).columns }, (_, c) => sumsOf(output, target, c));
      const scores = columns.map(({ error, spread }) => (spread === 0 ? (error === 0 ? 1 : 0) : 1 - error / spread));
      if (multioutput === "none") return scores as never;
      const total = sumOf(columns.map(({ spread }) => spread));
      if (multioutput === "uniform" || total === 0) return (sumOf(scores) / scores.length) as never;
      return (sumOf(scores.map((s, i) => s * (columns[i]?.spread ?? 0))) / total) as never;
    },
  });
}

function sumsOf(
  output: HostArray,
  target: HostArray,
  column: number,
): { readonly error: number; readonly spread: number } {
  const { rows, columns, data } = rowsOf(target);
  const at = (i: number): number => data[i * columns + column] as number;
  let mean = 0;
  for (let i = 0; i < rows; i++) mean += at(i) / rows;
  let [error, spread] = [0, 0];
  for (let i = 0; i < rows; i++) {
    error += (at(i) - (output.data[i * columns + column] as number)) ** 2;
    spread += (at(i) - mean) ** 2;
  }
  return { error, spread };
}
