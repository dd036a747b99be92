import { describe, expect, test } from "vitest";
import { array, HostArray } from "../core/host-array.ts";
import { pictureGrid } from "./picture-grid.ts";

const rowsOf = ({ shape, data }: HostArray, channel = 0): number[][] => {
  const [, height = 0, width = 0] = shape;
  return Array.from({ length: height }, (_, y) => [
    ...data.slice((channel * height + y) * width, (channel * height + y + 1) * width),
  ]);
};

describe("pictureGrid", () => {
  test("puts pictures side by side, row by row, with lines between and grey where there is none", () => {
    const pictures = array(Uint8Array.of(1, 2, 3, 4, 5, 6), [3, 1, 2]);
    expect(rowsOf(pictureGrid(pictures, { zoom: 1 }))).toEqual([
      [1, 2, 128, 3, 4],
      [128, 128, 128, 128, 128],
      [5, 6, 128, 128, 128],
    ]);
    expect(rowsOf(pictureGrid(pictures, { zoom: 1, gap: 0, columns: 3 }))).toEqual([[1, 2, 3, 4, 5, 6]]);
  });

  test("keeps the three channels apart", () => {
    const found = pictureGrid(array(Uint8Array.of(1, 2, 3, 4, 5, 6), [1, 3, 1, 2]), { zoom: 1 });
    expect([0, 1, 2].map((channel) => rowsOf(found, channel))).toEqual([[[1, 2]], [[3, 4]], [[5, 6]]]);
  });

  test("makes small pictures larger by whole pixels", () => {
    const found = pictureGrid(array(Uint8Array.of(9, 7), [1, 1, 2]));
    expect(found.shape).toEqual([1, 24, 48]);
    expect(rowsOf(found)[23]).toEqual([...Array(24).fill(9), ...Array(24).fill(7)]);
    expect(pictureGrid(new HostArray("u8", [1, 30, 40], new Uint8Array(1200))).shape).toEqual([1, 30, 40]);
  });

  test("scales values from the least to the largest, of all or of each", () => {
    const values = array([-1, 0, 1, 3], [2, 1, 2]);
    const cells = (range: "each" | "all"): unknown => rowsOf(pictureGrid(values, { zoom: 1, gap: 0, range }));
    expect(cells("all")).toEqual([[0, 64, 128, 255]]);
    expect(cells("each")).toEqual([[0, 255, 0, 255]]);
    expect(rowsOf(pictureGrid(values, { zoom: 1, gap: 0 }))).toEqual(cells("all"));
  });

  test("shows what is not finite as black or white", () => {
    const values = array([Number.NaN, Infinity, 0, 2], [1, 1, 4]);
    expect(rowsOf(pictureGrid(values, { zoom: 1 }))).toEqual([[0, 255, 0, 255]]);
    expect(rowsOf(pictureGrid(array([5, 5], [1, 1, 2]), { zoom: 1 }))).toEqual([[0, 0]]);
  });

  test.each([
    [[2, 2], "f32[2,2]"],
    [[1, 2, 3, 3], "f32[1,2,3,3]"],
    [[0, 3, 3], "f32[0,3,3]"],
  ])("refuses %s", (shape, shown) => {
    const data = new Float32Array(shape.reduce((n, k) => n * k, 1));
    expect(() => pictureGrid(new HostArray("f32", shape, data))).toThrow(
      `pictureGrid: got ${shown}; expected pictures`,
    );
  });
});
