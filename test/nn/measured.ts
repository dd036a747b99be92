import type { Backend } from "../../src/compile/backend.ts";
import type { HostArray } from "../../src/core/host-array.ts";
import { leavesOf, type Tree, unflatten } from "../../src/core/tree.ts";
import type { Metric } from "../../src/nn/metrics/index.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { measure, type Task, Totals } from "../../src/train/task.ts";
import { run } from "./run.ts";

/** A metric over batches, as an evaluation adds them up. */
export async function measured<Value>(
  backend: Backend,
  metric: Metric<never, never, Value>,
  batches: readonly (readonly [output: Tree<HostArray>, target: Tree<HostArray>])[],
): Promise<Value> {
  const task = {
    loss: { name: "none", config: { kind: "none" }, apply: (output: never) => (output as Tensor).full(0, [], "f32") },
    metrics: [metric],
  } as unknown as Task;
  const totals = new Totals(task);
  for (const [output, target] of batches) {
    let shapes = {};
    const feeds = Object.fromEntries([
      ...leavesOf<HostArray>(output, "output"),
      ...leavesOf<HostArray>(target, "target"),
    ]);
    const results = await run(backend, feeds, (feed) => {
      const tensors = (tree: Tree<HostArray>, name: string): Tree<Tensor> =>
        unflatten(
          tree,
          leavesOf<HostArray>(tree, name).map(([path]) => feed(path)),
        );
      const found = measure(task, tensors(output, "output"), tensors(target, "target"));
      shapes = found.shapes;
      return found.results;
    });
    totals.add(results, 0, 1, shapes);
  }
  return totals.metrics()[metric.name] as Value;
}
