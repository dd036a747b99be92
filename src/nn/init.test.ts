import { describe, expect, test } from "vitest";
import { foldKey, keyOf } from "../core/prng.ts";
import * as init from "./init.ts";

const key = keyOf(11);

describe("initialisers", () => {
  test("are functions of key, shape and options alone, with these bits on every engine", () => {
    const first = init.heNormal().sample(key, [4, 3]);
    expect(init.heNormal().sample(key, [4, 3]).data).toEqual(first.data);
    expect(init.heNormal().sample(foldKey(key, "weight"), [4, 3]).data).not.toEqual(first.data);
    const bits = (made: init.Initializer): number[] =>
      Array.from(new Uint32Array(made.sample(key, [2, 2]).data.buffer));
    expect(bits(init.uniform({ low: -1 }))).toMatchInlineSnapshot(`
      [
        3205797722,
        3212207842,
        1055450556,
        3198066968,
      ]
    `);
    expect(bits(init.normal())).toMatchInlineSnapshot(`
      [
        1071687110,
        1059641871,
        3200119045,
        3223094628,
      ]
    `);
    expect(bits(init.truncatedNormal())).toMatchInlineSnapshot(`
      [
        3204001608,
        1007572224,
        1057501688,
        1061887512,
      ]
    `);
    expect(bits(init.orthogonal())).toMatchInlineSnapshot(`
      [
        1064280785,
        1051991577,
        1051991577,
        3211764433,
      ]
    `);
  });

  test("constants", () => {
    expect(init.zeros().sample(key, [2]).data).toEqual(Float32Array.of(0, 0));
    expect(init.ones().sample(key, [2]).data).toEqual(Float32Array.of(1, 1));
    expect(init.constant(0.5).sample(key, []).data).toEqual(Float32Array.of(0.5));
  });

  test.each([
    [[6, 4], "columns"],
    [[4, 6], "rows"],
    [[3, 2, 2, 2], "rows"],
  ] as const)("orthogonal of [%s] has orthonormal %s, times the gain", (shape, which) => {
    const { data } = init.orthogonal({ gain: 2 }).sample(key, shape);
    const rows = shape[0];
    const columns = data.length / rows;
    const at = (i: number, j: number): number =>
      (which === "rows" ? data[i * columns + j] : data[j * columns + i]) as number;
    const [count, length] = which === "rows" ? [rows, columns] : [columns, rows];
    for (let a = 0; a < count; a++)
      for (let b = 0; b < count; b++) {
        let dot = 0;
        for (let j = 0; j < length; j++) dot += at(a, j) * at(b, j);
        expect(dot).toBeCloseTo(a === b ? 4 : 0, 5);
      }
  });

  test("truncatedNormal keeps to its interval and has the truncated distribution's moments", () => {
    const moments = (
      options: init.TruncatedNormalOptions,
    ): { mean: number; std: number; low: number; high: number } => {
      const data = Array.from(init.truncatedNormal(options).sample(key, [100, 400]).data);
      const mean = data.reduce((sum, x) => sum + x, 0) / data.length;
      const std = Math.sqrt(data.reduce((sum, x) => sum + (x - mean) ** 2, 0) / data.length);
      return { mean, std, low: Math.min(...data), high: Math.max(...data) };
    };
    // 40,000 values: five deviations of the mean are 0.025 std, of std 0.018. The exact moments are scipy's truncnorm.
    const usual = moments({});
    expect(usual.low).toBeGreaterThanOrEqual(-2);
    expect(usual.high).toBeLessThanOrEqual(2);
    expect(usual.mean).toBeCloseTo(0, 1);
    expect(Math.abs(usual.std - 0.8796)).toBeLessThan(0.016);
    const tail = moments({ low: 3, high: 1e6 });
    expect(tail.low).toBeGreaterThanOrEqual(3);
    expect(Math.abs(tail.mean - 3.2831)).toBeLessThan(0.007);
    const wide = moments({ mean: 1, std: 0.5, low: -1e9, high: 1e9 });
    expect(Math.abs(wide.mean - 1)).toBeLessThan(0.0125);
    expect(Math.abs(wide.std - 0.5)).toBeLessThan(0.009);
  });

  test("refuse what has no fan, and options out of range", () => {
    expect(() => init.heNormal().sample(key, [3])).toThrow("init: got shape [3]; expected at least two axes");
    expect(() => init.orthogonal().sample(key, [3])).toThrow("orthogonal: got shape [3]; expected at least two axes");
    expect(() => init.truncatedNormal({ std: 0 })).toThrow("truncatedNormal: got std 0; expected a positive number.");
    expect(() => init.truncatedNormal({ low: 2, high: 1 })).toThrow("got low 2 and high 1; expected low < high.");
  });
});
