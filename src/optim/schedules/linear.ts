import { checkNames, checkNumber } from "../range.ts";
import { END_NAMES, END_OPTIONS, type EndOptions, readEnd } from "./end.ts";
import { type StageForm, stageForm } from "./form.ts";
import * as phrase from "./phrases.ts";
import { fromEquation, type Schedule } from "./schedule.ts";
import { readSpan, SPAN_NAMES, type SpanOptions, wholeSteps } from "./span.ts";

export type LinearOptions = SpanOptions & EndOptions;

/**
 * A straight line from the rate to the end: a = a0 + (end - a0) min(t, T) / T.
 *
 * T is `steps`, `epochs` or `fraction` of the run, or the whole run (within `join`: the whole stage) when none is given. The end is
 * `end` (default 0) or `alpha` times the rate, and may lie above: a momentum from 0.5 to 0.99. Hugging Face's "linear" is
 * `"warmup 10% | linear"`.
 *
 * Text form: `"linear"`, `"linear 20ep to 0.001"`, `"linear from 0.5 to 0.99"`. Throws OptionError for values out of range; `at`
 * throws it when the length of the run is needed and unknown.
 *
 * Source: optax.linear_schedule; torch.optim.lr_scheduler.LinearLR.
 *
 * @example
 * [0, 25, 100, 200].map((step) => schedule.linear(0.5, { end: 1, steps: 100 }).at(step, {})) // -> [0.5, 0.625, 1, 1]
 */
export function linear(rate: number, options: LinearOptions = {}): Schedule {
  const owner = "linear";
  checkNumber(owner, "rate", rate, { min: 0 });
  checkNames(owner, options, [...END_NAMES, ...SPAN_NAMES]);
  const span = readSpan(owner, options);
  const { data, end } = readEnd(owner, rate, options);
  return fromEquation(owner, { rate, ...data, ...span }, (step, run) => {
    const T = wholeSteps(owner, span, run);
    return step >= T ? end : rate + ((end - rate) * step) / T;
  });
}

export const linearForm: StageForm = stageForm({
  kind: "linear",
  equation: "a = a0 + (end - a0) min(t, T) / T",
  source: "optax.linear_schedule; torch.optim.lr_scheduler.LinearLR",
  options: {
    steps: "T in steps",
    epochs: "T in epochs",
    fraction: "T as a fraction of the run; default 1",
    ...END_OPTIONS,
  },
  word: "linear",
  text: "linear",
  lasts: true,
  phrases: [
    phrase.length("20ep"),
    {
      form: '"from VALUE"',
      read: (reader) => (reader.accept("from") ? { rate: reader.number('a value after "from"') } : undefined),
      write: () => "",
    },
    phrase.end({ end: 0 }),
  ],
  build: (rate, options) => linear(rate, options),
});
