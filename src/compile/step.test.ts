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

describe("a state", () => {
  const trained = async () => {
    const step = await line();
    await step.run({ "batch.x": Float32Array.of(1, 2, 3, 4) }, 2);
    return step;
  };

  test("goes on with its counts where another step stopped", async () => {
    const first = await trained();
    expect(await first.counts()).toEqual({ completed: 2, attempted: 2 });
    const second = await line();
    second.load(await first.read(), await first.counts());
    await second.run({ x: array([1, 1]) });
    expect(await second.counts()).toEqual({ completed: 3, attempted: 3 });
    second.load({ w: array(7, []) });
    expect(await second.counts()).toEqual({ completed: 3, attempted: 3 });
  });

  test("of another form is refused with every path, and nothing is replaced", async () => {
    const step = await trained();
    const before = await step.read();
    const load = (state: unknown) => () => step.load(state as typeof before);
    expect(load({ v: array([1, 2]) })).toThrow(
      "load: got a state without state.w f32[]; with state.v f32[2], which does not belong to it; expected the form of this step's state.",
    );
    expect(load({ w: array([1, 2]), v: array(1, []) })).toThrow(
      "load: got a state with state.v f32[], which does not belong to it; with state.w f32[2] instead of f32[]",
    );
    expect((await step.read()).w.item()).toBe(before.w.item());
  });
});
