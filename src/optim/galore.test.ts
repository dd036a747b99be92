import { expect, test } from "vitest";
import { referenceBackend } from "../backends/reference/index.ts";
import { compileStep } from "../compile/step.ts";
import { array, type HostArray } from "../core/host-array.ts";
import { leavesOf } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { initOptimizer } from "../train/programs.ts";
import { galore, lookahead, sam, sgd, type TensorTree, type Transform } from "./index.ts";

const waves = (...shape: number[]): HostArray =>
  array(
    Float64Array.from({ length: shape.reduce((n, size) => n * size) }, (_, i) => Math.cos(2.3 * i + (i * i) / 7)),
    shape,
    "f32",
  );
const params = { weight: waves(4, 6), kernel: waves(7, 2, 1, 3), bias: waves(4) };

/** What the rule adds to the parameters for gradients equal to them, and its memory. */
async function firstStep(rule: Transform) {
  const backend = referenceBackend({ precision: "f64" });
  const memory = (await initOptimizer(backend, rule, params)) as HostArray;
  const step = await compileStep(
    backend,
    (old, _batch, ctx) => {
      const before = old.params as unknown as TensorTree;
      const loss = (at: TensorTree): Tensor => (at as { readonly bias: Tensor }).bias.sum();
      const context = ctx.forUpdate(before, loss(before), loss);
      const [updates, after] = rule.update(before, old.memory as unknown as TensorTree, context);
      return { state: { params: updates, memory: after } };
    },
    { state: { params: params as unknown as HostArray, memory }, batch: {} },
  );
  await step.run({});
  const found = (await step.read()) as unknown as { readonly params: typeof params; readonly memory: HostArray };
  await backend.close();
  return found;
}

test("keeps the gradient itself where the rank is the matrix's", async () => {
  const { params: steps } = await firstStep(galore(0.5, { transform: sgd(1) }));
  for (const name of ["weight", "kernel", "bias"] as const)
    steps[name].data.forEach((u, i) => {
      expect(u).toBeCloseTo(-0.5 * (params[name].data[i] as number), 12);
    });
});

test("remembers two numbers for each place of the shorter side and direction", async () => {
  const { memory } = await firstStep(galore(0.5, { rank: 2 }));
  const shapes = Object.fromEntries(leavesOf<HostArray>(memory).map(([path, { shape }]) => [path, shape]));
  expect(shapes).toEqual({
    "directions.weight": [2, 6],
    "directions.kernel": [2, 7],
    "inner.m.weight": [4, 2],
    "inner.m.kernel": [6, 2],
    "inner.m.bias": [4],
    "inner.v.weight": [4, 2],
    "inner.v.kernel": [6, 2],
    "inner.v.bias": [4],
  });
});

test("refuses rules that it cannot hold", async () => {
  await expect(firstStep(galore(0.1, { transform: sam(sgd(0.1)) }))).rejects.toThrow(
    "galore: got sam, which evaluates the loss again; expected a rule that needs the gradients alone.",
  );
  expect(() => galore(0.1, { transform: lookahead(sgd(0.1)) })).toThrow(
    "galore: got lookahead, which has weights of its own to evaluate with; expected a rule without.",
  );
});
