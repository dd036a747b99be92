import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DataError } from "../core/errors.ts";
import { array, HostArray, zeros } from "../core/host-array.ts";
import { measureStandardization, preprocess, readPreprocessing } from "./preprocessing.ts";

describe("preprocess", () => {
  test("standardizes each channel by its own mean and deviation", () => {
    const inputs = new HostArray("u8", [2, 2, 1, 2], new Uint8Array([0, 255, 51, 102, 255, 0, 153, 204]));
    const { dtype, shape, data } = preprocess(
      { kind: "standardize", scale: 1 / 255, mean: [0.5, 0.2], std: [0.5, 0.1] },
      inputs,
    );
    expect([dtype, shape]).toEqual(["f32", [2, 2, 1, 2]]);
    // (0 - 0.5) / 0.5, (1 - 0.5) / 0.5; (0.2 - 0.2) / 0.1, (0.4 - 0.2) / 0.1; and so on
    const expected = [-1, 1, 0, 2, 1, -1, 4, 6];
    expected.forEach((value, i) => {
      expect(data[i]).toBeCloseTo(value, 6);
    });
  });

  test("one mean serves all channels; `none` only converts", () => {
    const inputs = new HostArray("u8", [1, 3], new Uint8Array([1, 2, 3]));
    const one = preprocess({ kind: "standardize", scale: 1, mean: [2], std: [0.5] }, inputs);
    expect(one.data).toEqual(new Float32Array([-2, 0, 2]));
    expect(preprocess({ kind: "none" }, inputs)).toEqual(array([[1, 2, 3]]));
  });

  test("refuses means for other channels", () => {
    const three = { kind: "standardize", scale: 1, mean: [0, 0, 0], std: [1, 1, 1] } as const;
    expect(() => preprocess(three, zeros([1, 2, 4, 4]))).toThrow("3 means for inputs [1,2,4,4]; expected 1 or 2");
  });
});

describe("measureStandardization", () => {
  test("gives mean 0 and deviation 1 in each channel", () => {
    const images = fc
      .tuple(fc.integer({ min: 2, max: 5 }), fc.integer({ min: 1, max: 3 }))
      .chain(([n, c]) =>
        fc
          .uint8Array({ minLength: n * c * 4, maxLength: n * c * 4 })
          .map((values) => new HostArray("u8", [n, c, 2, 2], values)),
      );
    fc.assert(
      fc.property(images, (inputs) => {
        const { data } = preprocess(measureStandardization(inputs), inputs);
        const [n = 0, channels = 0] = inputs.shape;
        for (let channel = 0; channel < channels; channel++) {
          const values = [...data].filter((_, i) => Math.floor(i / 4) % channels === channel);
          const mean = values.reduce((a, b) => a + b, 0) / (n * 4);
          const deviation = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / (n * 4));
          expect(mean).toBeCloseTo(0, 4);
          if (new Set(values).size > 1) expect(deviation).toBeCloseTo(1, 4);
        }
      }),
    );
  });

  test("a channel that never changes keeps its scale; features share one mean", () => {
    expect(measureStandardization(zeros([3, 1, 2, 2], "u8"))).toEqual({
      kind: "standardize",
      scale: 1 / 255,
      mean: [0],
      std: [1],
    });
    expect(
      measureStandardization(
        array([
          [1, 3],
          [5, 7],
        ]),
      ),
    ).toEqual({
      kind: "standardize",
      scale: 1,
      mean: [4],
      std: [Math.sqrt(5)],
    });
  });
});

test("readPreprocessing takes what JSON kept, and nothing else", () => {
  const good = { kind: "standardize", scale: 1 / 255, mean: [0.5], std: [0.25] };
  expect(readPreprocessing(JSON.parse(JSON.stringify(good)), "run.json")).toEqual(good);
  expect(readPreprocessing({ kind: "none" }, "run.json")).toEqual({ kind: "none" });
  const bad: unknown[] = [null, 3, {}, { kind: "center" }, { ...good, std: [0] }, { ...good, mean: [] }];
  bad.push({ ...good, std: [1, 2] }, { ...good, scale: null }, { ...good, mean: ["1"] }, { ...good, std: undefined });
  for (const value of bad) {
    expect(() => readPreprocessing(value, "run.json")).toThrow(DataError);
    expect(() => readPreprocessing(value, "run.json")).toThrow("preprocessing: run.json has");
  }
});
