import { formatAval } from "../core/dtype.ts";
import { TraceError } from "../core/errors.ts";
import { leavesOf, mapTree, type Tree, unflatten } from "../core/tree.ts";
import { Tensor } from "../ops/tensor.ts";
import { backward } from "./backward.ts";
import { type CustomRange, inPhase, tracerOf } from "./trace.ts";

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
  const several = customVjps(
    (inputs: readonly Tensor[]): readonly [Tensor] => [f(...inputs)],
    ([g], [output], inputs) => backwardRule(g as Tensor, output, ...inputs),
  );
  return (...inputs) => several(inputs)[0];
}

/**
 * `customVjp` of a function with several outputs. The rule gets their cotangents (null: none, at least one is there), the
 * outputs and the inputs. An output may be there for the rule alone, such as what the forward pass would compute again.
 *
 * @example
 * const sinCos = customVjps(
 *   ([x]: readonly [Tensor]) => [x.sin(), x.cos()] as const,
 *   ([gs, gc], [sin, cos]) => [(gs ?? sin.zerosLike()).mul(cos).sub((gc ?? cos.zerosLike()).mul(sin))],
 * );
 */
export function customVjps<I extends readonly Tensor[], O extends readonly Tensor[]>(
  f: (inputs: I) => O,
  backwardRule: (
    gs: { readonly [K in keyof O]: Tensor | null },
    outputs: O,
    inputs: I,
  ) => readonly (Tensor | null | undefined)[],
): (inputs: I) => O {
  return (inputs) => {
    const tracer = tracerOf(inputs[0] as Tensor);
    const own = inputs.map((input) => tracer.adopt(input));
    const start = tracer.equations.length;
    const alias = (t: Tensor): Tensor => tracer.bind("alias", {}, [t])[0] as Tensor;
    // The inputs are renamed inside, so that the range's equations cannot be reached past the rule.
    const renamed = own.map(alias) as readonly Tensor[] as I;
    const outputs = f(renamed).map(alias);
    const { length: end } = tracer.equations;
    tracer.customRanges.push({ start, end, inputs: own, outputs, backward: backwardRule as CustomRange["backward"] });
    return outputs as readonly Tensor[] as O;
  };
}

/** Tensors of a tree, no longer differentiated through. */
export function stopGradient<P extends TensorTree>(tree: P): P {
  return mapTree(tree as TensorTree, (t) => t.stopGradient()) as P;
}
