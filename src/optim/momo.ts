import { zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { dotTrees, type UpdateContext } from "../trace/update-context.ts";
import {
  addDecay,
  biasCorrectionOf,
  type HyperSpecs,
  oneMinus,
  type Rule,
  resolve,
  scalarState,
  transformOf,
  zerosLike,
} from "./hyper.ts";
import { type BetaOptions, momentHypers } from "./moments.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const shared = {
  lowerBound: { type: "number", default: 0, text: "f*, below which the loss does not fall" },
  adaptLowerBound: { type: "flag", default: false, text: "raise f* as training goes, at least to lowerBound" },
  weightDecay: { type: "number", default: null, min: 0, text: "lambda of weight decay" },
} as const satisfies HyperSpecs;

const momoHypers = {
  rate: { type: "number", default: 1, min: 0, text: "a, the largest learning rate" },
  beta: { type: "number", default: 0.9, min: 0, below: 1, text: "decay of the means" },
  ...shared,
} as const satisfies HyperSpecs;

const momoAdamHypers = {
  rate: { type: "number", default: 1e-2, min: 0, text: "a, the largest learning rate" },
  beta1: momentHypers.beta1,
  beta2: momentHypers.beta2,
  eps: { type: "number", default: 1e-8, min: 0, text: "keeps the division finite" },
  ...shared,
} as const satisfies HyperSpecs;

type SharedOptions = {
  /** f*. Default 0. */
  readonly lowerBound?: Hyper;
  /** Default false. */
  readonly adaptLowerBound?: boolean;
  /** lambda, decoupled. Left out by default. */
  readonly weightDecay?: Hyper;
};

export type MomoOptions = SharedOptions & {
  /** Default 0.9. */
  readonly beta?: Hyper;
};

export type MomoAdamOptions = SharedOptions &
  BetaOptions & {
    /** Default 1e-8. */
    readonly eps?: Hyper;
  };

/** Means of the gradients, of the loss and of <g, x>; `bound` (f*) only with `adaptLowerBound`. */
type Model = {
  readonly m: TensorTree;
  readonly loss: Tensor;
  readonly product: Tensor;
  readonly bound?: Tensor;
};
export type MomoState = Model;
export type MomoAdamState = Model & { readonly v: TensorTree };

type SharedValues = {
  readonly rate: Hyper;
  readonly lowerBound: Hyper;
  readonly adaptLowerBound: boolean;
  readonly weightDecay: Hyper | undefined;
};

function initModel(params: TensorTree, { adaptLowerBound }: SharedValues): Model {
  const zero = scalarState(params, 0);
  return { m: zerosLike(params), loss: zero, product: zero, ...(adaptLowerBound && { bound: zero }) };
}

/** A square norm at most this counts as 0, and no step is taken. */
const NOTHING = 2 ** -52;

/**
 * Steps along -u of the length that the model of the loss allows, at most the rate: tau = min(a / c, [(1 + a lambda)
 * (f - c f* - gamma) + <m, x>]+ / <m, u>). `correction` is c, that of the means.
 */
function polyakStep(
  rule: string,
  ctx: UpdateContext,
  values: SharedValues,
  {
    before,
    m,
    u,
    loss,
    product,
    correction,
  }: Omit<Model, "bound"> & {
    readonly before: Model;
    readonly u: TensorTree;
    readonly correction: Tensor | undefined;
  },
): readonly [TensorTree, { readonly bound?: Tensor }] {
  const a = ctx.hyper("rate", values.rate);
  const lowest = ctx.hyper("lowerBound", values.lowerBound);
  const decay = values.weightDecay === undefined ? undefined : a.mul(ctx.hyper("weightDecay", values.weightDecay));
  const grow = (t: Tensor): Tensor => (decay === undefined ? t : t.mul(decay.add(1)));
  const shrink = (t: Tensor): Tensor => (decay === undefined ? t : t.div(decay.add(1)));
  const corrected = (t: Tensor): Tensor => (correction === undefined ? t : t.mul(correction));
  const uncorrected = (t: Tensor): Tensor => (correction === undefined ? t : t.div(correction));

  const norm = dotTrees(m, u);
  const along = dotTrees(m, ctx.params);
  const above = loss.sub(product);
  let bound = lowest;
  if (before.bound !== undefined) {
    const known = ctx.step.equal(0).select(lowest, before.bound.maximum(lowest));
    const cap = grow(above).add(along);
    const lower = uncorrected(shrink(cap)).mul(0.5).maximum(lowest);
    bound = cap.less(grow(corrected(known))).select(lower, known);
  }
  const allowed = grow(above.sub(corrected(bound)))
    .add(along)
    .maximum(0)
    .div(norm);
  const tau = norm.lessEqual(NOTHING).select(norm.zerosLike(), uncorrected(a).minimum(allowed));
  const next =
    before.bound === undefined
      ? {}
      : { bound: uncorrected(above.add(along).sub(norm.mul(tau).mul(0.5))).maximum(lowest) };

  const length = tau.neg();
  const steps = zipTrees<Tensor, Tensor>((_, d) => d.mul(length), u);
  if (decay === undefined) return [steps, next];
  return [addDecay(rule, undefined, steps, ctx.params, shrink(decay).neg()), next];
}

/**
 * MoMo, momentum with the step length that a model of the loss allows: m, f and q are means of g, of the loss and of <g, x>;
 * x += -tau m, tau = min(a, max(f - f* - q + <m, x>, 0) / |m|²).
 *
 * @param rate a, the largest step length, a number or a schedule. Default 1.
 * @param options `beta` 0.9, `lowerBound` f* 0, `adaptLowerBound` false, `weightDecay` left out.
 *
 * The means start from the first step's values. With `adaptLowerBound`, f* follows the model:
 * f* = max(f + <m, x> - q - tau |m|² / 2, lowerBound). Weight decay is the proximal one: x is divided by 1 + a lambda, and
 * tau reckons with it. As optax.contrib.momo. Throws OptionError for a value out of range.
 *
 * Source: Schaipp, Ohana, Eickenberg, Defazio and Gower, "MoMo: Momentum Models for Adaptive Learning Rates", 2023.
 *
 * @example
 * optim.momo().config // -> { name: "momo", rate: 1, beta: 0.9, lowerBound: 0, adaptLowerBound: false }
 */
export function momo(rate?: Hyper, options: MomoOptions = {}): Transform<MomoState> {
  const values = resolve("momo", momoHypers, rate, options);
  return transformOf(momoRule, values, {
    init: (params) => initModel(params, values),
    update(gradients, state, ctx) {
      const first = ctx.step.equal(0);
      const b = first.select(0, ctx.hyper("beta", values.beta));
      const oneMinusB = first.select(1, ctx.hyper("beta", values.beta, oneMinus));
      const mean = (old: Tensor, now: Tensor): Tensor => old.mul(b).add(now.mul(oneMinusB));
      const m = zipTrees<Tensor, Tensor>((_, m, g) => mean(m, g as Tensor), state.m, gradients);
      const loss = mean(state.loss, ctx.loss);
      const product = mean(state.product, dotTrees(gradients, ctx.params));
      const means = { m, loss, product };
      const own = { ...means, before: state, u: m, correction: undefined };
      const [updates, bound] = polyakStep("momo", ctx, values, own);
      return [updates, { ...means, ...bound }];
    },
  });
}

/**
 * MoMo-Adam, Adam with the step length that a model of the loss allows: m, v, f and q are means of g, g², the loss and <g, x>;
 * u = m / (sqrt(v^) + eps); x += -tau u, tau = min(a / c, max(f - c f* - q + <m, x>, 0) / <m, u>), c = 1 - b1^t.
 *
 * @param rate a, the largest step length, a number or a schedule. Default 0.01.
 * @param options `beta1` 0.9, `beta2` 0.999, `eps` 1e-8, `lowerBound` f* 0, `adaptLowerBound` false, `weightDecay` left out.
 *
 * With `adaptLowerBound`, f* = max((f + <m, x> - q - tau <m, u> / 2) / c, lowerBound). Weight decay as in `momo`. As
 * optax.contrib.momo_adam. Throws OptionError for a value out of range.
 *
 * Source: Schaipp, Ohana, Eickenberg, Defazio and Gower, "MoMo: Momentum Models for Adaptive Learning Rates", 2023.
 *
 * @example
 * optim.momoAdam(0.1, { adaptLowerBound: true }).config.lowerBound // -> 0
 */
export function momoAdam(rate?: Hyper, options: MomoAdamOptions = {}): Transform<MomoAdamState> {
  const values = resolve("momoAdam", momoAdamHypers, rate, options);
  const { beta1, beta2 } = values;
  return transformOf(momoAdamRule, values, {
    init: (params) => ({ ...initModel(params, values), v: zerosLike(params) }),
    update(gradients, state, ctx) {
      const eps = ctx.hyper("eps", values.eps);
      const b1 = ctx.hyper("beta1", beta1);
      const b2 = ctx.hyper("beta2", beta2);
      const oneMinusB1 = ctx.hyper("beta1", beta1, oneMinus);
      const oneMinusB2 = ctx.hyper("beta2", beta2, oneMinus);
      const mean = (old: Tensor, now: Tensor): Tensor => old.mul(b1).add(now.mul(oneMinusB1));
      const m = zipTrees<Tensor, Tensor>((_, m, g) => mean(m, g as Tensor), state.m, gradients);
      const v = zipTrees<Tensor, Tensor>(
        (_, v, g) => v.mul(b2).add((g as Tensor).square().mul(oneMinusB2)),
        state.v,
        gradients,
      );
      const loss = mean(state.loss, ctx.loss);
      const product = mean(state.product, dotTrees(gradients, ctx.params));
      const scale = biasCorrectionOf(ctx, "beta2", beta2).sqrt().reciprocal();
      const u = zipTrees<Tensor, Tensor>((_, m, v) => m.div((v as Tensor).sqrt().mul(scale).add(eps)), m, v);
      const means = { m, loss, product };
      const own = { ...means, before: state, u, correction: biasCorrectionOf(ctx, "beta1", beta1) };
      const [updates, bound] = polyakStep("momoAdam", ctx, values, own);
      return [updates, { ...means, v, ...bound }];
    },
  });
}

export const momoRule: Rule = {
  name: "momo",
  role: "rule",
  equation: "x += -tau m, tau = min(a, max(f - f* - q + <m, x>, 0) / |m|²); m, f, q means of g, loss, <g, x>",
  source: "Schaipp et al., 2023",
  hypers: momoHypers,
  create: momo as Rule["create"],
};

export const momoAdamRule: Rule = {
  name: "momoAdam",
  role: "rule",
  equation:
    "x += -tau u, u = m / (sqrt(v^) + eps), tau = min(a / c, max(f - c f* - q + <m, x>, 0) / <m, u>), c = 1 - b1^t",
  source: "Schaipp et al., 2023",
  hypers: momoAdamHypers,
  create: momoAdam as Rule["create"],
};
