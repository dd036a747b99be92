/** What a text in a cell says: pure functions. */

/** In lower case; a cell of one of these has no value. */
const MISSING: ReadonlySet<string> = new Set(["", "na", "n/a", "nan", "null", "?"]);

export function isMissing(text: string): boolean {
  return text.length <= 4 && MISSING.has(text.toLowerCase());
}

const ZERO = 48;
const NINE = 57;

/** NaN for what is no decimal number: hexadecimal ones and infinities are none. */
export function numberOf(text: string, decimalComma: boolean): number {
  const value = Number(text);
  if (Number.isFinite(value)) {
    // 0x1f, 0b1 and 0o7 are numbers to JavaScript alone.
    const second = text.charCodeAt(1);
    const isDecimal = !(second > NINE && text.charCodeAt(0) === ZERO) || /^0[eE]/.test(text);
    return isDecimal ? value : Number.NaN;
  }
  return decimalComma && /^[+-]?\d*,\d+$/.test(text) ? Number(text.replace(",", ".")) : Number.NaN;
}

const ISO =
  /^(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|UTC|[+-]\d{2}:?\d{2})?)?$/;
const DOTTED = /^(\d{1,2})\.(\d{1,2})\.(\d{4})$/;
const SLASHED = /^(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})$/;

export type DateOrder = "iso" | "d/m/y" | "m/d/y";

/**
 * Milliseconds since 1970, in UTC where no zone is said; NaN for what is no date. ISO 8601 (with `/` too) and 31.12.2025
 * always; 31/12/2025 and 12/31/2025 only where the order is said, since both orders are in use.
 */
export function dateOf(text: string, order: DateOrder = "iso"): number {
  const first = text.charCodeAt(0);
  if (text.length < 8 || !(first >= ZERO && first <= NINE)) return Number.NaN;
  const iso = ISO.exec(text);
  if (iso !== null) {
    const [, year, month, day, hour = "0", minute = "0", second = "0", fraction = "0", zone = "Z"] = iso;
    const at = utc(Number(year), Number(month), Number(day));
    const time = Number(hour) * 3600 + Number(minute) * 60 + Number(second) + Number(`0.${fraction}`);
    if (Number(hour) > 24 || Number(minute) > 59 || Number(second) > 60) return Number.NaN;
    return at + Math.round(time * 1000) - offsetMs(zone);
  }
  const dotted = DOTTED.exec(text);
  if (dotted !== null && order === "iso") return utc(Number(dotted[3]), Number(dotted[2]), Number(dotted[1]));
  const slashed = order === "iso" ? null : SLASHED.exec(text);
  if (slashed === null) return Number.NaN;
  const [, a, b, year] = slashed;
  return order === "d/m/y" ? utc(Number(year), Number(b), Number(a)) : utc(Number(year), Number(a), Number(b));
}

function utc(year: number, month: number, day: number): number {
  const at = Date.UTC(year, month - 1, day);
  const date = new Date(at);
  // Date.UTC takes the 31st of February for the 3rd of March.
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? at : Number.NaN;
}

function offsetMs(zone: string): number {
  if (zone === "Z" || zone === "UTC") return 0;
  const sign = zone.startsWith("-") ? -1 : 1;
  return sign * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2))) * 60_000;
}

/** Pairs of texts that are no and yes, in lower case. */
const BOOLEANS: readonly (readonly [string, string])[] = [
  ["false", "true"],
  ["no", "yes"],
  ["f", "t"],
  ["n", "y"],
  ["off", "on"],
];

/** No and yes, where these texts are such a pair, or one of it. */
export function booleanPair(texts: readonly string[]): readonly [no: string, yes: string] | undefined {
  const lower = texts.map((text) => text.toLowerCase());
  return BOOLEANS.find((pair) => lower.every((text) => pair.includes(text)));
}

/** 0 or 1; NaN for what is neither no nor yes. */
export function booleanOf(text: string): number {
  const lower = text.toLowerCase();
  if (lower === "0" || lower === "1") return Number(lower);
  const pair = BOOLEANS.find((each) => each.includes(lower));
  return pair === undefined ? Number.NaN : pair.indexOf(lower);
}
