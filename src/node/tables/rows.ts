import { DataError } from "../../core/errors.ts";
import type { Table } from "../../data/table/column.ts";
import { decodeRows, type RowPrediction } from "../../data/table/decode.ts";
import { rowsWith } from "../../data/table/encode.ts";
import { kindsOf, type TableEncoding } from "../../data/table/encoding.ts";
import { encodingOf, type TableModel } from "../../data/table/rows.ts";
import { type TableExamples, tableExamples } from "../../data/table/table-data.ts";
import type { Rows, RowText } from "../../data/table/text-tables.ts";
import { isArrayFile, readArrayTable } from "./arrays.ts";
import { readTableFile } from "./read-file.ts";

/** `predictRows` for files too, of any kind that `table` reads. */
export async function predictRows(model: TableModel, rows: string | RowText): Promise<readonly RowPrediction[]> {
  const encoding = encodingOf(model);
  const { inputs } = await readRows(rows, encoding);
  return decodeRows(await model.outputs(inputs as never), encoding);
}

/** Inputs of rows to predict. Throws DataError as `predictRows`. */
export async function readRows(source: string | RowText, encoding: TableEncoding): Promise<Rows> {
  const { allRows } = await import("../../data/table/text-tables.ts");
  return allRows(await read(source, encoding, false), encoding);
}

/** Rows with their targets, to evaluate a model on. Rows without a target are left out. Throws DataError as `predictRows`. */
export async function readTestRows(source: string | RowText, encoding: TableEncoding): Promise<TableExamples> {
  const table = await read(source, encoding, true);
  const rows = rowsWith(table, encoding.target.name);
  if (rows.length === 0)
    throw new DataError(`table: ${table.name} has no value in the target ${encoding.target.name}.`, table.name);
  return tableExamples(table, encoding, rows);
}

async function read(source: string | RowText, encoding: TableEncoding, withTarget: boolean): Promise<Table> {
  if (typeof source !== "string") {
    const { readEncodedText } = await import("../../data/table/text-tables.ts");
    return readEncodedText(source, encoding, withTarget);
  }
  if (isArrayFile(source)) return (await readArrayTable(source, undefined, withTarget)).table;
  return readTableFile(source, { columns: kindsOf(encoding, withTarget), strict: true });
}
