import { OptionError } from "../../core/errors.ts";
import { checkNames, show } from "../range.ts";
import type { ScheduleForm } from "./form.ts";
import { refuseReactive } from "./reactive.ts";
import { fromEquation, isSchedule, type Schedule } from "./schedule.ts";
import { readSpan, SPAN_NAMES, type Span, type SpanOptions, wholeSteps } from "./span.ts";

export type Repeat = Schedule & { readonly kind: "repeat"; readonly schedule: Schedule; readonly every: Span };

/**
 * A schedule again and again: a = a1(t mod T), T in `steps`, `epochs` or `fraction` of the run. The run that it sees is one period.
 *
 * `repeat(join([warm-up, cosine]))` is optax's sgdr_schedule with periods alike.
 *
 * Text form: `"repeat 10ep step 0.5/2ep"`, `"repeat 10ep (warmup 10% | cosine)"`. Throws OptionError without a length, and for a plateau
 * (it is a factor on the whole).
 *
 * @example
 * const rate = schedule.repeat(schedule.linear(1), { steps: 4 });
 * [0, 1, 2, 3, 4, 5].map((step) => rate.at(step, {})) // -> [1, 0.75, 0.5, 0.25, 1, 0.75]
 */
export function repeat(schedule: Schedule, options: SpanOptions): Repeat {
  const owner = "repeat";
  if (!isSchedule(schedule)) throw new OptionError(`${owner}: got ${show(schedule)}; expected a schedule.`, owner);
  refuseReactive(owner, schedule, owner);
  checkNames(owner, options, SPAN_NAMES);
  const every = readSpan(owner, options);
  if (every === undefined)
    throw new OptionError(`${owner}: got no length; expected one of ${SPAN_NAMES.join(", ")}.`, owner);
  const made = fromEquation("repeat", { schedule: schedule.toJSON(), ...every }, (step, run) => {
    const T = Math.max(1, wholeSteps(owner, every, run));
    return schedule.at(step % T, { ...run, totalSteps: T });
  });
  return { ...made, schedule, every };
}

export const repeatForm: ScheduleForm = {
  kind: "repeat",
  equation: "a = a1(t mod T)",
  source: "optax.sgdr_schedule",
  options: {
    schedule: "what is repeated",
    steps: "T in steps",
    epochs: "T in epochs",
    fraction: "T as a fraction of the run",
  },
  text: "repeat 5ep (warmup 10% | cosine)",
  revive({ kind: _, schedule, ...options }, child) {
    return repeat(child(schedule), options);
  },
};
