import { extname } from "node:path";
import { OptionError } from "../../core/errors.ts";
import { type MetricTable, metricTable } from "../../train/metric-table.ts";
import { readEvents } from "../event-log.ts";
import { writeFileAtomic } from "../file-store.ts";

type Encode = (table: MetricTable) => Uint8Array | string | Promise<Uint8Array>;

/** Formats by the ends of their files' names. */
const FORMATS: Readonly<Record<string, Encode>> = {
  ".csv": ({ columns, rows }) =>
    [columns, ...rows.map((row) => columns.map((column) => row[column] ?? ""))]
      .map((cells) => `${cells.map(cellOf).join(",")}\n`)
      .join(""),
  ".jsonl": ({ rows }) => rows.map((row) => `${JSON.stringify(row)}\n`).join(""),
  ".parquet": async (table) => (await import("./parquet.ts")).encodeParquet(table),
};

/** Quoted where it must be (RFC 4180). */
function cellOf(value: string | number): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * The metrics of a recorded run as a table: a `.csv` with a header, a `.jsonl` with an object a line or a `.parquet` file, with
 * one row for each step, epoch and test (see `metricTable`). A number that was not finite is an empty cell or null.
 *
 * Errors: OptionError for another ending; DataError where the run is not there or damaged, or the file cannot be written, of
 * which then nothing is left behind.
 *
 * @example
 * await exportMetrics("runs/2025-01-31-142530-mnist-cnn", "mnist.parquet");
 */
export async function exportMetrics(run: string, file: string): Promise<{ readonly rows: number }> {
  const encode = Object.hasOwn(FORMATS, extname(file).toLowerCase()) ? FORMATS[extname(file).toLowerCase()] : undefined;
  if (encode === undefined)
    throw new OptionError(
      `metrics: got the file ${file}; expected one that ends in ${Object.keys(FORMATS).join(", ")}.`,
      file,
    );
  const table = metricTable(readEvents(run, "export"));
  await writeFileAtomic(file, await encode(table));
  return { rows: table.rows.length };
}
