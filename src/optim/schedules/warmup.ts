import { checkNames, checkNumber } from "../range.ts";
import type { StageForm } from "./form.ts";
import { formatSpan } from "./reader.ts";
import { fromEquation, type Schedule } from "./schedule.ts";
import { readSpan, SPAN_NAMES, type SpanOptions, stepsOf, totalSteps } from "./span.ts";

export type WarmupOptions = SpanOptions & {
  /** The value at step 0. Default 0. */
  readonly from?: number;
};

/**
 * A straight line from `from` up to the rate: a = from + (a0 - from) min(t, T) / T, and then the rate itself.
 *
 * T is `steps`, `epochs` or `fraction` of the run, or the whole run (within `join`: the whole stage) when none is given.
 * As optax.linear_schedule and Hugging Face: with `from` 0 the first step has rate 0, the step T the full one. PyTorch's
 * LinearLR starts at a third. Any hyperparameter may be given this schedule, e.g. a momentum that grows.
 *
 * Text form: `"warmup 5%"`, `"warmup 2ep"`, `"warmup 500st from 0.01"`, usually as in `"warmup 5% | cosine"`. Throws
 * OptionError for values out of range; `at` throws it when the length of the run or epoch is needed and unknown.
 *
 * Source: Goyal et al., "Accurate, Large Minibatch SGD", 2017, section 2.2.
 *
 * @example
 * [0, 5, 10, 99].map((step) => schedule.warmup(0.1, { fraction: 0.1 }).at(step, { totalSteps: 100 })) // -> [0, 0.05, 0.1, 0.1]
 */
export function warmup(rate: number, options: WarmupOptions = {}): Schedule {
  const owner = "warmup";
  checkNumber(owner, "rate", rate, { min: 0 });
  checkNames(owner, options, ["from", ...SPAN_NAMES]);
  const { from = 0 } = options;
  checkNumber(owner, "from", from, { min: 0 });
  const span = readSpan(owner, options);
  return fromEquation(owner, { rate, from, ...span }, (step, run) => {
    const T = span === undefined ? totalSteps(owner, run) : stepsOf(owner, span, run);
    if (step >= T) return rate;
    return from + ((rate - from) * step) / T;
  });
}

export const warmupForm: StageForm = {
  kind: "warmup",
  equation: "a = from + (a0 - from) min(t, T) / T",
  source: 'Goyal et al., "Accurate, Large Minibatch SGD", 2017; optax.linear_schedule',
  options: {
    steps: "T in steps",
    epochs: "T in epochs",
    fraction: "T as a fraction of the run; default 1",
    from: "the value at step 0; default 0",
  },
  word: "warmup",
  text: "warmup 5%",
  revive: ({ kind: _, rate, ...options }) => warmup(rate as number, options),
  parse(reader, rate) {
    const span = reader.peekNumber() ? reader.span("a length, as in 5%, 2ep or 500st") : {};
    const from = reader.accept("from") ? { from: reader.number("the rate at step 0") } : {};
    return warmup(rate, { ...span, ...from });
  },
  format(data) {
    const options = data as WarmupOptions;
    const span = readSpan("warmup", options);
    return `warmup${span === undefined ? "" : ` ${formatSpan(span)}`}${options.from ? ` from ${options.from}` : ""}`;
  },
};
