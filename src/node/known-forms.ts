import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { DataError } from "../core/errors.ts";
import { HostArray } from "../core/host-array.ts";
import { type Dataset, dataset, takeRows } from "../data/dataset.ts";
import { measureStandardization, type Preprocessing } from "../data/preprocessing.ts";
import { splitDataset } from "../data/split.ts";
import { type Cifar, decodeCifar } from "../io/cifar.ts";
import { decodeLabelledRows } from "../io/labelled-rows.ts";
import { digestFault } from "./digest.ts";
import { fileSize, reasonOf } from "./file-store.ts";
import { datasetFromFiles, findIdxFiles, type TrainTest } from "./idx-folder.ts";
import type { KnownDataset, KnownForm, PublishedFile } from "./known-datasets.ts";
import { type Member, readTarGz } from "./tar-file.ts";

/** A data set that is whole on this machine. */
export type Found = { readonly folder: string; readonly read: () => Promise<TrainTest> };

export type CifarForm = Extract<KnownForm, { readonly kind: "cifar" }>;
type RowsForm = Extract<KnownForm, { readonly kind: "rows" }>;

/** The data set's files in a folder. Throws DataError naming what is missing. */
export async function findForm(known: KnownDataset, folder: string): Promise<Found> {
  const { form } = known;
  if (form.kind === "cifar") return findCifar(known, form, folder);
  if (form.kind === "rows") return findRows(known, form, folder);
  const files = await findIdxFiles(folder);
  const { name, classes } = known;
  const preprocessing = published(known);
  return {
    folder: dirname(files.trainImages),
    read: () =>
      datasetFromFiles(files, folder, {
        ...{ name, classes },
        ...(preprocessing === undefined ? {} : { preprocessing }),
      }),
  };
}

function published({ mean, std }: KnownDataset): Preprocessing | undefined {
  return mean === undefined || std === undefined ? undefined : { kind: "standardize", scale: 1 / 255, mean, std };
}

const PICTURE_BYTES = { cifar10: 3073, cifar100: 3074 } as const;

/** The files of a CIFAR archive that are read, with their sizes. */
export function cifarMembers({ trainCount, testCount }: KnownDataset, form: CifarForm): readonly Member[] {
  const each = PICTURE_BYTES[form.variant];
  const of = (names: readonly string[], count: number): Member[] =>
    names.map((name) => ({ path: `${form.folder}/${name}`, bytes: (count / names.length) * each }));
  return [...of(form.train, trainCount), ...of(form.test, testCount)];
}

async function findCifar(known: KnownDataset, form: CifarForm, folder: string): Promise<Found> {
  const members = cifarMembers(known, form);
  const names = members.map(({ path }) => basename(path));
  for (const place of [folder, join(folder, form.folder)]) {
    const sizes = await Promise.all(names.map((name) => fileSize(join(place, name))));
    if (sizes.every((size) => size !== undefined))
      return { folder: place, read: () => readCifar(known, form, place, binFiles(place, members)) };
  }
  const [archive] = known.files as readonly [PublishedFile];
  const path = join(folder, archive.name);
  if ((await fileSize(path)) === undefined)
    throw new DataError(`data: ${folder} has neither ${archive.name} nor its files ${names.join(", ")}.`, folder);
  return { folder, read: () => readCifar(known, form, folder, archivedFiles(path, archive, members)) };
}

async function* binFiles(folder: string, members: readonly Member[]): AsyncGenerator<readonly [string, Uint8Array]> {
  for (const { path, bytes } of members) {
    const file = join(folder, basename(path));
    const size = await fileSize(file);
    if (size !== bytes) throw new DataError(`data: ${file} has ${size} bytes; expected ${bytes}.`, file);
    yield [basename(path), await read(file)];
  }
}

async function* archivedFiles(
  path: string,
  archive: PublishedFile,
  members: readonly Member[],
): AsyncGenerator<readonly [string, Uint8Array]> {
  const size = await fileSize(path);
  const fault =
    size === archive.bytes
      ? await digestFault(path, archive.digest)
      : `has ${size} bytes; expected ${archive.bytes}, as it is published`;
  if (fault !== undefined) throw new DataError(`data: ${path} ${fault}.`, path);
  for await (const file of readTarGz(path, members)) yield [basename(file.path), file.bytes];
}

/** CIFAR's pictures from files of the names that the form says. */
export async function readCifar(
  known: KnownDataset,
  form: CifarForm,
  source: string,
  files: AsyncIterable<readonly [string, Uint8Array]>,
): Promise<TrainTest> {
  const parts = new Map<string, Cifar>();
  for await (const [name, bytes] of files) parts.set(name, decodeCifar(bytes, form.variant, join(source, name)));
  const preprocessing = published(known);
  const build = (names: readonly string[]): Dataset => {
    const [images, labels] = joinParts(names.map((name) => parts.get(name) as Cifar));
    return dataset(images, labels, {
      ...{ name: known.name, classes: known.classes, source },
      ...(preprocessing === undefined ? {} : { preprocessing }),
    });
  };
  return { train: build(form.train), test: build(form.test) };
}

/** One after the other. */
function joinParts(parts: readonly Cifar[]): readonly [HostArray, HostArray] {
  const count = parts.reduce((sum, { labels }) => sum + labels.data.length, 0);
  const [first] = parts as readonly [Cifar, ...Cifar[]];
  if (parts.length === 1) return [first.images, first.labels];
  const sample = first.images.shape.slice(1);
  const pixels = new Uint8Array(count * sample.reduce((product, size) => product * size, 1));
  const labels = new Int32Array(count);
  let at = 0;
  let pixel = 0;
  for (const part of parts) {
    pixels.set(part.images.data, pixel);
    labels.set(part.labels.data, at);
    pixel += part.images.data.length;
    at += part.labels.data.length;
  }
  return [new HostArray("u8", [count, ...sample], pixels), new HostArray("i32", [count], labels)];
}

async function findRows(known: KnownDataset, form: RowsForm, folder: string): Promise<Found> {
  const [file] = known.files as readonly [PublishedFile];
  const plain = file.name.replace(/\.gz$/, "");
  for (const name of [plain, `${plain}.gz`]) {
    const path = join(folder, name);
    if ((await fileSize(path)) !== undefined) return { folder, read: () => readRows(known, form, path) };
  }
  throw new DataError(`data: ${folder} has no ${plain}; expected it with or without .gz.`, folder);
}

/** Far above what any of these data sets takes. */
const MAX_ROWS_BYTES = 16 * 2 ** 20;

/** All rows, and the test set drawn from them: the same share of each class, the same rows on every machine. */
async function readRows(known: KnownDataset, form: RowsForm, path: string): Promise<TrainTest> {
  const { name, classes, trainCount, testCount, shape } = known;
  const features = shape.reduce((product, size) => product * size, 1);
  const { counted, dtype } = form;
  const bytes = await unpacked(path);
  const { inputs, labels } = decodeLabelledRows(bytes, { features, classes: classes.length, counted, dtype }, path);
  const count = labels.data.length;
  if (count !== trainCount + testCount)
    throw new DataError(`data: ${path} has ${count} rows; expected ${trainCount + testCount} of ${name}.`, path);
  const whole = dataset(new HostArray(dtype, [count, ...shape], inputs.data), labels, { name, classes, source: path });
  const split = splitDataset(whole, { validation: testCount, seed: 1, stratified: true });
  const [trained, held] = [split.train, split.validation].map((indices) => ({
    inputs: takeRows(whole.inputs, indices),
    targets: takeRows(whole.targets, indices),
  })) as [Pick<Dataset, "inputs" | "targets">, Pick<Dataset, "inputs" | "targets">];
  // Each feature of a row is a channel of its own.
  const channels =
    shape.length === 1 ? new HostArray(dtype, [trainCount, ...shape, 1], trained.inputs.data) : trained.inputs;
  const options = { name, classes, preprocessing: measureStandardization(channels), source: dirname(path) };
  return {
    train: dataset(trained.inputs, trained.targets, options),
    test: dataset(held.inputs, held.targets, options),
  };
}

async function unpacked(path: string): Promise<Uint8Array> {
  const bytes = await read(path);
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const { gunzipSync } = await import("node:zlib");
  try {
    return gunzipSync(bytes, { maxOutputLength: MAX_ROWS_BYTES });
  } catch (error) {
    throw new DataError(`data: cannot unpack ${path}: ${reasonOf(error)}. The file may be damaged.`, path);
  }
}

async function read(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new DataError(`data: cannot read ${path}: ${reasonOf(error)}.`, path);
  }
}
