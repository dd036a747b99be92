import { pow } from "../../core/math.ts";
import { checkChoice, checkNames, checkNumber } from "../range.ts";
import { type StageForm, stageForm } from "./form.ts";
import * as phrase from "./phrases.ts";
import { fromEquation, type Schedule } from "./schedule.ts";
import { checkSpan, lengthOf, readSpan, SPAN_NAMES, type Span, type SpanOptions } from "./span.ts";

const MODES = ["triangular", "triangular2", "exp"] as const;

/** The way up is `steps`, `epochs` or `fraction` of the run. Default 2,000 steps. */
export type CyclicOptions = SpanOptions & {
  /** Where each cycle begins and ends. Default a tenth of the rate. */
  readonly from?: number;
  /** The way down. Default as long as the way up. */
  readonly down?: Span;
  /** "triangular" (default): all peaks alike. "triangular2": each half as high. "exp": times gamma^t. */
  readonly mode?: (typeof MODES)[number];
  /** Of the mode "exp", a step. Default 1. */
  readonly gamma?: number;
};

/**
 * Up and down again: a = from + (a0 - from) w s, w from 0 to 1 and back in each cycle, s = 1, 2^-cycle or gamma^t by `mode`.
 *
 * The rate is the peak (PyTorch's max_lr), `from` the base_lr. For the momentum, which moves the other way: `cyclicMomentum`.
 *
 * Text form: `"cyclic 2000st from 0.01"`, `"cyclic 0.01..0.1/2000st"` (from and rate), `"cyclic 2ep from 0.01 down 1ep exp gamma 0.999"`.
 * Throws OptionError for values out of range; `at` throws it when the length of the run or epoch is needed and unknown.
 *
 * Source: Smith, "Cyclical Learning Rates for Training Neural Networks", 2017; torch.optim.lr_scheduler.CyclicLR.
 *
 * @example
 * const rate = schedule.cyclic(1, { from: 0, steps: 10, mode: "triangular2" });
 * [0, 5, 10, 15, 20, 30].map((step) => rate.at(step, {})) // -> [0, 0.5, 1, 0.5, 0, 0.5]
 */
export function cyclic(rate: number, options: CyclicOptions = {}): Schedule {
  const owner = "cyclic";
  checkNumber(owner, "rate", rate, { min: 0 });
  checkNames(owner, options, ["from", "down", "mode", "gamma", ...SPAN_NAMES]);
  const { from = rate / 10, mode = "triangular", gamma = 1 } = options;
  checkNumber(owner, "from", from, { min: 0 });
  checkChoice(owner, "mode", mode, MODES);
  checkNumber(owner, "gamma", gamma, { above: 0 });
  const up = readSpan(owner, options) ?? { steps: 2000 };
  const down = options.down === undefined ? undefined : checkSpan(owner, "down", options.down);
  const others = {
    ...(down !== undefined && { down }),
    ...(mode !== "triangular" && { mode }),
    ...(gamma !== 1 && { gamma }),
  };
  return fromEquation(owner, { rate, from, ...up, ...others }, (step, run) => {
    const rising = lengthOf(owner, up, run);
    const falling = down === undefined ? rising : lengthOf(owner, down, run);
    const cycle = Math.floor(step / (rising + falling));
    const t = step - cycle * (rising + falling);
    const wave = t <= rising ? t / rising : 1 - (t - rising) / falling;
    const scale = mode === "triangular" ? 1 : mode === "triangular2" ? pow(0.5, cycle) : pow(gamma, step);
    return from + (rate - from) * wave * scale;
  });
}

/**
 * The momentum beside `cyclic`: from `high` (default 0.9) down to `low` (default 0.8) while the rate rises, and back. The other options
 * are those of the rate's `cyclic`. It is `cyclic(low, { ...options, from: high })`.
 *
 * Text form: `"cyclic 2000st from 0.9"` at the momentum 0.8. Throws OptionError as `cyclic` does.
 *
 * @example
 * const momentum = schedule.cyclicMomentum({ steps: 10 });
 * [0, 10, 20].map((step) => momentum.at(step, {}).toFixed(2)) // -> ["0.90", "0.80", "0.90"]
 */
export function cyclicMomentum(
  options: Omit<CyclicOptions, "from"> & { readonly low?: number; readonly high?: number } = {},
): Schedule {
  const { low = 0.8, high = 0.9, ...others } = options;
  return cyclic(low, { ...others, from: high });
}

export const cyclicForm: StageForm = stageForm({
  kind: "cyclic",
  equation: "a = from + (a0 - from) w s, w from 0 to 1 and back in each cycle, s = 1, 2^-cycle or gamma^t",
  source: 'Smith, "Cyclical Learning Rates", 2017; torch.optim.lr_scheduler.CyclicLR',
  options: {
    from: "where each cycle begins and ends; default a tenth of the rate",
    steps: "the way up in steps; default 2000",
    epochs: "the way up in epochs",
    fraction: "the way up as a fraction of the run",
    down: "the way down, { steps | epochs | fraction }; default as the way up",
    mode: '"triangular" (default), "triangular2" (each peak half as high) or "exp" (times gamma^t)',
    gamma: "of exp, a step; default 1",
  },
  conventions:
    "the momentum moves the other way in PyTorch unless told: `cyclicMomentum`, or the same text with from above the value",
  word: "cyclic",
  text: "cyclic 1ep from 0.01",
  phrases: [
    {
      form: "a length, as in 2000st, or a range and a length, as in 0.01..0.1/2000st",
      required: true,
      read(reader) {
        if (!reader.peekNumber()) return undefined;
        if (!reader.peekRange()) return reader.span("a length, as in 2000st");
        const [from, rate] = reader.range("0.01..0.1/2000st");
        if (!reader.accept("/")) throw reader.fail('"/" and a length, as in 0.01..0.1/2000st');
        return { from, rate, ...reader.span("a length, as in 2000st") };
      },
      write: (data) => phrase.length("2000st").write(data),
    },
    phrase.number("from", "from", undefined),
    phrase.span("down", "down"),
    phrase.choice(["triangular2", "triangular", "exp"], "mode", "triangular"),
    phrase.number("gamma", "gamma", 1),
  ],
  build: (rate, options) => cyclic(rate, options),
});
