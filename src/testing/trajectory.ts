import { referenceBackend } from "../backends/reference/index.ts";
import type { Backend } from "../compile/backend.ts";
import { runFunction } from "../compile/run-function.ts";
import { compileStep } from "../compile/step.ts";
import { DownhillError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import { leavesOf, type Tree, unflatten } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { applyUpdates, type TensorTree, type Transform } from "../optim/index.ts";
import { valueAndGrad } from "../trace/grad.ts";

/** A loss to walk down and where to start. */
export type Descent = {
  readonly start: Tree<HostArray>;
  readonly loss: (params: TensorTree) => Tensor;
};

/** For each step number the parameters after that many updates: all leaves in order, flat. */
export type Trajectory = Readonly<Record<number, readonly number[]>>;

export type TrajectoryOptions = {
  /** Default: the reference in double precision. */
  readonly backend?: Backend;
};

/** A walk that leaves the golden one. */
export class TrajectoryError extends DownhillError {}

/**
 * Walks down a loss by an update rule and returns the parameters after each of the steps asked for.
 *
 * @example
 * const walk = await trajectory(optim.sgd(0.1), { start: array([1]), loss: (x) => (x as Tensor).square().sum() }, [1, 2]);
 * walk // -> { 1: [0.8], 2: [0.64] }
 */
export async function trajectory(
  rule: Transform,
  { start, loss }: Descent,
  steps: readonly number[],
  options: TrajectoryOptions = {},
): Promise<Trajectory> {
  const backend = options.backend ?? referenceBackend({ precision: "f64" });
  const memory = await initialMemory(backend, rule, start);
  // To the compiler a recursive tree is too deep: it sees one level.
  const step = await compileStep(
    backend,
    (old, _batch, ctx) => {
      const params: TensorTree = old.params;
      const [value, gradients] = valueAndGrad(loss)(params);
      const [updates, next] = rule.update(gradients, old.memory, ctx.forUpdate(params, value, loss));
      return { state: { params: applyUpdates(params, updates), memory: next } };
    },
    { state: { params: start as HostArray, memory: memory as HostArray }, batch: {} },
  );
  const found: Record<number, readonly number[]> = {};
  let done = 0;
  for (const wanted of [...steps].sort((a, b) => a - b)) {
    if (wanted > done) await step.run({}, wanted - done);
    done = wanted;
    const { params } = await step.read();
    found[wanted] = leavesOf<HostArray>(params).flatMap(([, leaf]) => [...leaf.data]);
  }
  return found;
}

async function initialMemory(backend: Backend, rule: Transform, start: Tree<HostArray>): Promise<Tree<HostArray>> {
  let form: TensorTree = {};
  const values = await runFunction(
    backend,
    (...tensors) => {
      form = rule.init(unflatten<HostArray, Tensor>(start, tensors));
      return leavesOf<Tensor>(form).map(([, leaf]) => leaf);
    },
    leavesOf<HostArray>(start).map(([, leaf]) => leaf),
  );
  return unflatten<Tensor, HostArray>(form, values);
}

/**
 * Compares an update rule's walk with a golden one: from the published equation in NumPy, or another framework.
 *
 * Errors: TrajectoryError names the first step and parameter that are off by more than `tolerance` (default 1e-9) of the
 * step's largest parameter.
 */
export async function checkTrajectory(
  rule: Transform,
  descent: Descent,
  golden: Trajectory,
  options: TrajectoryOptions & { readonly tolerance?: number } = {},
): Promise<void> {
  const { tolerance = 1e-9 } = options;
  const steps = Object.keys(golden).map(Number);
  const found = await trajectory(rule, descent, steps, options);
  for (const step of steps) {
    const [expected, got] = [golden[step] ?? [], found[step] ?? []];
    if (got.length !== expected.length)
      throw new TrajectoryError(`step ${step}: got ${got.length} parameters; expected ${expected.length}.`);
    const scale = Math.max(...expected.map(Math.abs));
    for (const [i, want] of expected.entries())
      if (!(Math.abs((got[i] as number) - want) <= tolerance * scale))
        throw new TrajectoryError(
          `step ${step}: got ${got[i]} for parameter ${i}; expected ${want} within ${tolerance * scale}.`,
        );
  }
}
