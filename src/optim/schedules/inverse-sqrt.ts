import { checkNames, checkNumber } from "../range.ts";
import { type StageForm, stageForm } from "./form.ts";
import * as phrase from "./phrases.ts";
import { fromEquation, type Schedule } from "./schedule.ts";
import { checkSpan, lengthOf, type Span, stepsOf } from "./span.ts";

export type InverseSqrtOptions = {
  /** How long the rate grows from 0. Default not at all. */
  readonly warmup?: Span;
  /** s. Default the warm-up, or 10,000 steps without one. */
  readonly timescale?: Span;
};

/**
 * Inverse square root: a = a0 / sqrt((t + s - w) / s) after a linear warm-up of w steps from 0.
 *
 * With the default timescale s = w it is a0 sqrt(w / t). As Hugging Face's and big_vision's.
 *
 * Text form: `"rsqrt warmup 10%"`, `"rsqrt warmup 500st timescale 5000st"`. Throws OptionError for values out of range; `at` throws it
 * when the length of the run or epoch is needed and unknown.
 *
 * Source: transformers.get_inverse_sqrt_schedule; Raffel et al., "T5", 2020.
 *
 * @example
 * const rate = schedule.inverseSqrt(1, { warmup: { steps: 100 } });
 * [0, 50, 100, 400].map((step) => rate.at(step, {})) // -> [0, 0.5, 1, 0.5]
 */
export function inverseSqrt(rate: number, options: InverseSqrtOptions = {}): Schedule {
  const owner = "inverseSqrt";
  checkNumber(owner, "rate", rate, { min: 0 });
  checkNames(owner, options, ["warmup", "timescale"]);
  const warmup = options.warmup === undefined ? undefined : checkSpan(owner, "warmup", options.warmup);
  const timescale = options.timescale === undefined ? undefined : checkSpan(owner, "timescale", options.timescale);
  const data = { ...(warmup !== undefined && { warmup }), ...(timescale !== undefined && { timescale }) };
  return fromEquation(owner, { rate, ...data }, (step, run) => {
    const w = warmup === undefined ? 0 : stepsOf(owner, warmup, run);
    if (step < w) return (rate * step) / w;
    const s = timescale === undefined ? w || 10_000 : lengthOf(owner, timescale, run);
    return rate / Math.sqrt((step + s - w) / s);
  });
}

export const inverseSqrtForm: StageForm = stageForm({
  kind: "inverseSqrt",
  equation: "a = a0 / sqrt((t + s - w) / s) after a warm-up of w steps",
  source: 'transformers.get_inverse_sqrt_schedule; Raffel et al., "T5", 2020',
  options: {
    warmup: "w, { steps | epochs | fraction }; default not at all",
    timescale: "s, the same; default w, or 10,000 steps without a warm-up",
  },
  word: "rsqrt",
  text: "rsqrt warmup 10%",
  phrases: [phrase.span("warmup", "warmup"), phrase.span("timescale", "timescale")],
  build: (rate, options) => inverseSqrt(rate, options),
});
