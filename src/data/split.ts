import { OptionError } from "../core/errors.ts";
import { foldKey, keyOf, permutation } from "../core/prng.ts";
import { type Dataset, sampleCount } from "./dataset.ts";

export type SplitOptions = {
  /** Samples to hold out: a count from 1, a fraction below 1, or 0 for none. */
  readonly validation: number;
  readonly seed: number;
  /** Hold out the same share of each class. Default false, as in PyTorch's `random_split`. */
  readonly stratified?: boolean;
};

/** Indices into one data set, each list ascending; together they are all of it, and they share none. */
export type Split = { readonly train: Int32Array; readonly validation: Int32Array };

/**
 * Holds out validation samples, chosen by the seed alone. Nothing is copied.
 *
 * Throws OptionError when nothing would be left to train on, when a fraction rounds to no sample, and when stratified
 * splitting is asked of targets that are no labels.
 *
 * @example
 * splitDataset(train, { validation: 5_000, seed: 1 }).train.length // -> 55000
 */
export function splitDataset(data: Dataset, { validation, seed, stratified = false }: SplitOptions): Split {
  const total = sampleCount(data);
  const count = heldOut(validation, total, data.name);
  const key = foldKey(keyOf(checkSeed("splitDataset", seed)), "split");
  const chosen = new Uint8Array(total);
  if (!stratified) for (const index of permutation(key, total).subarray(0, count)) chosen[index] = 1;
  else {
    const groups = samplesByClass(data);
    const shares = apportion(
      groups.map((group) => group.length),
      count,
    );
    groups.forEach((group, label) => {
      const order = permutation(foldKey(key, label), group.length);
      for (const place of order.subarray(0, shares[label])) chosen[group[place] as number] = 1;
    });
  }
  const lists = { train: new Int32Array(total - count), validation: new Int32Array(count) };
  let trained = 0;
  let held = 0;
  for (let i = 0; i < total; i++)
    if (chosen[i] === 1) lists.validation[held++] = i;
    else lists.train[trained++] = i;
  return lists;
}

function heldOut(validation: number, total: number, name: string): number {
  if (validation === 0) return 0;
  const count = validation < 1 ? Math.round(total * validation) : validation;
  if (!(Number.isSafeInteger(count) && count >= 1 && count < total))
    throw new OptionError(
      `splitDataset: got validation ${validation} of ${name}'s ${total} samples; expected 0, a fraction that holds out at least one and leaves one, or a count from 1 to ${total - 1}.`,
      "validation",
    );
  return count;
}

function samplesByClass(data: Dataset): readonly number[][] {
  if (data.classes === undefined)
    throw new OptionError(
      `splitDataset: ${data.name} has values as targets; expected labels. Hint: leave out \`stratified\`.`,
      "stratified",
    );
  const groups = data.classes.map((): number[] => []);
  data.targets.data.forEach((label: number, index: number) => {
    groups[label]?.push(index);
  });
  return groups;
}

/** `count` shared in proportion to `sizes` by largest remainders; of equal remainders the first gets more. */
function apportion(sizes: readonly number[], count: number): readonly number[] {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const shares = sizes.map((size) => Math.floor((count * size) / total));
  const left = count - shares.reduce((sum, share) => sum + share, 0);
  const byRemainder = sizes
    .map((size, i) => ({ i, remainder: (count * size) % total }))
    .sort((a, b) => b.remainder - a.remainder || a.i - b.i);
  for (const { i } of byRemainder.slice(0, left)) shares[i] = (shares[i] as number) + 1;
  return shares;
}

export function checkSeed(op: string, seed: number): number {
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new OptionError(`${op}: got seed ${seed}; expected a whole number from 0 to 2^53 - 1.`, "seed");
  return seed;
}
