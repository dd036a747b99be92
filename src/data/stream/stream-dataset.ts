import { formatAval, sizeOf } from "../../core/dtype.ts";
import { DataError, OptionError } from "../../core/errors.ts";
import { HostArray } from "../../core/host-array.ts";
import { leavesOf, mapTree, type Tree } from "../../core/tree.ts";
import type { Preprocessing } from "../preprocessing.ts";
import type { Sampler } from "../sampler.ts";
import { ReadAhead } from "./read-ahead.ts";
import { type Arrays, arrayReader, type BatchReader, readAll } from "./reader.ts";
import { type SampleLeaf, type Stacked, stack } from "./stack.ts";
import { passOf, Stream } from "./stream.ts";

/** A sample for training. */
export type Sample = { readonly inputs: Tree<SampleLeaf>; readonly targets: Tree<SampleLeaf> };

/** What training takes its batches from when they are not in memory. */
export type SampleStream = {
  readonly samplesPerEpoch: number;
  /** The epoch's samples (from 0) after the first `skip`. */
  open(pass: { readonly seed: number; readonly epoch: number; readonly skip: number }): Promise<BatchReader>;
};

/** Samples that are read while training runs; the arrays hold the first of them. `fit` takes it as `train`. */
export type StreamedDataset<X, Y> = {
  readonly name: string;
  readonly inputs: X;
  readonly targets: Y;
  readonly stream: SampleStream;
  readonly classes?: readonly string[];
  readonly preprocessing?: Preprocessing;
};

export type StreamDatasetOptions = {
  /** Stands in errors and in the run's config. Default "stream". */
  readonly name?: string;
  /** Names of the classes, or their number: targets are then labels. Default: targets are values. */
  readonly classes?: readonly string[] | number;
  /** Default: u8 divided by 255, f32 as it is. */
  readonly preprocessing?: Preprocessing;
  /** Samples of an epoch: at most those of a pass. Default: the stream's `count`. */
  readonly samplesPerEpoch?: number;
};

/** Samples that are read to learn the types. */
const FIRST = 8;

/**
 * A stream of samples `{ inputs, targets }` as data to train on: never more of it in memory than the stream's buffers and a few
 * batches. Reads the first samples at once, for their types.
 *
 * Errors: DataError for a stream without samples, for samples of another type than the first, labels out of range and values that are
 * not finite, naming the sample; OptionError where the length of an epoch is not known.
 *
 * @example
 * const points = stream(function* () {
 *   for (let i = 0; i < 1000; i++) yield { inputs: Float32Array.of(i / 1000), targets: i < 500 ? 0 : 1 };
 * });
 * const train = await streamDataset(points.shuffle(500), { classes: ["low", "high"], samplesPerEpoch: 1000 });
 * train.inputs.shape // -> [8, 1]
 */
export async function streamDataset<S extends Sample>(
  samples: Stream<S>,
  options: StreamDatasetOptions = {},
): Promise<StreamedDataset<Stacked<S["inputs"]>, Stacked<S["targets"]>>> {
  const { name = "stream", preprocessing } = options;
  const samplesPerEpoch = lengthOf(samples, options.samplesPerEpoch, name);
  const classes =
    typeof options.classes === "number" ? Array.from({ length: options.classes }, (_, i) => `${i}`) : options.classes;
  const stacking = classes === undefined ? {} : { whole: ["targets"] };
  const open = async (
    pass: { seed: number; epoch: number; skip: number },
    unshuffled: boolean,
  ): Promise<BatchReader> => {
    const { seed, epoch, skip } = pass;
    const reader = await samples.open({ ...passOf(seed, epoch, skip), unshuffled });
    let at = skip;
    return {
      async read(count) {
        const items = await readAll(reader, count);
        if (items.length < count && !unshuffled)
          throw new DataError(
            `${name}: ended after ${at + items.length} samples of epoch ${epoch + 1}; expected ${samplesPerEpoch}. Hint: \`samplesPerEpoch\`.`,
            name,
          );
        if (items.length === 0) throw new DataError(`${name}: got no samples; expected at least one.`, name);
        const arrays = stack<unknown>(items, stacking, at) as Arrays;
        check(arrays, { name, classes, first: at });
        at += items.length;
        return arrays;
      },
      close: () => reader.close(),
    };
  };
  const peek = await open({ seed: 0, epoch: 0, skip: 0 }, true);
  const like = await peek.read(FIRST).finally(() => peek.close());
  return {
    name,
    ...(like as { inputs: Stacked<S["inputs"]>; targets: Stacked<S["targets"]> }),
    stream: {
      samplesPerEpoch,
      async open(pass) {
        const reader = alike(await open(pass, false), like, name);
        return new ReadAhead(reader, samplesPerEpoch - pass.skip);
      },
    },
    ...(classes === undefined ? {} : { classes }),
    ...(preprocessing === undefined ? {} : { preprocessing }),
  };
}

function lengthOf({ count }: Stream<unknown>, given: number | undefined, name: string): number {
  const fail = (got: string, expected: string): never => {
    throw new OptionError(`streamDataset: got ${got} for ${name}; expected ${expected}.`, "samplesPerEpoch");
  };
  if (given === undefined)
    return count ?? fail("a stream of unknown length", "`samplesPerEpoch`, at most what a pass over it gives");
  if (!Number.isSafeInteger(given) || given < 1) fail(`samplesPerEpoch ${given}`, "a whole number of at least 1");
  if (count !== undefined && given > count)
    fail(`samplesPerEpoch ${given}`, `at most the ${count} samples of a pass. Hint: \`repeat\``);
  return given;
}

/** Refuses batches of another type than the first samples. */
function alike(reader: BatchReader, like: Arrays, name: string): BatchReader {
  const types = (arrays: Arrays): string =>
    leavesOf<HostArray>(arrays)
      .map(([path, { dtype, shape }]) => `${path} ${formatAval({ dtype, shape: shape.slice(1) })}`)
      .join(", ");
  const expected = types(like);
  return {
    async read(count) {
      const arrays = await reader.read(count);
      const got = types(arrays);
      if (got !== expected)
        throw new DataError(`${name}: got samples of ${got}; expected ${expected}, as the first ones.`, name);
      return arrays;
    },
    close: () => reader.close(),
  };
}

function check(
  arrays: Arrays,
  at: { readonly name: string; readonly classes: readonly string[] | undefined; readonly first: number },
): void {
  const { name, classes, first } = at;
  const place = (path: string, i: number, { data, shape }: HostArray): string =>
    `${path} of sample ${first + Math.floor((i * (shape[0] as number)) / data.length)}`;
  for (const [path, leaf] of leavesOf<HostArray>(arrays)) {
    if (leaf.dtype !== "f32") continue;
    for (let i = 0; i < leaf.data.length; i++)
      if (!Number.isFinite(leaf.data[i]))
        throw new DataError(`${name}: got ${leaf.data[i]} in ${place(path, i, leaf)}; expected finite values.`, path);
  }
  const { targets } = arrays;
  if (classes === undefined || !(targets instanceof HostArray)) return;
  for (let i = 0; i < targets.data.length; i++) {
    const label = targets.data[i] as number;
    if (!(label >= 0 && label < classes.length))
      throw new DataError(
        `${name}: got the label ${label} in ${place("targets", i, targets)}; expected 0 to ${classes.length - 1}.`,
        "targets",
      );
  }
}

/**
 * A stream of the samples of data in memory, `{ inputs, targets }` each: views, not copies. In their order, or in that of a sampler
 * such as `balancedSampler(data)`.
 *
 * @example
 * const samples = streamOf({ inputs: array([[1], [2]]), targets: array([0, 1], [2], "i32") });
 * (await samples.toArray()).map(({ inputs }) => inputs.data[0]) // -> [1, 2]
 */
export function streamOf<X extends Tree<HostArray>, Y extends Tree<HostArray>>(
  data: { readonly inputs: X; readonly targets: Y },
  sampler?: Sampler,
): Stream<{ readonly inputs: X; readonly targets: Y }> {
  const { inputs, targets } = data;
  const count = leavesOf<HostArray>(inputs)[0]?.[1].shape[0] ?? 0;
  const all = Int32Array.from({ length: count }, (_, i) => i);
  const rows = (tree: Tree<HostArray>): ((i: number) => Tree<HostArray>) => {
    if (tree instanceof HostArray) return rowsOf(tree);
    const leaves = new Map(leavesOf<HostArray>(tree).map(([path, leaf]) => [path, rowsOf(leaf)]));
    return (i) => mapTree<HostArray, HostArray>(tree, (_, path) => leaves.get(path)?.(i) as HostArray);
  };
  const input = rows(inputs) as (i: number) => X;
  const target = rows(targets) as (i: number) => Y;
  return new Stream(async ({ seed, epoch, skip, unshuffled }) => {
    const order = unshuffled || sampler === undefined ? all : sampler.order(seed, epoch, all);
    const at = arrayReader<number>(order, skip);
    return {
      read: async (most) => (await at.read(most)).map((i) => ({ inputs: input(i), targets: target(i) })),
      close: () => at.close(),
    };
  }, count);
}

function rowsOf({ dtype, shape, data }: HostArray): (i: number) => HostArray {
  const own = shape.slice(1);
  const width = sizeOf(own);
  return (i) => new HostArray(dtype, own, data.subarray(i * width, (i + 1) * width));
}
