import { expect, test } from "vitest";
import * as schedule from "../optim/schedules/index.ts";
import type { HyperValue } from "../trace/update-context.ts";
import { Plateaus } from "./plateaus.ts";

const run = { stepsPerEpoch: 10, totalSteps: 100 };
const at = (value: HyperValue, step: number): number => (typeof value === "number" ? value : value.at(step, run));

function started(): { readonly plateaus: Plateaus; readonly values: readonly HyperValue[] } {
  const plateaus = new Plateaus();
  const values = [
    schedule.reduceOnPlateau(schedule.linear(1), { factor: 0.5 }),
    schedule.greedy(schedule.linear(1), { factor: 0.5, patience: 0, minRate: 0.3, maxRate: 10 }),
    schedule.cosine(1),
  ].map((hyper) => plateaus.read(hyper));
  plateaus.begin(run, true);
  return { plateaus, values };
}

test("each schedule that reacts gets its metric, and the base rate of the step that comes next", () => {
  const { plateaus, values } = started();
  plateaus.observe({ loss: 1 }, 10);
  plateaus.observe({ loss: 2 }, 50);
  const rates = values.slice(0, 2).map((value) => at(value, 50));
  // The greedy rate was raised to 2 times its base, halved, and is above its least rate of 0.3.
  expect(rates).toEqual([0.25, 0.5]);
  plateaus.observe({ loss: 2 }, 60);
  // Half of 0.4 is less than 0.3.
  expect(values.slice(0, 2).map((value) => at(value, 60))).toEqual([0.1, expect.closeTo(0.3, 12)]);
});

test("a schedule that does not react is read as it is", () => {
  const { plateaus } = started();
  const cosine = schedule.cosine(1);
  expect(plateaus.read(cosine)).toBe(cosine);
});

test("states go through JSON and continue", () => {
  const one = started();
  one.plateaus.observe({ loss: 1 }, 10);
  const states = JSON.parse(JSON.stringify(one.plateaus.save()));
  expect(states).toHaveLength(2);
  const other = started();
  other.plateaus.load(states);
  for (const { plateaus } of [one, other]) plateaus.observe({ loss: 2 }, 20);
  expect(other.values.map((value) => at(value, 20))).toEqual(one.values.map((value) => at(value, 20)));
});
