import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OptionError } from "../../core/errors.ts";
import * as schedule from "./index.ts";

const run = { stepsPerEpoch: 10, totalSteps: 200 };
const rates = (s: schedule.Schedule): number[] => [0, 1, 9, 10, 11, 49, 50, 51, 199].map((step) => s.at(step, run));

function errorOf(f: () => unknown): OptionError {
  try {
    f();
  } catch (error) {
    if (error instanceof OptionError) return error;
    throw error;
  }
  throw new Error("expected an OptionError");
}

describe("the text form", () => {
  const same: readonly (readonly [text: string, built: schedule.Schedule])[] = [
    ["constant", schedule.constant(0.1)],
    ["step 0.5/5ep", schedule.stepDecay(0.1, { everyEpochs: 5, factor: 0.5 })],
    ["step 0.1/2000st", schedule.stepDecay(0.1, { everySteps: 2000, factor: 0.1 })],
    ["  STEP  .5 / 5 epochs ", schedule.stepDecay(0.1, { everyEpochs: 5, factor: 0.5 })],
    ["exp 0.05", schedule.exponentialDecay(0.1, { decay: 0.05 })],
    ["exp 1e-3/st", schedule.exponentialDecay(0.1, { decay: 0.001, per: "step" })],
    ["exp 0.05 staircase", schedule.exponentialDecay(0.1, { decay: 0.05, staircase: true })],
    ["1/t 0.1", schedule.inverseTimeDecay(0.1, { decay: 0.1 })],
    ["cosine", schedule.cosine(0.1)],
    ["cosine 20ep to 0.001", schedule.cosine(0.1, { epochs: 20, end: 0.001 })],
    ["warmup 5%", schedule.warmup(0.1, { fraction: 0.05 })],
    [
      "warmup 5% | cosine",
      schedule.join([{ schedule: schedule.warmup(0.1), fraction: 0.05 }, { schedule: schedule.cosine(0.1) }]),
    ],
    [
      "warmup 100st from 0.01 | constant at 0.2 for 3ep | exp 0.05",
      schedule.join([
        { schedule: schedule.warmup(0.1, { from: 0.01 }), steps: 100 },
        { schedule: schedule.constant(0.2), epochs: 3 },
        { schedule: schedule.exponentialDecay(0.1, { decay: 0.05 }) },
      ]),
    ],
    ["plateau 0.5", schedule.reduceOnPlateau(0.1, { factor: 0.5 })],
    ["plateau", schedule.reduceOnPlateau(0.1)],
    [
      "plateau 0.1 patience 3 threshold 0.01 cooldown 2 min 1e-5 max watch accuracy like keras",
      schedule.reduceOnPlateau(0.1, {
        factor: 0.1,
        patience: 3,
        threshold: 0.01,
        cooldown: 2,
        minRate: 1e-5,
        mode: "max",
        watch: "accuracy",
        like: "keras",
      }),
    ],
    ["cosine * plateau 0.2", schedule.reduceOnPlateau(schedule.cosine(0.1), { factor: 0.2 })],
    [
      "warmup 1ep | plateau 0.5",
      schedule.reduceOnPlateau(
        schedule.join([{ schedule: schedule.warmup(0.1), epochs: 1 }, { schedule: schedule.constant(0.1) }]),
      ),
    ],
  ];
  test.each(same)("%s", (text, built) => {
    const parsed = schedule.parseSchedule(text, 0.1);
    expect(parsed.toJSON()).toEqual(built.toJSON());
    expect(rates(parsed)).toEqual(rates(built));
  });

  test("every schedule's own example is read, and written back", () => {
    const texts = schedule.table.map((form) => form.text);
    expect(texts.map((text) => schedule.formatSchedule(schedule.parseSchedule(text, 0.1)))).toEqual(texts);
  });

  const wrong: readonly (readonly [text: string, position: number, expected: string])[] = [
    ["", 1, "one of constant, step, exp, 1/t, cosine, warmup, plateau"],
    ["linear", 1, "one of constant"],
    ["step", 5, "a factor and a length"],
    ["step 0.5", 9, '"/" and a length'],
    ["step 0.5/5", 11, "a unit: ep (epochs), st (steps) or % (of the run)"],
    ["step 0.5/5min", 11, "a unit"],
    ["step 0.5/5ep 3", 14, 'the end, "|" or "* plateau"'],
    ["exp", 4, "k, as in 0.05"],
    ["exp 0.05/%", 10, "a unit: ep (epochs) or st (steps)"],
    ["warmup 5% |", 12, "one of constant"],
    ["constant | cosine", 10, 'how long it lasts before "|"'],
    ["cosine * exp 0.1", 10, "plateau"],
    ["plateau 0.5 | cosine", 13, "the end"],
    ["constant for 3ep", 17, '"|" and what comes after'],
  ];
  test.each(wrong)('"%s" fails at %i', (text, position, expected) => {
    const { message, where } = errorOf(() => schedule.parseSchedule(text, 0.1));
    expect(message).toContain(`got "${text}"`);
    expect(message).toContain(`at position ${position}; expected ${expected}`);
    expect(message).toContain('"step 0.5/5ep", "exp 0.05", "1/t 0.1"');
    expect(where).toBe("schedule");
  });

  test("a value out of range is the constructor's error", () => {
    expect(errorOf(() => schedule.parseSchedule("step -1/5ep", 0.1)).message).toBe(
      "stepDecay: got factor = -1; expected a number above 0.",
    );
    expect(errorOf(() => schedule.parseSchedule("plateau 1.5", 0.1)).where).toBe("plateau.factor");
  });
});

const positive = fc.double({ min: 1e-6, max: 10, noNaN: true });
const span: fc.Arbitrary<schedule.Span> = fc.oneof(
  fc.record({ steps: fc.integer({ min: 1, max: 1000 }) }),
  fc.record({ epochs: fc.double({ min: 0.01, max: 50, noNaN: true }) }),
  fc.record({ fraction: fc.double({ min: 1e-6, max: 1, noNaN: true }) }),
);
const anySpan = fc.oneof(fc.constant({}), span);
const decay = fc.record({
  decay: fc.double({ min: 0, max: 1, noNaN: true }),
  per: fc.constantFrom("epoch" as const, "step" as const),
  staircase: fc.boolean(),
});
const stage: fc.Arbitrary<schedule.Schedule> = fc.oneof(
  positive.map((rate) => schedule.constant(rate)),
  fc
    .tuple(positive, positive, positive)
    .map(([a, everyEpochs, factor]) => schedule.stepDecay(a, { everyEpochs, factor })),
  fc.tuple(positive, fc.integer({ min: 1, max: 99 })).map(([a, everySteps]) => schedule.stepDecay(a, { everySteps })),
  fc.tuple(positive, decay).map(([a, options]) => schedule.exponentialDecay(a, options)),
  fc.tuple(positive, decay).map(([a, options]) => schedule.inverseTimeDecay(a, options)),
  fc.tuple(positive, positive, anySpan).map(([a, end, length]) => schedule.cosine(a, { end, ...length })),
  fc.tuple(positive, positive, anySpan).map(([a, from, length]) => schedule.warmup(a, { from, ...length })),
);
const base = fc.oneof(
  stage,
  fc
    .tuple(fc.array(fc.tuple(stage, span), { minLength: 1, maxLength: 3 }), stage)
    .map(([first, last]) =>
      schedule.join([...first.map(([s, length]) => ({ schedule: s, ...length })), { schedule: last }]),
    ),
);
const plateauOptions: fc.Arbitrary<schedule.PlateauOptions> = fc.record(
  {
    factor: fc.double({ min: 0.01, max: 0.99, noNaN: true }),
    patience: fc.nat(5),
    threshold: fc.constantFrom(0, 1e-4, 0.1),
    cooldown: fc.nat(3),
    minRate: fc.constantFrom(0, 1e-5),
    like: fc.constantFrom("lecture" as const, "pytorch" as const, "keras" as const),
    mode: fc.constantFrom("min" as const, "max" as const),
    watch: fc.constantFrom("loss", "error", "accuracy"),
  },
  { requiredKeys: [] },
);
const anySchedule = fc.oneof(
  base,
  fc.tuple(base, plateauOptions).map(([s, options]) => schedule.reduceOnPlateau(s, options)),
);

test("fromJSON(toJSON) is the same schedule, through text too", () => {
  fc.assert(
    fc.property(anySchedule, (s) => {
      const back = schedule.fromJSON(JSON.parse(JSON.stringify(s)));
      expect(back.toJSON()).toEqual(s.toJSON());
      expect(rates(back)).toEqual(rates(s));
    }),
  );
});

test("parseSchedule(formatSchedule) is the same schedule", () => {
  fc.assert(
    fc.property(anySchedule, positive, (s, rate) => {
      const back = schedule.parseSchedule(schedule.formatSchedule(s, rate), rate);
      expect(rates(back)).toEqual(rates(s));
      expect(schedule.parseSchedule(schedule.formatSchedule(s), schedule.baseRateOf(s)).toJSON()).toEqual(
        back.toJSON(),
      );
      if (schedule.isReduceOnPlateau(s) && schedule.isReduceOnPlateau(back))
        expect(back.plateau.options).toEqual(s.plateau.options);
      else expect(back.kind).toBe(s.kind);
    }),
  );
});

test("a schedule of the user's own has no text form", () => {
  const own: schedule.Schedule = { kind: "mine", at: (step) => 1 / (step + 1), toJSON: () => ({ kind: "mine" }) };
  expect(errorOf(() => schedule.formatSchedule(own)).message).toContain("got a schedule of kind mine");
  expect(errorOf(() => schedule.fromJSON(own)).where).toBe("schedule.kind");
});

describe("refuses", () => {
  const tooFew: readonly (readonly [why: string, make: () => unknown, message: string])[] = [
    ["a negative rate", () => schedule.constant(-1), "constant: got rate = -1; expected a number at least 0."],
    ["NaN", () => schedule.warmup(Number.NaN), "warmup: got rate = NaN; expected a number at least 0."],
    [
      "two lengths",
      () => schedule.stepDecay(0.1, { everyEpochs: 5, everySteps: 100 }),
      "stepDecay: got everyEpochs and everySteps; expected one of them.",
    ],
    [
      "a misspelt option",
      () => schedule.stepDecay(0.1, { every: 5 } as schedule.StepDecayOptions),
      'stepDecay: got an option "every"; expected everyEpochs, everySteps, factor.',
    ],
    [
      "two spans",
      () => schedule.cosine(0.1, { steps: 5, epochs: 1 }),
      "cosine: got steps and epochs; expected one of steps, epochs, fraction.",
    ],
    [
      "half a step",
      () => schedule.warmup(0.1, { steps: 0.5 }),
      "warmup: got steps = 0.5; expected an integer at least 1.",
    ],
    [
      "an unknown unit of time",
      () => schedule.exponentialDecay(0.1, { decay: 0.1, per: "hour" as "step" }),
      'exponentialDecay: got per = "hour"; expected "epoch" or "step".',
    ],
    [
      "a stage without a length",
      () => schedule.join([{ schedule: schedule.constant(1) }, { schedule: schedule.constant(2) }]),
      "join: stage 1: got no length; expected one of steps, epochs, fraction.",
    ],
    [
      "a plateau as a stage",
      () => schedule.join([{ schedule: schedule.reduceOnPlateau(1) }]),
      "join: stage 1: got reduceOnPlateau; expected it around the whole, as reduceOnPlateau(join([...])).",
    ],
    [
      "a plateau on a plateau",
      () => schedule.reduceOnPlateau(schedule.reduceOnPlateau(1)),
      "reduceOnPlateau: got a plateau; expected a rate or another schedule.",
    ],
    [
      "epochs of unknown length",
      () => schedule.stepDecay(0.1).at(0, {}),
      "stepDecay: got no stepsPerEpoch; expected one. Hint: count in steps instead of epochs.",
    ],
    [
      "a run of unknown length",
      () => schedule.cosine(0.1).at(0, { stepsPerEpoch: 5 }),
      "cosine: got no totalSteps; expected one. Hint: give a length in steps or epochs.",
    ],
    [
      "a metric that is not there",
      () => schedule.plateau({ watch: "f1" }).watched({ loss: 1 }),
      'plateau: got watch = "f1"; expected one of the validation metrics: loss.',
    ],
    [
      "data of an unknown kind",
      () => schedule.fromJSON({ kind: "linear" }),
      'schedule: got {"kind":"linear"}; expected an object whose kind is one of constant, stepDecay, exponentialDecay, inverseTimeDecay, cosine, warmup, join, reduceOnPlateau.',
    ],
    [
      "data with a wrong value",
      () => schedule.fromJSON({ kind: "stepDecay", rate: "fast" }),
      'stepDecay: got rate = "fast"; expected a number at least 0.',
    ],
  ];
  test.each(tooFew)("%s", (_, make, message) => {
    expect(errorOf(make).message).toBe(message);
  });
});

test("a plateau watches the error rate where asked", () => {
  expect(schedule.plateau().watched({ loss: 0.3, accuracy: 0.9 })).toBe(0.3);
  expect(schedule.plateau({ watch: "error" }).watched({ loss: 0.3, accuracy: 0.75 })).toBe(0.25);
});

test("a plateau's least rate bounds the reductions, not the schedule below", () => {
  const { plateau, base } = schedule.reduceOnPlateau(schedule.cosine(0.1), { factor: 0.1, minRate: 0.01 });
  const state = [1, 2, 3].reduce(plateau.observe, plateau.initial);
  expect(plateau.rate(base.at(0, run), state)).toBe(0.01);
  expect(plateau.rate(0.004, state)).toBe(0.004);
});
