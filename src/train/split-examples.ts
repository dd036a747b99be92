import { OptionError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import { leavesOf } from "../core/tree.ts";
import type { Dataset } from "../data/dataset.ts";
import { splitDataset } from "../data/split.ts";
import { countOf, type Examples, nameOf } from "./examples.ts";

type Held = { readonly examples: Examples; readonly indices: Int32Array | undefined; readonly count: number };

/** The samples that are trained on, by index, and those that are held out. */
export type SplitExamples = { readonly train: Int32Array; readonly validation: Held | undefined };

export function splitExamples(train: Examples, validation: number | Examples, seed: number): SplitExamples {
  const total = countOf(train);
  if (typeof validation !== "number") {
    const count = countOf(validation);
    return {
      train: Int32Array.from({ length: total }, (_, i) => i),
      validation: { examples: validation, indices: undefined, count },
    };
  }
  if (validation !== 0 && train.windows !== undefined)
    throw new OptionError(
      `fit: got validation ${validation} of windows of a text; expected a part of its own, as textData gives it.`,
      "validation",
    );
  const asDataset = { name: nameOf(train), inputs: leavesOf<HostArray>(train.inputs)[0]?.[1] } as Dataset;
  const parts = splitDataset(asDataset, { validation, seed });
  const count = parts.validation.length;
  return {
    train: parts.train,
    validation: count === 0 ? undefined : { examples: train, indices: parts.validation, count },
  };
}
