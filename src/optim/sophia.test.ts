import { expect, test } from "vitest";
import { referenceBackend } from "../backends/reference/index.ts";
import { compileStep } from "../compile/step.ts";
import { array, type HostArray } from "../core/host-array.ts";
import type { Tensor } from "../ops/tensor.ts";
import { valueAndGrad } from "../trace/grad.ts";
import { initOptimizer } from "../train/programs.ts";
import * as optim from "./index.ts";
import type { SophiaState } from "./sophia.ts";
import type { TensorTree } from "./transform.ts";

/** x² + 3 x y + 5 y² / 2, of Hessian [[2, 3], [3, 5]]: each estimate of the diagonal is [2, 5] +- 3, both with one sign. */
const loss = (p: TensorTree): Tensor => {
  const { x, y } = p as { readonly x: Tensor; readonly y: Tensor };
  return x.square().add(x.mul(y).mul(3)).add(y.square().mul(2.5)).sum();
};

/** h after each of the steps. */
async function diagonals(rule: optim.Transform, steps: number): Promise<(readonly [number, number])[]> {
  const backend = referenceBackend();
  const params = { x: array([1]), y: array([-1]) };
  const memory = (await initOptimizer(backend, rule, params)) as unknown as HostArray;
  const step = await compileStep(
    backend,
    (old, _batch, ctx) => {
      const before: TensorTree = { x: old.x, y: old.y };
      const [value, gradients] = valueAndGrad(loss)(before);
      const [updates, after] = rule.update(gradients, old.memory, ctx.forUpdate(before, value, loss));
      const { h } = after as SophiaState;
      const { x, y } = h as { readonly x: Tensor; readonly y: Tensor };
      const next = optim.applyUpdates(before, updates) as { x: Tensor; y: Tensor };
      return { state: { ...next, memory: after }, metrics: { x, y } };
    },
    { state: { ...params, memory }, batch: {}, seed: 5 },
  );
  const { results } = await step.run({}, steps);
  await backend.close();
  return Array.from({ length: steps }, (_, i) => [results.x?.[i] as number, results.y?.[i] as number]);
}

test("the diagonal is estimated with new signs each time, without bias", async () => {
  const found = await diagonals(optim.sophia(1e-3, { beta2: 0, updateInterval: 1 }), 400);
  const errors = found.map(([x, y]) => [x - 2, y - 5]);
  for (const [x, y] of errors) {
    expect(Math.abs(x as number)).toBeCloseTo(3, 4);
    expect(y).toBeCloseTo(x as number, 4);
  }
  // The mean of 400 signs is 0 with a deviation of 1/20.
  const mean = errors.reduce((sum, [x]) => sum + (x as number), 0) / errors.length;
  expect(Math.abs(mean)).toBeLessThan(3 * 4 * 0.05);
});

test("the diagonal is brought up to date every so many steps alone", async () => {
  const found = await diagonals(optim.sophia(1e-3, { updateInterval: 3 }), 8);
  const changed = found.flatMap(([x], i) => (i > 0 && x !== found[i - 1]?.[0] ? [i] : []));
  expect(found[0]?.[0]).not.toBe(0);
  expect(changed).toEqual([3, 6]);
});
