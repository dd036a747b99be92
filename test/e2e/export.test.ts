import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parquetReadObjects } from "hyparquet";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeCsv } from "../../src/io/csv.ts";
import { decodeSummaryEvents } from "../../src/io/tensorboard-reader.ts";
import { requireBuilt } from "../built.ts";
import { SIZE, writeBars } from "./bars.ts";
import { downhill } from "./command.ts";

const folder = mkdtempSync(join(tmpdir(), "downhill-export-"));
const LOGS = join(folder, "logs");
let run = "";
let said = "";

beforeAll(async () => {
  requireBuilt();
  writeBars(join(folder, "bars"), { train: 330, test: 60 });
  const settings = ["--model", "mlp", "--optimizer", "adam", "--batch-size", "32", "--validation", "30"];
  const outcome = await downhill(folder, "train", "./bars", ...settings, "--epochs", "2", "--tensorboard", "logs");
  expect(outcome).toMatchObject({ code: 0, stderr: "" });
  said = outcome.stdout;
  [run = ""] = readdirSync(join(folder, "runs"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The scalars of all event files of a folder: tag, step and value. */
function scalarsIn(logs: string): [string, number, number][] {
  return readdirSync(logs)
    .sort()
    .flatMap((name) => decodeSummaryEvents(readFileSync(join(logs, name)), name).events)
    .flatMap(({ step, summaries }) =>
      summaries.flatMap((each): [string, number, number][] =>
        each.kind === "scalar" && !each.tag.startsWith("time/") ? [[each.tag, step, each.value]] : [],
      ),
    );
}

describe("downhill train --tensorboard", () => {
  test("writes the run's events into a folder of its name", () => {
    expect(said).toContain(`Events for TensorBoard in ${join("logs", run)}`);
    expect(readdirSync(LOGS)).toEqual([run]);
    const scalars = scalarsIn(join(LOGS, run));
    expect(scalars.filter(([tag]) => tag === "validation/accuracy").map(([, step]) => step)).toEqual([10, 20]);
    expect(scalars.filter(([tag]) => tag === "step/loss").length).toBe(20);
    const [, accuracy = ""] = /Test accuracy ([\d.]+)%/.exec(said) ?? [];
    const [tested] = scalars.filter(([tag]) => tag === "test/accuracy");
    expect(tested?.[1]).toBe(20);
    expect(100 * (tested?.[2] ?? 0)).toBeCloseTo(Number(accuracy), 1);
  });
});

test("downhill train --tensorboard shows what it trains on", () => {
  const [name = ""] = readdirSync(join(LOGS, run));
  const { events } = decodeSummaryEvents(readFileSync(join(LOGS, run, name)), name);
  const shown = events.flatMap(({ step, summaries }) =>
    summaries.flatMap((each) => (each.kind === "image" ? [[step, each.tag, each.width]] : [])),
  );
  // Pictures of SIZE pixels, made larger to 24 or more, four in a row.
  const side = SIZE * Math.ceil(24 / SIZE);
  expect(shown).toEqual([[0, "inputs", 4 * side + 3]]);
});

describe("downhill export", () => {
  test("--tensorboard gives the same scalars afterwards", async () => {
    const outcome = await downhill(folder, "export", join("runs", run), "--tensorboard", "exported");
    expect(outcome).toMatchObject({ code: 0, stderr: "" });
    expect(outcome.stdout).toContain(`Events for TensorBoard: ${join("exported", run, "events.out.tfevents.")}`);
    expect(scalarsIn(join(folder, "exported", run))).toEqual(scalarsIn(join(LOGS, run)));
    const refused = await downhill(folder, "export", join("runs", run), "--tensorboard", "logs");
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/^downhill: export: got logs.*, which has other events \(events.out/);
  });

  test("--metrics writes one table in three forms, from the bundled command", async () => {
    const write = (file: string) => downhill(folder, "export", join("runs", run), "--metrics", file);
    for (const file of ["m.csv", "m.jsonl", "m.parquet"])
      expect(await write(file)).toEqual({ code: 0, stderr: "", stdout: `Metrics: 23 rows in ${file}\n` });
    const lines = readFileSync(join(folder, "m.jsonl"), "utf8").trimEnd().split("\n");
    const rows = lines.map((line) => JSON.parse(line) as Record<string, number | string | null>);
    expect(rows.map(({ type }) => type).filter((type) => type !== "step")).toEqual(["epoch", "epoch", "test"]);
    const bytes = readFileSync(join(folder, "m.parquet"));
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
    expect(await parquetReadObjects({ file })).toEqual(rows);
    const csv = decodeCsv(readFileSync(join(folder, "m.csv")));
    expect(csv.rows).toEqual(rows.map((row) => csv.columns.map((column) => String(row[column] ?? ""))));
  });

  test("says what is wrong", async () => {
    const nothing = await downhill(folder, "export", join("runs", run));
    expect(nothing.code).toBe(2);
    expect(nothing.stderr).toMatch(/^downhill: export: got nothing to write; expected some of .*--metrics <file>/);
    const ending = await downhill(folder, "export", join("runs", run), "--metrics", "m.xlsx");
    expect(ending.stderr).toBe(
      "downhill: metrics: got the file m.xlsx; expected one that ends in .csv, .jsonl, .parquet.\n",
    );
    const nowhere = await downhill(folder, "export", "nowhere", "--metrics", "n.csv");
    expect(nowhere.stderr).toMatch(/^downhill: export: cannot read nowhere.events.jsonl: no such file or directory/);
    expect(readdirSync(folder)).not.toContain("n.csv");
  });
});

test("downhill resume goes on in the same folder; reproduce leaves it alone", async () => {
  const before = scalarsIn(join(LOGS, run)).filter(([tag]) => tag === "step/loss");
  const resumed = await downhill(folder, "resume", join("runs", run), "--epochs", "3");
  expect(resumed).toMatchObject({ code: 0, stderr: "" });
  expect(readdirSync(LOGS)).toEqual([run]);
  const after = scalarsIn(join(LOGS, run)).filter(([tag]) => tag === "step/loss");
  expect(after.slice(0, 20)).toEqual(before);
  expect(after.map(([, step]) => step)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
  const files = readdirSync(join(LOGS, run));
  const reproduced = await downhill(folder, "reproduce", join("runs", run));
  expect(reproduced).toMatchObject({ code: 0, stderr: "" });
  expect([readdirSync(LOGS), readdirSync(join(LOGS, run))]).toEqual([[run], files]);
});

describe("downhill train --optimizer-state", () => {
  const whole = ["--model", "mlp", "--optimizer", "adam", "--lr", "0.01", "--schedule", "constant"];
  const all = ["--batch-size", "300", "--validation", "30", "--threads", "1"];
  const lossesOf = (name: string): number[] =>
    readFileSync(join(folder, "state", name, "events.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { type: string; metrics: { loss: number } })
      .flatMap(({ type, metrics }) => (type === "step" ? [metrics.loss] : []));
  const train = async (...flags: string[]): Promise<string> => {
    const { stdout, stderr, code } = await downhill(
      folder,
      "train",
      "./bars",
      ...whole,
      ...all,
      "--out",
      "state",
      ...flags,
    );
    expect([stderr, code]).toEqual(["", 0]);
    return /Saved to state[/\\](\S+)/.exec(stdout)?.[1] ?? "";
  };

  test("goes on from what the optimizer remembers: three steps and three are six", async () => {
    const six = lossesOf(await train("--epochs", "6"));
    const first = await train("--epochs", "3");
    const said = await downhill(folder, "export", join("state", first), "--optimizer-state", "adam.pt");
    expect([said.stderr, said.code]).toEqual(["", 0]);
    const weights = ["--epochs", "3", "--weights", join("state", first)];
    const further = lossesOf(await train(...weights, "--optimizer-state", "adam.pt"));
    const without = lossesOf(await train(...weights));
    // A batch of all samples has the same gradients in any order, but for the rounding of their sums.
    const worst = (losses: readonly number[]): number =>
      Math.max(...losses.map((loss, i) => Math.abs(loss - (six[i + 3] as number)) / (six[i + 3] as number)));
    expect(six).toHaveLength(6);
    expect(worst(further)).toBeLessThan(1e-3);
    expect(worst(without)).toBeGreaterThan(1e-2);
  });

  test("says what is wrong with a file", async () => {
    const missing = await downhill(folder, "train", "./bars", "--model", "mlp", "--optimizer-state", "none.pt");
    expect(missing.stderr).toContain("--optimizer-state: cannot read none.pt: ");
    const model = join("runs", run, "model.safetensors");
    const wrong = await downhill(folder, "train", "./bars", "--model", "mlp", "--optimizer-state", model);
    expect([missing.code, wrong.code].map((code) => code !== 0)).toEqual([true, true]);
    expect(wrong.stderr.trim().split("\n")).toHaveLength(1);
    expect(readdirSync(join(folder, "runs"))).toEqual([run]);
  });
});
