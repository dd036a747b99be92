import { formatAval, sizeOf } from "../../core/dtype.ts";
import { OptionError, ShapeError } from "../../core/errors.ts";
import type { Tensor } from "../../ops/tensor.ts";
import { IGNORED } from "../losses/cross-entropy.ts";
import { classAxisOf, labelsFor } from "../targets.ts";
import {
  alike,
  builtIn,
  type ClassOptions,
  countTensor,
  countTrue,
  expectScores,
  holds,
  type Metric,
} from "./metric.ts";

/**
 * The share of positions whose largest score is the label's (the first, on a tie). Scores f32[N, C, ...]; target i32 or u8
 * labels [N, ...], or f32 probabilities like the scores, whose largest counts as the label.
 */
export function accuracy(options: ClassOptions = {}): Metric {
  const { ignoreIndex = IGNORED } = options;
  return builtIn("accuracy", options, {
    apply(scores, target) {
      const axis = classAxisOf("accuracy", scores, options.classAxis);
      if (target.dtype === "f32" && target.rank === scores.rank) {
        const same = scores.argmax(axis).equal(target.argmax(axis));
        return { right: countTrue(same), count: countTensor(scores, sizeOf(same.shape)) };
      }
      const labels = labelsFor("accuracy", scores, target, axis);
      const counted = labels.notEqual(ignoreIndex);
      return { right: countTrue(scores.argmax(axis).equal(labels).and(counted)), count: countTrue(counted) };
    },
    value: ({ right, count }) => right.item() / count.item(),
  });
}

/** The share of positions whose label is among the k largest scores (default 5); on a tie the lower index is the larger. */
export function topAccuracy(k: number = 5, options: ClassOptions = {}): Metric {
  if (!Number.isInteger(k) || k < 1) throw new OptionError(`topAccuracy: got k ${k}; expected a positive integer.`);
  const { ignoreIndex = IGNORED } = options;
  return builtIn(
    "topAccuracy",
    { k, ...options },
    {
      name: `top${k}Accuracy`,
      apply(scores, target) {
        const axis = classAxisOf("topAccuracy", scores, options.classAxis);
        const classes = scores.shape[axis] as number;
        if (k > classes)
          throw new ShapeError(
            `topAccuracy: got k ${k} for ${formatAval(scores.aval)}; expected an integer in [1, ${classes}].`,
          );
        const given = labelsFor("topAccuracy", scores, target, axis);
        const labels = given.unsqueeze(axis);
        const index = scores.iota(scores.shape, axis);
        const own = index.equal(labels).select(scores, 0).sum(axis, { keepDims: true });
        const ahead = scores.greater(own).or(scores.equal(own).and(index.less(labels)));
        const isNumber = own.equal(own).squeeze(axis);
        const counted = given.notEqual(ignoreIndex);
        const right = ahead.cast("i32").sum(axis).less(k).and(isNumber).and(counted);
        return { right: countTrue(right), count: countTrue(counted) };
      },
      value: ({ right, count }) => right.item() / count.item(),
    },
  );
}

export type ThresholdOptions = {
  /** An output above it says yes. Default 0, for logits; 0.5 for probabilities. */
  readonly threshold?: number;
};

/** Scores and targets of one shape. Throws ShapeError where they are not. */
export function alikeFor(op: string, scores: Tensor, target: Tensor): readonly [scores: Tensor, target: Tensor] {
  expectScores(op, scores, target);
  const both = alike(scores, target);
  if (both === undefined)
    throw new ShapeError(
      `${op}: got scores ${formatAval(scores.aval)} and the target ${formatAval(target.aval)}; expected equal shapes.`,
    );
  return both;
}

/**
 * The share of yes-or-no answers that are right, over all labels of all examples. Scores f32 and targets of one shape (or [N, 1]
 * and [N]); f32 targets above 1/2 and integers above 0 say yes.
 */
export function binaryAccuracy(options: ThresholdOptions = {}): Metric {
  const { threshold = 0 } = options;
  return builtIn("binaryAccuracy", options, {
    apply(given, target) {
      const [scores, wanted] = alikeFor("binaryAccuracy", given, target);
      const right = scores.greater(threshold).cast("i32").equal(holds(wanted).cast("i32"));
      return { right: countTrue(right), count: countTensor(scores, sizeOf(scores.shape)) };
    },
    value: ({ right, count }) => right.item() / count.item(),
  });
}
