import { DataError } from "../core/errors.ts";
import { HostArray } from "../core/host-array.ts";

export type LabelledRowsForm = {
  readonly features: number;
  readonly classes: number;
  /** Whether a line stands before the rows that begins with their number and the number of features. */
  readonly counted: boolean;
  /** u8 where all values are whole numbers from 0 to 255. */
  readonly dtype: "f32" | "u8";
};

export type LabelledRows = {
  /** [N, features]. */
  readonly inputs: HostArray;
  /** i32 [N]. */
  readonly labels: HostArray;
};

const NUMBER = /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i;

/**
 * Rows of numbers between commas, the label last, as scikit-learn keeps its small data sets: `5.1,3.5,1.4,0.2,0`.
 *
 * Throws DataError naming `name` and the line for a row of another width, what is no number, a label out of range, and a
 * count that differs from the rows.
 *
 * @example
 * decodeLabelledRows("2,1,no,yes\n0.5,0\n1.5,1\n", { features: 1, classes: 2, counted: true, dtype: "f32" }).labels.data
 * // -> Int32Array [0, 1]
 */
export function decodeLabelledRows(
  file: string | Uint8Array,
  { features, classes, counted, dtype }: LabelledRowsForm,
  name = "rows",
): LabelledRows {
  const text = typeof file === "string" ? file : new TextDecoder().decode(file);
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  const fail = (line: number, what: string): never => {
    throw new DataError(`rows: ${name}, line ${line} ${what}`, `${name}, line ${line}`);
  };
  const first = counted ? 1 : 0;
  const count = lines.length - first;
  if (count < 1) fail(1, "is the last one; expected rows of numbers.");
  if (counted) {
    const [rows, width] = (lines[0] as string).split(",");
    if (Number(rows) !== count || Number(width) !== features)
      fail(1, `claims ${rows} rows of ${width} features; expected ${count} of ${features}. Is the file truncated?`);
  }
  const values = dtype === "u8" ? new Uint8Array(count * features) : new Float32Array(count * features);
  const labels = new Int32Array(count);
  for (let row = 0; row < count; row++) {
    const line = row + first + 1;
    const cells = (lines[row + first] as string).split(",");
    if (cells.length !== features + 1)
      fail(line, `has ${cells.length} values; expected ${features} and a label. Is the file truncated?`);
    for (const [column, cell] of cells.entries()) {
      const value = Number(cell);
      const isLabel = column === features;
      const limit = isLabel ? classes : dtype === "u8" ? 256 : Number.POSITIVE_INFINITY;
      const isWhole = limit === Number.POSITIVE_INFINITY || (Number.isInteger(value) && value >= 0);
      if (!NUMBER.test(cell) || !isWhole || value >= limit)
        fail(
          line,
          `has ${JSON.stringify(cell.slice(0, 40))} in column ${column + 1}; expected ${
            limit === Number.POSITIVE_INFINITY ? "a number" : `a whole number from 0 to ${limit - 1}`
          }.`,
        );
      if (isLabel) labels[row] = value;
      else values[row * features + column] = value;
    }
  }
  return {
    inputs: new HostArray(dtype, [count, features], values),
    labels: new HostArray("i32", [count], labels),
  };
}
