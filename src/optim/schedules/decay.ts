import { checkChoice, checkFlag, checkNames, checkNumber } from "../range.ts";
import { flag, type Phrase } from "./phrases.ts";
import type { TimeUnit } from "./span.ts";

/** What the decays that are continuous in time, e^(-kt) and 1/(1 + kt), have in common. */
export type DecayOptions = {
  /** k, per epoch or per step. At least 0. */
  readonly decay: number;
  /** What t counts. Default "epoch", and then t has a fractional part within the epoch. */
  readonly per?: TimeUnit;
  /** Use whole t only: the rate changes once an epoch. Default false. */
  readonly staircase?: boolean;
};

export function checkDecay(owner: string, rate: number, options: DecayOptions): Required<DecayOptions> {
  checkNumber(owner, "rate", rate, { min: 0 });
  checkNames(owner, options, ["decay", "per", "staircase"]);
  const { decay, per = "epoch", staircase = false } = options;
  checkNumber(owner, "decay", decay, { min: 0 });
  checkChoice(owner, "per", per, ["epoch", "step"]);
  checkFlag(owner, "staircase", staircase);
  return { decay, per, staircase };
}

export const DECAY_OPTIONS: Readonly<Record<string, string>> = {
  decay: "k, per epoch or per step",
  per: 'what t counts: "epoch" (default) or "step"',
  staircase: "whole t only; default false",
};

/** `0.05`, `0.05/st`, `0.05 staircase`. */
export const DECAY_PHRASES: readonly Phrase[] = [
  {
    form: "k, as in 0.05 (per epoch) or 0.001/st (per step)",
    required: true,
    read(reader) {
      if (!reader.peekNumber()) return undefined;
      const decay = reader.number("k");
      return { decay, per: reader.accept("/") ? reader.timeUnit() : "epoch" };
    },
    write: ({ decay, per }) => `${String(decay)}${per === "step" ? "/st" : ""}`,
  },
  flag("staircase", "staircase"),
];
