import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { wasmBackend } from "../../src/backends/wasm/index.ts";
import { compileStep } from "../../src/compile/step.ts";
import { aval } from "../../src/core/dtype.ts";
import { HostArray } from "../../src/core/host-array.ts";
import * as optim from "../../src/optim/index.ts";
import { initOptimizer } from "../../src/train/programs.ts";

/** Rules, transforms and wrappers whose update is more than one loop over each parameter, and why. */
const SEVERAL: Readonly<Record<string, string>> = {
  adaptiveClip: "norms of rows",
  addNoise: "random numbers know their element's index, so each parameter has a loop of its own",
  centralize: "means of rows",
  clipByBlockRms: "a norm of each array",
  clipByGlobalNorm: "a norm of all arrays",
  clipByNorm: "a norm of each array",
  dadaptAdamw: "sums over all arrays",
  dog: "norms of all arrays",
  dowg: "norms of all arrays",
  dpsgd: "gradients of single examples",
  fromage: "norms of each array",
  groups: "differs between parameters",
  lamb: "norms of each array",
  lars: "norms of each array",
  lbfgs: "a history and a line search",
  masked: "differs between parameters",
  maxNorm: "norms of rows",
  mechanize: "sums over all arrays",
  minMaxNorm: "norms of rows",
  momo: "sums over all arrays",
  momoAdam: "sums over all arrays",
  normalizeByNorm: "a norm of all arrays",
  noisySgd: "random numbers, as addNoise",
  novograd: "a norm of each array",
  partition: "differs between parameters",
  polyakSgd: "a norm of all arrays",
  privateAggregate: "gradients of single examples",
  prodigy: "sums over all arrays",
  sam: "evaluates the loss again",
  skipExploding: "a norm of all arrays",
  skipNonFinite: "a test of all arrays",
  sm3: "maxima of rows",
  sophia: "evaluates the loss again",
  sparseAdam: "tests rows",
  unitNorm: "norms of rows",
  zeroNans: "counts what it replaces",
};

/** Sizes with and without rest to whole vectors and blocks. */
const shapes: readonly (readonly number[])[] = [[300], [7, 40], [1200], [33], [5, 5, 41]];
const halves = (shape: readonly number[]): HostArray =>
  new HostArray("f32", shape, new Float32Array(shape.reduce((a, b) => a * b)).fill(0.5));
const leaves = Object.fromEntries(shapes.map((shape, i) => [`p${i}`, halves(shape)]));

/** The printed kernels of an update whose gradients are given. */
async function kernelsOf(rule: optim.Transform): Promise<string[]> {
  const backend = wasmBackend();
  const state = { params: leaves, memory: (await initOptimizer(backend, rule, leaves)) as Record<string, HostArray> };
  const step = await compileStep(
    backend,
    (old, batch, ctx, data) => {
      const [updates, memory] = rule.update(data.gradients, old.memory, ctx.forUpdate(old.params, batch.loss));
      return { state: { params: optim.applyUpdates(old.params, updates), memory: memory as typeof old.memory } };
    },
    {
      state,
      batch: { loss: aval("f32", []) },
      data: { gradients: leaves },
      run: { stepsPerEpoch: 5, totalSteps: 50 },
    },
  );
  return step.executable.print("kernels").split(/\n(?! )/);
}

/** Whether a printed kernel runs over more than one element. */
const isPass = (kernel: string): boolean => /(^ +for| over) i\d+ < (?!1\b)\d/m.test(kernel);

type Config = { readonly name: string };

/** The names of all transforms that a config is made of. */
function namesOf(config: unknown): string[] {
  if (typeof config !== "object" || config === null) return [];
  const { name } = config as Partial<Config>;
  return [...(name === undefined ? [] : [name]), ...Object.values(config).flatMap(namesOf)];
}

const folder = new URL("../../golden/optim/", import.meta.url);
const golden = readdirSync(folder)
  .filter((name) => name.endsWith(".json") && name !== "problems.json")
  .flatMap((file): Config[] =>
    JSON.parse(readFileSync(new URL(file, folder), "utf8")).cases.map((c: { config: Config }) => c.config),
  );
const configs: readonly Config[] = [
  ...golden,
  ...optim.table
    .filter(({ name, role }) => role === "rule" && !golden.some((config) => config.name === name))
    .map((rule) => rule.create().config),
];
/** Those that treat parameters by name differ between them. */
const hasPattern = (config: Config): boolean => /"(params|noDecay)":/.test(JSON.stringify(config));
const elementwise = configs.filter(
  (config) => !hasPattern(config) && namesOf(config).every((name) => SEVERAL[name] === undefined),
);

describe("the update of all parameters is one loop in place", () => {
  test.each([...new Set(elementwise.map(({ name }) => name))])("%s", async (name) => {
    for (const config of elementwise.filter((c) => c.name === name)) {
      const kernels = await kernelsOf(optim.fromConfig(config));
      const passes = kernels.filter(isPass);
      expect(
        passes.map((kernel) => kernel.split("\n", 1)[0]),
        JSON.stringify(config),
      ).toHaveLength(1);
      expect(passes[0]).toMatch(/^sweep state\.params\.p0.* and 4 more/);
      // Only scalars lie in memory of the step's own, whose names are numbers.
      expect(passes[0]).not.toMatch(/\b\d+\[[^\]]*i\d/);
    }
  });
});

test("every rule of the table is one loop, or says why not", () => {
  const known = new Set([...elementwise.map(({ name }) => name), ...Object.keys(SEVERAL)]);
  expect(optim.table.filter(({ name, role }) => role === "rule" && !known.has(name))).toEqual([]);
  expect(Object.keys(SEVERAL).filter((name) => !(name in optim))).toEqual([]);
});
