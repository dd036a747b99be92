import { referenceBackend } from "../src/backends/reference/index.ts";
import { compileStep } from "../src/compile/step.ts";
import { array, type HostArray } from "../src/core/host-array.ts";
import { leavesOf } from "../src/core/tree.ts";
import type { Tensor } from "../src/ops/tensor.ts";
import { applyUpdates, type TensorTree, type Transform } from "../src/optim/transform.ts";
import type { RunLength } from "../src/trace/update-context.ts";
import { initOptimizer } from "../src/train/programs.ts";

type Values = Readonly<Record<string, readonly number[]>>;

const doubles = (values: readonly number[]): HostArray => array(Float64Array.from(values), [values.length], "f32");
const trees = (values: Values): Record<string, HostArray> =>
  Object.fromEntries(Object.entries(values).map(([name, list]) => [name, doubles(list)]));
const plain = (record: Readonly<Record<string, ArrayLike<number>>>): Record<string, number[]> =>
  Object.fromEntries(Object.entries(record).map(([name, data]) => [name, Array.from(data)]));

/** A rule on vectors, in doubles, whose gradients (and loss) the test gives step by step. */
export async function fedRule(rule: Transform, start: Values, run: RunLength = {}) {
  const backend = referenceBackend({ precision: "f64" });
  const params = trees(start) as unknown as HostArray;
  const memory = (await initOptimizer(backend, rule, params)) as HostArray;
  let compiled = 0;
  const counted = {
    ...backend,
    compile: ((program, store) => {
      compiled++;
      return backend.compile(program, store);
    }) as typeof backend.compile,
  };
  const names = Object.keys(start);
  const ruleMetrics: string[] = [];
  const step = await compileStep(
    counted,
    (old, batch, ctx) => {
      const before: TensorTree = old.params;
      const { gradients, loss } = batch as unknown as { gradients: TensorTree; loss: Tensor };
      const context = ctx.forUpdate(before, loss.sum());
      const [updates, after] = rule.update(gradients, old.memory, {
        ...context,
        metric(name, value) {
          ruleMetrics.push(name);
          context.metric(name, value);
        },
      });
      const params = applyUpdates(before, updates);
      const evaluated = rule.evalParams?.(params, after) ?? params;
      return {
        state: { params, memory: after },
        metrics: Object.fromEntries(leavesOf<Tensor>({ params, evaluated } as TensorTree)),
      };
    },
    { state: { params, memory }, batch: { gradients: params, loss: doubles([0]) }, run },
  );
  return {
    step,
    get compiled(): number {
      return compiled;
    },
    /** Parameters, weights to evaluate with and the rule's metrics after one step. */
    async next(gradients: Values, { loss = 1 }: { readonly loss?: number } = {}) {
      const batch = { gradients: trees(gradients), loss: doubles([loss]) } as unknown as HostArray;
      const { results } = await step.run(batch as never);
      const pick = (kind: string) => plain(Object.fromEntries(names.map((n) => [n, results[`${kind}.${n}`] ?? []])));
      return {
        params: pick("params"),
        evaluated: pick("evaluated"),
        metrics: Object.fromEntries(ruleMetrics.map((name) => [name, results[name]?.[0] as number])),
      };
    },
    /** The rule's memory by path. */
    async memory(): Promise<Record<string, number[]>> {
      const { memory: state } = (await step.read()) as { memory: HostArray };
      return Object.fromEntries(leavesOf<HostArray>(state).map(([path, leaf]) => [path, Array.from(leaf.data)]));
    },
    close: () => backend.close(),
  };
}
