import { OptionError } from "../../core/errors.ts";
import { checkChoice, checkFlag, checkNames, checkNumber, show } from "../range.ts";
import type { ScheduleForm } from "./form.ts";
import { fromEquation, type Schedule } from "./schedule.ts";
import { type TimeUnit, timeAt } from "./span.ts";

export type LambdaOptions = {
  /** What t counts: whole epochs ("epoch", default) or steps. */
  readonly per?: TimeUnit;
  /** a = a0 f(1) f(2) ... f(t), as PyTorch's MultiplicativeLR, instead of a0 f(t). Default false. */
  readonly cumulative?: boolean;
};

/**
 * A function of your own: a = a0 f(t), t counting whole epochs (or steps) from 0. PyTorch's LambdaLR; with `cumulative` its
 * MultiplicativeLR.
 *
 * A function is no data: the schedule trains, but has no text form, and `fromJSON` refuses what it wrote. Throws OptionError for values
 * out of range; `at` throws it when `f` gives no finite number, or epochs are asked for and `stepsPerEpoch` is unknown.
 *
 * @example
 * schedule.lambda(0.1, (epoch) => 0.5 ** epoch).at(200, { stepsPerEpoch: 100 }) // -> 0.025
 */
export function lambda(rate: number, f: (t: number) => number, options: LambdaOptions = {}): Schedule {
  const owner = "lambda";
  checkNumber(owner, "rate", rate, { min: 0 });
  if (typeof f !== "function") throw new OptionError(`${owner}: got f = ${show(f)}; expected a function.`, owner);
  checkNames(owner, options, ["per", "cumulative"]);
  const { per = "epoch", cumulative = false } = options;
  checkChoice(owner, "per", per, ["epoch", "step"]);
  checkFlag(owner, "cumulative", cumulative);
  const factor = (t: number): number => {
    const value = f(t);
    if (!Number.isFinite(value))
      throw new OptionError(`${owner}: got f(${t}) = ${show(value)}; expected a finite number.`, owner);
    return value;
  };
  const products = [1];
  return fromEquation(owner, { rate, per, cumulative }, (step, run) => {
    const t = timeAt(owner, step, run, per, true);
    if (!cumulative) return rate * factor(t);
    for (let n = products.length; n <= t; n++) products.push((products[n - 1] as number) * factor(n));
    return rate * (products[t] as number);
  });
}

export const lambdaForm: ScheduleForm = {
  kind: "lambda",
  equation: "a = a0 f(t), or a0 f(1) f(2) ... f(t)",
  source: "torch.optim.lr_scheduler.LambdaLR, MultiplicativeLR",
  options: {
    f: "a function of t",
    per: 'what t counts: whole "epoch" (default) or "step"',
    cumulative: "the product of all f so far; default false",
  },
  conventions: "a function is no data: no text form, and a run's record cannot build it again",
  revive() {
    throw new OptionError(
      "lambda: got the data of a schedule made of a function; expected a schedule that is data. Hint: make it again with schedule.lambda.",
      "schedule.kind",
    );
  },
};
