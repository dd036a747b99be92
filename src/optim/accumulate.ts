import { mapTree, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { evaluationOf, type HeldState, initHeld, updateHeld } from "./held.ts";
import { type HyperSpecs, type Rule, resolve, scalarState, transformOf, zerosLike } from "./hyper.ts";
import type { TensorTree, Transform, UpdateContext } from "./transform.ts";

const steps = { type: "number", default: null, min: 1, integer: true, fixed: true } as const;

const accumulateHypers = {
  transform: { type: "transform", default: null, text: "what is updated with the mean of k gradients" },
  steps: { ...steps, default: 2, text: "k, micro-batches to an update" },
} as const satisfies HyperSpecs;

const applyHypers = {
  steps: { ...steps, default: 1, text: "k, steps to an application" },
} as const satisfies HyperSpecs;

export type AccumulateOptions = {
  /** k, at least 1. Default 2. */
  readonly steps?: number;
};

/** The sums of gradients and losses since the last update, and the memory of the transform inside. */
export type AccumulateState = { readonly sum: TensorTree; readonly loss: Tensor; readonly held: HeldState };

const zeroWhere = (condition: Tensor, tree: TensorTree): TensorTree =>
  mapTree<Tensor, Tensor>(tree, (x) => condition.select(x.zerosLike(), x));

/**
 * One update for k micro-batches, with the mean of their gradients: what one batch of k times the size would do.
 *
 * @param transform what is updated, e.g. `optim.adam(1e-3)`, or a chain with clipping: it clips the mean.
 * @param options `steps` k 2.
 *
 * Between updates the parameters stay. Schedules and bias corrections inside count updates, not micro-batches; rules that read the
 * loss read its mean. An accumulation that an epoch's end cuts short goes on in the next epoch. Rules that evaluate the loss again
 * do so on the last micro-batch; metrics from inside, such as a norm, are those of the mean so far. Batch norms still see
 * micro-batches. As optax.MultiSteps and Keras's `gradient_accumulation_steps`. Throws OptionError for a value out of range.
 *
 * @example
 * optim.accumulate(optim.sgd(0.1), { steps: 4 }).config
 * // -> { name: "accumulate", transform: { name: "sgd", rate: 0.1, like: "lecture" }, steps: 4 }
 */
export function accumulate(transform: Transform, options: AccumulateOptions = {}): Transform<AccumulateState> {
  const values = resolve("accumulate", accumulateHypers, transform, options);
  const { steps: k } = values;
  return transformOf<AccumulateState>(accumulateRule, values, {
    init: (params) => ({
      sum: zerosLike(params),
      loss: scalarState(params, 0),
      held: initHeld(transform, params),
    }),
    update(gradients, state, ctx) {
      const due = ctx.step.rem(k).equal(k - 1);
      const sum = zipTrees<Tensor, Tensor>((_, g, s) => (s as Tensor).add(g), gradients, state.sum);
      const loss = state.loss.add(ctx.loss);
      const inner: UpdateContext = {
        ...ctx,
        loss: loss.mul(1 / k),
        hyper: (name, value, map, every = 1) => ctx.hyper(name, value, map, every * k),
      };
      const mean = mapTree<Tensor, Tensor>(sum, (s) => s.mul(1 / k));
      const [updates, held] = updateHeld(transform, mean, state.held, inner, due);
      return [updates, { sum: zeroWhere(due, sum), loss: due.select(0, loss), held }];
    },
    ...evaluationOf<AccumulateState>(transform, ({ held }) => held.inner),
  });
}

export type ApplyEveryState = { readonly sum: TensorTree };

/**
 * Holds updates back and hands on their sum every k steps.
 *
 * @param steps k, at least 1. Default 1.
 *
 * As optax.apply_every. It stands after a rule, whose schedules and bias corrections go on counting every step, and sums what the
 * rule gives: for one update with the mean of k gradients see `optim.accumulate`. Throws OptionError for a value out of range.
 *
 * @example
 * optim.chain(optim.adam(1e-3), optim.applyEvery(4)).config.parts[1] // -> { name: "applyEvery", steps: 4 }
 */
export function applyEvery(steps?: number, options: Readonly<Record<string, never>> = {}): Transform<ApplyEveryState> {
  const values = resolve("applyEvery", applyHypers, steps, options);
  const { steps: k } = values;
  return transformOf<ApplyEveryState>(applyEveryRule, values, {
    init: (params) => ({ sum: zerosLike(params) }),
    update(updates, state, ctx) {
      const due = ctx.step.rem(k).equal(k - 1);
      const sum = zipTrees<Tensor, Tensor>((_, u, s) => (s as Tensor).add(u), updates, state.sum);
      return [zeroWhere(due.not(), sum), { sum: zeroWhere(due, sum) }];
    },
  });
}

export const accumulateRule: Rule = {
  name: "accumulate",
  role: "wrapper",
  equation: "every k-th step: u = transform(mean of the last k g); else u = 0",
  source: "optax.MultiSteps, Keras's gradient_accumulation_steps",
  hypers: accumulateHypers,
  create: accumulate as Rule["create"],
};

export const applyEveryRule: Rule = {
  name: "applyEvery",
  role: "transform",
  equation: "every k-th step: u = sum of the last k u; else u = 0",
  source: "optax.apply_every",
  hypers: applyHypers,
  create: applyEvery as Rule["create"],
};
