import { OptionError } from "../core/errors.ts";
import { foldKey, keyOf, permutation } from "../core/prng.ts";
import { checkSeed } from "./split.ts";

/**
 * The order in which an epoch (from 0) visits `indices`: a permutation that depends on the seed, the epoch and the
 * indices alone, so a run resumes in the middle of any epoch without having drawn the ones before.
 *
 * @example
 * epochOrder(1, 0, Int32Array.of(5, 6, 7)).length // -> 3
 */
export function epochOrder(seed: number, epoch: number, indices: Int32Array): Int32Array {
  if (!Number.isSafeInteger(epoch) || epoch < 0)
    throw new OptionError(`epochOrder: got epoch ${epoch}; expected a whole number from 0.`, "epoch");
  const key = foldKey(foldKey(keyOf(checkSeed("epochOrder", seed)), "order"), epoch);
  return permutation(key, indices.length).map((place) => indices[place] as number);
}

export type BatchOptions = {
  /** Leave out a last batch that is not full. Default false, as in PyTorch. */
  readonly dropLast?: boolean;
};

/**
 * An order cut into batches, in order: views, not copies. The last one may be shorter.
 *
 * @example
 * batchesOf(Int32Array.of(4, 2, 0, 1, 3), 2).map((batch) => [...batch]) // -> [[4, 2], [0, 1], [3]]
 */
export function batchesOf(order: Int32Array, batchSize: number, options: BatchOptions = {}): readonly Int32Array[] {
  if (!Number.isSafeInteger(batchSize) || batchSize < 1)
    throw new OptionError(
      `batchesOf: got batch size ${batchSize}; expected a whole number of at least 1.`,
      "batchSize",
    );
  const count = options.dropLast === true ? Math.floor(order.length / batchSize) : Math.ceil(order.length / batchSize);
  return Array.from({ length: count }, (_, i) => order.subarray(i * batchSize, (i + 1) * batchSize));
}
