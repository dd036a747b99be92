import { log } from "../core/math.ts";
import { zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import {
  type DecayOptions,
  decayHypers,
  type HyperSpecs,
  type Rule,
  resolve,
  scalarState,
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
  rate: { type: "number", default: 2e-3, min: 0, like: { optax: 1e-3, keras: 1e-3 }, text: "a, the learning rate" },
  ...momentHypers,
  eps: { ...momentHypers.eps, like: { keras: 1e-7 } },
  momentumDecay: {
    type: "number",
    default: 4e-3,
    min: 0,
    like: { optax: null, keras: 1 },
    text: "psi of mu_t = b1 (1 - 0.96^(t psi) / 2); without it mu_t = b1",
  },
  like: {
    type: "choice",
    choices: ["pytorch", "optax", "keras"],
    default: "pytorch",
    text: "momentum that rises slowly (PyTorch), at once (Keras) or is b1 from the start (optax)",
  },
  ...decayHypers,
} as const satisfies HyperSpecs;

export type NadamOptions = DecayOptions &
  BetaOptions & {
    /** Default 1e-8, as PyTorch and optax (like Keras: 1e-7). */
    readonly eps?: Hyper;
    /** Added to v^ inside the root, optax's `eps_root`. Left out by default. */
    readonly epsRoot?: Hyper;
    /** psi. Default 4e-3, as PyTorch (like Keras: 1; like optax left out: mu_t = b1). */
    readonly momentumDecay?: Hyper;
    /** Default "pytorch". */
    readonly like?: "pytorch" | "optax" | "keras";
  };

/** `product` is mu_1 mu_2 ... mu_t, f32[], where there is a momentum decay. */
export type NadamState = { readonly m: TensorTree; readonly v: TensorTree; readonly product?: Tensor };

/** psi ln 0.96 */
const logDecay = (psi: number): number => psi * log(0.96);

/** -a [mu' m / (1 - P mu') + (1 - mu) g / (1 - P)] with mu = mu_t, mu' = mu_(t + 1), P = mu_1 ... mu_t; and P. */
function scheduledDescent(
  ctx: UpdateContext,
  values: { readonly rate: Hyper; readonly beta1: Hyper },
  momentumDecay: Hyper,
  before: Tensor,
): readonly [descent: (m: Tensor, g: Tensor) => Tensor, product: Tensor] {
  const down = ctx.hyper("rate", values.rate).neg();
  const b1 = ctx.hyper("beta1", values.beta1);
  const slope = ctx.hyper("momentumDecay", momentumDecay, logDecay);
  const momentum = (ahead: number): Tensor => ctx.step.add(ahead).cast("f32").mul(slope).exp().mul(0.5).rsub(1).mul(b1);
  const [mu, next] = [momentum(1), momentum(2)];
  const product = before.mul(mu);
  const ofM = down.mul(next).div(product.mul(next).rsub(1));
  const ofG = down.mul(mu.rsub(1)).div(product.rsub(1));
  return [(m, g) => m.mul(ofM).add(g.mul(ofG)), product];
}

/**
 * Nadam, Adam with Nesterov's momentum: x += -a [mu' m / (1 - P mu') + (1 - mu) g / (1 - P)] / (sqrt(v^) + eps) with
 * mu = mu_t = b1 (1 - 0.96^(t psi) / 2), mu' = mu_(t + 1), P = mu_1 ... mu_t, m and v^ as in Adam.
 *
 * @param rate a, a number or a schedule. Default 2e-3, as PyTorch (like Keras: 1e-3; optax has none: 1e-3).
 * @param options `beta1` 0.9, `beta2` 0.999, `eps` 1e-8, `momentumDecay` psi 4e-3, `like` "pytorch", `epsRoot` and
 * `weightDecay` left out: as torch.optim.NAdam.
 *
 * | like | mu_t | weight decay |
 * |---|---|---|
 * | "pytorch" | b1 (1 - 0.96^(0.004 t) / 2): half of b1 at first, nine tenths after 10,000 updates | L2 |
 * | "optax" | b1: x += -a [b1 m / (1 - b1^(t + 1)) + (1 - b1) g / (1 - b1^t)] / (sqrt(v^ + epsRoot) + eps) | decoupled: optax.nadamw has `weightDecay` 1e-4 |
 * | "keras" | b1 (1 - 0.96^t / 2), eps 1e-7 | decoupled |
 *
 * Throws OptionError for a value out of range.
 *
 * Source: Dozat, "Incorporating Nesterov Momentum into Adam", 2016.
 *
 * @example
 * optim.nadam(0.01, { like: "keras" }).config.momentumDecay // -> 1
 */
export function nadam(rate?: Hyper, options: NadamOptions = {}): Transform<NadamState> {
  const values = resolve("nadam", hypers, rate, options);
  const { beta1, beta2 } = values;
  const momentumDecay: Hyper | undefined = values.momentumDecay;
  return transformOf(nadamRule, values, {
    init: (params) => ({
      m: zerosLike(params),
      v: zerosLike(params),
      ...(momentumDecay !== undefined && { product: scalarState(params, 1) }),
    }),
    update(gradients, state, ctx) {
      const [descent, product] =
        momentumDecay === undefined
          ? [descentOf(ctx, { ...values, nesterov: true })]
          : scheduledDescent(ctx, values, momentumDecay, state.product as Tensor);
      const root = denominatorOf(ctx, values, secondScale(ctx, beta2));
      const m = movingAverage(ctx, "beta1", beta1, state.m, gradients);
      const v = movingAverage(ctx, "beta2", beta2, state.v, gradients, square);
      const updates = zipTrees((_, m, v, g) => descent(m, g).div(root(v)), m, v, gradients);
      return [updates, { m, v, ...(product && { product }) }];
    },
  });
}

export const nadamRule: Rule = {
  name: "nadam",
  role: "rule",
  equation: "x += -a [mu' m / (1 - P mu') + (1 - mu) g / (1 - P)] / (sqrt(v^) + eps), mu = b1 (1 - 0.96^(t psi) / 2)",
  source: "Dozat, 2016",
  equations: {
    pytorch: "mu = b1 (1 - 0.96^(t psi) / 2), psi 0.004",
    optax: "mu = b1",
    keras: "mu = b1 (1 - 0.96^t / 2)",
  },
  hypers,
  create: nadam as Rule["create"],
};
