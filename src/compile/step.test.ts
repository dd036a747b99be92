import { describe, expect, test } from "vitest";
import { referenceBackend } from "../backends/reference/index.ts";
import { aval } from "../core/dtype.ts";
import { array } from "../core/host-array.ts";
import { compileStep } from "./step.ts";

const line = (onRecompile?: (reason: string) => void) =>
  compileStep(
    referenceBackend(),
    (state, batch, ctx) => {
      const mean = batch.x.print("x").mean();
      return { state: { w: state.w.add(mean.mul(ctx.hyper("rate", 0.5))) }, metrics: { mean } };
    },
    {
      state: { w: array(1, []) },
      batch: { x: aval("f32", [2]) },
      onInspect: (label, step, value) => seen.push(`${label} ${step} ${value.data.join(",")}`),
      ...(onRecompile ? { onRecompile } : {}),
    },
  );
let seen: string[] = [];

describe("a step", () => {
  test("hands out printed values with their step", async () => {
    seen = [];
    const step = await line();
    await step.run({ "batch.x": Float32Array.of(1, 2, 3, 4) }, 2);
    expect(seen).toEqual(["x 1 1,2", "x 2 3,4"]);
    expect((await step.read()).w.item()).toBe(1 + 0.5 * 1.5 + 0.5 * 3.5);
  });

  test("compiles again for a batch of another shape, once, and says why", async () => {
    const reasons: string[] = [];
    const step = await line((reason) => reasons.push(reason));
    const sizes = [2, 3, 2, 3];
    for (const n of sizes) await step.run({ x: array(Float32Array.from({ length: n }, () => 4)) });
    expect((await step.read()).w.item()).toBe(9);
    expect(reasons).toHaveLength(1);
    expect(reasons[0]).toMatch(
      /compiled again in \d+ ms for a batch of batch\.x f32\[3\]; the first was batch\.x f32\[2\]/,
    );
  });

  test("an overridden or multiplied hyperparameter takes effect at the next call", async () => {
    const step = await line();
    step.setHyper("rate", 1);
    await step.run({ x: array([1, 1]) });
    step.setHyper("rate", null);
    step.setFactor("rate", 4);
    await step.run({ x: array([1, 1]) });
    expect((await step.read()).w.item()).toBe(1 + 1 + 2);
    expect(() => step.setHyper("momentum", 0)).toThrow('got "momentum"; expected one of rate');
  });

  test("a batch without what the step needs is refused by name", async () => {
    const step = await line();
    await expect(step.run({ y: array([1, 2]) })).rejects.toThrow("got nothing for batch.x; expected 1 x f32[2]");
  });
});
