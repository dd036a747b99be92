import { mapTree, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { type DecayOptions, decayHypers, type HyperSpecs, type Rule, resolve, transformOf } from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 1e-2, min: 0, like: { keras: 1e-3 }, text: "a, the learning rate" },
  eps: {
    type: "number",
    default: 1e-10,
    min: 0,
    like: { optax: 1e-7, keras: 1e-7 },
    text: "keeps the division finite",
  },
  initialAccumulator: {
    type: "number",
    default: 0,
    min: 0,
    like: { optax: 0.1, keras: 0.1 },
    fixed: true,
    text: "value that c starts from",
  },
  like: {
    type: "choice",
    choices: ["lecture", "pytorch", "optax", "keras"],
    default: "lecture",
    text: "where eps stands: outside the root (lecture, PyTorch) or inside (optax, Keras)",
  },
  ...decayHypers,
} as const satisfies HyperSpecs;

export type AdagradOptions = DecayOptions & {
  /** Default 1e-10, as PyTorch (like optax, Keras: 1e-7). */
  readonly eps?: Hyper;
  /** Value that c starts from. Default 0, as the lecture and PyTorch (like optax, Keras: 0.1). */
  readonly initialAccumulator?: number;
  /** Default "lecture". */
  readonly like?: "lecture" | "pytorch" | "optax" | "keras";
};

export type AdagradState = { readonly c: TensorTree };

/**
 * Adagrad: c += g²; x += -a g / (sqrt(c) + eps).
 *
 * @param rate a, a number or a schedule. Default 0.01 (like Keras: 1e-3).
 * @param options `eps` 1e-10, `initialAccumulator` 0, `like` "lecture", `weightDecay` left out: as torch.optim.Adagrad.
 *
 * | like | update | c starts from |
 * |---|---|---|
 * | "lecture", "pytorch" | x += -a g / (sqrt(c) + eps), eps 1e-10 | 0 |
 * | "optax", "keras" | x += -a g / sqrt(c + eps), eps 1e-7 | 0.1 |
 *
 * PyTorch's `lr_decay` is the schedule `inverseTimeDecay(rate, { decay, per: "step" })`.
 *
 * Throws OptionError for a value out of range.
 *
 * Source: Duchi, Hazan and Singer, 2011; CS231n, "training neural networks, part 2".
 *
 * @example
 * optim.adagrad(0.01).config
 * // -> { name: "adagrad", rate: 0.01, eps: 1e-10, initialAccumulator: 0, like: "lecture" }
 */
export function adagrad(rate?: Hyper, options: AdagradOptions = {}): Transform<AdagradState> {
  const values = resolve("adagrad", hypers, rate, options);
  const { initialAccumulator, like } = values;
  const inside = like === "optax" || like === "keras";
  return transformOf(adagradRule, values, {
    init: (params) => ({ c: mapTree(params, (x) => x.full(initialAccumulator, x.shape)) }),
    update(gradients, state, ctx) {
      const a = ctx.hyper("rate", values.rate);
      const eps = ctx.hyper("eps", values.eps);
      const root = (c: Tensor): Tensor => (inside ? c.add(eps).sqrt() : c.sqrt().add(eps));
      const c = zipTrees((_, c, g) => c.add(g.square()), state.c, gradients);
      return [zipTrees((_, g, c) => g.mul(a.neg()).div(root(c)), gradients, c), { c }];
    },
  });
}

export const adagradRule: Rule = {
  name: "adagrad",
  role: "rule",
  equation: "c += g²; x += -a g / (sqrt(c) + eps)",
  source: 'Duchi, Hazan and Singer, 2011; CS231n, "training neural networks, part 2"',
  equations: {
    lecture: "x += -a g / (sqrt(c) + eps)",
    pytorch: "x += -a g / (sqrt(c) + eps)",
    optax: "x += -a g / sqrt(c + eps)",
    keras: "x += -a g / sqrt(c + eps)",
  },
  hypers,
  create: adagrad as Rule["create"],
};
