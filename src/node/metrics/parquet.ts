import { parquetWriteBuffer } from "hyparquet-writer";
import type { MetricTable } from "../../train/metric-table.ts";

const TYPES: Readonly<Record<string, "STRING" | "INT32">> = { type: "STRING", step: "INT32", epoch: "INT32" };

/** A Parquet file, compressed with Snappy: text, whole numbers of 32 bits and doubles. */
export function encodeParquet({ columns, rows }: MetricTable): Uint8Array {
  return new Uint8Array(
    parquetWriteBuffer({
      columnData: columns.map((name) => ({
        name,
        type: TYPES[name] ?? "DOUBLE",
        data: rows.map((row) => row[name] ?? null),
        nullable: name !== "type" && name !== "step",
      })),
    }),
  );
}
