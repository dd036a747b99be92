import { describe, expect, test } from "vitest";
import { OptionError } from "../../core/errors.ts";
import * as schedule from "./index.ts";

function errorOf(f: () => unknown): OptionError {
  try {
    f();
  } catch (error) {
    if (error instanceof OptionError) return error;
    throw error;
  }
  throw new Error("expected an OptionError");
}

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
      "join: stage 1: got reduceOnPlateau; expected it around the whole, as reduceOnPlateau(join(...)).",
    ],
    [
      "a plateau on a plateau",
      () => schedule.reduceOnPlateau(schedule.reduceOnPlateau(1)),
      "reduceOnPlateau: got reduceOnPlateau; expected a rate or a schedule that needs no reports.",
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
      () => schedule.fromJSON({ kind: "lineal" }),
      `schedule: got {"kind":"lineal"}; expected an object whose kind is one of ${schedule.table.map(({ kind }) => kind).join(", ")}.`,
    ],
    [
      "a function's data",
      () => schedule.fromJSON(JSON.parse(JSON.stringify(schedule.lambda(0.1, (t) => t)))),
      "lambda: got the data of a schedule made of a function; expected a schedule that is data. Hint: make it again with schedule.lambda.",
    ],
    [
      "a function's text",
      () => schedule.formatSchedule(schedule.lambda(0.1, (t) => t)),
      `formatSchedule: got a schedule of kind lambda, which has no text form; expected one of ${schedule.table.flatMap(({ kind, text }) => (text === undefined ? [] : [kind])).join(", ")}.`,
    ],
    [
      "a function that gives no number",
      () => schedule.lambda(0.1, () => Number.NaN).at(0, { stepsPerEpoch: 1 }),
      "lambda: got f(0) = NaN; expected a finite number.",
    ],
    [
      "an end twice",
      () => schedule.polynomial(0.1, { end: 0, alpha: 0.1 }),
      "polynomial: got end and alpha; expected one of them.",
    ],
    [
      "boundaries out of order",
      () => schedule.multiStep(0.1, { at: [{ epochs: 5 }, { epochs: 3 }] }),
      "multiStep: got 3ep after 5ep; expected times in order.",
    ],
    [
      "too few values",
      () => schedule.interpolate(0.1, { at: [{ epochs: 3 }, { epochs: 5 }], values: [1] }),
      "interpolate: got values = [1]; expected 2 numbers, as many as in at.",
    ],
    [
      "no period",
      () => schedule.cosineRestarts(0.1, {}),
      "cosineRestarts: got no first period; expected one of steps, epochs, fraction, cycles.",
    ],
    [
      "a decay without its length",
      () => schedule.geometricDecay(0.1, { factor: 0.5 }),
      "geometricDecay: got no length; expected one of steps, epochs, fraction.",
    ],
    [
      "three phases of another framework",
      () => schedule.oneCycle(0.1, { like: "fastai", threePhase: true }),
      'oneCycle: got threePhase with like = "fastai"; expected like "pytorch".',
    ],
    [
      "phases longer than the run",
      () => schedule.wsd(0.1, { warmup: { steps: 60 }, stable: { steps: 60 } }).at(70, { totalSteps: 100 }),
      "wsd: got phases longer than the run of 100 steps; expected shorter ones.",
    ],
    [
      "a nested length in epochs of unknown length",
      () => schedule.noam(1, { warmup: { epochs: 3 } }).at(0, {}),
      "noam: got no stepsPerEpoch; expected one. Hint: count in steps instead of epochs.",
    ],
    [
      "a nested length that is none",
      () => schedule.inverseSqrt(1, { warmup: {} as schedule.Span }),
      "inverseSqrt: got no length for warmup; expected one of steps, epochs, fraction.",
    ],
    [
      "a plateau as a factor of a product",
      () => schedule.multiply([schedule.constant(1), schedule.greedy(1)]),
      "multiply: factor 2: got greedy; expected it around the whole, as greedy(multiply(...)).",
    ],
    [
      "a trend that is repeated",
      () => schedule.repeat(schedule.reduceOnTrend(1), { steps: 5 }),
      "repeat: got reduceOnTrend; expected it around the whole, as reduceOnTrend(repeat(...)).",
    ],
    [
      "optax's patience of 0",
      () => schedule.plateau({ like: "optax", patience: 0 }),
      "plateau: got patience = 0 like optax, which would reduce at each improvement; expected an integer at least 1.",
    ],
    [
      "a window too short to tell a spike",
      () => schedule.reduceOnTrend(1, { window: 7 }),
      "reduceOnTrend: got window = 7; expected an integer at least 8.",
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
