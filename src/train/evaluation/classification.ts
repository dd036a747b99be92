import type { Tensor } from "../../ops/tensor.ts";
import { calibrationOf } from "./calibration.ts";
import type { AverageScores, ClassificationEvaluation, ClassScores, Confusion, Mistake } from "./evaluation.ts";

/** What the program says of each sample, in this order. */
const COLUMNS = ["predicted", "confidence", "logProbability", "ahead", "squares"] as const;

/** f32[N, 5] from scores f32[N, C] and labels i32[N]: what the host needs of each sample, whatever the number of classes. */
export function classificationRows(scores: Tensor, labels: Tensor): Tensor {
  const [count, classes] = scores.shape as [number, number];
  const logs = scores.logSoftmax(1);
  const probabilities = logs.exp();
  const index = scores.iota([count, classes], 1);
  const own = index.equal(labels.unsqueeze(1));
  const pick = (x: Tensor): Tensor => own.select(x, 0).sum(1, { keepDims: true });
  const score = pick(scores);
  const ahead = scores.greater(score).or(scores.equal(score).and(index.less(labels.unsqueeze(1))));
  const columns: Record<(typeof COLUMNS)[number], Tensor> = {
    predicted: scores.argmax(1).cast("f32").unsqueeze(1),
    confidence: probabilities.max(1, { keepDims: true }),
    logProbability: pick(logs),
    ahead: ahead.cast("f32").sum(1, { keepDims: true }),
    squares: probabilities.sub(own.cast("f32")).square().sum(1, { keepDims: true }),
  };
  const [first, ...rest] = COLUMNS.map((name) => columns[name]) as [Tensor, ...Tensor[]];
  return first.concat(rest, 1);
}

/** What one sample gave. */
type Sample = Readonly<Record<(typeof COLUMNS)[number], number>> & { readonly index: number; readonly truth: number };

const CONFUSED = 10;

/** a / b, and 0 where b is 0. */
const ratio = (a: number, b: number): number => (b === 0 ? 0 : a / b);
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

export type Described = Pick<ClassificationEvaluation, "data" | "metrics" | "classes"> & {
  readonly worst: number;
  readonly bins: number;
};

/** The evaluation from the rows of all samples and their labels; samples whose label is no class count nowhere. */
export function classificationOf(
  rows: ArrayLike<number>,
  labels: ArrayLike<number>,
  { data, metrics, classes, worst, bins }: Described,
): ClassificationEvaluation {
  const samples: Sample[] = [];
  for (let index = 0; index < labels.length; index++) {
    const truth = labels[index] as number;
    if (!(truth >= 0 && truth < classes.length)) continue;
    const values = COLUMNS.map((name, j) => [name, rows[index * COLUMNS.length + j] as number]);
    samples.push({ ...(Object.fromEntries(values) as Sample), index, truth });
  }
  const count = samples.length;
  const confusion = classes.map(() => new Array<number>(classes.length).fill(0));
  for (const { truth, predicted } of samples) {
    const row = confusion[truth] as number[];
    row[predicted] = (row[predicted] ?? 0) + 1;
  }
  const perClass = scoresOf(confusion, classes);
  const wrong = samples.filter(({ truth, predicted }) => truth !== predicted);
  const mean = (of: (sample: Sample) => number): number =>
    samples.reduce((total, sample) => total + of(sample), 0) / count;
  return {
    kind: "classification",
    ...{ data, samples: count, classes, metrics },
    accuracy: (count - wrong.length) / count,
    ...(classes.length > 5 ? { top5Accuracy: mean(({ ahead }) => (ahead < 5 ? 1 : 0)) } : {}),
    crossEntropy: mean(({ logProbability }) => -logProbability),
    brier: mean(({ squares }) => squares),
    perClass,
    macro: averageOf(perClass, ({ support, predicted }) => (support + predicted > 0 ? 1 : 0)),
    weighted: averageOf(perClass, ({ support }) => support),
    confusion,
    confused: confusedOf(confusion),
    calibration: calibrationOf(
      samples.map(({ confidence, truth, predicted }) => ({ confidence, right: truth === predicted })),
      bins,
    ),
    mistakes: wrong.length,
    worst: wrong.map(mistakeOf).sort(byLoss).slice(0, worst),
  };
}

function scoresOf(confusion: readonly (readonly number[])[], classes: readonly string[]): ClassScores[] {
  const answers = classes.map((_, j) => sum(confusion.map((row) => row[j] as number)));
  return classes.map((name, i) => {
    const row = confusion[i] as readonly number[];
    const [right, support, predicted] = [row[i] as number, sum(row), answers[i] as number];
    return {
      name,
      precision: ratio(right, predicted),
      recall: ratio(right, support),
      f1: ratio(2 * right, support + predicted),
      support,
      predicted,
    };
  });
}

function averageOf(perClass: readonly ClassScores[], weight: (scores: ClassScores) => number): AverageScores {
  const total = sum(perClass.map(weight));
  const mean = (name: keyof AverageScores): number => ratio(sum(perClass.map((s) => s[name] * weight(s))), total);
  return { precision: mean("precision"), recall: mean("recall"), f1: mean("f1") };
}

function confusedOf(confusion: readonly (readonly number[])[]): Confusion[] {
  const pairs = confusion.flatMap((row, truth) => {
    const support = sum(row);
    return row.flatMap((count, predicted) =>
      truth === predicted || count === 0 ? [] : [{ truth, predicted, count, share: count / support }],
    );
  });
  return pairs.sort((a, b) => b.count - a.count || b.share - a.share).slice(0, CONFUSED);
}

function mistakeOf({ index, truth, predicted, confidence, logProbability }: Sample): Mistake {
  return {
    index,
    truth,
    predicted,
    probability: confidence,
    truthProbability: Math.exp(logProbability),
    loss: -logProbability,
  };
}

/** The largest first, and what is no number before all. */
function byLoss(a: Mistake, b: Mistake): number {
  const rank = ({ loss }: Mistake): number => (Number.isNaN(loss) ? Number.POSITIVE_INFINITY : loss);
  return rank(a) === rank(b) ? a.index - b.index : rank(b) - rank(a);
}
