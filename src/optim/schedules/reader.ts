import { OptionError } from "../../core/errors.ts";
import type { Span, TimeUnit } from "./span.ts";

const NUMBER = /[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?/iy;
const WORD = /1\/t(?![a-z0-9])|[a-z]+/iy;
const UNIT = /%|epochs?|ep|steps?|st/iy;

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

/** A cursor over the text of a schedule. Every `read` either moves past what it returns or fails at its position. */
export class Reader {
  readonly text: string;
  readonly #forms: readonly string[];
  #at = 0;

  constructor(text: string, forms: readonly string[]) {
    this.text = text;
    this.#forms = forms;
    this.#skipSpaces();
  }

  get done(): boolean {
    return this.#at === this.text.length;
  }

  fail(expected: string): OptionError {
    const found = this.done ? "that ends" : `with "${this.text.slice(this.#at)}"`;
    return new OptionError(
      `schedule: got "${this.text}" ${found} at position ${this.#at + 1}; expected ${expected}. Accepted forms: ${this.#forms.map((form) => `"${form}"`).join(", ")}.`,
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

  #numberText(expected: string): string {
    const text = this.#match(NUMBER);
    if (text === undefined) throw this.fail(expected);
    this.#at += text.length;
    return text;
  }

  number(expected: string): number {
    const value = Number(this.#numberText(expected));
    this.#skipSpaces();
    return value;
  }

  peekNumber(): boolean {
    return this.#match(NUMBER) !== undefined;
  }

  /** A number with a unit. */
  span(expected: string): Span {
    const text = this.#numberText(expected);
    this.#skipSpaces();
    const unit = this.#match(UNIT);
    if (unit === undefined) throw this.fail("a unit: ep (epochs), st (steps) or % (of the run)");
    this.#take(unit);
    if (unit === "%") return { fraction: Number(scaleByTen(text, -2)) };
    return unit.toLowerCase().startsWith("e") ? { epochs: Number(text) } : { steps: Number(text) };
  }

  /** The unit after a slash: `0.05/ep`, `0.001/st`. */
  timeUnit(): TimeUnit {
    const unit = this.#match(UNIT);
    if (unit === undefined || unit === "%") throw this.fail("a unit: ep (epochs) or st (steps)");
    this.#take(unit);
    return unit.toLowerCase().startsWith("e") ? "epoch" : "step";
  }
}
