import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import * as schedule from "../../src/optim/schedules/index.ts";

type ScheduleCase = {
  readonly name: string;
  readonly config: { readonly kind: string };
  readonly run: schedule.RunLength;
  readonly oracle: string;
  readonly points: readonly (readonly [step: number, rate: number])[];
};
type PlateauCase = {
  readonly name: string;
  readonly options: schedule.PlateauOptions;
  readonly oracle: string;
  readonly rate: number;
  /** null is NaN. */
  readonly reports: readonly (number | null)[];
  readonly rates: readonly number[];
};

const read = <T>(name: string): readonly T[] =>
  JSON.parse(readFileSync(new URL(`../../golden/schedules/${name}`, import.meta.url), "utf8")).cases;

const schedules = read<ScheduleCase>("schedules.json");
const plateaus = read<PlateauCase>("plateau.json");

/** PyTorch multiplies step by step, so its last digits drift; all is in doubles. A rate of 0 is exact. */
function expectRates(found: readonly number[], expected: readonly number[]): void {
  const off = found.filter((rate, i) => !(Math.abs(rate - (expected[i] as number)) <= 1e-12 * (expected[i] as number)));
  expect({ off, count: found.length }).toEqual({ off: [], count: expected.length });
}

describe("schedules", () => {
  test.each(schedules)("$name, as $oracle", ({ config, run, points }) => {
    const built = schedule.fromJSON(config);
    expectRates(
      points.map(([step]) => built.at(step, run)),
      points.map(([, rate]) => rate),
    );
  });

  test("every kind in the table has golden values", () => {
    const kinds = new Set(["reduceOnPlateau", ...schedules.map(({ config }) => config.kind)]);
    expect(schedule.table.map((form) => form.kind).filter((kind) => !kinds.has(kind))).toEqual([]);
  });
});

describe("plateau", () => {
  test.each(plateaus)("$name, as $oracle", ({ options, rate, reports, rates }) => {
    const { base, reaction } = schedule.reduceOnPlateau(rate, options);
    let state = reaction.initial;
    const found = reports.map((report, i) => {
      state = JSON.parse(JSON.stringify(reaction.observe(state, report ?? Number.NaN)));
      return reaction.rate(base.at(i, {}), state);
    });
    expectRates(found, rates);
  });
});
