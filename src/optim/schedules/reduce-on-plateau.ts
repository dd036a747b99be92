import type { ReactiveForm } from "./form.ts";
import * as phrase from "./phrases.ts";
import { PLATEAU_DEFAULTS, PLATEAU_OPTIONS, type PlateauOptions, type PlateauState, plateau } from "./plateau.ts";
import { FACTOR_PHRASE, type Reactive, reactive, reactiveForm, WATCH_PHRASES } from "./reactive.ts";
import type { Hyper, ScheduleData } from "./schedule.ts";

export type ReduceOnPlateau = Reactive<"reduceOnPlateau", PlateauState>;

/**
 * Multiplies the rate by `factor` whenever a validation metric stops improving. A factor on the rate or schedule given:
 * `at` is that schedule's own, and whoever runs the training reports to `reaction` after each epoch, keeps its state and
 * uses `reaction.rate(at(step), state)`.
 *
 * Defaults are the lecture's (factor 0.5, as soon as the validation loss is not the best so far); `like` "pytorch", "keras", "optax"
 * or "fastai" brings theirs, numbers and counting. Options: see `PlateauOptions`.
 *
 * Text form: `"plateau 0.5"`, `"plateau 0.1 patience 10"`, `"cosine * plateau 0.5"`. Throws OptionError for a value out of
 * range, and for a plateau on a plateau.
 *
 * Source: CS231n, "training neural networks, part 2".
 *
 * @example
 * const { reaction } = schedule.reduceOnPlateau(0.1, { factor: 0.5, patience: 1 });
 * const state = [0.9, 0.8, 0.8, 0.8].reduce(reaction.observe, reaction.initial);
 * reaction.rate(0.1, state) // -> 0.05
 */
export function reduceOnPlateau(rate: Hyper, options: PlateauOptions = {}): ReduceOnPlateau {
  return reactive("reduceOnPlateau", rate, plateau(options));
}

const usual =
  <K extends keyof (typeof PLATEAU_DEFAULTS)["lecture"]>(key: K) =>
  (data: ScheduleData) =>
    PLATEAU_DEFAULTS[(data as PlateauOptions).like ?? "lecture"][key];

export const reduceOnPlateauForm: ReactiveForm = reactiveForm({
  kind: "reduceOnPlateau",
  equation: "a = a(t) factor^n, n = times that the validation metric stopped improving",
  source: 'CS231n, "training neural networks, part 2"; torch.optim.lr_scheduler.ReduceLROnPlateau',
  options: PLATEAU_OPTIONS,
  conventions:
    "PyTorch reduces when more than `patience` reports in a row bring nothing, Keras, optax and fastai at `patience` of them; PyTorch and optax ask for an improvement of 1e-4 of the best, Keras of 1e-4, the lecture and fastai of any; Keras counts the report that ends a cooldown",
  word: "plateau",
  text: "plateau 0.5",
  phrases: [
    FACTOR_PHRASE,
    phrase.number("patience", "patience", usual("patience")),
    phrase.number("threshold", "threshold", usual("threshold")),
    phrase.choice(["relative", "absolute"], "thresholdMode", usual("thresholdMode")),
    phrase.number("atol", "atol", 0),
    phrase.number("cooldown", "cooldown", 0),
    phrase.number("min", "minRate", 0),
    phrase.number("minscale", "minScale", 0),
    phrase.number("eps", "eps", usual("eps")),
    phrase.number("average", "average", 1),
    ...WATCH_PHRASES,
    phrase.choice(["lecture", "pytorch", "keras", "optax", "fastai"], "like", "lecture", "like"),
  ],
  build: (base, options) => reduceOnPlateau(base, options),
});
