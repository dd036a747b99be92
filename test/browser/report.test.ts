import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { array } from "../../src/core/host-array.ts";
import { dataset } from "../../src/data/dataset.ts";
import * as nn from "../../src/nn/index.ts";
import { fit } from "../../src/node/fit.ts";
import { writeReport } from "../../src/node/report/write-report.ts";
import { RunFolder } from "../../src/node/run-folder.ts";
import * as optim from "../../src/optim/index.ts";
import { bars, SIZE } from "../e2e/bars.ts";
import { findChromium, launchChromium } from "./chromium.ts";

const chromium = findChromium();
if (chromium === undefined)
  console.log("Skipped: a report in Chromium. None is on the path; CHROMIUM_PATH may name one.");

const CLASSES = ["<script>hacked = 1</script>", '" onmouseover="hacked = 1" x="', "'><img src=x onerror='hacked = 1'>"];

describe.skipIf(chromium === undefined)("a report in Chromium", () => {
  const folder = mkdtempSync(join(tmpdir(), "downhill-report-page-"));
  let browser: Browser | undefined;
  let file = "";

  beforeAll(async () => {
    browser = await launchChromium(chromium ?? "");
    const of = (count: number, seed: number) => {
      const { images, labels } = bars(count, seed);
      return dataset(array(images, [count, 1, SIZE, SIZE]), array(labels), {
        name: CLASSES[0] ?? "",
        classes: CLASSES,
      });
    };
    const run = await fit(nn.sequential(nn.conv2d(4, 3), nn.relu(), nn.flatten(), nn.linear(3)), {
      ...{ train: of(120, 1), validation: 30, epochs: 2, batchSize: 16, name: "page", threads: 1 },
      ...{ loss: nn.crossEntropy(), metrics: [nn.accuracy()], optimizer: optim.sgd(0.05) },
      sink: new RunFolder({ out: folder }),
    });
    const commands = [`downhill train ${"a-very-long-name-without-a-place-to-break".repeat(5)}`];
    file = await writeReport(run.place ?? "", { data: of(60, 2), model: run, commands });
    await run.close();
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test.each([
    ["light", 1200],
    ["dark", 1200],
    ["light", 360],
    ["dark", 360],
  ] as const)("%s and %i pixels wide: all is seen, nothing is loaded or run", async (colorScheme, width) => {
    const page = await (browser as Browser).newPage({ colorScheme, viewport: { width, height: 800 } });
    const asked: string[] = [];
    const said: string[] = [];
    page.on("request", (request) => void asked.push(request.url()));
    page.on("console", (message) => void said.push(message.text()));
    page.on("pageerror", (error) => void said.push(error.message));
    const address = pathToFileURL(file).href;
    await page.goto(address);
    for (const cell of await page.locator(".matrix th").all()) await cell.hover({ timeout: 5000 });
    expect(asked.filter((url) => url !== address && !url.startsWith("data:"))).toEqual([]);
    expect(said).toEqual([]);
    const seen = await page.evaluate<Record<string, unknown>>(`({
      hacked: typeof hacked,
      wider: document.documentElement.scrollWidth - innerWidth,
      broken: [...document.images].filter((image) => !image.complete || image.naturalWidth === 0).length,
      images: document.images.length > 2,
      names: [...document.querySelectorAll(".matrix tbody th")].map((cell) => cell.textContent),
      ink: getComputedStyle(document.body).color,
      paper: getComputedStyle(document.body).backgroundColor,
      charts: document.querySelectorAll("svg[role=img][aria-label]").length,
    })`);
    expect(seen).toMatchObject({ hacked: "undefined", broken: 0, images: true, names: CLASSES, charts: 5 });
    expect(seen.wider).toBeLessThanOrEqual(0);
    const brightness = (colour: unknown): number =>
      (String(colour).match(/\d+/g) ?? []).slice(0, 3).reduce((sum, part) => sum + Number(part) / 765, 0);
    const contrast = brightness(seen.ink) - brightness(seen.paper);
    expect(colorScheme === "dark" ? contrast : -contrast).toBeGreaterThan(0.6);
    await page.close();
  });

  test("on paper it is light, and the keyboard reaches what scrolls", async () => {
    const page = await (browser as Browser).newPage({ colorScheme: "dark", viewport: { width: 400, height: 800 } });
    await page.goto(pathToFileURL(file).href);
    const reached = new Set<string>();
    for (let i = 0; i < 30; i++) {
      await page.keyboard.press("Tab");
      reached.add(await page.evaluate<string>(`document.activeElement.getAttribute("aria-label") ?? ""`));
    }
    expect([...reached]).toEqual(expect.arrayContaining(["Epochs", "Scores of each class", "Confusion matrix"]));
    await page.emulateMedia({ media: "print" });
    expect(await page.evaluate(`getComputedStyle(document.body).backgroundColor`)).toBe("rgb(255, 255, 255)");
    await page.close();
  });
});
