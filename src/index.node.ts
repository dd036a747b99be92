export * from "./index.ts";
export { type Histogram, histogramOf } from "./io/histogram.ts";
export { type PictureGridOptions, pictureGrid } from "./io/picture-grid.ts";
export { encodePng } from "./io/png.ts";
export {
  EVENT_VERSION,
  encodeSummaryEvent,
  hyperparameters,
  hyperparametersEnd,
  type Summary,
  type SummaryEvent,
} from "./io/tensorboard.ts";
export { decodeSummaryEvents } from "./io/tensorboard-reader.ts";
export {
  cifar10,
  cifar100,
  type DatasetListing,
  type DatasetProgress,
  digits,
  fashionMnist,
  iris,
  kmnist,
  type LoadOptions,
  listDatasets,
  mnist,
  resolveDataset,
  wine,
} from "./node/datasets.ts";
export { type NodeBackendOptions, nodeBackend } from "./node/default-backend.ts";
export { readEvents } from "./node/event-log.ts";
export { fit, type NodeFitOptions } from "./node/fit.ts";
export { datasetFromFolder, type FolderOptions, type TrainTest } from "./node/idx-folder.ts";
export { load } from "./node/load-run.ts";
export { exportMetrics } from "./node/metrics/export.ts";
export type { DataCard } from "./node/pictures/card.ts";
export { decodePicture } from "./node/pictures/decode.ts";
export { type ImageFolder, type ImageFolderOptions, imageFolder } from "./node/pictures/image-folder.ts";
export { datasetFromArrays, type PictureArrays } from "./node/pictures/picture-arrays.ts";
export { profile } from "./node/profile.ts";
export { type ReportedModel, type ReportOptions, writeReport } from "./node/report/write-report.ts";
export { RunFolder, type RunFolderOptions } from "./node/run-folder.ts";
export { predictRows, readTestRows } from "./node/tables/rows.ts";
export { type StreamedTable, type StreamTableOptions, streamTable } from "./node/tables/stream-table.ts";
export { type TableFileOptions, table } from "./node/tables/table.ts";
export { type TensorboardOptions, tensorboard } from "./node/tensorboard/callback.ts";
export { exportTensorboard, type TensorboardExport } from "./node/tensorboard/export.ts";
export { readBpe, readText } from "./node/text.ts";
export { type MetricRow, type MetricTable, metricTable } from "./train/metric-table.ts";
export { type GroupBy, type ProfileRow, profileRows } from "./train/profile/group.ts";
export type { Limit, Profile, ProfiledKernel } from "./train/profile/measure.ts";
export type { ProfileOptions } from "./train/profile/profile.ts";
