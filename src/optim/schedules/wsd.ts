import { OptionError } from "../../core/errors.ts";
import { checkChoice, checkNames, checkNumber } from "../range.ts";
import { END_NAMES, END_OPTIONS, type EndOptions, readEnd } from "./end.ts";
import { type StageForm, stageForm } from "./form.ts";
import * as phrase from "./phrases.ts";
import { formatSpan, type Reader } from "./reader.ts";
import { fromEquation, type RunLength, type Schedule } from "./schedule.ts";
import { rise, SHAPES, type Shape } from "./shape.ts";
import { checkSpan, type Span, stepsOf, totalSteps } from "./span.ts";

export type WsdOptions = EndOptions & {
  /** How long the rate grows. Default not at all. */
  readonly warmup?: Span;
  /** How long it stays. Default what the others leave. */
  readonly stable?: Span;
  /** How long it decays. Default what the others leave, or a tenth of the run where `stable` is not given either. */
  readonly decay?: Span;
  /** How it grows: "linear" (default), "cosine" or "1-sqrt". */
  readonly rising?: Shape;
  /** How it decays: "cosine" (default), "linear" or "1-sqrt". */
  readonly falling?: Shape;
};

/**
 * Warm-up, stable, decay: from the end up to the rate, the rate, and down to the end (default 0), which then stays.
 *
 * Warm-up: a = end + (a0 - end) w(p), decay: a = end + (a0 - end) w(1 - p), p from 0 to 1 in the phase; w(p) is p, (1 - cos(pi p)) / 2
 * or 1 - sqrt(1 - p), by `rising` and `falling`. As Hugging Face's, the warm-up begins at the end's value.
 *
 * Text form: `"wsd 5% 80%"` (warm-up and stable), `"wsd 500st decay 20% falling 1-sqrt to 1%"`. Throws OptionError for values out of
 * range; `at` throws it when the length of the run or epoch is needed and unknown, or too short for the phases.
 *
 * Source: Hu et al., "MiniCPM", 2024; transformers.get_wsd_schedule.
 *
 * @example
 * const rate = schedule.wsd(1, { warmup: { steps: 10 }, stable: { steps: 70 }, falling: "linear" });
 * [0, 5, 10, 79, 90, 100].map((step) => rate.at(step, { totalSteps: 100 })) // -> [0, 0.5, 1, 1, 0.5, 0]
 */
export function wsd(rate: number, options: WsdOptions = {}): Schedule {
  const owner = "wsd";
  checkNumber(owner, "rate", rate, { min: 0 });
  checkNames(owner, options, ["warmup", "stable", "decay", "rising", "falling", ...END_NAMES]);
  const { rising = "linear", falling = "cosine" } = options;
  checkChoice(owner, "rising", rising, SHAPES);
  checkChoice(owner, "falling", falling, SHAPES);
  const phase = (name: "warmup" | "stable" | "decay"): Span | undefined =>
    options[name] === undefined ? undefined : checkSpan(owner, name, options[name]);
  const [warmup, stable] = [phase("warmup"), phase("stable")];
  const decay = phase("decay") ?? (stable === undefined ? { fraction: 0.1 } : undefined);
  const { data, end } = readEnd(owner, rate, options);
  const others = {
    ...(warmup !== undefined && { warmup }),
    ...(stable !== undefined && { stable }),
    ...(decay !== undefined && { decay }),
    ...(rising !== "linear" && { rising }),
    ...(falling !== "cosine" && { falling }),
  };
  const stepsIn = (span: Span | undefined, run: RunLength): number | undefined =>
    span === undefined ? undefined : stepsOf(owner, span, run);
  return fromEquation(owner, { rate, ...others, ...data }, (step, run) => {
    const up = stepsIn(warmup, run) ?? 0;
    if (step < up) return end + (rate - end) * rise(rising, step / up);
    const down = stepsIn(decay, run);
    const turn = up + (stepsIn(stable, run) ?? totalSteps(owner, run) - up - (down as number));
    const stop = down === undefined ? totalSteps(owner, run) : turn + down;
    if (turn < up || stop < turn)
      throw new OptionError(
        `${owner}: got phases longer than the run of ${run.totalSteps} steps; expected shorter ones.`,
        owner,
      );
    if (step < turn) return rate;
    return step < stop ? end + (rate - end) * rise(falling, 1 - (step - turn) / (stop - turn)) : end;
  });
}

const lengths = (reader: Reader): { readonly warmup?: Span; readonly stable?: Span } | undefined => {
  if (!reader.peekNumber()) return undefined;
  const warmup = reader.span("the length of the warm-up, as in 5%");
  return reader.peekNumber()
    ? { warmup, stable: reader.span("the length of the stable phase, as in 80%") }
    : { warmup };
};

export const wsdForm: StageForm = stageForm({
  kind: "wsd",
  equation: "a = end + (a0 - end) w(p) in the warm-up, a0, then end + (a0 - end) w(1 - p) in the decay",
  source: 'Hu et al., "MiniCPM", 2024; transformers.get_wsd_schedule',
  options: {
    warmup: "how long it grows, { steps | epochs | fraction }; default not at all",
    stable: "how long it stays; default what the others leave",
    decay: "how long it decays; default what the others leave, or a tenth of the run",
    rising: 'w of the warm-up: "linear" (default), "cosine" or "1-sqrt"',
    falling: 'w of the decay: "cosine" (default), "linear" or "1-sqrt"',
    ...END_OPTIONS,
  },
  word: "wsd",
  text: "wsd 5% 80%",
  phrases: [
    {
      form: "the lengths of warm-up and stable phase, as in 5% 80%",
      read: lengths,
      write({ warmup, stable }) {
        if (warmup === undefined) return "";
        return [warmup, ...(stable === undefined ? [] : [stable])].map((span) => formatSpan(span as Span)).join(" ");
      },
    },
    {
      ...phrase.span("stable", "stable"),
      write: ({ warmup, stable }) =>
        warmup === undefined && stable !== undefined ? `stable ${formatSpan(stable as Span)}` : "",
    },
    phrase.span("decay", "decay", { fraction: 0.1 }),
    phrase.choice(SHAPES, "rising", "linear", "rising"),
    phrase.choice(SHAPES, "falling", "cosine", "falling"),
    phrase.end({ end: 0 }),
  ],
  build: (rate, options) => wsd(rate, options),
});
