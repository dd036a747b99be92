import { DataError, OptionError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import { foldKey, type KeyWords, keyOf, permutation, uniformAt } from "../core/prng.ts";
import { checkSeed } from "./split.ts";

/** Chooses the samples of each epoch and their order. */
export type Sampler = {
  /** For the run's record; a run goes on with the same one only. */
  readonly config: Readonly<Record<string, unknown>>;
  /** As many of `indices` as there are, some perhaps more than once. Depends on the seed, the epoch (from 0) and the indices alone. */
  order(seed: number, epoch: number, indices: Int32Array): Int32Array;
};

type Labelled = { readonly targets: HostArray; readonly classes?: readonly string[]; readonly name?: string };

/**
 * As many samples of each class in every epoch, however rare it is: of classes with fewer than their share all come several times, of others
 * a part, another one in the next epoch, until each came once. For what PyTorch does with WeightedRandomSampler and weights of 1 / class count,
 * but without replacement.
 *
 * Errors: DataError where targets are no labels.
 *
 * @example
 * const rare = { targets: array([0, 0, 0, 1], [4], "i32"), classes: ["cat", "dog"] };
 * balancedSampler(rare).order(1, 0, Int32Array.of(0, 1, 2, 3)).filter((i) => i === 3).length // -> 2
 */
export function balancedSampler(data: Labelled): Sampler {
  const labels = labelsOf("balancedSampler", data);
  return {
    config: { kind: "balanced" },
    order(seed, epoch, indices) {
      const key = keyFor("balancedSampler", seed, "balanced");
      const groups = groupsOf(labels, indices);
      const out = new Int32Array(indices.length);
      let at = 0;
      groups.forEach(([label, group], nth) => {
        // Places nth, nth + K, ... of the epoch are this class's; those of earlier epochs came before.
        const share = Math.ceil((indices.length - nth) / groups.length);
        const own = foldKey(key, label);
        let round = -1;
        let order = group;
        for (let i = epoch * share; i < (epoch + 1) * share; i++) {
          const now = Math.floor(i / group.length);
          if (now !== round)
            order = permutation(foldKey(own, now), group.length).map((place) => group[place] as number);
          round = now;
          out[at++] = order[i % group.length] as number;
        }
      });
      return permutation(foldKey(foldKey(key, "mixed"), epoch), out.length).map((place) => out[place] as number);
    },
  };
}

/**
 * Every sample once, in an order in which each class is spread evenly: every batch has about the classes' shares of the whole, where a plain
 * shuffle leaves that to chance.
 *
 * Errors: DataError where targets are no labels.
 *
 * @example
 * const data = { targets: array([0, 0, 1, 1], [4], "i32"), classes: ["cat", "dog"] };
 * const order = stratifiedSampler(data).order(1, 0, Int32Array.of(0, 1, 2, 3));
 * [...order.subarray(0, 2)].map((i) => data.targets.data[i]).sort() // -> [0, 1]
 */
export function stratifiedSampler(data: Labelled): Sampler {
  const labels = labelsOf("stratifiedSampler", data);
  return {
    config: { kind: "stratified" },
    order(seed, epoch, indices) {
      const key = foldKey(keyFor("stratifiedSampler", seed, "stratified"), epoch);
      const places = groupsOf(labels, indices).flatMap(([label, group]) => {
        const own = foldKey(key, label);
        const offset = uniformAt(foldKey(own, "offset"), 0);
        return [...permutation(own, group.length)].map((place, i) => ({
          index: group[place] as number,
          at: (i + offset) / group.length,
        }));
      });
      return Int32Array.from(places.sort((a, b) => a.at - b.at || a.index - b.index).map(({ index }) => index));
    },
  };
}

/**
 * Draws each sample with a probability in proportion to its weight, with replacement: PyTorch's WeightedRandomSampler with as many draws as
 * samples. `weights[i]` belongs to sample i of the whole data.
 *
 * Errors: OptionError for a weight that is negative or not finite, and where all are 0.
 *
 * @example
 * weightedSampler([0, 1, 0]).order(1, 0, Int32Array.of(0, 1, 2)) // -> Int32Array [1, 1, 1]
 */
export function weightedSampler(weights: ArrayLike<number>): Sampler {
  const values = Float64Array.from(weights);
  const bad = values.findIndex((weight) => !(weight >= 0 && Number.isFinite(weight)));
  if (bad >= 0)
    throw new OptionError(
      `weightedSampler: got the weight ${values[bad]} at ${bad}; expected a finite number of at least 0.`,
      "weights",
    );
  return {
    config: { kind: "weighted" },
    order(seed, epoch, indices) {
      const sums = new Float64Array(indices.length);
      let total = 0;
      indices.forEach((index, i) => {
        total += values[index] ?? 0;
        sums[i] = total;
      });
      if (!(total > 0))
        throw new OptionError("weightedSampler: got weights of 0 for all samples; expected one above 0.", "weights");
      const key = foldKey(keyFor("weightedSampler", seed, "weighted"), epoch);
      return indices.map((_, i) => indices[firstAbove(sums, uniformAt(key, i) * total)] as number);
    },
  };
}

function keyFor(op: string, seed: number, name: string): KeyWords {
  return foldKey(keyOf(checkSeed(op, seed)), name);
}

function labelsOf(op: string, { targets, classes, name = "data" }: Labelled): HostArray {
  if (classes !== undefined && targets.dtype === "i32" && targets.shape.length === 1) return targets;
  throw new DataError(`${op}: ${name} has values as targets; expected labels with \`classes\`.`, name);
}

/** The indices of each class that has any, by label. */
function groupsOf({ data }: HostArray, indices: Int32Array): readonly (readonly [number, Int32Array])[] {
  const groups = new Map<number, number[]>();
  for (const index of indices) {
    const label = data[index] as number;
    const group = groups.get(label);
    if (group === undefined) groups.set(label, [index]);
    else group.push(index);
  }
  return [...groups].sort(([a], [b]) => a - b).map(([label, group]) => [label, Int32Array.from(group)]);
}

/** The first place whose sum is above `x`. */
function firstAbove(sums: Float64Array, x: number): number {
  let low = 0;
  let high = sums.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sums[middle] as number) > x) high = middle;
    else low = middle + 1;
  }
  return low;
}
