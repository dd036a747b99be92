import { existsSync } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { requireBuilt } from "../built.ts";
import { downhill } from "./command.ts";

/** Folders of Debian's openclipart-png and tuxpaint-stamps-default, as somebody else left them. */
const CLIPART = process.env.OPENCLIPART ?? "/usr/share/openclipart/png";
const STAMPS = process.env.TUXPAINT_STAMPS ?? "/usr/share/tuxpaint/stamps";
const missing = (folder: string): boolean => {
  if (existsSync(folder)) return false;
  console.log(`Skipped: real pictures of ${folder}, which is not there. It comes with a package of Debian.`);
  return true;
};

const number = (text: string, pattern: RegExp): number => Number(pattern.exec(text)?.[1]?.replaceAll(",", ""));

let folder: string;
beforeAll(async () => {
  requireBuilt();
  folder = await mkdtemp(join(tmpdir(), "downhill-real-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe.skipIf(missing(CLIPART))("openclipart: nested folders, links, transparent and huge pictures", () => {
  let said = "";
  let run = "";

  beforeAll(async () => {
    for (const name of ["animals", "food", "people", "transportation"])
      await cp(join(CLIPART, name), join(folder, "clip", name), { recursive: true, verbatimSymlinks: true });
    const { stdout, stderr, code } = await downhill(folder, "train", "clip", "--image-size", "24", "--epochs", "5");
    expect([stderr, code]).toEqual(["", 0]);
    said = stdout;
    run = /Saved to (.*)/.exec(said)?.[1] ?? "";
  });

  test("says what is there and what it left out", () => {
    expect(said).toMatch(/clip: 1,\d{3} pictures of 4 classes, as 24x24 RGB \(contain\)/);
    expect(said).toMatch(/ {2}all +\d{3,} +\d{3} +\d{3}/);
    expect(said).toMatch(/roadsigns\/stop_sign_right_font_mig_\.png cannot be decoded: exceeds pixel limit/);
    expect(said).toMatch(/left out: \d{3} symbolic links \(--follow-links takes them\)/);
    expect(said).toMatch(/1,\d{3} transparent, \d{3} without colour/);
  });

  test("learns more than which class is the commonest", () => {
    const accuracy = number(said, /Test accuracy ([\d.]+)%/);
    expect(accuracy).toBeGreaterThan(number(said, /would be right for ([\d.]+)%/) + 10);
  });

  test("is evaluated to the same figures afterwards", async () => {
    const { stdout, code } = await downhill(folder, "evaluate", run);
    expect(code).toBe(0);
    const accuracy = number(said, /Test accuracy ([\d.]+)%/) / 100;
    expect(Math.abs(number(stdout, /accuracy ([\d.]+)/) - accuracy)).toBeLessThan(1e-4);
    const [, truth, said_] = /^ {2}(\w+)\/\S.*\.png: (\w+) taken for /m.exec(stdout) ?? [];
    expect(truth).toBeDefined();
    expect(said_).toBe(truth);
  });
});

describe.skipIf(missing(STAMPS))("tuxpaint's stamps: few pictures beside sounds and texts", () => {
  test("are trained on as they lie there, without a change to them", async () => {
    const settings = ["--image-size", "16", "--epochs", "2"];
    const { stdout, stderr, code } = await downhill(folder, "train", STAMPS, ...settings);
    expect([stderr, code]).toEqual(["", 0]);
    expect(stdout).toMatch(/stamps: \d{3} pictures of 1\d classes, as 16x16 RGB/);
    expect(stdout).toMatch(/Warning: /);
    expect(stdout).toMatch(/Test accuracy [\d.]+%/);
  });
});
