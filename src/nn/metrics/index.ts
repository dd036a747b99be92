/** Metrics: what tells how good a model is, over all batches of a data set. */
export { accuracy, binaryAccuracy, type ThresholdOptions, topAccuracy } from "./accuracy.ts";
export {
  type Average,
  balancedAccuracy,
  type ConfusionOptions,
  type CountOptions,
  cohenKappa,
  confusionMatrix,
  f1,
  fBeta,
  jaccard,
  matthewsCorrelation,
  precision,
  recall,
} from "./counts.ts";
export { metricFromConfig } from "./from-config.ts";
export { type AnyMetric, type ClassOptions, defineMetric, type Metric, type MetricState } from "./metric.ts";
export { on } from "./on.ts";
export { type CalibrationOptions, calibrationError, ofLoss, perplexity } from "./probability.ts";
export { averagePrecision, type RankingOptions, rocAuc } from "./ranking.ts";
export {
  meanAbsoluteError,
  meanSquaredError,
  type R2Options,
  r2,
  rootMeanSquaredError,
} from "./regression.ts";
