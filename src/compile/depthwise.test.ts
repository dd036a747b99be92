import { expect, test } from "vitest";
import { candidates } from "../../test/conformance/candidates.ts";
import { referenceBackend } from "../backends/reference/index.ts";
import { array } from "../core/host-array.ts";
import type { Tensor } from "../ops/tensor.ts";
import { grad } from "../trace/grad.ts";
import type { Backend } from "./backend.ts";
import { compileStep } from "./step.ts";

type Case = {
  readonly shape: readonly [number, number, number, number];
  readonly kernel: readonly [number, number];
  readonly stride?: number;
  readonly dilation?: number;
  readonly padding?: number;
};

const cases: readonly Case[] = [
  { shape: [8, 6, 9, 10], kernel: [3, 3], padding: 1 },
  { shape: [8, 5, 9, 10], kernel: [3, 3], padding: 1, stride: 2 },
  { shape: [3, 4, 8, 9], kernel: [2, 2], stride: 3 },
  { shape: [1, 3, 7, 7], kernel: [5, 5], padding: 2 },
  { shape: [4, 3, 12, 11], kernel: [3, 1], padding: 2, stride: 2, dilation: 2 },
  { shape: [2, 3, 5, 5], kernel: [1, 1], stride: 2 },
  { shape: [32, 40, 8, 8], kernel: [3, 3], padding: 1 },
];

const wave = (shape: readonly number[], from: number) =>
  array(
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(from + i * 1.3)),
    shape,
  );

async function passes(backend: Backend, { shape, kernel, stride = 1, dilation = 1, padding = 0 }: Case) {
  const step = await compileStep(
    backend,
    (state) => {
      const { x, w } = state as { readonly x: Tensor; readonly w: Tensor };
      const convolved = (x: Tensor, w: Tensor) => x.conv2d(w, { stride, dilation, padding, groups: shape[1] });
      const y = convolved(x, w);
      const [dx, dw] = grad(([x, w]: readonly [Tensor, Tensor]) => convolved(x, w).square().sum())([x, w]);
      return { metrics: { y, dx, dw } };
    },
    { state: { x: wave(shape, 0), w: wave([shape[1], 1, ...kernel], 5) }, batch: {} },
  );
  // Twice: what a border or a gap must hold is there in later steps too.
  await step.run({});
  const { results } = await step.run({});
  await backend.close?.();
  return { results, kernels: step.executable.print("kernels") };
}

test.each(cases)("a filter for each channel: $shape by $kernel", async (one) => {
  const want = (await passes(referenceBackend(), one)).results;
  for (const { name, create } of candidates.filter(({ name }) => name !== "reference")) {
    const { results, kernels } = await passes(create(), one);
    expect(kernels).not.toMatch(/contract (conv2d|convInputGrad)/);
    for (const key of ["y", "dx", "dw"]) {
      const expected = Array.from(want[key] ?? []);
      const got = Array.from(results[key] ?? []);
      expect(got.length).toBe(expected.length);
      const largest = Math.max(...expected.map(Math.abs));
      const worst = Math.max(...got.map((value, i) => Math.abs(value - (expected[i] as number))));
      expect(worst / largest, `${name}, ${key}`).toBeLessThan(2e-6);
    }
  }
});
