import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { wasmBackend } from "../../src/backends/wasm/index.ts";
import type { Executable } from "../../src/compile/backend.ts";
import { isTemplate } from "../../src/compile/materialize.ts";
import { simplify } from "../../src/compile/simplify.ts";
import { compileStep } from "../../src/compile/step.ts";
import { aval } from "../../src/core/dtype.ts";
import { OptionError } from "../../src/core/errors.ts";
import { HostArray } from "../../src/core/host-array.ts";
import * as optim from "../../src/optim/index.ts";
import { initOptimizer } from "../../src/train/programs.ts";

/** Sizes with and without rest to whole vectors and blocks. */
const shapes: readonly (readonly number[])[] = [[300], [7, 40], [1200], [33], [5, 5, 41]];
const halves = (shape: readonly number[]): HostArray =>
  new HostArray("f32", shape, new Float32Array(shape.reduce((a, b) => a * b)).fill(0.5));
const leaves = Object.fromEntries(shapes.map((shape, i) => [`p${i}`, halves(shape)]));

/** The compiled update with its gradients given; null where the rule needs more than these, or treats parameters differently. */
async function updateOf(rule: optim.Transform): Promise<Executable | null> {
  const backend = wasmBackend();
  try {
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
    return step.executable;
  } catch (error) {
    if (error instanceof OptionError) return null;
    throw error;
  }
}

/** What reads other elements than its own, or (random numbers) knows which one it is. */
const ELSEWHERE = new Set([
  "iota",
  "randomBits",
  "slice",
  "pad",
  "transpose",
  "reshape",
  "concatenate",
  "gather",
  "flip",
]);

/** Whether every new element is made of the elements at its own place and of scalars. */
function isElementwise({ program }: Executable): boolean {
  return simplify(program).equations.every(
    (eq) =>
      !ELSEWHERE.has(eq.primitive) &&
      (eq.primitive === "broadcast" ? eq.inputs[0]?.aval.shape.length === 0 : !isTemplate(eq)),
  );
}

/** Whether a printed kernel runs over more than one element. */
const isPass = (kernel: string): boolean => /(^ +for| over) i\d+ < (?!1\b)\d/m.test(kernel);

type Config = { readonly name: string };

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

/** Where only some of the parameters take part, others have another loop. */
const isUniform = (config: Config): boolean => !/"(params|noDecay|decay|groups)":["[]/.test(JSON.stringify(config));

const found = new Set<string>();

describe("the update of all parameters is one loop in place", () => {
  test.each([...new Set(configs.map(({ name }) => name))])("%s", async (name) => {
    for (const config of configs.filter((c) => c.name === name && isUniform(c))) {
      const update = await updateOf(optim.fromConfig(config));
      if (!update || !isElementwise(update)) continue;
      found.add(name);
      const passes = update
        .print("kernels")
        .split(/\n(?! )/)
        .filter(isPass);
      expect(
        passes.map((kernel) => kernel.split("\n", 1)[0]),
        JSON.stringify(config),
      ).toHaveLength(1);
      expect(passes[0]).toMatch(/^sweep state\.params\.p0.* and 4 more/);
      // Only scalars lie in memory of the step's own, whose names are numbers.
      expect(passes[0]).not.toMatch(/\b\d+\[[^\]]*i\d/);
    }
  });

  test("which rules these are", () => {
    expect([...found]).toEqual(
      expect.arrayContaining([
        "sgd",
        "momentum",
        "adagrad",
        "rmsprop",
        "adam",
        "adamw",
        "nadam",
        "radam",
        "adan",
        "chain",
      ]),
    );
    expect(found.size).toBeGreaterThan(20);
  });
});
