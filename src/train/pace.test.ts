import { expect, test } from "vitest";
import { Pace } from "./pace.ts";
import { PhaseTimer } from "./phase-times.ts";

test("the first call is one step, later ones fill the time they may take", () => {
  const pace = new Pace(40);
  expect(pace.next(100)).toBe(1);
  pace.record(1, 2);
  expect(pace.next(100)).toBe(20);
  expect(pace.next(7)).toBe(7);
});

test("a slower step shortens the next call at once, and a step longer than the target runs alone", () => {
  const pace = new Pace(40);
  pace.record(1, 2);
  pace.record(20, 200);
  expect(pace.next(100)).toBe(4);
  pace.record(4, 400);
  expect(pace.next(100)).toBe(1);
});

test("one slow call is forgotten after some fast ones", () => {
  const pace = new Pace(40);
  pace.record(1, 80);
  for (let i = 0; i < 20; i++) pace.record(1, 1);
  expect(pace.next(100)).toBeGreaterThan(30);
});

test("the split of the instrumented steps is scaled to the epoch and starts over", () => {
  const timer = new PhaseTimer();
  timer.record({ sample: 1, forward: 3, backward: 5, update: 1 });
  timer.record({ sample: 1, forward: 3, backward: 5, update: 1 });
  timer.record(undefined);
  expect(timer.take(1000)).toEqual({ sample: 100, forward: 300, backward: 500, update: 100 });
  expect(timer.take(1000)).toEqual({ sample: 0, forward: 0, backward: 0, update: 0 });
});
