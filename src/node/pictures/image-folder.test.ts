import { mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { classCounts, sampleCount } from "../../data/dataset.ts";
import type { PictureForm } from "../../data/picture-form.ts";
import { cacheFor, readCache, writeCache } from "./cache.ts";
import { decodePicture } from "./decode.ts";
import { type ImageFolderOptions, imageFolder } from "./image-folder.ts";

let root: string;
let cacheDir: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "downhill-pictures-"));
  cacheDir = join(root, "cache");
});
afterAll(() => rm(root, { recursive: true, force: true }));

type Colour = { r: number; g: number; b: number };
const solid = (colour: Colour, width = 12, height = 10) =>
  sharp({ create: { width, height, channels: 3, background: colour } });
/** A picture that no other is equal to. */
const shade = (n: number): Colour => ({ r: n % 256, g: (n * 7) % 256, b: (n * 13) % 256 });
const png = (n: number): Promise<Buffer> => solid(shade(n)).png().toBuffer();

async function put(folder: string, files: Readonly<Record<string, Uint8Array | string>>): Promise<string> {
  const at = join(root, folder);
  for (const [name, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(at, name)), { recursive: true });
    await writeFile(join(at, name), bytes);
  }
  return at;
}

/** `classes` folders of `each` pictures. */
async function classesOf(folder: string, classes: readonly string[], each: number): Promise<string> {
  let n = 0;
  const files: Record<string, Uint8Array> = {};
  for (const name of classes) for (let i = 0; i < each; i++) files[`${name}/${i}.png`] = await png(n++);
  return put(folder, files);
}

const read = (folder: string, options: ImageFolderOptions = {}) => imageFolder(folder, { cacheDir, ...options });

describe("pictures become arrays", () => {
  test("of the right colours, channels first, whatever the format", async () => {
    const colour = { r: 200, g: 40, b: 90 };
    const formats: Readonly<Record<string, Promise<Buffer>>> = {
      "a.png": solid(colour).png().toBuffer(),
      "b.jpg": solid(colour).jpeg({ quality: 100, chromaSubsampling: "4:4:4" }).toBuffer(),
      "c.webp": solid(colour).webp({ lossless: true }).toBuffer(),
      "d.gif": solid(colour).gif().toBuffer(),
      "e.tiff": solid(colour).tiff().toBuffer(),
      "f.avif": solid(colour).avif({ quality: 100, chromaSubsampling: "4:4:4" }).toBuffer(),
      "g.png": solid(colour).png({ palette: true }).toBuffer(),
      "h.png": solid(colour).toColourspace("rgb16").png().toBuffer(),
    };
    const form: PictureForm = { channels: 3, height: 4, width: 5, fit: "fill", background: [0, 0, 0] };
    for (const [name, bytes] of Object.entries(formats)) {
      const { shape, data } = await decodePicture(await bytes, form, name);
      expect(shape).toEqual([3, 4, 5]);
      for (const [channel, level] of [200, 40, 90].entries())
        for (const value of data.subarray(channel * 20, (channel + 1) * 20))
          expect(Math.abs(value - level), `${name} channel ${channel}`).toBeLessThanOrEqual(3);
    }
  });

  test("over the background where they are transparent or of another shape", async () => {
    const clear = await sharp({
      create: { width: 4, height: 8, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } },
    })
      .png()
      .toBuffer();
    const form = { channels: 1, height: 8, width: 8, fit: "contain", background: [250, 250, 250] } as const;
    expect([...new Set((await decodePicture(clear, form)).data)]).toEqual([250]);
    const black = await solid({ r: 0, g: 0, b: 0 }, 4, 8).png().toBuffer();
    const row = (data: ArrayLike<number>) => Array.from(data).slice(24, 32);
    expect(row((await decodePicture(black, form)).data)).toEqual([250, 250, 0, 0, 0, 0, 250, 250]);
    expect(row((await decodePicture(black, { ...form, fit: "cover" })).data)).toEqual(new Array(8).fill(0));
  });

  test("turned as EXIF says", async () => {
    const half = await sharp({ create: { width: 8, height: 4, channels: 3, background: "black" } })
      .composite([{ input: await solid({ r: 255, g: 255, b: 255 }, 4, 4).png().toBuffer(), left: 0, top: 0 }])
      .withMetadata({ orientation: 6 })
      .png()
      .toBuffer();
    const form = { channels: 1, height: 8, width: 4, fit: "fill", background: [0, 0, 0] } as const;
    const { data } = await decodePicture(half, form);
    // What was left is at the top once it is turned to the right.
    expect([data[0], data[3], data[28], data[31]]).toEqual([255, 255, 0, 0]);
  });

  test("with one channel where none has colour", async () => {
    const grey = await put("grey", {
      ...Object.fromEntries(
        await Promise.all(
          Array.from({ length: 12 }, async (_, i) => [
            `${i % 2 ? "odd" : "even"}/${i}.png`,
            await solid({ r: 9 * i, g: 9 * i, b: 9 * i })
              .png()
              .toBuffer(),
          ]),
        ),
      ),
    });
    const { train, card } = await read(grey);
    expect(train.inputs.shape.slice(1)).toEqual([1, 10, 12]);
    expect(card.grey).toBe(12);
    const first = Array.from(train.inputs.data.subarray(0, 120));
    expect(new Set(first).size).toBe(1);
    expect((first[0] as number) % 9).toBe(0);
  });
});

describe("what is trained on", () => {
  test("the same share of each class is held out, by the seed and the contents alone", async () => {
    const folder = await classesOf("split", ["b", "a"], 20);
    const { train, validation, test: held, card } = await read(folder);
    expect(train.classes).toEqual(["a", "b"]);
    for (const [part, each] of [
      [train, 16],
      [validation, 2],
      [held, 2],
    ] as const)
      expect(part && classCounts(part)).toEqual([each, each]);
    expect(card.classes).toEqual([
      { name: "a", train: 16, validation: 2, test: 2 },
      { name: "b", train: 16, validation: 2, test: 2 },
    ]);
    const again = await read(folder);
    expect(again.test?.inputs.data).toEqual(held?.inputs.data);
    const other = await read(folder, { splitSeed: 1 });
    expect(other.test?.inputs.data).not.toEqual(held?.inputs.data);
    // A new picture moves none of the others out of what is held out, unless it takes a place there itself.
    await writeFile(join(folder, "a", "new.png"), await png(999));
    const more = await read(folder);
    const pixels = (data: ArrayLike<number> = []) =>
      Array.from({ length: 4 }, (_, i) =>
        Array.from(data)
          .slice(360 * i, 360 * i + 3)
          .join(),
      );
    const kept = pixels(held?.inputs.data).filter((one) => pixels(more.test?.inputs.data).includes(one));
    expect(kept.length).toBeGreaterThanOrEqual(3);
  });

  test("train, val and test folders are taken as they are", async () => {
    const folder = await put("parts", {
      "train/x/1.png": await png(1),
      "train/x/deep/2.png": await png(2),
      "train/y/3.png": await png(3),
      "val/x/4.png": await png(4),
      "Test/y/5.png": await png(5),
      "notes/6.png": await png(6),
    });
    const { train, validation, test: held, card } = await read(folder);
    expect([train, validation, held].map((part) => part && sampleCount(part))).toEqual([3, 1, 1]);
    expect(classCounts(train)).toEqual([2, 1]);
    expect(card.skipped).toEqual([{ name: "notes/", reason: "lies beside the folders train, val and test" }]);
  });

  test("lists name files and labels", async () => {
    const folder = await classesOf("listed", ["one"], 8);
    const rows = Array.from({ length: 8 }, (_, i) => `one/${i}.png,${i < 4 ? "früh" : "spät"}`);
    await writeFile(join(folder, "list.csv"), `\uFEFFPath,Label\n${rows.join("\n")}\n`);
    const { train, card } = await read(join(folder, "list.csv"), { validation: 0, test: 0 });
    expect(train.classes).toEqual(["früh", "spät"]);
    expect(classCounts(train)).toEqual([4, 4]);
    expect(card.pictures).toBe(8);
    const lines = Array.from({ length: 8 }, (_, i) =>
      JSON.stringify({ image: `one/${i}.png`, class: i % 2 ? "a" : "b", split: i < 6 ? "train" : "test" }),
    );
    await writeFile(join(folder, "list.jsonl"), lines.join("\n"));
    const parts = await read(join(folder, "list.jsonl"), { validation: 0 });
    expect([parts.train, parts.test].map((part) => part && classCounts(part))).toEqual([
      [3, 3],
      [1, 1],
    ]);
  });

  test("copies count once, in several classes not at all, and what is held out is not trained on", async () => {
    const same = await png(50);
    const torn = await png(51);
    const folder = await classesOf("copies", ["p", "q"], 5);
    await put("copies", { "p/copy.png": same, "p/copy of copy.png": same, "q/torn.png": torn, "p/torn.png": torn });
    const { card } = await read(folder, { validation: 0, test: 0 });
    expect(card.pictures).toBe(11);
    expect(card.duplicates).toEqual([{ name: "p/copy.png", reason: "is the same as p/copy of copy.png" }]);
    expect(card.contradictions.map(({ name }) => name)).toEqual(["p/torn.png", "q/torn.png"]);
    const parts = await put("leak", {
      "train/a/1.png": same,
      "train/a/2.png": await png(60),
      "train/b/3.png": await png(61),
      "test/a/9.png": same,
    });
    const leak = await read(parts, { validation: 0 });
    expect(leak.card.leaks).toEqual([{ name: "train/a/1.png", reason: "is the same as test/a/9.png" }]);
    expect([leak.train, leak.test].map((part) => part && sampleCount(part))).toEqual([2, 1]);
  });

  test("links are not followed unless asked, and then no picture counts twice", async () => {
    const folder = await classesOf("links", ["a", "b"], 4);
    await symlink(join(folder, "a"), join(folder, "c"));
    await symlink(join(folder, "b", "0.png"), join(folder, "a", "link.png"));
    await symlink(join(folder, "nowhere"), join(folder, "a", "broken.png"));
    await symlink(folder, join(folder, "b", "loop"));
    const plain = await read(folder, { validation: 0, test: 0 });
    expect([plain.card.pictures, plain.card.links]).toEqual([8, 4]);
    const { card } = await read(folder, { validation: 0, test: 0, followLinks: true });
    expect(card.pictures).toBe(8);
    expect(card.skipped.map(({ reason }) => reason)).toContain("is a link to nothing");
  });

  test("an unequal number of pictures is warned about", async () => {
    const folder = await classesOf("unequal", ["few"], 12);
    await classesOf("unequal", ["many"], 0);
    for (let i = 0; i < 45; i++) await put("unequal", { [`many/${i}.png`]: await png(300 + i) });
    const { card } = await read(folder, { validation: 0, test: 0 });
    expect(card.warnings).toEqual([
      "many has 45 pictures to train on and few 12. Weigh them alike with --class-weights balanced.",
    ]);
  });
});

describe("the cache", () => {
  const form: PictureForm = { channels: 3, height: 1200, width: 1200, fit: "fill", background: [0, 0, 0] };

  test("gives back what was decoded, also past what is read at once", async () => {
    const folder = await classesOf("large", ["a", "b"], 3);
    const options = { imageSize: 1200, validation: 0, test: 0 };
    const first = await read(folder, options);
    let decoded = 0;
    const second = await read(folder, { ...options, onProgress: () => decoded++ });
    expect(decoded).toBe(0);
    // A deep comparison of so many numbers would take minutes.
    expect(Buffer.compare(second.train.inputs.data as Uint8Array, first.train.inputs.data as Uint8Array)).toBe(0);
    expect(second.card).toEqual(first.card);
  });

  test("knows pictures by their content: a changed one is decoded again, a renamed one is not", async () => {
    const folder = await classesOf("changed", ["a", "b"], 3);
    const options = { validation: 0, test: 0 };
    await read(folder, options);
    const file = join(folder, "a", "0.png");
    await writeFile(join(folder, "b", "renamed.png"), await readFile(join(folder, "b", "0.png")));
    await rm(join(folder, "b", "0.png"));
    await writeFile(file, await png(77));
    await utimes(file, 0, 0);
    const decoded: number[] = [];
    const { train } = await read(folder, { ...options, onProgress: (_, total) => decoded.push(total) });
    expect(decoded).toEqual([1]);
    expect([0, 1, 2].map((c) => train.inputs.data[c * 120])).toEqual(Object.values(shade(77)));
  });

  test("that is damaged or cut off gives fewer pictures, none of them wrong", async () => {
    const folder = await classesOf("damaged", ["a", "b"], 2);
    const cache = await cacheFor(folder, { ...form, height: 9, width: 9 }, "decoder 1", cacheDir);
    const picture = { format: "png", width: 3, height: 4, alpha: true, deep: false, rotated: true };
    const written = ["aa", "bb", "cc"].map((digit, i) => {
      const pixels = new Uint8Array(3 * 9 * 9).fill(i + 1);
      return [digit.repeat(32), { ...picture, pixels }] as const;
    });
    await writeCache(cache, written);
    const found = async () => {
      const all: unknown[] = [];
      await readCache(
        cache,
        () => true,
        (digest, one) => all.push([digest, { ...one, pixels: Uint8Array.from(one.pixels) }]),
      );
      return all;
    };
    expect(await found()).toEqual(written);
    const bytes = await readFile(cache.file);
    bytes[bytes.length - 2 * cache.recordBytes - 5] = 99;
    await writeFile(cache.file, bytes);
    expect(await found()).toEqual(written.slice(1));
    await truncate(cache.file, bytes.length - 1);
    expect(await found()).toEqual(written.slice(1, 2));
    const other = await cacheFor(folder, { ...form, height: 9, width: 9 }, "decoder 2", cacheDir);
    expect(other.file).not.toBe(cache.file);
    for (let i = 3; i < 9; i++) await writeCache(await cacheFor(folder, form, `decoder ${i}`, cacheDir), []);
    expect((await readdir(dirname(cache.file))).length).toBe(3);
  });
});

describe("refuses", () => {
  test("what is no picture, up to a limit, and says why", async () => {
    const folder = await classesOf("broken", ["a", "b"], 10);
    const whole = await png(70);
    await put("broken", {
      "a/empty.png": new Uint8Array(0),
      "a/cut.png": whole.subarray(0, whole.length - 20),
      "b/text.jpg": "not a picture",
      "b/readme.txt": "about b",
    });
    const { card } = await read(folder, { maxBroken: 0.2 });
    expect(card.pictures).toBe(20);
    expect(card.broken.map(({ name }) => name)).toEqual(["a/cut.png", "a/empty.png", "b/text.jpg"]);
    expect(card.broken[1]?.reason).toBe("is empty");
    expect(card.broken[2]?.reason).toMatch(/^cannot be decoded: contains unsupported image format$/);
    expect(card.skipped).toEqual([{ name: "b/readme.txt", reason: "is no picture by its name" }]);
    await expect(read(folder, { maxBroken: 0.1 })).rejects.toThrow(
      /3 of the 23 pictures of .* cannot be used; expected at most 2: a\/cut\.png .*; a\/empty\.png is empty/,
    );
  });

  test.each<[string, Readonly<Record<string, number>>, RegExp]>([
    ["no classes", {}, /has no pictures in folders of classes; expected a sub-folder for each class/],
    ["files beside", { "1.png": 1, "2.png": 2 }, /has no pictures in folders of classes/],
    ["one class", { "a/1.png": 1, "a/2.png": 2 }, /has the one class a; expected at least two/],
    ["one picture", { "a/1.png": 1 }, /has the one class a/],
    ["case", { "Cat/1.png": 1, "cat/2.png": 2 }, /has the classes Cat and cat, which differ only in case/],
    ["few", { "a/1.png": 1, "b/2.png": 2 }, /2 pictures of 2 classes, too few to hold some out for validation/],
    [
      "strange",
      { "train/a/1.png": 1, "train/b/2.png": 2, "test/c/3.png": 3 },
      /test\/c\/3\.png of the class c for test/,
    ],
  ])("a folder of %s", async (name, files, message) => {
    const made = Object.fromEntries(
      await Promise.all(Object.entries(files).map(async ([file, n]) => [file, await png(n)] as const)),
    );
    await mkdir(join(root, `refused ${name}`), { recursive: true });
    const folder = await put(`refused ${name}`, made);
    await expect(read(folder)).rejects.toThrow(message);
  });

  test("lists that are wrong, by their line", async () => {
    const folder = await put("lists", {
      "no-label.csv": "path,label\na.png,x\nb.png,\n",
      "no-column.csv": "path,colour\na.png,x\n",
      "part.csv": "path,label,split\na.png,x,sometimes\n",
      "json.jsonl": '{"path": "a.png", "label": "x"}\n{"path":\n',
      "half.csv": "path,label,split\na.png,x,train\nb.png,y,\n",
    });
    const refusal = (file: string) => expect(read(join(folder, file))).rejects;
    await refusal("no-label.csv").toThrow(/no-label\.csv, line 3 has no label for b\.png/);
    await refusal("no-column.csv").toThrow(/has the columns path, colour; expected one of paths .* and one of labels/);
    await refusal("part.csv").toThrow(/line 2 has "sometimes" for split; expected train, validation or test/);
    await refusal("json.jsonl").toThrow(/json\.jsonl, line 2 is no JSON/);
    await refusal("half.csv").toThrow(/says the part of a\.png, but not of b\.png/);
  });

  test("options out of range", async () => {
    const folder = await classesOf("options", ["a", "b"], 3);
    await expect(read(folder, { imageSize: 3 })).rejects.toThrow(
      "got image size 3; expected whole numbers from 8 to 2048",
    );
    await expect(read(folder, { validation: -1 })).rejects.toThrow(
      "got validation -1; expected a share from 0, below 1",
    );
    await expect(read(join(root, "nowhere"))).rejects.toThrow(/there is no folder/);
  });
});
