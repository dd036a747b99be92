import { mapTree, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import {
  coupledDecay,
  type HyperSpecs,
  type OwnDecayOptions,
  ownDecayHypers,
  type Rule,
  resolve,
  transformOf,
  zerosLike,
} from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 1, min: 0, text: "a, what gradients are multiplied by" },
  alpha: { type: "number", default: 100, above: 0, text: "the larger, the less is bet at first" },
  eps: { type: "number", default: 1e-8, above: 0, fixed: true, text: "value that L starts from" },
  ...ownDecayHypers,
} as const satisfies HyperSpecs;

export type CocobOptions = OwnDecayOptions & {
  /** Default 100. */
  readonly alpha?: Hyper;
  /** Value that L starts from. Default 1e-8. */
  readonly eps?: number;
};

/** x0 and, for each weight, the largest |g|, the sum of |g|, the sum of -g and the reward. */
export type CocobState = {
  readonly start: TensorTree;
  readonly largest: TensorTree;
  readonly total: TensorTree;
  readonly sum: TensorTree;
  readonly reward: TensorTree;
};

/**
 * COCOB, without a learning rate: each weight bets on its own coin;
 * L = max(L, |g|); G += |g|; R = max(R - g (x - x0), 0); C += -g; x = x0 + C / (L max(G + L, alpha L)) (L + R).
 *
 * @param rate a, which multiplies the gradients; a number or a schedule. Default 1.
 * @param options `alpha` 100, `eps` 1e-8, `weightDecay` left out.
 *
 * As optax.contrib.cocob: weight decay adds lambda x to the gradients. Five arrays of memory for each parameter.
 *
 * Throws OptionError for a value out of range.
 *
 * Source: Orabona and Tommasi, "Training Deep Networks without Learning Rates Through Coin Betting", 2017, algorithm 2.
 *
 * @example
 * optim.cocob().config // -> { name: "cocob", rate: 1, alpha: 100, eps: 1e-8 }
 */
export function cocob(rate?: Hyper, options: CocobOptions = {}): Transform<CocobState> {
  const values = resolve("cocob", hypers, rate, options);
  const { eps } = values;
  return transformOf(cocobRule, values, {
    init: (params) => ({
      start: params,
      largest: mapTree<Tensor, Tensor>(params, (x) => x.full(eps, x.shape)),
      total: zerosLike(params),
      sum: zerosLike(params),
      reward: zerosLike(params),
    }),
    update(gradients, state, ctx) {
      const { params } = ctx;
      const { start } = state;
      const a = ctx.hyper("rate", values.rate);
      const alpha = ctx.hyper("alpha", values.alpha);
      const whole = coupledDecay("cocob", values, gradients, ctx);
      const scaled = mapTree<Tensor, Tensor>(whole, (g) => g.mul(a));

      const largest = zipTrees<Tensor, Tensor>((_, l, g) => l.maximum(g.abs()), state.largest, scaled);
      const total = zipTrees<Tensor, Tensor>((_, sum, g) => sum.add(g.abs()), state.total, scaled);
      const sum = zipTrees<Tensor, Tensor>((_, c, g) => c.sub(g), state.sum, scaled);
      const won = (r: Tensor, g: Tensor, x: Tensor, x0: Tensor): Tensor => r.sub(g.mul(x.sub(x0))).maximum(0);
      const reward = zipTrees<Tensor, Tensor>(
        (_, r, g, x, x0) => won(r, g as Tensor, x as Tensor, x0 as Tensor),
        state.reward,
        scaled,
        params,
        start,
      );
      const bet = (c: Tensor, l: Tensor, g: Tensor, r: Tensor): Tensor =>
        c.div(l.mul(g.add(l).maximum(l.mul(alpha)))).mul(l.add(r));
      const bets = zipTrees<Tensor, Tensor>(
        (_, c, l, g, r) => bet(c, l as Tensor, g as Tensor, r as Tensor),
        sum,
        largest,
        total,
        reward,
      );
      const updates = zipTrees<Tensor, Tensor>(
        (_, u, x0, x) => (x0 as Tensor).add(u).sub(x as Tensor),
        bets,
        start,
        params,
      );
      return [updates, { start, largest, total, sum, reward }];
    },
  });
}

export const cocobRule: Rule = {
  name: "cocob",
  role: "rule",
  equation:
    "L = max(L, |g|); G += |g|; R = max(R - g (x - x0), 0); C += -g; x = x0 + C / (L max(G + L, alpha L)) (L + R)",
  source: "Orabona and Tommasi, 2017",
  hypers,
  create: cocob as Rule["create"],
};
