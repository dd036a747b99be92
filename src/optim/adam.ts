import { zipTrees } from "../core/tree.ts";
import {
  biasCorrectionOf,
  type ChoiceHyper,
  type DecayOptions,
  decayHypers,
  type FlagHyper,
  type NumberHyper,
  type Rule,
  resolve,
  transformOf,
  type Values,
  zerosLike,
} from "./hyper.ts";
import { type BetaOptions, denominatorOf, momentHypers, movingAverage, secondScale, square } from "./moments.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

type Given = NumberHyper & { readonly default: number };
type Likes = readonly ["lecture", "pytorch", "optax", "keras"];

export const adamHypers: {
  readonly [K in "rate" | "beta1" | "beta2" | "eps"]: Given;
} & {
  readonly epsRoot: NumberHyper & { readonly default: null };
  readonly biasCorrection: FlagHyper;
  readonly amsgrad: FlagHyper;
  readonly like: ChoiceHyper & { readonly choices: Likes; readonly default: "pytorch" };
} & typeof decayHypers = {
  rate: { type: "number", default: 1e-3, min: 0, text: "a, the learning rate" },
  ...momentHypers,
  eps: { ...momentHypers.eps, like: { keras: 1e-7 } },
  biasCorrection: {
    type: "flag",
    default: true,
    like: { lecture: false },
    text: "divide m and v by 1 - beta^t; without it, the lecture's Adam",
  },
  amsgrad: { type: "flag", default: false, text: "divide by the largest v so far" },
  like: {
    type: "choice",
    choices: ["lecture", "pytorch", "optax", "keras"],
    default: "pytorch",
    text: "eps beside the corrected root (PyTorch, optax) or the raw one (Keras), or no correction (lecture); amsgrad's v is raw (PyTorch, Keras) or corrected (optax)",
  },
  ...decayHypers,
};

export type AdamOptions = DecayOptions &
  BetaOptions & {
    /** Default 1e-8, as the paper, PyTorch and optax (like Keras: 1e-7). */
    readonly eps?: Hyper;
    /** Added to v^ inside the root, optax's `eps_root`. Left out by default. */
    readonly epsRoot?: Hyper;
    /** Default true (like the lecture: false, its equation to the letter). */
    readonly biasCorrection?: boolean;
    /** Default false. */
    readonly amsgrad?: boolean;
    /** Default "pytorch". */
    readonly like?: Likes[number];
  };

/** `largest` only with amsgrad. */
export type AdamState = { readonly m: TensorTree; readonly v: TensorTree; readonly largest?: TensorTree };

/** Adam's two functions, for the rules that are Adam with something beside it. */
export function adamBody(values: Values<typeof adamHypers>): Pick<Transform<AdamState>, "init" | "update"> {
  const { beta1, beta2, biasCorrection, like, amsgrad } = values;
  return {
    init: (params) => ({
      m: zerosLike(params),
      v: zerosLike(params),
      ...(amsgrad && { largest: zerosLike(params) }),
    }),
    update(gradients, state, ctx) {
      const m = movingAverage(ctx, "beta1", beta1, state.m, gradients);
      const v = movingAverage(ctx, "beta2", beta2, state.v, gradients, square);

      // The corrections are scalars: a / (1 - b1^t) and 1 / (1 - b2^t) are computed once, not for each element.
      const a = ctx.hyper("rate", values.rate);
      const rate = biasCorrection ? a.div(biasCorrectionOf(ctx, "beta1", beta1)) : a;
      const raw = !biasCorrection || like === "keras";
      const down = (raw && biasCorrection ? rate.mul(biasCorrectionOf(ctx, "beta2", beta2).sqrt()) : rate).neg();
      const scale = raw ? undefined : secondScale(ctx, beta2);

      const correctedMaximum = scale !== undefined && like === "optax";
      const largest =
        state.largest && zipTrees((_, max, v) => max.maximum(correctedMaximum ? v.mul(scale) : v), state.largest, v);
      const root = denominatorOf(ctx, values, largest && correctedMaximum ? undefined : scale);
      const updates = zipTrees((_, m, v) => m.mul(down).div(root(v)), m, largest ?? v);
      return [updates, { m, v, ...(largest && { largest }) }];
    },
  };
}

/**
 * Adam: m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g²; x += -a m^ / (sqrt(v^) + eps), m^ = m / (1 - b1^t), v^ = v / (1 - b2^t).
 *
 * @param rate a, a number or a schedule. Default 1e-3.
 * @param options `beta1` 0.9, `beta2` 0.999, `eps` 1e-8, `biasCorrection` true, `amsgrad` false, `like` "pytorch", `epsRoot`
 * and `weightDecay` left out: as torch.optim.Adam and optax.adam.
 *
 * | like | update | with amsgrad |
 * |---|---|---|
 * | "pytorch", the paper | x += -a m^ / (sqrt(v^) + eps) | v: the largest so far |
 * | "optax" | x += -a m^ / (sqrt(v^ + epsRoot) + eps) | v^: the largest so far |
 * | "keras", the paper's "efficient" form | x += -a sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps), eps 1e-7: a larger eps early | v: the largest so far |
 * | "lecture" | x += -a m / (sqrt(v) + eps): a first step 3.2 times longer | v: the largest so far |
 *
 * t counts completed updates, so a skipped step does not advance it. Weight decay is L2 (PyTorch's `decoupled_weight_decay` is
 * `decoupled`); like optax and Keras it is decoupled. `epsRoot` is added to whatever stands in the root.
 *
 * Throws OptionError for a value out of range.
 *
 * Source: Kingma and Ba, "Adam", 2015; CS231n, "training neural networks, part 2"; Reddi et al., 2018 (amsgrad).
 *
 * @example
 * optim.adam(3e-4).config
 * // -> { name: "adam", rate: 3e-4, beta1: 0.9, beta2: 0.999, eps: 1e-8, biasCorrection: true, amsgrad: false, like: "pytorch" }
 */
export function adam(rate?: Hyper, options: AdamOptions = {}): Transform<AdamState> {
  const values = resolve("adam", adamHypers, rate, options);
  return transformOf(adamRule, values, adamBody(values));
}

export const adamRule: Rule = {
  name: "adam",
  role: "rule",
  equation: "m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g²; x += -a m^ / (sqrt(v^) + eps)",
  source: 'Kingma and Ba, 2015; CS231n, "training neural networks, part 2"',
  equations: {
    lecture: "x += -a m / (sqrt(v) + eps)",
    pytorch: "x += -a m^ / (sqrt(v^) + eps); amsgrad: v = max v",
    optax: "x += -a m^ / (sqrt(v^ + epsRoot) + eps); amsgrad: v^ = max v^",
    keras: "x += -a sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps); amsgrad: v = max v",
  },
  hypers: adamHypers,
  create: adam as Rule["create"],
};
