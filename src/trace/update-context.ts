import { OptionError } from "../core/errors.ts";
import { leavesOf, mapTree, type Tree, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { grad, valueAndGrad } from "./grad.ts";
import type { Key } from "./random.ts";

type TensorTree = Tree<Tensor>;

/** How long a run is, as far as it is known: what schedules in epochs or fractions of the run need. */
export type RunLength = { readonly stepsPerEpoch?: number; readonly totalSteps?: number };

/** A number, or anything with the pure `at` of a schedule. */
export type HyperValue = number | { at(step: number, run: RunLength): number };

/**
 * A scalar fed anew each step: changing it never recompiles. `map` (1 - beta, ln beta) runs on the host in doubles; only its
 * result is rounded to f32. With `every`, schedules count one update for so many steps (micro-batches).
 */
export type ReadHyper = (name: string, value: HyperValue, map?: (value: number) => number, every?: number) => Tensor;

/** What an update rule may ask of the step it is traced into. */
export interface UpdateContext<P extends TensorTree = TensorTree> {
  readonly params: P;
  /** The loss of this step's batch at `params`, f32[]. */
  readonly loss: Tensor;
  /** Completed updates before this one, i32[]. Inside an update t = step + 1; bias correction is -expm1(t ln beta). */
  readonly step: Tensor;
  /** This step's key, for noise; a chain folds it for each of its parts. */
  readonly key: Key;
  readonly hyper: ReadHyper;
  /** Hands a scalar out with the step's metrics, e.g. a gradient's norm. */
  metric(name: string, value: Tensor): void;
  /**
   * Loss and gradients elsewhere, on the same batch, with the same random numbers; buffers are not touched. It may stand in the
   * body of a loop or a branch. Throws OptionError where the step was given no objective.
   */
  valueAndGradAt(params: P): readonly [loss: Tensor, gradients: P];
  /** The Hessian of the loss at `params` times a direction, as the gradient of <gradient, direction>. */
  hessianVectorProduct(direction: P): P;
}

/** The batch's loss as a function of the parameters. */
export type Objective<P extends TensorTree = TensorTree> = (params: P) => Tensor;

/** <a, b> over all leaves. */
export function dotTrees(a: TensorTree, b: TensorTree): Tensor {
  const products = leavesOf<Tensor>(zipTrees((_, x, y) => x.mul(y).sum(), a, b)).map(([, leaf]) => leaf);
  return products.reduce((sum, product) => sum.add(product));
}

/** The two further evaluations of an update context, for an objective or for none. */
export function evaluationsOf<P extends TensorTree>(
  params: P,
  objective: Objective<P> | undefined,
): Pick<UpdateContext<P>, "valueAndGradAt" | "hessianVectorProduct"> {
  const needed = (): Objective<P> => {
    if (objective !== undefined) return objective;
    throw new OptionError(
      "update: this rule evaluates the loss again, and the step gives no objective; expected one as the third argument of ctx.forUpdate(params, loss, objective).",
      "objective",
    );
  };
  return {
    valueAndGradAt: (at) => valueAndGrad(needed())(at),
    hessianVectorProduct: (direction) => {
      const f = needed();
      return grad((at: P) => dotTrees(grad(f)(at), direction))(params);
    },
  };
}

/** The leaves of a tree whose paths are asked for, as one record by path. */
export function pickLeaves(tree: TensorTree, paths: ReadonlySet<string>): Readonly<Record<string, Tensor>> {
  return Object.fromEntries(leavesOf<Tensor>(tree).filter(([path]) => paths.has(path)));
}

/** The tree with the leaves that `record` has, by path, in place of its own. */
export function putLeaves<P extends TensorTree>(tree: P, record: TensorTree): P {
  const found = new Map(leavesOf<Tensor>(record));
  return mapTree<Tensor, Tensor>(tree, (leaf, path) => found.get(path) ?? leaf) as P;
}

/** The context as seen by a transform that is in charge of some parameters only. */
export function narrowContext(ctx: UpdateContext, paths: ReadonlySet<string>): UpdateContext {
  return {
    ...ctx,
    params: pickLeaves(ctx.params, paths),
    valueAndGradAt: (part) => {
      const [loss, gradients] = ctx.valueAndGradAt(putLeaves(ctx.params, part));
      return [loss, pickLeaves(gradients, paths)];
    },
    hessianVectorProduct: (part) => {
      const zeros = mapTree<Tensor, Tensor>(ctx.params, (x) => x.zerosLike());
      return pickLeaves(ctx.hessianVectorProduct(putLeaves(zeros, part)), paths);
    },
  };
}
