import { checkChoice, checkNames, checkNumber } from "../range.ts";
import { BOUNDARY_NAMES, BOUNDARY_PHRASES, type BoundaryOptions, checkBoundaries } from "./boundaries.ts";
import { type StageForm, stageForm } from "./form.ts";
import * as phrase from "./phrases.ts";
import { fromEquation, type Schedule } from "./schedule.ts";
import { stepsOf } from "./span.ts";

export type MultiStepOptions = BoundaryOptions & {
  /** "pytorch" (default; optax too): the new value at the boundary's step. "keras": one step later. */
  readonly like?: "pytorch" | "keras";
};

/**
 * Piecewise constant: a = a0 times the factors of all boundaries passed, or the value given for the last of them.
 *
 * By default the step at a boundary is the first with the new value, as PyTorch's MultiStepLR and optax's
 * piecewise_constant_schedule. Keras's PiecewiseConstantDecay keeps the old value at the boundary: `like: "keras"`.
 *
 * Text form: `"multistep 0.1 at 30ep,60ep"`, `"multistep 0.5,0.1 at 50%,75% like keras"`, `"multistep to 0.05,0.01 at 30ep,60ep"`.
 * Throws OptionError for values out of range and boundaries out of order; `at` throws it when the length of the run or epoch is
 * needed and unknown.
 *
 * Source: torch.optim.lr_scheduler.MultiStepLR; optax.piecewise_constant_schedule.
 *
 * @example
 * const rate = schedule.multiStep(1, { at: [{ steps: 10 }, { steps: 20 }], factor: 0.5 });
 * [9, 10, 19, 20].map((step) => rate.at(step, {})) // -> [1, 0.5, 0.5, 0.25]
 */
export function multiStep(rate: number, options: MultiStepOptions): Schedule {
  const owner = "multiStep";
  checkNumber(owner, "rate", rate, { min: 0 });
  checkNames(owner, options, ["like", ...BOUNDARY_NAMES]);
  const { like = "pytorch" } = options;
  checkChoice(owner, "like", like, ["pytorch", "keras"]);
  const { data, at, values } = checkBoundaries(owner, rate, options);
  return fromEquation(owner, { rate, ...data, ...(like !== "pytorch" && { like }) }, (step, run) => {
    const passed = at.filter((span) => {
      const boundary = stepsOf(owner, span, run);
      return like === "keras" ? step > boundary : step >= boundary;
    });
    return values[passed.length] as number;
  });
}

export const multiStepForm: StageForm = stageForm({
  kind: "multiStep",
  equation: "a = a0 times the factor of each boundary passed",
  source: "torch.optim.lr_scheduler.MultiStepLR; optax.piecewise_constant_schedule",
  options: {
    at: "boundaries, a list of { steps | epochs | fraction }",
    factor: "a number, or one for each boundary; default 0.1",
    values: "the values themselves instead, one for each boundary",
    like: '"pytorch" (default): new value at the boundary; "keras": one step later',
  },
  conventions: "PyTorch and optax have the new value at the boundary, Keras's PiecewiseConstantDecay one step later",
  word: "multistep",
  text: "multistep 0.1 at 3ep,6ep",
  phrases: [...BOUNDARY_PHRASES, phrase.choice(["keras", "pytorch"], "like", "pytorch", "like")],
  build: (rate, options) => multiStep(rate, options as MultiStepOptions),
});
