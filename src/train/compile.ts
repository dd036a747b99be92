import type { Backend } from "../compile/backend.ts";
import {
  compileStep,
  type Step,
  type StepContext,
  type StepOptions,
  type StepResult,
  type Traced,
} from "../compile/step.ts";
import type { Aval } from "../core/dtype.ts";
import type { HostArray } from "../core/host-array.ts";
import type { Tree } from "../core/tree.ts";

/**
 * A training step of your own: the function is traced once, then the compiled program repeats it. The step owns its state:
 * `step.run(batch)`, `step.read()`, `step.load(state)`.
 *
 * `state` and `batch` are trees of arrays; the function gets the same trees of tensors, a context (random key, completed
 * updates, hyperparameters) and, if given, the resident `data`. It returns the next state, and metrics that `run` hands back.
 *
 * Errors: ShapeError where shapes do not fit or the next state differs in form from the old; MemoryError where the step
 * needs more memory than there is.
 *
 * @example
 * const step = await compile((state, batch) => {
 *   const [loss, g] = valueAndGrad((w: Tensor) => w.mul(batch.x).sub(batch.y).square().mean())(state.w);
 *   return { state: { w: state.w.sub(g.mul(0.1)) }, metrics: { loss } };
 * }, { state: { w: array([0]) }, batch: { x: array([1]), y: array([2]) } });
 * (await step.run({ x: array([1]), y: array([2]) })).results.loss // -> Float32Array [ 4 ]
 */
export type CompileFunction = <
  S extends Tree<HostArray>,
  B extends Tree<HostArray | Aval>,
  D extends Tree<HostArray> = [],
>(
  fn: (state: Traced<S>, batch: Traced<B>, ctx: StepContext, data: Traced<D>) => StepResult,
  options: StepOptions<S, B, D> & { readonly backend?: Backend },
) => Promise<Step<S>>;

/** The same function without the types that the compiler would spell out without end. */
const untyped = compileStep as unknown as (backend: Backend, fn: unknown, options: unknown) => Promise<never>;

/** `compile` with what makes a backend where none is given. */
export function compileWith(makeBackend: () => Backend): CompileFunction {
  return async (fn, options) => {
    if (options.backend) return untyped(options.backend, fn, options);
    const backend = makeBackend();
    try {
      return await untyped(backend, fn, options);
    } catch (error) {
      await backend.close();
      throw error;
    }
  };
}
