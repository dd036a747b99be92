import { zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { expectNoEvaluation, selectTree } from "./held.ts";
import { type HyperSpecs, type Rule, resolve, transformOf } from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  transform: { type: "transform", default: null, text: "the rule that moves the fast weights" },
  syncEvery: { type: "number", default: 5, min: 1, integer: true, fixed: true, text: "k, steps between two meetings" },
  slowRate: { type: "number", default: 0.5, min: 0, max: 1, text: "a, how far the slow weights go to meet" },
  resetState: { type: "flag", default: false, text: "the rule starts anew after each meeting" },
} as const satisfies HyperSpecs;

export type LookaheadOptions = {
  /** k. Default 5. */
  readonly syncEvery?: number;
  /** a. Default 0.5. */
  readonly slowRate?: Hyper;
  /** Default false. */
  readonly resetState?: boolean;
};

export type LookaheadState = { readonly slow: TensorTree; readonly inner: TensorTree };

/**
 * Lookahead: every k steps slow weights s go towards the fast ones, which go on from there: s += a (x - s); x = s.
 *
 * @param transform the rule that moves the fast weights.
 * @param options `syncEvery` k 5, `slowRate` a 0.5 (the paper's; optax: none), `resetState` false.
 *
 * Evaluation, prediction and saved models use the slow weights. As optax.lookahead. Throws OptionError for a value out of range and
 * for a rule that has weights of its own to evaluate with.
 *
 * Source: Zhang, Lucas, Hinton and Ba, "Lookahead Optimizer: k steps forward, 1 step back", 2019.
 *
 * @example
 * optim.lookahead(optim.sgd(0.1), { syncEvery: 6 }).config
 * // -> { name: "lookahead", transform: { name: "sgd", rate: 0.1, like: "lecture" }, syncEvery: 6, slowRate: 0.5, resetState: false }
 */
export function lookahead(transform: Transform, options: LookaheadOptions = {}): Transform<LookaheadState> {
  const values = resolve("lookahead", hypers, transform, options);
  const { syncEvery: k, resetState } = values;
  expectNoEvaluation("lookahead", transform);
  return transformOf<LookaheadState>(lookaheadRule, values, {
    init: (params) => ({ slow: params, inner: transform.init(params) }),
    update(gradients, state, ctx) {
      const { params } = ctx;
      const since = ctx.step.rem(k);
      const [updates, next] = transform.update(gradients, state.inner, { ...ctx, step: resetState ? since : ctx.step });
      const meets = since.equal(k - 1);
      const a = ctx.hyper("slowRate", values.slowRate);
      const way = (s: Tensor, x: Tensor, u: Tensor): Tensor => s.add(x.add(u).sub(s).mul(a));
      const slow = zipTrees<Tensor, Tensor>(
        (_, s, x, u) => meets.select(way(s, x as Tensor, u as Tensor), s),
        state.slow,
        params,
        updates,
      );
      const moved = zipTrees<Tensor, Tensor>(
        (_, u, x, s) => meets.select((s as Tensor).sub(x as Tensor), u),
        updates,
        params,
        slow,
      );
      const inner = resetState ? selectTree(meets, transform.init(params), next) : next;
      return [moved, { slow, inner }];
    },
    evalParams: (_, { slow }) => slow,
  });
}

export const lookaheadRule: Rule = {
  name: "lookahead",
  role: "wrapper",
  equation: "x += transform(g); every k steps s += a (x - s), x = s; evaluate with s",
  source: "Zhang, Lucas, Hinton and Ba, 2019; optax.lookahead",
  hypers,
  create: lookahead as Rule["create"],
};
