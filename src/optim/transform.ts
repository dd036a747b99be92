import { type Tree, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import type { UpdateContext } from "../trace/update-context.ts";

export type { UpdateContext } from "../trace/update-context.ts";

export type TensorTree = Tree<Tensor>;

/**
 * A pure pair in optax's form. All memory is in the state, a tree of tensors: hence checkpointed as it is.
 * The updates a rule returns are added to the parameters.
 */
export interface Transform<S extends TensorTree = TensorTree> {
  /** The rule's name and hyperparameters as data, for the run's record. */
  readonly config: { readonly name: string; readonly [hyper: string]: unknown };
  /** The memory before the first step; parameters, and the record of them, may be nested in any way. */
  init(params: TensorTree): S;
  update(updates: TensorTree, state: S, ctx: UpdateContext): readonly [updates: TensorTree, state: S];
  /** Weights to evaluate, predict and save with, where they are not the parameters (averages, schedule-free). */
  evalParams?(params: TensorTree, state: S): TensorTree;
  /** Whether batch norms need the training data's statistics anew before these weights are evaluated. */
  readonly refreshesStatistics?: boolean;
  /** The same rule with some options replaced. Throws OptionError for those that it does not have. Left out by hand-written rules. */
  with?(options: Readonly<Record<string, unknown>>): Transform;
}

/** The state of what needs no memory. */
export type NoState = Readonly<Record<string, never>>;

/**
 * x += u for every parameter.
 *
 * @example
 * const [updates, state] = optimizer.update(gradients, old.state, ctx.forUpdate(old.params, loss));
 * return { state: { params: optim.applyUpdates(old.params, updates), state } };
 */
export function applyUpdates<P extends TensorTree>(params: P, updates: TensorTree): P {
  return zipTrees((_, x, u) => x.add(u), params, updates) as P;
}
