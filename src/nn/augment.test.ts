import { describe, expect, test } from "vitest";
import { wasmBackend } from "../backends/wasm/index.ts";
import { runFunction } from "../compile/run-function.ts";
import { array, HostArray } from "../core/host-array.ts";
import { Key } from "../trace/random.ts";
import * as augment from "./augment.ts";

const [count, channels, height, width] = [200, 2, 5, 6];
const bytes = new HostArray(
  "u8",
  [count, channels, height, width],
  Uint8Array.from({ length: count * channels * height * width }, (_, i) => 1 + ((i * 31) % 250)),
);

async function changed(made: augment.Augmentation, x = bytes, seed = 3): Promise<HostArray> {
  const [y] = await runFunction(
    wasmBackend(),
    (pictures, words) => made.apply(pictures as never, new Key(words as never)),
    [x, array([seed, 9], [2], "i32")],
  );
  return y as HostArray;
}

type At = (n: number, c: number, y: number, x: number) => number;
const at =
  ({ data }: HostArray): At =>
  (n, c, y, x) =>
    data[((n * channels + c) * height + y) * width + x] as number;

/** Whether picture n is this one, pixel by pixel. */
function isPicture(result: HostArray, n: number, expected: (c: number, y: number, x: number) => number): boolean {
  const pixel = at(result);
  for (let c = 0; c < channels; c++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) if (pixel(n, c, y, x) !== expected(c, y, x)) return false;
  return true;
}

const original = at(bytes);
const all = Array.from({ length: count }, (_, n) => n);

describe("flip", () => {
  test.each([false, true])(
    "half of the pictures are mirrored, the others as they were (vertical: %s)",
    async (vertical) => {
      const result = await changed(augment.flip({ vertical }));
      const mirrored = (n: number) =>
        isPicture(result, n, (c, y, x) =>
          vertical ? original(n, c, height - 1 - y, x) : original(n, c, y, width - 1 - x),
        );
      const same = (n: number) => isPicture(result, n, (c, y, x) => original(n, c, y, x));
      expect(all.every((n) => mirrored(n) !== same(n))).toBe(true);
      const share = all.filter(mirrored).length / count;
      expect(share).toBeGreaterThan(0.35);
      expect(share).toBeLessThan(0.65);
      expect(result.dtype).toBe("u8");
    },
  );

  test("with p 0 none, with p 1 all", async () => {
    expect((await changed(augment.flip({ p: 0 }))).data).toEqual(bytes.data);
    const once = await changed(augment.flip({ p: 1 }));
    expect(once.data).not.toEqual(bytes.data);
    expect((await changed(augment.flip({ p: 1 }), once)).data).toEqual(bytes.data);
  });
});

test("crop moves each picture by whole pixels, every place about as often, and fills with 0", async () => {
  const result = await changed(augment.crop(2));
  const moves = new Map<string, number>();
  for (const n of all) {
    const found = [-2, -1, 0, 1, 2].flatMap((dy) =>
      [-2, -1, 0, 1, 2].flatMap((dx) => {
        const inside = (y: number, x: number) => y >= 0 && y < height && x >= 0 && x < width;
        const moved = (c: number, y: number, x: number) =>
          inside(y + dy, x + dx) ? original(n, c, y + dy, x + dx) : 0;
        return isPicture(result, n, moved) ? [`${dy} ${dx}`] : [];
      }),
    );
    expect(found).toHaveLength(1);
    moves.set(found[0] as string, (moves.get(found[0] as string) ?? 0) + 1);
  }
  expect(moves.size).toBeGreaterThan(22);
  expect(Math.max(...moves.values())).toBeLessThan(25);
});

test("cutout sets one square to 0 in all channels, and nothing else", async () => {
  const result = await changed(augment.cutout(3));
  const pixel = at(result);
  const sizes = new Set<number>();
  for (const n of all) {
    const cells: (readonly [number, number])[] = [];
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const gone = pixel(n, 0, y, x) === 0;
        expect(pixel(n, 1, y, x) === 0).toBe(gone);
        if (gone) cells.push([y, x] as const);
        else expect(pixel(n, 0, y, x)).toBe(original(n, 0, y, x));
      }
    const [high, wide] = [0, 1].map((axis) => new Set(cells.map((cell) => cell[axis])).size) as [number, number];
    expect(cells).toHaveLength(high * wide);
    expect(Math.max(high, wide)).toBeLessThanOrEqual(3);
    sizes.add(cells.length);
  }
  // Whole ones, and those that the edges cut.
  expect([...sizes].sort((a, b) => a - b)).toEqual([4, 6, 9]);
});

test("brightness has one factor a picture, in its range, and bytes stay bytes", async () => {
  const ones = new HostArray("f32", [count, 1, 1, 2], new Float32Array(2 * count).fill(1));
  const { data } = await changed(augment.brightness(0.3), ones);
  const factors = all.map((n) => data[2 * n] as number);
  expect(all.every((n) => data[2 * n] === data[2 * n + 1])).toBe(true);
  expect(Math.min(...factors)).toBeLessThan(0.75);
  expect(Math.min(...factors)).toBeGreaterThanOrEqual(0.7);
  expect(Math.max(...factors)).toBeGreaterThan(1.25);
  expect(Math.max(...factors)).toBeLessThanOrEqual(1.3);
  const lit = await changed(augment.brightness(1));
  expect(lit.dtype).toBe("u8");
  expect(Math.max(...lit.data)).toBe(255);
});

test("another key draws otherwise; the same key alike", async () => {
  const once = await changed(augment.crop(2));
  expect((await changed(augment.crop(2))).data).toEqual(once.data);
  expect((await changed(augment.crop(2), bytes, 4)).data).not.toEqual(once.data);
});

describe("as text", () => {
  test("each kind's example, and lists", () => {
    for (const [kind, { example }] of Object.entries(augment.AUGMENTATIONS))
      expect(augment.parse(example)[0]?.config.kind).toBe(kind === "flipVertical" ? "flip" : kind);
    expect(augment.parse(" flip 0.3,crop 2 , flipVertical").map(({ config }) => config)).toEqual([
      { kind: "flip", p: 0.3, vertical: false },
      { kind: "crop", padding: 2 },
      { kind: "flip", p: 0.5, vertical: true },
    ]);
  });

  test.each(["spin", "flip 2", "crop 0", "crop 1.5", "", "constructor", "cutout x"])("%j is refused", (text) => {
    expect(() => augment.parse(text)).toThrow(/^augment/);
  });
});
