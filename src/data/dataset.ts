import { formatAval } from "../core/dtype.ts";
import { DataError } from "../core/errors.ts";
import { fingerprintOf } from "../core/fingerprint.ts";
import { HostArray, newData } from "../core/host-array.ts";
import type { PictureForm } from "./picture-form.ts";
import { checkPreprocessing, type Preprocessing } from "./preprocessing.ts";

/**
 * Samples in memory: inputs [N, ...] (u8 stays u8 until the compiled step reads it) and one target for each.
 * Made by `dataset`, which checks what this type cannot say. A part of it (a split, an epoch's order, a batch) is a
 * list of indices, never a copy.
 */
export type Dataset = {
  readonly name: string;
  /** [N, ...], u8 or f32; images are [N, C, H, W]. */
  readonly inputs: HostArray;
  /** Labels i32 [N], or values f32 [N, ...]. */
  readonly targets: HostArray;
  /** Names of the classes where targets are labels; label i is `classes[i]`. */
  readonly classes?: readonly string[];
  readonly preprocessing: Preprocessing;
  /** How pictures were made into inputs: saved with the model, which reads others the same way. */
  readonly pictures?: PictureForm;
  /** Where it was read from: a folder, a package, an address. */
  readonly source?: string;
  /** The file of each sample, relative to the source. */
  readonly files?: readonly string[];
};

export type DatasetOptions = {
  /** Stands in errors and in the run's config. Default "data". */
  readonly name?: string;
  /** Names of the classes, or their number. Default: "0" up to the largest label. */
  readonly classes?: readonly string[] | number;
  /** Default: u8 divided by 255, f32 as it is. */
  readonly preprocessing?: Preprocessing;
  readonly source?: string;
};

/** Labels past this are taken for damage when `classes` does not say otherwise. */
const MAX_INFERRED_CLASSES = 100_000;

/**
 * A data set from inputs [N, ...] (u8 or f32) and targets: labels [N] (i32 or u8), or values [N, ...] (f32).
 *
 * Throws DataError when it is empty, when the counts differ, for the first label out of range, and for the first value
 * that is not finite.
 *
 * @example
 * const xor = dataset(array([[0, 0], [0, 1], [1, 0], [1, 1]]), array([0, 1, 1, 0], [4], "i32"));
 * xor.classes // -> ["0", "1"]
 */
export function dataset(inputs: HostArray, targets: HostArray, options: DatasetOptions = {}): Dataset {
  const { name = "data", source } = options;
  const fail = (text: string): never => {
    throw new DataError(`dataset: ${name} has ${text}`, source ?? name);
  };
  if ((inputs.dtype !== "u8" && inputs.dtype !== "f32") || inputs.shape.length === 0)
    fail(`inputs ${formatAval(inputs.aval)}; expected u8[N,...] or f32[N,...].`);
  const isLabels = targets.dtype === "i32" || targets.dtype === "u8";
  if (targets.dtype === "bool" || targets.shape.length === 0 || (isLabels && targets.shape.length !== 1))
    fail(`targets ${formatAval(targets.aval)}; expected labels i32[N] or values f32[N,...].`);
  if (inputs.shape[0] !== targets.shape[0])
    fail(`${inputs.shape[0]} inputs and ${targets.shape[0]} targets; expected as many of one as of the other.`);
  if (inputs.data.length === 0 || targets.data.length === 0)
    fail(`inputs ${formatAval(inputs.aval)} and targets ${formatAval(targets.aval)}; expected at least one sample.`);
  checkFinite(inputs, "inputs", fail);

  const preprocessing = options.preprocessing ?? defaultPreprocessing(inputs);
  checkPreprocessing(preprocessing, inputs, name);
  const common = { name, inputs, preprocessing, ...(source === undefined ? {} : { source }) };
  if (isLabels) {
    const labels =
      targets.dtype === "i32" ? targets : new HostArray("i32", targets.shape, Int32Array.from(targets.data));
    return { ...common, targets: labels, classes: classesOf(labels, options.classes, fail) };
  }
  if (options.classes !== undefined) fail(`classes, but targets ${formatAval(targets.aval)}; expected labels i32[N].`);
  checkFinite(targets, "targets", fail);
  return { ...common, targets };
}

type Fail = (text: string) => never;

function checkFinite(array: HostArray, what: string, fail: Fail): void {
  if (array.dtype !== "f32") return;
  const { data, shape } = array;
  for (let i = 0; i < data.length; i++)
    if (!Number.isFinite(data[i])) {
      const sample = Math.floor((i * (shape[0] as number)) / data.length);
      fail(`${data[i]} in ${what} of sample ${sample}; expected finite values.`);
    }
}

function classesOf(labels: HostArray, given: readonly string[] | number | undefined, fail: Fail): readonly string[] {
  const count = typeof given === "number" ? given : given?.length;
  if (count !== undefined && !(Number.isSafeInteger(count) && count > 0))
    fail(`${count} classes; expected a whole number of at least 1.`);
  const limit = count ?? MAX_INFERRED_CLASSES;
  let largest = 0;
  for (let i = 0; i < labels.data.length; i++) {
    const label = labels.data[i] as number;
    if (label < 0 || label >= limit) fail(`label ${label} at index ${i}; expected 0 to ${limit - 1}.`);
    if (label > largest) largest = label;
  }
  if (typeof given === "object") return given;
  return Array.from({ length: count ?? largest + 1 }, (_, i) => `${i}`);
}

function defaultPreprocessing(inputs: HostArray): Preprocessing {
  return inputs.dtype === "u8" ? { kind: "standardize", scale: 1 / 255, mean: [0], std: [1] } : { kind: "none" };
}

/** Number of samples. */
export function sampleCount(data: Dataset): number {
  return data.inputs.shape[0] as number;
}

/** How many samples each class has, over all samples or those at `indices`. Throws DataError where targets are no labels. */
export function classCounts(data: Dataset, indices?: Int32Array): readonly number[] {
  if (data.classes === undefined)
    throw new DataError(
      `classCounts: ${data.name} has targets ${formatAval(data.targets.aval)}; expected labels.`,
      data.name,
    );
  const counts = new Array<number>(data.classes.length).fill(0);
  const labels = data.targets.data;
  const add = (label: number): void => {
    counts[label] = (counts[label] as number) + 1;
  };
  if (indices === undefined) for (const label of labels) add(label);
  else for (const index of indices) add(labels[index] as number);
  return counts;
}

/**
 * Rows of an array [N, ...] at `indices`, copied: [indices.length, ...]. Throws DataError for an index out of range.
 *
 * @example
 * takeRows(array([[1, 2], [3, 4]]), [1, 1]).data // -> Float32Array [3, 4, 3, 4]
 */
export function takeRows(array: HostArray, indices: ArrayLike<number>): HostArray {
  const [rows, ...rest] = array.shape;
  if (rows === undefined) throw new DataError(`takeRows: got ${formatAval(array.aval)}; expected at least one axis.`);
  const width = rest.reduce((total, size) => total * size, 1);
  const data =
    array.data instanceof Float64Array
      ? new Float64Array(indices.length * width)
      : newData(array.dtype, indices.length * width);
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i] as number;
    if (!(Number.isInteger(index) && index >= 0 && index < rows))
      throw new DataError(`takeRows: got index ${index} for ${formatAval(array.aval)}; expected 0 to ${rows - 1}.`);
    data.set(array.data.subarray(index * width, (index + 1) * width), i * width);
  }
  return new HostArray(array.dtype, [indices.length, ...rest], data);
}

/**
 * 64 bits over types, shapes and values as 16 hexadecimal digits: equal data gives equal digits on every machine.
 * Tells a resumed run that its data changed; no protection against somebody who wants a collision.
 */
export function fingerprint(data: Dataset): string {
  return fingerprintOf([
    ["inputs", data.inputs],
    ["targets", data.targets],
  ]);
}
