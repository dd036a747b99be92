import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DataError } from "../core/errors.ts";
import { array, HostArray, zeros } from "../core/host-array.ts";
import { classCounts, dataset, fingerprint, sampleCount, takeRows } from "./dataset.ts";

const labels = (...values: number[]) => array(values, [values.length], "i32");
const images = (count: number) => zeros([count, 1, 2, 2], "u8");

describe("dataset", () => {
  test("classes come from the labels unless they are given", () => {
    expect(dataset(images(3), labels(0, 2, 1)).classes).toEqual(["0", "1", "2"]);
    expect(dataset(images(3), labels(0, 2, 1), { classes: 4 }).classes).toEqual(["0", "1", "2", "3"]);
    expect(dataset(images(2), labels(1, 0), { classes: ["cat", "dog"] }).classes).toEqual(["cat", "dog"]);
    expect(dataset(images(2), zeros([2, 3])).classes).toBeUndefined();
  });

  test("u8 labels become i32", () => {
    const { targets } = dataset(images(2), array(new Uint8Array([1, 0])));
    expect(targets).toEqual(labels(1, 0));
  });

  test("u8 inputs are divided by 255 unless told otherwise, f32 stay", () => {
    expect(dataset(images(1), labels(0)).preprocessing).toEqual({
      kind: "standardize",
      scale: 1 / 255,
      mean: [0],
      std: [1],
    });
    expect(dataset(zeros([1, 4]), labels(0)).preprocessing).toEqual({ kind: "none" });
  });

  const refused: readonly (readonly [string, () => unknown, string])[] = [
    [
      "a label past the classes",
      () => dataset(images(4), labels(0, 9, 10, 11), { name: "digits", classes: 10 }),
      "dataset: digits has label 10 at index 2; expected 0 to 9.",
    ],
    ["a negative label", () => dataset(images(2), labels(0, -1)), "label -1 at index 1; expected 0 to 99999."],
    ["a label that only damage explains", () => dataset(images(1), labels(2 ** 30)), "label 1073741824 at index 0"],
    [
      "counts that differ",
      () => dataset(images(3), labels(0, 1), { name: "digits" }),
      "dataset: digits has 3 inputs and 2 targets; expected as many of one as of the other.",
    ],
    ["no samples", () => dataset(images(0), labels()), "expected at least one sample."],
    ["empty samples", () => dataset(zeros([2, 0], "u8"), labels(0, 1)), "expected at least one sample."],
    [
      "inputs of a wrong type",
      () => dataset(zeros([2, 2], "i32"), labels(0, 1)),
      "inputs i32[2,2]; expected u8[N,...]",
    ],
    ["a scalar", () => dataset(zeros([]), labels(0)), "inputs f32[]"],
    ["labels with two axes", () => dataset(images(2), zeros([2, 2], "i32")), "targets i32[2,2]"],
    [
      "a value that is not finite",
      () =>
        dataset(
          array([
            [1, 2],
            [3, Number.NaN],
          ]),
          labels(0, 1),
        ),
      "NaN in inputs of sample 1",
    ],
    ["a target that is not finite", () => dataset(images(2), array([Infinity, 0])), "Infinity in targets of sample 0"],
    ["classes without labels", () => dataset(images(2), zeros([2]), { classes: 2 }), "classes, but targets f32[2]"],
    ["no classes", () => dataset(images(2), labels(0, 0), { classes: [] }), "0 classes"],
    [
      "means for other channels",
      () =>
        dataset(images(1), labels(0), {
          preprocessing: { kind: "standardize", scale: 1, mean: [0, 0, 0], std: [1, 1, 1] },
        }),
      "has 3 means for inputs [1,1,2,2]; expected 1 or 1.",
    ],
  ];
  test.each(refused)("refuses %s", (_, work, message) => {
    expect(work).toThrow(DataError);
    expect(work).toThrow(message);
  });

  test("the error's place is the source, where there is one", () => {
    try {
      dataset(images(1), labels(7), { classes: 2, source: "/data/digits" });
      expect.unreachable();
    } catch (error) {
      expect((error as DataError).where).toBe("/data/digits");
    }
  });
});

test("classCounts counts all samples or some", () => {
  const data = dataset(images(5), labels(0, 2, 2, 0, 2), { classes: 4 });
  expect(sampleCount(data)).toBe(5);
  expect(classCounts(data)).toEqual([2, 0, 3, 0]);
  expect(classCounts(data, Int32Array.of(1, 3))).toEqual([1, 0, 1, 0]);
  expect(() => classCounts(dataset(images(1), zeros([1])))).toThrow("expected labels");
});

describe("takeRows", () => {
  test("copies the rows at the indices, in their order", () => {
    const source = array([
      [[1], [2]],
      [[3], [4]],
      [[5], [6]],
    ]);
    const taken = takeRows(source, Int32Array.of(2, 0, 2));
    expect(taken).toEqual(new HostArray("f32", [3, 2, 1], new Float32Array([5, 6, 1, 2, 5, 6])));
    taken.data.fill(0);
    expect(source.data[5]).toBe(6);
  });

  test.each([-1, 2, 0.5, Number.NaN])("refuses index %s of two rows", (index) => {
    expect(() => takeRows(zeros([2, 3], "u8"), [0, index])).toThrow("expected 0 to 1");
  });
});

describe("fingerprint", () => {
  const of = (values: Uint8Array, shape: number[], target = 0) =>
    fingerprint(dataset(new HostArray("u8", shape, values), labels(target), { classes: 256 }));

  test("is the same for equal data, also for a checkpoint of an older version (pinned)", () => {
    expect(of(new Uint8Array([1, 2, 3, 4, 5]), [1, 5])).toBe(of(new Uint8Array([1, 2, 3, 4, 5]), [1, 5]));
    expect(of(new Uint8Array([1, 2, 3, 4, 5]), [1, 5])).toBe("b5763e9fc0a6d485");
  });

  test("changes with any one byte, with the shape and with a label", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 40 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (values, at, by) => {
          const changed = Uint8Array.from(values);
          changed[at % values.length] = (values[at % values.length] as number) ^ by;
          const before = of(values, [1, values.length]);
          expect(of(changed, [1, values.length])).not.toBe(before);
          expect(of(values, [1, 1, values.length])).not.toBe(before);
          expect(of(values, [1, values.length], by)).not.toBe(before);
        },
      ),
    );
  });
});
