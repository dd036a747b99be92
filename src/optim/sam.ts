import { zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { globalNorm } from "./clip.ts";
import { evaluationOf } from "./held.ts";
import { type HyperSpecs, type Rule, resolve, transformOf } from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  transform: { type: "transform", default: null, text: "the rule that is given the gradients from the climb's end" },
  rho: { type: "number", default: 0.05, min: 0, text: "length of one climb" },
  climbs: {
    type: "number",
    default: 1,
    min: 1,
    integer: true,
    fixed: true,
    text: "climbs in each step, with an evaluation each",
  },
  adaptive: { type: "flag", default: false, text: "climb in proportion to each weight's size (ASAM)" },
} as const satisfies HyperSpecs;

export type SamOptions = {
  /** Default 0.05; for `adaptive` the authors take 0.5 to 2. */
  readonly rho?: Hyper;
  /** Default 1. */
  readonly climbs?: number;
  /** Default false. */
  readonly adaptive?: boolean;
};

/**
 * Sharpness-aware minimisation: climbs to y = x + rho g / |g| and gives the rule the gradients there, for a step from x.
 *
 * @param transform any rule, e.g. `optim.momentum(0.1)`.
 * @param options `rho` 0.05; `climbs` 1: further ones start where the one before ended; `adaptive` false.
 *
 * | adaptive | y |
 * |---|---|
 * | false: SAM, as optax.contrib.sam with `opaque_mode` and `sync_period` = climbs + 1 | x + rho g / abs(g) |
 * | true: ASAM | x + rho x² g / abs(x g), elementwise but for the norm |
 *
 * Norms are over all parameters at once; where a norm is 0 (NaN in optax), nothing is climbed. Each climb costs one more
 * forward and backward pass, on the same batch with the same dropout; running statistics are those of x alone. The loss
 * that is shown is the one at x.
 *
 * Throws OptionError for a value out of range, and while tracing where a step of one's own gives no objective.
 *
 * Source: Foret et al., "Sharpness-Aware Minimization for Efficiently Improving Generalization", 2021; Kwon et al., "ASAM", 2021.
 *
 * @example
 * optim.sam(optim.momentum(0.1), { rho: 0.1 }).config.rho // -> 0.1
 */
export function sam(transform: Transform, options: SamOptions = {}): Transform {
  const values = resolve("sam", hypers, transform, options);
  const { climbs, adaptive } = values;
  return transformOf<TensorTree>(samRule, values, {
    init: transform.init,
    update(gradients, state, ctx) {
      const rho = ctx.hyper("rho", values.rho);
      const sized = (g: TensorTree, x: TensorTree): TensorTree =>
        adaptive ? zipTrees<Tensor, Tensor>((_, g, x) => g.mul((x as Tensor).abs()), g, x) : g;
      const climb = (from: TensorTree, g: TensorTree): TensorTree => {
        const scaled = sized(g, from);
        const norm = globalNorm(scaled);
        const length = norm.equal(0).select(0, rho.div(norm));
        return zipTrees<Tensor, Tensor>((_, x, d) => x.add((d as Tensor).mul(length)), from, sized(scaled, from));
      };
      let at: TensorTree = ctx.params;
      let found = gradients;
      for (let i = 0; i < climbs; i++) {
        at = climb(at, found);
        found = ctx.valueAndGradAt(at)[1];
      }
      return transform.update(found, state, ctx);
    },
    ...evaluationOf<TensorTree>(transform, (state) => state),
  });
}

export const samRule: Rule = {
  name: "sam",
  role: "wrapper",
  equation: "y = x + rho g(x) / |g(x)|; x += u of the rule, for g(y)",
  source: "Foret et al., 2021; Kwon et al., 2021 (adaptive)",
  hypers,
  create: sam as Rule["create"],
};
