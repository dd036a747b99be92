import { DataError } from "../../core/errors.ts";
import type { Table } from "../../data/table/column.ts";
import { encodeInputs, rowsWith, type TableInputs } from "../../data/table/encode.ts";
import { kindsOf, type TableEncoding } from "../../data/table/encoding.ts";
import { readJsonLines } from "../../data/table/json-lines.ts";
import { type TableExamples, tableExamples } from "../../data/table/table-data.ts";
import { readCsvTable, type TableReaderOptions } from "../../data/table/table-reader.ts";
import { isArrayFile, readArrayTable } from "./arrays.ts";
import { readTableFile } from "./read-file.ts";

/** Rows as a text, such as standard input's: JSON lines, or CSV with a line of names. */
export type RowText = { readonly text: string; readonly name: string };

/** Inputs of all rows of a table, for a model that was trained on this encoding. */
export type Rows = { readonly inputs: TableInputs; readonly count: number };

/**
 * Rows to predict from a file, or from text, read as the model's table was: other columns do not matter, the target is not needed,
 * and a category that training never saw counts as another.
 *
 * Errors: DataError naming a column that is missing, or the row and value of one that is of another type.
 *
 * @example
 * const { inputs } = await readRows("new-cars.csv", model.table);
 * decodeRows(await model.outputs(inputs), model.table)
 */
export async function readRows(source: string | RowText, encoding: TableEncoding): Promise<Rows> {
  const table = await read(source, encoding, false);
  const all = Int32Array.from({ length: table.rows }, (_, row) => row);
  return { inputs: encodeInputs(table, encoding, all), count: table.rows };
}

/** Rows with their targets, to evaluate a model on. Rows without a target are left out. Throws DataError as `readRows`. */
export async function readTestRows(source: string | RowText, encoding: TableEncoding): Promise<TableExamples> {
  const table = await read(source, encoding, true);
  const rows = rowsWith(table, encoding.target.name);
  if (rows.length === 0)
    throw new DataError(`table: ${table.name} has no value in the target ${encoding.target.name}.`, table.name);
  return tableExamples(table, encoding, rows);
}

async function read(source: string | RowText, encoding: TableEncoding, withTarget: boolean): Promise<Table> {
  if (typeof source === "string" && isArrayFile(source)) return (await readArrayTable(source)).table;
  const options: TableReaderOptions = { columns: kindsOf(encoding, withTarget), strict: true };
  if (typeof source === "string") return readTableFile(source, options);
  const named = { ...options, name: source.name };
  return /^\s*\{/.test(source.text) ? readJsonLines(source.text, named) : readCsvTable(source.text, named);
}
