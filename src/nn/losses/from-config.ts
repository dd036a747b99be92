import { OptionError } from "../../core/errors.ts";
import { ConfigReader } from "../config-reader.ts";
import type { LayerConfig } from "../layer.ts";
import { binaryCrossEntropy, binaryCrossEntropyWithLogits } from "./binary-cross-entropy.ts";
import { crossEntropy, nll } from "./cross-entropy.ts";
import { ctc } from "./ctc.ts";
import { klDivergence } from "./divergence.ts";
import { cosineEmbedding, tripletMargin } from "./embedding.ts";
import { sigmoidFocal, softmaxFocal } from "./focal.ts";
import type { AnyLoss, Loss, LossWeight } from "./loss.ts";
import {
  hinge,
  hingeEmbedding,
  marginRanking,
  multiLabelMargin,
  multiLabelSoftMargin,
  multiMargin,
  softMargin,
} from "./margins.ts";
import { gaussianNll, huber, meanAbsoluteError, meanSquaredError, poissonNll, smoothL1 } from "./regression.ts";
import { weighted } from "./weighted.ts";

const reductionOf = (o: ConfigReader) => o.choice("reduction", ["mean", "sum"]);
const listOf = <N extends string>(o: ConfigReader, name: N): { [K in N]?: number[] } =>
  (o.has(name) ? { [name]: o.list(name) } : {}) as { [K in N]?: number[] };
const weightOf = <N extends string>(o: ConfigReader, name: N): { [K in N]?: LossWeight } =>
  (o.has(name) ? { [name]: o.config[name] } : {}) as { [K in N]?: LossWeight };
const marginOf = (o: ConfigReader) => ({ ...o.numbers("margin"), ...reductionOf(o) });
const labelsOf = (o: ConfigReader) => ({
  ...o.numbers("ignoreIndex", "classAxis"),
  ...listOf(o, "weight"),
  ...reductionOf(o),
});

/** The losses by kind: what makes each from its configuration. */
export const LOSSES: { readonly [kind: string]: (options: ConfigReader) => AnyLoss } = {
  crossEntropy: (o) => crossEntropy({ ...labelsOf(o), ...o.numbers("labelSmoothing") }),
  nll: (o) => nll(labelsOf(o)),
  binaryCrossEntropyWithLogits: (o) =>
    binaryCrossEntropyWithLogits({ ...weightOf(o, "weight"), ...weightOf(o, "posWeight"), ...reductionOf(o) }),
  binaryCrossEntropy: (o) => binaryCrossEntropy({ ...weightOf(o, "weight"), ...reductionOf(o) }),
  sigmoidFocal: (o) =>
    sigmoidFocal({
      ...(o.is("alpha", null) ? { alpha: null } : o.numbers("alpha")),
      ...o.numbers("gamma"),
      ...reductionOf(o),
    }),
  softmaxFocal: (o) =>
    softmaxFocal({ ...listOf(o, "alpha"), ...o.numbers("gamma", "ignoreIndex", "classAxis"), ...reductionOf(o) }),
  klDivergence: (o) =>
    klDivergence({ ...o.booleans("logTarget"), ...o.choice("reduction", ["mean", "batchmean", "sum"]) }),
  meanSquaredError: (o) => meanSquaredError(reductionOf(o)),
  meanAbsoluteError: (o) => meanAbsoluteError(reductionOf(o)),
  huber: (o) => huber({ ...o.numbers("delta"), ...reductionOf(o) }),
  smoothL1: (o) => smoothL1({ ...o.numbers("beta"), ...reductionOf(o) }),
  poissonNll: (o) => poissonNll({ ...o.booleans("logInput", "full"), ...o.numbers("eps"), ...reductionOf(o) }),
  gaussianNll: (o) => gaussianNll({ ...o.booleans("full"), ...o.numbers("eps"), ...reductionOf(o) }),
  hinge: (o) => hinge({ ...o.numbers("delta"), ...o.booleans("squared"), ...reductionOf(o) }),
  multiMargin: (o) =>
    multiMargin({
      ...(o.has("p") ? { p: o.number("p") as 1 | 2 } : {}),
      ...listOf(o, "weight"),
      ...marginOf(o),
    }),
  hingeEmbedding: (o) => hingeEmbedding(marginOf(o)),
  marginRanking: (o) => marginRanking(marginOf(o)),
  softMargin: (o) => softMargin(reductionOf(o)),
  multiLabelMargin: (o) => multiLabelMargin(reductionOf(o)),
  multiLabelSoftMargin: (o) => multiLabelSoftMargin({ ...listOf(o, "weight"), ...reductionOf(o) }),
  cosineEmbedding: (o) => cosineEmbedding(marginOf(o)),
  tripletMargin: (o) =>
    tripletMargin({
      // JSON has no Infinity.
      ...(o.is("p", null) ? { p: Number.POSITIVE_INFINITY } : o.numbers("p")),
      ...o.numbers("eps"),
      ...o.booleans("swap"),
      ...marginOf(o),
    }),
  ctc: (o) => ctc({ ...o.numbers("blank"), ...o.booleans("batchFirst", "zeroInfinity"), ...reductionOf(o) }),
  weighted: (o) => weighted(lossFromConfig(o.record("loss"))) as AnyLoss,
};

/** The loss whose `config` this is. Errors: OptionError when the kind is not a built-in one. */
export function lossFromConfig(config: LayerConfig): Loss {
  const make = Object.hasOwn(LOSSES, config.kind) ? LOSSES[config.kind] : undefined;
  if (!make)
    throw new OptionError(`config: got the loss "${config.kind}"; expected one of ${Object.keys(LOSSES).join(", ")}.`);
  return make(new ConfigReader(config)) as Loss;
}
