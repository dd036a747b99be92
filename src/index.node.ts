export * from "./index.ts";
export {
  type DatasetListing,
  type DatasetProgress,
  fashionMnist,
  type LoadOptions,
  listDatasets,
  mnist,
  resolveDataset,
} from "./node/datasets.ts";
export { type NodeBackendOptions, nodeBackend } from "./node/default-backend.ts";
export { fit, type NodeFitOptions } from "./node/fit.ts";
export { datasetFromFolder, type FolderOptions, type TrainTest } from "./node/idx-folder.ts";
export { load } from "./node/load-run.ts";
export { RunFolder, type RunFolderOptions } from "./node/run-folder.ts";
export { readBpe, readText } from "./node/text.ts";
