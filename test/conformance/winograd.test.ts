import { afterAll, describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import { wasmBackend } from "../../src/backends/wasm/index.ts";
import { runFunction } from "../../src/compile/run-function.ts";
import { HostArray } from "../../src/core/host-array.ts";
import { normalAt } from "../../src/core/prng.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { grad } from "../../src/trace/grad.ts";
import { traceProgram } from "../../src/trace/trace.ts";
import { candidates } from "./candidates.ts";

/** Convolutions of the form that goes by Winograd's transforms and by image, which random programs are too small to meet. */
const SHAPES = [
  { n: 8, from: 8, to: 8, height: 4, width: 4, padding: 1 },
  { n: 16, from: 12, to: 20, height: 6, width: 10, padding: 1 },
  { n: 8, from: 9, to: 11, height: 8, width: 6, padding: 0 },
  { n: 24, from: 8, to: 16, height: 5, width: 5, padding: 2 },
  // Large tiles in fast mode.
  { n: 8, from: 9, to: 12, height: 16, width: 16, padding: 1 },
  { n: 8, from: 8, to: 8, height: 34, width: 10, padding: 0 },
  // No multiple of eight images: the weight gradient is summed whole.
  { n: 6, from: 8, to: 8, height: 6, width: 6, padding: 1 },
] as const;

const random = (shape: readonly number[], seed: number): HostArray => {
  const size = shape.reduce((a, b) => a * b, 1);
  return new HostArray(
    "f32",
    shape,
    Float32Array.from({ length: size }, (_, i) => normalAt([seed, 11], i)),
  );
};

/** The value, and the gradients of the input and both weights, of two convolutions around relu and pooling. */
function chain(padding: number) {
  return (x: Tensor, first: Tensor, second: Tensor): Tensor[] => {
    const f = (p: { x: Tensor; first: Tensor; second: Tensor }): Tensor =>
      p.x.conv2d(p.first, { padding }).relu().conv2d(p.second, { padding: 1 }).maxPool2d(2).square().mean();
    const g = grad(f)({ x, first, second });
    return [f({ x, first, second }), g.x, g.first, g.second];
  };
}

/** Without relaxed SIMD fast mode has large tiles all the same. */
const fast = { name: "wasm, fast", create: () => wasmBackend({ mode: "fast" }) };

describe.each([...candidates, fast])("$name", ({ name, create }) => {
  const backend = create();
  afterAll(() => backend.close());

  test.each(SHAPES)(
    "3x3 convolutions of $n images, $from to $to channels, $height x $width, padding $padding",
    async (s) => {
      const inputs = [
        random([s.n, s.from, s.height, s.width], 1),
        random([s.to, s.from, 3, 3], 2),
        random([s.to, s.to, 3, 3], 3),
      ];
      const f = chain(s.padding) as (...xs: readonly Tensor[]) => Tensor[];
      const expected = await runFunction(referenceBackend(), f, inputs);
      const got = await runFunction(backend, f, inputs);
      expected.forEach((e, i) => {
        const scale = Math.max(...Array.from(e.data, Math.abs));
        let worst = 0;
        e.data.forEach((v, k) => {
          worst = Math.max(worst, Math.abs(v - (got[i]?.data[k] as number)) / scale);
        });
        // Two convolutions deep, relative to the largest element: the transforms' rounding, 3e-7 each (2e-6 of large tiles), over sums of
        // 100 to 10,000.
        expect(worst, `output ${i}`).toBeLessThan(name.includes("fast") || name.includes("fused") ? 1e-5 : 4e-6);
      });
    },
  );
});

test("such a chain is one stage, with its products in a thread's scratch", async () => {
  const wasm = candidates.find((c) => c.name.startsWith("wasm")) as (typeof candidates)[number];
  const backend = wasm.create();
  const program = traceProgram(
    [
      { path: "x", aval: { dtype: "f32", shape: [16, 8, 8, 8] }, role: "feed" },
      { path: "w", aval: { dtype: "f32", shape: [16, 8, 3, 3] }, role: "feed" },
    ],
    ([x, w]) => [
      {
        path: "y",
        value: (x as Tensor)
          .conv2d(w as Tensor, { padding: 1 })
          .relu()
          .maxPool2d(2)
          .sum(),
        role: "result",
      },
    ],
  );
  const kernels = (await backend.compile(program, backend.createStore())).print("kernels");
  expect(kernels).toContain("for each of 16 images");
  expect(kernels).toMatch(/ {2}contract conv2d .*products/);
  await backend.close();
});
