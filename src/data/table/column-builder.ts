import { DataError } from "../../core/errors.ts";
import { booleanOf, booleanPair, type DateOrder, dateOf, isMissing, numberOf } from "./cells.ts";
import type { Column, ColumnKind } from "./column.ts";
import { GrowingFloats, GrowingInts } from "./growing.ts";

/** Different texts of a column that are told apart; a category of more is said to be one. */
const MAX_LEVELS = 10_000;
/** The same while all are numbers with decimals: few categories look like that. */
const MAX_DECIMAL_LEVELS = 1_000;
const MAX_SAID_LEVELS = 1_000_000;
/** With at most so many different texts a column is a category however few its rows. */
const FEW_LEVELS = 16;
/** From so many values on, and this share of one type, the others are mistakes. */
const MANY = 20;
const MOST = 0.9;
const ID_NAME =
  /^(id|uuid|guid|key|index|idx|#|no\.?|nr\.?|column 1|unnamed:? ?\d*|row[\s_-]?(id|no|num|number|names?)?)$|[\s_-]id$/i;
/** `customerId`, but no word that ends so. */
const CAMEL_ID_NAME = /[a-z0-9]I[dD]$/;

export type ColumnOptions = {
  /** The file, for errors. */
  readonly file: string;
  readonly kind?: ColumnKind | undefined;
  /** Whether what does not fit a said kind is an error; else it counts as missing. Default false. */
  readonly strict?: boolean | undefined;
  /** 3,5 is a number. */
  readonly decimalComma?: boolean | undefined;
};

/** What became of a column; `reason` says why it was left out. */
export type Finished = {
  readonly column?: Column;
  readonly reason?: string;
  readonly note?: string;
};

type Odd = { readonly row: number; readonly text: string };

/**
 * Takes in a column cell by cell and says at the end what it is, by all rows: numbers, booleans, categories or dates. Text,
 * what is the same or different in every row, and what has no value is left out with its reason.
 *
 * Errors: DataError naming the file, the row, the column and the value where nearly all others are of another type.
 */
export class ColumnBuilder {
  readonly name: string;
  private readonly options: ColumnOptions;
  private readonly order: DateOrder;
  /** Numbers, or dates in milliseconds, or no and yes. */
  private readonly values = new GrowingFloats();
  private readonly codes = new GrowingInts();
  /** Undefined where there are too many. */
  private levels: Map<string, number> | undefined;
  private readonly counts = { missing: 0, number: 0, integer: 0, date: 0, other: 0 };
  private readonly first: { number?: Odd; date?: Odd; other?: Odd } = {};

  constructor(name: string, options: ColumnOptions) {
    this.name = name;
    this.options = options;
    const { kind } = options;
    this.order = kind === "date d/m/y" ? "d/m/y" : kind === "date m/d/y" ? "m/d/y" : "iso";
    if (kind === undefined || kind === "category" || kind === "boolean") this.levels = new Map();
  }

  /** A cell of a text file, or a value of a typed one. Rows count from 1. */
  add(cell: unknown, row: number): void {
    const { kind } = this.options;
    if (typeof cell === "string") this.addText(cell.trim(), row);
    else if (cell === null || cell === undefined || Number.isNaN(cell)) this.addMissing();
    else if (typeof cell === "boolean") this.addText(String(cell), row);
    else if (typeof cell === "number" || typeof cell === "bigint") {
      const value = Number(cell);
      if ((kind === undefined || kind === "number") && Number.isFinite(value)) this.addNumber(value, String(cell), row);
      else this.addOther(String(cell), row);
    } else if (cell instanceof Date) {
      if (Number.isNaN(cell.getTime())) this.addMissing();
      else if (this.takesDates) this.addDate(cell.getTime(), cell.toISOString(), row);
      else this.addOther(cell.toISOString(), row);
    } else
      throw new DataError(
        `table: ${this.options.file}, row ${row} has ${Array.isArray(cell) ? "a list" : "an object"} in column ${this.name}; expected a number, a text, a date, true, false or nothing. Hint: leave it out by "${this.name}: ignore".`,
        this.where(row),
      );
  }

  private addMissing(): void {
    this.counts.missing++;
    this.values.push(Number.NaN);
    if (this.levels !== undefined) this.codes.push(-1);
  }

  private addText(text: string, row: number): void {
    const { kind, decimalComma = false } = this.options;
    if (isMissing(text)) {
      this.addMissing();
      return;
    }
    const number = kind === undefined || kind === "number" ? numberOf(text, decimalComma) : Number.NaN;
    const date = Number.isNaN(number) && this.takesDates ? dateOf(text, this.order) : Number.NaN;
    if (!Number.isNaN(number)) this.addNumber(number, text, row);
    else if (!Number.isNaN(date)) this.addDate(date, text, row);
    else this.addOther(text, row);
  }

  private get takesDates(): boolean {
    const { kind } = this.options;
    return kind === undefined || kind.startsWith("date");
  }

  private addNumber(value: number, text: string, row: number): void {
    if (this.counts.number++ === 0) this.first.number = { row, text };
    if (Number.isInteger(value)) this.counts.integer++;
    this.values.push(value);
    this.addLevel(text, Number.isInteger(value) ? MAX_LEVELS : MAX_DECIMAL_LEVELS);
  }

  private addDate(at: number, text: string, row: number): void {
    if (this.counts.date++ === 0) this.first.date = { row, text };
    this.values.push(at);
    this.addLevel(text, MAX_LEVELS);
  }

  private addOther(text: string, row: number): void {
    if (this.counts.other++ === 0) this.first.other = { row, text };
    this.values.push(Number.NaN);
    this.addLevel(text, this.options.kind === undefined ? MAX_LEVELS : MAX_SAID_LEVELS);
  }

  private addLevel(text: string, limit: number): void {
    const { levels } = this;
    if (levels === undefined) return;
    let code = levels.get(text);
    if (code === undefined) {
      if (levels.size >= limit) {
        this.levels = undefined;
        return;
      }
      code = levels.size;
      // A piece of a long text would keep all of it in memory.
      levels.set(text.length > 12 ? (JSON.parse(JSON.stringify(text)) as string) : text, code);
    }
    this.codes.push(code);
  }

  /** What it is, by all its rows. */
  finish(): Finished {
    const { kind } = this.options;
    return kind === undefined ? this.inferred() : this.said(kind);
  }

  private get present(): number {
    return this.values.length - this.counts.missing;
  }

  private inferred(): Finished {
    const { name, counts, present } = this;
    if (present === 0) return { reason: "has no values" };
    if (counts.number === present) return this.asNumber();
    if (counts.date === present)
      return { column: { kind: "date", name, order: this.order, values: this.values.take() } };
    this.checkMixture();
    const { levels } = this;
    if (levels === undefined)
      return { reason: `is text: more than ${MAX_LEVELS.toLocaleString("en-US")} different values` };
    const texts = [...levels.keys()];
    if (texts.length === 1 && present > 1 && counts.missing === 0)
      return { reason: `is ${JSON.stringify(texts[0])} in every row` };
    if (booleanPair(texts) !== undefined) return this.asBoolean(texts);
    if (texts.length === present && present > FEW_LEVELS) return { reason: "is different in every row" };
    if (texts.length > FEW_LEVELS && 2 * texts.length > present)
      return {
        reason: `is text: ${texts.length.toLocaleString("en-US")} different values in ${present.toLocaleString("en-US")} rows`,
      };
    return this.asCategory(texts);
  }

  private asNumber(): Finished {
    const { name, counts, present } = this;
    const values = this.values.take();
    const integer = counts.integer === counts.number;
    if (counts.missing === 0 && present > 1 && values.every((value) => value === values[0]))
      return { reason: `is ${this.first.number?.text} in every row` };
    if (integer && present > FEW_LEVELS && (ID_NAME.test(name) || CAMEL_ID_NAME.test(name)) && allDifferent(values))
      return { reason: "is different in every row, as an identifier" };
    return { column: { kind: "number", name, integer, values } };
  }

  /** No column is meant to be of two types where nearly all its values are of one. */
  private checkMixture(): void {
    const { counts, present, first } = this;
    for (const [kind, words] of [
      ["number", "a number"],
      ["date", "a date"],
    ] as const) {
      const lost = this.levels === undefined && counts[kind] > 0;
      if (!(lost || (present >= MANY && counts[kind] >= MOST * present))) continue;
      const odd = [kind === "number" ? first.date : first.number, first.other]
        .filter((each) => each !== undefined)
        .sort((a, b) => a.row - b.row)[0];
      if (odd === undefined) continue;
      const others = counts[kind].toLocaleString("en-US");
      throw this.oddValue(odd, words, `as ${others} other${counts[kind] === 1 ? "" : "s"} of it`);
    }
  }

  private oddValue({ row, text }: Odd, words: string, why: string): DataError {
    const { file, kind } = this.options;
    const hint =
      kind === undefined
        ? ` Hint: say what it is: "${this.name}: number" counts such values as missing; "${this.name}: category" and "${this.name}: ignore" are the other ways.`
        : "";
    return new DataError(
      `table: ${file}, row ${row} has ${JSON.stringify(text.slice(0, 60))} in column ${this.name}; expected ${words}${why === "" ? "" : `, ${why}`}.${hint}`,
      this.where(row),
    );
  }

  private where(row: number): string {
    return `${this.options.file}, row ${row}, column ${this.name}`;
  }

  private said(kind: ColumnKind): Finished {
    const { name, counts, present } = this;
    if (kind === "ignore") return { reason: "is to be ignored" };
    if (kind === "category") {
      if (this.levels === undefined)
        throw new DataError(
          `table: ${this.options.file} has more than ${MAX_SAID_LEVELS.toLocaleString("en-US")} different values in column ${name}; expected fewer for a category.`,
          this.options.file,
        );
      return this.asCategory([...this.levels.keys()]);
    }
    if (kind === "boolean") return this.asBoolean([...(this.levels?.keys() ?? [])]);
    const right = kind === "number" ? counts.number : counts.date;
    const words = kind === "number" ? "a number" : `a date${this.order === "iso" ? "" : ` as ${this.order}`}`;
    if (this.first.other !== undefined && (this.options.strict || right === 0))
      throw this.oddValue(this.first.other, words, "");
    const values = this.values.take();
    const odd = present - right;
    const note =
      odd === 0
        ? undefined
        : `${name}: ${odd.toLocaleString("en-US")} value${odd === 1 ? " that is" : "s that are"} not ${words} count${odd === 1 ? "s" : ""} as missing; the first is ${JSON.stringify(this.first.other?.text.slice(0, 60))} in row ${this.first.other?.row}`;
    const column: Column =
      kind === "number"
        ? { kind, name, integer: counts.integer === counts.number, values }
        : { kind: "date", name, order: this.order, values };
    return { column, ...(note === undefined ? {} : { note }) };
  }

  private asBoolean(texts: readonly string[]): Finished {
    const { name } = this;
    const digits = texts.every((text) => text === "0" || text === "1");
    const levels = digits ? (["0", "1"] as const) : booleanPair(texts);
    if (levels === undefined && texts.every((text) => !Number.isNaN(booleanOf(text))))
      return { column: { kind: "boolean", name, levels: ["no", "yes"], values: this.booleans(texts) } };
    if (levels === undefined)
      throw this.oddValue(
        { row: this.first.other?.row ?? 1, text: texts.find((text) => Number.isNaN(booleanOf(text))) ?? "" },
        "no or yes, false or true, 0 or 1",
        "",
      );
    return { column: { kind: "boolean", name, levels, values: this.booleans(texts) } };
  }

  private booleans(texts: readonly string[]): Float64Array {
    const known = texts.map(booleanOf);
    return Float64Array.from(this.codes.take(), (code) => known[code] ?? Number.NaN);
  }

  /** Levels in the order of their letters, or of their numbers, whatever row came first. */
  private asCategory(texts: readonly string[]): Finished {
    const sorted = sortedLevels(texts);
    const place = new Map(sorted.map((text, i) => [text, i]));
    const map = texts.map((text) => place.get(text) as number);
    const codes = this.codes.take();
    for (let i = 0; i < codes.length; i++) codes[i] = codes[i] === -1 ? -1 : (map[codes[i] as number] as number);
    return { column: { kind: "category", name: this.name, levels: sorted, codes } };
  }
}

/** In the order of code units, or of their values where all are numbers: the same on every machine. */
export function sortedLevels(texts: readonly string[]): string[] {
  const numbers = texts.every((text) => !Number.isNaN(numberOf(text, false)));
  return texts.toSorted((a, b) => (numbers ? Number(a) - Number(b) : 0) || (a < b ? -1 : a > b ? 1 : 0));
}

function allDifferent(values: Float64Array): boolean {
  const seen = new Set<number>();
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    if (seen.has(value)) return false;
    seen.add(value);
  }
  return true;
}
