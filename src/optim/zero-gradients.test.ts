import { expect, test } from "vitest";
import { referenceBackend } from "../backends/reference/index.ts";
import { compileStep } from "../compile/step.ts";
import { array, type HostArray } from "../core/host-array.ts";
import { leavesOf } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { valueAndGrad } from "../trace/grad.ts";
import { initOptimizer } from "../train/programs.ts";
import * as optim from "./index.ts";
import type { TensorTree, Transform } from "./transform.ts";

/** Two steps of a loss that is 0 everywhere, from parameters that are 0 and from others; size 1 and a convolution's kernel among them. */
async function steps(rule: Transform): Promise<HostArray> {
  const backend = referenceBackend();
  const params = {
    scalar: array([0]),
    zeros: array([0, 0, 0]),
    matrix: array(
      Float32Array.from({ length: 12 }, (_, i) => Math.sin(i + 1)),
      [3, 4],
    ),
    kernel: array(
      Float32Array.from({ length: 16 }, (_, i) => Math.cos(i)),
      [2, 2, 2, 2],
    ),
  };
  const memory = (await initOptimizer(backend, rule, params)) as HostArray;
  const loss = (at: TensorTree): Tensor =>
    leavesOf<Tensor>(at)
      .map(([, x]) => x.sum().mul(0))
      .reduce((sum, part) => sum.add(part));
  const step = await compileStep(
    backend,
    (old, _batch, ctx) => {
      const before: TensorTree = old.params as unknown as TensorTree;
      const [value, gradients] = valueAndGrad(loss)(before);
      const batch = (Object.values(before)[0] as Tensor).full(0, [2]);
      const examples = { batch, loss: (at: TensorTree, row: TensorTree) => loss(at).add((row as Tensor).sum()) };
      const ctxOfRule = ctx.forUpdate(before, value, loss, examples);
      const [updates, after] = rule.update(gradients, old.memory as unknown as TensorTree, ctxOfRule);
      return { state: { params: optim.applyUpdates(before, updates), memory: after } };
    },
    { state: { params: params as unknown as HostArray, memory }, batch: {} },
  );
  await step.run({}, 2);
  const found = await step.read();
  await backend.close();
  return found as unknown as HostArray;
}

const rules = optim.table.filter(({ role }) => role === "rule").map((rule) => rule.name);
const wrappers = {
  sam: optim.sam(optim.sgd(0.1)),
  "adaptive sam": optim.sam(optim.sgd(0.1), { adaptive: true }),
  mechanize: optim.mechanize(optim.adam(1)),
  scheduleFree: optim.scheduleFree(optim.adam(0.1, { beta1: 0 })),
};
const cases: readonly (readonly [name: string, rule: Transform])[] = [
  ...rules.map((name) => [name, optim.fromConfig({ name })] as const),
  ...Object.entries(wrappers),
];

test.each(cases)("%s: zero gradients leave parameters and memory finite", async (_, rule) => {
  for (const [path, { data }] of leavesOf<HostArray>(await steps(rule)))
    expect(
      [...data].every((x) => Number.isFinite(x)),
      path,
    ).toBe(true);
});
