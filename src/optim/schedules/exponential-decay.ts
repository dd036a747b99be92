import { exp } from "../../core/math.ts";
import { checkDecay, DECAY_OPTIONS, DECAY_PHRASES, type DecayOptions } from "./decay.ts";
import { type StageForm, stageForm } from "./form.ts";
import { fromEquation, type Schedule } from "./schedule.ts";
import { timeAt } from "./span.ts";

/**
 * Exponential decay: a = a0 e^(-k t), t in epochs (by default) or steps.
 *
 * Continuous unless `staircase`: t grows with every step, t = step / stepsPerEpoch. PyTorch's ExponentialLR multiplies by
 * gamma once an epoch: that is `staircase: true` with gamma = e^(-k). optax and Keras write a0 r^(t / T), k = -ln(r) / T.
 *
 * Text form: `"exp 0.05"` (per epoch), `"exp 0.001/st"`, `"exp 0.05 staircase"`. Throws OptionError for values out of
 * range; `at` throws it when epochs are asked for and `stepsPerEpoch` is unknown.
 *
 * Source: CS231n, "training neural networks, part 2".
 *
 * @example
 * schedule.exponentialDecay(0.1, { decay: 0.05 }).at(300, { stepsPerEpoch: 100 }).toFixed(6) // -> "0.086071"
 */
export function exponentialDecay(rate: number, options: DecayOptions): Schedule {
  const owner = "exponentialDecay";
  const { decay, per, staircase } = checkDecay(owner, rate, options);
  return fromEquation(owner, { rate, decay, per, staircase }, (step, run) => {
    const t = timeAt(owner, step, run, per, staircase);
    return rate * exp(-decay * t);
  });
}

export const exponentialDecayForm: StageForm = stageForm({
  kind: "exponentialDecay",
  equation: "a = a0 e^(-k t)",
  source: 'CS231n, "training neural networks, part 2"; torch.optim.lr_scheduler.ExponentialLR',
  options: DECAY_OPTIONS,
  word: "exp",
  text: "exp 0.05",
  phrases: DECAY_PHRASES,
  build: (rate, options) => exponentialDecay(rate, options as DecayOptions),
});
