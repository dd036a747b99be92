import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { findChromium, launchChromium } from "../browser/chromium.ts";
import { serve } from "../browser/serve.ts";
import { requireBuilt, root } from "../built.ts";
import { bitsOn, fetchEngines } from "./engines.mjs";
import { TRAININGS } from "./trainings.mjs";

const expected = JSON.parse(readFileSync(join(root, "test/bits/bits.json"), "utf8")) as Record<string, string>;

beforeAll(() => requireBuilt());

test.each([1, 2, 4])("this Node gives the recorded bits with %i threads", async (threads) => {
  expect(await bitsOn(process.execPath, threads)).toEqual(expected);
});

const { engines, reason } = fetchEngines();
if (reason !== undefined) console.log(`Skipped: the bits of other versions of Node. ${reason}`);

describe.skipIf(reason !== undefined)("other versions of Node give them too", () => {
  test.each(engines.map(({ name, program }) => [name, program] as const))("%s", async (name, program) => {
    const found = [await bitsOn(program, 1), await bitsOn(program, 2)];
    // Wide vectors change speed, not bits; older engines say that they have none, and go without.
    if (name === "Node 24") found.push(await bitsOn(program, 2, true));
    for (const bits of found) expect(bits).toEqual(expected);
  });
});

const chromium = findChromium();
if (chromium === undefined)
  console.log("Skipped: the bits in Chromium. None is on the path; CHROMIUM_PATH may name one.");

test.skipIf(chromium === undefined).each([true, false])("Chromium gives them too (workers: %s)", async (isolated) => {
  const server = await serve({ folders: { dist: join(root, "dist"), test: join(root, "test") }, isolated });
  const browser = await launchChromium(chromium ?? "");
  try {
    const page = await browser.newPage();
    await page.goto(server.address);
    for (const which of TRAININGS) {
      const bits = await page.evaluate<string>(
        `Promise.all([import("/dist/index.web.js"), import("/test/bits/trainings.mjs")]).then(([downhill, { bitsOf }]) => bitsOf(downhill, "${which}", { threads: 2 }))`,
      );
      expect([which, bits]).toEqual([which, expected[which]]);
    }
  } finally {
    await browser.close();
    server.close();
  }
});
