import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeSafetensors } from "../../src/io/safetensors.ts";
import { requireBuilt } from "../built.ts";
import { downhill, type Running, start } from "./command.ts";

requireBuilt();

let folder: string;
let run: string;

/** Discs of one colour on a white ground, of sizes and places that differ. */
async function disc(colour: string, n: number, enlarged = 1): Promise<Buffer> {
  const [x, y, r] = [24 + (n % 7), 20 + (n % 5), 8 + (n % 6)];
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${48 * enlarged}" height="${40 * enlarged}" viewBox="0 0 48 40"><circle cx="${x}" cy="${y}" r="${r}" fill="${colour}"/></svg>`;
  return sharp(Buffer.from(svg)).png().toBuffer();
}

/** What the serving process printed. */
function addressOf({ stdout }: Running): string {
  return /http:\/\/(\S+?)\//.exec(stdout())?.[1] ?? "";
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "downhill-e2e-pictures-"));
  for (const colour of ["crimson", "navy"]) {
    await mkdir(join(folder, "photos", colour), { recursive: true });
    for (let n = 0; n < 40; n++)
      await writeFile(join(folder, "photos", colour, `${n} ü.png`), await disc(colour, n + (n > 34 ? 35 : 0)));
  }
  await writeFile(join(folder, "photos", "navy", "torn.jpg"), "no picture");
  const trained = await downhill(folder, "train", "./photos", "--epochs", "6", "--lr", "0.003");
  expect(trained.stderr).toBe("");
  expect(trained.code).toBe(0);
  expect(trained.stdout).toMatch(/photos: 8\d pictures of 2 classes, as 32x32 RGB \(contain\)|pictures of 2 classes/);
  expect(trained.stdout).toMatch(/left out: 1 file: broken\n {4}navy\/torn\.jpg cannot be decoded/);
  expect(trained.stdout).toMatch(/Test accuracy 100\.00%/);
  run = /Saved to (.*)/.exec(trained.stdout)?.[1] ?? "";
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a run on a folder of pictures", () => {
  test("is evaluated on the pictures that it held out", async () => {
    const { stdout, code } = await downhill(folder, "evaluate", run);
    expect(stdout).toMatch(/accuracy 1\.0000 on \d+ test images of photos/);
    expect(code).toBe(0);
  });

  test("predicts files, folders and patterns, of another mode too", async () => {
    await writeFile(
      join(folder, "blue.webp"),
      await sharp(await disc("navy", 3))
        .webp()
        .toBuffer(),
    );
    await writeFile(
      join(folder, "red.gif"),
      await sharp(await disc("crimson", 3))
        .gif()
        .toBuffer(),
    );
    const some = await downhill(folder, "predict", run, "*.{webp,gif}", "--json");
    const lines = some.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { input: string; label: string });
    expect(lines.map(({ input, label }) => [input, label])).toEqual([
      ["blue.webp", "navy"],
      ["red.gif", "crimson"],
    ]);
    const all = await downhill(folder, "predict", run, "photos", "--top", "2");
    expect(all.stdout).toMatch(/photos\/crimson\/0 ü\.png {2}crimson \d+\.\d+% {2}navy \d+\.\d+%/);
    expect(all.stderr).toMatch(/there is no|torn\.jpg cannot be decoded/);
    expect(all.code).toBe(1);
  });

  test("answers over HTTP, this machine's own pages alone", async () => {
    const serving = start(folder, "serve", run, "--port", "0");
    try {
      await serving.printed(/Ctrl-C ends it/);
      const url = `http://${addressOf(serving)}/`;
      const post = (body: BodyInit, headers: Record<string, string> = {}) =>
        fetch(`${url}predict`, { method: "POST", body, headers });
      const many = await Promise.all(
        ["navy", "crimson", "navy"].map(async (colour) => post(new Blob([new Uint8Array(await disc(colour, 5))]))),
      );
      const labels = await Promise.all(
        many.map(async (one) => ((await one.json()) as { predictions: { label: string }[] }).predictions[0]?.label),
      );
      expect(labels).toEqual(["navy", "crimson", "navy"]);
      const wrong = await post("no picture");
      expect([wrong.status, await wrong.json()]).toEqual([
        422,
        { error: "picture: the request cannot be decoded: contains unsupported image format." },
      ]);
      expect((await post("x", { origin: "http://elsewhere.example" })).status).toBe(403);
      expect((await fetch(`${url}predict`)).status).toBe(405);
      expect((await fetch(`${url}nothing`)).status).toBe(404);
      expect(await (await fetch(`${url}model`)).json()).toMatchObject({
        classes: ["crimson", "navy"],
        takes: "picture",
      });
      const page = await fetch(url);
      expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
      expect(page.headers.get("content-security-policy")).not.toContain("unsafe-inline");
      expect(await page.text()).toContain('<script src="page.js" defer>');
      expect(await (await fetch(`${url}page.js`)).text()).toContain("Drop a picture here");
      expect(await (await fetch(`${url}healthz`)).json()).toEqual({ ok: true });
      const { height, width } = { height: 40, width: 48 };
      const level = (by: number) => Array.from({ length: height }, () => Array.from({ length: width }, () => by));
      const asJson = (inputs: unknown) => post(JSON.stringify({ inputs }), { "content-type": "application/json" });
      const blue = [level(0), level(0), level(128)];
      const two = (await (await asJson([blue, [level(220), level(20), level(60)]])).json()) as {
        predictions: { label: string; probabilities: number[] }[];
      };
      expect(two.predictions.map(({ label }) => label)).toEqual(["navy", "crimson"]);
      expect(two.predictions[0]?.probabilities).toHaveLength(2);
      for (const [inputs, got] of [
        [[[level(0)]], "inputs of another shape"],
        [[[level(0), level(0), level(256)]], "got 256"],
        ["navy", "no inputs"],
      ] as const) {
        const refused = await asJson(inputs);
        expect([refused.status, ((await refused.json()) as { error: string }).error]).toEqual([
          422,
          expect.stringContaining(got),
        ]);
      }
      const taken = await downhill(folder, "serve", run, "--port", new URL(url).port);
      expect([taken.code === 0, taken.stderr]).toEqual([false, expect.stringMatching(/is taken; expected a free one/)]);
    } finally {
      serving.process.kill("SIGINT");
    }
    expect((await serving.outcome).code).toBe(0);
  });

  test("is fine-tuned on other classes of larger pictures, the body frozen at first", async () => {
    for (const colour of ["gold", "black", "teal"]) {
      await mkdir(join(folder, "others", colour), { recursive: true });
      for (let n = 0; n < 20; n++)
        await writeFile(join(folder, "others", colour, `${n}.png`), await disc(colour, n, 6));
    }
    const flags = ["--epochs", "12", "--lr", "0.01", "--freeze-epochs", "2", "--body-rate", "0.5"];
    const { stdout, stderr, code } = await downhill(folder, "train", "others", "--fine-tune", run, ...flags);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toMatch(/new last layer 9, of zeros; all before it at 0\.5 times the rate, frozen for 2 epochs/);
    expect(stdout).toMatch(/6 arrays from/);
    expect(stdout).not.toMatch(/drawn anew/);
    expect(stdout).toMatch(/others: \d+ pictures of 3 classes, as 40x48 RGB \(contain\)/);
  });

  test("is fine-tuned under the name that its own record has for the model", async () => {
    await cp(join(folder, run), join(folder, "named"), { recursive: true });
    const record = async (path: string) => JSON.parse(await readFile(join(folder, path, "config.json"), "utf8"));
    await writeFile(join(folder, "named", "config.json"), JSON.stringify({ ...(await record(run)), model: "lenet" }));
    const { stdout } = await downhill(folder, "train", "others", "--fine-tune", "named", "--epochs", "1");
    const tuned = /Saved to (.*)/.exec(stdout)?.[1] ?? "";
    expect(await record(tuned)).toMatchObject({ model: "lenet", fineTune: "named", lr: 0.01 });
  });

  test("is fine-tuned with a layer frozen by name, one thawed later and one at a rate of its own", async () => {
    const flags = ["--epochs", "2", "--freeze", "0", "--group", "7: rateFactor=0.1"];
    const thawed = ["--group", '3: freeze="multistep 0 at 1ep"'];
    const still = ["--group", '3: freeze="multistep 0 at 2ep"'];
    const weights = async (path: string) =>
      decodeSafetensors(await readFile(join(folder, path, "model.safetensors"))).tensors;
    const before = await weights(run);
    for (const [group, moves] of [
      [thawed, true],
      [still, false],
    ] as const) {
      const { stdout, stderr } = await downhill(folder, "train", "others", "--fine-tune", run, ...flags, ...group);
      expect(stderr).toBe("");
      const after = await weights(/Saved to (.*)/.exec(stdout)?.[1] ?? "");
      const same = (name: string): boolean =>
        before[name] !== undefined && String(before[name].data) === String(after[name]?.data);
      expect(["0.weight", "0.bias", "3.weight", "7.weight"].map(same)).toEqual([true, true, !moves, false]);
    }
  });

  test("says what is wrong in a sentence, and leaves nothing behind", async () => {
    await mkdir(join(folder, "empty"), { recursive: true });
    const wrong: readonly (readonly [readonly string[], RegExp])[] = [
      [["train", "./empty"], /has no pictures in folders of classes/],
      [["train", "./photos", "--image-size", "4"], /--image-size: got 4; expected a whole number from 8 to 2048/],
      [["train", "./photos", "--max-broken", "0"], /1 of the 81 pictures .* cannot be used/],
      [["train", "./photos", "--freeze-epochs", "1"], /--freeze-epochs: got it without --fine-tune/],
      [
        ["train", "mnist", "--image-size", "28"],
        /--image-size: got it with mnist; expected it with a folder of pictures only/,
      ],
      [["predict", run, "nothing.png"], /there is no file nothing\.png/],
    ];
    for (const [args, message] of wrong) {
      const { code, stderr } = await downhill(folder, ...args);
      expect(stderr).toMatch(message);
      expect(code).toBeGreaterThan(0);
    }
  });
});
