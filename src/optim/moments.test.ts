import { describe, expect, test } from "vitest";
import { referenceBackend } from "../backends/reference/index.ts";
import { compileStep } from "../compile/step.ts";
import { array, type HostArray } from "../core/host-array.ts";
import type { Tensor } from "../ops/tensor.ts";
import { initOptimizer } from "../train/programs.ts";
import { fromConfig, type TensorTree, type Transform } from "./index.ts";

/** A step of a rule for the parameters `x` with the gradients of its batch, in single precision. */
async function stepOf(rule: Transform, x: HostArray) {
  const backend = referenceBackend();
  const memory = (await initOptimizer(backend, rule, { x })) as HostArray;
  return await compileStep(
    backend,
    (old, batch, ctx) => {
      const before: TensorTree = { x: old.x };
      const [updates, after] = rule.update({ x: batch.g }, old.memory, ctx.forUpdate(before, batch.g.sum()));
      return { state: { x: old.x.add((updates as { x: Tensor }).x), memory: after }, metrics: {} };
    },
    { state: { x, memory }, batch: { g: x } },
  );
}

const configs = [
  ...["lecture", "pytorch", "optax", "keras"].flatMap((like) => [
    { name: "adam", like },
    { name: "adam", like, amsgrad: true },
  ]),
  ...["pytorch", "optax", "keras"].flatMap((like) => [
    { name: "adamax", like },
    { name: "nadam", like },
  ]),
  ...["pytorch", "optax"].map((like) => ({ name: "radam", like })),
  ...["adabelief", "adan", "ademamix", "simplifiedAdemamix", "adopt", "acprop", "sparseAdam"].map((name) => ({ name })),
];

describe("without any gradient nothing moves", () => {
  test.each(configs.map((config) => [Object.values(config).join(" "), config] as const))("%s", async (_, config) => {
    const step = await stepOf(fromConfig({ ...config, rate: 0.1 }), array([0, -2]));
    await step.run({ g: array(new Float32Array(16), [8, 2]) }, 8);
    expect([...(await step.read()).x.data]).toEqual([0, -2]);
  });

  test("but by yogi, whose mean starts above 0, and that a little", async () => {
    const step = await stepOf(fromConfig({ name: "yogi", rate: 0.1 }), array([0, -2]));
    await step.run({ g: array(new Float32Array(16), [8, 2]) }, 8);
    const moved = (await step.read()).x.data[0] as number;
    expect(moved).toBeLessThan(0);
    expect(moved).toBeGreaterThan(-1e-3);
  });
});

/**
 * The rectification r at step t in double precision. While t (1 - b2) is small its rho is a small difference of large numbers:
 * in single precision r would be off by 4e-5 at step 6 with b2 0.999, and altogether with 0.9999.
 */
function rectification(beta2: number, t: number): number {
  const longest = 2 / (1 - beta2) - 1;
  const rho = longest - (2 * t) / Math.expm1(-t * Math.log(beta2));
  return rho > 5 ? Math.sqrt(((rho - 4) * (rho - 2) * longest) / ((longest - 4) * (longest - 2) * rho)) : 1;
}

test.each([0.8, 0.99, 0.999, 0.9999])(
  "RAdam's rectification holds at every step in single precision, beta2 %s",
  async (beta2) => {
    const rule = fromConfig({ name: "radam", rate: 1, beta1: 0.9, beta2, eps: 0, like: "optax" });
    const step = await stepOf(rule, array([0]));
    for (const t of [5, 6, 7, 20, 99, 100, 101, 999, 1000, 1001, 9999, 10001, 1e6]) {
      const mean = (beta: number): HostArray => array([-Math.expm1((t - 1) * Math.log(beta))]);
      const memory = { m: { x: mean(0.9) }, v: { x: mean(beta2) } } as unknown as HostArray;
      step.load({ x: array([0]), memory });
      step.store.write("completed", array(Int32Array.of(t - 1), []));
      await step.run({ g: array([1]) });
      const found = -((await step.read()).x.data[0] as number);
      expect(Math.abs(found / rectification(beta2, t) - 1), `step ${t}`).toBeLessThan(3e-6);
    }
  },
);
