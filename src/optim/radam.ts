import { log } from "../core/math.ts";
import { zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import {
  biasCorrectionOf,
  type DecayOptions,
  decayHypers,
  type HyperSpecs,
  type Rule,
  resolve,
  transformOf,
  zerosLike,
} from "./hyper.ts";
import {
  type BetaOptions,
  denominatorOf,
  descentOf,
  momentHypers,
  movingAverage,
  secondScale,
  square,
} from "./moments.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform, UpdateContext } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 1e-3, min: 0, text: "a, the learning rate" },
  ...momentHypers,
  threshold: { type: "number", default: 5, min: 4, text: "rho from which on the rate is adapted" },
  nesterov: { type: "flag", default: false, text: "look ahead as Nesterov's momentum does" },
  like: {
    type: "choice",
    choices: ["pytorch", "optax"],
    default: "pytorch",
    text: "eps beside the raw root and rho above the threshold (PyTorch), or beside the corrected root and rho at least the threshold (optax)",
  },
  ...decayHypers,
} as const satisfies HyperSpecs;

export type RadamOptions = DecayOptions &
  BetaOptions & {
    /** Default 1e-8. */
    readonly eps?: Hyper;
    /** Added to the mean of squares inside the root, optax's `eps_root`. Left out by default. */
    readonly epsRoot?: Hyper;
    /** rho from which on the rate is adapted, at least 4. Default 5. */
    readonly threshold?: Hyper;
    /** Default false, as both. */
    readonly nesterov?: boolean;
    /** Default "pytorch". */
    readonly like?: "pytorch" | "optax";
  };

export type RadamState = { readonly m: TensorTree; readonly v: TensorTree };

const longest = (beta: number): number => 2 / (1 - beta) - 1;
/** coth(y) - 1 / y at y = -ln(beta) / 2. */
const langevinAt = (beta: number): number => {
  const y = -log(beta) / 2;
  return beta === 0 ? 1 : y < 0.5 ? langevinSeries(y) : (1 + beta) / (1 - beta) - 1 / y;
};
/** Coefficients of y, y³, y⁵, ... in coth(y) - 1 / y; the next term is below 1e-12 for y up to 1 / 2. */
const LANGEVIN = [1 / 3, -1 / 45, 2 / 945, -1 / 4725, 2 / 93555, -1382 / 638512875, 4 / 18243225];
const langevinSeries = (y: number): number => y * LANGEVIN.reduceRight((sum, c) => sum * y * y + c, 0);

/**
 * rho = rho_inf - 2 t b2^t / (1 - b2^t), the length of the average. While t (1 - b2) is small the two terms agree in all but
 * their last digits; there rho = t + L(-ln b2 / 2) - t L(-t ln b2 / 2) with L(y) = coth(y) - 1 / y does without the difference.
 */
function lengthOf(ctx: UpdateContext, beta2: Hyper): Tensor {
  const t = ctx.step.add(1).cast("f32");
  const z = t.mul(ctx.hyper("beta2", beta2, log)).neg();
  const direct = ctx.hyper("beta2", beta2, longest).sub(t.mul(2).div(z.expm1()));
  const y = z.mul(0.5);
  const ySquared = y.square();
  const series = LANGEVIN.slice(0, -1)
    .reduceRight((sum, c) => sum.mul(ySquared).add(c), y.full(LANGEVIN.at(-1) as number))
    .mul(y);
  const early = t.mul(series.rsub(1)).add(ctx.hyper("beta2", beta2, langevinAt));
  return z.less(1).select(early, direct);
}

/**
 * Rectified Adam: x += -a m^ r / (sqrt(v^) + eps) once rho > 5, x += -a m^ before, with rho = rho_inf - 2 t b2^t / (1 - b2^t),
 * rho_inf = 2 / (1 - b2) - 1, r = sqrt((rho - 4)(rho - 2) rho_inf / ((rho_inf - 4)(rho_inf - 2) rho)).
 *
 * @param rate a, a number or a schedule. Default 1e-3.
 * @param options `beta1` 0.9, `beta2` 0.999, `eps` 1e-8, `threshold` 5, `nesterov` false, `like` "pytorch", `epsRoot` and
 * `weightDecay` left out: as torch.optim.RAdam.
 *
 * | like | adapted where | update | weight decay |
 * |---|---|---|---|
 * | "pytorch" | rho > threshold | x += -a m^ r sqrt(1 - b2^t) / (sqrt(v) + eps): a larger eps early | L2 |
 * | "optax" | rho at least threshold | x += -a m^ r / (sqrt(v^ + epsRoot) + eps) | decoupled |
 *
 * With the default beta2 the first five updates are those of momentum without adaptation; with a beta2 of 2 / 3 or less all are.
 *
 * Throws OptionError for a value out of range.
 *
 * Source: Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", 2020.
 *
 * @example
 * optim.radam(0.01, { like: "optax" }).config.threshold // -> 5
 */
export function radam(rate?: Hyper, options: RadamOptions = {}): Transform<RadamState> {
  const values = resolve("radam", hypers, rate, options);
  const { beta1, beta2, threshold, like } = values;
  return transformOf(radamRule, values, {
    init: (params) => ({ m: zerosLike(params), v: zerosLike(params) }),
    update(gradients, state, ctx) {
      const longestLength = ctx.hyper("beta2", beta2, longest);
      const rho = lengthOf(ctx, beta2);
      const limit = ctx.hyper("threshold", threshold);
      const adapted = like === "optax" ? rho.greaterEqual(limit) : rho.greater(limit);
      const product = (length: Tensor): Tensor => length.sub(4).mul(length.sub(2));
      const r = product(rho).mul(longestLength).div(product(longestLength).mul(rho)).sqrt();
      const rectified = like === "optax" ? r : r.mul(biasCorrectionOf(ctx, "beta2", beta2).sqrt());

      const descent = descentOf(ctx, values);
      const root = denominatorOf(ctx, values, like === "optax" ? secondScale(ctx, beta2) : undefined);
      const m = movingAverage(ctx, "beta1", beta1, state.m, gradients);
      const v = movingAverage(ctx, "beta2", beta2, state.v, gradients, square);
      const factor = (v: Tensor): Tensor => adapted.select(rectified.div(root(v)), 1);
      return [zipTrees((_, m, v, g) => descent(m, g).mul(factor(v)), m, v, gradients), { m, v }];
    },
  });
}

export const radamRule: Rule = {
  name: "radam",
  role: "rule",
  equation: "x += -a m^ r / (sqrt(v^) + eps) where rho > 5, else x += -a m^; rho = rho_inf - 2 t b2^t / (1 - b2^t)",
  source: "Liu et al., 2020",
  equations: {
    pytorch: "x += -a m^ r sqrt(1 - b2^t) / (sqrt(v) + eps) where rho > threshold",
    optax: "x += -a m^ r / (sqrt(v^ + epsRoot) + eps) where rho >= threshold",
  },
  hypers,
  create: radam as Rule["create"],
};
