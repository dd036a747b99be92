import { describe, expect, test } from "vitest";
import { referenceBackend } from "../backends/reference/index.ts";
import { compileStep } from "../compile/step.ts";
import { OptionError } from "../core/errors.ts";
import { array, type HostArray } from "../core/host-array.ts";
import type { Tensor } from "../ops/tensor.ts";
import { initOptimizer } from "../train/programs.ts";
import { fromConfig, muon, type TensorTree, type Transform } from "./index.ts";

const NAMES = ["embedding", "weight", "kernel", "bias"] as const;
type Name = (typeof NAMES)[number];
type Params = Readonly<Record<Name, HostArray>>;

const filled = (f: (i: number) => number, ...shape: number[]): HostArray =>
  array(
    Float32Array.from({ length: shape.reduce((n, size) => n * size) }, (_, i) => f(i)),
    shape,
  );
const of = (f: (i: number) => number): Params => ({
  embedding: filled(f, 5, 3),
  weight: filled(f, 4, 6),
  kernel: filled(f, 3, 2, 2, 2),
  bias: filled(f, 4),
});
const params = of((i) => Math.sin(i + 1));
const gradients = of((i) => Math.cos(2.3 * i + (i * i) / 7));

/** What a rule without decay adds to each parameter in its first step. */
async function firstSteps(rule: Transform): Promise<Readonly<Record<Name, readonly number[]>>> {
  const backend = referenceBackend({ precision: "f64" });
  const memory = (await initOptimizer(backend, rule, params)) as HostArray;
  const step = await compileStep(
    backend,
    (old, batch, ctx) => {
      const before = old.params as unknown as TensorTree;
      const given = batch as unknown as TensorTree;
      const loss = (given as { readonly bias: Tensor }).bias.sum();
      const [updates, after] = rule.update(given, old.memory as unknown as TensorTree, ctx.forUpdate(before, loss));
      return { state: { params: updates, memory: after } };
    },
    { state: { params: params as unknown as HostArray, memory }, batch: gradients },
  );
  await step.run(gradients);
  const found = (await step.read()).params as unknown as Params;
  await backend.close();
  return Object.fromEntries(NAMES.map((name) => [name, [...found[name].data]])) as Record<Name, number[]>;
}

const bare = { name: "muon", rate: 1, adjustRate: "none", weightDecay: 0, adamWeightDecay: 0 };

/** Singular values of 1 make this the rank. */
const squares = (values: readonly number[]): number => values.reduce((sum, x) => sum + x * x, 0);

describe("orthogonalises", () => {
  const cases: readonly (readonly [options: object, matrices: readonly Name[]])[] = [
    [{}, ["embedding", "weight", "kernel"]],
    [{ like: "optax" }, ["embedding", "weight"]],
    [{ like: "keras", adjustRate: "none" }, ["weight"]],
    [{ like: "keras", adjustRate: "none", kernels: true }, ["weight", "kernel"]],
    [{ params: "!embedding" }, ["weight", "kernel"]],
    [{ params: "weight, bias" }, ["weight"]],
  ];
  test.each(cases)("with %o: %s", async (options, matrices) => {
    const steps = await firstSteps(fromConfig({ ...bare, ...options }));
    // In Adam's first step all entries are of one size.
    const sizes = (name: Name): number[] => steps[name].map(Math.abs);
    const found = NAMES.filter((name) => Math.max(...sizes(name)) > 1.01 * Math.min(...sizes(name)));
    expect(found).toEqual(matrices);
    for (const name of matrices) {
      const rank = Math.min(params[name].shape[0] as number, steps[name].length / (params[name].shape[0] as number));
      // Muon's coefficients leave singular values between 0.68 and 1.14.
      expect(squares(steps[name])).toBeGreaterThan(rank * 0.68 ** 2);
      expect(squares(steps[name])).toBeLessThan(rank * 1.14 ** 2);
    }
  });
});

test("no decay for the parameters named, on both sides", async () => {
  const plain = await firstSteps(fromConfig(bare));
  const decayed = await firstSteps(
    fromConfig({ ...bare, weightDecay: 0.5, adamWeightDecay: 0.25, noDecay: "embedding" }),
  );
  const taken = (name: Name): number[] =>
    decayed[name].map((u, i) => (u - (plain[name][i] as number)) / (params[name].data[i] as number));
  for (const x of taken("embedding")) expect(Math.abs(x)).toBe(0);
  for (const x of [...taken("weight"), ...taken("kernel")]) expect(x).toBeCloseTo(-0.5, 9);
  for (const x of taken("bias")) expect(x).toBeCloseTo(-0.25, 9);
});

test("refuses what it cannot do", () => {
  expect(() => muon(0.1, { coefficients: "dion", nsSteps: 4 })).toThrow(
    new OptionError('muon: got nsSteps = 4 with coefficients "dion"; expected 5.', "muon.nsSteps"),
  );
  expect(() => muon(0.1, { nsSteps: 0 })).toThrow("muon: got nsSteps = 0; expected");
});

test("names the parameters where a pattern matches none", async () => {
  const backend = referenceBackend();
  await expect(initOptimizer(backend, muon(0.1, { params: "head" }), params)).rejects.toThrow(
    'muon.params: got "head", which no parameter matches; expected one of embedding, weight, kernel, bias',
  );
  await backend.close();
});
