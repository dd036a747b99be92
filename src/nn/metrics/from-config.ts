import { OptionError } from "../../core/errors.ts";
import { ConfigReader } from "../config-reader.ts";
import type { LayerConfig } from "../layer.ts";
import { accuracy, binaryAccuracy, topAccuracy } from "./accuracy.ts";
import {
  balancedAccuracy,
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
import type { Metric } from "./metric.ts";
import { calibrationError, perplexity } from "./probability.ts";
import { averagePrecision, type RankingOptions, rocAuc } from "./ranking.ts";
import { meanAbsoluteError, meanSquaredError, r2, rootMeanSquaredError } from "./regression.ts";

const classes = (o: ConfigReader) => o.numbers("classAxis", "ignoreIndex");
const confusion = (o: ConfigReader) => ({ ...classes(o), ...o.numbers("threshold") });
/** "none" makes a list of it, which a configuration may say as well. */
const counts = (o: ConfigReader) =>
  ({ ...confusion(o), ...o.choice("average", ["macro", "micro", "weighted", "none"]) }) as CountOptions;
const ranking = (o: ConfigReader) =>
  ({ ...classes(o), ...o.booleans("logits"), ...o.choice("average", ["macro", "weighted", "none"]) }) as RankingOptions;

/** The metrics by kind: what makes each from its configuration. All can do without options. */
export const METRICS: { readonly [kind: string]: (options: ConfigReader) => Metric<never, never, unknown> } = {
  accuracy: (o) => accuracy(classes(o)),
  topAccuracy: (o) => topAccuracy(o.numbers("k").k, classes(o)),
  binaryAccuracy: (o) => binaryAccuracy(o.numbers("threshold")),
  balancedAccuracy: (o) => balancedAccuracy(confusion(o)),
  precision: (o) => precision(counts(o)),
  recall: (o) => recall(counts(o)),
  f1: (o) => f1(counts(o)),
  fBeta: (o) => fBeta(o.numbers("beta").beta, counts(o)),
  jaccard: (o) => jaccard(counts(o)),
  confusionMatrix: (o) => confusionMatrix(confusion(o)),
  cohenKappa: (o) => cohenKappa(confusion(o)),
  matthewsCorrelation: (o) => matthewsCorrelation(confusion(o)),
  rocAuc: (o) => rocAuc(ranking(o)),
  averagePrecision: (o) => averagePrecision(ranking(o)),
  calibrationError: (o) =>
    calibrationError({
      ...classes(o),
      ...o.numbers("bins"),
      ...o.choice("norm", ["l1", "l2", "max"]),
      ...o.booleans("logits"),
    }),
  perplexity: (o) => perplexity(classes(o)),
  meanAbsoluteError: (o) => meanAbsoluteError(o.numbers("scale")),
  meanSquaredError: (o) => meanSquaredError(o.numbers("scale")),
  rootMeanSquaredError: (o) => rootMeanSquaredError(o.numbers("scale")),
  r2: (o) => r2(o.choice("multioutput", ["uniform", "variance"])),
};

/** The metric whose `config` this is; a kind alone will do. Errors: OptionError when the kind is not a built-in one. */
export function metricFromConfig(config: LayerConfig): Metric {
  const make = Object.hasOwn(METRICS, config.kind) ? METRICS[config.kind] : undefined;
  if (!make)
    throw new OptionError(
      `config: got the metric "${config.kind}"; expected one of ${Object.keys(METRICS).join(", ")}.`,
    );
  return make(new ConfigReader(config)) as Metric;
}
