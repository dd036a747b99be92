import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import type { Backend } from "../../src/compile/backend.ts";
import type { Shape } from "../../src/core/dtype.ts";
import { HostArray } from "../../src/core/host-array.ts";
import { takeRows } from "../../src/data/dataset.ts";
import type { LayerConfig } from "../../src/nn/layer.ts";
import { metricFromConfig } from "../../src/nn/metrics/index.ts";
import { candidates } from "../conformance/candidates.ts";
import { measured } from "../nn/measured.ts";

type Packed = { readonly shape: Shape; readonly data: readonly number[]; readonly dtype: "f32" | "i32" };
type Value = number | "NaN" | readonly Value[];
type Case = {
  readonly name: string;
  readonly config: LayerConfig;
  /** Places in the list of arrays. */
  readonly output: number;
  readonly target: number;
  readonly value: Value;
};

const { arrays, cases } = JSON.parse(
  readFileSync(new URL("../../golden/metrics/metrics.json", import.meta.url), "utf8"),
) as { readonly arrays: readonly Packed[]; readonly cases: readonly Case[] };

/** Counts are exact; sums of a batch in single precision are 61 values long at most, so 61 2^-24 = 4e-6 off. */
const backends: readonly (readonly [name: string, backend: Backend, tolerance: number])[] = [
  ["reference in f64", referenceBackend({ precision: "f64" }), 1e-12],
  ...candidates.map(({ name, create }) => [name, create(), 4e-6] as const),
];

afterAll(() => Promise.all(backends.map(([, backend]) => backend.close())));

function unpack(place: number): HostArray {
  const { shape, data, dtype } = arrays[place] as Packed;
  return new HostArray(dtype, shape, dtype === "i32" ? Int32Array.from(data) : Float64Array.from(data));
}

const flat = (value: unknown): number[] =>
  Array.isArray(value) ? value.flatMap(flat) : [typeof value === "number" ? value : Number.NaN];

/** Rows of 1, 2, 16, 32 and so on, and what is left. */
function cut(count: number): Int32Array[] {
  const rows = Int32Array.from({ length: count }, (_, i) => i);
  return [0, 1, 3, 19, 51].flatMap((from, i, all) => (from < count ? [rows.subarray(from, all[i + 1] ?? count)] : []));
}

describe.each(backends)("metrics on %s", (_name, backend, tolerance) => {
  test.each(cases.map((each) => [each.name, each] as const))("%s", async (_case, { config, output, target, value }) => {
    const metric = metricFromConfig(JSON.parse(JSON.stringify(config)) as LayerConfig);
    const [x, y] = [unpack(output), unpack(target)];
    const parts = cut(x.shape[0] ?? 0).map((rows) => [takeRows(x, rows), takeRows(y, rows)] as const);
    const got = flat(await measured(backend, metric, parts));
    const want = flat(value);
    expect(got.length).toBe(want.length);
    want.forEach((expected, i) => {
      if (Number.isNaN(expected)) expect(got[i]).toBeNaN();
      else
        expect(Math.abs((got[i] ?? Number.NaN) - expected)).toBeLessThanOrEqual(
          tolerance * Math.max(1, Math.abs(expected)),
        );
    });
  });
});
