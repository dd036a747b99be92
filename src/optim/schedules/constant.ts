import { checkNumber } from "../range.ts";
import { type StageForm, stageForm } from "./form.ts";
import { fromEquation, type Schedule } from "./schedule.ts";

/**
 * The same rate for the whole run: a = rate. A plain number means the same; as a schedule it can be a stage of `join`.
 *
 * Text form: `"constant"`. Throws OptionError for a negative or non-finite rate.
 *
 * @example
 * schedule.constant(0.1).at(1_000, {}) // -> 0.1
 */
export function constant(rate: number): Schedule {
  checkNumber("constant", "rate", rate, { min: 0 });
  return fromEquation("constant", { rate }, () => rate);
}

export const constantForm: StageForm = stageForm({
  kind: "constant",
  equation: "a = a0",
  source: "torch.optim's default; optax.constant_schedule",
  options: {},
  word: "constant",
  text: "constant",
  phrases: [],
  build: (rate) => constant(rate),
});
