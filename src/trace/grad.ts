import { formatAval } from "../core/dtype.ts";
import { TraceError } from "../core/errors.ts";
import { leavesOf, mapTree, type Tree, unflatten } from "../core/tree.ts";
import { Tensor } from "../ops/tensor.ts";
import { backward } from "./backward.ts";
import { inPhase, tracerOf } from "./trace.ts";

export type TensorTree = Tree<Tensor>;

/**
 * The value of a scalar function of a parameter tree, and its gradient, a tree of the same form.
 * With `aux`, the function returns `[loss, aux]` and aux (metrics, new buffers) comes back third.
 *
 * Errors: TraceError when the function does not return an f32 scalar.
 *
 * @example
 * const [loss, grads] = valueAndGrad((p) => p.w.square().sum())({ w });
 */
export function valueAndGrad<P extends TensorTree>(f: (params: P) => Tensor): (params: P) => readonly [Tensor, P];
export function valueAndGrad<P extends TensorTree, A>(
  f: (params: P) => readonly [Tensor, A],
  options: { readonly aux: true },
): (params: P) => readonly [Tensor, P, A];
export function valueAndGrad<P extends TensorTree, A>(
  f: (params: P) => Tensor | readonly [Tensor, A],
  options?: { readonly aux: true },
): (params: P) => readonly [Tensor, P, A?] {
  return (params) => {
    const leaves = leavesOf<Tensor>(params).map(([, leaf]) => leaf);
    const first = leaves[0];
    if (!first) throw new TraceError("valueAndGrad: got no parameters; expected a tree with at least one tensor.");
    const tracer = tracerOf(first);
    const start = tracer.equations.length;
    const named = leaves.map((leaf) => tracer.bind("alias", {}, [leaf])[0] as Tensor);
    const result = inPhase(first, "forward", () => f(unflatten(params as TensorTree, named) as P));
    const [value, aux] = options?.aux ? (result as readonly [Tensor, A]) : [result as Tensor, undefined];
    if (!(value instanceof Tensor) || value.rank !== 0 || value.dtype !== "f32")
      throw new TraceError(
        `valueAndGrad: the function returned ${value instanceof Tensor ? formatAval(value.aval) : typeof value}; expected a scalar f32[]. Reduce the loss with mean() or sum().`,
      );
    const loss = tracer.adopt(value);
    const grads = inPhase(first, "backward", () =>
      backward(tracer, start, named, [loss], [loss.onesLike()]).map((g, i) => g ?? (named[i] as Tensor).zerosLike()),
    );
    const both = [loss, unflatten(params as TensorTree, grads) as P] as const;
    return options?.aux ? [...both, aux as A] : both;
  };
}

/** The gradient alone. */
export function grad<P extends TensorTree>(f: (params: P) => Tensor): (params: P) => P {
  const both = valueAndGrad(f);
  return (params) => both(params)[1];
}

/**
 * A function with a derivative of its own. `backward` gets the output's cotangent, the output and the inputs and returns the
 * inputs' cotangents (null: no gradient), in `Tensor` methods, so that it differentiates again.
 *
 * @example
 * const clippedIdentity = customVjp((x) => x, (g) => [g.clip(-1, 1)]);
 */
export function customVjp(
  f: (...inputs: readonly Tensor[]) => Tensor,
  backwardRule: (g: Tensor, output: Tensor, ...inputs: readonly Tensor[]) => readonly (Tensor | null | undefined)[],
): (...inputs: readonly Tensor[]) => Tensor {
  return (...inputs) => {
    const tracer = tracerOf(inputs[0] as Tensor);
    const own = inputs.map((input) => tracer.adopt(input));
    const start = tracer.equations.length;
    // The inputs are renamed inside, so that the range's equations cannot be reached past the rule.
    const renamed = own.map((input) => tracer.bind("alias", {}, [input])[0] as Tensor);
    const output = tracer.bind("alias", {}, [f(...renamed)])[0] as Tensor;
    tracer.customRanges.push({ start, end: tracer.equations.length, inputs: own, output, backward: backwardRule });
    return output;
  };
}

/** Tensors of a tree, no longer differentiated through. */
export function stopGradient<P extends TensorTree>(tree: P): P {
  return mapTree(tree as TensorTree, (t) => t.stopGradient()) as P;
}
