import { type Aval, formatAval } from "../core/dtype.ts";
import { DataError } from "../core/errors.ts";
import { array, type HostArray } from "../core/host-array.ts";
import { leavesOf, mapTree, type Tree } from "../core/tree.ts";
import type { PictureForm } from "../data/picture-form.ts";
import type { Preprocessing } from "../data/preprocessing.ts";
import type { SampleStream } from "../data/stream/stream-dataset.ts";
import type { TableEncoding } from "../data/table/encoding.ts";
import type { Windows } from "../data/text.ts";
import type { Tokenizer } from "../data/tokenizer-config.ts";
import type { Tensor } from "../ops/tensor.ts";

export type HostTree = Tree<HostArray>;

/**
 * Samples in memory for models of any number of inputs and outputs: every array has the samples as its first axis. A `Dataset`
 * is one of these.
 */
export type Examples<X extends HostTree = HostTree, Y extends HostTree = HostTree> = {
  readonly inputs: X;
  readonly targets: Y;
  /** Of a single input array. Inputs in a record stay as they are, but u8 becomes f32 divided by 255. */
  readonly preprocessing?: Preprocessing;
  /** Names of the classes where targets are labels. */
  readonly classes?: readonly string[];
  /** Training takes its inputs and targets from here (`textData`). The arrays above are what is evaluated. */
  readonly windows?: Windows;
  /** Training takes its batches from here (`streamDataset`). The arrays above are the first samples. */
  readonly stream?: SampleStream;
  /** What made the tokens of a text: saved with the model. */
  readonly tokenizer?: Tokenizer;
  /** What made the inputs of pictures: saved with the model. */
  readonly pictures?: PictureForm;
  /** What made the inputs and targets of a table's rows: saved with the model. */
  readonly table?: TableEncoding;
  readonly name?: string;
  /** The file of each sample, to tell of. */
  readonly files?: readonly string[];
};

const BYTES: Preprocessing = { kind: "standardize", scale: 1 / 255, mean: [0], std: [1] };
const NONE: Preprocessing = { kind: "none" };

export function nameOf(examples: Examples): string {
  return examples.name ?? "data";
}

/** The number of samples, of a stream those of an epoch. Throws DataError when the arrays disagree. */
export function countOf(examples: Examples): number {
  let first: readonly [string, HostArray] | undefined;
  for (const [path, leaf] of [
    ...leavesOf<HostArray>(examples.inputs, "inputs"),
    ...leavesOf<HostArray>(examples.targets, "targets"),
  ]) {
    if (leaf.shape.length === 0)
      throw new DataError(
        `${nameOf(examples)}: got ${formatAval(leaf.aval)} for ${path}; expected the samples as first axis.`,
        path,
      );
    first ??= [path, leaf];
    if (leaf.shape[0] !== first[1].shape[0])
      throw new DataError(
        `${nameOf(examples)}: got ${first[1].shape[0]} samples in ${first[0]} and ${leaf.shape[0]} in ${path}; expected as many in each.`,
        path,
      );
  }
  const count = first?.[1].shape[0] ?? 0;
  if (count === 0) throw new DataError(`${nameOf(examples)}: got no samples; expected at least one.`, nameOf(examples));
  return examples.stream?.samplesPerEpoch ?? count;
}

/** The preprocessing of each input array, by path ("" for a single array). */
export type Preparation = Readonly<Record<string, Preprocessing>>;

export function preparationOf(examples: Examples): Preparation {
  return Object.fromEntries(
    leavesOf<HostArray>(examples.inputs).map(([path, leaf]) => [
      path,
      (path === "" ? examples.preprocessing : undefined) ?? (leaf.dtype === "u8" ? BYTES : NONE),
    ]),
  );
}

/** One array prepared inside a trace: (x scale - mean[c]) / std[c] in f32, as one multiplication and one subtraction. Indices stay i32. */
function prepareArray(x: Tensor, preprocessing: Preprocessing): Tensor {
  if (preprocessing.kind === "none") return x.dtype === "i32" ? x : x.cast("f32");
  const { scale, mean, std } = preprocessing;
  const perChannel = (values: readonly number[]): Tensor | number => {
    if (values.length === 1) return values[0] as number;
    const shape = x.shape.slice(1).map((_, i) => (i === 0 ? values.length : 1));
    return x.constant(array(Float32Array.from(values), shape));
  };
  const scaled = x.cast("f32").mul(perChannel(std.map((s) => scale / s)));
  return mean.every((m) => m === 0) ? scaled : scaled.sub(perChannel(mean.map((m, i) => m / (std[i] as number))));
}

/** A batch of inputs as the model sees it, inside a trace. */
export function prepare(inputs: Tree<Tensor>, preparation: Preparation): Tree<Tensor> {
  return mapTree<Tensor, Tensor>(inputs, (x, path) => prepareArray(x, preparation[path] ?? NONE));
}

/** Types of a batch of `count` samples of arrays like these; what the model sees if `prepared`. */
export function batchAvals(arrays: HostTree, count: number, prepared: boolean): Tree<Aval> {
  return mapTree<HostArray, Aval>(arrays, ({ dtype, shape }) => ({
    dtype: prepared && dtype !== "i32" ? "f32" : dtype,
    shape: [count, ...shape.slice(1)],
  }));
}

/** Labels become i32. */
export function prepareTargets(targets: Tree<Tensor>): Tree<Tensor> {
  return mapTree<Tensor, Tensor>(targets, (y) => (y.dtype === "u8" ? y.cast("i32") : y));
}
