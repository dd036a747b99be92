import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DataError, OptionError } from "../../core/errors.ts";
import { array } from "../../core/host-array.ts";
import { keyOf, uniformAt } from "../../core/prng.ts";
import { type Dataset, dataset } from "../../data/dataset.ts";
import * as nn from "../../nn/index.ts";
import * as optim from "../../optim/index.ts";
import { evaluateFully } from "../../train/evaluation/evaluate-fully.ts";
import type { ClassificationEvaluation } from "../../train/evaluation/evaluation.ts";
import { fit } from "../fit.ts";
import { RunFolder } from "../run-folder.ts";
import { writeReport } from "./write-report.ts";

/** Names that would be more than names where they are not escaped. */
const CLASSES = [
  `<script>window.hacked = 1</script>`,
  `" onmouseover="hacked()`,
  `'&amp; <img src=x onerror=hacked()>`,
];
const SIZE = 8;

/** Pictures of which a part is bright, after the class; a tenth have another class's label. */
function pictures(count: number, seed: number): Dataset {
  const key = keyOf(seed);
  const pixels = new Uint8Array(count * 3 * SIZE * SIZE);
  const labels = new Int32Array(count);
  for (let n = 0; n < count; n++) {
    const kind = n % 3;
    labels[n] = n % 10 === 9 ? (kind + 1) % 3 : kind;
    for (let i = 0; i < 3 * SIZE * SIZE; i++) {
      const row = Math.floor(i / SIZE) % SIZE;
      const lit = row >= 3 * kind && row < 3 * kind + 2;
      pixels[n * 3 * SIZE * SIZE + i] = (lit ? 150 : 0) + Math.floor(100 * uniformAt(key, n * 3 * SIZE * SIZE + i));
    }
  }
  return dataset(array(pixels, [count, 3, SIZE, SIZE]), array(labels), { name: "<lit>", classes: CLASSES });
}

const folder = mkdtempSync(join(tmpdir(), "downhill-report-"));
const test_ = pictures(60, 2);
let run = "";
let found: ClassificationEvaluation;

beforeAll(async () => {
  const sink = new RunFolder({ out: folder });
  const net = nn.sequential(nn.conv2d(4, 3), nn.relu(), nn.maxPool2d(2), nn.flatten(), nn.linear(3));
  const trained = await fit(net, {
    train: pictures(240, 1),
    validation: 30,
    epochs: 3,
    batchSize: 16,
    loss: nn.crossEntropy(),
    metrics: [nn.accuracy()],
    optimizer: optim.adam(0.02),
    name: "lit",
    sink,
    threads: 1,
  });
  run = trained.place as string;
  found = (await evaluateFully(trained, test_, { worst: 4 })) as ClassificationEvaluation;
  await trained.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const picturesIn = (page: string): Buffer[] =>
  [...page.matchAll(/<img[^>]*src="data:image\/png;base64,([^"]*)"/g)].map(([, text = ""]) =>
    Buffer.from(text, "base64"),
  );

describe("a report", () => {
  let page = "";
  beforeAll(async () => {
    const file = await writeReport(run, { data: test_, worst: 4, commands: ["downhill train './a&b'"] });
    expect(file).toBe(join(run, "report.html"));
    page = readFileSync(file, "utf8");
  });

  test("says what was found", () => {
    expect(found.mistakes).toBeGreaterThan(3);
    expect(page).toContain(`<dd>${(100 * found.accuracy).toFixed(1)} %</dd>`);
    for (const row of found.confusion)
      expect(page).toMatch(
        new RegExp(
          row
            .map((n) => `>${n}</td><td[^>]*`)
            .join("")
            .slice(0, -8),
        ),
      );
    for (const title of ["loss", "accuracy", "learning rate", "time of a step, ms"])
      expect(page).toContain(`<figcaption>${title}</figcaption>`);
    expect(page).toContain("0.weight: 4 filters");
    expect(page).toContain("<td>4 × 3 × 3 × 3</td>");
    expect(page).toContain("downhill train &#39;./a&amp;b&#39;");
    expect(page).toContain(process.versions.node);
    expect(page).toContain("Grad-CAM of layer 1");
    expect(page).toContain("moved per step / norm");
  });

  test("loads nothing, runs nothing, and shows names as they are", () => {
    expect(page).not.toMatch(/<script|<img src=x|<link|<iframe|@import|https?:/i);
    const attributes = [...page.matchAll(/<[a-z][^<>]*>/g)].map(([tag]) => tag.replaceAll(/"[^"]*"/g, ""));
    expect(attributes.length).toBeGreaterThan(200);
    expect(attributes.filter((tag) => /\bon\w+|['"]|javascript:/.test(tag))).toEqual([]);
    expect(page).toContain("&lt;script&gt;window.hacked = 1&lt;/script&gt;");
    expect(page).toContain("&quot; onmouseover=&quot;hacked()");
    expect(page).toContain("on 60 samples of &lt;lit&gt;");
  });

  test("shows the pictures of the worst mistakes, and what spoke for them", async () => {
    const shown = picturesIn(page);
    // Of each mistake the picture, it again below the glow, and the glow; then the filters.
    expect(shown).toHaveLength(3 * 4 + 1);
    for (const [i, { index }] of found.worst.entries()) {
      const { data, info } = await sharp(shown[3 * i])
        .raw()
        .toBuffer({ resolveWithObject: true });
      expect([info.width, info.height, info.channels]).toEqual([SIZE, SIZE, 3]);
      const pixels = test_.inputs.data.subarray(index * 3 * SIZE * SIZE, (index + 1) * 3 * SIZE * SIZE);
      const interleaved = Array.from(data, (_, at) => pixels[(at % 3) * SIZE * SIZE + Math.floor(at / 3)]);
      expect([...data]).toEqual(interleaved);
      const glow = await sharp(shown[3 * i + 2])
        .raw()
        .toBuffer({ resolveWithObject: true });
      expect(glow.info.channels).toBe(4);
      const alphas = glow.data.filter((_, at) => at % 4 === 3);
      expect(Math.max(...alphas)).toBe(235);
    }
    const { width, height } = await sharp(shown.at(-1)).metadata();
    expect([width, height]).toEqual([3 * 3 + 2, 2 * 3 + 1]);
  });
});

test("without data there is all but the evaluation, and why", async () => {
  const out = join(folder, "bare.html");
  await writeReport(run, { out, without: "The disk <x> is gone." });
  const page = readFileSync(out, "utf8");
  expect(page).toContain("The disk &lt;x&gt; is gone.");
  expect(page).not.toContain("Worst mistakes");
  expect(page).toContain("<figcaption>loss</figcaption>");
});

test("a folder that is no run, a damaged log and a file that cannot be written are named", async () => {
  writeFileSync(join(folder, "file"), "");
  await expect(writeReport(folder)).rejects.toThrow(OptionError);
  await expect(writeReport(run, { out: join(folder, "file/place.html") })).rejects.toThrow(
    /cannot write .*place\.html/,
  );
  const log = join(run, "events.jsonl");
  const before = readFileSync(log);
  writeFileSync(log, '{"type":"step"}\n');
  await expect(writeReport(run)).rejects.toThrow(DataError);
  writeFileSync(log, before);
});
