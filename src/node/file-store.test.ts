import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DataError } from "../core/errors.ts";
import { fileSize, listFolder, prepareFolder, writeFileAtomic } from "./file-store.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "downhill-store-"));
});
afterEach(() => rm(folder, { recursive: true }));

describe("writeFileAtomic", () => {
  test("writes text and bytes, over what was there, making folders", async () => {
    const path = join(folder, "a", "b", "run.json");
    await writeFileAtomic(path, "first");
    await writeFileAtomic(path, new Uint8Array([104, 105]));
    expect(await readFile(path, "utf8")).toBe("hi");
    expect(await readdir(join(folder, "a", "b"))).toEqual(["run.json"]);
  });

  test("concurrent writers leave one whole file", async () => {
    const path = join(folder, "x");
    const texts = Array.from({ length: 8 }, (_, i) => `${i}`.repeat(100_000));
    await Promise.all(texts.map((text) => writeFileAtomic(path, text)));
    expect(texts).toContain(await readFile(path, "utf8"));
    expect(await readdir(folder)).toEqual(["x"]);
  });

  test("what cannot be written is named, and leaves nothing", async () => {
    await writeFile(join(folder, "file"), "");
    const below = join(folder, "file", "run.json");
    await expect(writeFileAtomic(below, "x")).rejects.toThrow(DataError);
    await expect(writeFileAtomic(below, "x")).rejects.toThrow(`write: cannot write ${below}: `);
    // A folder is in the way: the rename fails, after the temporary file was written.
    await writeFileAtomic(join(folder, "taken", "inner"), "x");
    await expect(writeFileAtomic(join(folder, "taken"), "y")).rejects.toThrow(`cannot write ${join(folder, "taken")}`);
    expect((await readdir(folder)).sort()).toEqual(["file", "taken"]);
  });
});

test("prepareFolder makes a folder and leaves it empty, or names what is wrong", async () => {
  await prepareFolder(join(folder, "out", "run"));
  expect(await readdir(join(folder, "out", "run"))).toEqual([]);
  await writeFile(join(folder, "file"), "");
  const taken = join(folder, "file");
  await expect(prepareFolder(taken)).rejects.toThrow(DataError);
  await expect(prepareFolder(taken)).rejects.toThrow(`folder: cannot write to ${taken}: file already exists.`);
  await expect(prepareFolder(join(taken, "run"))).rejects.toThrow("not a directory.");
});

test("listFolder and fileSize tell missing from present", async () => {
  await writeFile(join(folder, "three"), "abc");
  expect(await listFolder(folder)).toEqual(["three"]);
  await expect(listFolder(join(folder, "none"))).rejects.toThrow(
    `folder: cannot read ${join(folder, "none")}: no such file or directory.`,
  );
  expect(await fileSize(join(folder, "three"))).toBe(3);
  expect(await fileSize(join(folder, "none"))).toBeUndefined();
  expect(await fileSize(join(folder, "three", "none"))).toBeUndefined();
  expect(await fileSize(folder)).toBeUndefined();
});
