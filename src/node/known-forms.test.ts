import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer, globalAgent } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type TarEntry, tarBytes } from "../../test/tar-bytes.ts";
import { joinBytes } from "../core/bytes.ts";
import { DataError } from "../core/errors.ts";
import { classCounts } from "../data/dataset.ts";
import { cifar10, type DatasetProgress, digits, iris, loadKnown, wine } from "./datasets.ts";
import { DIGITS_8X8, IRIS, type KnownDataset, WINE } from "./known-datasets.ts";
import { extractTarGz } from "./tar-file.ts";

let folder = "";
let server: Server | undefined;
let requests: { readonly path: string; readonly range: string | undefined }[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "downhill-forms-"));
  requests = [];
});
afterEach(async () => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
  await rm(folder, { recursive: true });
});

/** Answers as these do, one request each; the last one repeats. Gives the server's address. */
async function serve(...answers: RequestListener[]): Promise<string> {
  server = createServer((request, response) => {
    const answer = answers[Math.min(requests.length, answers.length - 1)];
    requests.push({ path: request.url ?? "", range: request.headers.range });
    answer?.(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

async function errorOf(work: Promise<unknown>): Promise<DataError> {
  const error: unknown = await work.then(
    () => new Error("expected a DataError, and nothing was thrown"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DataError);
  return error as DataError;
}

const cache = () => join(folder, "cache");
const place = () => join(cache(), "datasets", "tiny");
const sha256 = (bytes: Uint8Array): `sha256:${string}` => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** Pictures of one level each, with a label before. */
const pictures = (...levels: readonly (readonly [number, number])[]): Uint8Array =>
  joinBytes(levels.map(([label, level]) => Uint8Array.from({ length: 3073 }, (_, i) => (i === 0 ? label : level))));
const MEMBERS: readonly TarEntry[] = [
  { path: "tiny-bin/", type: "5" },
  { path: "tiny-bin/test.bin", content: pictures([1, 50]) },
  { path: "tiny-bin/batch_2.bin", content: pictures([1, 30], [0, 40]) },
  { path: "tiny-bin/readme.html", content: "<p>" },
  { path: "tiny-bin/batch_1.bin", content: pictures([0, 10], [1, 20]) },
];
const archiveOf = (entries: readonly TarEntry[]): Uint8Array => gzipSync(tarBytes(entries));
const archive = archiveOf(MEMBERS);

const tiny = (mirror: string, bytes: Uint8Array = archive): KnownDataset => ({
  name: "tiny",
  title: "Tiny",
  source: "",
  licence: "",
  form: {
    kind: "cifar",
    variant: "cifar10",
    folder: "tiny-bin",
    train: ["batch_1.bin", "batch_2.bin"],
    test: ["test.bin"],
  },
  classes: ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"],
  trainCount: 4,
  testCount: 1,
  shape: [3, 32, 32],
  mean: [0.1, 0.2, 0.3],
  std: [0.5, 0.5, 0.5],
  systemFolders: [],
  mirrors: [mirror],
  files: [{ name: "tiny.tar.gz", bytes: bytes.length, digest: sha256(bytes) }],
});
const load = (known: KnownDataset, options: { onProgress?: (progress: DatasetProgress) => void } = {}) =>
  loadKnown(known, { cacheDir: cache(), offline: false, ...options });

/** Sends these bytes, from where the request says. */
const sends =
  (bytes: Uint8Array): RequestListener =>
  (request, response) => {
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200, {
      "content-length": bytes.length - start,
      ...(start > 0 ? { "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` } : {}),
    });
    response.end(bytes.subarray(start));
  };

describe("pictures in an archive", () => {
  test("are downloaded, unpacked without the rest, and read in the order of their files", async () => {
    const mirror = await serve(sends(archive));
    const progress: DatasetProgress[] = [];
    const { train, test: held } = await load(tiny(mirror), { onProgress: (each) => progress.push(each) });
    expect(train.inputs.aval).toEqual({ dtype: "u8", shape: [4, 3, 32, 32] });
    expect([0, 1, 2, 3].map((n) => train.inputs.data[n * 3072])).toEqual([10, 20, 30, 40]);
    expect([...train.targets.data]).toEqual([0, 1, 1, 0]);
    expect([...held.targets.data, held.inputs.data[3071]]).toEqual([1, 50]);
    expect(train.preprocessing).toEqual({
      kind: "standardize",
      scale: 1 / 255,
      mean: [0.1, 0.2, 0.3],
      std: [0.5, 0.5, 0.5],
    });
    expect(progress.at(-1)).toEqual({
      ...{ dataset: "tiny", file: "tiny.tar.gz" },
      ...{ receivedBytes: archive.length, totalBytes: archive.length },
    });
    expect((await readdir(place())).sort()).toEqual(["batch_1.bin", "batch_2.bin", "test.bin"]);
    expect((await load(tiny(mirror))).train.source).toBe(place());
    expect(requests.length).toBe(1);
  });

  test("are read from files or an archive that somebody put there, which stays as it is", async () => {
    const known = tiny("http://127.0.0.1:9/");
    await mkdir(place(), { recursive: true });
    await writeFile(join(place(), "tiny.tar.gz"), archive);
    expect([...(await load(known)).train.targets.data]).toEqual([0, 1, 1, 0]);
    expect(await readdir(place())).toEqual(["tiny.tar.gz"]);

    const own = join(folder, "own");
    await extractTarGz(join(place(), "tiny.tar.gz"), join(own, "tiny-bin"), [
      { path: "tiny-bin/batch_1.bin", bytes: 6146 },
      { path: "tiny-bin/batch_2.bin", bytes: 6146 },
      { path: "tiny-bin/test.bin", bytes: 3073 },
    ]);
    for (const dataDir of [own, join(own, "tiny-bin")]) {
      const { train } = await loadKnown(known, { dataDir });
      expect([train.source, ...train.targets.data]).toEqual([join(own, "tiny-bin"), 0, 1, 1, 0]);
    }
    const error = await errorOf(loadKnown(known, { dataDir: folder }));
    expect(error.message).toBe(
      `data: ${folder} has neither tiny.tar.gz nor its files batch_1.bin, batch_2.bin, test.bin.`,
    );
  });

  test("damaged where somebody put them are refused by their size or digest", async () => {
    const known = tiny("http://127.0.0.1:9/");
    await mkdir(place(), { recursive: true });
    const path = join(place(), "tiny.tar.gz");
    await writeFile(path, archive.subarray(1));
    expect((await errorOf(load(known))).message).toBe(
      `data: ${path} has ${archive.length - 1} bytes; expected ${archive.length}, as it is published. Hint: remove ${place()}, and it is downloaded again.`,
    );
    await writeFile(path, new Uint8Array(archive.length));
    expect((await errorOf(load(known))).message).toContain(`; expected ${sha256(archive).slice(7)}`);
    await rm(path);
    for (const name of ["batch_1.bin", "batch_2.bin", "test.bin"])
      await writeFile(join(place(), name), pictures([0, 1]));
    expect((await errorOf(load(known))).message).toContain(
      `${join(place(), "batch_1.bin")} has 3073 bytes; expected 6146.`,
    );
    for (const name of ["batch_1.bin", "batch_2.bin"]) await writeFile(join(place(), name), pictures([0, 1], [10, 1]));
    expect((await errorOf(load(known))).message).toContain("has the label 10 for picture 1; expected 0 to 9.");
  });

  test("cut off are resumed, also by the next call", async () => {
    const half = Math.floor(archive.length / 2);
    let kept = 0;
    const cutOff: RequestListener = (_, response) => {
      response.writeHead(200, { "content-length": archive.length });
      response.write(archive.subarray(0, half));
      const breakOff = (): unknown => (kept < half ? setTimeout(breakOff, 1) : response.destroy());
      breakOff();
    };
    const mirror = await serve(cutOff, (_, response) => response.writeHead(404).end(), sends(archive));
    const onProgress = ({ receivedBytes }: DatasetProgress): void => {
      kept = receivedBytes;
    };
    const error = await errorOf(load(tiny(mirror), { onProgress }));
    expect(error.message).toContain("data: tiny is not on this machine and could not be downloaded.");
    expect(error.message).toContain("answered 404");
    expect(error.message).toContain(
      `Hint: put tiny.tar.gz (or its files batch_1.bin, batch_2.bin, test.bin) into ${place()}`,
    );
    expect(await readdir(place())).toEqual([expect.stringMatching(/^tiny\.tar\.gz\..*\.part$/)]);
    await load(tiny(mirror));
    expect(requests.map(({ range }) => range)).toEqual([undefined, `bytes=${half}-`, `bytes=${half}-`]);
    expect((await readdir(place())).sort()).toEqual(["batch_1.bin", "batch_2.bin", "test.bin"]);
  });

  test("coming byte by byte arrive", async () => {
    const mirror = await serve((_, response) => {
      response.writeHead(200, { "content-length": archive.length });
      let at = 0;
      const next = (): void => {
        if (at === archive.length) response.end();
        else response.write(archive.subarray(at, ++at), () => setImmediate(next));
      };
      next();
    });
    expect((await load(tiny(mirror))).train.inputs.shape[0]).toBe(4);
  });

  test.each([
    ["of a wrong announced length", new Uint8Array(archive.length + 1), `offers ${archive.length + 1} bytes; expected`],
    ["of a wrong digest", new Uint8Array(archive.length), "has sha256"],
  ])("%s are refused, and nothing is unpacked", async (_, bytes, message) => {
    const mirror = await serve(sends(bytes));
    const error = await errorOf(load(tiny(mirror)));
    expect(error.message).toContain(message);
    expect(error.message).toContain(place());
    expect(await readdir(place())).toEqual([]);
  });

  const outside = (entries: readonly TarEntry[]): Uint8Array => archiveOf([...MEMBERS, ...entries]);
  test.each([
    ["cut off inside", archive.subarray(0, archive.length - 20), "cannot read"],
    ["cut off after the first file", gzipSync(tarBytes(MEMBERS).subarray(0, 6000)), "ends in the middle of an entry"],
    ["no archive", gzipSync(new Uint8Array(5000).fill(65)), "has the checksum"],
    ["not compressed", tarBytes(MEMBERS), "incorrect header check"],
    ["without a file", archiveOf(MEMBERS.slice(0, 4)), "has no tiny-bin/batch_1.bin"],
    [
      "with a file of another size",
      archiveOf([...MEMBERS.slice(0, 4), { path: "tiny-bin/batch_1.bin", content: "x" }]),
      "of 1 bytes; expected 6146",
    ],
    [
      "with a file that is too large",
      archiveOf([...MEMBERS.slice(0, 4), { path: "tiny-bin/batch_1.bin", content: new Uint8Array(9000) }]),
      "of 9000 bytes; expected at most 6146",
    ],
    ["with a file twice", outside([{ path: "tiny-bin/test.bin", content: pictures([1, 50]) }]), "twice"],
    ["with a path outside", outside([{ path: "../../../evil.txt", content: "x" }]), "has the path"],
    ["with an absolute path", outside([{ path: join("/", "evil.txt"), content: "x" }]), "has the path"],
    ["with a link", outside([{ path: "tiny-bin/link", type: "2", link: "/" }]), "no links"],
  ])("whose archive is what was published but is %s are refused", async (_, bytes, message) => {
    const mirror = await serve(sends(bytes));
    const known = tiny(mirror, bytes);
    const error = await errorOf(load(known));
    expect(error.message).toContain(message);
    expect(error.message).toContain("Hint:");
    expect(existsSync(join(folder, "evil.txt"))).toBe(false);
    for (const name of await readdir(place()))
      expect(["tiny.tar.gz", "batch_1.bin", "batch_2.bin", "test.bin"]).toContain(name);
    expect((await readdir(folder)).sort()).toEqual(["cache"]);
    // Whole files that came before the fault are no data set.
    expect((await errorOf(loadKnown(known, { cacheDir: cache(), offline: true }))).message).toContain(message);
  });
});

const OPENSSL = ["/usr/bin/openssl", "/usr/local/bin/openssl", "/opt/homebrew/bin/openssl"].find(existsSync);
test.skipIf(OPENSSL === undefined)(
  "a redirect from https to http is refused (skipped where there is no openssl to make a certificate)",
  async () => {
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
    const made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    const files = ["-keyout", key, "-out", cert];
    execFileSync(OPENSSL as string, ["req", "-x509", ...made, ...subject, ...files], { stdio: "pipe" });
    const plain = await serve(sends(archive));
    const secure = createSecureServer({ key: readFileSync(key), cert: readFileSync(cert) }, (request, response) => {
      const place = request.url === "/moved/tiny.tar.gz" ? `${plain}tiny.tar.gz` : "/moved/tiny.tar.gz";
      response.writeHead(302, { location: place }).end();
    });
    secure.listen(0, "127.0.0.1");
    await once(secure, "listening");
    const before = globalAgent.options.ca;
    try {
      globalAgent.options.ca = readFileSync(cert);
      const mirror = `https://127.0.0.1:${(secure.address() as AddressInfo).port}/`;
      const error = await errorOf(load(tiny(mirror)));
      expect(error.message).toContain(`redirects to ${plain}tiny.tar.gz; expected an https address`);
      expect(requests).toEqual([]);
      expect(await readdir(place())).toEqual([]);
    } finally {
      globalAgent.options.ca = before;
      secure.closeAllConnections();
      secure.close();
    }
  },
);

describe("rows of numbers", () => {
  const rows = ["5,2,no,yes", "1,5,0", "2,5,1", "3,5,0", "4,5,1", "9,5,0", ""].join("\n");
  const bytes = new TextEncoder().encode(rows);
  const small = (mirror: string): KnownDataset => ({
    ...IRIS,
    name: "tiny",
    classes: ["no", "yes"],
    trainCount: 3,
    testCount: 2,
    shape: [2],
    features: ["a", "b"],
    systemFolders: [],
    mirrors: [mirror],
    files: [{ name: "tiny.csv", bytes: bytes.length, digest: sha256(bytes) }],
  });

  test("are downloaded and split, each class in its share, with each feature standardized by the training rows", async () => {
    const mirror = await serve(sends(bytes));
    const { train, test: held } = await load(small(mirror));
    const values = [...train.inputs.data, ...held.inputs.data].filter((_, i) => i % 2 === 0);
    expect(values.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 9]);
    expect([classCounts(train), classCounts(held)]).toEqual([
      [2, 1],
      [1, 1],
    ]);
    const first = [...train.inputs.data].filter((_, i) => i % 2 === 0);
    const mean = first.reduce((sum, value) => sum + value, 0) / 3;
    const std = Math.sqrt(first.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 3);
    const preprocessing = {
      kind: "standardize",
      scale: 1,
      mean: [expect.closeTo(mean, 10), 5],
      std: [expect.closeTo(std, 10), 1],
    };
    expect([train.preprocessing, held.preprocessing]).toEqual([preprocessing, preprocessing]);
    expect((await load(small(mirror))).test).toEqual(held);
    expect(requests.length).toBe(1);
  });

  test("damaged where somebody put them are refused", async () => {
    const own = join(folder, "own");
    await mkdir(own);
    const failing = async (name: string, content: Uint8Array | string): Promise<string> => {
      await writeFile(join(own, name), content);
      return (await errorOf(loadKnown(small(""), { dataDir: own }))).message;
    };
    expect((await errorOf(loadKnown(small(""), { dataDir: own }))).message).toContain("has no tiny.csv");
    expect(await failing("tiny.csv.gz", gzipSync(bytes).subarray(0, 20))).toContain("cannot unpack");
    expect(await failing("tiny.csv.gz", gzipSync(new Uint8Array(2 ** 25)))).toContain("cannot unpack");
    expect(await failing("tiny.csv", bytes.subarray(0, 20))).toContain("Is the file truncated?");
    expect(await failing("tiny.csv", "2,2\n1,2,0\n1,2,1\n")).toContain("has 2 rows; expected 5 of tiny.");
    expect(await failing("tiny.csv", "")).toContain("expected rows of numbers");
  });

  test("without a network say which file goes where", async () => {
    const error = await errorOf(loadKnown(small(""), { cacheDir: cache(), offline: true }));
    expect(error.message).toContain(`put tiny.csv (with or without .gz) into ${place()}`);
    expect(error.message).toContain("python3-sklearn");
  });
});

const installed = IRIS.systemFolders.find((path) => existsSync(path));
test.skipIf(installed === undefined)(
  "iris, wine and digits from Debian's package (skipped where python3-sklearn is not installed)",
  async () => {
    for (const [known, get, counts] of [
      [IRIS, iris, [50, 50, 50]],
      [WINE, wine, [59, 71, 48]],
      [DIGITS_8X8, digits, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]],
    ] as const) {
      const { train, test: held } = await get();
      expect(train.inputs.shape).toEqual([known.trainCount, ...known.shape]);
      expect(classCounts(train).map((count, i) => count + (classCounts(held)[i] as number))).toEqual(counts);
    }
  },
);

test("CIFAR-10's files have the sizes that its page gives", async () => {
  const own = join(folder, "own");
  await mkdir(own);
  for (const name of [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
  ])
    await writeFile(join(own, name), "");
  await writeFile(join(own, "test_batch.bin"), await readFile(join(own, "data_batch_1.bin")));
  // "Therefore each file should be exactly 30730000 bytes long."
  expect((await errorOf(cifar10({ dataDir: own }))).message).toContain("has 0 bytes; expected 30730000.");
});
