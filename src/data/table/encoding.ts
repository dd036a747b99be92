import { DataError } from "../../core/errors.ts";
import type { DateOrder } from "./cells.ts";
import type { Column, ColumnKind, ColumnKinds, Table } from "./column.ts";
import { sortedLevels } from "./column-builder.ts";
import { yearOf } from "./dates.ts";

/** With at most so many different values a category has a 0 or 1 for each; with more it is embedded. */
const MAX_ONE_HOT = 16;
/** An embedded category needs so many training rows for a vector of its own. */
const MIN_EMBEDDED_ROWS = 2;

/**
 * How a column becomes inputs, as learned on the training rows. `missing` columns had rows without a value there: each
 * has a 0 or 1 of its own for that.
 *
 * - `number`: (x - mean) / std, what is missing as `fill`.
 * - `boolean`: -1 or 1, what is missing as 0.
 * - `category`, one-hot: 0 or 1 for each of `levels`; another value is all 0.
 * - `category`, embedding: an index into one table for all embedded columns, each with rows of its own in it: the first for
 *   another value, then one for what is missing where `missing`, then the levels.
 * - `date`: the year with its fraction, standardised; sine and cosine of the month and the weekday, and of the time of day
 *   where `time`; what is missing as 0 everywhere.
 */
export type ColumnEncoding =
  | {
      readonly kind: "number";
      readonly name: string;
      readonly mean: number;
      readonly std: number;
      readonly fill: number;
      readonly missing: boolean;
    }
  | { readonly kind: "boolean"; readonly name: string; readonly missing: boolean }
  | {
      readonly kind: "category";
      readonly name: string;
      readonly levels: readonly string[];
      readonly as: "one-hot" | "embedding";
      readonly missing: boolean;
    }
  | {
      readonly kind: "date";
      readonly name: string;
      readonly order: DateOrder;
      readonly time: boolean;
      readonly mean: number;
      readonly std: number;
      readonly missing: boolean;
    };

/** What is predicted: a class of these, or a number, which is trained on as (y - mean) / std. */
export type TargetEncoding =
  | {
      readonly task: "classification";
      readonly name: string;
      readonly kind: "number" | "boolean" | "category";
      readonly classes: readonly string[];
    }
  | { readonly task: "regression"; readonly name: string; readonly mean: number; readonly std: number };

/** How rows of a table become inputs and targets. Plain data, saved with the model, so that other rows are read the same way. */
export type TableEncoding = { readonly columns: readonly ColumnEncoding[]; readonly target: TargetEncoding };

export type Task = TargetEncoding["task"];

/** What stands for numbers that are missing. */
export type Fill = "mean" | "median";

/** Learns from these rows of a table, the training rows, and no others. */
export function learnEncoding(
  table: Table,
  rows: Int32Array,
  { target, task, fill = "mean" }: { readonly target: string; readonly task: Task; readonly fill?: Fill },
): TableEncoding {
  return {
    columns: table.columns.filter(({ name }) => name !== target).map((column) => learnColumn(column, rows, fill)),
    target: learnTarget(columnOf(table, target), rows, task, table.name),
  };
}

export function columnOf(table: Table, name: string): Column {
  const column = table.columns.find((each) => each.name === name);
  if (column !== undefined) return column;
  throw new DataError(`table: ${table.name} has no column ${JSON.stringify(name)}.`, table.name);
}

function learnColumn(column: Column, rows: Int32Array, fill: Fill): ColumnEncoding {
  const { name } = column;
  if (column.kind === "category") {
    const counts = new Array<number>(column.levels.length).fill(0);
    let missing = false;
    for (const row of rows) {
      const code = column.codes[row] as number;
      if (code < 0) missing = true;
      else counts[code] = (counts[code] as number) + 1;
    }
    const seen = column.levels.filter((_, code) => (counts[code] as number) > 0);
    if (seen.length <= MAX_ONE_HOT) return { kind: "category", name, levels: seen, as: "one-hot", missing };
    const levels = column.levels.filter((_, code) => (counts[code] as number) >= MIN_EMBEDDED_ROWS);
    return { kind: "category", name, levels, as: "embedding", missing };
  }
  const present: number[] = [];
  for (const row of rows) if (!Number.isNaN(column.values[row])) present.push(column.values[row] as number);
  const missing = present.length < rows.length;
  if (column.kind === "boolean") return { kind: "boolean", name, missing };
  if (column.kind === "number") {
    const { mean, std } = momentsOf(present);
    return { kind: "number", name, mean, std, fill: fill === "mean" ? mean : medianOf(present), missing };
  }
  const { mean, std } = momentsOf(present.map(yearOf));
  const time = present.some((at) => at % 86_400_000 !== 0);
  return { kind: "date", name, order: column.order, time, mean, std, missing };
}

/** Mean and standard deviation (of the population; 1 where all are the same) in two passes; 0 and 1 of nothing. */
export function momentsOf(values: ArrayLike<number>): { readonly mean: number; readonly std: number } {
  const count = values.length;
  if (count === 0) return { mean: 0, std: 1 };
  let sum = 0;
  for (let i = 0; i < count; i++) sum += values[i] as number;
  const mean = sum / count;
  let squares = 0;
  for (let i = 0; i < count; i++) squares += ((values[i] as number) - mean) ** 2;
  const std = Math.sqrt(squares / count);
  // What rounding leaves of equal values is no deviation.
  return { mean, std: std > 1e-12 * Math.abs(mean) ? std : 1 };
}

function medianOf(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const sorted = Float64Array.from(values).sort();
  const half = sorted.length >> 1;
  const [low = 0, high = 0] = [sorted[half - 1], sorted[half]];
  return sorted.length % 2 === 1 ? high : (low + high) / 2;
}

export function learnTarget(column: Column, rows: Int32Array, task: Task, file: string): TargetEncoding {
  const { name } = column;
  if (task === "regression") {
    if (column.kind !== "number")
      throw new DataError(
        `table: ${file} has a ${column.kind} as target ${name}; expected numbers for a regression.`,
        name,
      );
    return { task, name, ...momentsOf(Array.from(rows, (row) => column.values[row] as number)) };
  }
  if (column.kind === "date")
    throw new DataError(`table: ${file} has dates as target ${name}; expected classes or numbers.`, name);
  return { task, name, kind: column.kind, classes: classesOf(column, rows) };
}

/** The different values of a target in these rows, in their order. */
export function classesOf(column: Exclude<Column, { kind: "date" }>, rows: Int32Array): readonly string[] {
  const found = new Set<string>();
  for (const row of rows) {
    const label = labelOf(column, row);
    if (label !== undefined) found.add(label);
  }
  return column.kind === "boolean" ? column.levels : sortedLevels([...found]);
}

/** A row's class; undefined where it is missing. */
export function labelOf(column: Exclude<Column, { kind: "date" }>, row: number): string | undefined {
  if (column.kind === "category") return column.levels[column.codes[row] as number];
  const value = column.values[row] as number;
  if (Number.isNaN(value)) return undefined;
  return column.kind === "boolean" ? column.levels[value] : String(value);
}

/** What a table must be read as to be encoded so: its columns, and the target where it is wanted. */
export function kindsOf({ columns, target }: TableEncoding, withTarget: boolean): ColumnKinds {
  const kinds = columns.map((column): [string, ColumnKind] => [
    column.name,
    column.kind !== "date" || column.order === "iso" ? column.kind : (`date ${column.order}` as const),
  ]);
  if (withTarget) kinds.push([target.name, target.task === "regression" ? "number" : target.kind]);
  return Object.fromEntries(kinds);
}

export type InputSizes = {
  /** Numbers of a row. */
  readonly numbers: number;
  /** Indices of a row. */
  readonly categories: number;
  /** Rows of the table that they are indices into. */
  readonly levels: number;
};

export function inputSizes({ columns }: TableEncoding): InputSizes {
  return {
    numbers: columns.reduce((sum, column) => sum + widthOf(column), 0),
    categories: columns.filter((column) => levelsOf(column) > 0).length,
    levels: columns.reduce((sum, column) => sum + levelsOf(column), 0),
  };
}

/** How many rows of the embeddings' table a column has. */
export function levelsOf(column: ColumnEncoding): number {
  if (column.kind !== "category" || column.as !== "embedding") return 0;
  return 1 + (column.missing ? 1 : 0) + column.levels.length;
}

/** How many of the inputs' numbers a column makes. */
export function widthOf(column: ColumnEncoding): number {
  const missing = column.missing ? 1 : 0;
  if (column.kind === "number" || column.kind === "boolean") return 1 + missing;
  if (column.kind === "category") return column.as === "one-hot" ? column.levels.length + missing : 0;
  return (column.time ? 7 : 5) + missing;
}
