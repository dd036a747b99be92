import { checkChoice, checkNames, checkNumber } from "../range.ts";
import { BOUNDARY_NAMES, BOUNDARY_PHRASES, type BoundaryOptions, checkBoundaries } from "./boundaries.ts";
import { type StageForm, stageForm } from "./form.ts";
import * as phrase from "./phrases.ts";
import { fromEquation, type Schedule } from "./schedule.ts";
import { rise } from "./shape.ts";
import { stepsOf } from "./span.ts";

export type InterpolateOptions = BoundaryOptions & {
  /** Between two boundaries: "linear" (default) or "cosine". */
  readonly shape?: "linear" | "cosine";
};

/**
 * From value to value: the rate at step 0, at each boundary that times the factors so far (or the value given), between them a line
 * or half a cosine, and the last value after the last.
 *
 * Text form: `"interpolate 0.1 at 30ep,60ep"`, `"interpolate to 0.05,0.01 at 10%,100% cosine"`. Throws OptionError for values out of
 * range and boundaries out of order; `at` throws it when the length of the run or epoch is needed and unknown.
 *
 * Source: optax.piecewise_interpolate_schedule.
 *
 * @example
 * const rate = schedule.interpolate(1, { at: [{ steps: 10 }, { steps: 20 }], values: [2, 0] });
 * [0, 5, 10, 15, 20].map((step) => rate.at(step, {})) // -> [1, 1.5, 2, 1, 0]
 */
export function interpolate(rate: number, options: InterpolateOptions): Schedule {
  const owner = "interpolate";
  checkNumber(owner, "rate", rate, { min: 0 });
  checkNames(owner, options, ["shape", ...BOUNDARY_NAMES]);
  const { shape = "linear" } = options;
  checkChoice(owner, "shape", shape, ["linear", "cosine"]);
  const { data, at, values } = checkBoundaries(owner, rate, options);
  return fromEquation(owner, { rate, ...data, ...(shape !== "linear" && { shape }) }, (step, run) => {
    let start = 0;
    for (const [i, span] of at.entries()) {
      const stop = stepsOf(owner, span, run);
      const [from, to] = [values[i] as number, values[i + 1] as number];
      if (step < stop) return from + (to - from) * rise(shape, (step - start) / (stop - start));
      start = stop;
    }
    return values[at.length] as number;
  });
}

export const interpolateForm: StageForm = stageForm({
  kind: "interpolate",
  equation: "a = a0 times the factor of each boundary, with a line or half a cosine between them",
  source: "optax.piecewise_interpolate_schedule",
  options: {
    at: "boundaries, a list of { steps | epochs | fraction }",
    factor: "a number, or one for each boundary; default 0.1",
    values: "the values themselves instead, one for each boundary",
    shape: '"linear" (default) or "cosine"',
  },
  word: "interpolate",
  text: "interpolate 3,0.1 at 20%,100%",
  phrases: [...BOUNDARY_PHRASES, phrase.choice(["cosine", "linear"], "shape", "linear")],
  build: (rate, options) => interpolate(rate, options as InterpolateOptions),
});
