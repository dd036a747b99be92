import { formatAval } from "../../core/dtype.ts";
import { ShapeError } from "../../core/errors.ts";
import { HostArray } from "../../core/host-array.ts";
import type { TableEncoding } from "./encoding.ts";

/** What a model says of a row: a class with its probability and those of all, or a number in the target's own units. */
export type RowPrediction =
  | { readonly label: string; readonly probability: number; readonly probabilities: readonly number[] }
  | { readonly value: number };

/**
 * Predictions from a model's outputs, scores f32[N, C] or standardised values f32[N, 1]. Throws ShapeError for others.
 *
 * @example
 * decodeRows(await model.outputs(inputs), model.table)[0] // -> { value: 18250 }
 */
export function decodeRows(outputs: unknown, { target }: TableEncoding): readonly RowPrediction[] {
  const width = target.task === "regression" ? 1 : target.classes.length;
  if (!(outputs instanceof HostArray) || outputs.shape.length !== 2 || outputs.shape[1] !== width)
    throw new ShapeError(
      `table: got ${outputs instanceof HostArray ? formatAval(outputs.aval) : "several outputs"} from the model; expected f32[N,${width}].`,
    );
  const { data } = outputs;
  const rows = outputs.shape[0] as number;
  if (target.task === "regression")
    return Array.from({ length: rows }, (_, row) => ({ value: (data[row] as number) * target.std + target.mean }));
  return Array.from({ length: rows }, (_, row) => {
    const scores = Array.from(data.subarray(row * width, (row + 1) * width));
    const largest = scores.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY);
    const exponentials = scores.map((score) => Math.exp(score - largest));
    const sum = exponentials.reduce((total, each) => total + each, 0);
    const probabilities = exponentials.map((each) => each / sum);
    const best = scores.indexOf(largest);
    return {
      label: target.classes[best] ?? `${best}`,
      probability: probabilities[best] ?? Number.NaN,
      probabilities,
    };
  });
}
