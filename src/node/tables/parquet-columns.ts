import * as zlib from "node:zlib";
import { asyncBufferFromFile, type Compressors, parquetScan, parquetSchema } from "hyparquet";

type Unpack = (bytes: Uint8Array) => Uint8Array;

/** Snappy is hyparquet's own. Node has zstd from version 22.15 on. */
const COMPRESSORS: Compressors = {
  GZIP: (bytes) => zlib.gunzipSync(bytes),
  BROTLI: (bytes) => zlib.brotliDecompressSync(bytes),
  ...("zstdDecompressSync" in zlib ? { ZSTD: zlib.zstdDecompressSync as Unpack } : {}),
};

/** Rows of a file that can be read at once. */
export type RowRange = { readonly rowStart: number; readonly rowEnd: number };

export type ParquetColumns = {
  readonly names: readonly string[];
  readonly ranges: readonly RowRange[];
  /** A column's values in a range. */
  readonly read: (column: string, range: RowRange) => Promise<ArrayLike<unknown>>;
};

/** A Parquet file's columns. Throws what hyparquet throws for a damaged file, if it comes to an end with it. */
export async function openColumns(path: string): Promise<ParquetColumns> {
  const scan = await parquetScan({ file: await asyncBufferFromFile(path), compressors: COMPRESSORS });
  return {
    names: parquetSchema(scan.metadata).children.map(({ element }) => element.name),
    ranges: scan.ranges.map(({ rowStart, rowEnd }) => ({ rowStart, rowEnd })),
    read: (column, { rowStart, rowEnd }) => scan.readColumn({ column, rowStart, rowEnd }),
  };
}
