import { OptionError } from "../../core/errors.ts";
import { checkNumber } from "../range.ts";

/** Where a schedule ends: a rate, or a share of the rate that it begins with. */
export type EndOptions = {
  /** The rate at the end. */
  readonly end?: number;
  /** The same as a share of the rate (optax's and Keras's `alpha`, Hugging Face's `min_lr_rate`), instead of `end`. */
  readonly alpha?: number;
};

export const END_NAMES: readonly string[] = ["end", "alpha"];

/** The end as data, `usual` where none is given, and as a rate. */
export function readEnd(
  owner: string,
  rate: number,
  options: EndOptions,
  usual: EndOptions = { end: 0 },
): { readonly data: EndOptions; readonly end: number } {
  const { end, alpha } = options.end === undefined && options.alpha === undefined ? usual : options;
  if (end !== undefined && alpha !== undefined)
    throw new OptionError(`${owner}: got end and alpha; expected one of them.`, owner);
  if (alpha === undefined) {
    checkNumber(owner, "end", end, { min: 0 });
    return { data: { end }, end };
  }
  checkNumber(owner, "alpha", alpha, { min: 0 });
  return { data: { alpha }, end: alpha * rate };
}

export const END_OPTIONS: Readonly<Record<string, string>> = {
  end: "the rate at the end; default 0",
  alpha: "the same as a share of the rate",
};
