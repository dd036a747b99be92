import { mapTree } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { addNoise } from "./add-noise.ts";
import { type HyperSpecs, type Rule, resolve, transformOf } from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { NoState, Transform } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 1e-3, min: 0, text: "a, the learning rate" },
  eta: { type: "number", default: 0.01, min: 0, text: "variance of the noise at the first update" },
  gamma: { type: "number", default: 0.55, min: 0, text: "how fast the variance falls" },
} as const satisfies HyperSpecs;

export type NoisySgdOptions = {
  /** Default 0.01. */
  readonly eta?: Hyper;
  /** Default 0.55. */
  readonly gamma?: Hyper;
};

/**
 * SGD on noisy gradients: x += -a (g + N(0, eta / t^gamma)), t counts completed updates from 1.
 *
 * @param rate a, a number or a schedule. Default 1e-3 (optax gives none).
 * @param options `eta` 0.01, `gamma` 0.55.
 *
 * As optax.noisy_sgd; the same as `chain(addNoise(eta), sgd(a))`. The noise depends on the run's seed, the step and the
 * parameter's name alone. Throws OptionError for a value out of range.
 *
 * Source: Neelakantan et al., "Adding Gradient Noise Improves Learning for Very Deep Networks", 2015.
 *
 * @example
 * optim.noisySgd(0.1).config // -> { name: "noisySgd", rate: 0.1, eta: 0.01, gamma: 0.55 }
 */
export function noisySgd(rate?: Hyper, options: NoisySgdOptions = {}): Transform<NoState> {
  const values = resolve("noisySgd", hypers, rate, options);
  const noise = addNoise(values.eta, { gamma: values.gamma });
  return transformOf(noisySgdRule, values, {
    init: () => ({}),
    update(gradients, state, ctx) {
      const down = ctx.hyper("rate", values.rate).neg();
      const [noisy] = noise.update(gradients, state, ctx);
      return [mapTree<Tensor, Tensor>(noisy, (g) => g.mul(down)), state];
    },
  });
}

export const noisySgdRule: Rule = {
  name: "noisySgd",
  role: "rule",
  equation: "x += -a (g + N(0, eta / t^gamma))",
  source: "Neelakantan et al., 2015",
  hypers,
  create: noisySgd as Rule["create"],
};
