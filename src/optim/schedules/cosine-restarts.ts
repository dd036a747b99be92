import { OptionError } from "../../core/errors.ts";
import { cos, pow } from "../../core/math.ts";
import { checkNames, checkNumber } from "../range.ts";
import { END_NAMES, END_OPTIONS, type EndOptions, readEnd } from "./end.ts";
import { type StageForm, stageForm } from "./form.ts";
import * as phrase from "./phrases.ts";
import { fromEquation, type Schedule } from "./schedule.ts";
import { lengthOf, readSpan, SPAN_NAMES, type SpanOptions, totalSteps } from "./span.ts";

/** The first period is `steps`, `epochs` or `fraction` of the run, or what fits `cycles` of them into the run. */
export type CosineRestartsOptions = SpanOptions &
  EndOptions & {
    /** How many periods the run has, as Hugging Face's hard restarts, instead of a length; after them, the end. */
    readonly cycles?: number;
    /** Each period is as many times as long as the one before. Default 1 (Keras: 2). At least 1. */
    readonly lengthFactor?: number;
    /** Each peak is as many times as high, above `end`, as the one before. Default 1. */
    readonly peakFactor?: number;
  };

/**
 * Half a cosine again and again (SGDR): a = end + (a0 - end) m^i (1 + cos(pi u)) / 2, in period i with u from 0 to 1 in it.
 *
 * Periods begin with a jump to the peak. `lengthFactor` is PyTorch's T_mult and Keras's t_mul, `peakFactor` m Keras's m_mul.
 *
 * Text form: `"restarts 10ep x2"`, `"restarts 10ep x1.5 peaks 0.8 to 0.001"`, `"restarts cycles 4"`. Throws OptionError for values out
 * of range; `at` throws it when the length of the run or epoch is needed and unknown.
 *
 * Source: Loshchilov and Hutter, "SGDR", 2017.
 *
 * @example
 * const rate = schedule.cosineRestarts(1, { steps: 10, lengthFactor: 2 });
 * [0, 5, 10, 20, 30].map((step) => rate.at(step, {})) // -> [1, 0.5, 1, 0.5, 1]
 */
export function cosineRestarts(rate: number, options: CosineRestartsOptions): Schedule {
  const owner = "cosineRestarts";
  checkNumber(owner, "rate", rate, { min: 0 });
  checkNames(owner, options, ["cycles", "lengthFactor", "peakFactor", ...END_NAMES, ...SPAN_NAMES]);
  const { cycles, lengthFactor = 1, peakFactor = 1 } = options;
  checkNumber(owner, "lengthFactor", lengthFactor, { min: 1 });
  checkNumber(owner, "peakFactor", peakFactor, { min: 0 });
  const span = readSpan(owner, options);
  if ((span === undefined) === (cycles === undefined))
    throw new OptionError(
      `${owner}: got ${span === undefined ? "no first period" : "a first period and cycles"}; expected one of ${SPAN_NAMES.join(", ")}, cycles.`,
      owner,
    );
  if (cycles !== undefined) checkNumber(owner, "cycles", cycles, { min: 1, integer: true });
  const { data, end } = readEnd(owner, rate, options);
  const others = {
    ...(cycles !== undefined && { cycles }),
    ...(lengthFactor !== 1 && { lengthFactor }),
    ...(peakFactor !== 1 && { peakFactor }),
  };
  return fromEquation(owner, { rate, ...span, ...others, ...data }, (step, run) => {
    let length: number;
    if (cycles === undefined) length = lengthOf(owner, span, run);
    else {
      const total = totalSteps(owner, run);
      if (step >= total) return end;
      let parts = 0;
      for (let i = 0; i < cycles; i++) parts += pow(lengthFactor, i);
      length = total / parts;
    }
    let [period, t] = [0, step];
    if (lengthFactor === 1) {
      period = Math.floor(step / length);
      t = step - period * length;
    } else
      for (; t >= length; period++) {
        t -= length;
        length *= lengthFactor;
      }
    return end + ((rate - end) * pow(peakFactor, period) * (1 + cos((Math.PI * t) / length))) / 2;
  });
}

export const cosineRestartsForm: StageForm = stageForm({
  kind: "cosineRestarts",
  equation: "a = end + (a0 - end) m^i (1 + cos(pi u)) / 2, u from 0 to 1 in period i",
  source: 'Loshchilov and Hutter, "SGDR", 2017; torch.optim.lr_scheduler.CosineAnnealingWarmRestarts',
  options: {
    steps: "the first period in steps",
    epochs: "the first period in epochs",
    fraction: "the first period as a fraction of the run",
    cycles: "how many periods the run has, instead of a length",
    lengthFactor: "how much longer each period is than the one before; default 1",
    peakFactor: "m, how much higher each peak is; default 1",
    ...END_OPTIONS,
  },
  conventions: "Keras's CosineDecayRestarts doubles the period unless told; PyTorch keeps it, as here",
  word: "restarts",
  text: "restarts 2ep x2",
  phrases: [
    phrase.length("10ep"),
    phrase.number("cycles", "cycles", undefined),
    {
      form: '"x2"',
      read: (reader) =>
        reader.accept("x") ? { lengthFactor: reader.number('a number after "x", as in x2') } : undefined,
      write: ({ lengthFactor }) => (lengthFactor === undefined ? "" : `x${String(lengthFactor)}`),
    },
    phrase.number("peaks", "peakFactor", 1),
    phrase.end({ end: 0 }),
  ],
  build: (rate, options) => cosineRestarts(rate, options),
});
