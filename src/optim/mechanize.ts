import { array } from "../core/host-array.ts";
import { zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { dotTrees } from "../trace/update-context.ts";
import { globalNorm } from "./clip.ts";
import { evaluationOf } from "./held.ts";
import { type HyperSpecs, type Rule, resolve, scalarState, transformOf } from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  transform: { type: "transform", default: null, text: "the rule whose steps are scaled" },
  weightDecay: {
    type: "number",
    default: 1e-2,
    min: 0,
    text: "lambda of the pull towards 0, relative to the gradient",
  },
  eps: { type: "number", default: 1e-8, above: 0, text: "keeps the divisions finite" },
  initial: { type: "number", default: 1e-6, above: 0, fixed: true, text: "s0, the scale at first" },
  betas: {
    type: "number",
    default: 6,
    min: 1,
    integer: true,
    fixed: true,
    text: "how many decays 1 - 0.1^i are tuned side by side",
  },
} as const satisfies HyperSpecs;

export type MechanizeOptions = {
  /** lambda. Default 0.01. */
  readonly weightDecay?: Hyper;
  /** Default 1e-8. */
  readonly eps?: Hyper;
  /** s0. Default 1e-6. */
  readonly initial?: number;
  /** How many decays. Default 6. */
  readonly betas?: number;
};

/** The rule's memory, x0, and for each decay the largest |h|, its squares' sum, the reward and the scale, f32[betas]. */
export type MechanizeState = {
  readonly inner: TensorTree;
  readonly start: TensorTree;
  readonly largest: Tensor;
  readonly squares: Tensor;
  readonly reward: Tensor;
  readonly scale: Tensor;
};

/**
 * Mechanic: learns the scale s of a rule's steps u, so that its rate need not be tuned. With D = (x - x0) / (S + eps), S = sum of s,
 * h = -<g + lambda S |g| / (|x| + eps) x, D>; R = b R + clip(h, -m, m) s; m = max(b m, |h| + eps); v = b² v + h²;
 * s = (s0 / n m + max(R, 0)) / (sqrt(v) + eps); x = x0 + (sum of s) (D + u), for n decays b = 0.9, 0.99, ...
 *
 * @param transform any rule but those that normalise their steps (LARS, LAMB), with a rate of 1 times a schedule.
 * @param options `weightDecay` 0.01, `eps` 1e-8, `initial` s0 1e-6, `betas` 6.
 *
 * One scale for all parameters. As optax.contrib.mechanize. Throws OptionError for a value out of range.
 *
 * Source: Cutkosky, Defazio and Mehta, "Mechanic: A Learning Rate Tuner", 2023.
 *
 * @example
 * optim.mechanize(optim.adam(1)).config.betas // -> 6
 */
export function mechanize(transform: Transform, options: MechanizeOptions = {}): Transform<MechanizeState> {
  const values = resolve("mechanize", hypers, transform, options);
  const { initial, betas: n } = values;
  let tenth = 1;
  const decays = Float64Array.from({ length: n }, () => {
    tenth *= 0.1;
    return 1 - tenth;
  });
  return transformOf(mechanizeRule, values, {
    init(params) {
      const zeros = scalarState(params, 0).full(0, [n]);
      return {
        inner: transform.init(params),
        start: params,
        largest: zeros,
        squares: zeros,
        reward: zeros,
        scale: zeros.add(initial),
      };
    },
    update(gradients, state, ctx) {
      const { params } = ctx;
      const { start } = state;
      const eps = ctx.hyper("eps", values.eps);
      const [steps, inner] = transform.update(gradients, state.inner, ctx);

      const before = state.scale.sum();
      const pull = ctx
        .hyper("weightDecay", values.weightDecay)
        .mul(before)
        .mul(globalNorm(gradients))
        .div(globalNorm(params).add(eps));
      const unit = before.add(eps).reciprocal();
      const directions = zipTrees<Tensor, Tensor>((_, x, x0) => x.sub(x0 as Tensor).mul(unit), params, start);
      const pulled = zipTrees<Tensor, Tensor>((_, g, x) => g.add((x as Tensor).mul(pull)), gradients, params);
      const h = dotTrees(pulled, directions).neg();

      const b = h.constant(array(decays, [n], "f32"));
      const clipped = h.broadcastTo([n]).maximum(state.largest.neg()).minimum(state.largest);
      const reward = state.reward.mul(b).add(clipped.mul(state.scale));
      const largest = state.largest.mul(b).maximum(h.abs().add(eps));
      const squares = state.squares.mul(b.square()).add(h.square());
      const wealth = largest.mul(initial / n).add(reward.maximum(0));
      const scale = wealth.div(squares.sqrt().add(eps));

      const s = scale.sum();
      const moved = (d: Tensor, u: Tensor, x: Tensor, x0: Tensor): Tensor => x0.add(d.add(u).mul(s)).sub(x);
      const updates = zipTrees<Tensor, Tensor>(
        (_, d, u, x, x0) => moved(d, u as Tensor, x as Tensor, x0 as Tensor),
        directions,
        steps,
        params,
        start,
      );
      return [updates, { inner, start, largest, squares, reward, scale }];
    },
    ...evaluationOf<MechanizeState>(transform, ({ inner }) => inner),
  });
}

export const mechanizeRule: Rule = {
  name: "mechanize",
  role: "wrapper",
  equation: "x = x0 + s (sum of the rule's steps), s learned from <g, (x - x0) / s>",
  source: "Cutkosky, Defazio and Mehta, 2023",
  hypers,
  create: mechanize as Rule["create"],
};
