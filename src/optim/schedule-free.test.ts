import { describe, expect, test } from "vitest";
import { referenceBackend } from "../backends/reference/index.ts";
import { compileStep } from "../compile/step.ts";
import { array, type HostArray } from "../core/host-array.ts";
import type { Tensor } from "../ops/tensor.ts";
import { valueAndGrad } from "../trace/grad.ts";
import { initOptimizer } from "../train/programs.ts";
import * as optim from "./index.ts";
import * as schedule from "./schedules/index.ts";
import type { TensorTree, Transform } from "./transform.ts";

/** Runs a rule on |w|² in doubles; gives w and the weights to evaluate with after each step. */
async function walk(rule: Transform, start: readonly number[], steps: number) {
  const backend = referenceBackend({ precision: "f64" });
  const params = array(Float64Array.from(start), [start.length], "f32");
  const memory = (await initOptimizer(backend, rule, { w: params })) as HostArray;
  const loss = (p: TensorTree): Tensor => (p as { w: Tensor }).w.square().sum();
  const step = await compileStep(
    backend,
    (old, _batch, ctx) => {
      const before: TensorTree = { w: old.w };
      const [value, gradients] = valueAndGrad(loss)(before);
      const [updates, after] = rule.update(gradients, old.memory, ctx.forUpdate(before, value, loss));
      const { w } = optim.applyUpdates(before, updates) as { w: Tensor };
      const { w: mean } = (rule.evalParams?.({ w }, after) ?? { w }) as { w: Tensor };
      return { state: { w, memory: after }, metrics: { w, mean } };
    },
    { state: { w: params, memory }, batch: {} },
  );
  const rows: { w: number[]; mean: number[] }[] = [];
  for (let i = 0; i < steps; i++) {
    const { results } = await step.run({});
    rows.push({ w: [...(results.w ?? [])], mean: [...(results.mean ?? [])] });
  }
  await backend.close();
  return rows;
}

const square = (w: readonly number[]): number => w.reduce((sum, x) => sum + x * x, 0);

/** The three points kept apart, as the paper's equation has them. */
function points(start: readonly number[], steps: number, rate: (t: number) => number, beta: (t: number) => number) {
  let [x, z, y] = [start, start, start];
  let [largest, total] = [0, 0];
  return Array.from({ length: steps }, (_, i) => {
    const a = rate(i);
    largest = Math.max(largest, a);
    total += largest ** 2;
    const c = total === 0 ? 0 : largest ** 2 / total;
    z = z.map((v, j) => v - 2 * a * (y[j] as number));
    x = x.map((v, j) => (1 - c) * v + c * (z[j] as number));
    y = x.map((v, j) => beta(i) * v + (1 - beta(i)) * (z[j] as number));
    return { w: y, mean: x };
  });
}

const close = (found: readonly { w: number[]; mean: number[] }[], expected: ReturnType<typeof points>): void =>
  found.forEach((row, i) => {
    for (const name of ["w", "mean"] as const)
      row[name].forEach((value, j) => {
        expect(value, `${name} after step ${i + 1}`).toBeCloseTo(expected[i]?.[name][j] as number, 12);
      });
  });

describe("the weights to evaluate with", () => {
  test("are those of optax's documentation", async () => {
    const rows = await walk(optim.scheduleFreeSgd(1), [1, 2, 3], 5);
    const losses = rows.map(({ mean }) => square(mean).toExponential(2));
    expect(losses[0]).toBe("1.40e+1");
    expect(Number(losses[1])).toBeLessThan(1e-13);
    expect(losses.slice(2)).toEqual(["9.96e-1", "8.06e-1", "2.41e-1"]);
  });

  test("are the mean of z while the rate warms up from 0 and beta1 changes", async () => {
    const rate = schedule.warmup(0.2, { steps: 4 });
    const beta1 = schedule.stepDecay(0.9, { everySteps: 3, factor: 0.8 });
    const found = await walk(optim.scheduleFree(optim.sgd(rate), { beta1 }), [1, -2], 12);
    close(
      found,
      points(
        [1, -2],
        12,
        (t) => rate.at(t, {}),
        (t) => beta1.at(t, {}),
      ),
    );
  });

  test("are found within a chain and for groups too", async () => {
    const plain = optim.scheduleFree(optim.sgd(0.1));
    const expected = await walk(plain, [1, -2], 6);
    const { name } = plain.config;
    expect(name).toBe("scheduleFree");
    expect(await walk(optim.chain(optim.clipByValue(100), plain), [1, -2], 6)).toEqual(expected);
    const grouped = optim.groups(plain, [{ params: "w", beta1: 0.9 }]);
    expect(await walk(grouped, [1, -2], 6)).toEqual(expected);
    for (const rule of [optim.chain(plain), grouped, optim.masked(plain)]) expect(rule.refreshesStatistics).toBe(true);
  });
});

test("the rate of groups weighs their mean", async () => {
  const halved = optim.scheduleFree(optim.groups(optim.sgd(0.2), [{ params: "w", rateFactor: 0.5 }]));
  expect(await walk(halved, [1, -2], 6)).toEqual(await walk(optim.scheduleFree(optim.sgd(0.1)), [1, -2], 6));
});

describe("refuses", () => {
  test("a rule that has weights of its own to evaluate with", () => {
    expect(() => optim.scheduleFree(optim.scheduleFreeSgd(0.1))).toThrow(
      "scheduleFree: got scheduleFreeSgd, which has weights of its own to evaluate with; expected a rule without.",
    );
  });

  test("a rule without a rate", async () => {
    await expect(walk(optim.scheduleFree(optim.clipByValue(1)), [1], 1)).rejects.toThrow(
      "scheduleFree: got clipByValue, which has no rate; expected a rule with one, such as optim.sgd(0.5).",
    );
  });

  test("a power of the weights like Keras", () => {
    expect(() => optim.scheduleFreeAdamw(0.1, { like: "keras", weightPower: 1 })).toThrow(
      'scheduleFreeAdamw: got weightPower with like = "keras", which weighs all steps alike; expected one of them.',
    );
  });
});
