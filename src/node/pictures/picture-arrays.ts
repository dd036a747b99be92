import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { formatAval, sizeOf } from "../../core/dtype.ts";
import { DataError } from "../../core/errors.ts";
import { HostArray } from "../../core/host-array.ts";
import { type Dataset, dataset, takeRows } from "../../data/dataset.ts";
import { measureStandardization } from "../../data/preprocessing.ts";
import { splitDataset } from "../../data/split.ts";
import type { TrainTest } from "../idx-folder.ts";
import { type ArrayPart, INPUTS, readArrayParts, TARGETS } from "../tables/arrays.ts";

/** The share of each class that is held out for the end where the file has no test part. */
const TEST_SHARE = 0.1;

export type PictureArrays = {
  /** Labels of the pictures in a `.npy` file. */
  readonly targets?: string;
  /** Names of the classes, for data that a model is evaluated on. Default: "0" up to the largest label. */
  readonly classes?: readonly string[];
};

/**
 * Pictures in NumPy's arrays as data sets: a `.npz` with x_train, y_train, x_test and y_test (as Keras's mnist.npz) or x and y, or a
 * `.npy` and another of labels. x is [N, H, W], [N, C, H, W] or [N, H, W, C]: channels are the axis of 1, 3 or 4, the second where
 * both could be. Whole numbers from 0 to 255 become u8. y is [N] or [N, 1], whole numbers.
 *
 * Without a test part a tenth of each class is held out, the same whatever the run's seed. Errors: DataError naming the file.
 */
export async function datasetFromArrays(path: string, options: PictureArrays = {}): Promise<TrainTest> {
  const { train, test } = await pictureArrays(path, options);
  if (test !== undefined) return { train, test };
  const split = splitDataset(train, { validation: TEST_SHARE, seed: 0, stratified: true });
  const part = (indices: Int32Array, preprocessing = train.preprocessing): Dataset => ({
    ...train,
    inputs: takeRows(train.inputs, indices),
    targets: takeRows(train.targets, indices),
    preprocessing,
  });
  const kept = part(split.train);
  const measured = measureStandardization(kept.inputs);
  return { train: { ...kept, preprocessing: measured }, test: part(split.validation, measured) };
}

/** The file of labels that lies beside a `.npy` file of pictures: y_test.npy beside x_test.npy, labels.npy beside images.npy. */
function labelsBeside(path: string): string | undefined {
  if (!/\.npy$/i.test(path)) return undefined;
  const [, name = "", part = ""] = /^(.*?)(_train|_test)?\.npy$/i.exec(basename(path)) ?? [];
  const isInputs = INPUTS.includes(name.toLowerCase());
  const beside = TARGETS.map((target) => join(dirname(path), `${target}${part}.npy`));
  return isInputs ? beside.find((file) => existsSync(file)) : undefined;
}

/** As `datasetFromArrays`, but nothing is held out. */
export async function pictureArrays(
  path: string,
  { targets, classes }: PictureArrays = {},
): Promise<{ readonly train: Dataset; readonly test?: Dataset }> {
  const { train, test } = await readArrayParts(path, targets ?? labelsBeside(path));
  const name = basename(path).replace(/\.\w+$/, "");
  const inputs = picturesOf(train, path);
  const common = { name, source: path, preprocessing: measureStandardization(inputs) };
  const whole = dataset(inputs, labelsOf(train, path), { ...common, ...(classes === undefined ? {} : { classes }) });
  if (test === undefined) return { train: whole };
  const held = picturesOf(test, path);
  const [sample, other] = [inputs, held].map(({ shape }) => shape.slice(1).join());
  if (sample !== other)
    throw new DataError(`data: ${path} has pictures [${sample}] and [${other}] for the end; expected one shape.`, path);
  return {
    train: whole,
    test: dataset(held, labelsOf(test, path), { ...common, classes: whole.classes ?? [] }),
  };
}

const isChannels = (size: number | undefined): boolean => size === 1 || size === 3 || size === 4;

/** [N, C, H, W], u8 where the values allow it. */
function picturesOf([x]: ArrayPart, path: string): HostArray {
  const [n = 0, ...sample] = x.shape;
  if (sample.length !== 2 && sample.length !== 3)
    throw new DataError(
      `data: ${path} has inputs ${formatAval(x.aval)}; expected pictures [N, H, W], [N, C, H, W] or [N, H, W, C].`,
      path,
    );
  if (sizeOf(x.shape) === 0)
    throw new DataError(`data: ${path} has inputs ${formatAval(x.aval)}; expected at least one picture.`, path);
  const pixels = bytesWhere(x);
  if (sample.length === 2) return new HostArray(pixels.dtype, [n, 1, ...sample], pixels.data);
  const [a = 0, b = 0, channels = 0] = sample;
  if (isChannels(a) || !isChannels(channels)) return pixels;
  const [height, width] = [a, b];
  const moved = pixels.dtype === "u8" ? new Uint8Array(pixels.data.length) : new Float32Array(pixels.data.length);
  let at = 0;
  for (let picture = 0; picture < n; picture++)
    for (let channel = 0; channel < channels; channel++)
      for (let place = 0; place < height * width; place++)
        moved[at++] = pixels.data[(picture * height * width + place) * channels + channel] as number;
  return new HostArray(pixels.dtype, [n, channels, height, width], moved);
}

function bytesWhere(x: HostArray): HostArray {
  if (x.dtype === "u8") return x;
  if (x.dtype === "bool") return new HostArray("u8", x.shape, x.data as Uint8Array);
  const isBytes = x.dtype === "i32" && x.data.every((value: number) => value >= 0 && value <= 255);
  if (isBytes) return new HostArray("u8", x.shape, Uint8Array.from(x.data));
  return x.dtype === "f32" ? x : new HostArray("f32", x.shape, Float32Array.from(x.data));
}

function labelsOf([x, y]: ArrayPart, path: string): HostArray {
  const fail = (text: string): never => {
    throw new DataError(`data: ${path} has ${text}`, path);
  };
  const [n] = x.shape;
  if (y === undefined) return fail("no labels.");
  const isPlain = y.shape.length === 1 || (y.shape.length === 2 && y.shape[1] === 1);
  if (!isPlain || y.shape[0] !== n)
    fail(`inputs ${formatAval(x.aval)} and targets ${formatAval(y.aval)}; expected one label for each picture.`);
  const wrong = y.data.findIndex((value: number) => !Number.isSafeInteger(value) || value < 0);
  if (wrong >= 0) fail(`the target ${y.data[wrong]} at index ${wrong}; expected labels, whole numbers from 0.`);
  return new HostArray("i32", [n as number], Int32Array.from(y.data));
}
