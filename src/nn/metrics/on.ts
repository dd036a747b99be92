import type { TensorTree } from "../../trace/grad.ts";
import type { Metric } from "./metric.ts";

/**
 * A metric on parts of what a model gives and is to give: for models of several outputs, and for targets with weights.
 *
 * @example
 * nn.metrics.on(nn.accuracy(), { target: ({ target }: { target: Tensor; weight: Tensor }) => target })
 */
export function on<
  O extends TensorTree,
  T extends TensorTree,
  Value,
  Output extends TensorTree = O,
  Target extends TensorTree = T,
>(
  metric: Metric<O, T, Value>,
  parts: {
    /** Default the metric's own. */
    readonly name?: string;
    readonly output?: (output: Output) => O;
    readonly target?: (target: Target) => T;
  },
): Metric<Output, Target, Value> {
  const { output = (x: Output) => x as TensorTree as O, target = (x: Target) => x as TensorTree as T } = parts;
  const { collects } = metric;
  return {
    name: parts.name ?? metric.name,
    ...(collects === undefined ? {} : { collects }),
    apply: (x, y) => metric.apply(output(x), target(y)),
    value: (state) => metric.value(state),
  };
}
