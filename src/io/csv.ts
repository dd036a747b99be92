import { DataError } from "../core/errors.ts";

export type CsvOptions = {
  /** Default: whichever of comma, semicolon and tab the first line has most of, outside of quotes. */
  readonly delimiter?: string;
  /** Most characters of one field. Default 1,000,000. */
  readonly maxField?: number;
  /** Most fields of a line. Default 100,000. */
  readonly maxColumns?: number;
};

export type Csv = {
  /** The first line. */
  readonly columns: readonly string[];
  /** All others, with as many fields. */
  readonly rows: readonly (readonly string[])[];
};

/**
 * Reads CSV as it comes, chunk by chunk: fields in quotes may hold the delimiter, line ends and doubled quotes (RFC 4180);
 * lines end in LF or CRLF; empty lines count for nothing; a byte order mark is left out.
 *
 * Errors: DataError naming `name`, the line and the byte (of UTF-8) where a line has another number of fields than the first,
 * a quote stands inside a field without them, or is never closed.
 */
export class CsvReader {
  private readonly name: string;
  private readonly options: CsvOptions;
  private delimiter: string | undefined;
  private rest = "";
  private width: number | undefined;
  private line = 1;
  private byte = 0;
  private first = true;

  constructor(name = "csv", options: CsvOptions = {}) {
    this.name = name;
    this.options = options;
    this.delimiter = options.delimiter;
  }

  /** The lines that are whole with this chunk. */
  push(chunk: string): string[][] {
    let text = this.rest + chunk;
    if (this.first && text.length > 0) {
      if (text.startsWith("\uFEFF")) {
        text = text.slice(1);
        this.byte += 3;
      }
      this.first = false;
    }
    return this.read(text, false);
  }

  /** The last line, if it does not end in a line end. */
  end(): string[][] {
    return this.read(this.rest, true);
  }

  private read(text: string, last: boolean): string[][] {
    const rows: string[][] = [];
    let at = 0;
    while (at < text.length) {
      this.delimiter ??= sniff(text, last);
      if (this.delimiter === undefined) break;
      const found = this.row(text, at, last);
      if (found === undefined) break;
      const { fields, next } = found;
      if (fields.length > 1 || fields[0] !== "") {
        this.width ??= fields.length;
        if (fields.length !== this.width)
          this.fail(`has ${fields.length} fields; expected ${this.width}, as in the first line.`);
        rows.push(fields);
      }
      const taken = text.slice(at, next);
      this.line += taken.split("\n").length - 1;
      this.byte += utf8Length(taken);
      at = next;
    }
    this.rest = text.slice(at);
    const { maxField = 1_000_000 } = this.options;
    // A quote that is never closed would take the whole file into one field.
    if (this.rest.length > 2 * maxField + 1_000_000) this.fail("has a field that does not end; is a quote missing?");
    return rows;
  }

  /** One line from `at` on; undefined where its end has not come yet. */
  private row(text: string, at: number, last: boolean): { fields: string[]; next: number } | undefined {
    const { maxField = 1_000_000, maxColumns = 100_000 } = this.options;
    const delimiter = this.delimiter as string;
    const fields: string[] = [];
    let i = at;
    for (;;) {
      let field: string;
      if (text[i] === '"') {
        let end = i + 1;
        for (;;) {
          end = text.indexOf('"', end);
          if (end < 0) {
            if (last) this.fail("has a quote that is never closed.");
            return undefined;
          }
          if (text[end + 1] !== '"') break;
          end += 2;
        }
        field = text.slice(i + 1, end).replaceAll('""', '"');
        i = end + 1;
        if (i === text.length && !last) return undefined;
      } else {
        let end = i;
        while (end < text.length && text[end] !== delimiter && text[end] !== "\n") end++;
        if (end === text.length && !last) return undefined;
        field = text.slice(i, end);
        if (text[end] === "\n" && field.endsWith("\r")) field = field.slice(0, -1);
        if (end === text.length && field.endsWith("\r")) field = field.slice(0, -1);
        if (field.includes('"')) this.fail("has a quote inside a field; expected it doubled, and the field in quotes.");
        i = end;
      }
      if (field.length > maxField)
        this.fail(`has a field of ${field.length} characters; expected at most ${maxField}.`);
      fields.push(field);
      if (fields.length > maxColumns) this.fail(`has more than ${maxColumns} fields.`);
      if (i >= text.length) return { fields, next: text.length };
      if (text[i] === delimiter) i++;
      else if (text[i] === "\n") return { fields, next: i + 1 };
      else if (text[i] === "\r" && text[i + 1] === "\n") return { fields, next: i + 2 };
      else if (text[i] === "\r" && i + 1 === text.length) {
        if (last) return { fields, next: text.length };
        return undefined;
      } else
        this.fail(
          `goes on with ${JSON.stringify(text[i])} after a quoted field; expected the delimiter or the line's end.`,
        );
    }
  }

  private fail(what: string): never {
    throw new DataError(
      `csv: ${this.name}, line ${this.line} ${what}`,
      `${this.name}, line ${this.line}, byte ${this.byte}`,
    );
  }
}

/** The delimiter of the first line, once it is whole. */
function sniff(text: string, last: boolean): string | undefined {
  const counts = new Map([
    [",", 0],
    [";", 0],
    ["\t", 0],
  ]);
  let quoted = false;
  for (const letter of text) {
    if (letter === '"') quoted = !quoted;
    else if (letter === "\n" && !quoted) return most(counts);
    else if (!quoted && counts.has(letter)) counts.set(letter, (counts.get(letter) as number) + 1);
  }
  return last ? most(counts) : undefined;
}

const most = (counts: ReadonlyMap<string, number>): string =>
  [...counts].reduce((best, each) => (each[1] > best[1] ? each : best))[0];

function utf8Length(text: string): number {
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    length += code < 0x80 ? 1 : code < 0x800 ? 2 : code >= 0xd800 && code < 0xe000 ? 2 : 3;
  }
  return length;
}

/**
 * A whole CSV text or file of UTF-8: its first line, and the others with as many fields. Throws DataError as `CsvReader` does,
 * and where there is no line at all.
 *
 * @example
 * decodeCsv('a,b\n1,"x, y"\n').rows // -> [["1", "x, y"]]
 */
export function decodeCsv(file: string | Uint8Array, name = "csv", options: CsvOptions = {}): Csv {
  const reader = new CsvReader(name, options);
  const text = typeof file === "string" ? file : new TextDecoder("utf-8", { ignoreBOM: true }).decode(file);
  const [columns, ...rows] = [...reader.push(text), ...reader.end()];
  if (columns === undefined)
    throw new DataError(`csv: ${name} has no line; expected names of columns and rows.`, `${name}, line 1, byte 0`);
  return { columns, rows };
}
