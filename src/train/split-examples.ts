import { OptionError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import { leavesOf } from "../core/tree.ts";
import type { Dataset } from "../data/dataset.ts";
import { splitDataset } from "../data/split.ts";
import { countOf, type Examples, nameOf } from "./examples.ts";

type Held = { readonly examples: Examples; readonly indices: Int32Array | undefined; readonly count: number };

/** The samples that are trained on, and those that are held out. */
export type SplitExamples = {
  /** Samples of an epoch. */
  readonly count: number;
  /** Where they are, if they are in memory. */
  readonly train: Int32Array;
  readonly validation: Held | undefined;
};

export function splitExamples(train: Examples, validation: number | Examples, seed: number): SplitExamples {
  const total = countOf(train);
  if (typeof validation === "number" && validation !== 0)
    for (const [what, hint] of [
      [train.windows && "windows of a text", "as textData gives it"],
      [train.stream && "a stream", "in memory or another stream"],
    ])
      if (what !== undefined)
        throw new OptionError(
          `fit: got validation ${validation} of ${what}; expected a part of its own, ${hint}.`,
          "validation",
        );
  if (typeof validation !== "number" || train.stream !== undefined)
    return {
      count: total,
      train: Int32Array.from({ length: train.stream === undefined ? total : 0 }, (_, i) => i),
      validation:
        typeof validation === "number"
          ? undefined
          : { examples: validation, indices: undefined, count: countOf(validation) },
    };
  const asDataset = { name: nameOf(train), inputs: leavesOf<HostArray>(train.inputs)[0]?.[1] } as Dataset;
  const parts = splitDataset(asDataset, { validation, seed });
  const count = parts.validation.length;
  return {
    count: parts.train.length,
    train: parts.train,
    validation: count === 0 ? undefined : { examples: train, indices: parts.validation, count },
  };
}
