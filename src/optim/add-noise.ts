import { mapTree } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { type HyperSpecs, type Rule, resolve, transformOf } from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { NoState, Transform } from "./transform.ts";

const hypers = {
  eta: { type: "number", default: 0.01, min: 0, text: "variance of the noise at the first update" },
  gamma: { type: "number", default: 0.55, min: 0, text: "how fast the variance falls" },
} as const satisfies HyperSpecs;

export type AddNoiseOptions = {
  /** Default 0.55. */
  readonly gamma?: Hyper;
};

/**
 * Adds normal noise to every gradient, of a variance that falls: g += N(0, eta / t^gamma), t counts completed updates from 1.
 *
 * @param eta at least 0, a number or a schedule. Default 0.01, as the paper's smallest (optax: none).
 * @param options `gamma` 0.55.
 *
 * As optax.add_noise. The noise depends on the run's seed, the step and the parameter's name alone. Throws OptionError for a value
 * out of range.
 *
 * Source: Neelakantan et al., "Adding Gradient Noise Improves Learning for Very Deep Networks", 2015.
 *
 * @example
 * optim.chain(optim.addNoise(0.01), optim.sgd(0.1)).config.parts[0] // -> { name: "addNoise", eta: 0.01, gamma: 0.55 }
 */
export function addNoise(eta?: Hyper, options: AddNoiseOptions = {}): Transform<NoState> {
  const values = resolve("addNoise", hypers, eta, options);
  return transformOf(addNoiseRule, values, {
    init: () => ({}),
    update(gradients, state, ctx) {
      const t = ctx.step.add(1).cast("f32");
      const variance = ctx.hyper("eta", values.eta).div(t.pow(ctx.hyper("gamma", values.gamma)));
      const deviation = variance.sqrt();
      return [
        mapTree<Tensor, Tensor>(gradients, (g, path) => g.add(ctx.key.fold(path).normal(g.shape).mul(deviation))),
        state,
      ];
    },
  });
}

export const addNoiseRule: Rule = {
  name: "addNoise",
  role: "transform",
  equation: "g += N(0, eta / t^gamma)",
  source: "Neelakantan et al., 2015; optax.add_noise",
  hypers,
  create: addNoise as Rule["create"],
};
