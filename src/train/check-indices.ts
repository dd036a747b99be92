import { DataError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import { leavesOf } from "../core/tree.ts";
import { indexRanges } from "../nn/index-ranges.ts";
import type { AvalsOf } from "../nn/layer.ts";
import { batchAvals, type Examples, nameOf } from "./examples.ts";
import type { AnyModel, ModelState, TensorTree } from "./task.ts";

/**
 * Checks inputs that are indices against the embeddings that look them up. In the compiled step, where nothing can throw, one out
 * of range gives NaN.
 *
 * Errors: DataError that names the first index out of range, its sample, and the embedding.
 */
export function checkIndices(model: AnyModel, state: ModelState, examples: Examples): void {
  const arrays = new Map(leavesOf<HostArray>(examples.inputs));
  if (![...arrays.values()].some(({ dtype }) => dtype === "i32")) return;
  const types = batchAvals(examples.inputs, 1, true) as AvalsOf<TensorTree>;
  for (const { input, layer, rows } of indexRanges(model, state.params, state.buffers, types)) {
    const { data, shape } = arrays.get(input) as HostArray;
    const check = (values: HostArray["data"], place: (i: number) => string): void => {
      for (let i = 0; i < values.length; i++) {
        const index = values[i] as number;
        if (index >= 0 && index < rows) continue;
        const where = input === "" ? "inputs" : `inputs.${input}`;
        throw new DataError(
          `${nameOf(examples)}: got the index ${index} in ${where} of ${place(i)}; expected 0 to ${rows - 1}, the rows of ${layer}.`,
          where,
        );
      }
    };
    check(data, (i) => `sample ${Math.floor((i * (shape[0] as number)) / data.length)}`);
    if (examples.windows !== undefined) check(examples.windows.tokens.data, (i) => `token ${i}`);
  }
}
