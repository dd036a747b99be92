import { DataError } from "../../core/errors.ts";
import { HostArray } from "../../core/host-array.ts";
import type { Column, Table } from "./column.ts";
import { cyclesOf, yearOf } from "./dates.ts";
import {
  type ColumnEncoding,
  columnOf,
  inputSizes,
  labelOf,
  levelsOf,
  type TableEncoding,
  widthOf,
} from "./encoding.ts";

/** f32[N, K] where no category is embedded, else that (if there are numbers) and indices i32[N, C]. */
export type TableInputs = HostArray | { readonly numbers?: HostArray; readonly categories: HostArray };

/** These rows of a table as inputs. The table must have been read as `kindsOf` says. */
export function encodeInputs(table: Table, encoding: TableEncoding, rows: Int32Array): TableInputs {
  const { numbers: width, categories } = inputSizes(encoding);
  const numbers = new Float32Array(rows.length * width);
  const indices = new Int32Array(rows.length * categories);
  let number = 0;
  let category = 0;
  let level = 0;
  for (const column of encoding.columns) {
    const values = columnOf(table, column.name);
    if (values.kind !== column.kind)
      throw new DataError(
        `table: ${table.name} has a ${values.kind} in column ${column.name}; expected a ${column.kind}, as in training.`,
        column.name,
      );
    if (column.kind === "category" && column.as === "embedding") {
      const [at, first] = [category++, level];
      const indexOf = embeddedIndices(values as Column & { kind: "category" }, column);
      rows.forEach((row, i) => {
        indices[i * categories + at] = first + indexOf(row);
      });
      level += levelsOf(column);
    } else {
      const write = writerOf(values, column);
      for (let i = 0; i < rows.length; i++) write(rows[i] as number, numbers, i * width + number);
      number += widthOf(column);
    }
  }
  const dense = new HostArray("f32", [rows.length, width], numbers);
  if (categories === 0) return dense;
  const embedded = new HostArray("i32", [rows.length, categories], indices);
  return width === 0 ? { categories: embedded } : { numbers: dense, categories: embedded };
}

type Write = (row: number, into: Float32Array, at: number) => void;

/** Writes a row's numbers; what is left alone is 0. */
function writerOf(values: Column, column: ColumnEncoding): Write {
  if (column.kind === "category") {
    const slots = slotsOf(values as Column & { kind: "category" }, column.levels);
    const { codes } = values as Column & { kind: "category" };
    return (row, into, at) => {
      const code = codes[row] as number;
      const slot = code < 0 ? (column.missing ? column.levels.length : -1) : (slots[code] as number);
      if (slot >= 0) into[at + slot] = 1;
    };
  }
  const { values: numbers } = values as Exclude<Column, { kind: "category" }>;
  const last = widthOf(column) - 1;
  return (row, into, at) => {
    const value = numbers[row] as number;
    const missing = Number.isNaN(value);
    if (missing && column.missing) into[at + last] = 1;
    if (column.kind === "number") into[at] = ((missing ? column.fill : value) - column.mean) / column.std;
    else if (!missing && column.kind === "boolean") into[at] = 2 * value - 1;
    else if (!missing && column.kind === "date") {
      into[at] = (yearOf(value) - column.mean) / column.std;
      into.set(cyclesOf(value, column.time), at + 1);
    }
  };
}

/** The place among `levels` of each of the column's own, -1 where it has none. */
function slotsOf(column: Column & { kind: "category" }, levels: readonly string[]): readonly number[] {
  const places = new Map(levels.map((level, i) => [level, i]));
  return column.levels.map((level) => places.get(level) ?? -1);
}

function embeddedIndices(
  column: Column & { kind: "category" },
  { levels, missing }: ColumnEncoding & { kind: "category" },
): (row: number) => number {
  const slots = slotsOf(column, levels);
  const first = missing ? 2 : 1;
  return (row) => {
    const code = column.codes[row] as number;
    if (code < 0) return missing ? 1 : 0;
    const slot = slots[code] as number;
    return slot < 0 ? 0 : first + slot;
  };
}

/** The rows that have a value in a column. */
export function rowsWith(table: Table, name: string): Int32Array {
  const column = columnOf(table, name);
  const has = (row: number): boolean =>
    column.kind === "category" ? (column.codes[row] as number) >= 0 : !Number.isNaN(column.values[row]);
  const found = new Int32Array(table.rows);
  let count = 0;
  for (let row = 0; row < table.rows; row++) if (has(row)) found[count++] = row;
  return found.slice(0, count);
}

/**
 * Targets of these rows: classes i32[N], or standardised values f32[N, 1]. Throws DataError for a class that was not there in
 * training.
 */
export function encodeTargets(table: Table, { target }: TableEncoding, rows: Int32Array): HostArray {
  const column = columnOf(table, target.name);
  if (target.task === "regression") {
    const { values } = column as Column & { kind: "number" };
    const data = Float32Array.from(rows, (row) => ((values[row] as number) - target.mean) / target.std);
    return new HostArray("f32", [rows.length, 1], data);
  }
  const indices = new Map(target.classes.map((name, i) => [name, i]));
  const data = Int32Array.from(rows, (row) => {
    const label = labelOf(column as Exclude<Column, { kind: "date" }>, row);
    const index = label === undefined ? undefined : indices.get(label);
    if (index === undefined)
      throw new DataError(
        `table: ${table.name}, row ${(table.rowsBefore ?? 0) + row + 1} has ${label === undefined ? "nothing" : JSON.stringify(label)} in the target ${target.name}; expected ${target.classes.join(", ")}, the classes of training.`,
        `${table.name}, row ${(table.rowsBefore ?? 0) + row + 1}, column ${target.name}`,
      );
    return index;
  });
  return new HostArray("i32", [rows.length], data);
}
