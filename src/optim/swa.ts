import { OptionError } from "../core/errors.ts";
import { zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { expectNoEvaluation } from "./held.ts";
import { type HyperSpecs, type Rule, resolve, scalarState, transformOf } from "./hyper.ts";
import type { RunLength } from "./schedules/schedule.ts";
import { stepsPerEpoch, totalSteps } from "./schedules/span.ts";
import type { TensorTree, Transform } from "./transform.ts";

const length = { type: "number", default: null, fixed: true } as const;

const hypers = {
  transform: { type: "transform", default: null, text: "the rule whose weights are averaged" },
  startFraction: { ...length, min: 0, below: 1, text: "the part of the run before the first average; usually 0.75" },
  startEpochs: { ...length, min: 0, text: "the same in epochs" },
  startSteps: { ...length, min: 0, integer: true, text: "the same in steps" },
  everyEpochs: { ...length, above: 0, text: "epochs from one average to the next; usually 1" },
  everySteps: { ...length, min: 1, integer: true, text: "the same in steps" },
} as const satisfies HyperSpecs;

export type SwaOptions = {
  /** The part of the run before the first average. Default 0.75, unless it is given in epochs or steps. */
  readonly startFraction?: number;
  readonly startEpochs?: number;
  readonly startSteps?: number;
  /** Epochs from one average to the next. Default 1, unless it is given in steps. */
  readonly everyEpochs?: number;
  readonly everySteps?: number;
};

/** The mean and how many weights are in it, f32[]. */
export type SwaState = { readonly average: TensorTree; readonly count: Tensor; readonly inner: TensorTree };

function checkOne(names: readonly string[], values: Readonly<Record<string, unknown>>): void {
  const given = names.filter((name) => values[name] !== undefined);
  if (given.length > 1)
    throw new OptionError(`swa: got ${given.join(" and ")}; expected one of ${names.join(", ")}.`, `swa.${given[1]}`);
}

/**
 * Stochastic weight averaging: from `start` on the plain mean of the weights at the end of every epoch, with which to evaluate:
 * m += (x - m) / (n + 1).
 *
 * @param transform the rule that moves x, best with a rate that stays high.
 * @param options where it starts: `startFraction` 0.75 of the run, or `startEpochs`, or `startSteps`; how often: `everyEpochs` 1, or
 * `everySteps`, counted from the start of the run.
 *
 * Evaluation, prediction and saved models use the mean, or the parameters where there is none yet. In `fit` the batch norms then take
 * their statistics anew from the training data, as torch's `update_bn`. As torch.optim.swa_utils.AveragedModel. Whether a step takes part is
 * the hyperparameter `averaging`, above 0 where it does, which `setHyper` can fix. Throws OptionError for a value out of range, two
 * starts, and for a rule that has weights of its own to evaluate with.
 *
 * Source: Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", 2018.
 *
 * @example
 * optim.swa(optim.sgd(0.1), { startEpochs: 5 }).config
 * // -> { name: "swa", transform: { name: "sgd", rate: 0.1, like: "lecture" }, startEpochs: 5 }
 */
export function swa(transform: Transform, options: SwaOptions = {}): Transform<SwaState> {
  const values = resolve("swa", hypers, transform, options);
  checkOne(["startFraction", "startEpochs", "startSteps"], values);
  checkOne(["everyEpochs", "everySteps"], values);
  expectNoEvaluation("swa", transform);
  const { startFraction = 0.75, startEpochs, startSteps, everyEpochs = 1, everySteps } = values;
  const startOf = (run: RunLength): number => {
    if (startSteps !== undefined) return startSteps;
    if (startEpochs !== undefined) return startEpochs * stepsPerEpoch("swa", run);
    return startFraction * totalSteps("swa", run);
  };
  // A little more than the quotient, so that an end of an epoch is one whatever the division rounds to.
  const ends = (step: number, run: RunLength): number =>
    Math.floor(step / (everySteps ?? everyEpochs * stepsPerEpoch("swa", run)) + 1e-9);
  const averaging = {
    at: (step: number, run: RunLength): number =>
      step + 1 > startOf(run) + 1e-9 && ends(step + 1, run) > ends(step, run) ? 1 : 0,
  };
  return transformOf<SwaState>(swaRule, values, {
    init: (params) => ({ average: params, count: scalarState(params, 0), inner: transform.init(params) }),
    update(gradients, state, ctx) {
      const [updates, inner] = transform.update(gradients, state.inner, ctx);
      const takes = ctx.hyper("averaging", averaging).greater(0);
      const part = state.count.add(1).reciprocal();
      const average = zipTrees<Tensor, Tensor>(
        (_, m, x, u) =>
          takes.select(
            m.add(
              (x as Tensor)
                .add(u as Tensor)
                .sub(m)
                .mul(part),
            ),
            m,
          ),
        state.average,
        ctx.params,
        updates,
      );
      return [updates, { average, count: state.count.add(takes.cast("f32")), inner }];
    },
    evalParams: (params, { average, count }) => {
      const none = count.equal(0);
      return zipTrees<Tensor, Tensor>((_, m, x) => none.select(x as Tensor, m), average, params);
    },
    refreshesStatistics: true,
  });
}

export const swaRule: Rule = {
  name: "swa",
  role: "wrapper",
  equation: "x += transform(g); at the end of every epoch from the start on m += (x - m) / (n + 1); evaluate with m",
  source: "Izmailov et al., 2018; torch.optim.swa_utils.AveragedModel",
  hypers,
  create: swa as Rule["create"],
};
