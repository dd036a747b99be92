import { checkChoice, checkNames, checkNumber } from "../range.ts";
import { type StageForm, stageForm } from "./form.ts";
import * as phrase from "./phrases.ts";
import { fromEquation, type Schedule } from "./schedule.ts";
import { rise, SHAPES, type Shape } from "./shape.ts";
import { readSpan, SPAN_NAMES, type SpanOptions, wholeSteps } from "./span.ts";

export type WarmupOptions = SpanOptions & {
  /** The value at step 0. Default 0. */
  readonly from?: number;
  /** How it grows: "linear" (default), "cosine" or "1-sqrt". */
  readonly shape?: Shape;
};

/**
 * From `from` up to the rate: a = from + (a0 - from) w(min(t, T) / T), and then the rate itself. The `shape` w(p) is "linear", p,
 * "cosine", (1 - cos(pi p)) / 2, or "1-sqrt", 1 - sqrt(1 - p).
 *
 * T is `steps`, `epochs` or `fraction` of the run, or the whole run (within `join`: the whole stage) when none is given.
 * As optax.linear_schedule and Hugging Face: with `from` 0 the first step has rate 0, the step T the full one. PyTorch's
 * LinearLR starts at a third. Any hyperparameter may be given this schedule, e.g. a momentum that grows.
 *
 * Text form: `"warmup 5%"`, `"warmup 2ep"`, `"warmup 500st from 0.01 cosine"`, usually as in `"warmup 5% | cosine"`. Throws
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
  checkNames(owner, options, ["from", "shape", ...SPAN_NAMES]);
  const { from = 0, shape = "linear" } = options;
  checkNumber(owner, "from", from, { min: 0 });
  checkChoice(owner, "shape", shape, SHAPES);
  const span = readSpan(owner, options);
  const data = { rate, from, ...(shape !== "linear" && { shape }), ...span };
  return fromEquation(owner, data, (step, run) => {
    const T = wholeSteps(owner, span, run);
    if (step >= T) return rate;
    return shape === "linear" ? from + ((rate - from) * step) / T : from + (rate - from) * rise(shape, step / T);
  });
}

export const warmupForm: StageForm = stageForm({
  kind: "warmup",
  equation: "a = from + (a0 - from) w(min(t, T) / T)",
  source: 'Goyal et al., "Accurate, Large Minibatch SGD", 2017; optax.linear_schedule',
  options: {
    steps: "T in steps",
    epochs: "T in epochs",
    fraction: "T as a fraction of the run; default 1",
    from: "the value at step 0; default 0",
    shape: 'w: "linear" (default), "cosine" or "1-sqrt"',
  },
  conventions:
    "optax, Keras and Hugging Face begin at 0, so that the first step does nothing; torch.optim.lr_scheduler.LinearLR begins at a third: `linearFactor`",
  word: "warmup",
  text: "warmup 5%",
  lasts: true,
  phrases: [
    phrase.length("5%, 2ep or 500st"),
    phrase.number("from", "from", 0),
    phrase.choice(SHAPES, "shape", "linear"),
  ],
  build: (rate, options) => warmup(rate, options),
});
