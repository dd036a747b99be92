export * from "./index.ts";
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
export { fit, type NodeFitOptions } from "./node/fit.ts";
export { datasetFromFolder, type FolderOptions, type TrainTest } from "./node/idx-folder.ts";
export { load } from "./node/load-run.ts";
export { profile } from "./node/profile.ts";
export { RunFolder, type RunFolderOptions } from "./node/run-folder.ts";
export { type TableFileOptions, table } from "./node/tables/table.ts";
export { readBpe, readText } from "./node/text.ts";
export { type GroupBy, type ProfileRow, profileRows } from "./train/profile/group.ts";
export type { Limit, Profile, ProfiledKernel } from "./train/profile/measure.ts";
export type { ProfileOptions } from "./train/profile/profile.ts";
