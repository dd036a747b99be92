import { OptionError } from "../core/errors.ts";
import { leavesOf, mapTree, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import type { TensorTree, Transform, UpdateContext } from "./transform.ts";

/** The memory of a transform whose updates do not all count, and how many did, i32[]. */
export type HeldState = { readonly completed: Tensor; readonly inner: TensorTree };

export function initHeld(inner: Transform, params: TensorTree): HeldState {
  const [first] = leavesOf<Tensor>(params) as [readonly [string, Tensor]];
  return { completed: first[1].full(0, [], "i32"), inner: inner.init(params) };
}

/**
 * An update of `inner` that counts only where `commit` (bool[]) holds: elsewhere the updates are 0, and its memory and its count
 * of completed updates, of which bias corrections are made, stay as they were.
 */
export function updateHeld(
  inner: Transform,
  gradients: TensorTree,
  state: HeldState,
  ctx: UpdateContext,
  commit: Tensor,
): readonly [updates: TensorTree, state: HeldState] {
  const { completed } = state;
  const [updates, next] = inner.update(gradients, state.inner, { ...ctx, step: completed });
  return [
    mapTree<Tensor, Tensor>(updates, (u) => commit.select(u, u.zerosLike())),
    { completed: completed.add(commit.cast("i32")), inner: selectTree(commit, next, state.inner) },
  ];
}

/** What a wrapper evaluates with, where that is up to the transform inside, whose state `pick` finds. */
export function evaluationOf<S extends TensorTree>(
  inner: Transform,
  pick: (state: S) => TensorTree,
): Pick<Transform<S>, "evalParams" | "refreshesStatistics"> {
  const { evalParams, refreshesStatistics } = inner;
  return {
    ...(evalParams && { evalParams: (params: TensorTree, state: S) => evalParams(params, pick(state)) }),
    ...(refreshesStatistics && { refreshesStatistics }),
  };
}

/** For wrappers whose own weights are to be evaluated with. */
export function expectNoEvaluation(wrapper: string, inner: Transform): void {
  if (inner.evalParams !== undefined)
    throw new OptionError(
      `${wrapper}: got ${inner.config.name}, which has weights of its own to evaluate with; expected a rule without.`,
      `${wrapper}.transform`,
    );
}

/** a where the condition (bool[]) holds, else b, leaf by leaf. */
export function selectTree(condition: Tensor, a: TensorTree, b: TensorTree): TensorTree {
  return zipTrees((_, x, y) => (x === y ? x : condition.select(x, y)), a, b);
}
