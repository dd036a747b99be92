import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { createGunzip } from "node:zlib";
import { DataError } from "../../core/errors.ts";
import type { Table } from "../../data/table/column.ts";
import { readJsonLines } from "../../data/table/json-lines.ts";
import { CsvTableReader, type TableReaderOptions } from "../../data/table/table-reader.ts";
import { isMissing, reasonOf } from "../file-store.ts";

const NAME = /\.(csv|tsv|jsonl|ndjson|parquet)(\.gz)?$/i;

/** Whether a file's name is that of a table. */
export function isTableFile(path: string): boolean {
  const [, kind = "", packed] = NAME.exec(path) ?? [];
  return kind !== "" && !(packed !== undefined && kind.toLowerCase() === "parquet");
}

/**
 * A table from a file: CSV (also with tabs or semicolons), JSON lines or Parquet, by its name; `.gz` of the first two. CSV and
 * Parquet are read in pieces.
 *
 * Errors: DataError naming the file and what is wrong where.
 */
export async function readTableFile(path: string, options: TableReaderOptions = {}): Promise<Table> {
  const named = { ...options, name: path };
  const kind = await kindOf(path);
  if (kind === "parquet") {
    // Only here: it is a part of its own that most never load.
    const { readParquet } = await import("./parquet.ts");
    return readParquet(path, named);
  }
  if (kind === "jsonl") {
    let text = "";
    for await (const piece of textOf(path)) text += piece;
    return readJsonLines(text, named);
  }
  const reader = new CsvTableReader(named);
  for await (const piece of textOf(path)) reader.push(piece);
  return reader.finish();
}

/** What a file holds, by its name. Throws DataError where it cannot be read or is empty. */
export async function kindOf(path: string): Promise<"csv" | "jsonl" | "parquet"> {
  const [, kind = ""] = NAME.exec(path) ?? [];
  const { size } = await stat(path).then(
    (found) => {
      if (!found.isFile()) throw new DataError(`table: ${path} is a folder; expected a file.`, path);
      return found;
    },
    (error: unknown) => {
      throw new DataError(
        isMissing(error) ? `table: there is no file ${path}.` : `table: cannot read ${path}: ${reasonOf(error)}.`,
        path,
      );
    },
  );
  if (size === 0) throw new DataError(`table: ${path} is empty; expected names of columns and rows.`, path);
  if (kind.toLowerCase() === "parquet") return "parquet";
  return /^(jsonl|ndjson)$/i.test(kind) ? "jsonl" : "csv";
}

/** A file's text in pieces. Throws DataError where it cannot be read or is no UTF-8. */
export async function* textOf(path: string): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const file = createReadStream(path, { highWaterMark: 1 << 18 });
  const stream = /\.gz$/i.test(path) ? file.pipe(createGunzip()) : file;
  // A pipe does not hand on what goes wrong before it.
  file.on("error", (error) => stream.destroy(error));
  let at = 0;
  try {
    for await (const bytes of stream as AsyncIterable<Uint8Array>) {
      const text = decode(decoder, bytes, path, at);
      at += bytes.length;
      yield text;
    }
    const rest = decode(decoder, undefined, path, at);
    if (rest !== "") yield rest;
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`table: cannot read ${path}: ${reasonOf(error)}.`, path);
  } finally {
    file.destroy();
  }
}

function decode(
  decoder: InstanceType<typeof TextDecoder>,
  bytes: Uint8Array | undefined,
  path: string,
  at: number,
): string {
  try {
    return bytes === undefined ? decoder.decode() : decoder.decode(bytes, { stream: true });
  } catch {
    throw new DataError(
      `table: ${path} is not UTF-8 after byte ${at}. Hint: convert it, such as by iconv -f latin1 -t utf-8.`,
      `${path}, byte ${at}`,
    );
  }
}

/** The bytes of a file. Throws DataError naming it. */
export async function readBytes(path: string): Promise<Uint8Array> {
  return readFile(path).catch((error: unknown) => {
    throw new DataError(
      isMissing(error) ? `table: there is no file ${path}.` : `table: cannot read ${path}: ${reasonOf(error)}.`,
      path,
    );
  });
}
