/** Training: `fit`, its events and callbacks, trained models. */
export { type EarlyStoppingOptions, earlyStopping } from "./callbacks/early-stopping.ts";
export { type EvaluateFullyOptions, evaluateFully } from "./evaluation/evaluate-fully.ts";
export type {
  Calibration,
  CalibrationBin,
  ClassificationEvaluation,
  ClassScores,
  Confusion,
  Evaluation,
  MetricsEvaluation,
  Mistake,
  RegressionEvaluation,
  RegressionScores,
  Residual,
} from "./evaluation/evaluation.ts";
export type { Callback, Control, Metrics, TrainEvent, Weights } from "./events.ts";
export type { Examples, HostTree } from "./examples.ts";
export { type ExportOnnxOptions, exportOnnx } from "./export-onnx.ts";
export { type Fit, type FitOptions, fitWith, type Run } from "./fit.ts";
export {
  type GenerateOptions,
  generate,
  generateText,
  type LanguageModel,
  type SamplingOptions,
  type TextModel,
} from "./generate.ts";
export type { LoadModelOptions } from "./load-model.ts";
export { NonFiniteLossError } from "./non-finite-loss.ts";
export type { Prediction } from "./predictor.ts";
export type { RunSink } from "./run-sink.ts";
export {
  type GradCam,
  type GradCamOptions,
  gradCam,
  gradientTimesInput,
  type Saliency,
  type SaliencyOptions,
} from "./saliency/saliency.ts";
export {
  decodeTorch,
  decodeTorchOptimizer,
  decodeTorchWeights,
  encodeTorch,
  encodeTorchOptimizer,
} from "./torch.ts";
export { TrainedModel } from "./trained-model.ts";
export type { EpochEvent } from "./trainer.ts";
