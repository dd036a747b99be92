import { checkNames, checkNumber } from "../range.ts";
import { type StageForm, stageForm } from "./form.ts";
import { formatSpan } from "./reader.ts";
import { fromEquation, type Schedule } from "./schedule.ts";
import { readSpan, SPAN_NAMES, type Span, type SpanOptions, stepsOf } from "./span.ts";

/** T is `steps`, `epochs` or `fraction` of the run. Default 5 epochs. */
export type ConstantFactorOptions = SpanOptions & {
  /** Default 1/3. */
  readonly factor?: number;
};

/**
 * A factor for a while: a = a0 factor until T, and then a0. PyTorch's ConstantLR.
 *
 * Text form: `"factor 0.5/5ep"`, also on another schedule: `"cosine * factor 0.1/500st"`. Throws OptionError for values out of range; `at`
 * throws it when the length of the run or epoch is needed and unknown.
 *
 * Source: torch.optim.lr_scheduler.ConstantLR.
 *
 * @example
 * const rate = schedule.constantFactor(1, { factor: 0.5, steps: 10 });
 * [0, 9, 10].map((step) => rate.at(step, {})) // -> [0.5, 0.5, 1]
 */
export function constantFactor(rate: number, options: ConstantFactorOptions = {}): Schedule {
  const owner = "constantFactor";
  checkNumber(owner, "rate", rate, { min: 0 });
  checkNames(owner, options, ["factor", ...SPAN_NAMES]);
  const { factor = 1 / 3 } = options;
  checkNumber(owner, "factor", factor, { min: 0 });
  const span = readSpan(owner, options) ?? { epochs: 5 };
  return fromEquation(owner, { rate, factor, ...span }, (step, run) =>
    step < stepsOf(owner, span, run) ? rate * factor : rate,
  );
}

export const constantFactorForm: StageForm = stageForm({
  kind: "constantFactor",
  equation: "a = a0 factor until T, then a0",
  source: "torch.optim.lr_scheduler.ConstantLR",
  options: {
    factor: "default 1/3",
    steps: "T in steps",
    epochs: "T in epochs; default 5",
    fraction: "T as a fraction of the run",
  },
  word: "factor",
  text: "factor 0.5/5ep",
  phrases: [
    {
      form: "a factor and a length, as in 0.5/5ep",
      required: true,
      read(reader) {
        if (!reader.peekNumber()) return undefined;
        const factor = reader.number("a factor");
        if (!reader.accept("/")) throw reader.fail('"/" and a length, as in 0.5/5ep');
        return { factor, ...reader.span("a length, as in 5ep") };
      },
      write: (data) => `${String(data.factor)}/${formatSpan(readSpan("constantFactor", data) as Span)}`,
    },
  ],
  build: (rate, options) => constantFactor(rate, options),
});
