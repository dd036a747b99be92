import { OptionError } from "../core/errors.ts";
import { zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
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
  mode: {
    type: "choice",
    choices: ["hard", "smooth", "refined"],
    default: "hard",
    text: "the sign, tanh(k c) in its place, or c itself held between -1 and 1 (optax.scale_by_lion)",
  },
  smoothness: { type: "number", default: null, above: 0, text: "k of tanh(k c), smooth mode only; 1 where left out" },
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
  /** Default "hard". */
  readonly mode?: "hard" | "smooth" | "refined";
  /** k, for mode "smooth". Default 1, as optax's `smooth_beta`. */
  readonly smoothness?: Hyper;
  /** Default "optax". */
  readonly like?: "optax" | "keras";
};

export type LionState = { readonly m: TensorTree };

/**
 * Lion: x += -a (sign(c) + lambda x), c = b1 m + (1 - b1) g; then m = b2 m + (1 - b2) g.
 *
 * @param rate a, a number or a schedule. Default 1e-4, the paper's for language models (like Keras: 1e-3); 3 to 10 times below
 * what Adam takes.
 * @param options `beta1` 0.9, `beta2` 0.99, `mode` "hard", `like` "optax", `weightDecay` 1e-3 (like Keras: left out); 3 to
 * 10 times above AdamW's, since the rate is lower.
 *
 * | mode | in place of sign(c) |
 * |---|---|
 * | "hard", the paper | sign(c): every weight moves by a in each step, whatever its gradient's size |
 * | "smooth" | tanh(k c), k the `smoothness` |
 * | "refined" | c, but at least -1 and at most 1 |
 *
 * Throws OptionError for a value out of range, and for `smoothness` in another mode than "smooth".
 *
 * Source: Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023.
 *
 * @example
 * optim.lion(1e-4, { like: "keras" }).config.weightDecay // -> undefined
 */
export function lion(rate?: Hyper, options: LionOptions = {}): Transform<LionState> {
  const values = resolve("lion", hypers, rate, options);
  const { mode, smoothness } = values;
  if (smoothness !== undefined && mode !== "smooth")
    throw new OptionError(
      `lion: got smoothness with mode = "${mode}"; expected it with mode: "smooth".`,
      "lion.smoothness",
    );
  return transformOf(lionRule, values, {
    init: (params) => ({ m: zerosLike(params) }),
    update(gradients, state, ctx) {
      const down = ctx.hyper("rate", values.rate).neg();
      const b1 = ctx.hyper("beta1", values.beta1);
      const oneMinusB1 = ctx.hyper("beta1", values.beta1, oneMinus);
      const k = mode === "smooth" ? ctx.hyper("smoothness", smoothness ?? 1) : undefined;
      const sign = (c: Tensor): Tensor => {
        if (mode === "refined") return c.maximum(-1).minimum(1);
        return k === undefined ? c.sign() : c.mul(k).tanh();
      };
      const updates = zipTrees((_, m, g) => sign(m.mul(b1).add(g.mul(oneMinusB1))).mul(down), state.m, gradients);
      return [updates, { m: movingAverage(ctx, "beta2", values.beta2, state.m, gradients) }];
    },
  });
}

export const lionRule: Rule = {
  name: "lion",
  role: "rule",
  equation: "c = b1 m + (1 - b1) g; x += -a (sign(c) + lambda x); m = b2 m + (1 - b2) g",
  source: "Chen et al., 2023",
  hypers,
  create: lion as Rule["create"],
};
