import { formatPercent, formatSpan, type Reader } from "./reader.ts";
import type { ScheduleData } from "./schedule.ts";
import { readSpan, type Span, type SpanOptions } from "./span.ts";

type Options = Readonly<Record<string, unknown>>;

/** A part of a schedule's text: reads some options and writes them again. */
export interface Phrase {
  /** How it is written: `to RATE`. What an error says that was expected. */
  readonly form: string;
  /** It comes first, before what may be left out. */
  readonly required?: true;
  /** The options, or undefined where something else comes next. */
  read(reader: Reader): Options | undefined;
  /** The text, or "" where the data has the default. */
  write(data: ScheduleData): string;
}

/** The required ones in order, then the others in any order, each at most once. */
export function readPhrases(reader: Reader, phrases: readonly Phrase[]): Options {
  let options: Options = {};
  for (const phrase of phrases.filter(({ required }) => required)) {
    const found = phrase.read(reader);
    if (found === undefined) throw reader.fail(phrase.form);
    options = { ...options, ...found };
  }
  const left = phrases.filter(({ required }) => !required);
  const readNext = (): Options | undefined => {
    for (const [i, phrase] of left.entries()) {
      const found = phrase.read(reader);
      if (found === undefined) continue;
      left.splice(i, 1);
      return found;
    }
    return undefined;
  };
  for (let found = readNext(); found !== undefined; found = readNext()) options = { ...options, ...found };
  reader.hint(left.map(({ form }) => form));
  return options;
}

export function writePhrases(data: ScheduleData, phrases: readonly Phrase[]): string {
  return phrases
    .map((phrase) => phrase.write(data))
    .filter((text) => text !== "")
    .join(" ");
}

/** The same options for every schedule of the kind, or what other options make of them. */
type Default<T> = T | undefined | ((data: ScheduleData) => T | undefined);

const isDefault = <T>(data: ScheduleData, key: string, value: Default<T>): boolean => {
  const usual = typeof value === "function" ? (value as (data: ScheduleData) => T)(data) : value;
  return data[key] === undefined || data[key] === usual;
};

/** A length by itself, the schedule's own `steps`, `epochs` or `fraction`: `20ep`. */
export function length(example: string, options: { readonly usual?: Span; readonly required?: true } = {}): Phrase {
  const { usual, required } = options;
  const [form, none] = [`a length, as in ${example}`, usual === undefined ? undefined : formatSpan(usual)];
  return {
    form,
    ...(required && { required }),
    read: (reader) => (reader.peekNumber() ? reader.span(form) : undefined),
    write(data) {
      const span = readSpan("schedule", data as SpanOptions);
      const text = span === undefined ? "" : formatSpan(span);
      return text === none ? "" : text;
    },
  };
}

/** A length that another option holds: `warmup 5%`. */
export function span(word: string, key: string, usual?: Span): Phrase {
  return {
    form: `"${word} LENGTH"`,
    read: (reader) => (reader.accept(word) ? { [key]: reader.span(`a length after "${word}"`) } : undefined),
    write(data) {
      const text = data[key] === undefined ? "" : formatSpan(data[key] as Span);
      return text === "" || (usual !== undefined && text === formatSpan(usual)) ? "" : `${word} ${text}`;
    },
  };
}

/** `patience 3`. */
export function number(word: string, key: string, usual: Default<number>): Phrase {
  return {
    form: `"${word} NUMBER"`,
    read: (reader) => (reader.accept(word) ? { [key]: reader.number(`a number after "${word}"`) } : undefined),
    write: (data) => (isDefault(data, key, usual) ? "" : `${word} ${String(data[key])}`),
  };
}

/** A share as a percentage, or as a number: `up 30%`. */
export function share(word: string, key: string, usual: Default<number>): Phrase {
  return {
    form: `"${word} PERCENT"`,
    read(reader) {
      if (!reader.accept(word)) return undefined;
      const amount = reader.amount(`a percentage after "${word}"`);
      return { [key]: "share" in amount ? amount.share : amount.value };
    },
    write: (data) => (isDefault(data, key, usual) ? "" : `${word} ${formatPercent(data[key] as number)}`),
  };
}

/** A word that says yes: `staircase`. */
export function flag(word: string, key: string): Phrase {
  return {
    form: `"${word}"`,
    read: (reader) => (reader.accept(word) ? { [key]: true } : undefined),
    write: (data) => (data[key] === true ? word : ""),
  };
}

/** One of some words, perhaps with another before it: `linear`, `like keras`. */
export function choice(words: readonly string[], key: string, usual: Default<string>, before = ""): Phrase {
  const list = words.map((word) => `"${word}"`).join(" or ");
  return {
    form: before === "" ? list : `"${before} ${words.join("|")}"`,
    read(reader) {
      if (before !== "") {
        if (!reader.accept(before)) return undefined;
        const word = words.find((one) => reader.accept(one));
        if (word === undefined) throw reader.fail(list);
        return { [key]: word };
      }
      const word = words.find((one) => reader.accept(one));
      return word === undefined ? undefined : { [key]: word };
    },
    write: (data) => (isDefault(data, key, usual) ? "" : `${before} ${String(data[key])}`.trim()),
  };
}

/** Where it ends, `end`, or as a percentage of the rate, `alpha`: `to 0.001`, `to 1%`. */
export function end(usual: { readonly end?: number; readonly alpha?: number }): Phrase {
  return {
    form: '"to RATE"',
    read(reader) {
      if (!reader.accept("to")) return undefined;
      const amount = reader.amount('a rate after "to", or a percentage of the rate');
      return "share" in amount ? { alpha: amount.share } : { end: amount.value };
    },
    write(data) {
      if (data.alpha !== undefined)
        return data.alpha === usual.alpha ? "" : `to ${formatPercent(data.alpha as number)}`;
      return data.end === undefined || data.end === usual.end ? "" : `to ${String(data.end)}`;
    },
  };
}
