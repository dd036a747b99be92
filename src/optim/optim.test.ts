import { describe, expect, test } from "vitest";
import { OptionError } from "../core/errors.ts";
import type { HyperSpec, NumberHyper, Rule } from "./hyper.ts";
import * as optim from "./index.ts";
import * as schedule from "./schedules/index.ts";

/** What `optim` exports beside rules and transforms. */
const COMBINATORS = ["applyUpdates", "chain", "fromConfig", "globalNorm"];

const rows = optim.table.map((rule) => ({ name: rule.name, rule }));

function errorOf(f: () => unknown): OptionError {
  try {
    f();
  } catch (error) {
    if (error instanceof OptionError) return error;
    throw error;
  }
  throw new Error("expected an OptionError");
}

/** Numbers just outside a hyperparameter's range, and things that are no numbers. */
function wrongNumbers({ min, above, max, below }: NumberHyper): unknown[] {
  return [
    min === undefined ? [] : [min - 1e-3],
    above === undefined ? [] : [above],
    max === undefined ? [] : [max + 1e-3],
    below === undefined ? [] : [below],
    [Number.NaN, Number.POSITIVE_INFINITY, "0.1", {}, null],
  ].flat();
}

const wrongValues = (spec: HyperSpec): unknown[] => {
  if (spec.type === "number") return wrongNumbers(spec);
  return spec.type === "flag" ? [1, "true"] : ["optax?", true];
};

/** A value that the first hyperparameter takes. */
function firstOf({ hypers }: Rule): number {
  const [spec] = Object.values(hypers);
  return spec?.type === "number" && spec.default !== null ? spec.default : 0.5;
}

test("every function of optim has a row in the table, under its own name", () => {
  const functions = Object.entries(optim).filter(([, value]) => typeof value === "function");
  const named = functions.map(([name]) => name).filter((name) => !COMBINATORS.includes(name));
  expect(optim.table.map((rule) => rule.name).sort()).toEqual(named.sort());
  for (const { name, create } of optim.table) expect(functions).toContainEqual([name, create]);
});

describe.each(rows)("$name", ({ rule }) => {
  const [first, ...others] = Object.entries(rule.hypers) as [[string, HyperSpec], ...[string, HyperSpec][]];

  test("has the defaults that the table says", () => {
    const defaults = Object.entries(rule.hypers).filter(([, spec]) => spec.default !== null);
    expect(rule.create(firstOf(rule)).config).toEqual({
      name: rule.name,
      [first[0]]: firstOf(rule),
      ...Object.fromEntries(defaults.map(([name, spec]) => [name, spec.default])),
    });
    if (first[1].default !== null) expect(rule.create().config).toEqual(rule.create(firstOf(rule)).config);
  });

  test.each([first, ...others])("refuses a wrong %s", (name, spec) => {
    for (const value of wrongValues(spec)) {
      const error = errorOf(() =>
        name === first[0] ? rule.create(value as number) : rule.create(firstOf(rule), { [name]: value }),
      );
      expect(error.message).toMatch(`${rule.name}: got ${name} = `);
      expect(error.where).toBe(`${rule.name}.${name}`);
    }
  });

  test("refuses an option that it does not have", () => {
    const error = errorOf(() => rule.create(firstOf(rule), { learningRate: 1 }));
    expect(error.message).toContain(`${rule.name}: got an option "learningRate"; expected `);
    expect(error.where).toBe(`${rule.name}.learningRate`);
  });

  test("comes back from its config, schedules included", () => {
    const rate = schedule.warmup(0.2, { from: 0.1, epochs: 2 });
    const made = rule.create(rate);
    expect(made.config[first[0]]).toEqual(rate.toJSON());
    expect(optim.fromConfig(JSON.parse(JSON.stringify(made.config))).config).toEqual(made.config);
  });
});

test("a chain comes back from its config", () => {
  const made = optim.chain(optim.clipByGlobalNorm(1), optim.adam(schedule.cosine(0.1)), optim.chain(optim.sgd(1)));
  expect(optim.fromConfig(JSON.parse(JSON.stringify(made.config))).config).toEqual(made.config);
});

describe("refuses", () => {
  const cases: readonly (readonly [why: string, make: () => unknown, message: string])[] = [
    ["a negative rate", () => optim.adam(-1), "adam: got rate = -1; expected a number at least 0, or a schedule."],
    [
      "beta1 = 1",
      () => optim.adam(0.1, { beta1: 1 }),
      "adam: got beta1 = 1; expected a number at least 0 and below 1, or a schedule.",
    ],
    [
      "a scheduled accumulator",
      () => optim.adagrad(0.1, { initialAccumulator: schedule.constant(1) as unknown as number }),
      'adagrad: got initialAccumulator = {"kind":"constant","rate":1}; expected a number at least 0.',
    ],
    [
      "an unknown form",
      () => optim.momentum(0.1, { like: "torch" as "pytorch" }),
      'momentum: got like = "torch"; expected "lecture" or "pytorch".',
    ],
    [
      "dampening in the lecture's form",
      () => optim.momentum(0.1, { dampening: 0.5 }),
      'momentum: got dampening; expected it with like: "pytorch" and without nesterov.',
    ],
    [
      "nesterov without momentum",
      () => optim.momentum(0.1, { nesterov: true, momentum: 0 }),
      "momentum: got nesterov with momentum = 0; expected momentum above 0.",
    ],
    [
      "decoupled decay without the rate",
      () => optim.addDecayedWeights(0.1, { mode: "decoupled" }),
      'addDecayedWeights: got mode = "decoupled" without a rate; expected the rule\'s rate when decoupled, and only then.',
    ],
    ["an empty chain", () => optim.chain(), "chain: got no transforms; expected at least one."],
    [
      "a number in a chain",
      () => optim.chain(0.1 as unknown as optim.Transform),
      "chain: got 0.1; expected a transform, such as optim.sgd(0.1).",
    ],
    [
      "an unknown name",
      () => optim.fromConfig({ name: "adamm" }),
      'optimizer: got name = "adamm"; expected one of sgd, momentum, adagrad, rmsprop, adam, adamw, clipByGlobalNorm, clipByValue, addDecayedWeights.',
    ],
    [
      "a config with a wrong schedule",
      () => optim.fromConfig({ name: "sgd", rate: { kind: "stepDecay", rate: 0.1, factor: 0 } }),
      "stepDecay: got factor = 0; expected a number above 0.",
    ],
  ];
  test.each(cases)("%s", (_, make, message) => {
    expect(errorOf(make).message).toBe(message);
  });
});
