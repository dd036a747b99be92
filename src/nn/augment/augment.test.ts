import { describe, expect, test } from "vitest";
import { wasmBackend } from "../../backends/wasm/index.ts";
import { runFunction } from "../../compile/run-function.ts";
import { array, HostArray } from "../../core/host-array.ts";
import type { Tensor } from "../../ops/tensor.ts";
import { Key } from "../../trace/random.ts";
import * as augment from "./index.ts";
import { symmetricBeta } from "./mixes.ts";

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

/** Pictures of one number each, so that what is done to a whole picture shows in its first. */
const even = (value: (n: number) => number, size = 64): HostArray =>
  new HostArray(
    "f32",
    [count, 1, size, size],
    Float32Array.from({ length: count * size * size }, (_, i) => value(Math.floor(i / (size * size)))),
  );

test("erase sets one rectangle within its bounds to 0, in half of the pictures", async () => {
  const size = 64;
  const { data } = await changed(
    augment.erase({ scale: [0.1, 0.2], ratio: [0.5, 2] }),
    even(() => 1, size),
  );
  let erased = 0;
  for (const n of all) {
    const gone = Array.from({ length: size * size }, (_, i) => i).filter((i) => data[n * size * size + i] === 0);
    if (gone.length === 0) continue;
    erased++;
    const rows = new Set(gone.map((i) => Math.floor(i / size)));
    const columns = new Set(gone.map((i) => i % size));
    expect(gone).toHaveLength(rows.size * columns.size);
    expect(gone.length / size ** 2).toBeGreaterThan(0.09);
    expect(gone.length / size ** 2).toBeLessThan(0.21);
    expect(rows.size / columns.size).toBeGreaterThan(0.45);
    expect(rows.size / columns.size).toBeLessThan(2.2);
  }
  expect(erased / count).toBeGreaterThan(0.35);
  expect(erased / count).toBeLessThan(0.65);
});

test("noise has its standard deviation, in bytes a share of 255", async () => {
  const data = [
    ...(
      await changed(
        augment.noise(0.5),
        even(() => 3, 8),
      )
    ).data,
  ];
  const mean = data.reduce((sum, x) => sum + x, 0) / data.length;
  const deviation = Math.sqrt(data.reduce((sum, x) => sum + (x - mean) ** 2, 0) / data.length);
  expect(mean).toBeCloseTo(3, 1);
  expect(deviation).toBeCloseTo(0.5, 1);
  const grey = new HostArray("u8", [count, 1, 8, 8], new Uint8Array(count * 64).fill(128));
  const noisy = [...(await changed(augment.noise(0.05), grey)).data];
  const spread = Math.sqrt(noisy.reduce((sum, x) => sum + (x - 128) ** 2, 0) / noisy.length);
  expect(spread / 12.75).toBeCloseTo(1, 1);
});

test.each([
  ["rotate", augment.rotate(30)],
  ["affine", augment.affine({ degrees: 10, translate: 0.2, scale: [0.8, 1.2], shear: 10 })],
  ["resizedCrop", augment.resizedCrop()],
  ["contrast", augment.contrast(0.5)],
])("%s changes each picture by itself and leaves bytes bytes", async (_, made) => {
  const twice = new HostArray(
    "u8",
    [count, channels, height, width],
    Uint8Array.from(bytes.data, (_, i) => bytes.data[i % (channels * height * width)] as number),
  );
  const result = await changed(made, twice);
  expect(result.dtype).toBe("u8");
  const size = channels * height * width;
  const kinds = new Set(all.map((n) => result.data.slice(n * size, (n + 1) * size).join(" ")));
  expect(kinds.size).toBeGreaterThan(count / 3);
});

test("resizedCrop leaves an even picture as it is; rotate lets 0 in at the corners alone", async () => {
  const x = even(() => 7, 16);
  const cropped = (await changed(augment.resizedCrop(), x)).data;
  expect(Math.max(...Array.from(cropped, (v) => Math.abs(v - 7)))).toBeLessThan(1e-5);
  const turned = (await changed(augment.rotate(45), x)).data;
  for (const n of all) expect(turned[n * 256 + 8 * 16 + 8]).toBeCloseTo(7, 4);
  expect(all.filter((n) => (turned[n * 256] as number) < 6.9).length).toBeGreaterThan(count / 2);
});

test("grayscale takes the colour from a share of the pictures; one channel stays", async () => {
  const colours = new HostArray(
    "u8",
    [count, 3, 1, 1],
    Uint8Array.from({ length: 3 * count }, (_, i) => [200, 100, 50][i % 3] as number),
  );
  const { data } = await changed(augment.grayscale({ p: 0.5 }), colours);
  const kinds = new Map<string, number>();
  for (const n of all) {
    const pixel = [...data.slice(3 * n, 3 * n + 3)].join(" ");
    kinds.set(pixel, (kinds.get(pixel) ?? 0) + 1);
  }
  expect([...kinds.keys()].sort()).toEqual(["124 124 124", "200 100 50"]);
  expect(kinds.get("124 124 124")).toBeGreaterThan(70);
  const one = even((n) => n, 2);
  for (const made of [augment.grayscale({ p: 1 }), augment.saturation(0.5)])
    expect((await changed(made, one)).data).toEqual(one.data);
});

describe.each([
  ["mixup", augment.mixup(0.4)],
  ["cutmix", augment.cutmix(1)],
] as const)("%s", (kind, made) => {
  const size = 16;
  const x = even((n) => n, size);
  const labels = new HostArray("i32", [count, 1], Int32Array.from(all));
  const mixed = () =>
    runFunction(
      wasmBackend(),
      (pictures, own, words) => {
        const key = new Key(words as never);
        const shares = (own as Tensor).full(1, [count, 1], "f32");
        const after = made.mixLabels?.({ labels: own as Tensor, shares }, key, pictures as Tensor);
        return [made.apply(pictures as Tensor, key), after?.labels as Tensor, after?.shares as Tensor];
      },
      [x, labels, array([3, 9], [2], "i32")],
    ) as Promise<HostArray[]>;

  test("what is shown fits the labels' shares, picture by picture", async () => {
    const [pictures, own, shares] = (await mixed()) as [HostArray, HostArray, HostArray];
    for (const n of all) {
      const other = count - 1 - n;
      expect([...own.data.slice(2 * n, 2 * n + 2)]).toEqual([n, other]);
      const [keep, rest] = shares.data.slice(2 * n, 2 * n + 2) as unknown as [number, number];
      expect(keep + rest).toBeCloseTo(1, 5);
      const pixels = [...pictures.data.slice(n * size * size, (n + 1) * size * size)];
      const mean = pixels.reduce((sum, v) => sum + v, 0) / pixels.length;
      expect(mean).toBeCloseTo(keep * n + rest * other, 3);
      if (kind === "cutmix") expect(pixels.every((v) => v === n || v === other)).toBe(true);
      else expect(Math.max(...pixels) - Math.min(...pixels)).toBe(0);
    }
    const kept = all.map((n) => shares.data[2 * n] as number);
    expect(new Set(kept).size).toBeGreaterThan(30);
  });
});

test.each([0.1, 0.2, 0.5, 0.6, 1, 4])("Beta(%d, alpha) has its mean, variance and fourth moment", async (alpha) => {
  const total = 40000;
  const [drawn] = await runFunction(wasmBackend(), (words) => symmetricBeta(new Key(words as never), alpha, [total]), [
    array([5, 6], [2], "i32"),
  ]);
  const data = [...(drawn as HostArray).data];
  const moment = (power: number) => data.reduce((sum, v) => sum + (v - 0.5) ** power, 0) / total;
  const variance = 1 / (4 * (2 * alpha + 1));
  // Of 2 x - 1: the moments of a symmetric beta are 1 / (2 a + 1) and 3 / ((2 a + 1) (2 a + 3)).
  const fourth = 3 / (16 * (2 * alpha + 1) * (2 * alpha + 3));
  expect(data.every((v) => v >= 0 && v <= 1)).toBe(true);
  expect(Math.abs(moment(1))).toBeLessThan(0.01);
  expect(moment(2) / variance).toBeCloseTo(1, 1);
  expect(moment(4) / fourth).toBeCloseTo(1, 1);
});

describe.each([
  ["trivialAugment", augment.trivialAugment()],
  ["randAugment", augment.randAugment()],
] as const)("%s", (kind, made) => {
  const [many, size] = [1400, 12 * 14];
  const picture = Uint8Array.from({ length: 3 * size }, (_, i) => 20 + ((i * 37) % 200));
  const same = new HostArray(
    "u8",
    [many, 3, 12, 14],
    Uint8Array.from({ length: many * 3 * size }, (_, i) => picture[i % (3 * size)] as number),
  );

  test("changes each picture by itself, some not at all, and bytes stay bytes", async () => {
    const result = await changed(made, same);
    expect(result.dtype).toBe("u8");
    const each = Array.from({ length: many }, (_, n) => result.data.slice(n * 3 * size, (n + 1) * 3 * size).join(" "));
    const untouched = each.filter((shown) => shown === picture.join(" ")).length / many;
    // Identity, and equalize of so small a picture: 2 of 14, of two in a row their square; and the lowest levels.
    expect(untouched).toBeGreaterThan(kind === "trivialAugment" ? 0.12 : 0.01);
    expect(untouched).toBeLessThan(kind === "trivialAugment" ? 0.25 : 0.04);
    expect(new Set(each).size).toBeGreaterThan(kind === "trivialAugment" ? 250 : 150);
  });

  test("pictures of one channel too; numbers are refused, since nothing says what is white", async () => {
    const one = new HostArray("u8", [8, 1, 12, 14], new Uint8Array(8 * size).fill(9));
    expect((await changed(made, one)).shape).toEqual(one.shape);
    await expect(
      changed(
        made,
        even(() => 1, 4),
      ),
    ).rejects.toThrow(`augment.${kind}: got pictures f32[200,1,4,4]; expected bytes`);
  });
});

test("colorJitter does what its parts do, one after the other", async () => {
  const colours = new HostArray(
    "u8",
    [count, 3, 2, 2],
    Uint8Array.from({ length: 12 * count }, (_, i) => (i * 41) % 256),
  );
  const { data } = await changed(
    augment.colorJitter({ brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 }),
    colours,
  );
  const off = [...data].map((value, i) => Math.abs(value - (colours.data[i] as number)));
  expect(off.reduce((sum, each) => sum + each, 0) / off.length).toBeGreaterThan(10);
  expect(augment.colorJitter({ hue: 0.1 }).config).toEqual({ kind: "colorJitter", hue: 0.1 });
  expect(() => augment.colorJitter({})).toThrow("augment.colorJitter: got no strength above 0");
  expect(() => augment.colorJitter({ hue: 0.6 })).toThrow("augment.hue: got strength 0.6");
  expect(() => augment.randAugment({ magnitude: 31 })).toThrow("augment.randAugment: got magnitude 31");
});

test("hue turns red towards yellow or magenta, and leaves grey and what is of one channel", async () => {
  const pixels = [255, 0, 0, 90, 90, 90];
  const x = new HostArray(
    "u8",
    [count, 3, 1, 2],
    Uint8Array.from({ length: 6 * count }, (_, i) => pixels[((i % 6) % 2) * 3 + Math.floor((i % 6) / 2)] as number),
  );
  const { data } = await changed(augment.hue(0.1), x);
  const [greens, blues] = [2, 4].map((at) => all.map((n) => data[6 * n + at] as number)) as [number[], number[]];
  for (const n of all) {
    expect(data[6 * n]).toBe(255);
    expect([1, 3, 5].map((at) => data[6 * n + at])).toEqual([90, 90, 90]);
    expect(Math.min(greens[n] as number, blues[n] as number)).toBe(0);
  }
  // A tenth of the circle is six tenths of the way.
  for (const list of [greens, blues]) {
    expect(Math.max(...list)).toBeLessThanOrEqual(153);
    expect(Math.max(...list)).toBeGreaterThan(140);
  }
  const one = even((n) => n, 2);
  expect((await changed(augment.hue(0.1), one)).data).toEqual(one.data);
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

  test.each([
    "spin",
    "flip 2",
    "crop 0",
    "crop 1.5",
    "rotate 181",
    "contrast 2",
    "erase 3",
    "noise 0",
    "mixup 0",
    "hue 0.6",
    "randAugment 31",
    "randAugment 2.5",
    "trivialAugment 3",
    "resizedCrop 1.2",
    "",
    "constructor",
    "cutout x",
  ])("%j is refused", (text) => {
    expect(() => augment.parse(text)).toThrow(/^augment/);
  });
});
