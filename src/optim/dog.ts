import { mapTree, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { dotTrees } from "../trace/update-context.ts";
import { globalNorm } from "./clip.ts";
import {
  coupledDecay,
  type HyperSpecs,
  type OwnDecayOptions,
  ownDecayHypers,
  type Rule,
  resolve,
  scalarState,
  transformOf,
} from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const rate = { type: "number", default: 1, min: 0, text: "a, which multiplies the rate that is found" } as const;

const hypers = {
  rate,
  start: {
    type: "choice",
    choices: ["heuristic", "distance", "rate"],
    default: "heuristic",
    text: "what `initial` is: over 1 + |x0| the first distance, that distance itself, or the first step's rate",
  },
  initial: { type: "number", default: 1e-6, above: 0, fixed: true, text: "what the first step is made of" },
  eps: { type: "number", default: 1e-8, min: 0, text: "keeps the division finite" },
  ...ownDecayHypers,
} as const satisfies HyperSpecs;

const weightedHypers = {
  rate,
  initial: { type: "number", default: 1e-4, above: 0, fixed: true, text: "r² at first" },
  eps: { type: "number", default: 1e-4, min: 0, text: "keeps the division finite" },
  ...ownDecayHypers,
} as const satisfies HyperSpecs;

export type DogOptions = OwnDecayOptions & {
  /** Default "heuristic". */
  readonly start?: "heuristic" | "distance" | "rate";
  /** Default 1e-6; with batch norms the authors take 1e-4. */
  readonly initial?: number;
  /** Default 1e-8. */
  readonly eps?: Hyper;
};

export type DowgOptions = OwnDecayOptions & {
  /** The squared distance at first. Default 1e-4. */
  readonly initial?: number;
  /** Default 1e-4. */
  readonly eps?: Hyper;
};

/** x0, the largest distance from it so far (squared in `dowg`) and the sum of the gradients' squares, f32[] both. */
export type DogState = { readonly start: TensorTree; readonly distance: Tensor; readonly squares: Tensor };

const fromStart = (state: DogState, params: TensorTree): TensorTree =>
  zipTrees<Tensor, Tensor>((_, x, x0) => x.sub(x0 as Tensor), params, state.start);

const step = (gradients: TensorTree, rate: Tensor): TensorTree => {
  const scale = rate.neg();
  return mapTree<Tensor, Tensor>(gradients, (g) => g.mul(scale));
};

/**
 * Distance over gradients, without a learning rate: r = max(r, |x - x0|); G += |g|²; x += -a r / sqrt(G + eps) g.
 *
 * @param rate a, a number or a schedule. Default 1.
 * @param options `start` "heuristic", `initial` 1e-6, `eps` 1e-8, `weightDecay` left out.
 *
 * | start | first step |
 * |---|---|
 * | "heuristic" | r starts from `initial` (1 + abs(x0)) |
 * | "distance" | r starts from `initial` |
 * | "rate" | `initial` takes the place of r / sqrt(G + eps), and r starts from 0 |
 *
 * Distances and norms are over all parameters at once. As optax.contrib.dog: weight decay adds lambda x to the gradients. The
 * authors evaluate averaged weights. Throws OptionError for a value out of range.
 *
 * Source: Ivgi, Hinder and Carmon, "DoG is SGD's Best Friend", 2023.
 *
 * @example
 * optim.dog().config // -> { name: "dog", rate: 1, start: "heuristic", initial: 1e-6, eps: 1e-8 }
 */
export function dog(rate?: Hyper, options: DogOptions = {}): Transform<DogState> {
  const values = resolve("dog", hypers, rate, options);
  const { start, initial } = values;
  return transformOf(dogRule, values, {
    init(params) {
      const zero = scalarState(params, 0);
      const first = { heuristic: globalNorm(params).add(1).mul(initial), distance: zero.add(initial), rate: zero };
      return { start: params, distance: first[start], squares: zero };
    },
    update(updates, state, ctx) {
      const gradients = coupledDecay("dog", values, updates, ctx);
      const eps = ctx.hyper("eps", values.eps);
      const distance = state.distance.maximum(globalNorm(fromStart(state, ctx.params)));
      const squares = state.squares.add(dotTrees(gradients, gradients));
      const found = over(distance, squares.add(eps).sqrt());
      const own = start === "rate" ? ctx.step.equal(0).select(found.full(initial), found) : found;
      const next = { start: state.start, distance, squares };
      return [step(gradients, own.mul(ctx.hyper("rate", values.rate))), next];
    },
  });
}

/** a / b; 0 where b is 0, as before the first gradient that is not. */
const over = (a: Tensor, b: Tensor): Tensor => b.equal(0).select(b.zerosLike(), a.div(b));

/**
 * Distance over weighted gradients, without a learning rate: r² = max(r², |x - x0|²); G += r² |g|²; x += -a r² / (sqrt(G) + eps) g.
 *
 * @param rate a, a number or a schedule. Default 1.
 * @param options `initial` 1e-4, from which r² starts; `eps` 1e-4; `weightDecay` left out.
 *
 * Distances and norms are over all parameters at once. As optax.contrib.dowg, in which r² starts from eps unless given:
 * weight decay adds lambda x to the gradients. Throws OptionError for a value out of range.
 *
 * Source: Khaled, Mishchenko and Jin, "DoWG Unleashed", 2023.
 *
 * @example
 * optim.dowg().config // -> { name: "dowg", rate: 1, initial: 1e-4, eps: 1e-4 }
 */
export function dowg(rate?: Hyper, options: DowgOptions = {}): Transform<DogState> {
  const values = resolve("dowg", weightedHypers, rate, options);
  return transformOf(dowgRule, values, {
    init: (params) => ({
      start: params,
      distance: scalarState(params, values.initial),
      squares: scalarState(params, 0),
    }),
    update(updates, state, ctx) {
      const gradients = coupledDecay("dowg", values, updates, ctx);
      const eps = ctx.hyper("eps", values.eps);
      const moved = fromStart(state, ctx.params);
      const distance = state.distance.maximum(dotTrees(moved, moved));
      const squares = state.squares.add(distance.mul(dotTrees(gradients, gradients)));
      const found = over(distance, squares.sqrt().add(eps));
      const next = { start: state.start, distance, squares };
      return [step(gradients, found.mul(ctx.hyper("rate", values.rate))), next];
    },
  });
}

export const dogRule: Rule = {
  name: "dog",
  role: "rule",
  equation: "r = max(r, |x - x0|); G += |g|²; x += -a r / sqrt(G + eps) g",
  source: "Ivgi, Hinder and Carmon, 2023",
  hypers,
  create: dog as Rule["create"],
};

export const dowgRule: Rule = {
  name: "dowg",
  role: "rule",
  equation: "r² = max(r², |x - x0|²); G += r² |g|²; x += -a r² / (sqrt(G) + eps) g",
  source: "Khaled, Mishchenko and Jin, 2023",
  hypers: weightedHypers,
  create: dowg as Rule["create"],
};
