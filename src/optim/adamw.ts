import { type AdamOptions, type AdamState, adamBody, adamHypers } from "./adam.ts";
import { type HyperSpecs, type Rule, resolve, transformOf } from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { Transform } from "./transform.ts";

const hypers = {
  ...adamHypers,
  weightDecay: {
    type: "number",
    default: 1e-2,
    like: { optax: 1e-4, keras: 4e-3 },
    min: 0,
    text: "lambda of weight decay",
  },
  decoupled: { type: "flag", default: true, text: adamHypers.decoupled.text },
} as const satisfies HyperSpecs;

export type AdamwOptions = Omit<AdamOptions, "weightDecay" | "decoupled"> & {
  /** lambda. Default 0.01, PyTorch's (like optax: 1e-4, like Keras: 4e-3). */
  readonly weightDecay?: Hyper;
  /** x += -a lambda x instead of g += lambda x. Default true; false is Adam with L2. */
  readonly decoupled?: boolean;
};

/**
 * Adam with decoupled weight decay: x += -a lambda x - a m^ / (sqrt(v^) + eps).
 *
 * @param rate a, a number or a schedule. Default 1e-3.
 * @param options those of `adam`, `weightDecay` lambda 0.01 (like optax: 1e-4, like Keras: 4e-3), `decoupled` true.
 *
 * The decay takes x from before the step and the current, scheduled rate, as torch.optim.AdamW, optax and Keras do (the
 * paper multiplies by the schedule's factor alone). It applies to every parameter but those of `noDecay`; by default to all,
 * biases too, as theirs.
 *
 * Throws OptionError for a value out of range.
 *
 * Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019.
 *
 * @example
 * optim.adamw(1e-3, { weightDecay: 0.05, noDecay: "bias, norm" }).config.weightDecay // -> 0.05
 */
export function adamw(rate?: Hyper, options: AdamwOptions = {}): Transform<AdamState> {
  const values = resolve("adamw", hypers, rate, options);
  return transformOf(adamwRule, values, adamBody(values));
}

export const adamwRule: Rule = {
  name: "adamw",
  role: "rule",
  equation: "x += -a lambda x - a m^ / (sqrt(v^) + eps), m^ and v^ as in adam",
  source: "Loshchilov and Hutter, 2019",
  equations: {
    lecture: "x += -a lambda x - a m / (sqrt(v) + eps)",
    pytorch: "x += -a lambda x - a m^ / (sqrt(v^) + eps)",
    optax: "x += -a lambda x - a m^ / (sqrt(v^ + epsRoot) + eps)",
    keras: "x += -a lambda x - a sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps)",
  },
  hypers,
  create: adamw as Rule["create"],
};
