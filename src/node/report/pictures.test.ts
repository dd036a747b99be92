import { expect, test } from "vitest";
import { array } from "../../core/host-array.ts";
import { firstFilters, glow, mosaic, pictureOf } from "./pictures.ts";

const values = (count: number, of: (i: number) => number) => Float32Array.from({ length: count }, (_, i) => of(i));

test("the first layer's filters are found where it sees pixels, and nowhere else", () => {
  const conv = { "0.weight": array(new Float32Array(2 * 3 * 9), [2, 3, 3, 3]), "0.bias": array(new Float32Array(2)) };
  expect(firstFilters(conv, [3, 8, 8])).toMatchObject({ name: "0.weight", filters: { shape: [2, 3, 3, 3] } });
  const linear = { "1.weight": array(new Float32Array(5 * 12), [5, 12]) };
  expect(firstFilters(linear, [1, 3, 4])?.filters.shape).toEqual([5, 1, 3, 4]);
  expect(firstFilters(linear, [3, 4])?.filters.shape).toEqual([5, 1, 3, 4]);
  // An embedding as wide as a text is long, and a table of as many columns.
  expect(firstFilters(linear, [12])).toBeUndefined();
  expect(firstFilters(linear, [2, 2, 3])).toBeUndefined();
  expect(firstFilters(conv, [2, 8, 8])).toBeUndefined();
});

test("filters stand side by side; grey is 0 and the largest weight of each is white or black", () => {
  const two = array([2, -1, 0, 1, -0.5, 0, 0, 0.25], [2, 1, 2, 2]);
  const { shape, data } = mosaic(two);
  expect(shape).toEqual([4, 2, 5]);
  expect([...data.slice(0, 10)]).toEqual([255, 64, 0, 0, 128, 128, 191, 0, 128, 191]);
  expect([...data.slice(30, 40)]).toEqual([255, 255, 0, 255, 255, 255, 255, 0, 255, 255]);
});

test("pictures of floats reach from black to white, and large ones are halved by means", () => {
  expect(
    pictureOf(
      array([
        [
          [-1, 0],
          [1, 3],
        ],
      ]),
      0,
    ),
  ).toMatchObject({ shape: [1, 2, 2], data: Uint8Array.of(0, 64, 128, 255) });
  const large = array(
    Uint8Array.from({ length: 200 * 2 }, (_, i) => (i < 200 ? 10 : 30)),
    [1, 1, 2, 200],
  );
  expect(pictureOf(large, 0)).toMatchObject({ shape: [1, 1, 100], data: new Uint8Array(100).fill(20) });
});

test("what glows is clear where nothing spoke, and all clear where nothing did", () => {
  const alpha = (map: Float32Array): number[] => [...glow(map, 2, 2).data.slice(12)];
  expect(alpha(values(4, (i) => i))).toEqual([0, 78, 157, 235]);
  expect(alpha(new Float32Array(4))).toEqual([0, 0, 0, 0]);
});
