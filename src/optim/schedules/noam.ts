import { pow } from "../../core/math.ts";
import { checkNames, checkNumber } from "../range.ts";
import { type StageForm, stageForm } from "./form.ts";
import * as phrase from "./phrases.ts";
import { formatSpan } from "./reader.ts";
import { fromEquation, type Schedule } from "./schedule.ts";
import { checkSpan, type Span, stepsOf } from "./span.ts";

export type NoamOptions = {
  /** d, the size of the model. Default 512. */
  readonly modelSize?: number;
  /** w. Default 4,000 steps. */
  readonly warmup?: Span;
};

/**
 * The Transformer's: a = a0 d^(-1/2) min(n^(-1/2), n w^(-3/2)), n = t + 1.
 *
 * The rate a0 is a factor, 1 in the paper: the peak, at n = w, is a0 / sqrt(d w). Steps count from 1, as in the paper and in burn.
 *
 * Text form: `"noam 512 warmup 4000st"`. Throws OptionError for values out of range; `at` throws it when the length of the run or
 * epoch is needed and unknown.
 *
 * Source: Vaswani et al., "Attention Is All You Need", 2017, equation 3.
 *
 * @example
 * const rate = schedule.noam(1, { modelSize: 100, warmup: { steps: 25 } });
 * [0, 24, 99].map((step) => rate.at(step, {}).toFixed(4)) // -> ["0.0008", "0.0200", "0.0100"]
 */
export function noam(rate: number, options: NoamOptions = {}): Schedule {
  const owner = "noam";
  checkNumber(owner, "rate", rate, { min: 0 });
  checkNames(owner, options, ["modelSize", "warmup"]);
  const { modelSize = 512 } = options;
  checkNumber(owner, "modelSize", modelSize, { above: 0 });
  const warmup = checkSpan(owner, "warmup", options.warmup ?? { steps: 4000 });
  return fromEquation(owner, { rate, modelSize, warmup }, (step, run) => {
    const n = step + 1;
    const w = stepsOf(owner, warmup, run);
    return (rate / Math.sqrt(modelSize)) * Math.min(1 / Math.sqrt(n), n * pow(w, -1.5));
  });
}

export const noamForm: StageForm = stageForm({
  kind: "noam",
  equation: "a = a0 d^(-1/2) min(n^(-1/2), n w^(-3/2)), n = t + 1",
  source: 'Vaswani et al., "Attention Is All You Need", 2017',
  options: {
    modelSize: "d; default 512",
    warmup: "w, { steps | epochs | fraction }; default 4000 steps",
  },
  conventions: "the rate is a factor (1 in the paper), not the peak, which is a0 / sqrt(d w)",
  word: "noam",
  text: "noam 512 warmup 200st",
  phrases: [
    {
      form: "the size of the model, as in 512",
      read: (reader) => (reader.peekNumber() ? { modelSize: reader.number("the size of the model") } : undefined),
      write: ({ modelSize }) => String(modelSize),
    },
    { ...phrase.span("warmup", "warmup"), write: ({ warmup }) => `warmup ${formatSpan(warmup as Span)}` },
  ],
  build: (rate, options) => noam(rate, options),
});
