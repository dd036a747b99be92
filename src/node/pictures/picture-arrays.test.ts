import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { array, HostArray } from "../../core/host-array.ts";
import { classCounts } from "../../data/dataset.ts";
import { encodeNpy } from "../../io/npy.ts";
import { encodeNpz } from "../../io/npz.ts";
import { resolveDataset } from "../datasets.ts";
import { inputsShape } from "../tables/array-shape.ts";
import { isPictureArrays, isTable } from "../tables/is-table.ts";
import { datasetFromArrays } from "./picture-arrays.ts";

const folder = mkdtempSync(join(tmpdir(), "downhill-picture-arrays-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** Pixels that tell their place, so that a wrong order of axes shows. */
const pixels = (shape: readonly number[], dtype: "u8" | "i32" = "u8"): HostArray => {
  const size = shape.reduce((product, each) => product * each, 1);
  const values = Array.from({ length: size }, (_, i) => (i * 7) % 251);
  return new HostArray(dtype, shape, dtype === "u8" ? Uint8Array.from(values) : Int32Array.from(values));
};
const labels = (count: number, classes = 2): HostArray =>
  array(
    Array.from({ length: count }, (_, i) => i % classes),
    [count],
    "i32",
  );

test("a .npz in the form of Keras's mnist.npz has the parts that it says", async () => {
  const arrays = { x_test: pixels([4, 8, 8]), x_train: pixels([6, 8, 8]), y_train: labels(6, 3), y_test: labels(4) };
  const path = file("mnist.npz", encodeNpz(arrays));
  expect([isPictureArrays(path), isTable(path)]).toEqual([true, false]);
  const { train, test: held } = await resolveDataset(path);
  expect(train).toMatchObject({
    name: "mnist",
    classes: ["0", "1", "2"],
    inputs: { dtype: "u8", shape: [6, 1, 8, 8] },
  });
  expect(train.inputs.data).toEqual(arrays.x_train.data);
  expect(held.inputs.shape).toEqual([4, 1, 8, 8]);
  expect([held.classes, held.preprocessing]).toEqual([train.classes, train.preprocessing]);
});

test("channels that stand last are put first; whole numbers of a byte become bytes", async () => {
  const x = pixels([4, 2, 5, 3], "i32");
  const y = new HostArray("i32", [4, 1], Int32Array.of(0, 1, 0, 1));
  const { train } = await datasetFromArrays(
    file("colour.npz", encodeNpz({ x_train: x, y_train: y, x_test: x, y_test: y })),
  );
  expect(train.inputs).toMatchObject({ dtype: "u8", shape: [4, 3, 2, 5] });
  const at = (n: number, c: number, h: number, w: number): number =>
    train.inputs.data[((n * 3 + c) * 2 + h) * 5 + w] ?? -1;
  for (const [n, h, w, c] of [
    [0, 0, 0, 1],
    [1, 1, 4, 2],
    [3, 0, 2, 0],
  ] as const)
    expect(at(n, c, h, w)).toBe(x.data[((n * 2 + h) * 5 + w) * 3 + c]);
  const first = { x: pixels([20, 3, 8, 8]), y: labels(20) };
  expect((await datasetFromArrays(file("first.npz", encodeNpz(first)))).train.inputs.shape.slice(1)).toEqual([3, 8, 8]);
});

test("without a test part a tenth of each class is held out, always the same, and shares nothing with the rest", async () => {
  const path = file("one.npz", encodeNpz({ data: pixels([40, 8, 8]), labels: labels(40) }));
  const [once, again] = [await datasetFromArrays(path), await datasetFromArrays(path)];
  expect(once.test.inputs.data).toEqual(again.test.inputs.data);
  expect([classCounts(once.train), classCounts(once.test)]).toEqual([
    [18, 18],
    [2, 2],
  ]);
  const keys = ({ inputs }: typeof once.train): string[] =>
    Array.from({ length: inputs.shape[0] as number }, (_, i) => inputs.data.slice(i * 64, i * 64 + 64).join());
  expect(new Set([...keys(once.train), ...keys(once.test)]).size).toBe(40);
});

test("labels of a .npy lie beside it, or are named", async () => {
  file("labels_train.npy", encodeNpy(labels(20)));
  const path = file("images_train.npy", encodeNpy(pixels([20, 8, 8])));
  expect((await resolveDataset(path)).train.inputs.shape).toEqual([18, 1, 8, 8]);
  const alone = file("scans.npy", encodeNpy(pixels([20, 8, 8])));
  await expect(resolveDataset(alone)).rejects.toThrow(/scans\.npy alone; expected its targets too/);
  const own = file("three.npy", encodeNpy(labels(20, 3)));
  expect((await resolveDataset(alone, { targets: own })).train.classes).toEqual(["0", "1", "2"]);
});

test("rows of numbers stay a table, and what cannot be read is left to who reads it", () => {
  expect(isTable(file("rows.npz", encodeNpz({ x: pixels([5, 8]), y: labels(5) })))).toBe(true);
  expect(inputsShape(file("rows.npy", encodeNpy(pixels([5, 8]))))).toEqual([5, 8]);
  const whole = encodeNpz({ x: pixels([5, 8, 8]), y: labels(5) });
  for (const content of ["", "PK", whole.slice(0, -9), whole.slice(9), new Uint8Array(40).fill(255)])
    expect(isTable(file("damaged.npz", content))).toBe(true);
  expect(isTable(join(folder, "missing.npz"))).toBe(true);
});

test.each([
  ["labels that are no whole numbers", { x: pixels([4, 8, 8]), y: array([0, 1, 0.5, 1]) }, /target 0\.5 at index 2/],
  ["another number of labels", { x: pixels([4, 8, 8]), y: labels(3) }, /u8\[4,8,8\] and targets i32\[3\]/],
  ["no pictures", { x: pixels([0, 8, 8]), y: labels(0) }, /at least one picture/],
  [
    "a test part of another size",
    { x_train: pixels([4, 8, 8]), y_train: labels(4), x_test: pixels([4, 9, 8]), y_test: labels(4) },
    /\[1,8,8\] and \[1,9,8\]/,
  ],
  [
    "a label that training has not",
    { x_train: pixels([4, 8, 8]), y_train: labels(4), x_test: pixels([4, 8, 8]), y_test: labels(4, 3) },
    /label 2 at index 2; expected 0 to 1/,
  ],
])("%s is refused, with the file", async (_, arrays, message) => {
  const path = file("bad.npz", encodeNpz(arrays));
  await expect(datasetFromArrays(path)).rejects.toThrow(message);
  await expect(datasetFromArrays(path)).rejects.toThrow(/bad/);
});
