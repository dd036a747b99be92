import { OptionError } from "../core/errors.ts";
import type { Tensor } from "../ops/tensor.ts";
import { defineLayer } from "./define-layer.ts";
import type { Layer } from "./layer.ts";

/**
 * In training each element is 0 with probability p, else divided by 1 - p; in evaluation nothing changes. p is 0.5 unless given.
 *
 * The mask is a function of the pass's key, the layer's path and the element's place, so it is computed again in the
 * backward pass and never stored, and does not depend on the backend or the number of threads.
 *
 * Errors: OptionError when p is outside [0, 1].
 * Source: Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov (2014).
 */
export function dropout(p: number = 0.5): Layer {
  if (!(p >= 0 && p <= 1)) throw new OptionError(`dropout: got p ${p}; expected a probability in [0, 1].`);
  return defineLayer({
    kind: "dropout",
    config: { p },
    apply(_params, x: Tensor, ctx) {
      if (!ctx.training || p === 0) return x;
      if (p === 1) return x.zerosLike();
      return ctx.key
        .bernoulli(1 - p, x.shape)
        .select(x, 0)
        .mul(1 / (1 - p));
    },
  });
}
