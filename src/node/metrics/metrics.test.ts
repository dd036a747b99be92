import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DataError, OptionError } from "../../core/errors.ts";
import { decodeCsv } from "../../io/csv.ts";
import type { TrainEvent } from "../../train/events.ts";
import { metricTable } from "../../train/metric-table.ts";
import { exportMetrics } from "./export.ts";

const folder = mkdtempSync(join(tmpdir(), "downhill-metrics-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const step = (at: number, epoch: number, loss: number | null): TrainEvent =>
  ({ type: "step", step: at, epoch, rate: 0.1 / at, metrics: { loss, accuracy: 0.5 }, timeMs: 1.25 }) as TrainEvent;
const epoch = (at: number, index: number, loss: number): TrainEvent =>
  ({
    type: "epoch",
    epoch: index,
    step: at,
    rate: 0.1 / at,
    train: { loss, accuracy: 0.75 },
    validation: { loss: loss + 1, accuracy: 0.625 },
    timeMs: 2.5,
  }) as unknown as TrainEvent;
const start = { type: "start", time: 5, run: "a", config: {}, totalSteps: 3, stepsPerEpoch: 1, parameters: 1 };
const EVENTS: readonly TrainEvent[] = [
  start as unknown as TrainEvent,
  step(1, 1, 0.3),
  epoch(1, 1, 0.3),
  step(2, 2, null),
  { type: "rollback", step: 3, to: 1, rateFactor: 0.5, text: "NaN" },
  step(2, 2, 1 / 3),
  step(3, 2, null),
  epoch(3, 2, 0.1),
  { type: "end", reason: "done", step: 3, timeMs: 9 },
  { type: "test", metrics: { loss: 0.2, accuracy: 0.875 }, timeMs: 7 },
];

const COLUMNS = [
  ...["type", "step", "epoch", "rate", "loss", "accuracy", "validation_loss", "validation_accuracy", "time_ms"],
];
const ROWS = [
  ["step", 1, 1, 0.1, 0.3, 0.5, null, null, 1.25],
  ["epoch", 1, 1, 0.1, 0.3, 0.75, 1.3, 0.625, 2.5],
  ["step", 2, 2, 0.05, 1 / 3, 0.5, null, null, 1.25],
  ["step", 3, 2, 0.1 / 3, null, 0.5, null, null, 1.25],
  ["epoch", 3, 2, 0.1 / 3, 0.1, 0.75, 1.1, 0.625, 2.5],
  ["test", 3, 2, null, 0.2, 0.875, null, null, 7],
];
const OBJECTS = ROWS.map((row) => Object.fromEntries(COLUMNS.map((name, i) => [name, row[i]])));

describe("metricTable", () => {
  test("has a row for each step, epoch and test, without what was rolled back", () => {
    const { columns, rows } = metricTable(EVENTS);
    expect(columns).toEqual(COLUMNS);
    expect(rows).toEqual(OBJECTS);
    expect(rows.every((row) => Object.keys(row).join() === COLUMNS.join())).toBe(true);
  });

  test("names metrics apart from its own columns and from those of validation", () => {
    const event = { ...step(1, 1, 1), metrics: { step: 4, validation_loss: 5, loss: Number.NaN } } as TrainEvent;
    const { columns, rows } = metricTable([event]);
    expect(columns).toEqual([
      "type",
      "step",
      "epoch",
      "rate",
      "metric_step",
      "metric_validation_loss",
      "loss",
      "time_ms",
    ]);
    expect(rows[0]).toMatchObject({ step: 1, metric_step: 4, metric_validation_loss: 5, loss: null });
  });
});

describe("exportMetrics", () => {
  const run = join(folder, "run");
  const at = (name: string): string => join(folder, "out", name);

  beforeAll(() => {
    mkdirSync(run);
    writeFileSync(join(run, "events.jsonl"), EVENTS.map((event) => `${JSON.stringify(event)}\n`).join(""));
  });

  test("writes CSV that reads back to the last bit", async () => {
    expect(await exportMetrics(run, at("metrics.csv"))).toEqual({ rows: 6 });
    const { columns, rows } = decodeCsv(readFileSync(at("metrics.csv")));
    expect(columns).toEqual(COLUMNS);
    expect(rows).toEqual(ROWS.map((row) => row.map((cell) => (cell === null ? "" : String(cell)))));
    expect(rows.map((row) => Number(row[4] || Number.NaN))).toEqual(ROWS.map((row) => row[4] ?? Number.NaN));
  });

  test("writes JSON lines", async () => {
    await exportMetrics(run, at("metrics.JSONL"));
    const lines = readFileSync(at("metrics.JSONL"), "utf8").trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(OBJECTS);
  });

  test("writes Parquet with whole numbers and doubles", async () => {
    await exportMetrics(run, at("metrics.parquet"));
    const bytes = readFileSync(at("metrics.parquet"));
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
    expect(await parquetReadObjects({ file })).toEqual(OBJECTS);
    const { schema } = parquetMetadata(file);
    expect(schema.slice(1).map(({ name, type }) => `${name} ${type}`)).toEqual(
      COLUMNS.map((name) => `${name} ${{ type: "BYTE_ARRAY", step: "INT32", epoch: "INT32" }[name] ?? "DOUBLE"}`),
    );
  });

  test("leaves nothing but the files that were asked for", () => {
    expect(readdirSync(join(folder, "out")).sort()).toEqual(["metrics.JSONL", "metrics.csv", "metrics.parquet"]);
  });

  test("says what it cannot do", async () => {
    await expect(exportMetrics(run, at("metrics.xlsx"))).rejects.toThrow(OptionError);
    await expect(exportMetrics(run, at("metrics.xlsx"))).rejects.toThrow(
      /^metrics: got the file .*metrics.xlsx; expected one that ends in .csv, .jsonl, .parquet.$/,
    );
    const nowhere = exportMetrics(join(folder, "nowhere"), at("metrics.csv"));
    await expect(nowhere).rejects.toThrow(DataError);
    await expect(nowhere).rejects.toThrow(/^export: cannot read .*events.jsonl: no such file or directory. Expected/);
    await expect(exportMetrics(run, join(run, "events.jsonl", "m.csv"))).rejects.toThrow(/^write: cannot write /);
  });
});
