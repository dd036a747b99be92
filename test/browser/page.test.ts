import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { array, type HostArray } from "../../src/core/host-array.ts";
import { dataset } from "../../src/data/dataset.ts";
import * as nn from "../../src/nn/index.ts";
import { fit } from "../../src/node/fit.ts";
import { decodePicture } from "../../src/node/pictures/decode.ts";
import { RunFolder } from "../../src/node/run-folder.ts";
import * as optim from "../../src/optim/index.ts";
import type { Run } from "../../src/train/fit.ts";
import { bars, SIZE } from "../e2e/bars.ts";
import { downhill, start } from "../e2e/command.ts";
import { findChromium, launchChromium } from "./chromium.ts";
import { serve } from "./serve.ts";

const chromium = findChromium();
if (chromium === undefined)
  console.log("Skipped: pages that classify pictures. No Chromium is on the path; CHROMIUM_PATH may name one.");

const CLASSES = ["<script>hacked = 1</script>", `${"long".repeat(30)}`, "'><img src=x onerror='hacked = 1'>"];
const form = { channels: 1, height: SIZE, width: SIZE, fit: "contain", background: [0, 0, 0] } as const;

describe.skipIf(chromium === undefined)("a page that classifies a dropped picture in Chromium", () => {
  const folder = mkdtempSync(join(tmpdir(), "downhill-page-"));
  const exported = join(folder, "page ü");
  const pictures: { readonly file: string; readonly probabilities: ArrayLike<number>; readonly label: string }[] = [];
  let browser: Browser;
  let run: Run<HostArray, HostArray>;

  beforeAll(async () => {
    browser = await launchChromium(chromium ?? "");
    const { images, labels } = bars(120, 1);
    const train = dataset(array(images, [120, 1, SIZE, SIZE]), array(labels), { name: "bars", classes: CLASSES });
    run = (await fit(nn.sequential(nn.conv2d(4, 3), nn.relu(), nn.flatten(), nn.linear(3)), {
      ...{ train: { ...train, pictures: form }, epochs: 3, batchSize: 16, name: "page", threads: 1 },
      ...{ loss: nn.crossEntropy(), optimizer: optim.sgd(0.05), sink: new RunFolder({ out: folder }) },
    })) as unknown as typeof run;
    for (let i = 0; i < 6; i++) {
      const raw = images.slice(i * SIZE * SIZE, (i + 1) * SIZE * SIZE);
      const picture = sharp(raw, { raw: { width: SIZE, height: SIZE, channels: 1 } }).resize(7 * SIZE, 6 * SIZE, {
        fit: "fill",
      });
      const bytes = await picture.png().toBuffer();
      const file = join(folder, `${i}.png`);
      writeFileSync(file, bytes);
      const [{ probabilities, label }] = await run.predict(await decodePicture(bytes, form, file));
      pictures.push({ file, probabilities, label });
    }
    const said = await downhill(folder, "export", run.place ?? "", "--page", exported);
    expect([said.stderr, said.code]).toEqual(["", 0]);
  });
  afterAll(async () => {
    await run?.close();
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function opened(address: string, options = {}): Promise<{ page: Page; faults: string[]; asked: string[] }> {
    const page = await browser.newPage(options);
    const faults: string[] = [];
    const asked: string[] = [];
    page.on("console", (message) => void faults.push(message.text()));
    page.on("pageerror", ({ message }) => void faults.push(message));
    page.on("request", (request) => void asked.push(request.url()));
    await page.goto(address);
    await page.locator("input[type=file]").waitFor({ state: "attached" });
    return { page, faults, asked };
  }

  /** Labels with their shares as the page shows them. */
  async function shown(page: Page): Promise<[string, number][]> {
    await page.locator("[aria-busy]").waitFor({ state: "detached" });
    await page.locator("li").first().waitFor();
    return page.$$eval("li", (items) =>
      items.map((item): [string, number] => [
        item.querySelector("span")?.textContent ?? "",
        Number(item.querySelector("b")?.textContent?.replace(" %", "")) / 100,
      ]),
    );
  }

  async function checkPictures(page: Page, tolerance: number): Promise<void> {
    for (const { file, probabilities, label } of pictures) {
      await page.evaluate("document.querySelector('ol')?.remove()");
      await page.setInputFiles("input[type=file]", file);
      const found = await shown(page);
      expect(found[0]?.[0]).toBe(label);
      for (const [name, share] of found)
        expect(Math.abs(share - (probabilities[CLASSES.indexOf(name)] as number))).toBeLessThan(tolerance);
    }
  }

  test("opened from the disk, with names that are no markup, and asks for nothing else", async () => {
    expect(readdirSync(exported).sort()).toEqual(["index.html", "model.js", "page.css", "page.js"]);
    const { page, faults, asked } = await opened(pathToFileURL(join(exported, "index.html")).href);
    // A rounding of the page's own, and one of the percentage.
    await checkPictures(page, 0.02);
    expect(await page.evaluate("typeof hacked")).toBe("undefined");
    expect(faults).toEqual([]);
    expect(asked.filter((url) => !/^(file|blob|data):/.test(url))).toEqual([]);
    await page.close();
  });

  test("from any web server, dropped, and says what cannot be shown", async () => {
    const server = await serve({ folders: { page: exported }, isolated: false });
    const { page, faults } = await opened(`${server.address}/page/index.html`);
    const bytes = [...(await sharp(pictures[0]?.file).toBuffer())];
    const drop = (content: number[], name: string): Promise<void> =>
      page.evaluate(
        ([content, name]) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([Uint8Array.from(content as number[])], name as string, { type: "image/png" }));
          dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
        },
        [content, name] as const,
      );
    await drop(bytes, "dropped.png");
    expect((await shown(page))[0]?.[0]).toBe(pictures[0]?.label);
    await drop([1, 2, 3], "broken.png");
    const alert = page.getByRole("alert");
    await alert.filter({ hasText: "This file cannot be shown" }).waitFor();
    expect(await page.locator("li").count()).toBe(0);
    await drop(bytes, "again.png");
    expect((await shown(page)).length).toBe(3);
    expect(await alert.textContent()).toBe("");
    expect(faults).toEqual([]);
    await page.close();
    server.close();
  });

  test.each([
    ["light", 1200],
    ["dark", 360],
  ] as const)("%s and %i pixels wide: nothing is cut off, and the keyboard is enough", async (colorScheme, width) => {
    const { page } = await opened(pathToFileURL(join(exported, "index.html")).href, {
      colorScheme,
      viewport: { width, height: 800 },
    });
    await page.keyboard.press("Tab");
    expect(await page.evaluate("document.activeElement.type")).toBe("file");
    await page.setInputFiles("input[type=file]", pictures[0]?.file as string);
    await shown(page);
    expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
    await page.close();
  });

  test("of downhill serve, which looks at the picture itself", async () => {
    const serving = start(folder, "serve", run.place ?? "", "--port", "0");
    try {
      await serving.printed(/Ctrl-C ends it/);
      const { page, faults } = await opened(/at (http\S+)/.exec(serving.stdout())?.[1] ?? "");
      // Only the percentage is rounded.
      await checkPictures(page, 0.0006);
      const broken = join(folder, "broken.png");
      writeFileSync(broken, "no picture");
      await page.setInputFiles("input[type=file]", broken);
      await page.getByRole("alert").filter({ hasText: "cannot be decoded" }).waitFor();
      // The browser itself tells of an answer of 422.
      expect(faults.filter((text) => !text.includes("422"))).toEqual([]);
      await page.close();
    } finally {
      serving.process.kill("SIGINT");
    }
    expect((await serving.outcome).code).toBe(0);
  });
});
