import { describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import { runFunction } from "../../src/compile/run-function.ts";
import { type PrimitiveName, primitiveNames, primitiveOf } from "../../src/ops/table.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { checkGradient, drawInput, Random, type Sample, samplePrimitives } from "../../src/testing/index.ts";
import { grad } from "../../src/trace/grad.ts";

const DRAWS = 6;

const apply =
  (name: PrimitiveName, { params }: Sample) =>
  (...inputs: readonly Tensor[]): Tensor =>
    (inputs[0] as Tensor).trace.bind(name, params, inputs)[0] as Tensor;

const differentiable = primitiveNames.filter((name) => samplePrimitives[name].gradient !== "none");
const constant = primitiveNames.filter((name) => samplePrimitives[name].gradient === "none");

function drawn(name: PrimitiveName, seed: number) {
  const random = new Random(seed);
  const row = samplePrimitives[name];
  const sample =
    row.gradient !== "none" && row.gradient.draw
      ? row.gradient.draw(random)
      : row.draw(random, row.dtypes.includes("f32") ? "f32" : random.pick(row.dtypes));
  return { sample, inputs: sample.inputs.map((spec) => drawInput(random, spec)) };
}

describe.each(differentiable)("%s", (name) => {
  const { gradient } = samplePrimitives[name];
  const tolerance = gradient === "none" ? 0 : gradient.tolerance;
  for (const order of [1, 2] as const)
    test(`derivative of order ${order} against central differences`, async () => {
      let largest = 0;
      for (let seed = 0; seed < DRAWS; seed++) {
        const { sample, inputs } = drawn(name, seed);
        const report = await checkGradient(apply(name, sample), inputs, { tolerance, order, seed });
        largest = Math.max(largest, Math.abs(report.derivative));
      }
      // A rule that gives nothing would agree with a difference of nothing.
      expect(largest).toBeGreaterThan(1e-3);
    });
});

test("rows say which primitives have a derivative, as the primitives do", () => {
  const without = primitiveNames.filter((name) => primitiveOf(name).vjp === "none");
  expect(constant).toEqual(without);
});

test.each(constant.filter((name) => samplePrimitives[name].dtypes.includes("f32")))(
  "%s lets no gradient through",
  async (name) => {
    const { sample, inputs } = drawn(name, 1);
    if (inputs.length === 0) return;
    const f = (x: Tensor, ...others: readonly Tensor[]): Tensor =>
      // x itself is added, so that a gradient of exactly 1 shows that nothing came through the primitive.
      grad((p: Tensor) =>
        p.sum().add(
          apply(name, sample)(p, ...others)
            .cast("f32")
            .sum(),
        ),
      )(x);
    const [g] = await runFunction(referenceBackend(), f, inputs);
    expect(Array.from(g?.data ?? [])).toEqual(new Array(g?.data.length).fill(1));
  },
);
