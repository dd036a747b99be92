import { pow } from "../../core/math.ts";
import { checkFlag, checkNames, checkNumber } from "../range.ts";
import { END_NAMES, END_OPTIONS, type EndOptions, readEnd } from "./end.ts";
import { type StageForm, stageForm } from "./form.ts";
import * as phrase from "./phrases.ts";
import { fromEquation, type Schedule } from "./schedule.ts";
import { readSpan, SPAN_NAMES, type SpanOptions, wholeSteps } from "./span.ts";

export type PolynomialOptions = SpanOptions &
  EndOptions & {
    /** Default 1. */
    readonly power?: number;
    /** After T, take T for the next multiple of T, as Keras's `cycle`: the rate rises again. Default false. */
    readonly cycle?: boolean;
  };

/**
 * Polynomial decay: a = end + (a0 - end) (1 - min(t, T) / T)^power.
 *
 * T is `steps`, `epochs` or `fraction` of the run, or the whole run (within `join`: the whole stage) when none is given. The end is
 * `end` (default 0, as PyTorch's; Keras: 1e-4, Hugging Face: 1e-7) or `alpha` times the rate.
 *
 * Text form: `"poly 2 to 1e-5"`, `"poly 0.5 20ep cycle"`. Throws OptionError for values out of range; `at` throws it when the length
 * of the run is needed and unknown.
 *
 * Source: torch.optim.lr_scheduler.PolynomialLR; optax.polynomial_schedule; keras.optimizers.schedules.PolynomialDecay.
 *
 * @example
 * const rate = schedule.polynomial(1, { power: 2, steps: 100 });
 * [0, 50, 100].map((step) => rate.at(step, {})) // -> [1, 0.25, 0]
 */
export function polynomial(rate: number, options: PolynomialOptions = {}): Schedule {
  const owner = "polynomial";
  checkNumber(owner, "rate", rate, { min: 0 });
  checkNames(owner, options, ["power", "cycle", ...END_NAMES, ...SPAN_NAMES]);
  const { power = 1, cycle = false } = options;
  checkNumber(owner, "power", power, { above: 0 });
  checkFlag(owner, "cycle", cycle);
  const span = readSpan(owner, options);
  const { data, end } = readEnd(owner, rate, options);
  return fromEquation(owner, { rate, power, ...data, ...(cycle && { cycle }), ...span }, (step, run) => {
    const once = Math.max(1, wholeSteps(owner, span, run));
    const T = cycle ? once * Math.max(1, Math.ceil(step / once)) : once;
    return end + (rate - end) * pow(1 - Math.min(step, T) / T, power);
  });
}

export const polynomialForm: StageForm = stageForm({
  kind: "polynomial",
  equation: "a = end + (a0 - end) (1 - min(t, T) / T)^power",
  source: "torch.optim.lr_scheduler.PolynomialLR; optax.polynomial_schedule",
  options: {
    power: "default 1",
    steps: "T in steps",
    epochs: "T in epochs",
    fraction: "T as a fraction of the run; default 1",
    ...END_OPTIONS,
    cycle: "after T, T times the next whole number, as Keras; default false",
  },
  conventions: "PyTorch ends at 0, Keras at 1e-4 and Hugging Face at 1e-7 unless told; here 0",
  word: "poly",
  text: "poly 2 to 1%",
  lasts: true,
  phrases: [
    {
      form: "a power, as in 2",
      required: true,
      read: (reader) => (reader.peekNumber() ? { power: reader.number("a power") } : undefined),
      write: ({ power }) => String(power),
    },
    phrase.length("20ep"),
    phrase.end({ end: 0 }),
    phrase.flag("cycle", "cycle"),
  ],
  build: (rate, options) => polynomial(rate, options),
});
