import { sizeOf } from "../../core/dtype.ts";
import { OptionError } from "../../core/errors.ts";
import { Tensor } from "../../ops/tensor.ts";
import type { TensorTree } from "../../trace/grad.ts";
import { crossEntropy, IGNORED } from "../losses/cross-entropy.ts";
import type { Loss } from "../losses/loss.ts";
import { classAxisOf, labelsFor } from "../targets.ts";
import {
  alike,
  builtIn,
  type ClassOptions,
  defineMetric,
  expectChoice,
  expectScores,
  holds,
  type Metric,
  sumOf,
} from "./metric.ts";

/** e^(mean cross entropy) of logits f32[N, C, ...] with labels i32[N, ...]: what a language model is judged by. */
export function perplexity(options: ClassOptions = {}): Metric {
  return builtIn("perplexity", options, {
    apply(logits, labels) {
      const axis = classAxisOf("perplexity", logits, options.classAxis);
      const counted = labelsFor("perplexity", logits, labels, axis).notEqual(options.ignoreIndex ?? IGNORED);
      return {
        sum: crossEntropy(logits, labels, { ...options, reduction: "sum" }),
        count: counted.cast("i32").sum(),
      };
    },
    value: ({ sum, count }) => Math.exp(sum.item() / count.item()),
  });
}

export type CalibrationOptions = ClassOptions & {
  /** How many bins of equal width there are between 0 and 1. Default 15. */
  readonly bins?: number;
  /** "l1": the expected error; "l2": the root of the expected square; "max": the largest of a bin. Default "l1". */
  readonly norm?: "l1" | "l2" | "max";
  /** Scores are logits and go through a softmax or sigmoid first. Default true. */
  readonly logits?: boolean;
};

/**
 * Calibration error: the mean over the positions of |accuracy - confidence| of their bin of confidence.
 *
 * Scores f32[N, C, ...] with labels i32[N, ...]: the confidence is the largest probability. Scores and targets of one shape: the
 * confidence is the probability of yes, the accuracy the share of yes.
 *
 * Source: Guo et al., "On Calibration of Modern Neural Networks", 2017. A bin holds its lower edge.
 */
export function calibrationError(options: CalibrationOptions = {}): Metric {
  const { bins = 15, norm = "l1", logits = true, ignoreIndex = IGNORED } = options;
  if (!Number.isInteger(bins) || bins < 1)
    throw new OptionError(`calibrationError: got ${bins} bins; expected a positive integer.`);
  expectChoice("calibrationError", "norm", norm, ["l1", "l2", "max"]);
  const parts = (scores: Tensor, target: Tensor): readonly Tensor[] => {
    expectScores("calibrationError", scores, target);
    const both = alike(scores, target);
    if (both) {
      const p = logits ? both[0].sigmoid() : both[0];
      const right = holds(both[1]);
      return [p, right, right.or(right.not())];
    }
    const axis = classAxisOf("calibrationError", scores, options.classAxis);
    const labels = labelsFor("calibrationError", scores, target, axis);
    const p = logits ? scores.softmax(axis) : scores;
    return [p.max(axis), scores.argmax(axis).equal(labels), labels.notEqual(ignoreIndex)];
  };
  return builtIn("calibrationError", options, {
    apply(scores, target) {
      const [confidence, right, counted] = parts(scores, target).map((x) => x.reshape([-1, 1])) as [
        Tensor,
        Tensor,
        Tensor,
      ];
      const bin = confidence
        .mul(bins)
        .floor()
        .clip(0, bins - 1)
        .cast("i32");
      const inside = bin.equal(bin.iota([sizeOf(confidence.shape), bins], 1)).and(counted);
      return {
        confidence: inside.select(confidence, 0).sum(0),
        right: inside.and(right).cast("i32").sum(0),
        count: inside.cast("i32").sum(0),
      };
    },
    value({ confidence, right, count }) {
      const total = sumOf(count.data);
      const gaps = Array.from(count.data, (n, i) =>
        n === 0 ? 0 : Math.abs((right.data[i] as number) - (confidence.data[i] as number)) / n,
      );
      if (norm === "max") return Math.max(...gaps);
      const power = norm === "l1" ? 1 : 2;
      const mean = sumOf(gaps.map((gap, i) => gap ** power * ((count.data[i] as number) / total)));
      return norm === "l1" ? mean : Math.sqrt(mean);
    },
  });
}

/** A loss as a metric, its exact mean over all batches; `name` is by default the loss's. */
export function ofLoss<Output extends TensorTree, Target extends TensorTree>(
  loss: Loss<Output, Target>,
  name: string = loss.name,
): Metric<Output, Target> {
  return defineMetric({
    name,
    apply(output: Output, target: Target) {
      const value = loss.apply(output, target);
      const weight = loss.weight?.(output, target) ?? value.full(firstTensor(output).shape[0] ?? 1);
      // A batch without weight, such as one of ignored labels, has no mean.
      return { sum: weight.equal(0).select(0, value.mul(weight)), weight };
    },
    value: ({ sum, weight }) => sum.item() / weight.item(),
  });
}

const firstTensor = (tree: TensorTree): Tensor =>
  tree instanceof Tensor
    ? tree
    : firstTensor(Object.values(tree as Readonly<Record<string, TensorTree>>)[0] as TensorTree);
