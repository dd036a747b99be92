import { OptionError } from "../../core/errors.ts";
import { show } from "../range.ts";
import { constant } from "./constant.ts";
import type { ScheduleForm } from "./form.ts";
import { type Plateau, type PlateauOptions, plateau } from "./plateau.ts";
import { fromEquation, type Hyper, isSchedule, type Schedule } from "./schedule.ts";

export type ReduceOnPlateau = Schedule & {
  readonly kind: "reduceOnPlateau";
  readonly base: Schedule;
  readonly plateau: Plateau;
};

/**
 * Multiplies the rate by `factor` whenever a validation metric stops improving. A factor on the rate or schedule given:
 * `at` is that schedule's own, and whoever runs the training reports to `plateau` after each epoch, keeps its state and
 * uses `plateau.rate(at(step), state)`.
 *
 * Defaults are the lecture's (factor 0.5, as soon as the validation loss is not the best so far); `like: "pytorch"` and
 * `like: "keras"` bring theirs, numbers and counting. Options: see `PlateauOptions`.
 *
 * Text form: `"plateau 0.5"`, `"plateau 0.1 patience 10"`, `"cosine * plateau 0.5"`. Throws OptionError for a value out of
 * range, and for a plateau on a plateau.
 *
 * Source: CS231n, "training neural networks, part 2".
 *
 * @example
 * const { plateau } = schedule.reduceOnPlateau(0.1, { factor: 0.5, patience: 1 });
 * const state = [0.9, 0.8, 0.8, 0.8].reduce(plateau.observe, plateau.initial);
 * plateau.rate(0.1, state) // -> 0.05
 */
export function reduceOnPlateau(rate: Hyper, options: PlateauOptions = {}): ReduceOnPlateau {
  const owner = "reduceOnPlateau";
  const base = isSchedule(rate) ? rate : constant(rate);
  if (base.kind === owner)
    throw new OptionError(`${owner}: got a plateau; expected a rate or another schedule.`, owner);
  const decision = plateau(options);
  const schedule = fromEquation(owner, { base: base.toJSON(), ...decision.options }, (step, run) => base.at(step, run));
  return { ...schedule, base, plateau: decision };
}

/** Narrows to the schedule whose `plateau` wants reports. */
export function isReduceOnPlateau(value: unknown): value is ReduceOnPlateau {
  return isSchedule(value) && value.kind === "reduceOnPlateau";
}

export const reduceOnPlateauForm: ScheduleForm = {
  kind: "reduceOnPlateau",
  equation: "a = a(t) factor^n, n = times that the validation metric stopped improving",
  source: 'CS231n, "training neural networks, part 2"; torch.optim.lr_scheduler.ReduceLROnPlateau',
  options: {
    factor: "what the rate is multiplied by; default 0.5 (like pytorch, keras: 0.1)",
    patience: "reports without improvement that are borne; default 0 (like pytorch, keras: 10)",
    threshold: "how much better a report must be; default 0 (like pytorch, keras: 1e-4)",
    cooldown: "reports after a reduction that do not count; default 0",
    minRate: "the rate is never reduced below this; default 0",
    like: 'whose counting and defaults: "lecture" (default), "pytorch", "keras"',
    mode: '"min" (default) or "max"',
    watch: 'the validation metric: "loss" (default), "error" (1 - accuracy) or another',
  },
  text: "plateau 0.5",
  revive({ kind: _, base, ...options }, child) {
    if (typeof base !== "object")
      throw new OptionError(`reduceOnPlateau: got base = ${show(base)}; expected a schedule.`);
    return reduceOnPlateau(child(base), options);
  },
};
