import { wasmBackend } from "./backends/wasm/index.ts";
import type * as optim from "./optim/index.ts";
import { type CompileFunction, compileWith } from "./train/compile.ts";
import type { HostTree } from "./train/examples.ts";
import { type FitFunction, fitWith } from "./train/fit.ts";
import { type LoadFunction, type LoadSource, loadWith } from "./train/load.ts";
import { initOptimizer as firstState, type HostsOf } from "./train/programs.ts";
import { type SummarizeFunction, summarizeWith } from "./train/summarize.ts";

export { type WasmOptions, wasmBackend } from "./backends/wasm/index.ts";
export type { Backend, Executable, Feeds, Results, RunOptions, RunReport, Store } from "./compile/backend.ts";
export { runFunction } from "./compile/run-function.ts";
export { simplify } from "./compile/simplify.ts";
export type { Step, StepContext, StepCounts, StepOptions, StepResult } from "./compile/step.ts";
export { type Aval, aval, type DType, type Shape } from "./core/dtype.ts";
export {
  CallbackError,
  DataError,
  DownhillError,
  MemoryError,
  OptionError,
  ShapeError,
  TraceError,
  TrainingError,
} from "./core/errors.ts";
export { array, HostArray, zeros } from "./core/host-array.ts";
export { leavesOf, mapTree, type Tree, zipTrees } from "./core/tree.ts";
export { classWeights } from "./data/class-weights.ts";
export {
  classCounts,
  type Dataset,
  type DatasetOptions,
  dataset,
  fingerprint,
  sampleCount,
  takeRows,
} from "./data/dataset.ts";
export { type BatchOptions, batchesOf, epochOrder } from "./data/order.ts";
export { measureStandardization, type Preprocessing, preprocess } from "./data/preprocessing.ts";
export { balancedSampler, type Sampler, stratifiedSampler, weightedSampler } from "./data/sampler.ts";
export { type Split, type SplitOptions, splitDataset } from "./data/split.ts";
export type { SampleLeaf, Stacked, StackOptions } from "./data/stream/stack.ts";
export type { ItemContext } from "./data/stream/stages.ts";
export {
  type BatchStreamOptions,
  type EpochOptions,
  type MapOptions,
  type ShardsOptions,
  Stream,
  type StreamOptions,
  type StreamSource,
  shards,
  stream,
} from "./data/stream/stream.ts";
export {
  type Sample,
  type SampleStream,
  type StreamDatasetOptions,
  type StreamedDataset,
  streamDataset,
  streamOf,
} from "./data/stream/stream-dataset.ts";
export type { Column, ColumnKind, ColumnKinds, Dropped } from "./data/table/column.ts";
export type { RowPrediction } from "./data/table/decode.ts";
export type { TableInputs } from "./data/table/encode.ts";
export type { ColumnEncoding, TableEncoding, TargetEncoding } from "./data/table/encoding.ts";
export { predictRows, type TableModel, tableFromCsv } from "./data/table/rows.ts";
export type { TableCard, TableData, TableDataOptions, TableExamples } from "./data/table/table-data.ts";
export type { TableOptions } from "./data/table/table-reader.ts";
export type { RowText } from "./data/table/text-tables.ts";
export { type TextData, type TextExamples, type TextOptions, textData, type Windows } from "./data/text.ts";
export {
  type BpeConfig,
  byteTokenizer,
  charactersOf,
  characterTokenizer,
  decodeBytes,
  decodeText,
  TextStream,
  type Tokenizer,
  type TokenizerConfig,
  tokenizerFromConfig,
} from "./data/tokenizer.ts";
export { type BpeTrainingOptions, trainBpe } from "./data/tokenizer-training.ts";
export { type Cifar, decodeCifar } from "./io/cifar.ts";
export { type Csv, type CsvOptions, CsvReader, decodeCsv } from "./io/csv.ts";
export { decodeIdx, encodeIdx } from "./io/idx.ts";
export { decodeNpy, encodeNpy } from "./io/npy.ts";
export { decodeNpz, encodeNpz } from "./io/npz.ts";
export { decodeSafetensors, encodeSafetensors, type Safetensors } from "./io/safetensors.ts";
export type { TorchValue } from "./io/torch-file.ts";
export { printProgram } from "./ir/print.ts";
export type { Program } from "./ir/program.ts";
export * as augment from "./nn/augment/index.ts";
export * as nn from "./nn/index.ts";
export { Tensor } from "./ops/tensor.ts";
export * as optim from "./optim/index.ts";
export * as schedule from "./optim/schedules/index.ts";
export { call, cond, scan, whileLoop } from "./trace/control.ts";
export { customVjp, customVjps, grad, stopGradient, valueAndGrad } from "./trace/grad.ts";
export { Key } from "./trace/random.ts";
export {
  type Calibration,
  type CalibrationBin,
  type Callback,
  type ClassificationEvaluation,
  type ClassScores,
  type Confusion,
  type Control,
  decodeTorch,
  decodeTorchOptimizer,
  decodeTorchWeights,
  type EarlyStoppingOptions,
  type EpochEvent,
  type EvaluateFullyOptions,
  type Evaluation,
  type Examples,
  type ExportOnnxOptions,
  earlyStopping,
  encodeTorch,
  encodeTorchOptimizer,
  evaluateFully,
  exportOnnx,
  type Fit,
  type FitOptions,
  type GenerateOptions,
  type GradCam,
  type GradCamOptions,
  generate,
  generateText,
  gradCam,
  gradientTimesInput,
  type HostTree,
  type LanguageModel,
  type LoadModelOptions,
  type Metrics,
  type MetricsEvaluation,
  type Mistake,
  NonFiniteLossError,
  type Prediction,
  type RegressionEvaluation,
  type RegressionScores,
  type Residual,
  type Run,
  type RunSink,
  type Saliency,
  type SaliencyOptions,
  type SamplingOptions,
  type TextModel,
  type TrainEvent,
  TrainedModel,
  type Weights,
} from "./train/index.ts";

/** `fit` with WebAssembly on this thread, as browsers and Node both have it. */
export const fit: FitFunction = /* @__PURE__ */ fitWith<unknown>(() => wasmBackend());

/** `load` from an address or from bytes. */
export const load: LoadFunction<LoadSource> = /* @__PURE__ */ loadWith<unknown>(() => wasmBackend());

/** The first state of an optimizer for these parameters, for a loop of your own. */
export function initOptimizer<S extends optim.TensorTree>(
  optimizer: optim.Transform<S>,
  params: HostTree,
): Promise<HostsOf<S>> {
  return firstState(wasmBackend(), optimizer, params);
}

/** A model's summary with the memory of its training step, planned for one thread. */
export const summarize: SummarizeFunction = (model, input) => summarizeWith(() => wasmBackend())(model, input);

/** A training step of your own, on WebAssembly. */
export const compile: CompileFunction = /* @__PURE__ */ compileWith(() => wasmBackend());
