import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OptionError } from "../../core/errors.ts";
import type { Metrics } from "../events.ts";
import {
  bestOf,
  type CheckpointOptions,
  type CheckpointPolicy,
  checkMetric,
  checkpointPolicy,
  dueBy,
  type Kept,
  removable,
  stepsUntilDue,
} from "./policy.ts";

describe("checkpointPolicy", () => {
  test("its defaults", () => {
    expect(checkpointPolicy()).toEqual({
      everySteps: Infinity,
      everyEpochs: 1,
      everyMinutes: 5,
      last: 2,
      best: 1,
      metric: "loss",
      mode: "min",
    });
    expect(checkpointPolicy({ everySteps: 7 }).everyEpochs).toBe(Infinity);
    expect(checkpointPolicy({ metric: "errorRate", mode: "min" }).mode).toBe("min");
    expect(checkpointPolicy({ metric: "top5Accuracy" }).mode).toBe("max");
  });

  test.each<[keyof CheckpointOptions, unknown]>([
    ["everySteps", 0],
    ["everySteps", 1.5],
    ["everySteps", Number.NaN],
    ["everyEpochs", -1],
    ["everyMinutes", 0],
    ["everyMinutes", Number.NaN],
    ["last", 0],
    ["last", -Infinity],
    ["best", -1],
    ["best", "2"],
    ["mode", "lowest"],
    ["of", "test"],
    ["metric", ""],
  ])("refuses %s %s by name", (option, value) => {
    const act = (): unknown => checkpointPolicy({ [option]: value } as CheckpointOptions);
    expect(act).toThrow(OptionError);
    expect(act).toThrow(`checkpoint: got ${option} `);
  });

  test("an option that is undefined has its default", () => {
    const none = { everySteps: undefined, last: undefined, metric: undefined, of: undefined } as unknown;
    expect(checkpointPolicy(none as CheckpointOptions)).toEqual(checkpointPolicy());
  });
});

test("a metric that the epochs do not have is named, with those they have", () => {
  const epoch = { train: { loss: 1, accuracy: 0.5 }, validation: {} };
  const check = (options: CheckpointOptions): void => checkMetric(checkpointPolicy(options), epoch);
  expect(() => check({ metric: "acuracy" })).toThrow(/got metric "acuracy"; the run's metrics are: loss, accuracy\.$/);
  expect(() => check({ of: "validation" })).toThrow(/got metric "loss"; the validation metrics are: none\.$/);
  expect(() => check({ metric: "acuracy", best: 0 })).not.toThrow();
  expect(() => check({ metric: "accuracy" })).not.toThrow();
});

const every = fc.oneof(fc.constant(Infinity), fc.integer({ min: 1, max: 50 }));

describe("when one is due", () => {
  const moment = { epochEnded: undefined, last: false, minutesSinceLast: 0 };

  test("stepping as far as it says meets every due step and no other", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 0, max: 200 }), (everySteps, from) => {
        const policy = checkpointPolicy({ everySteps });
        const due = (step: number): boolean => dueBy(policy, { ...moment, step }) !== undefined;
        const next = from + stepsUntilDue(policy, from);
        expect(next).toBeGreaterThan(from);
        expect(due(next)).toBe(true);
        for (let step = from + 1; step < next; step++) expect(due(step)).toBe(false);
      }),
    );
    expect(stepsUntilDue(checkpointPolicy(), 3)).toBe(Infinity);
  });

  test("steps and epochs do not ask the clock, and the clock counts from the last one", () => {
    fc.assert(
      fc.property(
        every,
        every,
        fc.nat(200),
        fc.option(fc.integer({ min: 1, max: 99 })),
        (steps, epochs, step, ended) => {
          const policy = checkpointPolicy({ everySteps: steps, everyEpochs: epochs, everyMinutes: 2 });
          const at = { step, epochEnded: ended ?? undefined, last: false };
          const bySteps = step % steps === 0 && steps !== Infinity;
          const byEpochs = ended !== null && epochs !== Infinity && ended % epochs === 0;
          for (const minutesSinceLast of [0, 1.99, 2, 100])
            expect(dueBy(policy, { ...at, minutesSinceLast })).toBe(
              bySteps || byEpochs ? "steps" : minutesSinceLast >= 2 ? "clock" : undefined,
            );
        },
      ),
    );
  });

  test("the end of the run always is", () => {
    const never = checkpointPolicy({ everySteps: 1000, everyMinutes: Infinity });
    expect(dueBy(never, { ...moment, step: 7, last: true })).toBe("steps");
    expect(dueBy(never, { ...moment, step: 7, minutesSinceLast: 1e9 })).toBeUndefined();
  });
});

/** Few values, so that ties are common, and all that are not finite. */
const value = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constantFrom(Number.NaN, Infinity, -Infinity, -0));
const metrics = fc.record({ loss: value, accuracy: value }, { requiredKeys: [] }) as fc.Arbitrary<Metrics>;
const kept: fc.Arbitrary<Kept[]> = fc
  .uniqueArray(
    fc.record({
      step: fc.nat(60),
      metrics: fc.option(fc.record({ train: metrics, validation: metrics }), { nil: undefined }),
      pinned: fc.boolean(),
    }),
    { selector: ({ step }) => step, minLength: 1, maxLength: 12 },
  )
  .map((list) => list.map((each) => ({ ...each, name: `step-${each.step}` })));
const policies: fc.Arbitrary<CheckpointPolicy> = fc
  .record({
    last: fc.integer({ min: 1, max: 4 }),
    best: fc.nat(4),
    metric: fc.constantFrom("loss", "accuracy"),
    of: fc.constantFrom("train" as const, "validation" as const),
  })
  .map(checkpointPolicy);

/** Where a checkpoint stands among those with a number for a metric: the earlier of equals first. */
function ranked(policy: CheckpointPolicy, list: readonly Kept[]): Kept[] {
  const sign = policy.mode === "min" ? 1 : -1;
  const score = ({ metrics }: Kept): number => sign * (metrics?.[policy.of ?? "train"][policy.metric] ?? Number.NaN);
  const left = list.filter((each) => !Number.isNaN(score(each)));
  const order: Kept[] = [];
  while (left.length > 0) {
    const first = left.reduce((a, b) => (score(b) < score(a) || (score(b) === score(a) && b.step < a.step) ? b : a));
    order.push(...left.splice(left.indexOf(first), 1));
  }
  return order;
}

describe("which are removed", () => {
  test("never the newest, the best or a pinned one; all others beyond what is to be kept", () => {
    fc.assert(
      fc.property(policies, kept, (policy, list) => {
        const gone = new Set(removable(policy, list));
        const left = list.filter(({ name }) => !gone.has(name));
        const newest = [...list].sort((a, b) => b.step - a.step).slice(0, policy.last);
        const best = ranked(policy, list).slice(0, policy.best);
        expect(left).toEqual(list.filter((each) => newest.includes(each) || best.includes(each) || each.pinned));
        expect(left.filter(({ pinned }) => !pinned).length).toBeLessThanOrEqual(policy.last + policy.best);
      }),
    );
  });

  test("whatever the order of the list", () => {
    const shuffled = kept.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
    );
    fc.assert(
      fc.property(policies, shuffled, (policy, [list, other]) => {
        expect(removable(policy, other).sort()).toEqual(removable(policy, list).sort());
        expect(bestOf(policy, other)).toEqual(bestOf(policy, list));
      }),
    );
  });

  test("removing them leaves nothing to remove", () => {
    fc.assert(
      fc.property(policies, kept, (policy, list) => {
        const gone = removable(policy, list);
        expect(
          removable(
            policy,
            list.filter(({ name }) => !gone.includes(name)),
          ),
        ).toEqual([]);
      }),
    );
  });

  test("as a run goes on, its best and its newest are there", () => {
    fc.assert(
      fc.property(policies, kept, (policy, list) => {
        let there: Kept[] = [];
        for (const [i, each] of [...list].sort((a, b) => a.step - b.step).entries()) {
          there.push({ ...each, pinned: false });
          const gone = removable(policy, there);
          there = there.filter(({ name }) => !gone.includes(name));
          const soFar = [...list].sort((a, b) => a.step - b.step).slice(0, i + 1);
          expect(there.at(-1)?.name).toBe(each.name);
          for (const { name } of ranked(policy, soFar).slice(0, policy.best))
            expect(there.map((other) => other.name)).toContain(name);
        }
      }),
    );
  });

  test("of equal metrics the earlier stays, a NaN is never best", () => {
    const at = (step: number, loss: number): Kept => {
      const metrics = { train: {}, validation: { loss } };
      return { name: `${step}`, step, metrics, pinned: false };
    };
    const policy = checkpointPolicy({ last: 1 });
    expect(removable(policy, [at(1, 2), at(2, 2), at(3, 3)])).toEqual(["2"]);
    expect(removable(policy, [at(1, Number.NaN), at(2, 2), at(3, 3)])).toEqual(["1"]);
    expect(removable(policy, [at(1, Number.NaN), at(2, Number.NaN)])).toEqual(["1"]);
    expect(removable(policy, [at(1, Infinity), at(2, Infinity), at(3, Number.NaN)])).toEqual(["2"]);
  });
});

describe("the best", () => {
  test("is the first in rank; none where no metric is a number", () => {
    fc.assert(
      fc.property(policies, kept, (policy, list) => {
        expect(bestOf(policy, list)).toEqual(ranked(policy, list)[0]);
      }),
    );
  });

  test("is by validation where there is any, else by training", () => {
    const at = (step: number, train: number, validation?: number): Kept => ({
      name: `${step}`,
      step,
      metrics: { train: { loss: train }, validation: validation === undefined ? {} : { loss: validation } },
      pinned: false,
    });
    expect(bestOf(checkpointPolicy(), [at(1, 1, 9), at(2, 9, 1)])?.step).toBe(2);
    expect(bestOf(checkpointPolicy(), [at(1, 1), at(2, 9)])?.step).toBe(1);
    expect(bestOf(checkpointPolicy({ of: "train" }), [at(1, 1, 9), at(2, 9, 1)])?.step).toBe(1);
  });
});
