import { mapTree, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { configOf, type HyperSpecs, type Rule, resolve } from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 1e-2, min: 0, text: "a, the learning rate" },
  eps: { type: "number", default: 1e-10, min: 0, text: "keeps the division finite" },
  initialAccumulator: { type: "number", default: 0, min: 0, fixed: true, text: "value that c starts from" },
  like: {
    type: "choice",
    choices: ["pytorch", "keras"],
    default: "pytorch",
    text: "where eps stands: outside the root (lecture, PyTorch) or inside (Keras, optax)",
  },
} as const satisfies HyperSpecs;

export type AdagradOptions = {
  /** Default 1e-10, PyTorch's (optax, Keras: 1e-7). */
  readonly eps?: Hyper;
  /** Value that c starts from. Default 0, as the lecture and PyTorch (optax, Keras: 0.1). */
  readonly initialAccumulator?: number;
  /** Default "pytorch", which is the lecture's equation. */
  readonly like?: "pytorch" | "keras";
};

export type AdagradState = { readonly c: TensorTree };

/**
 * Adagrad: c += g²; x += -a g / (sqrt(c) + eps).
 *
 * @param rate a, a number or a schedule. Default 0.01.
 * @param options `eps` 1e-10, `initialAccumulator` 0, `like` "pytorch": numbers as torch.optim.Adagrad.
 *
 * With `like: "keras"` eps is inside the root, x += -a g / sqrt(c + eps), as in Keras and optax; their numbers (start 0.1,
 * eps 1e-7) are not taken over by that. PyTorch's `lr_decay` is the schedule `inverseTimeDecay(rate, { decay, per: "step" })`.
 *
 * Throws OptionError for a value out of range.
 *
 * Source: Duchi, Hazan and Singer, 2011; CS231n, "training neural networks, part 2".
 *
 * @example
 * optim.adagrad(0.01).config
 * // -> { name: "adagrad", rate: 0.01, eps: 1e-10, initialAccumulator: 0, like: "pytorch" }
 */
export function adagrad(rate?: Hyper, options: AdagradOptions = {}): Transform<AdagradState> {
  const values = resolve("adagrad", hypers, rate, options);
  const { initialAccumulator, like } = values;
  return {
    config: configOf("adagrad", values),
    init: (params) => ({ c: mapTree(params, (x) => x.full(initialAccumulator, x.shape)) }),
    update(gradients, state, ctx) {
      const a = ctx.hyper("rate", values.rate);
      const eps = ctx.hyper("eps", values.eps);
      const root = (c: Tensor): Tensor => (like === "keras" ? c.add(eps).sqrt() : c.sqrt().add(eps));
      const c = zipTrees((_, c, g) => c.add(g.square()), state.c, gradients);
      return [zipTrees((_, g, c) => g.mul(a.neg()).div(root(c)), gradients, c), { c }];
    },
  };
}

export const adagradRule: Rule = {
  name: "adagrad",
  role: "rule",
  equation: "c += g²; x += -a g / (sqrt(c) + eps)",
  source: 'Duchi, Hazan and Singer, 2011; CS231n, "training neural networks, part 2"',
  hypers,
  create: adagrad,
};
