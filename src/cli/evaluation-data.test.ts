import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DataError } from "../core/errors.ts";
import { HostArray } from "../core/host-array.ts";
import { sampleCount } from "../data/dataset.ts";
import type { PictureForm } from "../data/picture-form.ts";
import { encodeNpy } from "../io/npy.ts";
import { encodeNpz } from "../io/npz.ts";
import { evaluationData } from "./evaluation-data.ts";

const folder = mkdtempSync(join(tmpdir(), "downhill-evaluation-data-"));
const pictures: PictureForm = { channels: 3, height: 8, width: 8, fit: "fill", background: [255, 255, 255] };
/** Every picture is another: copies would count once. */
let written = 0;
const classes = ["ant", "bee", "cat"];

async function writePictures(name: string, counts: Readonly<Record<string, number>>): Promise<string> {
  for (const [place, count] of Object.entries(counts)) {
    mkdirSync(join(folder, name, place), { recursive: true });
    for (let n = 0; n < count; n++) {
      const background = { r: 5 * (++written % 50), g: 20 * Math.floor(written / 50), b: 0 };
      await sharp({ create: { width: 12, height: 12, channels: 3, background } })
        .png()
        .toFile(join(folder, name, place, `${n}.png`));
    }
  }
  return join(folder, name);
}

beforeAll(() => {
  process.env.XDG_CACHE_HOME = join(folder, "cache");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const read = (data: string) =>
  evaluationData({ pictures, classes, table: undefined }, { run: "runs/none", data, dataDir: undefined });

test("another folder of pictures is read whole, in the model's form and with its classes", async () => {
  const { data, what } = await read(await writePictures("some", { cat: 3, bee: 2 }));
  expect(what).toBe("images");
  expect(data.inputs).toMatchObject({ dtype: "u8", shape: [5, 3, 8, 8] });
  expect(data.classes).toEqual(classes);
  expect([...(data.targets as { data: Int32Array }).data].sort()).toEqual([1, 1, 2, 2, 2]);
});

test("of a folder with a test part only that is read", async () => {
  const parts = { "train/ant": 3, "train/bee": 3, "test/ant": 1, "test/bee": 2 };
  const { data, what } = await read(await writePictures("split", parts));
  expect(what).toBe("test images");
  expect(sampleCount(data as never)).toBe(3);
});

test("of a folder with no more than a test part, that; without one, its validation part", async () => {
  const { data, what } = await read(await writePictures("held", { "test/cat": 2, "test/bee": 1, "val/ant": 4 }));
  expect(what).toBe("test images");
  expect([...(data.targets as { data: Int32Array }).data].sort()).toEqual([1, 2, 2]);
  const other = await read(await writePictures("watched", { "Validation/ant": 2, "Validation/bee": 2 }));
  expect(sampleCount(other.data as never)).toBe(4);
});

test("a class that is called test is one, where the model has it", async () => {
  const source = await writePictures("classes", { test: 2, val: 3 });
  const { data, what } = await evaluationData(
    { pictures, classes: ["test", "val"], table: undefined },
    { run: "runs/none", data: source, dataDir: undefined },
  );
  expect([what, sampleCount(data as never)]).toEqual(["images", 5]);
});

test("arrays of pictures: their test part, else all; of a run's own what it held out, with the labels it named", async () => {
  const arrays = (count: number) => ({
    x: new HostArray(
      "u8",
      [count, 8, 8],
      Uint8Array.from({ length: count * 64 }, (_, i) => (i * 7) % 251),
    ),
    y: new HostArray(
      "i32",
      [count],
      Int32Array.from({ length: count }, (_, i) => i % 2),
    ),
  });
  const [few, many] = [arrays(4), arrays(20)];
  const [split, whole, own, labels] = ["split.npz", "whole.npz", "own.npy", "names.npy"].map((name) =>
    join(folder, name),
  );
  writeFileSync(split as string, encodeNpz({ x_train: many.x, y_train: many.y, x_test: few.x, y_test: few.y }));
  writeFileSync(whole as string, encodeNpz(many));
  writeFileSync(own as string, encodeNpy(many.x));
  writeFileSync(labels as string, encodeNpy(many.y));
  const run = join(folder, "array-run");
  mkdirSync(run);
  writeFileSync(join(run, "config.json"), JSON.stringify({ data: own, target: labels, model: "cnn", seed: 1 }));
  const samples = async (data: string | undefined): Promise<readonly [string, number]> => {
    const found = await evaluationData(
      { pictures: undefined, classes, table: undefined },
      { run, data, dataDir: undefined },
    );
    expect(found.data.classes).toEqual(data === undefined ? ["0", "1"] : classes);
    return [found.what, sampleCount(found.data as never)];
  };
  expect(await samples(split)).toEqual(["test images", 4]);
  expect(await samples(whole)).toEqual(["images", 20]);
  expect(await samples(undefined)).toEqual(["test images", 2]);
});

test("a class that the model does not know is refused by name", async () => {
  const source = await writePictures("strange", { ant: 2, dog: 2 });
  await expect(read(source)).rejects.toThrow(DataError);
  await expect(read(source)).rejects.toThrow(/dog.*expected one of ant, bee, cat/);
});

test("of the folder that a run was trained on only what it held out is read, also where it is named", async () => {
  const source = await writePictures("own", { ant: 10, bee: 10, cat: 10 });
  const run = join(folder, "run");
  mkdirSync(run);
  const settings = { data: source, model: "cnn", test: 0.3, validation: 0.1, splitSeed: 4, seed: 1 };
  writeFileSync(join(run, "config.json"), JSON.stringify(settings));
  const { imageFolder } = await import("../node/pictures/image-folder.ts");
  const { test: held } = await imageFolder(source, { imageSize: 8, channels: 3, fit: "fill", test: 0.3, splitSeed: 4 });
  for (const data of [undefined, source]) {
    const own = await evaluationData({ pictures, classes, table: undefined }, { run, data, dataDir: undefined });
    expect(own.what).toBe("test images");
    expect(own.data.inputs).toEqual(held?.inputs);
    expect(sampleCount(own.data as never)).toBe(9);
  }
});
