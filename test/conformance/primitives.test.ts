import { afterAll, describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import type { Backend } from "../../src/compile/backend.ts";
import { runFunction } from "../../src/compile/run-function.ts";
import { sizeOf } from "../../src/core/dtype.ts";
import { HostArray } from "../../src/core/host-array.ts";
import { type PrimitiveName, primitiveNames } from "../../src/ops/table.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { drawInput, Random, type Sample, samplePrimitives } from "../../src/testing/index.ts";
import { candidates } from "./candidates.ts";

const DRAWS = 8;
const SMALLEST_NORMAL = 2 ** -126;
const double = referenceBackend({ precision: "f64" });

type Draw = { readonly sample: Sample; readonly inputs: readonly HostArray[] };

/** All outputs of a primitive on each draw, in one program. */
function runDraws(backend: Backend, name: PrimitiveName, draws: readonly Draw[]): Promise<HostArray[]> {
  // A program needs some input, and sources take none.
  const anchor = new HostArray("f32", [], Float32Array.of(0));
  return runFunction(
    backend,
    (first, ...rest) => {
      const { trace } = first as Tensor;
      const waiting = [...rest];
      return draws.flatMap(({ sample, inputs }) => trace.bind(name, sample.params, waiting.splice(0, inputs.length)));
    },
    [anchor, ...draws.flatMap(({ inputs }) => inputs)],
  );
}

const magnitude = (x: HostArray): HostArray => new HostArray(x.dtype, x.shape, x.data.map(Math.abs));

/** The unit in the last place of single precision at |x|. */
const ulpAt = (x: number): number => 2 ** (Math.max(Math.floor(Math.log2(Math.abs(x))), -126) - 23);

function expectClose(got: HostArray, exact: HostArray, units: HostArray, ulps: number, what: string): void {
  expect(got.shape, what).toEqual(exact.shape);
  const faults: string[] = [];
  for (let i = 0; i < exact.data.length; i++) {
    const [a, b] = [got.data[i] as number, exact.data[i] as number];
    const rounded = exact.dtype === "f32" ? Math.fround(b) : b;
    if (a === rounded || (Number.isNaN(a) && Number.isNaN(rounded))) continue;
    const flushed = ulps > 0 && a === 0 && Math.abs(b) < SMALLEST_NORMAL;
    if (flushed || Math.abs(a - b) <= ulps * ulpAt(units.data[i] as number)) continue;
    faults.push(`[${i}] ${a} instead of ${rounded}`);
  }
  expect(faults.slice(0, 5), what).toEqual([]);
}

describe.each(candidates)("$name", ({ create }) => {
  const backend = create();
  afterAll(() => backend.close());

  test.each(primitiveNames)("%s on random inputs", async (name) => {
    const { draw, dtypes, ulps, sums } = samplePrimitives[name];
    const draws = Array.from({ length: DRAWS }, (_, seed): Draw => {
      const random = new Random(1000 + seed);
      const sample = draw(random, dtypes[seed % dtypes.length] ?? "f32");
      return { sample, inputs: sample.inputs.map((spec) => drawInput(random, spec)) };
    });
    const exact = await runDraws(double, name, draws);
    const magnitudes = draws.map(({ sample, inputs }) => ({
      sample,
      inputs: inputs.map((x) => (x.dtype === "f32" ? magnitude(x) : x)),
    }));
    const units = sums ? await runDraws(double, name, magnitudes) : exact;
    const got = await runDraws(backend, name, draws);
    for (const [i, y] of got.entries())
      expectClose(y, exact[i] as HostArray, units[i] as HostArray, ulps, `output ${i}`);
    expect(got.length).toBeGreaterThanOrEqual(DRAWS);
  });

  const specials = primitiveNames.filter((name) => (samplePrimitives[name].special ?? []).length > 0);
  test.each(specials)("%s at the ends of its domain", async (name) => {
    const { special = [], ulps } = samplePrimitives[name];
    const arity = special[0]?.length ?? 0;
    const inputs = Array.from(
      { length: arity },
      (_, k) =>
        new HostArray(
          "f32",
          [special.length],
          Float32Array.from(special, (tuple) => tuple[k] as number),
        ),
    );
    const draws = [{ sample: { params: {}, inputs: [] }, inputs }];
    const [exact] = (await runDraws(double, name, draws)) as [HostArray];
    const [got] = (await runDraws(backend, name, draws)) as [HostArray];
    const labels = special.map((tuple) => `${name}(${tuple.join(", ")})`);
    expectClose(got, exact, exact, ulps, labels.map((label, i) => `[${i}] ${label}`).join("\n"));
    expect(got.data.length).toBe(sizeOf([special.length]));
  });
});
