import { checkNames, checkNumber } from "../range.ts";
import { type StageForm, stageForm } from "./form.ts";
import { formatSpan } from "./reader.ts";
import { fromEquation, type Schedule } from "./schedule.ts";
import { readSpan, SPAN_NAMES, type Span, type SpanOptions, stepsOf } from "./span.ts";

/** T is `steps`, `epochs` or `fraction` of the run. Default 5 epochs. */
export type LinearFactorOptions = SpanOptions & {
  /** The factor at the start. Default 1/3. */
  readonly start?: number;
  /** The factor from T on. Default 1. */
  readonly stop?: number;
};

/**
 * A factor that moves on a line: a = a0 (start + (stop - start) min(t, T) / T). PyTorch's LinearLR.
 *
 * Text form: `"ramp 0.25..1/5ep"`, also on another schedule: `"cosine * ramp 0..1/500st"`. Throws OptionError for values out of range;
 * `at` throws it when the length of the run or epoch is needed and unknown.
 *
 * Source: torch.optim.lr_scheduler.LinearLR.
 *
 * @example
 * const rate = schedule.linearFactor(2, { start: 0.5, steps: 10 });
 * [0, 5, 10, 20].map((step) => rate.at(step, {})) // -> [1, 1.5, 2, 2]
 */
export function linearFactor(rate: number, options: LinearFactorOptions = {}): Schedule {
  const owner = "linearFactor";
  checkNumber(owner, "rate", rate, { min: 0 });
  checkNames(owner, options, ["start", "stop", ...SPAN_NAMES]);
  const { start = 1 / 3, stop = 1 } = options;
  checkNumber(owner, "start", start, { min: 0 });
  checkNumber(owner, "stop", stop, { min: 0 });
  const span = readSpan(owner, options) ?? { epochs: 5 };
  return fromEquation(owner, { rate, start, stop, ...span }, (step, run) => {
    const T = stepsOf(owner, span, run);
    return rate * (step < T ? start + ((stop - start) * step) / T : stop);
  });
}

export const linearFactorForm: StageForm = stageForm({
  kind: "linearFactor",
  equation: "a = a0 (start + (stop - start) min(t, T) / T)",
  source: "torch.optim.lr_scheduler.LinearLR",
  options: {
    start: "the factor at the start; default 1/3",
    stop: "the factor from T on; default 1",
    steps: "T in steps",
    epochs: "T in epochs; default 5",
    fraction: "T as a fraction of the run",
  },
  word: "ramp",
  text: "ramp 0.25..1/5ep",
  phrases: [
    {
      form: "two factors and a length, as in 0.25..1/5ep",
      required: true,
      read(reader) {
        if (!reader.peekNumber()) return undefined;
        const [start, stop] = reader.range("0.25..1/5ep");
        if (!reader.accept("/")) throw reader.fail('"/" and a length, as in 0.25..1/5ep');
        return { start, stop, ...reader.span("a length, as in 5ep") };
      },
      write: (data) =>
        `${String(data.start)}..${String(data.stop)}/${formatSpan(readSpan("linearFactor", data) as Span)}`,
    },
  ],
  build: (rate, options) => linearFactor(rate, options),
});
