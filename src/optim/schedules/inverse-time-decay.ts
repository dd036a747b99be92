import { checkDecay, DECAY_OPTIONS, DECAY_PHRASES, type DecayOptions } from "./decay.ts";
import { type StageForm, stageForm } from "./form.ts";
import { fromEquation, type Schedule } from "./schedule.ts";
import { timeAt } from "./span.ts";

/**
 * 1/t decay: a = a0 / (1 + k t), t in epochs (by default) or steps.
 *
 * Continuous unless `staircase`. Keras writes a0 / (1 + r t / T), k = r / T; PyTorch and optax have no such schedule, but
 * `torch.optim.Adagrad(lr_decay=k)` is this one with `per: "step"`.
 *
 * Text form: `"1/t 0.1"` (per epoch), `"1/t 0.001/st"`, `"1/t 0.1 staircase"`. Throws OptionError for values out of range;
 * `at` throws it when epochs are asked for and `stepsPerEpoch` is unknown.
 *
 * Source: CS231n, "training neural networks, part 2".
 *
 * @example
 * schedule.inverseTimeDecay(0.1, { decay: 0.5 }).at(200, { stepsPerEpoch: 100 }) // -> 0.05
 */
export function inverseTimeDecay(rate: number, options: DecayOptions): Schedule {
  const owner = "inverseTimeDecay";
  const { decay, per, staircase } = checkDecay(owner, rate, options);
  return fromEquation(owner, { rate, decay, per, staircase }, (step, run) => {
    const t = timeAt(owner, step, run, per, staircase);
    return rate / (1 + decay * t);
  });
}

export const inverseTimeDecayForm: StageForm = stageForm({
  kind: "inverseTimeDecay",
  equation: "a = a0 / (1 + k t)",
  source: 'CS231n, "training neural networks, part 2"; keras.optimizers.schedules.InverseTimeDecay',
  options: DECAY_OPTIONS,
  word: "1/t",
  text: "1/t 0.1",
  phrases: DECAY_PHRASES,
  build: (rate, options) => inverseTimeDecay(rate, options as DecayOptions),
});
