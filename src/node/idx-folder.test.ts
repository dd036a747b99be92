import { mkdtemp, rename, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DataError } from "../core/errors.ts";
import { array, HostArray } from "../core/host-array.ts";
import { encodeIdx } from "../io/idx.ts";
import { datasetFromFolder, findIdxFiles, readIdxFile } from "./idx-folder.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "downhill-idx-"));
});
afterEach(() => rm(folder, { recursive: true }));

const at = (name: string) => join(folder, name);
const images = (count: number, height = 2, width = 3) =>
  new HostArray(
    "u8",
    [count, height, width],
    Uint8Array.from({ length: count * height * width }, (_, i) => i % 256),
  );
const labels = (...values: number[]) => array(new Uint8Array(values));

/** Four good files: 4 training images of 2 x 3 with 3 classes, 2 for the test. */
async function writeFolder(): Promise<void> {
  await writeFile(at("train-images-idx3-ubyte"), encodeIdx(images(4)));
  await writeFile(at("train-labels-idx1-ubyte"), encodeIdx(labels(0, 1, 2, 1)));
  await writeFile(at("t10k-images-idx3-ubyte.gz"), gzipSync(encodeIdx(images(2))));
  await writeFile(at("t10k-labels-idx1-ubyte.gz"), gzipSync(encodeIdx(labels(2, 0))));
}

async function errorOf(work: Promise<unknown>): Promise<DataError> {
  const error: unknown = await work.then(
    () => new Error("expected a DataError, and nothing was thrown"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DataError);
  return error as DataError;
}

describe("a good folder", () => {
  test("gives both sets: a channel axis, i32 labels, measured preprocessing", async () => {
    await writeFolder();
    const { train, test: held } = await datasetFromFolder(folder, { name: "tiny" });
    expect(train.inputs).toEqual(new HostArray("u8", [4, 1, 2, 3], images(4).data));
    expect(train.targets).toEqual(array([0, 1, 2, 1], [4], "i32"));
    expect(held.inputs).toEqual(new HostArray("u8", [2, 1, 2, 3], images(2).data));
    expect(held.targets).toEqual(array([2, 0], [2], "i32"));
    expect([train.name, train.source, train.classes]).toEqual(["tiny", folder, ["0", "1", "2"]]);
    // Values 0 to 23: mean 11.5, deviation sqrt((24^2 - 1) / 12).
    expect(train.preprocessing).toEqual({
      kind: "standardize",
      scale: 1 / 255,
      mean: [expect.closeTo(11.5 / 255, 12)],
      std: [expect.closeTo(Math.sqrt(575 / 12) / 255, 12)],
    });
    expect(held.preprocessing).toEqual(train.preprocessing);
    expect(held.classes).toEqual(train.classes);
  });

  test("its own name, classes and preprocessing can be given", async () => {
    await writeFolder();
    const { train } = await datasetFromFolder(folder, { classes: ["a", "b", "c"], preprocessing: { kind: "none" } });
    expect(train.classes).toEqual(["a", "b", "c"]);
    expect(train.preprocessing).toEqual({ kind: "none" });
    expect(folder.endsWith(train.name)).toBe(true);
  });

  test("other spellings are found, and a file without .gz goes first", async () => {
    await writeFolder();
    await rename(at("train-images-idx3-ubyte"), at("train-images.idx3-ubyte"));
    await rename(at("t10k-labels-idx1-ubyte.gz"), at("test-labels.idx1-ubyte.gz"));
    await writeFile(at("train-images-idx3-ubyte.gz"), "not read");
    await writeFile(at("train-images-idx3-ubyte.md5"), "not read");
    expect(await findIdxFiles(folder)).toEqual({
      trainImages: at("train-images.idx3-ubyte"),
      trainLabels: at("train-labels-idx1-ubyte"),
      testImages: at("t10k-images-idx3-ubyte.gz"),
      testLabels: at("test-labels.idx1-ubyte.gz"),
    });
  });

  test("images with channels and rows of features keep their shape", async () => {
    await writeFolder();
    const planes = new HostArray("u8", [4, 3, 1, 2], images(4).data);
    const rows = new HostArray("f32", [4, 6], Float32Array.from(images(4).data));
    for (const inputs of [planes, rows]) {
      await writeFile(at("train-images-idx3-ubyte"), encodeIdx(inputs));
      await writeFile(at("t10k-images-idx3-ubyte.gz"), encodeIdx(inputs));
      await writeFile(at("t10k-labels-idx1-ubyte.gz"), encodeIdx(labels(0, 0, 0, 0)));
      expect((await datasetFromFolder(folder)).train.inputs).toEqual(inputs);
    }
  });
});

describe("a bad folder", () => {
  test("that is missing, or no folder", async () => {
    const missing = await errorOf(datasetFromFolder(at("none")));
    expect(missing.message).toBe(`folder: cannot read ${at("none")}: no such file or directory.`);
    await writeFile(at("file"), "");
    expect((await errorOf(datasetFromFolder(at("file")))).message).toContain("not a directory");
  });

  test("with files missing names each", async () => {
    await writeFolder();
    await rm(at("train-labels-idx1-ubyte"));
    await rm(at("t10k-images-idx3-ubyte.gz"));
    const error = await errorOf(datasetFromFolder(folder));
    expect(error.message).toContain(`${folder} has no train-labels-idx1-ubyte, no t10k-images-idx3-ubyte; expected`);
    expect(error.where).toBe(folder);
  });

  test("with a truncated file", async () => {
    await writeFolder();
    await truncate(at("train-images-idx3-ubyte"), 30);
    expect((await errorOf(datasetFromFolder(folder))).message).toBe(
      `idx: ${at("train-images-idx3-ubyte")} has 30 bytes; expected 40 for u8[4,2,3]. The file is truncated.`,
    );
  });

  test("with an empty file", async () => {
    await writeFolder();
    await writeFile(at("train-labels-idx1-ubyte"), "");
    expect((await errorOf(datasetFromFolder(folder))).message).toContain(
      `${at("train-labels-idx1-ubyte")} has 0 bytes`,
    );
  });

  test("with more labels than images", async () => {
    await writeFolder();
    await writeFile(at("train-labels-idx1-ubyte"), encodeIdx(labels(0, 1, 2, 1, 0)));
    const error = await errorOf(datasetFromFolder(folder, { name: "tiny" }));
    expect(error.message).toContain("tiny has 4 inputs and 5 targets");
    expect(error.message).toContain(at("train-images-idx3-ubyte"));
    expect(error.where).toBe(at("train-labels-idx1-ubyte"));
  });

  test("with a test label that training never saw, or past the given classes", async () => {
    await writeFolder();
    await writeFile(at("t10k-labels-idx1-ubyte.gz"), gzipSync(encodeIdx(labels(0, 3))));
    const error = await errorOf(datasetFromFolder(folder, { name: "tiny" }));
    expect(error.message).toContain("tiny has label 3 at index 1; expected 0 to 2.");
    expect(error.where).toBe(at("t10k-labels-idx1-ubyte.gz"));
    expect((await errorOf(datasetFromFolder(folder, { classes: 2 }))).message).toContain("label 2 at index 2");
  });

  test("with images of two sizes", async () => {
    await writeFolder();
    await writeFile(at("t10k-images-idx3-ubyte.gz"), gzipSync(encodeIdx(images(2, 3, 2))));
    expect((await errorOf(datasetFromFolder(folder))).message).toContain("has samples [2,3] and");
  });

  test("with labels where images belong", async () => {
    await writeFolder();
    await writeFile(at("train-labels-idx1-ubyte"), encodeIdx(images(4)));
    expect((await errorOf(datasetFromFolder(folder))).message).toContain("targets u8[4,2,3]; expected labels i32[N]");
  });

  test("with no samples at all", async () => {
    await writeFolder();
    await writeFile(at("train-images-idx3-ubyte"), encodeIdx(images(0)));
    await writeFile(at("train-labels-idx1-ubyte"), encodeIdx(labels()));
    expect((await errorOf(datasetFromFolder(folder))).message).toContain("expected at least one sample");
  });
});

describe("readIdxFile", () => {
  const path = () => at("x");
  const header = (...sizes: number[]) => {
    const bytes = new Uint8Array(4 + 4 * sizes.length);
    bytes.set([0, 0, 8, sizes.length]);
    sizes.forEach((size, i) => {
      new DataView(bytes.buffer).setUint32(4 + 4 * i, size);
    });
    return bytes;
  };

  test("reads plain and compressed files of any length alike", async () => {
    for (const length of [0, 1, 1000, 1016, 1017, 1024, 100_000]) {
      const before = new HostArray(
        "u8",
        [length],
        Uint8Array.from({ length }, (_, i) => (i * 7919) % 251),
      );
      await writeFile(path(), encodeIdx(before));
      expect(await readIdxFile(path())).toEqual(before);
      await writeFile(path(), gzipSync(encodeIdx(before)));
      expect(await readIdxFile(path())).toEqual(before);
    }
  });

  test("a missing file, and a folder in its place", async () => {
    expect((await errorOf(readIdxFile(at("none")))).message).toBe(`idx: ${at("none")} is missing, or no file.`);
    expect((await errorOf(readIdxFile(folder))).message).toBe(`idx: ${folder} is missing, or no file.`);
  });

  /** Bytes that arrays took while `work` ran, at most: buffers are counted when they are made. */
  async function tookAtMost(bytes: number, work: () => Promise<unknown>): Promise<void> {
    const before = process.memoryUsage().arrayBuffers;
    await work();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(bytes);
  }

  test("absurd sizes in a plain file are refused before it is read", async () => {
    await writeFile(path(), header(60_000, 2 ** 16, 2 ** 16));
    await tookAtMost(2 ** 24, async () => {
      expect((await errorOf(readIdxFile(path()))).message).toBe(
        `idx: ${path()} has 16 bytes; expected ${16 + 60_000 * 2 ** 32} for u8[60000,65536,65536]. The file is truncated.`,
      );
    });
  });

  test("a huge file with a small header is refused before it is read", async () => {
    await writeFile(path(), header(3));
    await truncate(path(), 2 ** 31);
    await tookAtMost(2 ** 24, async () => {
      expect((await errorOf(readIdxFile(path()))).message).toContain(`has ${2 ** 31} bytes; expected 11 for u8[3]`);
    });
  });

  test("absurd sizes in a compressed file are refused before memory is taken", async () => {
    await writeFile(path(), gzipSync(header(60_000, 2 ** 10, 2 ** 10)));
    await tookAtMost(2 ** 24, async () => {
      const error = await errorOf(readIdxFile(path()));
      expect(error.message).toContain("claims u8[60000,1024,1024], 62914560016 bytes");
      expect(error.message).toContain("compressed bytes cannot hold more than");
    });
  });

  test("a gzip bomb is not decompressed past what its header claims", async () => {
    const bomb = new Uint8Array(2 ** 28);
    bomb.set(header(2000));
    await writeFile(path(), gzipSync(bomb));
    await tookAtMost(2 ** 24, async () => {
      expect((await errorOf(readIdxFile(path()))).message).toContain("has more than 2008 bytes; expected 2008");
    });
  });

  test("compressed data that is short, long, cut off or damaged", async () => {
    await writeFile(path(), gzipSync(encodeIdx(labels(1, 2, 3)).subarray(0, 10)));
    expect((await errorOf(readIdxFile(path()))).message).toContain("has 10 bytes; expected 11");
    await writeFile(path(), gzipSync(new Uint8Array([...encodeIdx(labels(1)), 0])));
    expect((await errorOf(readIdxFile(path()))).message).toContain("has 10 bytes; expected 9");
    const good = gzipSync(encodeIdx(images(50)));
    await writeFile(path(), good.subarray(0, good.length - 12));
    expect((await errorOf(readIdxFile(path()))).message).toBe(
      `idx: cannot read ${path()}: unexpected end of file. The file may be damaged.`,
    );
    good[good.length - 6] = (good[good.length - 6] ?? 0) ^ 1;
    await writeFile(path(), good);
    expect((await errorOf(readIdxFile(path()))).message).toContain("incorrect data check");
  });
});
