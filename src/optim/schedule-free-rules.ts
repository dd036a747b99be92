import { OptionError } from "../core/errors.ts";
import { mapTree, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import type { HyperValue, UpdateContext } from "../trace/update-context.ts";
import {
  addDecay,
  biasCorrectionOf,
  coupledDecay,
  type HyperSpecs,
  type OwnDecayOptions,
  oneMinus,
  ownDecayHypers,
  type Rule,
  resolve,
  transformOf,
  zerosLike,
} from "./hyper.ts";
import {
  type AverageOptions,
  type AverageState,
  ahead,
  averageHypers,
  averageSteps,
  initAverage,
  meanOf,
} from "./schedule-free.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const warmupSteps = {
  type: "number",
  default: 0,
  min: 0,
  integer: true,
  fixed: true,
  text: "steps in which the rate rises linearly; fed as `warmup`, a factor",
} as const;

const sgdHypers = {
  rate: { type: "number", default: 1, min: 0, text: "a, the learning rate" },
  warmupSteps,
  ...averageHypers,
  like: {
    type: "choice",
    choices: ["pytorch", "optax"],
    default: "pytorch",
    text: "warm-up from a / n (the authors' code for PyTorch) or from 0 (optax)",
  },
  ...ownDecayHypers,
} as const satisfies HyperSpecs;

const adamwHypers = {
  rate: { type: "number", default: 2.5e-3, min: 0, text: "a, the learning rate" },
  warmupSteps,
  beta1: averageHypers.beta1,
  beta2: { type: "number", default: 0.999, min: 0, below: 1, text: "decay of v, the mean of the squared gradients" },
  eps: { type: "number", default: 1e-8, min: 0, text: "keeps the division finite" },
  weightPower: { ...averageHypers.weightPower, like: { keras: null } },
  like: {
    type: "choice",
    choices: ["pytorch", "optax", "keras"],
    default: "pytorch",
    text: "weights of the mean by the rate (the authors' code for PyTorch, optax) or all alike (Keras)",
  },
  ...ownDecayHypers,
} as const satisfies HyperSpecs;

export type ScheduleFreeSgdOptions = AverageOptions &
  OwnDecayOptions & {
    /** Default 0. */
    readonly warmupSteps?: number;
    /** Default "pytorch". */
    readonly like?: "pytorch" | "optax";
  };

export type ScheduleFreeAdamwOptions = AverageOptions &
  OwnDecayOptions & {
    /** Default 0. */
    readonly warmupSteps?: number;
    /** Default 0.999. */
    readonly beta2?: Hyper;
    /** Default 1e-8. */
    readonly eps?: Hyper;
    /** Default "pytorch". */
    readonly like?: "pytorch" | "optax" | "keras";
  };

export type ScheduleFreeAdamwState = AverageState & { readonly v: TensorTree };

type Rates = { readonly plain: Tensor; readonly step: Tensor; readonly weight: Tensor };

/** Reads the rate without the warm-up, that of the step, and that whose power weighs the mean. */
function ratesOf(rate: Hyper, steps: number, like: "pytorch" | "optax" | "keras"): (ctx: UpdateContext) => Rates {
  const optax = like === "optax";
  const later = optax ? ahead() : (value: HyperValue) => value;
  const next: HyperValue = { at: (step) => Math.min(1, (step + 1) / steps) };
  const now: HyperValue = optax ? { at: (step) => Math.min(1, step / steps) } : next;
  return (ctx) => {
    const warmed = (a: Tensor, warmup: HyperValue): Tensor => (steps === 0 ? a : a.mul(ctx.hyper("warmup", warmup)));
    const plain = ctx.hyper("rate", rate);
    return { plain, step: warmed(plain, now), weight: warmed(ctx.hyper("rate", later(rate)), next) };
  };
}

/**
 * Schedule-free SGD: z += -a (g + lambda y), g taken at y; x += c (z - x), c = w / (sum of w), w = (largest a so far)^p;
 * y = b x + (1 - b) z. Evaluated with x.
 *
 * @param rate a, a number or a schedule that does not fall. Default 1.
 * @param options `warmupSteps` n 0, `beta1` b 0.9, `weightPower` p 2, `like` "pytorch", `weightDecay` left out.
 *
 * The same as `scheduleFree(sgd(a))` but for the warm-up, a factor that is fed as `warmup`.
 *
 * | like | factor of step t = 1, 2, ... | rate of the weights |
 * |---|---|---|
 * | "pytorch": the authors' schedulefree.SGDScheduleFree | min(1, t / n) | this step's |
 * | "optax": optax.contrib.schedule_free_sgd | min(1, (t - 1) / n) | the next step's |
 *
 * The parameters of the model are y while training; evaluation, prediction and saved models use x. Throws OptionError for a
 * value out of range.
 *
 * Source: Defazio et al., "The Road Less Scheduled", 2024.
 *
 * @example
 * optim.scheduleFreeSgd(0.5, { warmupSteps: 100 }).config
 * // -> { name: "scheduleFreeSgd", rate: 0.5, warmupSteps: 100, beta1: 0.9, weightPower: 2, like: "pytorch" }
 */
export function scheduleFreeSgd(rate?: Hyper, options: ScheduleFreeSgdOptions = {}): Transform<AverageState> {
  const values = resolve("scheduleFreeSgd", sgdHypers, rate, options);
  const { like } = values;
  const rates = ratesOf(values.rate, values.warmupSteps, like);
  return transformOf(scheduleFreeSgdRule, values, {
    init: (params) => initAverage(params, like),
    update(gradients, state, ctx) {
      const { step, weight } = rates(ctx);
      const scale = step.neg();
      const whole = coupledDecay("scheduleFreeSgd", values, gradients, ctx);
      const steps = mapTree<Tensor, Tensor>(whole, (g) => g.mul(scale));
      return averageSteps(ctx, state, steps, values, weight);
    },
    evalParams: meanOf,
    refreshesStatistics: true,
  });
}

/**
 * Schedule-free AdamW: v = b2 v + (1 - b2) g², g taken at y; z += -a (g / (sqrt(v^) + eps) + lambda y), v^ = v / (1 - b2^t);
 * x += c (z - x), c = w / (sum of w), w = (largest a so far)^p; y = b1 x + (1 - b1) z. Evaluated with x.
 *
 * @param rate a, a number or a schedule that does not fall. Default 2.5e-3.
 * @param options `warmupSteps` n 0, `beta1` 0.9, `beta2` 0.999, `eps` 1e-8, `weightPower` p 2, `like` "pytorch", `weightDecay`
 * left out.
 *
 * | like | warm-up of step t = 1, 2, ... | c | weight decay |
 * |---|---|---|---|
 * | "pytorch": the authors' schedulefree.AdamWScheduleFree | min(1, t / n) | by this step's rate | z += -a lambda y |
 * | "optax": optax.contrib.schedule_free_adamw | min(1, (t - 1) / n) | by the next step's rate | z += -a lambda y |
 * | "keras": keras.optimizers.ScheduleFreeAdamW | min(1, t / n) | 1 / t | y shrinks by 1 - a lambda (a before the warm-up), x is found from it, z stays |
 *
 * The parameters of the model are y while training; evaluation, prediction and saved models use x (Keras: y). Throws
 * OptionError for a value out of range, and for `weightPower` like Keras.
 *
 * Source: Defazio et al., "The Road Less Scheduled", 2024.
 *
 * @example
 * optim.scheduleFreeAdamw(0.01, { like: "keras" }).config
 * // -> { name: "scheduleFreeAdamw", rate: 0.01, warmupSteps: 0, beta1: 0.9, beta2: 0.999, eps: 1e-8, like: "keras" }
 */
export function scheduleFreeAdamw(
  rate?: Hyper,
  options: ScheduleFreeAdamwOptions = {},
): Transform<ScheduleFreeAdamwState> {
  const values = resolve("scheduleFreeAdamw", adamwHypers, rate, options);
  const { like, beta1, beta2, weightDecay, noDecay } = values;
  const keras = like === "keras";
  if (keras && options.weightPower !== undefined)
    throw new OptionError(
      'scheduleFreeAdamw: got weightPower with like = "keras", which weighs all steps alike; expected one of them.',
      "scheduleFreeAdamw.weightPower",
    );
  const rates = ratesOf(values.rate, values.warmupSteps, like);
  return transformOf<ScheduleFreeAdamwState>(scheduleFreeAdamwRule, values, {
    init: (params) => ({ ...initAverage(params, like), v: zerosLike(params) }),
    update(gradients, state, ctx) {
      const { params } = ctx;
      const { plain, step, weight } = rates(ctx);
      const eps = ctx.hyper("eps", values.eps);
      const b2 = ctx.hyper("beta2", beta2);
      const oneMinusB2 = ctx.hyper("beta2", beta2, oneMinus);
      const v = zipTrees<Tensor, Tensor>(
        (_, v, g) => v.mul(b2).add((g as Tensor).square().mul(oneMinusB2)),
        state.v,
        gradients,
      );
      const scale = biasCorrectionOf(ctx, "beta2", beta2).sqrt().reciprocal();
      const length = step.neg();
      const adaptive = zipTrees<Tensor, Tensor>(
        (_, g, v) => g.mul(length).div((v as Tensor).sqrt().mul(scale).add(eps)),
        gradients,
        v,
      );
      const decayed = (tree: TensorTree, a: Tensor): TensorTree =>
        weightDecay === undefined
          ? tree
          : addDecay("scheduleFreeAdamw", noDecay, tree, params, a.mul(ctx.hyper("weightDecay", weightDecay)).neg());
      const [steps, from] = keras ? [adaptive, decayed(params, plain)] : [decayed(adaptive, step), params];
      const weighing = keras ? { beta1 } : { beta1, weightPower: values.weightPower };
      const [updates, next] = averageSteps(ctx, state, steps, weighing, weight, from);
      return [updates, { ...next, v }];
    },
    evalParams: meanOf,
    refreshesStatistics: true,
  });
}

export const scheduleFreeSgdRule: Rule = {
  name: "scheduleFreeSgd",
  role: "rule",
  equation: "z += -a g(y); x += c (z - x), c = w / (sum of w), w = (largest a)^p; y = b x + (1 - b) z",
  source: "Defazio et al., 2024",
  hypers: sgdHypers,
  create: scheduleFreeSgd as Rule["create"],
};

export const scheduleFreeAdamwRule: Rule = {
  name: "scheduleFreeAdamw",
  role: "rule",
  equation:
    "z += -a (g(y) / (sqrt(v^) + eps) + lambda y); x += c (z - x), c = w / (sum of w), w = (largest a)^p; y = b1 x + (1 - b1) z",
  source: "Defazio et al., 2024",
  equations: {
    pytorch: "c by this step's rate; warm-up t / n",
    optax: "c by the next step's rate; warm-up (t - 1) / n",
    keras: "c = 1 / t; weight decay shrinks y, not z",
  },
  hypers: adamwHypers,
  create: scheduleFreeAdamw as Rule["create"],
};
