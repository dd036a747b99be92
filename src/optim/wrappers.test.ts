import { describe, expect, test } from "vitest";
import { fedRule } from "../../test/fed-gradients.ts";
import * as optim from "./index.ts";
import * as schedule from "./schedules/index.ts";

const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;

describe("skipNonFinite", () => {
  test.each([
    ["a NaN gradient", { a: [nan, 1], b: [1] }, 1],
    ["an infinite gradient", { a: [1, 1], b: [-infinity] }, 1],
    ["a NaN loss", { a: [1, 1], b: [1] }, nan],
    ["an infinite loss", { a: [1, 1], b: [1] }, infinity],
  ])("leaves out a step with %s: parameters, memory and count stay", async (_, bad, loss) => {
    const good = { a: [1, -2], b: [0.5] };
    const rule = await fedRule(optim.skipNonFinite(optim.adam(0.1)), { a: [1, 2], b: [3] });
    const plain = await fedRule(optim.adam(0.1), { a: [1, 2], b: [3] });
    const before = await rule.next(good);
    await plain.next(good);
    expect(before.metrics).toEqual({ skipped: 0 });

    const skipped = await rule.next(bad, { loss });
    expect(skipped.metrics).toEqual({ skipped: 1 });
    expect(skipped.params).toEqual(before.params);
    expect(await rule.memory()).toMatchObject({ "held.completed": [1], consecutive: [1], total: [1] });

    // The second counted update, bias corrections included, is the plain rule's second.
    expect((await rule.next(good)).params).toEqual((await plain.next(good)).params);
    expect(await rule.memory()).toMatchObject({ "held.completed": [2], consecutive: [0], total: [1] });
  });

  test("an overflowing sum of finite gradients is finite", async () => {
    const rule = await fedRule(optim.skipNonFinite(optim.sgd(0)), { a: [1, 1] });
    expect((await rule.next({ a: [1.7e308, 1.7e308] })).metrics).toEqual({ skipped: 0 });
  });

  test("gives up after maxConsecutive in a row, and then takes the step as it is", async () => {
    const rule = await fedRule(optim.skipNonFinite(optim.sgd(1), { maxConsecutive: 2 }), { a: [1] });
    const skipped = async (g: number) => (await rule.next({ a: [g] })).metrics.skipped;
    const found = [];
    for (const g of [nan, nan, 1, nan, nan]) found.push(await skipped(g));
    expect(found).toEqual([1, 1, 0, 1, 1]);
    const last = await rule.next({ a: [nan] });
    expect(last).toMatchObject({ metrics: { skipped: 0 }, params: { a: [nan] } });
  });
});

describe("skipExploding", () => {
  test("leaves out norms above the limit or the mean times the factor, and hands out the norm", async () => {
    const rule = await fedRule(optim.skipExploding(optim.sgd(0.1), { factor: 3, limit: 8, decay: 0.5 }), { a: [0, 0] });
    const next = async (g: number) => (await rule.next({ a: [0.6 * g, 0.8 * g] })).metrics;
    const close = (found: Record<string, number>, gradientNorm: number, skipped: number) => {
      expect(found.gradientNorm).toBeCloseTo(gradientNorm, 12);
      expect(found.skipped).toBe(skipped);
    };
    close(await next(10), 10, 1); // above the limit; 8 enters the mean
    close(await next(1), 1, 0); // mean (0.25 * 8 + 0.5 * 1) / 0.75 = 10 / 3
    close(await next(8.1), 8.1, 1); // above the limit
    close(await next(1), 1, 0);
    close(await next(1), 1, 0);
    close(await next(1), 1, 0);
    const { mean, weight } = (await rule.memory()) as { mean: [number]; weight: [number] };
    const usual = mean[0] / weight[0];
    expect(3 * usual).toBeLessThan(8);
    close(await next(3 * usual + 0.01), 3 * usual + 0.01, 1);
    const now = (await rule.memory()) as { mean: [number]; weight: [number] };
    expect(now.mean[0]).toBeCloseTo(0.5 * mean[0] + 0.5 * 3 * usual, 12);
  });

  test("a level that stays high is accepted, and what is not finite leaves the mean alone", async () => {
    const rule = await fedRule(optim.skipExploding(optim.sgd(0), { factor: 2, maxConsecutive: 3 }), { a: [0] });
    const skipped = async (g: number) => (await rule.next({ a: [g] })).metrics.skipped;
    await skipped(1);
    const before = await rule.memory();
    expect(await skipped(nan)).toBe(1);
    expect(await skipped(infinity)).toBe(1);
    const after = await rule.memory();
    expect([after.mean, after.weight]).toEqual([before.mean, before.weight]);
    expect(await skipped(1)).toBe(0);
    const found = [];
    for (let i = 0; i < 5; i++) found.push(await skipped(1000));
    expect(found).toEqual([1, 1, 1, 0, 0]);
  });
});

describe("accumulate", () => {
  test("steps once for k gradients, with their mean and the rate of that update", async () => {
    const rate = schedule.stepDecay(1, { everySteps: 1, factor: 0.5 });
    const rule = await fedRule(optim.accumulate(optim.sgd(rate), { steps: 3 }), { a: [10] });
    const found = [];
    for (const g of [1, 2, 3, 4, 5, 6, 7]) found.push((await rule.next({ a: [g] })).params.a?.[0]);
    // The mean 2 at rate 1, the mean 5 at rate 0.5; the seventh waits.
    expect(found).toEqual([10, 10, 8, 8, 8, 5.5, 5.5]);
    expect(await rule.memory()).toMatchObject({ "sum.a": [7], "held.completed": [2] });
  });

  test("epochs and fractions of a schedule are those of the run, however many micro-batches there are", async () => {
    const run = { stepsPerEpoch: 4, totalSteps: 8 };
    const rate = schedule.stepDecay(1, { everyEpochs: 1, factor: 0.1 });
    const rule = await fedRule(optim.accumulate(optim.sgd(rate), { steps: 2 }), { a: [0] }, run);
    for (let i = 0; i < 8; i++) await rule.next({ a: [1] });
    expect([0, 2, 3, 4, 7].map((step) => rule.step.hyperAt("rate", step))).toEqual([1, 1, 1, 0.1, 0.1]);
  });

  test("a rule that reads the loss reads the mean of the micro-batches' losses", async () => {
    const rule = await fedRule(optim.accumulate(optim.momo(1, { beta: 0 }), { steps: 2 }), { a: [1] });
    const whole = await fedRule(optim.momo(1, { beta: 0 }), { a: [1] });
    await rule.next({ a: [1] }, { loss: 0.1 });
    const { params } = await rule.next({ a: [3] }, { loss: 0.5 });
    expect(params.a?.[0]).toBeCloseTo((await whole.next({ a: [2] }, { loss: 0.3 })).params.a?.[0] as number, 14);
  });
});

describe("weights to evaluate with", () => {
  test("lookahead evaluates with the slow weights, which the fast ones meet", async () => {
    const rule = await fedRule(optim.lookahead(optim.sgd(1), { syncEvery: 2, slowRate: 0.25 }), { a: [1] });
    const first = await rule.next({ a: [1] });
    expect([first.params, first.evaluated]).toEqual([{ a: [0] }, { a: [1] }]);
    const second = await rule.next({ a: [3] });
    expect([second.params, second.evaluated]).toEqual([{ a: [0] }, { a: [0] }]);
  });

  test("swa evaluates with the parameters until its start, then with the mean of each epoch's last weights", async () => {
    const run = { stepsPerEpoch: 2, totalSteps: 8 };
    const rule = await fedRule(optim.swa(optim.sgd(1), { startEpochs: 2 }), { a: [8] }, run);
    const found = [];
    for (let i = 0; i < 8; i++) found.push((await rule.next({ a: [1] })).evaluated.a?.[0]);
    expect(found).toEqual([7, 6, 5, 4, 3, 2, 2, 1]);
  });

  test("the steps that swa averages over can be set while training, without compiling again", async () => {
    const run = { stepsPerEpoch: 100, totalSteps: 100 };
    const rule = await fedRule(optim.swa(optim.sgd(1)), { a: [8] }, run);
    const compiled = rule.compiled;
    rule.step.setHyper("averaging", 1);
    await rule.next({ a: [1] });
    await rule.next({ a: [1] });
    rule.step.setHyper("averaging", null);
    expect((await rule.next({ a: [1] })).evaluated).toEqual({ a: [6.5] });
    expect(rule.compiled).toBe(compiled);
  });

  test("swa in epochs needs to know how long one is", async () => {
    const rule = await fedRule(optim.swa(optim.sgd(1)), { a: [8] });
    await expect(rule.next({ a: [1] })).rejects.toThrow("swa: got no totalSteps; expected one.");
  });

  test("a wrapper, a chain and groups evaluate with what is inside, and keep that statistics are taken anew", async () => {
    const inside = optim.swa(optim.sgd(1), { startSteps: 0, everySteps: 1 });
    for (const rule of [
      optim.accumulate(inside, { steps: 1 }),
      optim.skipNonFinite(inside),
      optim.skipExploding(inside),
      optim.chain(optim.clipByGlobalNorm(9), inside),
      optim.groups(inside, [{ params: "a", rateFactor: 1 }]),
      optim.groups(inside, [{ params: "a", freeze: false }]),
      optim.partition([{ transform: inside }]),
    ]) {
      const { name } = rule.config;
      expect(rule.refreshesStatistics, name).toBe(true);
      const fed = await fedRule(rule, { a: [8] });
      await fed.next({ a: [1] });
      expect((await fed.next({ a: [1] })).evaluated, name).toEqual({ a: [6.5] });
    }
  });

  test.each([
    ["lookahead", () => optim.lookahead(optim.swa(optim.sgd(1)))],
    ["ema", () => optim.ema(optim.chain(optim.centralize(), optim.lookahead(optim.sgd(1))))],
    ["swa", () => optim.swa(optim.ema(optim.sgd(1)))],
  ])("%s around another average is refused", (name, make) => {
    expect(make).toThrow(`${name}: got `);
    expect(make).toThrow("which has weights of its own to evaluate with; expected a rule without.");
  });

  test("two starts of swa are refused", () => {
    expect(() => optim.swa(optim.sgd(1), { startEpochs: 1, startSteps: 10 })).toThrow(
      "swa: got startEpochs and startSteps; expected one of startFraction, startEpochs, startSteps.",
    );
  });
});
