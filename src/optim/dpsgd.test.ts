import { expect, test } from "vitest";
import { referenceBackend } from "../backends/reference/index.ts";
import { compileStep } from "../compile/step.ts";
import { array } from "../core/host-array.ts";
import type { Tensor } from "../ops/tensor.ts";
import { valueAndGrad } from "../trace/grad.ts";
import * as optim from "./index.ts";
import type { TensorTree } from "./transform.ts";

const SIZE = 4000;

/** Steps from 0 on the mean of the examples' <slope, w>, of slopes 0, 1 and -2 for every weight. */
async function steps(rule: optim.Transform, count: number, withExamples = true): Promise<number[][]> {
  const backend = referenceBackend();
  const step = await compileStep(
    backend,
    (old, batch, ctx) => {
      const params: TensorTree = { w: old.w };
      const loss = (at: TensorTree, slopes: Tensor): Tensor =>
        (at as { readonly w: Tensor }).w.sum().mul(slopes.mean());
      const whole = (at: TensorTree): Tensor => loss(at, batch.slopes);
      const examples = { batch: batch.slopes, loss: (at: TensorTree, slope: TensorTree) => loss(at, slope as Tensor) };
      const [value, gradients] = valueAndGrad(whole)(params);
      const ctxOfRule = ctx.forUpdate(params, value, whole, ...(withExamples ? [examples] : []));
      const [updates] = rule.update(gradients, rule.init(params), ctxOfRule);
      return { metrics: { u: (updates as { readonly w: Tensor }).w } };
    },
    { state: { w: array(new Float32Array(SIZE), [SIZE]) }, batch: { slopes: array([0, 1, -2]) }, seed: 7 },
  );
  const found: number[][] = [];
  for (let i = 0; i < count; i++) found.push([...((await step.run({ slopes: array([0, 1, -2]) })).results.u ?? [])]);
  await backend.close();
  return found;
}

const mean = (x: readonly number[]): number => x.reduce((sum, v) => sum + v, 0) / x.length;

test("noise of deviation C s / B is drawn anew each step, around the mean of the clipped gradients", async () => {
  // Slopes 1 and -2 are of norms sqrt(4000) and twice that: clipped to 0.6, they cancel out.
  const [first, second] = (await steps(optim.dpsgd(1, { maxNorm: 0.6, noise: 1.5 }), 2)) as [number[], number[]];
  const deviation = (0.6 * 1.5) / 3;
  for (const drawn of [first, second]) {
    expect(Math.abs(mean(drawn))).toBeLessThan((4 * deviation) / Math.sqrt(SIZE));
    const found = Math.sqrt(mean(drawn.map((v) => v * v)));
    expect(Math.abs(found / deviation - 1)).toBeLessThan(4 / Math.sqrt(2 * SIZE));
  }
  const together = mean(first.map((v, i) => v * (second[i] as number))) / deviation ** 2;
  expect(Math.abs(together)).toBeLessThan(4 / Math.sqrt(SIZE));
});

test("an example with no gradient counts in the mean", async () => {
  const [found] = (await steps(optim.dpsgd(1, { maxNorm: 1000, noise: 0 }), 1)) as [number[]];
  for (const u of found) expect(u).toBeCloseTo(1 / 3, 6);
});

test("a step without examples is refused", async () => {
  await expect(steps(optim.privateAggregate(1), 1, false)).rejects.toThrow(
    "update: this rule needs the gradients of each example, and the step gives no examples; expected them as the fourth argument of ctx.forUpdate(params, loss, objective, examples).",
  );
});

test("nesterov without momentum is refused", () => {
  expect(() => optim.dpsgd(0.1, { nesterov: true })).toThrow("dpsgd: got nesterov without momentum; expected both.");
});
