import { checkNames, checkNumber } from "../range.ts";
import { END_NAMES, type EndOptions, readEnd } from "./end.ts";
import { type StageForm, stageForm } from "./form.ts";
import * as phrase from "./phrases.ts";
import { formatSpan } from "./reader.ts";
import { fromEquation, type Schedule } from "./schedule.ts";
import { rise } from "./shape.ts";
import { checkSpan, lengthOf, type Span, totalSteps } from "./span.ts";

export type FlatCosineOptions = EndOptions & {
  /** How long the rate stays. Default 0.75 of the run. */
  readonly flat?: Span;
};

/**
 * The rate, and half a cosine down to the end over the rest of the run: fastai's fit_flat_cos.
 *
 * The end is `end`, or `alpha` (default 1e-5) times the rate.
 *
 * Text form: `"flatcosine 75%"`, `"flatcosine 3ep to 0.001"`. Throws OptionError for values out of range; `at` throws it when the length
 * of the run is unknown.
 *
 * Source: fastai.callback.schedule, fit_flat_cos.
 *
 * @example
 * const rate = schedule.flatCosine(1, { flat: { fraction: 0.5 }, end: 0 });
 * [0, 50, 75, 100].map((step) => rate.at(step, { totalSteps: 100 })) // -> [1, 1, 0.5, 0]
 */
export function flatCosine(rate: number, options: FlatCosineOptions = {}): Schedule {
  const owner = "flatCosine";
  checkNumber(owner, "rate", rate, { min: 0 });
  checkNames(owner, options, ["flat", ...END_NAMES]);
  const flat = checkSpan(owner, "flat", options.flat ?? { fraction: 0.75 });
  const { data, end } = readEnd(owner, rate, options, { alpha: 1e-5 });
  return fromEquation(owner, { rate, flat, ...data }, (step, run) => {
    const [start, T] = [lengthOf(owner, flat, run), totalSteps(owner, run)];
    if (step < start) return rate;
    return step < T ? rate + (end - rate) * rise("cosine", (step - start) / (T - start)) : end;
  });
}

export const flatCosineForm: StageForm = stageForm({
  kind: "flatCosine",
  equation: "a = a0, then end + (a0 - end) (1 + cos(pi p)) / 2, p from 0 to 1 in the rest of the run",
  source: "fastai.callback.schedule, fit_flat_cos",
  options: {
    flat: "how long the rate stays, { steps | epochs | fraction }; default 0.75 of the run",
    end: "the rate at the end",
    alpha: "the same as a share of the rate; default 1e-5",
  },
  word: "flatcosine",
  text: "flatcosine 75%",
  phrases: [
    {
      form: "how long the rate stays, as in 75%",
      read: (reader) => (reader.peekNumber() ? { flat: reader.span("how long the rate stays, as in 75%") } : undefined),
      write: ({ flat }) => formatSpan(flat as Span),
    },
    phrase.end({ alpha: 1e-5 }),
  ],
  build: (rate, options) => flatCosine(rate, options),
});
