import { expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import { wasmBackend } from "../../src/backends/wasm/index.ts";
import type { Backend } from "../../src/compile/backend.ts";
import { compileStep } from "../../src/compile/step.ts";
import { array } from "../../src/core/host-array.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { scan } from "../../src/trace/control.ts";

const wave = (...shape: readonly number[]) =>
  array(
    Float32Array.from({ length: shape.reduce((n, size) => n * size, 1) }, (_, i) => Math.sin(i)),
    shape,
  );

/** h <- tanh(h Wᵀ / 64 + x_t) over the rows of xs. */
async function recurrence(backend: Backend) {
  const step = await compileStep(
    backend,
    (state) => {
      const { w, h, xs } = state as { readonly w: Tensor; readonly h: Tensor; readonly xs: Tensor };
      const body = (carry: Tensor, x: Tensor): readonly [Tensor, Tensor] => {
        const next = carry
          .matmul(w.transpose())
          .mul(1 / 64)
          .add(x)
          .tanh();
        return [next, next];
      };
      const [last, all] = scan(body, h, xs);
      return { state: { w, h: last, xs }, metrics: { all } };
    },
    { state: { w: wave(96, 96), h: wave(33, 96), xs: wave(5, 33, 96) }, batch: {} },
  );
  const results = [];
  for (let i = 0; i < 2; i++) results.push(Array.from((await step.run({})).results.all ?? []));
  return { results, kernels: step.executable.print("kernels") };
}

test("what is the same in every round of a scan is computed before it, and slices are read where they lie", async () => {
  const [got, want] = await Promise.all([recurrence(wasmBackend()), recurrence(referenceBackend())]);
  got.results.forEach((values, call) => {
    values.forEach((value, i) => {
      expect(Math.abs(value - (want.results[call]?.[i] ?? Number.NaN)), `${call}, ${i}`).toBeLessThan(2e-6);
    });
  });
  const [before = "", inside = ""] = got.kernels.split(/^loop /m);
  expect(before).toMatch(/pack state\.w/);
  expect(inside).not.toContain("pack state.w");
  expect(got.kernels).not.toContain(".xs0");
});
