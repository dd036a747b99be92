import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as schedule from "./index.ts";

const run = { stepsPerEpoch: 10, totalSteps: 200 };

test("a plateau watches the error rate where asked", () => {
  expect(schedule.plateau().watched({ loss: 0.3, accuracy: 0.9 })).toBe(0.3);
  expect(schedule.plateau({ watch: "error" }).watched({ loss: 0.3, accuracy: 0.75 })).toBe(0.25);
});

test("a plateau's least rate bounds the reductions, not the schedule below", () => {
  const { reaction, base } = schedule.reduceOnPlateau(schedule.cosine(0.1), { factor: 0.1, minRate: 0.01 });
  const state = [1, 2, 3].reduce(reaction.observe, reaction.initial);
  expect(reaction.rate(base.at(0, run), state)).toBe(0.01);
  expect(reaction.rate(0.004, state)).toBe(0.004);
});

/** The numbers of the reports after which the rate fell. */
function firings({ reaction }: schedule.Reactive, reports: readonly number[]): number[] {
  let state = reaction.initial;
  return reports.flatMap((report, i) => {
    const before = reaction.rate(1, state);
    state = JSON.parse(JSON.stringify(reaction.observe(state, report, 1)));
    return reaction.rate(1, state) < before ? [i] : [];
  });
}

/** Uniform noise that is the same each time. */
function noise(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

describe("a trend", () => {
  const trend = schedule.reduceOnTrend(1);
  const fall = (slope: number, count: number): number[] => Array.from({ length: count }, (_, i) => 3 - slope * i);

  test.each([0.1, 0.01, 1e-3, 1e-4])("does not fire in a steady fall by %d", (slope) => {
    expect(firings(trend, fall(slope, 29))).toEqual([]);
  });

  test("does not fire in an exponential fall, until it is flat", () => {
    const falling = (count: number) => Array.from({ length: count }, (_, i) => 1 + Math.exp(-i / 5));
    expect(firings(trend, falling(40))).toEqual([]);
    const [first] = firings(trend, falling(100));
    expect(first).toBeGreaterThan(45);
    expect(first).toBeLessThan(60);
  });

  test("does not fire in a steady fall after a spike, where a plateau by the best report does", () => {
    for (let at = 1; at < 20; at++) {
      const reports = [...fall(0.05, at), ...fall(0.05, 20).map((report) => report + 2)];
      expect(firings(trend, reports)).toEqual([]);
      const plateau = schedule.reduceOnPlateau(1, { like: "pytorch", patience: 5 });
      expect(firings(plateau, reports).length).toBeGreaterThan(0);
    }
  });

  test("a spike of one report does not hide a fall", () => {
    for (let at = 1; at < 25; at++) {
      const reports = fall(0.05, 25).map((report, i) => (i === at ? report + 5 : report));
      expect(firings(trend, reports)).toEqual([]);
    }
  });

  test("fires on a level, at the end of each window", () => {
    expect(firings(trend, new Array<number>(40).fill(0.7))).toEqual([9, 19, 29, 39]);
  });

  test("fires on noise around a level, seldom later than three reports past the window", () => {
    const first = Array.from({ length: 500 }, (_, seed) => {
      const next = noise(seed * 7919 + 1);
      return (
        firings(
          trend,
          Array.from({ length: 40 }, () => 0.7 + 0.1 * next()),
        )[0] ?? Number.POSITIVE_INFINITY
      );
    });
    expect(Math.max(...first)).toBeLessThan(20);
    expect(first.filter((report) => report > 12).length).toBeLessThan(10);
  });

  test("seldom fires in a fall with noise as large as a step", () => {
    const fired = Array.from({ length: 500 }, (_, seed) => {
      const next = noise(seed * 104729 + 3);
      return firings(
        trend,
        fall(0.02, 12).map((report) => report + 0.01 * next()),
      ).length;
    });
    expect(fired.filter((count) => count > 0).length).toBeLessThan(10);
  });

  test("larger is better where asked, and what is not finite is left out", () => {
    const rising = fall(0.05, 30).map((report) => -report);
    expect(firings(schedule.reduceOnTrend(1, { mode: "max" }), rising)).toEqual([]);
    expect(firings(trend, rising)[0]).toBe(9);
    const { reaction } = trend;
    const state = reaction.observe({ reductions: 0, recent: [1] }, Number.NaN);
    expect(state).toEqual({ reductions: 0, recent: [1] });
  });

  test("the scale of the reports does not matter", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0.1, max: 3, noNaN: true }), { maxLength: 40 }), (reports) => {
        const scaled = reports.map((report) => 1024 * report);
        expect(firings(trend, scaled)).toEqual(firings(trend, reports));
      }),
    );
  });
});

test("reports are averaged where asked, also across a checkpoint", () => {
  const plateau = schedule.reduceOnPlateau(1, { average: 3 });
  // Means 1, 0.9, 1, 1.
  expect(firings(plateau, [0.5, 1, 1.5, 0.9, 0.8, 1, 0.9, 1, 1.1, 1, 1, 1])).toEqual([8, 11]);
});

test("greedy begins anew after reset reductions at its least rate", () => {
  const { reaction } = schedule.greedy(0.1, { factor: 0.5, patience: 0, minRate: 0.05, reset: 3 });
  let state = reaction.observe(reaction.initial, 1, 0.1);
  const rates = [2, 2, 2, 2].map((report) => {
    state = reaction.observe(state, report, 0.1);
    return reaction.rate(0.1, state);
  });
  expect(rates).toEqual([0.1, 0.05, 0.05, 0.1]);
});
