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
    ["linear from 0.5 to 0.99", schedule.linear(0.5, { end: 0.99 })],
    ["linear 20ep to 1%", schedule.linear(0.1, { epochs: 20, alpha: 0.01 })],
    [
      "cosine 5ep to 1% exponent 2 cycles 1.5 like pytorch",
      schedule.cosine(0.1, { epochs: 5, alpha: 0.01, exponent: 2, cycles: 1.5, like: "pytorch" }),
    ],
    ["warmup 500st 1-sqrt from 0.01", schedule.warmup(0.1, { steps: 500, from: 0.01, shape: "1-sqrt" })],
    ["poly 2 to 1e-5", schedule.polynomial(0.1, { power: 2, end: 1e-5 })],
    ["poly 0.5 20ep cycle", schedule.polynomial(0.1, { power: 0.5, epochs: 20, cycle: true })],
    [
      "geometric 0.96/1000st staircase after 2ep to 0.001",
      schedule.geometricDecay(0.1, { factor: 0.96, steps: 1000, begin: { epochs: 2 }, staircase: true, end: 0.001 }),
    ],
    ["multistep 0.1 at 30ep,60ep", schedule.multiStep(0.1, { at: [{ epochs: 30 }, { epochs: 60 }], factor: 0.1 })],
    [
      "multistep at 0.5 0.2, 0.1 at 30st, 50% like keras",
      schedule.multiStep(0.5, { at: [{ steps: 30 }, { fraction: 0.5 }], factor: [0.2, 0.1], like: "keras" }),
    ],
    [
      "interpolate to 0.5,0 at 10%,100% cosine",
      schedule.interpolate(0.1, { at: [{ fraction: 0.1 }, { fraction: 1 }], values: [0.5, 0], shape: "cosine" }),
    ],
    ["restarts 10ep x2", schedule.cosineRestarts(0.1, { epochs: 10, lengthFactor: 2 })],
    [
      "restarts cycles 3 x1.5 peaks 0.5 to 0.001",
      schedule.cosineRestarts(0.1, { cycles: 3, lengthFactor: 1.5, peakFactor: 0.5, end: 0.001 }),
    ],
    ["cyclic 0.01..0.1/2000st", schedule.cyclic(0.1, { from: 0.01, steps: 2000 })],
    ["cyclic 0.01 .. 0.3 / 2000st", schedule.cyclic(0.3, { from: 0.01, steps: 2000 })],
    [
      "cyclic 2ep from 0.9 down 1ep exp gamma 0.99",
      schedule.cyclic(0.1, { from: 0.9, epochs: 2, down: { epochs: 1 }, mode: "exp", gamma: 0.99 }),
    ],
    ["cyclic 10st triangular2", schedule.cyclic(0.1, { steps: 10, mode: "triangular2" })],
    ["onecycle", schedule.oneCycle(0.1)],
    [
      "onecycle 5ep up 25% linear threephase div 10 finaldiv 100",
      schedule.oneCycle(0.1, { epochs: 5, up: 0.25, shape: "linear", threePhase: true, div: 10, finalDiv: 100 }),
    ],
    ["onecycle linear like optax back 90%", schedule.oneCycle(0.1, { shape: "linear", like: "optax", back: 0.9 })],
    ["onecycle at 0.85 from 0.95 to 0.95 like fastai", schedule.oneCycleMomentum({ like: "fastai" })],
    ["wsd 5% 80%", schedule.wsd(0.1, { warmup: { fraction: 0.05 }, stable: { fraction: 0.8 } })],
    [
      "wsd 20st decay 20% rising cosine falling 1-sqrt to 1%",
      schedule.wsd(0.1, {
        warmup: { steps: 20 },
        decay: { fraction: 0.2 },
        rising: "cosine",
        falling: "1-sqrt",
        alpha: 0.01,
      }),
    ],
    [
      "rsqrt warmup 10% timescale 5000st",
      schedule.inverseSqrt(0.1, { warmup: { fraction: 0.1 }, timescale: { steps: 5000 } }),
    ],
    ["rsqrt", schedule.inverseSqrt(0.1)],
    ["noam 512 warmup 4000st", schedule.noam(0.1)],
    ["flatcosine", schedule.flatCosine(0.1)],
    ["flatcosine 3ep to 0.001", schedule.flatCosine(0.1, { flat: { epochs: 3 }, end: 0.001 })],
    ["swa to 0.05", schedule.swa(0.1, { end: 0.05 })],
    ["swa 20st to 0.05 linear", schedule.swa(0.1, { end: 0.05, steps: 20, shape: "linear" })],
    ["factor 0.5/5ep", schedule.constantFactor(0.1, { factor: 0.5 })],
    ["ramp 0.25..1/5ep", schedule.linearFactor(0.1, { start: 0.25 })],
    [
      "constant for 75% | swa 5ep to 0.05",
      schedule.join([
        { schedule: schedule.constant(0.1), fraction: 0.75 },
        { schedule: schedule.swa(0.1, { epochs: 5, end: 0.05 }) },
      ]),
    ],
    [
      "cosine * step 0.1/3ep * ramp 0..1/20st",
      schedule.multiply([
        schedule.cosine(0.1),
        schedule.stepDecay(1, { everyEpochs: 3, factor: 0.1 }),
        schedule.linearFactor(1, { start: 0, steps: 20 }),
      ]),
    ],
    [
      "warmup 5% | constant * step 0.1/3ep",
      schedule.multiply([
        schedule.join([{ schedule: schedule.warmup(0.1), fraction: 0.05 }, { schedule: schedule.constant(0.1) }]),
        schedule.stepDecay(1, { everyEpochs: 3, factor: 0.1 }),
      ]),
    ],
    [
      "(cosine * step 0.5/2ep) for 10ep | constant at 0.01",
      schedule.join([
        {
          schedule: schedule.multiply([schedule.cosine(0.1), schedule.stepDecay(1, { everyEpochs: 2 })]),
          epochs: 10,
        },
        { schedule: schedule.constant(0.01) },
      ]),
    ],
    [
      "repeat 5ep (warmup 10% | cosine) * exp 0.1",
      schedule.multiply([
        schedule.repeat(
          schedule.join([{ schedule: schedule.warmup(0.1), fraction: 0.1 }, { schedule: schedule.cosine(0.1) }]),
          { epochs: 5 },
        ),
        schedule.exponentialDecay(1, { decay: 0.1 }),
      ]),
    ],
    [
      "repeat 5ep restarts 1ep for 10ep | cosine",
      schedule.join([
        { schedule: schedule.repeat(schedule.cosineRestarts(0.1, { epochs: 1 }), { epochs: 5 }), epochs: 10 },
        { schedule: schedule.cosine(0.1) },
      ]),
    ],
    [
      "plateau 0.1 absolute atol 0.5 average 3 minscale 0.01 eps 1e-6 like optax",
      schedule.reduceOnPlateau(0.1, {
        factor: 0.1,
        thresholdMode: "absolute",
        atol: 0.5,
        average: 3,
        minScale: 0.01,
        eps: 1e-6,
        like: "optax",
      }),
    ],
    [
      "trend 0.3 window 12 falls 5 threshold 0 min 1e-5 watch top-5",
      schedule.reduceOnTrend(0.1, { factor: 0.3, window: 12, falls: 5, threshold: 0, minRate: 1e-5, watch: "top-5" }),
    ],
    [
      "1/t 0.1 * greedy 0.9 patience 1 warmup 2 cooldown 3 min 0.01 max 2 smooth window 5 reset 7 mode max watch accuracy",
      schedule.greedy(schedule.inverseTimeDecay(0.1, { decay: 0.1 }), {
        factor: 0.9,
        patience: 1,
        warmup: 2,
        cooldown: 3,
        minRate: 0.01,
        maxRate: 2,
        smooth: true,
        window: 5,
        reset: 7,
        mode: "max",
        watch: "accuracy",
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
    const texts = schedule.table.flatMap(({ text }) => (text === undefined ? [] : [text]));
    expect(texts.map((text) => schedule.formatSchedule(schedule.parseSchedule(text, 0.1)))).toEqual(texts);
  });

  const wrong: readonly (readonly [text: string, position: number, expected: string])[] = [
    ["", 1, "one of constant, step, exp, 1/t, cosine, warmup, linear,"],
    ["lineal", 1, "one of constant"],
    ["step", 5, "a factor and a length"],
    ["step 0.5", 9, '"/" and a length'],
    ["step 0.5/5", 11, "a unit: ep (epochs), st (steps) or % (of the run)"],
    ["step 0.5/5min", 11, "a unit"],
    ["step 0.5/5ep 3", 14, '"|", "*" or the end. As in "step 0.5/5ep".'],
    ["exp", 4, "k, as in 0.05"],
    ["exp 0.05/%", 10, "a unit: ep (epochs) or st (steps)"],
    ["warmup 5% |", 12, "one of constant"],
    ["constant | cosine", 10, 'how long it lasts before "|"'],
    ["restarts 2ep | cosine", 14, '"cycles NUMBER", "x2", "peaks NUMBER", "to RATE", how long it lasts before "|"'],
    ["cosine * ", 10, "one of constant"],
    [
      "cosine too 1",
      8,
      'a length, as in 20ep, "to RATE", "exponent NUMBER", "cycles NUMBER", "like pytorch|optax", "|", "*" or the end',
    ],
    ["cosine like keras", 13, '"pytorch" or "optax"'],
    ["cosine to 3ep", 14, 'a rate after "to"'],
    ["plateau 0.5 | cosine", 13, '"patience NUMBER", "threshold NUMBER", "relative" or "absolute"'],
    ["cosine * plateau 0.5 * step 0.1/3ep", 22, '"patience NUMBER"'],
    ["constant for 3ep", 17, '"|" and what comes after'],
    ["(cosine", 8, "a length, as in 20ep"],
    ["(cosine) 3", 10, '"|", "*" or the end. As in "warmup 5% | cosine".'],
    ["cyclic 0.1..", 13, "0.01..0.1/2000st"],
    ["multistep 0.1", 14, '"at" and times, as in at 30ep,60ep'],
    ["noam warmup", 12, 'a length after "warmup"'],
    ["repeat cosine", 8, 'a length after "repeat"'],
    ["warmup 1-sqrt 1-sqrt", 15, "a length, as in 5%, 2ep or 500st"],
  ];
  test.each(wrong)('"%s" fails at %i', (text, position, expected) => {
    const { message, where } = errorOf(() => schedule.parseSchedule(text, 0.1));
    expect(message).toContain(`got "${text}"`);
    expect(message).toContain(`at position ${position}; expected ${expected}`);
    expect(message).toMatch(/ As in ".+"\.$/);
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
const shape = fc.constantFrom("linear" as const, "cosine" as const, "1-sqrt" as const);
const curve = fc.constantFrom("linear" as const, "cosine" as const);
const end = fc.oneof(
  fc.constant({}),
  fc.record({ end: fc.oneof(fc.constant(0), positive) }),
  fc.record({ alpha: fc.double({ min: 0, max: 2, noNaN: true }) }),
);
const maybe = <T extends object>(options: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<Partial<T>> =>
  fc.record(options, { requiredKeys: [] }) as fc.Arbitrary<Partial<T>>;
/** Steps alone: those of other units may be out of order. */
const boundaries = fc
  .uniqueArray(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 4 })
  .map((steps) => steps.sort((a, b) => a - b).map((n) => ({ steps: n })))
  .chain((at) => {
    const list = fc.array(positive, { minLength: at.length, maxLength: at.length });
    return fc.oneof(
      fc.constant({ at }),
      positive.map((factor) => ({ at, factor })),
      list.map((factor) => ({ at, factor })),
      list.map((values) => ({ at, values })),
    );
  });
const oneCycle = fc.oneof(
  maybe({
    like: fc.constantFrom("pytorch" as const, "optax" as const, "fastai" as const),
    shape: fc.constant("cosine" as const),
    up: fc.double({ min: 0.01, max: 0.99, noNaN: true }),
    div: positive,
    finalDiv: positive,
  }),
  maybe({ threePhase: fc.boolean(), shape: curve, up: fc.constantFrom(0.2, 0.5), from: positive, end: positive }),
  fc.record({
    like: fc.constant("optax" as const),
    shape: fc.constant("linear" as const),
    back: fc.constantFrom(0.8, 0.9),
  }),
);
const stage: fc.Arbitrary<schedule.Schedule> = fc.oneof(
  positive.map((rate) => schedule.constant(rate)),
  fc
    .tuple(positive, positive, positive)
    .map(([a, everyEpochs, factor]) => schedule.stepDecay(a, { everyEpochs, factor })),
  fc.tuple(positive, fc.integer({ min: 1, max: 99 })).map(([a, everySteps]) => schedule.stepDecay(a, { everySteps })),
  fc.tuple(positive, decay).map(([a, options]) => schedule.exponentialDecay(a, options)),
  fc.tuple(positive, decay).map(([a, options]) => schedule.inverseTimeDecay(a, options)),
  fc
    .tuple(
      positive,
      end,
      anySpan,
      maybe({ exponent: positive, cycles: positive, like: fc.constantFrom("optax" as const, "pytorch" as const) }),
    )
    .map(([a, to, length, options]) => schedule.cosine(a, { ...options, ...to, ...length })),
  fc
    .tuple(positive, positive, anySpan, shape)
    .map(([a, from, length, shape]) => schedule.warmup(a, { from, shape, ...length })),
  fc.tuple(positive, end, anySpan).map(([a, to, length]) => schedule.linear(a, { ...to, ...length })),
  fc
    .tuple(positive, end, anySpan, maybe({ power: positive, cycle: fc.boolean() }))
    .map(([a, to, length, options]) => schedule.polynomial(a, { ...options, ...to, ...length })),
  fc
    .tuple(positive, positive, span, maybe({ begin: span, staircase: fc.boolean(), end: positive }))
    .map(([a, factor, length, options]) => schedule.geometricDecay(a, { factor, ...options, ...length })),
  fc
    .tuple(positive, boundaries, fc.constantFrom("pytorch" as const, "keras" as const))
    .map(([a, options, like]) => schedule.multiStep(a, { ...options, like })),
  fc.tuple(positive, boundaries, curve).map(([a, options, shape]) => schedule.interpolate(a, { ...options, shape })),
  fc
    .tuple(
      positive,
      end,
      fc.oneof(span, fc.record({ cycles: fc.integer({ min: 1, max: 9 }) })),
      maybe({ lengthFactor: fc.constantFrom(1, 1.5, 2), peakFactor: positive }),
    )
    .map(([a, to, length, options]) => schedule.cosineRestarts(a, { ...options, ...to, ...length })),
  fc
    .tuple(
      positive,
      anySpan,
      maybe({
        from: positive,
        down: span,
        mode: fc.constantFrom("triangular" as const, "triangular2" as const, "exp" as const),
        gamma: fc.constantFrom(1, 0.99),
      }),
    )
    .map(([a, length, options]) => schedule.cyclic(a, { ...options, ...length })),
  fc.tuple(positive, anySpan, oneCycle).map(([a, length, options]) => schedule.oneCycle(a, { ...options, ...length })),
  fc
    .tuple(
      positive,
      end,
      fc.oneof(
        maybe({ warmup: fc.constantFrom({ steps: 20 }, { fraction: 0.05 }), decay: fc.constantFrom({ epochs: 3 }) }),
        maybe({ warmup: fc.constantFrom({ steps: 20 }), stable: fc.constantFrom({ epochs: 2 }, { fraction: 0.5 }) }),
      ),
      maybe({ rising: shape, falling: shape }),
    )
    .map(([a, to, phases, options]) => schedule.wsd(a, { ...options, ...to, ...phases })),
  fc.tuple(positive, maybe({ warmup: span, timescale: span })).map(([a, options]) => schedule.inverseSqrt(a, options)),
  fc.tuple(positive, maybe({ modelSize: positive, warmup: span })).map(([a, options]) => schedule.noam(a, options)),
  fc
    .tuple(positive, end, maybe({ flat: span }))
    .map(([a, to, options]) => schedule.flatCosine(a, { ...options, ...to })),
  fc
    .tuple(positive, end, anySpan, maybe({ shape: curve }))
    .map(([a, to, length, options]) => schedule.swa(a, { ...options, ...to, ...length })),
  fc
    .tuple(positive, anySpan, maybe({ factor: positive }))
    .map(([a, length, options]) => schedule.constantFactor(a, { ...options, ...length })),
  fc
    .tuple(positive, anySpan, maybe({ start: positive, stop: positive }))
    .map(([a, length, options]) => schedule.linearFactor(a, { ...options, ...length })),
);
const { base } = fc.letrec<{ base: schedule.Schedule }>((tie) => ({
  base: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    stage,
    fc
      .tuple(fc.array(fc.tuple(tie("base"), span), { minLength: 1, maxLength: 3 }), tie("base"))
      .map(([first, last]) =>
        schedule.join([...first.map(([s, length]) => ({ schedule: s, ...length })), { schedule: last }]),
      ),
    fc.array(tie("base"), { minLength: 2, maxLength: 3 }).map((factors) => schedule.multiply(factors)),
    fc.tuple(tie("base"), span).map(([s, length]) => schedule.repeat(s, length)),
  ),
}));
const watch = {
  mode: fc.constantFrom("min" as const, "max" as const),
  watch: fc.constantFrom("loss", "error", "top-5"),
};
const factor = fc.double({ min: 0.01, max: 0.99, noNaN: true });
const plateauOptions = maybe<schedule.PlateauOptions & object>({
  factor,
  patience: fc.integer({ min: 1, max: 12 }),
  threshold: fc.constantFrom(0, 1e-4, 0.1),
  thresholdMode: fc.constantFrom("relative" as const, "absolute" as const),
  atol: fc.constantFrom(0, 0.1),
  cooldown: fc.nat(3),
  minRate: fc.constantFrom(0, 1e-5),
  minScale: fc.constantFrom(0, 0.01),
  eps: fc.constantFrom(0, 1e-8),
  average: fc.constantFrom(1, 3),
  like: fc.constantFrom("lecture" as const, "pytorch" as const, "keras" as const, "optax" as const, "fastai" as const),
  ...watch,
} as never);
const trendOptions = maybe<schedule.TrendOptions & object>({
  factor,
  window: fc.integer({ min: 8, max: 30 }),
  falls: fc.constantFrom(3, 4),
  threshold: fc.constantFrom(0, 1e-4, 0.1),
  minRate: fc.constantFrom(0, 1e-5),
  ...watch,
} as never);
const greedyOptions = maybe<schedule.GreedyOptions & object>({
  factor,
  patience: fc.nat(5),
  threshold: fc.constantFrom(0, 1e-6, 0.1),
  thresholdMode: fc.constantFrom("relative" as const, "absolute" as const),
  cooldown: fc.nat(3),
  warmup: fc.nat(3),
  minRate: fc.constantFrom(0, 1e-3),
  maxRate: fc.constantFrom(1, 10),
  smooth: fc.boolean(),
  window: fc.constantFrom(5, 50),
  reset: fc.constantFrom(3, 500),
  ...watch,
} as never);
const anySchedule = fc.oneof(
  { weight: 3, arbitrary: base },
  fc.tuple(base, plateauOptions).map(([s, options]) => schedule.reduceOnPlateau(s, options)),
  fc.tuple(base, trendOptions).map(([s, options]) => schedule.reduceOnTrend(s, options)),
  fc.tuple(base, greedyOptions).map(([s, options]) => schedule.greedy(s, options)),
);

/** The rates, or the error of phases that do not fit into a stage. */
const ratesOf = (s: schedule.Schedule): number[] | string => {
  try {
    return rates(s);
  } catch (error) {
    if (error instanceof OptionError) return error.message;
    throw error;
  }
};

test("fromJSON(toJSON) is the same schedule", () => {
  fc.assert(
    fc.property(anySchedule, (s) => {
      const back = schedule.fromJSON(JSON.parse(JSON.stringify(s)));
      expect(back.toJSON()).toEqual(s.toJSON());
      expect(ratesOf(back)).toEqual(ratesOf(s));
    }),
    { numRuns: 500 },
  );
});

test("parseSchedule(formatSchedule) is the same schedule", () => {
  fc.assert(
    fc.property(anySchedule, positive, (s, rate) => {
      const back = schedule.parseSchedule(schedule.formatSchedule(s, rate), rate);
      expect(ratesOf(back)).toEqual(ratesOf(s));
      expect(schedule.parseSchedule(schedule.formatSchedule(s), schedule.baseRateOf(s)).toJSON()).toEqual(
        back.toJSON(),
      );
      if (schedule.isReactive(s) && schedule.isReactive(back))
        expect(back.reaction.options).toEqual(s.reaction.options);
      expect(back.kind).toBe(s.kind);
    }),
    { numRuns: 500 },
  );
});

test("a schedule of the user's own has no text form", () => {
  const own: schedule.Schedule = { kind: "mine", at: (step) => 1 / (step + 1), toJSON: () => ({ kind: "mine" }) };
  expect(errorOf(() => schedule.formatSchedule(own)).message).toContain("got a schedule of kind mine");
  expect(errorOf(() => schedule.fromJSON(own)).where).toBe("schedule.kind");
});
