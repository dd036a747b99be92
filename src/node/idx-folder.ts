import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { sizeOf } from "../core/dtype.ts";
import { DataError } from "../core/errors.ts";
import { HostArray } from "../core/host-array.ts";
import { type Dataset, dataset } from "../data/dataset.ts";
import { measureStandardization, type Preprocessing } from "../data/preprocessing.ts";
import { checkIdxSize, decodeIdx, idxHeader, MAX_IDX_HEADER_BYTES } from "../io/idx.ts";
import { fileSize, listFolder, reasonOf } from "./file-store.ts";

/** What is trained on, and what is read once at the end. */
export type TrainTest = { readonly train: Dataset; readonly test: Dataset };

export type FolderOptions = {
  /** Default: the folder's own name. */
  readonly name?: string;
  /** Names of the classes, or their number. Default: "0" up to the largest training label. */
  readonly classes?: readonly string[] | number;
  /** Default: `standardize` with mean and deviation measured on the training inputs. */
  readonly preprocessing?: Preprocessing;
};

const PARTS = ["trainImages", "trainLabels", "testImages", "testLabels"] as const;
type Part = (typeof PARTS)[number];
/** Paths of the four files of a data set. */
export type IdxFiles = Readonly<Record<Part, string>>;

const STANDARD_NAMES: IdxFiles = {
  trainImages: "train-images-idx3-ubyte",
  trainLabels: "train-labels-idx1-ubyte",
  testImages: "t10k-images-idx3-ubyte",
  testLabels: "t10k-labels-idx1-ubyte",
};

/** `train-images-idx3-ubyte`, `train-images.idx3-ubyte`, `test-labels-idx1-ubyte.gz` and the like. */
const FILE_NAME = /^(train|t10k|test)-(images|labels)[-.]idx\d+-\w+(\.gz)?$/;

function partOf(file: string): Part | undefined {
  const [, set, kind] = FILE_NAME.exec(file) ?? [];
  if (set === undefined) return undefined;
  if (set === "train") return kind === "images" ? "trainImages" : "trainLabels";
  return kind === "images" ? "testImages" : "testLabels";
}

/**
 * The four files of a data set in a folder, found by their standard names; a file without `.gz` goes before one with it.
 * Throws DataError naming each file that is missing.
 */
export async function findIdxFiles(folder: string): Promise<IdxFiles> {
  const found: Partial<Record<Part, string>> = {};
  const names = (await listFolder(folder)).toSorted((a, b) => Number(a.endsWith(".gz")) - Number(b.endsWith(".gz")));
  for (const name of names) {
    const part = partOf(name);
    if (part !== undefined) found[part] ??= join(folder, name);
  }
  const missing = PARTS.filter((part) => found[part] === undefined).map((part) => STANDARD_NAMES[part]);
  if (missing.length > 0)
    throw new DataError(
      `data: ${folder} has no ${missing.join(", no ")}; expected the four files ${Object.values(STANDARD_NAMES).join(", ")}, each with or without .gz.`,
      folder,
    );
  return found as IdxFiles;
}

/** Deflate stores at most 1032 bytes in one (zlib, "Maximum Compression Factor"). */
const MAX_RATIO = 1032;

/**
 * Reads an idx file, compressed with gzip or not (its first bytes tell). Its size is checked against its header before
 * memory is taken for it, and no more is ever decompressed than the header claims. Throws DataError naming the file.
 */
export async function readIdxFile(path: string): Promise<HostArray> {
  const size = await fileSize(path);
  if (size === undefined) throw new DataError(`idx: ${path} is missing, or no file.`, path);
  try {
    return await read(path, size);
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`idx: cannot read ${path}: ${reasonOf(error)}. The file may be damaged.`, path);
  }
}

async function read(path: string, size: number): Promise<HostArray> {
  const file = await open(path, "r");
  try {
    const head = new Uint8Array(Math.min(size, MAX_IDX_HEADER_BYTES));
    await file.read(head, 0, head.length, 0);
    if (head[0] === 0x1f && head[1] === 0x8b) return await readCompressed(path, size);
    checkIdxSize(idxHeader(head, path), size, path);
    const bytes = new Uint8Array(size);
    let length = 0;
    while (length < size) {
      const { bytesRead } = await file.read(bytes, length, size - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return decodeIdx(bytes.subarray(0, length), path);
  } finally {
    await file.close();
  }
}

async function readCompressed(path: string, size: number): Promise<HostArray> {
  let bytes = new Uint8Array(MAX_IDX_HEADER_BYTES);
  let length = 0;
  let expected: number | undefined;
  /** Once the longest possible header is there (or the end): takes memory for the rest, if the rest can exist. */
  const makeRoom = (): void => {
    const header = idxHeader(bytes.subarray(0, length), path);
    const { totalBytes } = header;
    if (totalBytes > MAX_RATIO * size + MAX_IDX_HEADER_BYTES)
      throw new DataError(
        `idx: ${path} claims ${header.stored}[${header.shape}], ${totalBytes} bytes; ${size} compressed bytes cannot hold more than ${MAX_RATIO * size}. The header is damaged.`,
        `${path}, byte 4 of the decompressed data`,
      );
    const grown = new Uint8Array(totalBytes);
    grown.set(bytes.subarray(0, Math.min(length, totalBytes)));
    if (length > totalBytes) checkIdxSize(header, length, path);
    bytes = grown;
    expected = totalBytes;
  };
  const { createGunzip } = await import("node:zlib");
  const source = createReadStream(path);
  const gunzip = source.pipe(createGunzip({ chunkSize: 2 ** 18 }));
  source.on("error", (error) => gunzip.destroy(error));
  try {
    for await (const chunk of gunzip as AsyncIterable<Uint8Array>) {
      let rest = chunk;
      if (expected === undefined) {
        const taken = rest.subarray(0, bytes.length - length);
        bytes.set(taken, length);
        length += taken.length;
        rest = rest.subarray(taken.length);
        if (length === bytes.length) makeRoom();
      }
      if (expected !== undefined && length + rest.length > expected)
        throw new DataError(
          `idx: ${path} has more than ${expected} bytes; expected ${expected} by its header. The file is longer than its header says.`,
          `${path}, byte ${expected} of the decompressed data`,
        );
      bytes.set(rest, length);
      length += rest.length;
    }
  } finally {
    source.destroy();
  }
  if (expected === undefined) makeRoom();
  return decodeIdx(bytes.subarray(0, length), path);
}

/** [N, H, W] as [N, 1, H, W]; other ranks as they are. */
function withChannel(images: HostArray): HostArray {
  const [n, height, width, ...rest] = images.shape;
  if (n === undefined || height === undefined || width === undefined || rest.length > 0) return images;
  return new HostArray(images.dtype, [n, 1, height, width], images.data);
}

/**
 * A data set from four idx files: images [N, H, W] become [N, 1, H, W], labels are checked against the training set's
 * classes. Throws DataError naming the files.
 */
export async function datasetFromFiles(files: IdxFiles, source: string, options: FolderOptions): Promise<TrainTest> {
  const { name = basename(resolve(source)) } = options;
  const [trainImages, trainLabels, testImages, testLabels] = await Promise.all(
    PARTS.map((part) => readIdxFile(files[part])),
  );
  if (!trainImages || !trainLabels || !testImages || !testLabels) throw new DataError(`data: ${source} is empty.`);
  const sample = trainImages.shape.slice(1);
  if (sample.length !== testImages.shape.length - 1 || sample.some((size, i) => size !== testImages.shape[i + 1]))
    throw new DataError(
      `data: ${files.trainImages} has samples [${sample}] and ${files.testImages} has samples [${testImages.shape.slice(1)}]; expected the same shape.`,
      files.testImages,
    );
  const build = (images: HostArray, labels: HostArray, paths: readonly [string, string], settings: FolderOptions) => {
    try {
      return dataset(withChannel(images), labels, { ...settings, name, source });
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      throw new DataError(`${error.message} Read from ${paths[0]} and ${paths[1]}.`, paths[1]);
    }
  };
  const preprocessing =
    options.preprocessing ??
    (sizeOf(trainImages.shape) > 0 ? measureStandardization(withChannel(trainImages)) : { kind: "none" });
  const train = build(trainImages, trainLabels, [files.trainImages, files.trainLabels], { ...options, preprocessing });
  const test = build(testImages, testLabels, [files.testImages, files.testLabels], {
    preprocessing,
    ...(train.classes === undefined ? {} : { classes: train.classes }),
  });
  return { train, test };
}

/**
 * A data set from a folder with the four idx files of MNIST's form: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
 * `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`, each with or without `.gz`; also spelled `train-images.idx3-ubyte`.
 *
 * Images [N, H, W] become [N, 1, H, W] and stay u8. Throws DataError naming the file that is missing, truncated, damaged
 * or does not fit the others.
 *
 * @example
 * const { train, test } = await datasetFromFolder("./digits");
 */
export async function datasetFromFolder(folder: string, options: FolderOptions = {}): Promise<TrainTest> {
  return datasetFromFiles(await findIdxFiles(folder), folder, options);
}
