import { OptionError } from "../core/errors.ts";

/** Bounds of a number: `min` and `max` belong to it, `above` and `below` do not. */
export type Range = {
  readonly min?: number;
  readonly above?: number;
  readonly max?: number;
  readonly below?: number;
  readonly integer?: true;
};

export function describeRange(range: Range): string {
  const bounds = [
    range.min === undefined ? [] : [`at least ${range.min}`],
    range.above === undefined ? [] : [`above ${range.above}`],
    range.max === undefined ? [] : [`at most ${range.max}`],
    range.below === undefined ? [] : [`below ${range.below}`],
  ].flat();
  const noun = range.integer ? "an integer" : "a number";
  return bounds.length === 0 ? noun : `${noun} ${bounds.join(" and ")}`;
}

export function inRange(value: unknown, range: Range): value is number {
  return (
    typeof value === "number" &&
    Number.isFinite(value) &&
    (range.integer === undefined || Number.isInteger(value)) &&
    value >= (range.min ?? -Infinity) &&
    value > (range.above ?? -Infinity) &&
    value <= (range.max ?? Infinity) &&
    value < (range.below ?? Infinity)
  );
}

/** A value as an error prints it. */
export function show(value: unknown): string {
  return typeof value === "number" ? `${value}` : (JSON.stringify(value) ?? `${value}`);
}

/** The OptionError for a value that `owner` does not take; `where` is `owner.name`. */
export function wrongOption(owner: string, name: string, value: unknown, expected: string): OptionError {
  return new OptionError(`${owner}: got ${name} = ${show(value)}; expected ${expected}.`, `${owner}.${name}`);
}

export function checkNumber(owner: string, name: string, value: unknown, range: Range): asserts value is number {
  if (!inRange(value, range)) throw wrongOption(owner, name, value, describeRange(range));
}

export function checkChoice<T extends string>(
  owner: string,
  name: string,
  value: unknown,
  choices: readonly T[],
): asserts value is T {
  if (!choices.some((choice) => choice === value))
    throw wrongOption(owner, name, value, choices.map((choice) => `"${choice}"`).join(" or "));
}

export function checkFlag(owner: string, name: string, value: unknown): asserts value is boolean {
  if (typeof value !== "boolean") throw wrongOption(owner, name, value, "true or false");
}

/** Refuses names that `owner` does not know, so that a misspelt one is not silently dropped. */
export function checkNames(owner: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options))
    throw new OptionError(`${owner}: got options ${show(options)}; expected an object.`, owner);
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const expected = known.length === 0 ? "no options" : known.join(", ");
    throw new OptionError(`${owner}: got an option "${name}"; expected ${expected}.`, `${owner}.${name}`);
  }
}
