import { type Tree, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import type { Hyper } from "./schedules/schedule.ts";

export type TensorTree = Tree<Tensor>;

/** What an update rule may ask of the step it is traced into. */
export interface UpdateContext {
  readonly params: TensorTree;
  /**
   * A scalar input of the compiled step, so that changing it never recompiles. `map` (1 - beta, ln beta) runs on the host
   * in doubles; only its result is rounded to f32.
   */
  hyper(name: string, value: Hyper, map?: (value: number) => number): Tensor;
  /** Completed updates before this one, i32. Inside an update t = step + 1; bias correction is -expm1(t ln beta). */
  readonly step: Tensor;
  readonly loss: Tensor;
}

/**
 * A pure pair in optax's form. All memory is in the state, a tree of tensors: hence checkpointed as it is.
 * The updates a rule returns are added to the parameters.
 */
export interface Transform<S extends TensorTree = TensorTree> {
  /** The rule's name and hyperparameters as data, for the run's record. */
  readonly config: { readonly name: string; readonly [hyper: string]: unknown };
  init(params: TensorTree): S;
  update(updates: TensorTree, state: S, ctx: UpdateContext): readonly [updates: TensorTree, state: S];
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
