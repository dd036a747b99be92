import type { Table } from "./column.ts";
import { encodeInputs, type TableInputs } from "./encode.ts";
import { kindsOf, type TableEncoding } from "./encoding.ts";
import { readJsonLines } from "./json-lines.ts";
import { readCsvTable, type TableReaderOptions } from "./table-reader.ts";

export { decodeRows } from "./decode.ts";
export { tableData } from "./table-data.ts";

/** Rows as a text: CSV with a line of names, or JSON lines. `name` stands in errors. */
export type RowText = { readonly text: string | Uint8Array; readonly name?: string };

/** Inputs of all rows of a table. */
export type Rows = { readonly inputs: TableInputs; readonly count: number };

/** A table from text: JSON lines where it begins with a brace, else CSV. */
export function readTextTable(file: string | Uint8Array, options: TableReaderOptions = {}): Table {
  const text = typeof file === "string" ? file : new TextDecoder().decode(file);
  return /^\uFEFF?\s*\{/.test(text) ? readJsonLines(text, options) : readCsvTable(text, options);
}

/** A table from text as a model's encoding wants it; other columns are left out. */
export function readEncodedText({ text, name }: RowText, encoding: TableEncoding, withTarget: boolean): Table {
  return readTextTable(text, {
    columns: kindsOf(encoding, withTarget),
    strict: true,
    ...(name === undefined ? {} : { name }),
  });
}

/** Inputs of all rows of a table that was read as `kindsOf` says. */
export function allRows(table: Table, encoding: TableEncoding): Rows {
  const all = Int32Array.from({ length: table.rows }, (_, row) => row);
  return { inputs: encodeInputs(table, encoding, all), count: table.rows };
}
