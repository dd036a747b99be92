import { OptionError } from "../../core/errors.ts";
import { show } from "../range.ts";
import type { ScheduleForm } from "./form.ts";
import { refuseReactive } from "./reactive.ts";
import { fromEquation, isSchedule, type Schedule } from "./schedule.ts";

export type Multiply = Schedule & { readonly kind: "multiply"; readonly factors: readonly Schedule[] };

export const isMultiply = (schedule: Schedule): schedule is Multiply => schedule.kind === "multiply";

/**
 * The product of schedules: a = a1(t) a2(t) ... Usually the first has the rate and the others begin or end at 1.
 *
 * PyTorch's ChainedScheduler, where each schedule multiplies what the others left.
 *
 * Text form: `"cosine * step 0.1/30ep"`; the rate is the first one's, the others have 1. Throws OptionError for fewer than two, and for
 * a plateau among them (it is a factor on the whole: `reduceOnPlateau(multiply([...]))`).
 *
 * @example
 * const rate = schedule.multiply([schedule.linear(1, { steps: 100 }), schedule.stepDecay(1, { everySteps: 50 })]);
 * [0, 25, 50, 75].map((step) => rate.at(step, {})) // -> [1, 0.75, 0.25, 0.125]
 */
export function multiply(factors: readonly Schedule[]): Multiply {
  const owner = "multiply";
  if (!Array.isArray(factors) || factors.length < 2)
    throw new OptionError(`${owner}: got ${show(factors)}; expected a list of at least two schedules.`, owner);
  for (const [i, factor] of factors.entries()) {
    const where = `${owner}: factor ${i + 1}`;
    if (!isSchedule(factor)) throw new OptionError(`${where}: got ${show(factor)}; expected a schedule.`, owner);
    refuseReactive(where, factor, owner);
  }
  const kept: readonly Schedule[] = [...factors];
  const data = { factors: kept.map((factor) => factor.toJSON()) };
  const schedule = fromEquation("multiply", data, (step, run) =>
    kept.reduce((product, factor) => product * factor.at(step, run), 1),
  );
  return { ...schedule, factors: kept };
}

export const multiplyForm: ScheduleForm = {
  kind: "multiply",
  equation: "a = a1(t) a2(t) ...",
  source: "torch.optim.lr_scheduler.ChainedScheduler",
  options: { factors: "a list of schedules" },
  text: "cosine * step 0.1/4ep",
  revive({ factors }, child) {
    if (!Array.isArray(factors))
      throw new OptionError(`multiply: got factors = ${show(factors)}; expected a list.`, "multiply");
    return multiply(factors.map(child));
  },
};
