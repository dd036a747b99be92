import { OptionError } from "../../core/errors.ts";
import type { HostArray } from "../../core/host-array.ts";
import type { Reader } from "../../data/stream/reader.ts";
import { RowSample, Rows } from "../../data/stream/stack.ts";
import { Stream, shards } from "../../data/stream/stream.ts";
import { type StreamedDataset, streamDataset } from "../../data/stream/stream-dataset.ts";
import { isMissing } from "../../data/table/cells.ts";
import type { Table } from "../../data/table/column.ts";
import { rowsWith, type TableInputs } from "../../data/table/encode.ts";
import { kindsOf, type TableEncoding } from "../../data/table/encoding.ts";
import { parseRow } from "../../data/table/json-lines.ts";
import { type TableData, type TableExamples, tableData, tableExamples } from "../../data/table/table-data.ts";
import { CsvRows, TableReader } from "../../data/table/table-reader.ts";
import { kindOf, textOf } from "./read-file.ts";
import type { TableFileOptions } from "./table.ts";

export type StreamTableOptions = Omit<TableFileOptions, "testFrom"> & {
  /**
   * Rows at the start that are held in memory: columns, classes and what standardises them are learned from these, and what is held out is
   * of these. Default 100,000.
   */
  readonly learnRows?: number;
  /** Rows that wait in the buffer that shuffles. Default 10,000. */
  readonly shuffle?: number;
};

/** As `TableData`, but that training reads its rows while it runs. */
export type StreamedTable = Omit<TableData, "train"> & {
  readonly train: StreamedDataset<TableInputs, HostArray> & { readonly table: TableEncoding };
  /** Those of the first rows that are trained on. */
  readonly learned: TableExamples;
};

type Row = readonly unknown[] | Readonly<Record<string, unknown>>;
type Piece = { readonly names: readonly string[]; readonly decimalComma: boolean; readonly rows: readonly Row[] };

/** Rows that are typed and encoded together. */
const CHUNK = 1024;

/**
 * Rows of tables that are larger than memory, for `fit` with `nn.tabular`: CSV, JSON lines or Parquet, one file or several of the same
 * columns. The first rows say what columns are; one pass over all counts the rest. Files are read in another order each epoch, and shuffled
 * through a buffer.
 *
 * Errors: those of `table`; DataError for a later row that is not what the first ones said, naming file, row and column.
 *
 * @example
 * const { train, validation, encoding } = await streamTable(["2024.csv", "2025.csv"], { target: "price" });
 * train.stream.samplesPerEpoch // -> 48000000
 */
export async function streamTable(
  files: string | readonly string[],
  options: StreamTableOptions = {},
): Promise<StreamedTable> {
  const { learnRows = 100_000, shuffle = 10_000, columns, ...rest } = options;
  const list = typeof files === "string" ? [files] : files;
  const [first] = list;
  if (first === undefined) throw new OptionError("streamTable: got no files; expected at least one.", "files");
  const { table, used } = await learn(first, learnRows, columns === undefined ? {} : { columns });
  const { train: learned, ...data } = tableData(table, rest);
  const { encoding } = data;
  const target = encoding.target.name;
  const counts: number[] = [];
  for (const [i, path] of list.entries()) counts.push(await countRows(path, target, i === 0 ? used : 0));
  type Shard = { readonly path?: string; readonly skip: number; readonly count: number };
  const parts: readonly Shard[] = [
    { skip: 0, count: learned.targets.shape[0] as number },
    ...list.map((path, i) => ({ path, skip: i === 0 ? used : 0, count: counts[i] as number })),
  ].filter(({ count }) => count > 0);
  const rows = shards(
    parts,
    ({ path, skip }) => (path === undefined ? samplesOf(learned) : inChunks(rowsOf(path, encoding, skip))),
    { count: ({ count }) => count },
  );
  const { classes, name } = learned;
  const streamed = await streamDataset(rows.shuffle(shuffle) as unknown as Stream<Arrays>, {
    name,
    ...(classes === undefined ? {} : { classes }),
  });
  return { ...data, learned, train: { ...(streamed as unknown as StreamedTable["train"]), table: encoding } };
}

/** What `RowSample`s stand for. */
type Arrays = { readonly inputs: HostArray; readonly targets: HostArray };

function samplesOf({ inputs, targets }: TableExamples): readonly RowSample[] {
  const rows = new Rows({ inputs: inputs as HostArray, targets });
  return Array.from({ length: targets.shape[0] as number }, (_, row) => new RowSample(rows, row));
}

/** The first rows of a file as a table, and how many they were. */
async function learn(
  path: string,
  most: number,
  options: Pick<TableFileOptions, "columns">,
): Promise<{ readonly table: Table; readonly used: number }> {
  if (!Number.isSafeInteger(most) || most < 1)
    throw new OptionError(`streamTable: got learnRows ${most}; expected a whole number of at least 1.`, "learnRows");
  const held: Row[] = [];
  const names = new Set<string>();
  let decimalComma = false;
  for await (const piece of piecesOf(path)) {
    ({ decimalComma } = piece);
    for (const name of piece.names) names.add(name);
    for (const row of piece.rows) {
      if (!isCells(row)) for (const name of Object.keys(row)) names.add(name);
      if (held.push(row) === most) break;
    }
    if (held.length === most) break;
  }
  const reader = new TableReader([...names], { ...options, name: path, decimalComma });
  for (const row of held) addRow(reader, row);
  return { table: reader.finish(), used: held.length };
}

/** Rows after the first `skip` that have a value in the target. */
async function countRows(path: string, target: string, skip: number): Promise<number> {
  let seen = 0;
  let count = 0;
  for await (const { names, rows } of piecesOf(path)) {
    const place = names.findIndex((name) => name.trim() === target);
    for (const row of rows) {
      if (seen++ < skip) continue;
      const value = isCells(row) ? row[place] : row[target];
      const missing =
        value === undefined ||
        value === null ||
        Number.isNaN(value) ||
        (typeof value === "string" && isMissing(value.trim()));
      if (!missing) count++;
    }
  }
  return count;
}

/** A file's samples after its first `skip` rows. */
async function* rowsOf(
  path: string,
  encoding: TableEncoding,
  skip: number,
): AsyncGenerator<readonly RowSample[], void, void> {
  const columns = kindsOf(encoding, true);
  let before = 0;
  for await (const { names, decimalComma, rows } of piecesOf(path)) {
    for (let at = Math.max(0, skip - before); at < rows.length; at += CHUNK) {
      const chunk = rows.slice(at, at + CHUNK);
      const known = names.length > 0 ? names : Object.keys(columns);
      const options = { name: path, columns, strict: true, decimalComma, rowsBefore: before + at };
      const reader = new TableReader(known, options);
      for (const row of chunk) addRow(reader, row);
      const table = reader.finish();
      const complete = rowsWith(table, encoding.target.name);
      if (complete.length > 0) yield samplesOf(tableExamples(table, encoding, complete));
    }
    before += rows.length;
  }
}

/** The items of lists that come one after the other, without a wait for each. */
function inChunks<T>(chunks: AsyncGenerator<readonly T[], void, void>): Stream<T> {
  let held: readonly T[] = [];
  let at = 0;
  const reader: Reader<T> = {
    async read(most) {
      while (at === held.length) {
        const { value, done } = await chunks.next();
        if (done) return [];
        held = value;
        at = 0;
      }
      const out = held.slice(at, at + most);
      at += out.length;
      return out;
    },
    close: async () => void (await chunks.return()),
  };
  return new Stream(() => reader, undefined);
}

const isCells = (row: Row): row is readonly unknown[] => Array.isArray(row);

function addRow(reader: TableReader, row: Row): void {
  if (isCells(row)) reader.add(row);
  else reader.addRecord(row);
}

/** A file's rows, some at a time. */
async function* piecesOf(path: string): AsyncGenerator<Piece, void, void> {
  const kind = await kindOf(path);
  if (kind === "parquet") {
    const { parquetRecords } = await import("./parquet.ts");
    for await (const rows of parquetRecords(path))
      yield { names: Object.keys(rows[0] ?? {}), decimalComma: false, rows };
    return;
  }
  if (kind === "csv") {
    const csv = new CsvRows(path);
    for await (const text of textOf(path)) yield pieceOf(csv, csv.push(text));
    yield pieceOf(csv, csv.end());
    return;
  }
  let rest = "";
  let number = 0;
  const parsed = (lines: readonly string[]): Piece => ({
    names: [],
    decimalComma: false,
    rows: lines.flatMap((line) => {
      number++;
      return line.trim() === "" ? [] : [parseRow(line, path, number)];
    }),
  });
  for await (const text of textOf(path)) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    yield parsed(lines);
  }
  yield parsed([rest]);
}

function pieceOf({ header }: CsvRows, rows: readonly Row[]): Piece {
  return { names: header?.names ?? [], decimalComma: header?.decimalComma ?? false, rows };
}
