import { OptionError } from "../core/errors.ts";
import { mapTree, zipTrees } from "../core/tree.ts";
import {
  type DecayOptions,
  decayHypers,
  type HyperSpecs,
  oneMinus,
  type Rule,
  resolve,
  transformOf,
  zerosLike,
} from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 1e-3, min: 0, like: { keras: 1e-2 }, text: "a, the learning rate" },
  momentum: {
    type: "number",
    default: 0.9,
    min: 0,
    below: 1,
    text: "mu, the part of the velocity that stays (usually 0.5 to 0.99)",
  },
  nesterov: { type: "flag", default: false, text: "look ahead along the velocity" },
  like: {
    type: "choice",
    choices: ["lecture", "pytorch", "optax", "keras"],
    default: "lecture",
    text: "where the rate stands: inside the velocity (lecture, Keras) or outside (PyTorch, optax)",
  },
  dampening: {
    type: "number",
    default: null,
    min: 0,
    below: 1,
    text: "tau, PyTorch's form only: v = mu v + (1 - tau) g after the first step",
  },
  ...decayHypers,
} as const satisfies HyperSpecs;

export type MomentumOptions = DecayOptions & {
  /** mu. Default 0.9, the lecture's; torch.optim.SGD, optax.sgd and Keras have none unless given. */
  readonly momentum?: Hyper;
  /** Default false. */
  readonly nesterov?: boolean;
  /** Default "lecture". */
  readonly like?: "lecture" | "pytorch" | "optax" | "keras";
  /** tau, for `like: "pytorch"` without Nesterov. Left out by default, which is PyTorch's 0. */
  readonly dampening?: Hyper;
};

export type MomentumState = { readonly v: TensorTree };

/**
 * Momentum: v = mu v - a g; x += v.
 *
 * @param rate a, a number or a schedule. Default 1e-3 (like Keras: 0.01).
 * @param options `momentum` mu 0.9, `nesterov` false, `like` "lecture", `dampening` and `weightDecay` left out.
 *
 * | like | velocity | update | with `nesterov` |
 * |---|---|---|---|
 * | "lecture", "keras", also ConvNetJS | v = mu v - a g | x += v | x += mu v - a g |
 * | "pytorch", "optax", also tfjs | v = mu v + g (first v = g; then (1 - tau) g with dampening tau) | x -= a v | x -= a (g + mu v) |
 *
 * The two are the same while a is constant. When the rate drops, the lecture's velocity goes on at the speed gathered at
 * the old rate for about 1 / (1 - mu) steps; PyTorch's slows down at once.
 *
 * Throws OptionError for a value out of range; for dampening in the lecture's form or with Nesterov, and for Nesterov
 * without momentum, as PyTorch does.
 *
 * Source: CS231n, "training neural networks, part 2"; Polyak, 1964; Sutskever et al., 2013 (Nesterov's form).
 *
 * @example
 * optim.momentum(0.05).config
 * // -> { name: "momentum", rate: 0.05, momentum: 0.9, nesterov: false, like: "lecture" }
 */
export function momentum(rate?: Hyper, options: MomentumOptions = {}): Transform<MomentumState> {
  const values = resolve("momentum", hypers, rate, options);
  const { nesterov, dampening } = values;
  const inside = values.like === "lecture" || values.like === "keras";
  if (dampening !== undefined && (nesterov || values.like !== "pytorch"))
    throw new OptionError(
      'momentum: got dampening; expected it with like: "pytorch" and without nesterov.',
      "momentum.dampening",
    );
  if (nesterov && values.momentum === 0)
    throw new OptionError("momentum: got nesterov with momentum = 0; expected momentum above 0.", "momentum.nesterov");
  return transformOf(momentumRule, values, {
    init: (params) => ({ v: zerosLike(params) }),
    update(gradients, state, ctx) {
      const a = ctx.hyper("rate", values.rate);
      const mu = ctx.hyper("momentum", values.momentum);
      if (inside) {
        const step = (v: TensorTree): TensorTree => zipTrees((_, v, g) => v.mul(mu).sub(g.mul(a)), v, gradients);
        const v = step(state.v);
        return [nesterov ? step(v) : v, { v }];
      }
      let damped = gradients;
      if (dampening !== undefined) {
        const oneMinusTau = ctx.step.equal(0).select(1, ctx.hyper("dampening", dampening, oneMinus));
        damped = mapTree(gradients, (g) => g.mul(oneMinusTau));
      }
      const v = zipTrees((_, v, g) => v.mul(mu).add(g), state.v, damped);
      const direction = nesterov ? zipTrees((_, g, v) => g.add(v.mul(mu)), gradients, v) : v;
      return [mapTree(direction, (d) => d.mul(a.neg())), { v }];
    },
  });
}

export const momentumRule: Rule = {
  name: "momentum",
  role: "rule",
  equation: "v = mu v - a g; x += v",
  source: 'CS231n, "training neural networks, part 2"; Polyak, 1964',
  equations: {
    lecture: "v = mu v - a g; x += v",
    pytorch: "v = mu v + g; x += -a v",
    optax: "v = mu v + g; x += -a v",
    keras: "v = mu v - a g; x += v",
  },
  hypers,
  create: momentum as Rule["create"],
};
