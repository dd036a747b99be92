import { zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { expectNoEvaluation } from "./held.ts";
import { type HyperSpecs, oneMinus, type Rule, resolve, scalarState, transformOf, zerosLike } from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  transform: { type: "transform", default: null, text: "the rule whose weights are averaged" },
  decay: { type: "number", default: 0.999, min: 0, below: 1, like: { keras: 0.99 }, text: "d, the part that stays" },
  overwriteEvery: {
    type: "number",
    default: null,
    min: 1,
    integer: true,
    fixed: true,
    text: "steps after which the parameters themselves become the average",
  },
  like: {
    type: "choice",
    choices: ["pytorch", "optax", "keras"],
    default: "pytorch",
    text: "the average starts as a copy (PyTorch, Keras), or from 0 and is divided by 1 - d^t (optax)",
  },
} as const satisfies HyperSpecs;

export type EmaOptions = {
  /** d. Default 0.999 (like Keras: 0.99). */
  readonly decay?: Hyper;
  /** Left out by default: never. */
  readonly overwriteEvery?: number;
  /** Default "pytorch". */
  readonly like?: "pytorch" | "optax" | "keras";
};

/** The average, and like optax what it is to be divided by, f32[]. */
export type EmaState = { readonly average: TensorTree; readonly weight?: Tensor; readonly inner: TensorTree };

/**
 * An exponential moving average of the weights, with which to evaluate: m = d m + (1 - d) x after each update of the rule.
 *
 * @param transform the rule that moves x, which stays what is trained.
 * @param options `decay` d 0.999, `overwriteEvery` left out, `like` "pytorch".
 *
 * | like | m at first | evaluates with |
 * |---|---|---|
 * | "pytorch": swa_utils.AveragedModel with get_ema_multi_avg_fn, d 0.999 | x after the first update | m |
 * | "keras": `use_ema`, d 0.99, `overwriteEvery` its ema_overwrite_frequency | x after the first update | m |
 * | "optax": optax.ema over the parameters (d: none) | 0 | m / (1 - d^t) |
 *
 * Evaluation, prediction and saved models use the average; running statistics of batch norms stay those of training, an average
 * themselves. Throws OptionError for a value out of range and for a rule that has weights of its own to evaluate with.
 *
 * Source: Polyak and Juditsky, 1992; Tarvainen and Valpola, "Mean teachers", 2017.
 *
 * @example
 * optim.ema(optim.adam(1e-3), { decay: 0.9999 }).config.decay // -> 0.9999
 */
export function ema(transform: Transform, options: EmaOptions = {}): Transform<EmaState> {
  const values = resolve("ema", hypers, transform, options);
  const { like, overwriteEvery } = values;
  expectNoEvaluation("ema", transform);
  const debias = like === "optax";
  const evaluate = (params: TensorTree, { average, weight }: EmaState): TensorTree => {
    if (weight === undefined) return average;
    const none = weight.equal(0);
    const scale = none.select(1, weight).reciprocal();
    return zipTrees<Tensor, Tensor>((_, m, x) => none.select(x as Tensor, m.mul(scale)), average, params);
  };
  return transformOf<EmaState>(emaRule, values, {
    init: (params) => ({
      average: debias ? zerosLike(params) : params,
      ...(debias && { weight: scalarState(params, 0) }),
      inner: transform.init(params),
    }),
    update(gradients, state, ctx) {
      const [updates, inner] = transform.update(gradients, state.inner, ctx);
      const d = ctx.hyper("decay", values.decay);
      const rest = ctx.hyper("decay", values.decay, oneMinus);
      const first = ctx.step.equal(0);
      const mix = (m: Tensor, x: Tensor): Tensor => {
        const mixed = m.mul(d).add(x.mul(rest));
        return debias ? mixed : first.select(x, mixed);
      };
      const average = zipTrees<Tensor, Tensor>(
        (_, m, x, u) => mix(m, (x as Tensor).add(u as Tensor)),
        state.average,
        ctx.params,
        updates,
      );
      const weight = state.weight?.mul(d).add(rest);
      const next: EmaState = { average, ...(weight && { weight }), inner };
      if (overwriteEvery === undefined) return [updates, next];
      const due = ctx.step.rem(overwriteEvery).equal(overwriteEvery - 1);
      const overwritten = zipTrees<Tensor, Tensor>(
        (_, u, x, m) => due.select((m as Tensor).sub(x as Tensor), u),
        updates,
        ctx.params,
        evaluate(ctx.params, next),
      );
      return [overwritten, next];
    },
    evalParams: evaluate,
  });
}

export const emaRule: Rule = {
  name: "ema",
  role: "wrapper",
  equation: "x += transform(g); m = d m + (1 - d) x; evaluate with m",
  equations: {
    pytorch: "m = d m + (1 - d) x, at first a copy; evaluate with m",
    keras: "m = d m + (1 - d) x, at first a copy; evaluate with m",
    optax: "m = d m + (1 - d) x, at first 0; evaluate with m / (1 - d^t)",
  },
  source: "Polyak and Juditsky, 1992; torch.optim.swa_utils, Keras's use_ema, optax.ema",
  hypers,
  create: ema as Rule["create"],
};
