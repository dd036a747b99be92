import { checkChoice, checkNames, checkNumber } from "../range.ts";
import { END_NAMES, END_OPTIONS, type EndOptions, readEnd } from "./end.ts";
import { type StageForm, stageForm } from "./form.ts";
import * as phrase from "./phrases.ts";
import { fromEquation, type Schedule } from "./schedule.ts";
import { rise } from "./shape.ts";
import { readSpan, SPAN_NAMES, type SpanOptions, stepsOf } from "./span.ts";

/** T is `steps`, `epochs` or `fraction` of the run. Default 10 epochs. */
export type SwaOptions = SpanOptions &
  EndOptions & {
    /** "cosine" (default) or "linear". */
    readonly shape?: "cosine" | "linear";
  };

/**
 * From the rate to the rate of stochastic weight averaging in T, and then that: a = a0 + (end - a0) w(min(t, T) / T).
 *
 * PyTorch's SWALR with swa_lr = `end` (default 0), stepped once a step; w(p) is (1 - cos(pi p)) / 2 or p. Usually the last stage:
 * `"constant for 75% | swa 5ep to 0.05"`, beside `optim.swa`.
 *
 * Text form: `"swa 5ep to 0.05"`, `"swa 500st to 10% linear"`. Throws OptionError for values out of range; `at` throws it when the length
 * of the run or epoch is needed and unknown.
 *
 * Source: Izmailov et al., "Averaging Weights Leads to Wider Optima", 2018; torch.optim.swa_utils.SWALR.
 *
 * @example
 * const rate = schedule.swa(1, { end: 0.5, steps: 10 });
 * [0, 5, 10, 20].map((step) => rate.at(step, {})) // -> [1, 0.75, 0.5, 0.5]
 */
export function swa(rate: number, options: SwaOptions = {}): Schedule {
  const owner = "swa";
  checkNumber(owner, "rate", rate, { min: 0 });
  checkNames(owner, options, ["shape", ...END_NAMES, ...SPAN_NAMES]);
  const { shape = "cosine" } = options;
  checkChoice(owner, "shape", shape, ["cosine", "linear"]);
  const span = readSpan(owner, options) ?? { epochs: 10 };
  const { data, end } = readEnd(owner, rate, options);
  return fromEquation(owner, { rate, ...data, ...span, ...(shape !== "cosine" && { shape }) }, (step, run) => {
    const T = stepsOf(owner, span, run);
    return step < T ? rate + (end - rate) * rise(shape, step / T) : end;
  });
}

export const swaForm: StageForm = stageForm({
  kind: "swa",
  equation: "a = a0 + (end - a0) w(min(t, T) / T)",
  source: 'Izmailov et al., "Averaging Weights Leads to Wider Optima", 2018; torch.optim.swa_utils.SWALR',
  options: {
    steps: "T in steps",
    epochs: "T in epochs; default 10",
    fraction: "T as a fraction of the run",
    ...END_OPTIONS,
    shape: '"cosine" (default) or "linear"',
  },
  word: "swa",
  text: "swa 5ep to 0.05",
  phrases: [
    phrase.length("5ep", { usual: { epochs: 10 } }),
    phrase.end({ end: 0 }),
    phrase.choice(["linear", "cosine"], "shape", "cosine"),
  ],
  build: (rate, options) => swa(rate, options),
});
