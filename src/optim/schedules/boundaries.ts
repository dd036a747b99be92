import { OptionError } from "../../core/errors.ts";
import { checkNumber, show } from "../range.ts";
import type { Phrase } from "./phrases.ts";
import { formatSpan } from "./reader.ts";
import type { ScheduleData } from "./schedule.ts";
import { checkSpan, type Span } from "./span.ts";

/** Where a value changes, and to what: a factor on the value before, or the value itself. */
export type BoundaryOptions = {
  /** Times since the start, in order: `[{ epochs: 30 }, { epochs: 60 }]`. */
  readonly at: readonly Span[];
  /** What the value is multiplied by at each, or a list with one for each. Default 0.1. */
  readonly factor?: number | readonly number[];
  /** The values themselves instead, one for each boundary. */
  readonly values?: readonly number[];
};

export const BOUNDARY_NAMES: readonly string[] = ["at", "factor", "values"];

export type Boundaries = {
  readonly data: BoundaryOptions;
  readonly at: readonly Span[];
  /** The value after each number of boundaries, the rate first. */
  readonly values: readonly number[];
};

function checkList(owner: string, name: string, list: unknown, count: number): readonly number[] {
  if (!Array.isArray(list) || list.length !== count)
    throw new OptionError(`${owner}: got ${name} = ${show(list)}; expected ${count} numbers, as many as in at.`, owner);
  for (const value of list) checkNumber(owner, name, value, { min: 0 });
  return list;
}

export function checkBoundaries(owner: string, rate: number, options: BoundaryOptions): Boundaries {
  const { factor, values } = options;
  if (!Array.isArray(options.at) || options.at.length === 0)
    throw new OptionError(`${owner}: got at = ${show(options.at)}; expected a list of at least one length.`, owner);
  const at = options.at.map((span, i) => checkSpan(owner, `at ${i + 1}`, span));
  for (const [i, span] of at.entries()) {
    const before = at[i - 1];
    const later = (["steps", "epochs", "fraction"] as const).every((unit) => {
      const [now, then] = [
        (span as Record<string, number>)[unit],
        (before as Record<string, number> | undefined)?.[unit],
      ];
      return now === undefined || then === undefined || now >= then;
    });
    if (!later)
      throw new OptionError(
        `${owner}: got ${formatSpan(span)} after ${formatSpan(before as Span)}; expected times in order.`,
        owner,
      );
  }
  if (factor !== undefined && values !== undefined)
    throw new OptionError(`${owner}: got factor and values; expected one of them.`, owner);
  if (values !== undefined) {
    checkList(owner, "values", values, at.length);
    return { data: { at, values }, at, values: [rate, ...values] };
  }
  const given = factor ?? 0.1;
  if (!Array.isArray(given)) checkNumber(owner, "factor", given, { min: 0 });
  const factors = Array.isArray(given) ? checkList(owner, "factor", given, at.length) : at.map(() => given as number);
  const products = [rate];
  for (const one of factors) products.push((products.at(-1) as number) * one);
  return { data: { at, factor: given }, at, values: products };
}

/** `0.1 at 30ep,60ep`, `0.5,0.1 at 30ep,60ep`, `to 0.05,0.01 at 30ep,60ep`. */
export const BOUNDARY_PHRASES: readonly Phrase[] = [
  {
    form: 'a factor, a list of them, or "to" and values, as in 0.1 at 30ep,60ep',
    required: true,
    read(reader) {
      if (reader.accept("to")) return { values: reader.list(() => reader.number('values after "to"')) };
      if (!reader.peekNumber()) return undefined;
      const factors = reader.list(() => reader.number("a factor"));
      return { factor: factors.length === 1 ? factors[0] : factors };
    },
    write({ factor, values }: ScheduleData) {
      return values === undefined ? String(factor) : `to ${String(values)}`;
    },
  },
  {
    form: '"at" and times, as in at 30ep,60ep',
    required: true,
    read: (reader) =>
      reader.accept("at") ? { at: reader.list(() => reader.span("a time, as in 30ep, 2000st or 50%")) } : undefined,
    write: ({ at }) => `at ${(at as readonly Span[]).map(formatSpan).join(",")}`,
  },
];
