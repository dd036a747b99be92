import { describe, expect, test } from "vitest";
import { compileStep } from "../../src/compile/step.ts";
import { array } from "../../src/core/host-array.ts";
import { candidates } from "./candidates.ts";

describe.each(candidates)("$name", ({ create }) => {
  test("a fading state reaches 0 instead of staying at denormal numbers", async () => {
    const backend = create();
    const step = await compileStep(backend, (state) => ({ state: { m: state.m.mul(0.9) } }), {
      state: { m: array([2 ** -124, -(2 ** -124), 1, Number.NaN, 2 ** -120]) },
      batch: {},
    });
    await step.run({}, 15);
    const m = [...(await step.read()).m.data];
    // 0.9^15 is about 0.2: 2^-124 falls below 2^-126, 2^-120 does not.
    expect(m.slice(0, 2).map(Math.abs)).toEqual([0, 0]);
    expect(m[2]).toBeCloseTo(0.9 ** 15, 6);
    expect(m[3]).toBeNaN();
    expect(m[4]).toBeGreaterThan(2 ** -126);
    await backend.close();
  });
});
