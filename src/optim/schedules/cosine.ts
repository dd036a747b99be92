import { cos } from "../../core/math.ts";
import { checkNames, checkNumber } from "../range.ts";
import type { StageForm } from "./form.ts";
import { formatSpan } from "./reader.ts";
import { fromEquation, type Schedule } from "./schedule.ts";
import { readSpan, SPAN_NAMES, type SpanOptions, stepsOf, totalSteps } from "./span.ts";

export type CosineOptions = SpanOptions & {
  /** The rate at the end. Default 0. */
  readonly end?: number;
};

/**
 * Half a cosine from the rate down to `end`: a = end + (a0 - end) (1 + cos(pi t / T)) / 2, and a = end after T.
 *
 * T is `steps`, `epochs` or `fraction` of the run, or the whole run (within `join`: the whole stage) when none is given.
 * PyTorch's CosineAnnealingLR rises again after T; this one stays, as optax's and Keras's.
 *
 * Text form: `"cosine"`, `"cosine 20ep"`, `"cosine to 0.001"`. Throws OptionError for values out of range; `at` throws it
 * when the length of the run is needed and unknown.
 *
 * Source: Loshchilov and Hutter, "SGDR", 2017 (without restarts).
 *
 * @example
 * [0, 50, 100].map((step) => schedule.cosine(0.1).at(step, { totalSteps: 100 })) // -> [0.1, 0.05, 0]
 */
export function cosine(rate: number, options: CosineOptions = {}): Schedule {
  const owner = "cosine";
  checkNumber(owner, "rate", rate, { min: 0 });
  checkNames(owner, options, ["end", ...SPAN_NAMES]);
  const { end = 0 } = options;
  checkNumber(owner, "end", end, { min: 0 });
  const span = readSpan(owner, options);
  return fromEquation(owner, { rate, end, ...span }, (step, run) => {
    const T = span === undefined ? totalSteps(owner, run) : stepsOf(owner, span, run);
    if (step >= T) return end;
    return end + ((rate - end) * (1 + cos((Math.PI * step) / T))) / 2;
  });
}

export const cosineForm: StageForm = {
  kind: "cosine",
  equation: "a = end + (a0 - end) (1 + cos(pi t / T)) / 2",
  source: 'Loshchilov and Hutter, "SGDR", 2017; optax.cosine_decay_schedule',
  options: {
    steps: "T in steps",
    epochs: "T in epochs",
    fraction: "T as a fraction of the run; default 1",
    end: "the rate at the end; default 0",
  },
  word: "cosine",
  text: "cosine",
  revive: ({ kind: _, rate, ...options }) => cosine(rate as number, options),
  parse(reader, rate) {
    const span = reader.peekNumber() ? reader.span("a length, as in 20ep") : {};
    const end = reader.accept("to") ? { end: reader.number("the rate at the end") } : {};
    return cosine(rate, { ...span, ...end });
  },
  format(data) {
    const options = data as CosineOptions;
    const span = readSpan("cosine", options);
    return `cosine${span === undefined ? "" : ` ${formatSpan(span)}`}${options.end ? ` to ${options.end}` : ""}`;
  },
};
