import { DataError, OptionError } from "../../core/errors.ts";
import { CsvReader } from "../../io/csv.ts";
import type { Column, ColumnKinds, Dropped, Table } from "./column.ts";
import { ColumnBuilder } from "./column-builder.ts";

export type TableOptions = {
  /** The file, for errors. Default "table". */
  readonly name?: string;
  /** What columns are, by name. Default: what their values say. */
  readonly columns?: ColumnKinds;
};

export type TableReaderOptions = TableOptions & {
  /** Columns that `columns` does not name are left out, and what does not fit is an error. Default false. */
  readonly strict?: boolean;
  readonly decimalComma?: boolean;
  /** Rows of the file before the first that is added, for errors. Default 0. */
  readonly rowsBefore?: number;
};

/** Takes in a table row by row; holds typed columns, never the rows. */
export class TableReader {
  readonly names: readonly string[];
  private readonly file: string;
  private readonly builders: readonly (ColumnBuilder | undefined)[];
  private readonly rowsBefore: number;
  private rows = 0;

  constructor(names: readonly string[], options: TableReaderOptions) {
    const { name: file = "table", columns = {}, strict = false, decimalComma, rowsBefore = 0 } = options;
    this.file = file;
    this.rowsBefore = rowsBefore;
    this.names = names.map((name, i) => (name.trim() === "" ? `column ${i + 1}` : name.trim()));
    const known = new Set<string>();
    const twice = this.names.find((name) => known.size === known.add(name).size);
    if (twice !== undefined)
      throw new DataError(
        `table: ${file} has two columns ${JSON.stringify(twice)}; expected names of their own.`,
        file,
      );
    const unknown = Object.keys(columns).find((name) => !known.has(name));
    if (unknown !== undefined)
      throw new (strict ? DataError : OptionError)(
        `table: ${file} has no column ${JSON.stringify(unknown)}; it has ${listOf(this.names)}.`,
        unknown,
      );
    this.builders = this.names.map((name) => {
      const kind = Object.hasOwn(columns, name) ? columns[name] : undefined;
      if (kind === "ignore" || (strict && kind === undefined)) return undefined;
      return new ColumnBuilder(name, { file, kind, strict, decimalComma });
    });
  }

  /** As many cells as there are names. */
  add(cells: readonly unknown[]): void {
    this.rows++;
    for (let i = 0; i < this.builders.length; i++) this.builders[i]?.add(cells[i], this.rowsBefore + this.rows);
  }

  /** A row of a typed file, by the names of its columns. */
  addRecord(record: Readonly<Record<string, unknown>>): void {
    this.add(this.names.map((name) => (Object.hasOwn(record, name) ? record[name] : undefined)));
  }

  /** Whether a column is read at all. */
  wants(column: number): boolean {
    return this.builders[column] !== undefined;
  }

  /** One column's next values, where a file is read column by column. */
  addToColumn(column: number, values: ArrayLike<unknown>, firstRow: number): void {
    const builder = this.builders[column];
    for (let i = 0; builder !== undefined && i < values.length; i++) builder.add(values[i], firstRow + i);
    this.rows = Math.max(this.rows, firstRow + values.length - 1);
  }

  finish(): Table {
    if (this.rows === 0)
      throw new DataError(`table: ${this.file} has no rows; expected at least one below the names.`, this.file);
    const columns: Column[] = [];
    const dropped: Dropped[] = [];
    const notes: string[] = [];
    for (const builder of this.builders) {
      if (builder === undefined) continue;
      const { column, reason, note } = builder.finish();
      if (column !== undefined) columns.push(column);
      if (reason !== undefined) dropped.push({ name: builder.name, reason });
      if (note !== undefined) notes.push(note);
    }
    return { name: this.file, rows: this.rows, rowsBefore: this.rowsBefore, columns, dropped, notes };
  }
}

/** `a, b, c and 12 others`. */
export function listOf(names: readonly string[], most = 12): string {
  const rest = names.length - most;
  return rest > 1 ? `${names.slice(0, most).join(", ")} and ${rest} others` : names.join(", ");
}

/** The rows of a CSV file as it comes, in pieces of text of any length, below its line of names. */
export class CsvRows {
  private readonly csv: CsvReader;
  private readonly file: string;
  private start = "";
  /** Known once the first line is. */
  header: { readonly names: readonly string[]; readonly decimalComma: boolean } | undefined;

  constructor(file: string) {
    this.file = file;
    this.csv = new CsvReader(file);
  }

  push(text: string): readonly (readonly string[])[] {
    if (this.header === undefined) this.start += text;
    return this.below(this.csv.push(text));
  }

  end(): readonly (readonly string[])[] {
    const rows = this.below(this.csv.end());
    if (this.header === undefined)
      throw new DataError(`table: ${this.file} is empty; expected names of columns and rows.`, this.file);
    return rows;
  }

  private below(rows: readonly (readonly string[])[]): readonly (readonly string[])[] {
    const [names, ...others] = rows;
    if (this.header !== undefined || names === undefined) return rows;
    checkHeader(names, this.file);
    // Where the comma does not part fields, it stands before decimals.
    const [line = ""] = this.start.split("\n");
    const count = (sign: string): number => line.split(sign).length;
    this.header = { names, decimalComma: Math.max(count(";"), count("\t")) > count(",") };
    this.start = "";
    return others;
  }
}

/** Reads a table in CSV as it comes: pieces of text of any length. */
export class CsvTableReader {
  private readonly csv: CsvRows;
  private readonly options: TableReaderOptions;
  private reader: TableReader | undefined;

  constructor(options: TableReaderOptions) {
    this.options = options;
    this.csv = new CsvRows(options.name ?? "table");
  }

  push(text: string): void {
    this.take(this.csv.push(text));
  }

  finish(): Table {
    this.take(this.csv.end());
    return (this.reader as TableReader).finish();
  }

  private take(rows: readonly (readonly string[])[]): void {
    const { header } = this.csv;
    if (header === undefined) return;
    const { names, decimalComma } = header;
    this.reader ??= new TableReader(names, {
      ...this.options,
      decimalComma: this.options.decimalComma ?? decimalComma,
    });
    for (const row of rows) this.reader.add(row);
  }
}

/** A file without a line of names would lose its first row, and be read by whatever that says. */
function checkHeader(names: readonly string[], file: string): void {
  if (names.length < 2 && (names[0] ?? "").trim() === "")
    throw new DataError(`table: ${file} is empty; expected names of columns and rows.`, file);
  if (names.every((name) => name.trim() !== "" && !Number.isNaN(Number(name))))
    throw new DataError(
      `table: ${file} begins with the numbers ${listOf(names, 5)}; expected a line with the names of its columns.`,
      file,
    );
}

/** A whole table in CSV. Errors: DataError naming the file, the row, the column and the value. */
export function readCsvTable(text: string, options: TableReaderOptions = {}): Table {
  const reader = new CsvTableReader(options);
  // In pieces, so that rows do not all stand as texts at once.
  const piece = 1 << 20;
  for (let at = 0; at < text.length; at += piece) reader.push(text.slice(at, at + piece));
  return reader.finish();
}
