import { cos, pow } from "../../core/math.ts";
import { checkChoice, checkNames, checkNumber } from "../range.ts";
import { END_NAMES, END_OPTIONS, type EndOptions, readEnd } from "./end.ts";
import { type StageForm, stageForm } from "./form.ts";
import * as phrase from "./phrases.ts";
import { fromEquation, type Schedule } from "./schedule.ts";
import { readSpan, SPAN_NAMES, type SpanOptions, wholeSteps } from "./span.ts";

export type CosineOptions = SpanOptions &
  EndOptions & {
    /** A power of (1 + cos) / 2, as optax's. Default 1. */
    readonly exponent?: number;
    /** Waves in T, as Hugging Face's `num_cycles`. Default 0.5: down once. */
    readonly cycles?: number;
    /** After T: "optax" (default; Keras too) stays, "pytorch" (Hugging Face too) follows the wave and rises again. */
    readonly like?: "optax" | "pytorch";
  };

/**
 * Half a cosine from the rate down to the end: a = end + (a0 - end) ((1 + cos(2 pi cycles t / T)) / 2)^exponent, with cycles 1/2,
 * and the value at T after T.
 *
 * T is `steps`, `epochs` or `fraction` of the run, or the whole run (within `join`: the whole stage) when none is given. The end
 * is `end` (default 0) or `alpha` times the rate. PyTorch's CosineAnnealingLR rises again after T (`like: "pytorch"`); by default
 * this one stays, as optax's and Keras's.
 *
 * Text form: `"cosine"`, `"cosine 20ep to 0.001"`, `"cosine to 1% exponent 2"`, `"cosine 20ep like pytorch"`. Throws OptionError for
 * values out of range; `at` throws it when the length of the run is needed and unknown.
 *
 * Source: Loshchilov and Hutter, "SGDR", 2017 (without restarts).
 *
 * @example
 * [0, 50, 100].map((step) => schedule.cosine(0.1).at(step, { totalSteps: 100 })) // -> [0.1, 0.05, 0]
 */
export function cosine(rate: number, options: CosineOptions = {}): Schedule {
  const owner = "cosine";
  checkNumber(owner, "rate", rate, { min: 0 });
  checkNames(owner, options, ["exponent", "cycles", "like", ...END_NAMES, ...SPAN_NAMES]);
  const { exponent = 1, cycles = 0.5, like = "optax" } = options;
  checkNumber(owner, "exponent", exponent, { above: 0 });
  checkNumber(owner, "cycles", cycles, { above: 0 });
  checkChoice(owner, "like", like, ["optax", "pytorch"]);
  const span = readSpan(owner, options);
  const { data, end } = readEnd(owner, rate, options);
  const others = {
    ...(exponent !== 1 && { exponent }),
    ...(cycles !== 0.5 && { cycles }),
    ...(like !== "optax" && { like }),
  };
  return fromEquation(owner, { rate, ...data, ...others, ...span }, (step, run) => {
    const T = Math.max(1, wholeSteps(owner, span, run));
    const t = like === "optax" ? Math.min(step, T) : step;
    const wave = (1 + cos((Math.PI * 2 * cycles * t) / T)) / 2;
    return end + (rate - end) * pow(wave, exponent);
  });
}

export const cosineForm: StageForm = stageForm({
  kind: "cosine",
  equation: "a = end + (a0 - end) ((1 + cos(2 pi cycles t / T)) / 2)^exponent",
  source: 'Loshchilov and Hutter, "SGDR", 2017; optax.cosine_decay_schedule',
  options: {
    steps: "T in steps",
    epochs: "T in epochs",
    fraction: "T as a fraction of the run; default 1",
    ...END_OPTIONS,
    exponent: "the power of the wave; default 1",
    cycles: "waves in T; default 0.5, down once",
    like: 'after T: "optax" (default) stays, "pytorch" rises again',
  },
  conventions:
    "optax and Keras stay at the end after T; PyTorch's CosineAnnealingLR and Hugging Face's cosine follow the wave up again",
  word: "cosine",
  text: "cosine",
  lasts: true,
  phrases: [
    phrase.length("20ep"),
    phrase.end({ end: 0 }),
    phrase.number("exponent", "exponent", 1),
    phrase.number("cycles", "cycles", 0.5),
    phrase.choice(["pytorch", "optax"], "like", "optax", "like"),
  ],
  build: (rate, options) => cosine(rate, options),
});
