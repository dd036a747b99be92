import { OptionError } from "../../core/errors.ts";
import { pow } from "../../core/math.ts";
import { checkFlag, checkNames, checkNumber } from "../range.ts";
import { type StageForm, stageForm } from "./form.ts";
import * as phrase from "./phrases.ts";
import { formatSpan } from "./reader.ts";
import { fromEquation, type Schedule } from "./schedule.ts";
import { checkSpan, lengthOf, readSpan, SPAN_NAMES, type Span, type SpanOptions } from "./span.ts";

/** T is `steps`, `epochs` or `fraction`: in how long the rate is multiplied by `factor`. */
export type GeometricDecayOptions = SpanOptions & {
  /** r, optax's and Keras's `decay_rate`. Above 0. */
  readonly factor: number;
  /** How long the rate stays before it decays, optax's `transition_begin`. Default not at all. */
  readonly begin?: Span;
  /** Use whole multiples of T only. Default false. */
  readonly staircase?: boolean;
  /** The rate never passes this: a lower bound for r below 1, else an upper one. Default none. */
  readonly end?: number;
};

/**
 * Exponential decay in the form of optax and Keras: a = a0 r^((t - begin) / T), and a0 until `begin`.
 *
 * T is `steps`, `epochs` or `fraction` of the run. It is `exponentialDecay` with k = -ln(r) / T; with `staircase` it is `stepDecay`.
 *
 * Text form: `"geometric 0.96/1000st"`, `"geometric 0.5/5ep staircase after 2ep to 0.001"`. Throws OptionError for values out of
 * range; `at` throws it when a length in epochs or fractions is needed and that of the epoch or run is unknown.
 *
 * Source: optax.exponential_decay; keras.optimizers.schedules.ExponentialDecay.
 *
 * @example
 * const rate = schedule.geometricDecay(1, { factor: 0.5, steps: 100, begin: { steps: 50 } });
 * [0, 50, 150, 250].map((step) => rate.at(step, {})) // -> [1, 1, 0.5, 0.25]
 */
export function geometricDecay(rate: number, options: GeometricDecayOptions): Schedule {
  const owner = "geometricDecay";
  checkNumber(owner, "rate", rate, { min: 0 });
  checkNames(owner, options, ["factor", "begin", "staircase", "end", ...SPAN_NAMES]);
  const { factor, staircase = false, end } = options;
  checkNumber(owner, "factor", factor, { above: 0 });
  checkFlag(owner, "staircase", staircase);
  if (end !== undefined) checkNumber(owner, "end", end, { min: 0 });
  const begin = options.begin === undefined ? undefined : checkSpan(owner, "begin", options.begin);
  const every = readSpan(owner, options);
  if (every === undefined)
    throw new OptionError(`${owner}: got no length; expected one of ${SPAN_NAMES.join(", ")}.`, owner);
  const others = {
    ...(begin !== undefined && { begin }),
    ...(staircase && { staircase }),
    ...(end !== undefined && { end }),
  };
  return fromEquation(owner, { rate, factor, ...every, ...others }, (step, run) => {
    const t = begin === undefined ? step : step - Math.round(lengthOf(owner, begin, run));
    if (t <= 0) return rate;
    const p = t / lengthOf(owner, every, run);
    const a = rate * pow(factor, staircase ? Math.floor(p) : p);
    if (end === undefined) return a;
    return factor < 1 ? Math.max(a, end) : Math.min(a, end);
  });
}

export const geometricDecayForm: StageForm = stageForm({
  kind: "geometricDecay",
  equation: "a = a0 r^((t - begin) / T)",
  source: "optax.exponential_decay; keras.optimizers.schedules.ExponentialDecay",
  options: {
    factor: "r",
    steps: "T in steps",
    epochs: "T in epochs",
    fraction: "T as a fraction of the run",
    begin: "how long the rate stays first, { steps | epochs | fraction }; default not at all",
    staircase: "whole multiples of T only; default false",
    end: "the rate does not pass this; default none",
  },
  word: "geometric",
  text: "geometric 0.96/1ep",
  phrases: [
    {
      form: "a factor and a length, as in 0.96/1000st",
      required: true,
      read(reader) {
        if (!reader.peekNumber()) return undefined;
        const factor = reader.number("a factor");
        if (!reader.accept("/")) throw reader.fail('"/" and a length, as in 0.96/1000st');
        return { factor, ...reader.span("a length, as in 1000st") };
      },
      write: (data) => `${String(data.factor)}/${formatSpan(readSpan("geometricDecay", data) as Span)}`,
    },
    phrase.span("after", "begin"),
    phrase.flag("staircase", "staircase"),
    {
      form: '"to RATE"',
      read: (reader) => (reader.accept("to") ? { end: reader.number('a rate after "to"') } : undefined),
      write: ({ end }) => (end === undefined ? "" : `to ${String(end)}`),
    },
  ],
  build: (rate, options) => geometricDecay(rate, options as GeometricDecayOptions),
});
