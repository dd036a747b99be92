import { describe, expect, test } from "vitest";
import { OptionError } from "../core/errors.ts";
import { createRule, defaultOf, type HyperSpec, isTransform, type NumberHyper, type Rule } from "./hyper.ts";
import * as optim from "./index.ts";
import * as schedule from "./schedules/index.ts";

/** What `optim` exports beside rules and transforms. */
const COMBINATORS = ["applyUpdates", "chain", "checkState", "fromConfig", "globalNorm", "groups", "partition"];

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
  if (spec.type === "parameters") return [1, "bias,,norm"];
  if (spec.type === "transform") return [0.1, {}, null];
  return spec.type === "flag" ? [1, "true"] : ["optax?", true];
};

/** A value that the first hyperparameter takes; undefined where there is none. */
function firstOf({ hypers }: Rule): unknown {
  const [spec] = Object.values(hypers);
  if (spec === undefined) return undefined;
  if (spec.type === "transform") return optim.adam(0.01);
  return defaultOf(spec, hypers.like?.default) ?? 0.5;
}

/** Whether the rule decays weights when nobody says so. */
const decaysBy = ({ hypers }: Rule, like: unknown): boolean =>
  hypers.weightDecay !== undefined && defaultOf(hypers.weightDecay, like) !== undefined;

const inConfig = (value: unknown): unknown => (isTransform(value) ? value.config : value);

test("every function of optim has a row in the table, under its own name", () => {
  const functions = Object.entries(optim).filter(([, value]) => typeof value === "function");
  const named = functions.map(([name]) => name).filter((name) => !COMBINATORS.includes(name));
  expect(optim.table.map((rule) => rule.name).sort()).toEqual(named.sort());
  for (const { name, create } of optim.table) expect(functions).toContainEqual([name, create]);
});

describe.each(rows)("$name", ({ rule }) => {
  const specs: [string, HyperSpec][] = Object.entries(rule.hypers);
  const [first] = specs;
  const likes = rule.hypers.like?.type === "choice" ? rule.hypers.like.choices : [undefined];

  test.each(likes)("has the defaults that the table says, like %s", (like) => {
    const options = like === undefined ? {} : { like };
    const values = specs.flatMap(([name, spec]) => {
      const value = name === "like" ? like : defaultOf(spec, like);
      return value === undefined || (name === "decoupled" && !decaysBy(rule, like)) ? [] : [[name, value]];
    });
    const given = first === undefined || defaultOf(first[1], like) !== undefined ? undefined : firstOf(rule);
    expect(createRule(rule, given, options).config).toEqual({
      name: rule.name,
      ...(given === undefined ? {} : { [first?.[0] ?? ""]: inConfig(given) }),
      ...Object.fromEntries(values),
    });
  });

  test.each(specs)("refuses a wrong %s", (name, spec) => {
    for (const value of wrongValues(spec)) {
      const error = errorOf(() =>
        name === first?.[0] ? createRule(rule, value, {}) : createRule(rule, firstOf(rule), { [name]: value }),
      );
      expect(error.message).toMatch(`${rule.name}: got ${name} = `);
      expect(error.where).toBe(`${rule.name}.${name}`);
    }
  });

  test("refuses an option that it does not have", () => {
    const error = errorOf(() => createRule(rule, firstOf(rule), { learningRate: 1 }));
    expect(error.message).toContain(`${rule.name}: got an option "learningRate"; expected `);
    expect(error.where).toBe(`${rule.name}.learningRate`);
  });

  test("comes back from its config, schedules included", () => {
    const rate = schedule.warmup(0.2, { from: 0.1, epochs: 2 });
    const scheduled = first?.[1].type === "number" && !first[1].fixed;
    const made = createRule(rule, scheduled ? rate : firstOf(rule), {});
    if (scheduled) expect(made.config[first[0]]).toEqual(rate.toJSON());
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
      'momentum: got like = "torch"; expected "lecture" or "pytorch" or "optax" or "keras".',
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
      `optimizer: got name = "adamm"; expected one of ${optim.table.map(({ name }) => name).join(", ")}, chain, partition, groups.`,
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
