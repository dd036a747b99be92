import type { HostArray } from "../../core/host-array.ts";
import type { Tensor } from "../../ops/tensor.ts";
import { IGNORED } from "../losses/cross-entropy.ts";
import { classAxisOf, labelsFor } from "../targets.ts";
import {
  alike,
  builtIn,
  byLabel,
  type ClassOptions,
  expectChoice,
  expectScores,
  holds,
  lastAxis,
  type Metric,
  rowsOf,
  sumOf,
} from "./metric.ts";

export type RankingOptions<A extends "macro" | "weighted" | "none" = "macro" | "weighted"> = ClassOptions & {
  /** Over the classes: "macro" their plain mean, "weighted" by their examples, "none" a list. Default "macro". */
  readonly average?: A;
  /** Scores of classes are logits and go through a softmax first. Default true. Scores of single labels are taken as they are. */
  readonly logits?: boolean;
};

type AnyRanking = RankingOptions<"macro" | "weighted" | "none">;

/** All scores f32[M, C], and labels i32[M, 1], or for labels with a score each whether they hold, i32[M, C]. */
function collected(op: string, scores: Tensor, target: Tensor, options: AnyRanking) {
  expectScores(op, scores, target);
  const both = alike(scores, target);
  if (both)
    return {
      scores: byLabel(both[0]),
      labels: holds(byLabel(both[1])).cast("i32"),
      separate: scores.full(1, [1], "i32"),
    };
  const axis = classAxisOf(op, scores, options.classAxis);
  const labels = labelsFor(op, scores, target, axis).reshape([-1, 1]);
  return { scores: lastAxis(scores, axis), labels, separate: scores.full(0, [1], "i32") };
}

/** For each class the scores of all positions, and which of them are its own. */
function byClass(
  state: Readonly<Record<"scores" | "labels" | "separate", HostArray>>,
  { logits = true, ignoreIndex = IGNORED }: AnyRanking,
): {
  readonly separate: boolean;
  readonly classes: readonly { readonly scores: Float64Array; readonly own: Uint8Array }[];
} {
  const separate = (state.separate.data[0] ?? 0) > 0;
  const { columns, data, rows } = rowsOf(state.scores);
  const labels = state.labels.data;
  const counted: number[] = [];
  for (let i = 0; i < rows; i++) if (separate || labels[i] !== ignoreIndex) counted.push(i);
  const shares = separate || !logits ? data : softmaxRows(data, columns);
  const classes = Array.from({ length: columns }, (_, c) => ({
    scores: Float64Array.from(counted, (i) => shares[i * columns + c] as number),
    own: Uint8Array.from(counted, (i) => (separate ? (labels[i * columns + c] as number) : labels[i] === c ? 1 : 0)),
  }));
  return { separate, classes };
}

function softmaxRows(data: ArrayLike<number>, columns: number): Float64Array {
  const out = new Float64Array(data.length);
  for (let at = 0; at < data.length; at += columns) {
    let most = Number.NEGATIVE_INFINITY;
    for (let i = at; i < at + columns; i++) most = Math.max(most, data[i] as number);
    let sum = 0;
    for (let i = at; i < at + columns; i++) sum += out[i] = Math.exp((data[i] as number) - most);
    for (let i = at; i < at + columns; i++) out[i] = (out[i] as number) / sum;
  }
  return out;
}

/** For each different score, from the largest on: how many positions have at least it, and how many of them are own. */
function thresholds(
  scores: Float64Array,
  own: Uint8Array,
): readonly { readonly above: number; readonly right: number }[] {
  const order = Uint32Array.from(scores.keys()).sort((a, b) => (scores[b] as number) - (scores[a] as number));
  const found: { above: number; right: number }[] = [];
  let right = 0;
  order.forEach((at, i) => {
    right += own[at] as number;
    const next = order[i + 1];
    if (next === undefined || scores[next] !== scores[at]) found.push({ above: i + 1, right });
  });
  return found;
}

/** The area under (false positive rate, true positive rate): NaN where all positions are own, or none. */
function areaOf({ scores, own }: { readonly scores: Float64Array; readonly own: Uint8Array }): number {
  if (scores.some(Number.isNaN)) return Number.NaN;
  const positives = sumOf(own);
  const negatives = own.length - positives;
  let [area, lastRight, lastWrong] = [0, 0, 0];
  for (const { above, right } of thresholds(scores, own)) {
    const wrong = above - right;
    area += ((wrong - lastWrong) * (right + lastRight)) / 2;
    [lastRight, lastWrong] = [right, wrong];
  }
  return area / (positives * negatives);
}

/** sum (R_n - R_{n-1}) P_n over the thresholds: 0 where no position is own. */
function averagePrecisionOf({ scores, own }: { readonly scores: Float64Array; readonly own: Uint8Array }): number {
  if (scores.some(Number.isNaN)) return Number.NaN;
  const positives = sumOf(own);
  if (positives === 0) return 0;
  let [sum, last] = [0, 0];
  for (const { above, right } of thresholds(scores, own)) {
    sum += ((right - last) / positives) * (right / above);
    last = right;
  }
  return sum;
}

function rankingMetric(
  kind: string,
  options: AnyRanking,
  score: (column: { readonly scores: Float64Array; readonly own: Uint8Array }) => number,
  isDefined: (positives: number, count: number, separate: boolean) => boolean,
): Metric<Tensor, Tensor, never> {
  const { average = "macro" } = options;
  expectChoice(kind, "average", average, ["macro", "weighted", "none"]);
  const capital = `${kind.slice(0, 1).toUpperCase()}${kind.slice(1)}`;
  return builtIn(kind, options, {
    name: average === "none" ? `${kind}OfClasses` : average === "macro" ? kind : `weighted${capital}`,
    collects: true,
    apply: (scores, target) => collected(kind, scores, target, options),
    value(state) {
      const { separate, classes } = byClass(state, options);
      const scores = classes.map(score);
      if (average === "none" || classes.length === 1) return (average === "none" ? scores : scores[0]) as never;
      const weights = classes.map(({ own }) => {
        const positives = sumOf(own);
        if (!isDefined(positives, own.length, separate)) return 0;
        return average === "weighted" ? positives : 1;
      });
      const sum = sumOf(scores.map((s, i) => (weights[i] === 0 ? 0 : s * (weights[i] as number))));
      return (sum / sumOf(weights)) as never;
    },
  });
}

type PerClass = RankingOptions<"none"> & { readonly average: "none" };

/**
 * The area under the ROC curve: how likely a positive position scores above a negative one, a tie counting half. It is exact:
 * all scores are kept until the end.
 *
 * Scores and targets of one shape ([N], [N, 1]; [N, C] for C labels at once): as they are. Scores f32[N, C, ...] with labels
 * i32[N, ...]: each class against the rest. A class without positives or without negatives is NaN and left out of means.
 *
 * @example
 * nn.metrics.rocAuc() // scores 0.1, 0.4, 0.35, 0.8 with labels 0, 0, 1, 1: 0.75
 */
export function rocAuc(options: PerClass): Metric<Tensor, Tensor, number[]>;
export function rocAuc(options?: RankingOptions): Metric;
export function rocAuc(options: AnyRanking = {}): Metric<Tensor, Tensor, never> {
  return rankingMetric("rocAuc", options, areaOf, (positives, count) => positives > 0 && positives < count);
}

/**
 * Average precision: the sum of (R_n - R_{n-1}) P_n over all different scores, as scikit-learn, without interpolation.
 *
 * Inputs as for `rocAuc`. Without positives it is 0; a class that no label has is left out of means.
 */
export function averagePrecision(options: PerClass): Metric<Tensor, Tensor, number[]>;
export function averagePrecision(options?: RankingOptions): Metric;
export function averagePrecision(options: AnyRanking = {}): Metric<Tensor, Tensor, never> {
  return rankingMetric(
    "averagePrecision",
    options,
    averagePrecisionOf,
    (positives, _, separate) => separate || positives > 0,
  );
}
