import { readdirSync, readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import { wasmBackend } from "../../src/backends/wasm/index.ts";
import type { Backend } from "../../src/compile/backend.ts";
import { runFunction } from "../../src/compile/run-function.ts";
import { compileStep } from "../../src/compile/step.ts";
import type { HostArray } from "../../src/core/host-array.ts";
import { leavesOf, unflatten } from "../../src/core/tree.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import * as optim from "../../src/optim/index.ts";
import { valueAndGrad } from "../../src/trace/grad.ts";
import { initOptimizer } from "../../src/train/programs.ts";
import { type Problem, problems } from "./problems.ts";

type Config = { readonly name: string; readonly parts?: readonly Config[] };
type Case = {
  readonly name: string;
  readonly config: Config;
  readonly rounding: number;
  /** The values are the parameters, then the weights to evaluate with. */
  readonly evaluates?: true;
  readonly trajectories: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;
};

const folder = new URL("../../golden/optim/", import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith(".json") && name !== "problems.json");
const golden = files.map((name): { readonly file: string; readonly cases: readonly Case[] } => ({
  file: name,
  cases: JSON.parse(readFileSync(new URL(name, folder), "utf8")).cases,
}));

const single = ({ rounding }: Case): number => 8 * rounding + 1e-6;

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
    tolerance: single,
  },
  {
    name: "wasm",
    make: async () => wasmBackend(),
    tolerance: single,
  },
];

/** The training step of a problem: the compiler follows recursive trees too far, so to it the state is one level deep. */
async function stepOf(backend: Backend, rule: optim.Transform, problem: Problem) {
  const params = problem.start as HostArray;
  const memory = (await initOptimizer(backend, rule, problem.start)) as HostArray;
  return await compileStep(
    backend,
    (old, _batch, ctx) => {
      const before: optim.TensorTree = old.params;
      const [loss, gradients] = valueAndGrad(problem.loss)(before);
      const [updates, after] = rule.update(
        gradients,
        old.memory,
        ctx.forUpdate(before, loss, problem.loss, problem.examples?.(before)),
      );
      return { state: { params: optim.applyUpdates(before, updates), memory: after }, metrics: { loss } };
    },
    { state: { params, memory }, batch: {}, run: { stepsPerEpoch: 5, totalSteps: 50 } },
  );
}

const flat = (params: HostArray): number[] => leavesOf<HostArray>(params).flatMap(([, leaf]) => [...leaf.data]);

async function evaluation(backend: Backend, rule: optim.Transform, params: HostArray, memory: HostArray) {
  const state = { params, memory } as unknown as HostArray;
  const leaves = leavesOf<HostArray>(state).map(([, leaf]) => leaf);
  const found = await runFunction(
    backend,
    (...tensors) => {
      const { params, memory } = unflatten<HostArray, Tensor>(state, tensors) as Readonly<
        Record<"params" | "memory", optim.TensorTree>
      >;
      return leavesOf<Tensor>(rule.evalParams?.(params, memory) ?? params).map(([, leaf]) => leaf);
    },
    leaves,
  );
  return found.flatMap(({ data }) => [...data]);
}

/** Parameters after each of the steps asked for, flat, and with `evaluates` the weights to evaluate with. */
async function walk(
  backend: Backend,
  rule: optim.Transform,
  problem: Problem,
  steps: readonly number[],
  evaluates: boolean,
) {
  const step = await stepOf(backend, rule, problem);
  const found: number[][] = [];
  let done = 0;
  for (const wanted of steps) {
    await step.run({}, wanted - done);
    done = wanted;
    const { params, memory } = await step.read();
    found.push([...flat(params), ...(evaluates ? await evaluation(backend, rule, params, memory) : [])]);
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
        const steps = Object.keys(trajectory).map(Number);
        const found = await walk(backend, rule, problems[name] as Problem, steps, row.evaluates === true);
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

describe.each(golden)("$file", ({ cases }) => {
  test.each(cases)("$name: its whole memory is in the state", async ({ config }) => {
    const backend = referenceBackend();
    const rule = optim.fromConfig(config);
    const whole = await stepOf(backend, rule, problems.mlp as Problem);
    await whole.run({}, 7);

    const first = await stepOf(backend, rule, problems.mlp as Problem);
    await first.run({}, 3);
    const second = await stepOf(backend, rule, problems.mlp as Problem);
    second.load(await first.read(), await first.counts());
    await second.run({}, 4);

    expect(flat((await second.read()).params)).toEqual(flat((await whole.read()).params));
  });

  test.each(cases)("$name: any hyperparameter changes without compiling again", async ({ config, trajectories }) => {
    // Patterns of groups are for the parameters of the problem that they were written for, matrix rules for matrices.
    const problem = problems["quadratic" in trajectories ? "quadratic" : "mlp"] as Problem;
    let compiled = 0;
    const reference = referenceBackend();
    const backend: Backend = {
      ...reference,
      compile: (program, store) => {
        compiled++;
        return reference.compile(program, store);
      },
    };
    const step = await stepOf(backend, optim.fromConfig(config), problem);
    const before = compiled;
    // Rules of many iterations a step may be done after the first; others need memory to differ.
    const start = { state: await step.read(), counts: await step.counts() };
    await step.run({}, 1);
    const origins = [start, { state: await step.read(), counts: await step.counts() }];
    const advance = async (steps: number): Promise<number[]> => {
      const found: number[] = [];
      for (const { state, counts } of origins) {
        step.load(state, counts);
        await step.run({}, steps);
        const { params, memory } = await step.read();
        found.push(...flat(params), ...flat(memory));
      }
      return found;
    };
    const set = (names: readonly string[], value: number | null): void => {
      for (const name of names) step.setHyper(name, value);
    };
    // A bound, such as that of a minimum, may not be reached at once.
    const plain = { 1: await advance(1), 40: await advance(40) };
    for (const name of step.hyperNames) {
      set([name], 0.4321);
      const steps = isDeepStrictEqual(await advance(1), plain[1]) ? 40 : 1;
      const changed = await advance(steps);
      set([name], null);
      expect(await advance(steps), name).toEqual(plain[steps]);
      if (!isDeepStrictEqual(changed, plain[steps])) continue;
      // What another switches off, such as noise of variance 0, shows when all are moved.
      set(step.hyperNames, 0.4321);
      const moved = await advance(40);
      set([name], 2.5);
      expect(await advance(40), name).not.toEqual(moved);
      set(step.hyperNames, null);
    }
    expect(compiled).toBe(before);
  });
});

type Values = Readonly<Record<string, unknown>>;

/** A config, and those of the transforms within it, with all values decided. */
function decided(config: Values): Values[] {
  const within = Object.values(config).flatMap((value) => (Array.isArray(value) ? value : [value]));
  const inner = within.filter((value) => typeof value === "object" && value !== null && "name" in value);
  const own = optim.table.some(({ name }) => name === config.name) ? [optim.fromConfig(config).config] : [];
  return [...own, ...(inner as Values[]).flatMap(decided)];
}

test("every row of the table has a golden trajectory with each of its choices and flags", () => {
  const parts = golden.flatMap(({ cases }) => cases.flatMap(({ config }) => decided(config)));
  const values = (rule: string, hyper: string): unknown[] =>
    parts.filter((part) => part.name === rule).map((part) => part[hyper]);
  const missing = optim.table.flatMap((rule) =>
    Object.entries(rule.hypers).flatMap(([hyper, spec]) => {
      const given = values(rule.name, hyper);
      if (spec.type === "parameters") return [];
      if (spec.type === "number" || spec.type === "transform")
        return given.some((v) => v !== undefined) ? [] : [`${rule.name}.${hyper}`];
      const wanted = spec.type === "flag" ? [true, false] : spec.choices;
      return wanted
        .filter((value) => value !== spec.default && !given.includes(value))
        .map((value) => `${rule.name}.${hyper} = ${value}`);
    }),
  );
  expect(missing).toEqual([]);
});
