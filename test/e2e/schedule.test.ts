import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { table } from "../../src/optim/schedules/table.ts";
import { requireBuilt } from "../built.ts";
import { downhill } from "./command.ts";

const folder = mkdtempSync(join(tmpdir(), "downhill-schedule-"));
beforeAll(requireBuilt);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tooWide = (text: string): string[] => text.split("\n").filter((line) => line.length > 80);

describe("downhill schedule", () => {
  test("draws one at 80 columns with its numbers", async () => {
    const { stdout, stderr, code } = await downhill(folder, "schedule", "warmup 5% | cosine", "--lr", "0.2");
    expect([stderr, code]).toEqual(["", 0]);
    expect(stdout).toMatch(/highest +step 50 +epoch 0.5 +0.2\n/);
    expect(stdout).toMatch(/0.2 ┤/);
    expect(tooWide(stdout)).toEqual([]);
  });

  test("plain characters where asked for; a plateau follows the reports", async () => {
    const reports = ["--reports", "1,0.9,0.95,0.8,0.8", "--ascii"];
    const { stdout } = await downhill(folder, "schedule", "plateau 0.5", ...reports);
    expect([...stdout].filter((letter) => letter > "~")).toEqual([]);
    expect(stdout).toMatch(/step 499 .* 0.05\n/);
    expect(stdout).toMatch(/step 500 .* 0.025\n/);
  });

  test("writes a picture", async () => {
    const { stdout } = await downhill(folder, "schedule", "cosine", "step 0.5/3ep", "--svg", "made/it.svg");
    expect(stdout).toContain("Wrote made/it.svg");
    const svg = readFileSync(join(folder, "made/it.svg"), "utf8");
    expect(svg.match(/<polyline/g)).toHaveLength(2);
  });

  test.each([
    [["cosin"], '--schedule: got "cosin"'],
    [[], "missing required argument 'text'"],
    [["cosine", "--epochs", "0"], '--epochs: got "0"; expected a number above 0'],
    [["cosine", "--epochs", "1e9"], "expected 1 to 10000000"],
    [["plateau", "--reports", "0.9,,1"], '--reports: got "0.9,,1"'],
    [["cosine", "--lr", "-1"], '--lr: got "-1"'],
  ])("refuses %j", async (args, message) => {
    const { stdout, stderr, code } = await downhill(folder, "schedule", ...args, "--svg", "refused.svg");
    expect([stdout, code]).toEqual(["", 2]);
    expect(stderr).toContain(message);
    expect(existsSync(join(folder, "refused.svg"))).toBe(false);
  });
});

describe("downhill schedules", () => {
  test("lists every row of the table at 80 columns", async () => {
    const { stdout } = await downhill(folder, "schedules");
    expect(table.filter(({ kind }) => !stdout.includes(`  ${kind} `)).map(({ kind }) => kind)).toEqual([]);
    expect(tooWide(stdout)).toEqual([]);
  });

  test.each(table.map(({ kind }) => kind))("shows %s", async (kind) => {
    const { stdout, stderr, code } = await downhill(folder, "schedules", kind);
    expect([stderr, code]).toEqual(["", 0]);
    expect(tooWide(stdout)).toEqual([]);
  });

  test("says which name is near a wrong one", async () => {
    const { stderr, code } = await downhill(folder, "schedules", "cosin");
    expect(code).toBe(2);
    expect(stderr).toContain("Did you mean cosine?");
  });
});
