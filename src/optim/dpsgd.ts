import { OptionError } from "../core/errors.ts";
import { mapTree, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import type { UpdateContext } from "../trace/update-context.ts";
import { globalNorm } from "./clip.ts";
import { type HyperSpecs, type Rule, resolve, transformOf, zerosLike } from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { NoState, TensorTree, Transform } from "./transform.ts";

const maxNorm = {
  type: "number",
  default: 1,
  above: 0,
  text: "C, the largest norm of one example's gradients",
} as const;
const noise = { type: "number", default: 1, min: 0, text: "s, the noise's deviation over C" } as const;

const aggregateHypers = { maxNorm, noise } as const satisfies HyperSpecs;

const hypers = {
  rate: { type: "number", default: 0.1, min: 0, text: "a, the learning rate" },
  maxNorm,
  noise,
  momentum: { type: "number", default: null, min: 0, below: 1, text: "mu, the part of v that is kept" },
  nesterov: { type: "flag", default: false, text: "step along g + mu v" },
} as const satisfies HyperSpecs;

export type PrivateAggregateOptions = {
  /** s. Default 1. */
  readonly noise?: Hyper;
};

export type DpsgdOptions = PrivateAggregateOptions & {
  /** C. Default 1. */
  readonly maxNorm?: Hyper;
  /** mu. Left out by default. */
  readonly momentum?: Hyper;
  /** Default false. */
  readonly nesterov?: boolean;
};

/** v, only with momentum. */
export type DpsgdState = { readonly v?: TensorTree };

/** (sum over examples of min(1, C / |g_i|) g_i + C s N(0, 1)) / B */
function privateMean(ctx: UpdateContext, values: { readonly maxNorm: Hyper; readonly noise: Hyper }): TensorTree {
  const most = ctx.hyper("maxNorm", values.maxNorm);
  const clipped = (gradients: TensorTree): TensorTree => {
    // |g| = 0 divides to infinity, of which min makes 1.
    const scale = most.div(globalNorm(gradients)).minimum(1);
    return mapTree<Tensor, Tensor>(gradients, (g) => g.mul(scale));
  };
  const [sum, count] = ctx.sumExampleGradients(clipped, zerosLike(ctx.params));
  const deviation = most.mul(ctx.hyper("noise", values.noise));
  const key = ctx.key.fold("noise");
  return mapTree<Tensor, Tensor>(sum, (g, path) => g.add(key.fold(path).normal(g.shape).mul(deviation)).mul(1 / count));
}

/**
 * Gradients by which a batch tells little of any one of its examples: g = (sum of min(1, C / |g_i|) g_i + C s n) / B, n standard
 * normal, over the gradients g_i of each example's own loss.
 *
 * @param maxNorm C, above 0, a number or a schedule. Default 1 (optax has none).
 * @param options `noise` s 1 (optax has none).
 *
 * First in a `chain` before any rule: it takes the place of the batch's gradients. Each example costs a pass of its own,
 * with dropout of its own; running statistics come from the whole batch, so a model with batch norms is not private, and its
 * examples are normed each by itself. In groups and masks each part's gradients are clipped on their own. The privacy that is
 * spent must be reckoned apart, from s, B and the number of steps.
 *
 * As optax.contrib.differentially_private_aggregate. Throws OptionError for a value out of range and, while tracing, where a
 * step of one's own gives no examples.
 *
 * Source: Abadi et al., "Deep Learning with Differential Privacy", 2016.
 *
 * @example
 * optim.chain(optim.privateAggregate(0.5, { noise: 1.1 }), optim.adam(1e-3)).config.parts.length // -> 2
 */
export function privateAggregate(maxNorm?: Hyper, options: PrivateAggregateOptions = {}): Transform<NoState> {
  const values = resolve("privateAggregate", aggregateHypers, maxNorm, options);
  return transformOf(privateAggregateRule, values, {
    init: () => ({}),
    update: (_, state, ctx) => [privateMean(ctx, values), state],
  });
}

/**
 * SGD with differential privacy: g = (sum of min(1, C / |g_i|) g_i + C s n) / B over the examples' gradients g_i, n standard normal;
 * x += -a g.
 *
 * @param rate a, a number or a schedule. Default 0.1 (optax has none).
 * @param options `maxNorm` C 1, `noise` s 1 (optax has none), `momentum` left out (with it v = mu v + g; x += -a v), `nesterov`
 * false (true: x += -a (g + mu v)).
 *
 * The same as `chain(privateAggregate(C, { noise }), momentum(a, { like: "pytorch" }))`; see there for the cost and for batch
 * norms. As optax.contrib.dpsgd. Throws OptionError for a value out of range and, while tracing, where a step of one's own gives
 * no examples.
 *
 * Source: Abadi et al., "Deep Learning with Differential Privacy", 2016.
 *
 * @example
 * optim.dpsgd(0.1, { noise: 1.1 }).config // -> { name: "dpsgd", rate: 0.1, maxNorm: 1, noise: 1.1, nesterov: false }
 */
export function dpsgd(rate?: Hyper, options: DpsgdOptions = {}): Transform<DpsgdState> {
  const values = resolve("dpsgd", hypers, rate, options);
  const { momentum, nesterov } = values;
  if (nesterov && momentum === undefined)
    throw new OptionError("dpsgd: got nesterov without momentum; expected both.", "dpsgd.nesterov");
  return transformOf<DpsgdState>(dpsgdRule, values, {
    init: (params) => (momentum === undefined ? {} : { v: zerosLike(params) }),
    update(_, state, ctx) {
      const gradients = privateMean(ctx, values);
      const scale = ctx.hyper("rate", values.rate).neg();
      const step = (tree: TensorTree): TensorTree => mapTree<Tensor, Tensor>(tree, (g) => g.mul(scale));
      if (momentum === undefined || state.v === undefined) return [step(gradients), state];
      const mu = ctx.hyper("momentum", momentum);
      const onto = (v: TensorTree): TensorTree =>
        zipTrees<Tensor, Tensor>((_, v, g) => v.mul(mu).add(g as Tensor), v, gradients);
      const v = onto(state.v);
      return [step(nesterov ? onto(v) : v), { v }];
    },
  });
}

export const privateAggregateRule: Rule = {
  name: "privateAggregate",
  role: "transform",
  equation: "g = (sum of min(1, C / |g_i|) g_i + C s n) / B over the examples' gradients g_i, n standard normal",
  source: "Abadi et al., 2016",
  hypers: aggregateHypers,
  create: privateAggregate as Rule["create"],
};

export const dpsgdRule: Rule = {
  name: "dpsgd",
  role: "rule",
  equation:
    "g = (sum of min(1, C / |g_i|) g_i + C s n) / B over the examples' gradients g_i, n standard normal; x += -a g",
  source: "Abadi et al., 2016",
  hypers,
  create: dpsgd as Rule["create"],
};
