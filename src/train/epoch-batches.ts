import type { Feeds } from "../compile/backend.ts";
import type { HostArray } from "../core/host-array.ts";
import { leavesOf, mapTree } from "../core/tree.ts";
import { takeRows } from "../data/dataset.ts";
import { epochOrder } from "../data/order.ts";
import type { BatchReader } from "../data/stream/reader.ts";
import type { Examples, HostTree } from "./examples.ts";
import type { TrainerOptions } from "./trainer-options.ts";

/** An epoch's batches in order, as the training step is fed them. */
export interface EpochBatches {
  /** Of the next `samples` samples: one batch, or several. */
  next(samples: number): Promise<Feeds>;
  /** Reads as many more while others work, if they are read at all. */
  ahead?(): void;
  close(): Promise<void>;
}

/** What is left of an epoch (from 0) after its first `skip` samples: indices of data that are resident, or samples as they are read. */
export async function epochBatches(
  { train, seed, sampler }: Pick<TrainerOptions, "train" | "seed" | "sampler">,
  indices: Int32Array,
  epoch: number,
  skip: number,
): Promise<EpochBatches> {
  if (train.stream !== undefined) {
    const reader = await train.stream.open({ seed, epoch, skip });
    return {
      next: async (samples) => feedsOfBatch(await reader.read(samples)),
      ahead: () => reader.ahead?.(),
      close: () => reader.close(),
    };
  }
  const order =
    train.windows?.starts(seed, epoch) ?? sampler?.order(seed, epoch, indices) ?? epochOrder(seed, epoch, indices);
  let at = skip;
  return {
    next: async (samples) => {
      at += samples;
      return { "batch.indices": order.subarray(at - samples, at) };
    },
    close: async () => {},
  };
}

/** Samples in memory in the order of `indices`, or those of a stream's first epoch, in arrays. */
export async function samplesInOrder(examples: Examples, indices: Int32Array | undefined): Promise<BatchReader> {
  const { inputs, targets, stream } = examples;
  if (stream !== undefined) return stream.open({ seed: 0, epoch: 0, skip: 0 });
  let at = 0;
  return {
    read: async (count) => {
      const rows = indices?.subarray(at, at + count) ?? Int32Array.from({ length: count }, (_, i) => at + i);
      at += count;
      const picked = (tree: HostTree): HostTree => mapTree<HostArray, HostArray>(tree, (all) => takeRows(all, rows));
      return { inputs: picked(inputs), targets: picked(targets) };
    },
    close: async () => {},
  };
}

/** A batch of arrays under the paths that a step is fed by. */
export function feedsOfBatch(batch: { readonly [name: string]: HostTree }): Feeds {
  return Object.fromEntries(leavesOf<HostArray>(batch, "batch").map(([path, { data }]) => [path, data]));
}

/** One step's part of what several are fed. */
export function feedsOfStep(feeds: Feeds, step: number, steps: number): Feeds {
  return Object.fromEntries(
    Object.entries(feeds).map(([path, data]) => {
      const size = data.length / steps;
      return [path, data.subarray(step * size, (step + 1) * size)];
    }),
  );
}
