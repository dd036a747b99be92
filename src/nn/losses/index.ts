/** Losses: each as a function of tensors, and as a `Loss` for `fit`. */
export {
  type BinaryCrossEntropyOptions,
  type BinaryCrossEntropyWithLogitsOptions,
  binaryCrossEntropy,
  binaryCrossEntropyWithLogits,
} from "./binary-cross-entropy.ts";
export { type CrossEntropyOptions, crossEntropy, type NllOptions, nll } from "./cross-entropy.ts";
export { type CtcOptions, type CtcTarget, ctc } from "./ctc.ts";
export { type KlDivergenceOptions, klDivergence } from "./divergence.ts";
export { cosineEmbedding, type Triplet, type TripletMarginOptions, tripletMargin } from "./embedding.ts";
export { type SigmoidFocalOptions, type SoftmaxFocalOptions, sigmoidFocal, softmaxFocal } from "./focal.ts";
export { lossFromConfig } from "./from-config.ts";
export type { AnyLoss, Loss, LossValues, LossWeight } from "./loss.ts";
export {
  type HingeOptions,
  hinge,
  hingeEmbedding,
  type MarginOptions,
  type MultiLabelMarginOptions,
  type MultiLabelSoftMarginOptions,
  type MultiMarginOptions,
  marginRanking,
  multiLabelMargin,
  multiLabelSoftMargin,
  multiMargin,
  type Pair,
  type SoftMarginOptions,
  softMargin,
} from "./margins.ts";
export {
  type ErrorOptions,
  type Gaussian,
  type GaussianNllOptions,
  gaussianNll,
  type HuberOptions,
  huber,
  meanAbsoluteError,
  meanSquaredError,
  type PoissonNllOptions,
  poissonNll,
  type SmoothL1Options,
  smoothL1,
} from "./regression.ts";
export { type WeightedTarget, weighted } from "./weighted.ts";
