import { DataError } from "../../core/errors.ts";
import type { Table } from "../../data/table/column.ts";
import { TableReader, type TableReaderOptions } from "../../data/table/table-reader.ts";
import { reasonOf } from "../file-store.ts";
import { type GuardedColumns, openGuarded } from "./guarded-columns.ts";
import type { ParquetColumns } from "./parquet-columns.ts";

/** The rows of a Parquet file as records, a row group at a time. Errors: as `readParquet`. */
export async function* parquetRecords(
  path: string,
): AsyncGenerator<readonly Readonly<Record<string, unknown>>[], void, void> {
  const file = await open(path);
  try {
    for (const range of file.ranges) {
      const columns: ArrayLike<unknown>[] = [];
      for (const column of file.names) columns.push(await file.read(column, range));
      yield Array.from({ length: range.rowEnd - range.rowStart }, (_, i) =>
        Object.fromEntries(file.names.map((name, k) => [name, columns[k]?.[i]])),
      );
    }
  } finally {
    await file.close();
  }
}

/**
 * A table from a Parquet file, a column of a row group at a time. Errors: DataError where it is damaged, and for columns of
 * lists and records that are not left out.
 */
export async function readParquet(path: string, options: TableReaderOptions): Promise<Table> {
  const file = await open(path);
  try {
    const reader = new TableReader(file.names, options);
    const parts = file.ranges.flatMap((range) =>
      file.names.flatMap((name, column) => (reader.wants(column) ? [{ range, name, column }] : [])),
    );
    const readPart = (at: number): ReturnType<ParquetColumns["read"]> | undefined => {
      const part = parts[at];
      const values = part === undefined ? undefined : file.read(part.name, part.range);
      // It may fail before it is waited for.
      values?.catch(() => {});
      return values;
    };
    let next = readPart(0);
    for (const [i, { column, range }] of parts.entries()) {
      const values = (await next) as ArrayLike<unknown>;
      next = readPart(i + 1);
      reader.addToColumn(column, values, range.rowStart + 1);
    }
    return reader.finish();
  } finally {
    await file.close();
  }
}

/** The file's columns, with errors that name it. */
async function open(path: string): Promise<GuardedColumns> {
  const fail = (error: unknown): never => {
    throw new DataError(`table: cannot read ${path} as Parquet: ${reasonOf(error)}.`, path);
  };
  const file = await openGuarded(path).catch(fail);
  return {
    ...file,
    async read(column, range) {
      const values = await file.read(column, range).catch(fail);
      if (values.length !== range.rowEnd - range.rowStart)
        throw new DataError(
          `table: ${path} has ${values.length} values in column ${column} from row ${range.rowStart + 1} on; expected ${range.rowEnd - range.rowStart}.`,
          path,
        );
      return values;
    },
  };
}
