import { OptionError } from "../core/errors.ts";
import { zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import type { HyperValue, UpdateContext } from "../trace/update-context.ts";
import { expectNoEvaluation } from "./held.ts";
import { type HyperSpecs, type Like, type NumberHyper, type Rule, resolve, scalarState, transformOf } from "./hyper.ts";
import { isReactive } from "./schedules/reactive.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

export const averageHypers: Readonly<Record<"beta1" | "weightPower", NumberHyper & { readonly default: number }>> = {
  beta1: { type: "number", default: 0.9, above: 0, max: 1, text: "b, the part of x in y, where gradients are taken" },
  weightPower: { type: "number", default: 2, min: 0, text: "p: steps count by their rate to this power in the mean" },
};

const hypers = {
  transform: { type: "transform", default: null, text: "a rule without momentum, whose steps move z" },
  ...averageHypers,
  like: {
    type: "choice",
    choices: ["pytorch", "optax"],
    default: "pytorch",
    text: "weights from this step's rate (the authors' code for PyTorch) or from the next step's (optax)",
  },
} as const satisfies HyperSpecs;

export type AverageOptions = {
  /** b. Default 0.9. */
  readonly beta1?: Hyper;
  /** p. Default 2. */
  readonly weightPower?: Hyper;
};

export type ScheduleFreeOptions = AverageOptions & {
  /** Default "pytorch". */
  readonly like?: "pytorch" | "optax";
};

/**
 * z, the beta1 by which the parameters were last put between x and z, and what the weights of the mean are made of, f32[]:
 * the largest rate so far and the sum of weights (not like Keras, which weighs all alike).
 */
export type AverageState = {
  readonly z: TensorTree;
  readonly beta1: Tensor;
  readonly largest?: Tensor;
  readonly total?: Tensor;
};

export type ScheduleFreeState = AverageState & { readonly inner: TensorTree };

/** Where all three points are the same, any beta1 says so. */
export function initAverage(params: TensorTree, like: Like): AverageState {
  const zero = scalarState(params, 0);
  return { z: params, beta1: scalarState(params, 1), ...(like === "keras" ? {} : { largest: zero, total: zero }) };
}

/** x, the mean of z, from the point y = b x + (1 - b) z. */
export function meanOf(y: TensorTree, { z, beta1 }: AverageState): TensorTree {
  const own = beta1.sub(1);
  const scale = beta1.reciprocal();
  return zipTrees<Tensor, Tensor>((_, y, z) => y.add((z as Tensor).mul(own)).mul(scale), y, z);
}

/** The part of z in the mean x, and the next state of the weights: all alike where there are none. */
function weighted(
  ctx: UpdateContext,
  { largest: before, total: sum }: AverageState,
  rate: Tensor,
  power: Hyper | undefined,
): readonly [part: Tensor, weights: Pick<AverageState, "largest" | "total">] {
  if (before === undefined || sum === undefined || power === undefined)
    return [ctx.step.add(1).cast("f32").reciprocal(), {}];
  const largest = before.maximum(rate);
  const weight = largest.pow(ctx.hyper("weightPower", power));
  const total = sum.add(weight);
  return [total.equal(0).select(0, weight.div(total)), { largest, total }];
}

/**
 * From the steps of z to those of the parameters y: z += u; x += c (z - x), c = w / (sum of w), w = (largest rate so far)^p;
 * y = b x + (1 - b) z. `from` is y, where x is found from it.
 */
export function averageSteps(
  ctx: UpdateContext,
  state: AverageState,
  steps: TensorTree,
  values: AverageValues,
  rate: Tensor,
  from: TensorTree = ctx.params,
): readonly [updates: TensorTree, state: AverageState] {
  const [part, weights] = weighted(ctx, state, rate, values.weightPower);
  const beta1 = ctx.hyper("beta1", values.beta1);
  const z = zipTrees<Tensor, Tensor>((_, z, u) => z.add(u as Tensor), state.z, steps);
  const next = (y: Tensor, x: Tensor, z: Tensor): Tensor => {
    const mean = x.add(z.sub(x).mul(part));
    return z.add(mean.sub(z).mul(beta1)).sub(y);
  };
  const updates = zipTrees<Tensor, Tensor>(
    (_, y, x, z) => next(y, x as Tensor, z as Tensor),
    ctx.params,
    meanOf(from, state),
    z,
  );
  return [updates, { z, beta1, ...weights }];
}

/** b and p; without p all steps weigh alike. */
type AverageValues = { readonly beta1: Hyper; readonly weightPower?: Hyper };

const valueAt = (value: HyperValue, ...at: Parameters<Exclude<HyperValue, number>["at"]>): number =>
  typeof value === "number" ? value : value.at(...at);

/** The rates of a constructor one step ahead, the same object for the same schedule. */
export function ahead(): (value: HyperValue) => HyperValue {
  const known = new Map<HyperValue, HyperValue>();
  return (value) => {
    // A plateau's rate depends on the run, and is the same a step later but for the end of an epoch.
    if (typeof value === "number" || isReactive(value)) return value;
    const later = known.get(value) ?? { at: (step, run) => valueAt(value, step + 1, run) };
    known.set(value, later);
    return later;
  };
}

/**
 * Schedule-free learning around any rule without momentum: gradients are taken at y, between the rule's point z and the mean x of
 * all z, with which to evaluate; z += u; x += c (z - x), c = w / (sum of w), w = (largest rate so far)^p; y = b x + (1 - b) z.
 *
 * @param transform a rule with a rate and without momentum, e.g. `optim.sgd(0.5)`, `optim.adam(1e-3, { beta1: 0 })`.
 * @param options `beta1` b 0.9, `weightPower` p 2, `like` "pytorch".
 *
 * The parameters of the model are y while training; evaluation, prediction and saved models use x. No decay of the rate is
 * needed; a warm-up is. The rate whose power weighs the mean is the one that the rule reads.
 *
 * | like | rate of the weights |
 * |---|---|
 * | "pytorch": the authors' schedulefree package | this step's |
 * | "optax" | the schedule one step later (differs while it rises) |
 *
 * For the authors' two rules see `optim.scheduleFreeSgd` and `optim.scheduleFreeAdamw`. Batch norms take their statistics
 * anew for x, in a pass over the training data before each evaluation. Throws OptionError for a value out of range, a rule that has weights of its own to evaluate with and, while
 * tracing, for a rule without a rate.
 *
 * Source: Defazio et al., "The Road Less Scheduled", 2024.
 *
 * @example
 * optim.scheduleFree(optim.sgd(0.5)).config
 * // -> { name: "scheduleFree", transform: { name: "sgd", rate: 0.5, like: "lecture" }, beta1: 0.9, weightPower: 2, like: "pytorch" }
 */
export function scheduleFree(transform: Transform, options: ScheduleFreeOptions = {}): Transform<ScheduleFreeState> {
  const values = resolve("scheduleFree", hypers, transform, options);
  const { like } = values;
  const { name } = transform.config;
  expectNoEvaluation("scheduleFree", transform);
  const later = ahead();
  return transformOf<ScheduleFreeState>(scheduleFreeRule, values, {
    init: (params) => ({ ...initAverage(params, like), inner: transform.init(params) }),
    update(gradients, state, ctx) {
      let rate: Tensor | undefined;
      const hyper: UpdateContext["hyper"] = (hyperName, value, map, every) => {
        if (hyperName === "rate") rate ??= ctx.hyper("rate", like === "optax" ? later(value) : value, undefined, every);
        return ctx.hyper(hyperName, value, map, every);
      };
      const [steps, inner] = transform.update(gradients, state.inner, { ...ctx, hyper });
      if (rate === undefined)
        throw new OptionError(
          `scheduleFree: got ${name}, which has no rate; expected a rule with one, such as optim.sgd(0.5).`,
          "scheduleFree.transform",
        );
      const [updates, next] = averageSteps(ctx, state, steps, values, rate);
      return [updates, { ...next, inner }];
    },
    evalParams: meanOf,
    refreshesStatistics: true,
  });
}

export const scheduleFreeRule: Rule = {
  name: "scheduleFree",
  role: "wrapper",
  equation:
    "z += u of the rule, for g(y); x += c (z - x), c = w / (sum of w), w = (largest rate)^p; y = b x + (1 - b) z",
  source: "Defazio et al., 2024",
  hypers,
  create: scheduleFree as Rule["create"],
};
