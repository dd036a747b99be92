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
    // State is settled after every eighth update: the last time here after the 17th.
    await step.run({}, 18);
    const m = [...(await step.read()).m.data];
    // 0.9^17 is about 1/6: 2^-124 falls below 2^-126, 2^-120 does not.
    expect(m.slice(0, 2).map(Math.abs)).toEqual([0, 0]);
    expect(m[2]).toBeCloseTo(0.9 ** 18, 6);
    expect(m[3]).toBeNaN();
    expect(m[4]).toBeGreaterThan(2 ** -126);
    await backend.close();
  });

  test("large states settle after every eighth update alone, other values between stay as they are", async () => {
    const backend = create();
    const start = Float32Array.from({ length: 3000 }, (_, i) => (i % 2 ? -1 : 1) * 2 ** -(116 + (i % 11)));
    const step = await compileStep(backend, (state) => ({ state: { m: state.m.mul(0.75), n: state.n.add(state.m) } }), {
      state: { m: array(start), n: array(new Float32Array(3000)) },
      batch: {},
    });
    await step.run({}, 19);
    const { m, n } = await step.read();
    for (const i of [0, 1, 7, 8, 9, 1023, 1024, 2999]) {
      let [x, sum] = [start[i] as number, 0];
      for (let completed = 0; completed < 19; completed++) {
        const settle = (v: number): number => (completed % 8 === 0 && Math.abs(v) < 2 ** -126 ? 0 : v);
        [x, sum] = [settle(Math.fround(x * 0.75)), settle(Math.fround(sum + x))];
      }
      expect([i, m.data[i], n.data[i]]).toEqual([i, x, sum]);
    }
    await backend.close();
  });
});
