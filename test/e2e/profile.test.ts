import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { requireBuilt } from "../built.ts";
import { downhill } from "./command.ts";

const folder = mkdtempSync(join(tmpdir(), "downhill-profile-"));
beforeAll(requireBuilt);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SMALL = ["--batch-size", "8", "--steps", "2", "--threads", "1"];

test("a model on noise: head, bars and table at 80 columns, and a picture", async () => {
  const { stdout, stderr, code } = await downhill(
    folder,
    "profile",
    "lenet",
    ...SMALL,
    "--top",
    "3",
    "--svg",
    "made/it.svg",
  );
  expect([stderr, code]).toEqual(["", 0]);
  const lines = stdout.split("\n");
  expect(lines[0]).toBe("lenet on noise of 1x28x28, batch 8, momentum");
  expect(lines[1]).toMatch(/^wasm, 1 thread, Node \d+\./);
  expect(stdout).toMatch(/^step [\d.]+ ms, the fastest of 2\n/m);
  expect(stdout).toMatch(/^forward +█*░* +[\d.]+ ms +\d+%$/m);
  expect(stdout).toMatch(/^kernel +layer +calls +ms share +GF\/s +% +GB\/s +% bound$/m);
  expect(stdout).toMatch(
    / (?:compute|memory|cache|neither)\nand \d+ more: [\d.]+ ms, [\d.]+%; --top 0 lists all\nWrote made\/it.svg\n$/,
  );
  expect(lines.filter((line) => line.length > 80)).toEqual([]);
  const svg = readFileSync(join(folder, "made/it.svg"), "utf8");
  expect(svg).toMatch(/^<svg .*<\/svg>\n$/s);
  expect(svg).toContain("lenet on noise");
});

test("JSON with every kernel, of two threads, another optimizer and the fast mode", async () => {
  const { stdout, stderr } = await downhill(
    folder,
    ...["profile", "mlp", "--json", "--batch-size", "16", "--steps", "2", "--threads", "2"],
    ...["--mode", "fast", "--native", "off", "--optimizer", "adam"],
  );
  expect(stderr).toBe("");
  const { kernels, ...head } = JSON.parse(stdout) as Record<string, unknown> & { kernels: Record<string, unknown>[] };
  const number = expect.any(Number) as number;
  expect(head).toEqual({
    model: "mlp",
    data: "noise of 1x28x28",
    optimizer: "adam",
    batchSize: 16,
    node: expect.any(String) as string,
    backend: expect.stringContaining("wasm") as string,
    notes: expect.any(Array) as unknown[],
    parameters: 235_146,
    steps: 2,
    threads: 2,
    ceilings: { threads: 2, separate: number, products: number, memory: number, cache: number },
    stepMs: number,
    kernelsMs: number,
    waitMs: number,
    otherMs: number,
    tickMs: number,
  });
  expect(kernels.filter(({ kind, layer }) => kind === "contract" && String(layer).endsWith("(linear)"))).toHaveLength(
    8,
  );
  for (const kernel of kernels)
    expect(Object.keys(kernel).sort()).toEqual(
      [
        ...["name", "kind", "phase", "layer", "operation", "calls", "ms", "share", "operations"],
        ...["directOperations", "bytes", "computeMs", "transferMs", "limitMs", "limit"],
      ].sort(),
    );
});

test("a gpt on noise, by layer, in plain characters", async () => {
  const { stdout, stderr } = await downhill(
    folder,
    ...["profile", "gpt", "--layers", "1", "--width", "16", "--block", "8", "--heads", "2", ...SMALL],
    ...["--by", "layer", "--ascii", "--top", "0"],
  );
  expect(stderr).toBe("");
  expect(stdout).toMatch(/^transformer\.h\.0\.mlp\.c_fc linear|^\S*mlp\.c_fc linear/m);
  expect([...stdout].filter((letter) => letter > "~")).toEqual([]);
});

test.each([
  [["cnnn"], 'got "cnnn"; expected a model, such as resnet20'],
  [["cnn", "--model", "mlp"], "--model: got mlp beside the model cnn; expected one of the two."],
  [["cnn", "--by", "name"], '--by: got "name"; expected one of kernel, operation, layer, phase.'],
  [["cnn", "--steps", "0"], '--steps: got "0"; expected a whole number of at least 1.'],
  [["cnn", "--batch-size", "-1"], "--batch-size: got -1"],
  [["cnn", "--layers", "2"], "--layers: got it with the model cnn; expected it with gpt only."],
  [["cnn", "--mode", "quick"], '--mode: got "quick"'],
  [[], "missing required argument 'data'"],
])("refuses %j", async (args, message) => {
  const { stdout, stderr, code } = await downhill(folder, "profile", ...args, "--svg", "refused.svg");
  expect([stdout, code]).toEqual(["", 2]);
  expect(stderr).toContain(message);
  expect(existsSync(join(folder, "refused.svg"))).toBe(false);
});
