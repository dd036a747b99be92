import { type Aval, formatAval, sizeOf } from "../core/dtype.ts";
import { ShapeError } from "../core/errors.ts";
import type { Tensor } from "../ops/tensor.ts";
import type { TensorTree } from "../trace/grad.ts";
import type { AvalsOf } from "./layer.ts";
import { classAxisOf, expectSameShape, labelsFor } from "./reduction.ts";

/**
 * A number that tells how good a model is. Each batch gives a sum and a count, added up on the host in doubles, so that the
 * result over unequal batches is exact.
 */
export interface Metric<Output extends TensorTree = Tensor, Target extends TensorTree = Tensor> {
  readonly name: string;
  /** The sum over one batch, f32[]. */
  apply(output: Output, target: Target): Tensor;
  /** How many values that sum has. */
  count(output: AvalsOf<Output>, target: AvalsOf<Target>): number;
  /** The metric from the sums and counts of all batches. */
  combine(sum: number, count: number): number;
}

const mean = (sum: number, count: number): number => sum / count;

/**
 * The share of positions whose largest score is the label's (the first, on a tie). Scores f32[N, C, ...]; target i32 or u8
 * labels [N, ...], or f32 probabilities like the scores, whose largest counts as the label.
 */
export function accuracy(): Metric {
  return {
    name: "accuracy",
    apply(scores, target) {
      const axis = classAxisOf("accuracy", scores);
      const labels =
        target.dtype === "f32" && target.rank === scores.rank
          ? target.argmax(axis)
          : labelsFor("accuracy", scores, target, axis);
      return scores.argmax(axis).equal(labels).cast("f32").sum();
    },
    count: (scores: Aval) => sizeOf(scores.shape.filter((_, i) => i !== (scores.shape.length === 1 ? 0 : 1))),
    combine: mean,
  };
}

/** The share of positions whose label is among the k largest scores; on a tie the lower index is the larger. */
export function topAccuracy(k: number): Metric {
  return {
    ...accuracy(),
    name: `top${k}Accuracy`,
    apply(scores, target) {
      const axis = classAxisOf("topAccuracy", scores);
      const classes = scores.shape[axis] as number;
      if (!Number.isInteger(k) || k < 1 || k > classes)
        throw new ShapeError(
          `topAccuracy: got k ${k} for ${formatAval(scores.aval)}; expected an integer in [1, ${classes}].`,
        );
      const labels = labelsFor("topAccuracy", scores, target, axis).unsqueeze(axis);
      const index = scores.iota(scores.shape, axis);
      const own = index.equal(labels).select(scores, 0).sum(axis, { keepDims: true });
      const ahead = scores.greater(own).or(scores.equal(own).and(index.less(labels)));
      const isNumber = own.equal(own).squeeze(axis);
      return ahead.cast("i32").sum(axis).less(k).and(isNumber).cast("f32").sum();
    },
  };
}

/** mean |output - target| over all elements. */
export function meanAbsoluteError(): Metric {
  return errorMetric("meanAbsoluteError", (difference) => difference.abs());
}

/** mean (output - target)² over all elements. */
export function meanSquaredError(): Metric {
  return errorMetric("meanSquaredError", (difference) => difference.square());
}

/** sqrt(mean (output - target)²) over all elements of all batches. */
export function rootMeanSquaredError(): Metric {
  return {
    ...errorMetric("rootMeanSquaredError", (difference) => difference.square()),
    combine: (sum, count) => Math.sqrt(sum / count),
  };
}

function errorMetric(name: string, of: (difference: Tensor) => Tensor): Metric {
  return {
    name,
    apply(output, target) {
      expectSameShape(name, output, target);
      return of(output.sub(target)).sum();
    },
    count: (output: Aval) => sizeOf(output.shape),
    combine: mean,
  };
}
