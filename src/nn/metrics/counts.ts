import { formatAval, sizeOf } from "../../core/dtype.ts";
import { OptionError, ShapeError } from "../../core/errors.ts";
import type { HostArray } from "../../core/host-array.ts";
import type { Tensor } from "../../ops/tensor.ts";
import { IGNORED } from "../losses/cross-entropy.ts";
import { classAxisOf, labelsFor } from "../targets.ts";
import type { ThresholdOptions } from "./accuracy.ts";
import {
  alike,
  builtIn,
  byLabel,
  type ClassOptions,
  countTrue,
  expectChoice,
  expectScores,
  holds,
  type Metric,
  ratio,
  rowsOf,
  sumOf,
} from "./metric.ts";

export type Average = "macro" | "micro" | "weighted";

export type CountOptions<A extends Average | "none" = Average> = ClassOptions &
  ThresholdOptions & {
    /**
     * Over the classes: "macro" their plain mean, "weighted" by their examples, "micro" from the counts of all together, "none" a
     * list. Default "macro". A single label of yes and no has one class.
     */
    readonly average?: A;
  };

/** Per class: positions rightly said to be of it, said to be of it, and of it. */
type Counts = { readonly right: number; readonly predicted: number; readonly actual: number };

/** Positions of one label each as classes, i32[...] and whether they count. Undefined where each label has a score of its own. */
function classified(op: string, scores: Tensor, target: Tensor, options: CountOptions<Average | "none">) {
  const { ignoreIndex = IGNORED } = options;
  const axis = classAxisOf(op, scores, options.classAxis);
  const labels = labelsFor(op, scores, target, axis);
  return {
    labels,
    said: scores.argmax(axis),
    counted: labels.notEqual(ignoreIndex),
    classes: scores.shape[axis] as number,
  };
}

function countsOf(op: string, scores: Tensor, target: Tensor, options: CountOptions<Average | "none">) {
  expectScores(op, scores, target);
  const both = alike(scores, target);
  if (both) {
    const said = byLabel(both[0]).greater(options.threshold ?? 0);
    const true_ = holds(byLabel(both[1]));
    const [right, predicted, actual] = [said.and(true_), said, true_].map((x) => countTrue(x, [0])) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    return { right, predicted, actual, separate: scores.full(1, [], "i32") };
  }
  const { labels, said, counted, classes } = classified(op, scores, target, options);
  const oneHot = (x: Tensor): Tensor => {
    const shape = [sizeOf(x.shape), classes];
    return x
      .reshape([-1, 1])
      .equal(x.iota(shape, 1))
      .and(counted.reshape([-1, 1]));
  };
  const [of, by] = [oneHot(labels), oneHot(said)];
  const [right, predicted, actual] = [of.and(by), by, of].map((x) => countTrue(x, [0])) as [Tensor, Tensor, Tensor];
  return { right, predicted, actual, separate: scores.full(0, [], "i32") };
}

type CountState = Readonly<Record<"right" | "predicted" | "actual" | "separate", HostArray>>;

/** The score of each class, or their average. Classes that neither a label nor an answer has are left out of the plain mean. */
function averaged(state: CountState, average: Average | "none", score: (counts: Counts) => number): number | number[] {
  const columns = (name: "right" | "predicted" | "actual"): number[] => Array.from(state[name].data);
  const [right, predicted, actual] = [columns("right"), columns("predicted"), columns("actual")];
  const separate = state.separate.item() > 0;
  if (average === "micro") return score({ right: sumOf(right), predicted: sumOf(predicted), actual: sumOf(actual) });
  const counts = right.map(
    (r, i): Counts => ({ right: r, predicted: predicted[i] as number, actual: actual[i] as number }),
  );
  const scores = counts.map(score);
  if (average === "none") return scores;
  const weights = counts.map((each) =>
    average === "weighted" ? each.actual : separate || each.predicted + each.actual > 0 ? 1 : 0,
  );
  return ratio(sumOf(scores.map((s, i) => s * (weights[i] as number))), sumOf(weights));
}

const AVERAGES = ["macro", "micro", "weighted", "none"];

function countMetric(
  kind: string,
  options: CountOptions<Average | "none">,
  score: (counts: Counts) => number,
  name: string = kind,
): Metric<Tensor, Tensor, never> {
  const { average = "macro" } = options;
  expectChoice(kind, "average", average, AVERAGES);
  const named = average === "macro" ? name : `${average}${name.slice(0, 1).toUpperCase()}${name.slice(1)}`;
  return builtIn(kind, options, {
    name: average === "none" ? `${name}OfClasses` : named,
    apply: (scores, target) => countsOf(kind, scores, target, options),
    value: (state) => averaged(state, average, score) as never,
  });
}

type PerClass = CountOptions<"none"> & { readonly average: "none" };

/**
 * The share of the answers for a class that are right. Scores f32[N, C, ...] with labels i32[N, ...], of which the largest score
 * answers; or scores and targets of one shape, [N], [N, 1] or [N, C], where a score above `threshold` says yes.
 *
 * As scikit-learn with `zero_division=0`: a class never answered has 0.
 */
export function precision(options: PerClass): Metric<Tensor, Tensor, number[]>;
export function precision(options?: CountOptions): Metric;
export function precision(options: CountOptions<Average | "none"> = {}): Metric<Tensor, Tensor, never> {
  return countMetric("precision", options, ({ right, predicted }) => ratio(right, predicted));
}

/** The share of a class's positions that are answered so. Inputs and empty classes as for `precision`. */
export function recall(options: PerClass): Metric<Tensor, Tensor, number[]>;
export function recall(options?: CountOptions): Metric;
export function recall(options: CountOptions<Average | "none"> = {}): Metric<Tensor, Tensor, never> {
  return countMetric("recall", options, ({ right, actual }) => ratio(right, actual));
}

const fScore =
  (beta: number) =>
  ({ right, predicted, actual }: Counts): number =>
    ratio((1 + beta * beta) * right, predicted + beta * beta * actual);

/** The harmonic mean of precision and recall, 2 right / (predicted + actual). Inputs and empty classes as for `precision`. */
export function f1(options: PerClass): Metric<Tensor, Tensor, number[]>;
export function f1(options?: CountOptions): Metric;
export function f1(options: CountOptions<Average | "none"> = {}): Metric<Tensor, Tensor, never> {
  return countMetric("f1", options, fScore(1));
}

/** (1 + b²) P R / (b² P + R): recall counts b times as much as precision (default 2). Inputs and empty classes as for `precision`. */
export function fBeta(beta: number | undefined, options: PerClass): Metric<Tensor, Tensor, number[]>;
export function fBeta(beta?: number, options?: CountOptions): Metric;
export function fBeta(beta: number = 2, options: CountOptions<Average | "none"> = {}): Metric<Tensor, Tensor, never> {
  if (!(beta >= 0 && Number.isFinite(beta)))
    throw new OptionError(`fBeta: got beta ${beta}; expected a number of at least 0.`);
  const metric = countMetric("fBeta", options, fScore(beta), `f${beta}`);
  return { ...metric, config: { kind: "fBeta", beta, ...metric.config } };
}

/** Right answers over all of a class's answers and positions, right / (predicted + actual - right): the mean IoU of segmentation. */
export function jaccard(options: PerClass): Metric<Tensor, Tensor, number[]>;
export function jaccard(options?: CountOptions): Metric;
export function jaccard(options: CountOptions<Average | "none"> = {}): Metric<Tensor, Tensor, never> {
  return countMetric("jaccard", options, ({ right, predicted, actual }) => ratio(right, predicted + actual - right));
}

export type ConfusionOptions = ClassOptions & ThresholdOptions;

/** How often class i was answered j, as counts at i C + j. */
function confusionOf(op: string, scores: Tensor, target: Tensor, options: ConfusionOptions) {
  expectScores(op, scores, target);
  const both = alike(scores, target);
  let found: { labels: Tensor; said: Tensor; counted: Tensor; classes: number };
  if (both) {
    if (both[0].rank > 1 && both[0].shape[1] !== 1)
      throw new ShapeError(
        `${op}: got scores ${formatAval(scores.aval)} and the target ${formatAval(target.aval)}; expected one label for each position.`,
      );
    const labels = holds(both[1]).cast("i32");
    const said = both[0].greater(options.threshold ?? 0).cast("i32");
    found = { labels, said, counted: labels.equal(labels), classes: 2 };
  } else found = classified(op, scores, target, options);
  const { labels, said, counted, classes } = found;
  const inside = counted.and(labels.greaterEqual(0)).and(labels.less(classes));
  const cells = inside.select(labels.mul(classes).add(said), 0).reshape([-1]);
  const counts = inside
    .cast("f32")
    .reshape([-1])
    .scatterAdd(cells, 0, classes * classes);
  return { counts: counts.cast("i32").reshape([classes, classes]) };
}

/**
 * How often positions of class i were answered j: `matrix[i][j]`, as scikit-learn. Scores f32[N, C, ...] with labels
 * i32[N, ...]; or [N] or [N, 1] with targets of yes and no, as [[tn, fp], [fn, tp]].
 *
 * A matrix, so for `run.measure`, not for `fit`.
 *
 * @example
 * const { matrix } = await run.measure(test, { matrix: nn.metrics.confusionMatrix() });
 */
export function confusionMatrix(options: ConfusionOptions = {}): Metric<Tensor, Tensor, number[][]> {
  return builtIn("confusionMatrix", options, {
    apply: (scores, target) => confusionOf("confusionMatrix", scores, target, options),
    value: ({ counts }) => matrixOf(counts),
  });
}

function matrixOf(counts: HostArray): number[][] {
  const { rows, columns, data } = rowsOf(counts);
  return Array.from({ length: rows }, (_, i) => Array.from(data.slice(i * columns, (i + 1) * columns)));
}

/** Of a confusion matrix: how many are right, how many there are, and of each class the positions and answers. */
function margins(counts: HostArray) {
  const matrix = matrixOf(counts);
  const actual = matrix.map(sumOf);
  const predicted = matrix.map((_, j) => sumOf(matrix.map((row) => row[j] as number)));
  return { right: sumOf(matrix.map((row, i) => row[i] as number)), total: sumOf(actual), actual, predicted };
}

const dot = (a: readonly number[], b: readonly number[]): number => sumOf(a.map((x, i) => x * (b[i] as number)));

/** Cohen's kappa: (p - e) / (1 - e), p the accuracy and e what chance would give with the same shares. Inputs as `confusionMatrix`. */
export function cohenKappa(options: ConfusionOptions = {}): Metric {
  return builtIn("cohenKappa", options, {
    apply: (scores, target) => confusionOf("cohenKappa", scores, target, options),
    value({ counts }) {
      const { right, total, actual, predicted } = margins(counts);
      const chance = dot(actual, predicted) / total;
      return (right - chance) / (total - chance);
    },
  });
}

/** Matthews' correlation of labels and answers; 0 where either are all of one class. Inputs as `confusionMatrix`. */
export function matthewsCorrelation(options: ConfusionOptions = {}): Metric {
  return builtIn("matthewsCorrelation", options, {
    apply: (scores, target) => confusionOf("matthewsCorrelation", scores, target, options),
    value({ counts }) {
      const { right, total, actual, predicted } = margins(counts);
      const spread = (total * total - dot(predicted, predicted)) * (total * total - dot(actual, actual));
      return ratio(right * total - dot(actual, predicted), Math.sqrt(spread));
    },
  });
}

/** The mean recall of the classes that some label has. Inputs as `confusionMatrix`. */
export function balancedAccuracy(options: ConfusionOptions = {}): Metric {
  return builtIn("balancedAccuracy", options, {
    apply: (scores, target) => confusionOf("balancedAccuracy", scores, target, options),
    value({ counts }) {
      const recalls = matrixOf(counts).flatMap((row, i) => (sumOf(row) === 0 ? [] : [(row[i] as number) / sumOf(row)]));
      return sumOf(recalls) / recalls.length;
    },
  });
}
