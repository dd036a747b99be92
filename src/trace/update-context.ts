import { OptionError } from "../core/errors.ts";
import { leavesOf, mapTree, type Tree, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { scan } from "./control.ts";
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
  /**
   * The sum, from `zero`, of f(gradients of one example's loss at `params`) over the batch's examples, and how many there are.
   * One after the other, so that no more than one example's gradients are kept. Throws OptionError where the step was given
   * no examples.
   */
  sumExampleGradients<R extends TensorTree>(f: (gradients: P) => R, zero: R): readonly [sum: R, count: number];
}

/** The batch's loss as a function of the parameters. */
export type Objective<P extends TensorTree = TensorTree> = (params: P) => Tensor;

/** A batch as examples along the leading axis of each of its tensors, and the loss of one: a batch of a single example. */
export type Examples<P extends TensorTree = TensorTree> = {
  readonly batch: TensorTree;
  /** `index`, i32[], is the example's place in the batch: keys are folded with it, so that each has random numbers of its own. */
  readonly loss: (params: P, example: TensorTree, index: Tensor) => Tensor;
};

/** <a, b> over all leaves. */
export function dotTrees(a: TensorTree, b: TensorTree): Tensor {
  const products = leavesOf<Tensor>(zipTrees((_, x, y) => x.mul(y).sum(), a, b)).map(([, leaf]) => leaf);
  return products.reduce((sum, product) => sum.add(product));
}

/** The further evaluations of an update context, for an objective and examples or for none. */
export function evaluationsOf<P extends TensorTree>(
  params: P,
  objective: Objective<P> | undefined,
  examples: Examples<P> | undefined,
): Pick<UpdateContext<P>, "valueAndGradAt" | "hessianVectorProduct" | "sumExampleGradients"> {
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
    sumExampleGradients: (f, zero) => sumOverExamples(params, examples, f, zero),
  };
}

function sumOverExamples<P extends TensorTree, R extends TensorTree>(
  params: P,
  examples: Examples<P> | undefined,
  f: (gradients: P) => R,
  zero: R,
): readonly [sum: R, count: number] {
  if (examples === undefined)
    throw new OptionError(
      "update: this rule needs the gradients of each example, and the step gives no examples; expected them as the fourth argument of ctx.forUpdate(params, loss, objective, examples).",
      "examples",
    );
  const [first] = leavesOf<Tensor>(examples.batch).map(([, leaf]) => leaf);
  const count = first?.shape[0];
  if (first === undefined || count === undefined)
    throw new OptionError("update: got a batch without examples; expected tensors with a leading axis.", "examples");
  const rows = { batch: examples.batch, index: first.iota([count], 0) };
  const [sum] = scan(
    (sum: TensorTree, row: TensorTree) => {
      const { batch, index } = row as { readonly batch: TensorTree; readonly index: Tensor };
      const example = mapTree<Tensor, Tensor>(batch, (x) => x.reshape([1, ...x.shape]));
      const gradients = grad((at: P) => examples.loss(at, example, index))(params);
      return [zipTrees<Tensor, Tensor>((_, a, b) => a.add(b as Tensor), sum, f(gradients)), []];
    },
    zero as TensorTree,
    rows as TensorTree,
  );
  return [sum as R, count];
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
    sumExampleGradients: (f, zero) => ctx.sumExampleGradients((gradients) => f(pickLeaves(gradients, paths)), zero),
  };
}
