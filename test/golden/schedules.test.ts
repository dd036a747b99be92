import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import * as schedule from "../../src/optim/schedules/index.ts";

type ScheduleCase = {
  readonly name: string;
  readonly config: { readonly kind: string };
  readonly run: schedule.RunLength;
  readonly oracle: string;
  /** Where the oracle is less exact; the generator says why. */
  readonly tolerance?: number;
  readonly points: readonly (readonly [step: number, rate: number])[];
};
type ReactiveCase<Options> = {
  readonly name: string;
  readonly options: Options;
  readonly oracle: string;
  readonly rate: number;
  /** null is NaN. */
  readonly reports: readonly (number | null)[];
  readonly rates: readonly number[];
};

const read = <T>(name: string): readonly T[] =>
  JSON.parse(readFileSync(new URL(`../../golden/schedules/${name}`, import.meta.url), "utf8")).cases;

const schedules = read<ScheduleCase>("schedules.json");
const plateaus = read<ReactiveCase<schedule.PlateauOptions>>("plateau.json");
const greedies = read<ReactiveCase<schedule.GreedyOptions>>("greedy.json");

/** PyTorch multiplies step by step, so its last digits drift; all is in doubles. A rate of 0 is exact. */
function expectRates(found: readonly number[], expected: readonly number[], tolerance = 1e-12): void {
  const off = found.filter(
    (rate, i) => !(Math.abs(rate - (expected[i] as number)) <= tolerance * (expected[i] as number)),
  );
  expect({ off, count: found.length }).toEqual({ off: [], count: expected.length });
}

/** A function is no data: the generator's stands here too. */
const f = (t: number): number => 0.5 + 0.5 * ((t * 3) % 4);

function build({ kind, ...config }: ScheduleCase["config"]): schedule.Schedule {
  if (kind !== "lambda") return schedule.fromJSON({ kind, ...config });
  const { rate, ...options } = config as unknown as { readonly rate: number } & schedule.LambdaOptions;
  return schedule.lambda(rate, f, options);
}

/** The rates after each report, the state having been through JSON each time. */
function ratesAfter({ base, reaction }: schedule.Reactive, reports: readonly (number | null)[]): number[] {
  let state = reaction.initial;
  return reports.map((report, i) => {
    const rate = base.at(i, {});
    state = JSON.parse(JSON.stringify(reaction.observe(state, report ?? Number.NaN, rate)));
    return reaction.rate(rate, state);
  });
}

describe("schedules", () => {
  test.each(schedules)("$name, as $oracle", ({ config, run, points, tolerance }) => {
    const built = build(config);
    expectRates(
      points.map(([step]) => built.at(step, run)),
      points.map(([, rate]) => rate),
      tolerance,
    );
  });

  test("every kind in the table has golden values", () => {
    // No framework has a trend; its tests stand beside it.
    const kinds = new Set([
      "reduceOnPlateau",
      "greedy",
      "reduceOnTrend",
      ...schedules.map(({ config }) => config.kind),
    ]);
    expect(schedule.table.map((form) => form.kind).filter((kind) => !kinds.has(kind))).toEqual([]);
  });
});

describe("plateau", () => {
  test.each(plateaus)("$name, as $oracle", ({ options, rate, reports, rates }) => {
    expectRates(ratesAfter(schedule.reduceOnPlateau(rate, options), reports), rates);
  });
});

describe("greedy", () => {
  test.each(greedies)("$name, as $oracle", ({ options, rate, reports, rates }) => {
    expectRates(ratesAfter(schedule.greedy(rate, options), reports), rates);
  });
});
