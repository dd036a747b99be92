import { expect, test } from "vitest";
import { OptionError } from "../core/errors.ts";
import { array } from "../core/host-array.ts";
import { customVjp } from "../trace/grad.ts";
import { checkGradient, GradientError } from "./check-gradient.ts";

const x = array([0.3, -0.7, 1.1]);

test("reports both numbers of a right derivative", async () => {
  const report = await checkGradient((v) => v.exp().mul(v.sin()), [x], { tolerance: 1e-9 });
  expect(Math.abs(report.derivative)).toBeGreaterThan(0.01);
  expect(report.difference).toBeCloseTo(report.derivative, 8);
});

test("finds a wrong derivative, and one that is wrong in its second order alone", async () => {
  const doubled = customVjp(
    (v) => v.sin(),
    (g, _, v) => [g.mul(v.cos()).mul(2)],
  );
  const error: unknown = await checkGradient(doubled, [x]).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(GradientError);
  expect((error as GradientError).report.error).toBeGreaterThan(0.01);
  const stopped = customVjp(
    (v) => v.sin(),
    (g, _, v) => [g.mul(v.cos().stopGradient())],
  );
  expect((await checkGradient(stopped, [x])).error).toBeLessThan(1e-9);
  await expect(checkGradient(stopped, [x], { order: 2 })).rejects.toThrow(GradientError);
});

test("leaves integers alone and wants some floats", async () => {
  const at = array([2, 0], [2], "i32");
  const report = await checkGradient((v, i) => v.gather(i), [x, at]);
  expect(report.error).toBeLessThan(1e-9);
  await expect(checkGradient((i) => i.cast("f32"), [at])).rejects.toThrow(OptionError);
});
