import type { Aval } from "../core/dtype.ts";
import { ShapeError } from "../core/errors.ts";
import { formFaults } from "../core/form-faults.ts";
import type { HostArray } from "../core/host-array.ts";
import { leavesOf, type Tree, unflatten } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { traceProgram } from "../trace/trace.ts";
import type { TensorTree, Transform } from "./transform.ts";

type HostTree = Tree<HostArray>;

/** The types of a rule's memory for parameters of these types, by path. Nothing is computed. */
function formOf(rule: Transform, params: HostTree): (readonly [path: string, aval: Aval])[] {
  const leaves = leavesOf<HostArray>(params);
  const inputs = leaves.map(([path, leaf]) => ({ path, aval: leaf.aval, role: "feed" as const }));
  let form: (readonly [string, Aval])[] = [];
  traceProgram(inputs, (tensors) => {
    const state: TensorTree = rule.init(unflatten<HostArray, Tensor>(params, tensors));
    form = leavesOf<Tensor>(state).map(([path, { dtype, shape }]) => [path, { dtype, shape }]);
    return [];
  });
  return form;
}

/**
 * Checks that a state read from elsewhere is this rule's, for these parameters: state is kept by name, never by position.
 *
 * @param rule the optimizer that is to go on with it.
 * @param params the parameters, or arrays of their types.
 * @param state what `step.read()` gave of the rule's memory.
 *
 * Throws ShapeError that names the rule and every path that is missing, too much or of another type.
 *
 * @example
 * optim.checkState(optim.adam(1e-3), { w: array([1]) }, { m: { w: array([0]) }, v: { w: array([0]) } });
 */
export function checkState(rule: Transform, params: HostTree, state: HostTree): void {
  const found = leavesOf<HostArray>(state).map(([path, leaf]) => [path, leaf.aval] as const);
  const faults = formFaults(formOf(rule, params), found);
  const { name } = rule.config;
  if (faults !== undefined)
    throw new ShapeError(
      `${name}: got a state ${faults}; expected the state of ${name} for these parameters. Hint: was it saved with another optimizer, other groups or another model?`,
      name,
    );
}
