import type { Metrics } from "../events.ts";

/** How good the answers for one class are. A class that is never answered has precision 0, one without samples recall 0. */
export type ClassScores = {
  readonly name: string;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Samples of this class. */
  readonly support: number;
  /** Samples that were answered so. */
  readonly predicted: number;
};

export type AverageScores = Readonly<Record<"precision" | "recall" | "f1", number>>;

/** Samples whose confidence, the probability of the answer, is at least `from` and below `to`. */
export type CalibrationBin = {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** Mean probability of the answers; 0 where there are none. */
  readonly confidence: number;
  /** Share of answers that are right; 0 where there are none. */
  readonly accuracy: number;
};

export type Calibration = {
  readonly bins: readonly CalibrationBin[];
  /** The expected error: the mean over the samples of |accuracy - confidence| of their bin. */
  readonly expectedError: number;
  /** The largest of a bin. */
  readonly largestError: number;
};

/** A sample that was answered wrong. Classes are places among the `classes`. */
export type Mistake = {
  /** The sample's place in the data. */
  readonly index: number;
  /** Its file, where the data knows it. */
  readonly file?: string;
  readonly truth: number;
  readonly predicted: number;
  /** Of the answer. */
  readonly probability: number;
  /** Of the right answer. */
  readonly truthProbability: number;
  /** -ln of the right answer's probability. */
  readonly loss: number;
};

/** How often one class was taken for another. */
export type Confusion = {
  readonly truth: number;
  readonly predicted: number;
  readonly count: number;
  /** Of the samples of the class. */
  readonly share: number;
};

export type ClassificationEvaluation = {
  readonly kind: "classification";
  readonly data: string;
  /** Samples with a label. */
  readonly samples: number;
  readonly classes: readonly string[];
  /** The run's own loss and metrics. */
  readonly metrics: Metrics;
  readonly accuracy: number;
  /** Where there are more than 5 classes: the share of samples whose class is among the 5 largest scores. */
  readonly top5Accuracy?: number;
  /** Mean of -ln of the right answer's probability. */
  readonly crossEntropy: number;
  /** Mean of the sum over the classes of (probability - truth)²: 0 at best, 2 at worst. */
  readonly brier: number;
  readonly perClass: readonly ClassScores[];
  /** The plain mean over the classes that a sample or an answer has. */
  readonly macro: AverageScores;
  /** The mean weighted by the classes' samples. */
  readonly weighted: AverageScores;
  /** `confusion[i][j]`: samples of class i that were answered j. */
  readonly confusion: readonly (readonly number[])[];
  /** The pairs of classes most often taken for one another, the most frequent first. */
  readonly confused: readonly Confusion[];
  readonly calibration: Calibration;
  readonly mistakes: number;
  /** The mistakes of the largest loss, the largest first: confident and wrong. */
  readonly worst: readonly Mistake[];
};

/** A sample far from its target. */
export type Residual = {
  readonly index: number;
  readonly target: readonly number[];
  readonly predicted: readonly number[];
  /** The root of the sum of squares over the outputs. */
  readonly distance: number;
};

export type RegressionScores = {
  readonly meanAbsoluteError: number;
  readonly rootMeanSquaredError: number;
  /** 1 - sum (y - p)² / sum (y - mean y)²; as scikit-learn, of a target that never changes 1 where all are met, else 0. */
  readonly r2: number;
  /** Mean of prediction - target. */
  readonly bias: number;
};

export type RegressionEvaluation = {
  readonly kind: "regression";
  readonly data: string;
  readonly samples: number;
  /** The run's own loss and metrics. */
  readonly metrics: Metrics;
  /** Over all outputs; r2 is the plain mean of theirs. */
  readonly scores: RegressionScores;
  readonly perOutput: readonly RegressionScores[];
  /** The samples furthest from their target, the furthest first. */
  readonly worst: readonly Residual[];
};

/** Of a model that is neither: the run's own loss and metrics. */
export type MetricsEvaluation = {
  readonly kind: "metrics";
  readonly data: string;
  readonly samples: number;
  readonly metrics: Metrics;
};

/** What there is to say about a model on a data set, as plain data. */
export type Evaluation = ClassificationEvaluation | RegressionEvaluation | MetricsEvaluation;
