import { DataError } from "../../core/errors.ts";
import type { Table } from "./column.ts";
import { TableReader, type TableReaderOptions } from "./table-reader.ts";

/**
 * A table in JSON lines, an object for each row; a row without a key has no value there. Errors: DataError naming the file and
 * the line.
 */
export function readJsonLines(text: string, options: TableReaderOptions = {}): Table {
  const { name: file = "table" } = options;
  const names = new Set<string>();
  const rows: Readonly<Record<string, unknown>>[] = [];
  for (const [i, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const row = parseRow(line, file, i + 1);
    for (const name of Object.keys(row)) names.add(name);
    rows.push(row);
  }
  if (rows.length === 0) throw new DataError(`table: ${file} is empty; expected an object of JSON in each line.`, file);
  const reader = new TableReader([...names], options);
  for (const row of rows) reader.addRecord(row);
  return reader.finish();
}

/** One line. `number` is its own, from 1. */
export function parseRow(line: string, file: string, number: number): Readonly<Record<string, unknown>> {
  const fail = (what: string): never => {
    throw new DataError(`table: ${file}, line ${number} ${what}`, `${file}, line ${number}`);
  };
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    return fail(`is no JSON: ${(error as Error).message}.`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return fail("is no object; expected the columns by their names.");
  return value as Readonly<Record<string, unknown>>;
}
