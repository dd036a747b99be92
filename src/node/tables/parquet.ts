import * as zlib from "node:zlib";
import { asyncBufferFromFile, type Compressors, parquetScan, parquetSchema } from "hyparquet";
import { DataError } from "../../core/errors.ts";
import type { Table } from "../../data/table/column.ts";
import { TableReader, type TableReaderOptions } from "../../data/table/table-reader.ts";
import { reasonOf } from "../file-store.ts";

type Unpack = (bytes: Uint8Array) => Uint8Array;

/** Snappy is hyparquet's own. Node has zstd from version 22.15 on. */
const COMPRESSORS: Compressors = {
  GZIP: (bytes) => zlib.gunzipSync(bytes),
  BROTLI: (bytes) => zlib.brotliDecompressSync(bytes),
  ...("zstdDecompressSync" in zlib ? { ZSTD: zlib.zstdDecompressSync as Unpack } : {}),
};

/** The rows of a Parquet file as records, a row group at a time. Errors: as `readParquet`. */
export async function* parquetRecords(
  path: string,
): AsyncGenerator<readonly Readonly<Record<string, unknown>>[], void, void> {
  const fail = (error: unknown): never => {
    throw new DataError(`table: cannot read ${path} as Parquet: ${reasonOf(error)}.`, path);
  };
  const file = await asyncBufferFromFile(path).catch(fail);
  const scan = await parquetScan({ file, compressors: COMPRESSORS }).catch(fail);
  const names = parquetSchema(scan.metadata).children.map(({ element }) => element.name);
  for (const { rowStart, rowEnd } of scan.ranges) {
    const columns: ArrayLike<unknown>[] = [];
    for (const column of names) columns.push(await scan.readColumn({ column, rowStart, rowEnd }).catch(fail));
    yield Array.from({ length: rowEnd - rowStart }, (_, i) =>
      Object.fromEntries(names.map((name, k) => [name, columns[k]?.[i]])),
    );
  }
}

/**
 * A table from a Parquet file, a column of a row group at a time. Errors: DataError where it is damaged, and for columns of
 * lists and records that are not left out.
 */
export async function readParquet(path: string, options: TableReaderOptions): Promise<Table> {
  const fail = (error: unknown): never => {
    if (error instanceof DataError) throw error;
    throw new DataError(`table: cannot read ${path} as Parquet: ${reasonOf(error)}.`, path);
  };
  const file = await asyncBufferFromFile(path).catch(fail);
  const scan = await parquetScan({ file, compressors: COMPRESSORS }).catch(fail);
  const names = parquetSchema(scan.metadata).children.map(({ element }) => element.name);
  const reader = new TableReader(names, options);
  for (const { rowStart, rowEnd } of scan.ranges)
    for (const [i, column] of names.entries()) {
      if (!reader.wants(i)) continue;
      const values = await scan.readColumn({ column, rowStart, rowEnd }).catch(fail);
      if (values.length !== rowEnd - rowStart)
        throw new DataError(
          `table: ${path} has ${values.length} values in column ${column} from row ${rowStart + 1} on; expected ${rowEnd - rowStart}.`,
          path,
        );
      reader.addToColumn(i, values, rowStart + 1);
    }
  return reader.finish();
}
