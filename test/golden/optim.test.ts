import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import type { Backend } from "../../src/compile/backend.ts";
import { runFunction } from "../../src/compile/run-function.ts";
import { compileStep } from "../../src/compile/step.ts";
import type { HostArray } from "../../src/core/host-array.ts";
import { leavesOf, type Tree, unflatten } from "../../src/core/tree.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import * as optim from "../../src/optim/index.ts";
import { valueAndGrad } from "../../src/trace/grad.ts";
import { type Problem, problems } from "./problems.ts";

type Config = { readonly name: string; readonly parts?: readonly Config[] };
type Case = {
  readonly name: string;
  readonly config: Config;
  readonly rounding: number;
  readonly trajectories: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;
};

const folder = new URL("../../golden/optim/", import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith(".json") && name !== "problems.json");
const golden = files.map((name): { readonly file: string; readonly cases: readonly Case[] } => ({
  file: name,
  cases: JSON.parse(readFileSync(new URL(name, folder), "utf8")).cases,
}));

/**
 * In double precision the trajectory must be the oracle's, but for sums in another order. In single precision it may be
 * some times further off than NumPy's float32 run of the same equation (`rounding`), which adds in another order too.
 */
const backends: readonly {
  readonly name: string;
  readonly make: () => Promise<Backend>;
  readonly tolerance: (golden: Case) => number;
}[] = [
  {
    name: "reference, f64",
    make: async () => referenceBackend({ precision: "f64" }),
    tolerance: () => 1e-9,
  },
  {
    name: "reference, f32",
    make: async () => referenceBackend(),
    tolerance: ({ rounding }) => 8 * rounding + 1e-6,
  },
];

async function initialState(
  backend: Backend,
  rule: optim.Transform,
  params: Tree<HostArray>,
): Promise<Tree<HostArray>> {
  let form: optim.TensorTree = [];
  const trace = (...tensors: readonly Tensor[]): readonly Tensor[] => {
    form = rule.init(unflatten(params, tensors));
    return leavesOf<Tensor>(form).map(([, leaf]) => leaf);
  };
  const leaves = leavesOf<HostArray>(params).map(([, leaf]) => leaf);
  const values = await runFunction(backend, trace, leaves);
  return unflatten(form, values);
}

/** Parameters after each of the steps asked for, flat. */
async function walk(backend: Backend, rule: optim.Transform, problem: Problem, steps: readonly number[]) {
  const state = { params: problem.start, memory: await initialState(backend, rule, problem.start) };
  const step = await compileStep(
    backend,
    (old, _batch, ctx) => {
      const params = old.params as optim.TensorTree;
      const [loss, gradients] = valueAndGrad(problem.loss)(params);
      const [updates, memory] = rule.update(gradients, old.memory as optim.TensorTree, ctx.forUpdate(params, loss));
      return { state: { params: optim.applyUpdates(params, updates), memory }, metrics: { loss } };
    },
    { state, batch: {} },
  );
  const found: number[][] = [];
  let done = 0;
  for (const wanted of steps) {
    await step.run({}, wanted - done);
    done = wanted;
    const { params } = await step.read();
    found.push(leavesOf<HostArray>(params).flatMap(([, leaf]) => [...leaf.data]));
  }
  return found;
}

describe.each(backends)("on $name", ({ make, tolerance }) => {
  describe.each(golden)("$file", ({ cases }) => {
    test.each(cases)("$name", async (row) => {
      const backend = await make();
      for (const [name, trajectory] of Object.entries(row.trajectories)) {
        const expected = Object.values(trajectory);
        const rule = optim.fromConfig(row.config);
        const found = await walk(backend, rule, problems[name] as Problem, Object.keys(trajectory).map(Number));
        expected.forEach((values, i) => {
          const scale = Math.max(...values.map(Math.abs));
          const got = found[i] as number[];
          const worst = Math.max(...values.map((value, j) => Math.abs((got[j] as number) - value) / scale));
          expect(worst, `${name} after step ${Object.keys(trajectory)[i]}`).toBeLessThan(tolerance(row));
        });
      }
      await backend.close();
    });
  });
});

test("every row of the table has a golden trajectory with each of its choices and flags", () => {
  const parts = golden.flatMap(({ cases }) => cases.flatMap(({ config }) => config.parts ?? [config]));
  const values = (rule: string, hyper: string): unknown[] =>
    parts.filter((part) => part.name === rule).map((part) => (part as Readonly<Record<string, unknown>>)[hyper]);
  const missing = optim.table.flatMap((rule) =>
    Object.entries(rule.hypers).flatMap(([hyper, spec]) => {
      const given = values(rule.name, hyper);
      if (spec.type === "number") return given.some((v) => v !== undefined) ? [] : [`${rule.name}.${hyper}`];
      const wanted = spec.type === "flag" ? [true, false] : spec.choices;
      return wanted
        .filter((value) => value !== spec.default && !given.includes(value))
        .map((value) => `${rule.name}.${hyper} = ${value}`);
    }),
  );
  expect(missing).toEqual([]);
});
