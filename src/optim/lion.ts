import { zipTrees } from "../core/tree.ts";
import {
  type DecoupledDecayOptions,
  decoupledDecayHypers,
  type HyperSpecs,
  oneMinus,
  type Rule,
  resolve,
  transformOf,
  zerosLike,
} from "./hyper.ts";
import { movingAverage } from "./moments.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 1e-4, min: 0, like: { keras: 1e-3 }, text: "a, the learning rate" },
  beta1: { type: "number", default: 0.9, min: 0, below: 1, text: "the part of m in what the sign is taken of" },
  beta2: { type: "number", default: 0.99, min: 0, below: 1, text: "decay of m, the mean of the gradients" },
  like: {
    type: "choice",
    choices: ["optax", "keras"],
    default: "optax",
    text: "whose default rate and weight decay (optax: 1e-3, Keras: none)",
  },
  ...decoupledDecayHypers,
  weightDecay: {
    type: "number",
    default: 1e-3,
    min: 0,
    like: { keras: null },
    text: "lambda of decoupled weight decay",
  },
} as const satisfies HyperSpecs;

export type LionOptions = DecoupledDecayOptions & {
  /** Default 0.9. */
  readonly beta1?: Hyper;
  /** Default 0.99. */
  readonly beta2?: Hyper;
  /** Default "optax". */
  readonly like?: "optax" | "keras";
};

export type LionState = { readonly m: TensorTree };

/**
 * Lion: x += -a (sign(b1 m + (1 - b1) g) + lambda x); m = b2 m + (1 - b2) g.
 *
 * @param rate a, a number or a schedule. Default 1e-4, the paper's for language models (like Keras: 1e-3); 3 to 10 times below
 * what Adam takes.
 * @param options `beta1` 0.9, `beta2` 0.99, `like` "optax", `weightDecay` 1e-3 (like Keras: left out); 3 to 10 times above
 * AdamW's, since the rate is lower.
 *
 * Every weight moves by a in each step, whatever its gradient's size. Throws OptionError for a value out of range.
 *
 * Source: Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023.
 *
 * @example
 * optim.lion(1e-4, { like: "keras" }).config.weightDecay // -> undefined
 */
export function lion(rate?: Hyper, options: LionOptions = {}): Transform<LionState> {
  const values = resolve("lion", hypers, rate, options);
  return transformOf(lionRule, values, {
    init: (params) => ({ m: zerosLike(params) }),
    update(gradients, state, ctx) {
      const down = ctx.hyper("rate", values.rate).neg();
      const b1 = ctx.hyper("beta1", values.beta1);
      const oneMinusB1 = ctx.hyper("beta1", values.beta1, oneMinus);
      const updates = zipTrees((_, m, g) => m.mul(b1).add(g.mul(oneMinusB1)).sign().mul(down), state.m, gradients);
      return [updates, { m: movingAverage(ctx, "beta2", values.beta2, state.m, gradients) }];
    },
  });
}

export const lionRule: Rule = {
  name: "lion",
  role: "rule",
  equation: "x += -a (sign(b1 m + (1 - b1) g) + lambda x); m = b2 m + (1 - b2) g",
  source: "Chen et al., 2023",
  hypers,
  create: lion as Rule["create"],
};
