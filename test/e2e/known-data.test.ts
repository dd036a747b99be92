import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { requireBuilt } from "../built.ts";
import { downhill } from "./command.ts";

const folder = mkdtempSync(join(tmpdir(), "downhill-known-"));
beforeAll(() => {
  requireBuilt();
  mkdirSync(join(folder, "own"));
  // Three kinds of flowers, one after the other, each a little different from flower to flower.
  const rows = Array.from({ length: 150 }, (_, i) => {
    const kind = Math.floor(i / 50);
    const values = [5 + kind, 3.5 - kind / 2, 1.5 + 2 * kind, 0.2 + kind].map((x, j) => x + ((i * (j + 3)) % 7) / 20);
    return [...values.map((x) => x.toFixed(2)), kind].join(",");
  });
  writeFileSync(join(folder, "own", "iris.csv"), `150,4,setosa,versicolor,virginica\n${rows.join("\n")}\n`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a small data set by its name is trained on by a recipe of its own, and evaluated", async () => {
  const trained = await downhill(folder, "train", "iris", "--data-dir", "own", "--threads", "1");
  expect([trained.stderr, trained.code]).toEqual(["", 0]);
  expect(trained.stdout).toContain("iris: 108 training and 12 validation rows of 4, 3 classes");
  expect(trained.stdout).toContain("mlp, adam, rate 0.001 (constant), batch 16, 20 epochs, seed 1");
  expect(trained.stdout).toMatch(/Test accuracy (9\d|100)\.\d\d% \(loss .*\) on 30 rows/);
  const [run = ""] = readdirSync(join(folder, "runs"));
  expect(run).toMatch(/-iris-mlp$/);
  const config = JSON.parse(readFileSync(join(folder, "runs", run, "config.json"), "utf8"));
  expect(config).toMatchObject({ data: "iris", model: "mlp", optimizer: "adam", epochs: 20, batchSize: 16 });

  const evaluated = await downhill(folder, "evaluate", join("runs", run), "--data-dir", "own");
  expect([evaluated.stderr, evaluated.code]).toEqual(["", 0]);
  expect(evaluated.stdout).toMatch(/on 30 test samples of iris[\s\S]*setosa +100\.00%/);
});
