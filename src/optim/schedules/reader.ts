import { OptionError } from "../../core/errors.ts";
import type { Span, TimeUnit } from "./span.ts";

// "0.1..1" is a range: its first number ends before the dots.
const NUMBER = /[+-]?(?:\d+(?:\.(?!\.)\d*)?|\.\d+)(?:e[+-]?\d+)?/iy;
const WORD = /1\/t(?![a-z0-9])|1-sqrt(?![a-z0-9])|triangular2(?![a-z0-9])|[a-z]+/iy;
const NAME = /[a-z_][\w.-]*/iy;
const UNIT = /%|(?:epochs?|ep|steps?|st)(?![a-z])/iy;

const scaleByTen = (text: string, places: number): string => {
  const [mantissa, exponent] = text.toLowerCase().split("e");
  return `${mantissa}e${Number(exponent ?? 0) + places}`;
};

/** A fraction as a percentage that reads back to the same double. */
export function formatPercent(fraction: number): string {
  const percent = Number(scaleByTen(`${fraction}`, 2));
  return Number(scaleByTen(`${percent}`, -2)) === fraction ? `${percent}%` : `${scaleByTen(`${fraction}`, 2)}%`;
}

/** `5%`, `2ep`, `500st`. */
export function formatSpan(span: Span): string {
  if ("steps" in span) return `${span.steps}st`;
  return "epochs" in span ? `${span.epochs}ep` : formatPercent(span.fraction);
}

/** A number and the unit that may follow it. */
type Quantity = { readonly number: string; readonly unit: string | undefined };

/** A cursor over the text of a schedule. Every `read` either moves past what it returns or fails at its position. */
export class Reader {
  readonly text: string;
  /** The text to show in errors: of what is being read. */
  #example: string;
  #at = 0;
  #hint: { readonly at: number; readonly forms: readonly string[] } = { at: -1, forms: [] };

  constructor(text: string, example: string) {
    this.text = text;
    this.#example = example;
    this.#skipSpaces();
  }

  get done(): boolean {
    return this.#at === this.text.length;
  }

  /** Errors from here on show this text. */
  show(example: string): void {
    this.#example = example;
  }

  /** What might have come here as well, for the error where nothing fits. */
  hint(forms: readonly string[]): void {
    this.#hint = { at: this.#at, forms };
  }

  fail(expected: string): OptionError {
    const also = this.#hint.at === this.#at ? this.#hint.forms.map((form) => `${form}, `).join("") : "";
    const found = this.done ? "that ends" : `with "${this.text.slice(this.#at)}"`;
    return new OptionError(
      `schedule: got "${this.text}" ${found} at position ${this.#at + 1}; expected ${also}${expected}. As in "${this.#example}".`,
      "schedule",
    );
  }

  #skipSpaces(): void {
    while (/\s/.test(this.text[this.#at] ?? "")) this.#at++;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    return pattern.exec(this.text)?.[0];
  }

  #take(token: string): void {
    this.#at += token.length;
    this.#skipSpaces();
  }

  comesNext(token: string): boolean {
    const found = /^\w/.test(token) ? this.#match(WORD) : this.text.slice(this.#at, this.#at + token.length);
    return found?.toLowerCase() === token;
  }

  /** Moves past `token` (whole words only) if it comes next. */
  accept(token: string): boolean {
    if (!this.comesNext(token)) return false;
    this.#take(token);
    return true;
  }

  peekWord(): string | undefined {
    return this.#match(WORD)?.toLowerCase();
  }

  word(expected: string): string {
    const word = this.#match(WORD);
    if (word === undefined) throw this.fail(expected);
    this.#take(word);
    return word.toLowerCase();
  }

  /** A name, which may have digits, dots and dashes within. */
  name(expected: string): string {
    const name = this.#match(NAME);
    if (name === undefined) throw this.fail(expected);
    this.#take(name);
    return name;
  }

  #quantity(expected: string): Quantity {
    if (!this.peekNumber()) throw this.fail(expected);
    const number = this.#match(NUMBER) as string;
    this.#take(number);
    const unit = this.#match(UNIT);
    if (unit !== undefined) this.#take(unit);
    return { number, unit };
  }

  number(expected: string): number {
    if (!this.peekNumber()) throw this.fail(expected);
    const text = this.#match(NUMBER) as string;
    this.#take(text);
    return Number(text);
  }

  /** Whether a number comes next: not the 1 of `1/t` or `1-sqrt`. */
  peekNumber(): boolean {
    return this.#match(NUMBER) !== undefined && !/^\d/.test(this.#match(WORD) ?? "");
  }

  /** Whether a number with dots after it comes next: `0.1..1`. */
  peekRange(): boolean {
    const number = this.peekNumber() ? (this.#match(NUMBER) as string) : undefined;
    return number !== undefined && /^\s*\.\./.test(this.text.slice(this.#at + number.length));
  }

  /** `0.1..1`. */
  range(expected: string): readonly [from: number, to: number] {
    const from = this.number(expected);
    if (!this.accept("..")) throw this.fail(`"..", as in ${expected}`);
    return [from, this.number(expected)];
  }

  /** A number with a unit. */
  span(expected: string): Span {
    const { number, unit } = this.#quantity(expected);
    if (unit === undefined) throw this.fail("a unit: ep (epochs), st (steps) or % (of the run)");
    if (unit === "%") return { fraction: Number(scaleByTen(number, -2)) };
    return unit.toLowerCase().startsWith("e") ? { epochs: Number(number) } : { steps: Number(number) };
  }

  /** A number, or a share of something as a percentage. */
  amount(expected: string): { readonly value: number } | { readonly share: number } {
    const { number, unit } = this.#quantity(expected);
    if (unit === undefined) return { value: Number(number) };
    if (unit !== "%") throw this.fail(expected);
    return { share: Number(scaleByTen(number, -2)) };
  }

  /** One or more, with commas between them. */
  list<T>(read: () => T): readonly T[] {
    const items = [read()];
    while (this.accept(",")) items.push(read());
    return items;
  }

  /** The unit after a slash: `0.05/ep`, `0.001/st`. */
  timeUnit(): TimeUnit {
    const unit = this.#match(UNIT);
    if (unit === undefined || unit === "%") throw this.fail("a unit: ep (epochs) or st (steps)");
    this.#take(unit);
    return unit.toLowerCase().startsWith("e") ? "epoch" : "step";
  }
}
