import { OptionError } from "../../core/errors.ts";
import { pow } from "../../core/math.ts";
import { checkNames, checkNumber } from "../range.ts";
import { type StageForm, stageForm } from "./form.ts";
import { formatSpan } from "./reader.ts";
import { fromEquation, type Schedule } from "./schedule.ts";
import { stepsPerEpoch } from "./span.ts";

export type StepDecayOptions = {
  /** Epochs between two reductions. Default 5 (the lecture's "0.5 every 5 epochs"; "0.1 every 20" is its other example). */
  readonly everyEpochs?: number;
  /** Optimizer steps between two reductions, instead of `everyEpochs`. */
  readonly everySteps?: number;
  /** What the rate is multiplied by. Default 0.5 (torch.optim.lr_scheduler.StepLR: 0.1). */
  readonly factor?: number;
};

/**
 * Multiplies the rate by `factor` every few epochs: a = a0 factor^floor(epoch / everyEpochs).
 *
 * The rate is constant between two reductions: the first step of epoch `everyEpochs` (counted from 0) is the first at the
 * reduced rate, as PyTorch's StepLR with `scheduler.step()` after each epoch.
 *
 * Text form: `"step 0.5/5ep"` or `"step 0.1/2000st"`. Throws OptionError when both lengths are given, or a value is out of
 * range; `at` throws it when epochs are asked for and `stepsPerEpoch` is unknown.
 *
 * Source: CS231n, "training neural networks, part 2".
 *
 * @example
 * const halving = schedule.stepDecay(0.05, { everyEpochs: 5, factor: 0.5 });
 * [499, 500, 1_000].map((step) => halving.at(step, { stepsPerEpoch: 100 })) // -> [0.05, 0.025, 0.0125]
 */
export function stepDecay(rate: number, options: StepDecayOptions = {}): Schedule {
  const owner = "stepDecay";
  checkNumber(owner, "rate", rate, { min: 0 });
  checkNames(owner, options, ["everyEpochs", "everySteps", "factor"]);
  const { everySteps, factor = 0.5 } = options;
  checkNumber(owner, "factor", factor, { above: 0 });
  if (everySteps !== undefined) {
    if (options.everyEpochs !== undefined)
      throw new OptionError(`${owner}: got everyEpochs and everySteps; expected one of them.`, owner);
    checkNumber(owner, "everySteps", everySteps, { min: 1, integer: true });
    return fromEquation(
      owner,
      { rate, everySteps, factor },
      (step) => rate * pow(factor, Math.floor(step / everySteps)),
    );
  }
  const { everyEpochs = 5 } = options;
  checkNumber(owner, "everyEpochs", everyEpochs, { above: 0 });
  return fromEquation(owner, { rate, everyEpochs, factor }, (step, run) => {
    const epoch = step / stepsPerEpoch(owner, run);
    return rate * pow(factor, Math.floor(epoch / everyEpochs));
  });
}

export const stepDecayForm: StageForm = stageForm({
  kind: "stepDecay",
  equation: "a = a0 factor^floor(epoch / everyEpochs)",
  source: 'CS231n, "training neural networks, part 2"; torch.optim.lr_scheduler.StepLR',
  conventions:
    "the first step of an epoch is the first at the new rate, as in all frameworks where the schedule moves after each epoch",
  options: {
    everyEpochs: "epochs between two reductions; default 5",
    everySteps: "steps between two reductions, instead of epochs",
    factor: "what the rate is multiplied by; default 0.5",
  },
  word: "step",
  text: "step 0.5/5ep",
  phrases: [
    {
      form: "a factor and a length, as in 0.5/5ep",
      required: true,
      read(reader) {
        if (!reader.peekNumber()) return undefined;
        const factor = reader.number("a factor");
        if (!reader.accept("/")) throw reader.fail('"/" and a length, as in 0.5/5ep');
        const every = reader.span("a length, as in 5ep or 2000st");
        if ("fraction" in every) throw reader.fail("a length in epochs (ep) or steps (st) before this");
        return "steps" in every ? { factor, everySteps: every.steps } : { factor, everyEpochs: every.epochs };
      },
      write(data) {
        const { factor, everySteps, everyEpochs } = data as StepDecayOptions;
        return `${factor}/${formatSpan(everySteps === undefined ? { epochs: everyEpochs ?? 5 } : { steps: everySteps })}`;
      },
    },
  ],
  build: (rate, options) => stepDecay(rate, options),
});
