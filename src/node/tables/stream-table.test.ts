import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, describe, expect, test } from "vitest";
import type { HostArray } from "../../core/host-array.ts";
import { keyOf, uniformAt } from "../../core/prng.ts";
import { predictRows } from "../../data/table/rows.ts";
import * as nn from "../../nn/index.ts";
import * as optim from "../../optim/index.ts";
import { fit } from "../fit.ts";
import { readTestRows } from "./rows.ts";
import { type StreamedTable, streamTable } from "./stream-table.ts";

const folder = mkdtempSync(join(tmpdir(), "downhill-stream-table-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const key = keyOf(4);
type Flat = {
  readonly area: number;
  readonly city: string | undefined;
  readonly sold: string;
  readonly dear: string | undefined;
};
/** Every 50th row has no target, every 20th no city. */
const flats = (count: number, from = 0): Flat[] =>
  Array.from({ length: count }, (_, n) => {
    const i = from + n;
    const area = 20 + Math.round(1000 * uniformAt(key, i)) / 10;
    const city = ["Bonn", "Ulm", "Köln"][Math.floor(3 * uniformAt(key, 1e6 + i))] as string;
    const dear = area * (city === "Ulm" ? 2 : 1) > 110 ? "yes, dear" : "cheap";
    const sold = `20${10 + (i % 15)}-0${1 + (i % 9)}-17`;
    return { area, city: i % 20 === 7 ? undefined : city, sold, dear: i % 50 === 3 ? undefined : dear };
  });
const csvOf = (rows: readonly Flat[]): string =>
  [
    "area;city;sold;dear",
    ...rows.map(
      ({ area, city, sold, dear }) => `${String(area).replace(".", ",")};${city ?? ""};${sold};"${dear ?? ""}"`,
    ),
  ].join("\r\n");
const write = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const options = { target: "dear", learnRows: 400, shuffle: 300 } as const;

/** Each sample of an epoch as text. */
async function samplesOf({ train }: StreamedTable, epoch: number, skip = 0): Promise<string[]> {
  const count = train.stream.samplesPerEpoch - skip;
  const reader = await train.stream.open({ seed: 1, epoch, skip });
  const { inputs, targets } = (await reader.read(count)) as { inputs: HostArray; targets: HostArray };
  await reader.close();
  const width = inputs.data.length / count;
  return Array.from({ length: count }, (_, i) => `${inputs.data.slice(i * width, (i + 1) * width)} ${targets.data[i]}`);
}

describe("streamTable", () => {
  const all = flats(3000);
  const columns = ["area", "city", "sold", "dear"] as const;
  const parquet = parquetWriteBuffer({
    columnData: columns.map((name) => ({ name, data: all.map((row) => row[name] ?? null), nullable: true })),
    rowGroupSize: [700],
  });
  const files = {
    csv: write("flats.csv", csvOf(all)),
    packed: write("flats.csv.gz", gzipSync(csvOf(all))),
    jsonl: write("flats.jsonl", all.map((row) => JSON.stringify(row)).join("\n")),
    parquet: write("flats.parquet", new Uint8Array(parquet)),
  };

  test.each(Object.entries(files))(
    "%s: every row once an epoch, as in memory, each time in another order",
    async (_, file) => {
      const data = await streamTable(file, options);
      const { train, encoding, validation, test } = data;
      expect(train.classes).toEqual(["cheap", "yes, dear"]);
      // 400 rows are learned from: 8 have no target, 78 are for the test and 31 for validation.
      expect([validation?.targets.shape, test?.targets.shape]).toEqual([[31], [78]]);
      expect(train.stream.samplesPerEpoch).toBe(3000 - 60 - 31 - 78);
      const [first, second] = [await samplesOf(data, 0), await samplesOf(data, 1)];
      expect(second).not.toEqual(first);
      expect([...second].sort()).toEqual([...first].sort());
      expect(await samplesOf(data, 1, 1234)).toEqual(second.slice(1234));
      const whole = await readTestRows(file, encoding);
      const { data: numbers } = whole.inputs as HostArray;
      const width = numbers.length / 2940;
      const rows = Array.from(
        { length: 2940 },
        (_, i) => `${numbers.slice(i * width, (i + 1) * width)} ${whole.targets.data[i]}`,
      );
      const left = new Map<string, number>();
      for (const row of rows) left.set(row, (left.get(row) ?? 0) + 1);
      for (const row of first) left.set(row, (left.get(row) ?? 0) - 1);
      expect(Math.min(...left.values())).toBe(0);
      expect([...left.values()].reduce((a, b) => a + b)).toBe(31 + 78);
    },
  );

  test("trains on several files, and the model reads rows by itself", async () => {
    const parts = [0, 1, 2].map((part) => write(`part${part}.csv`, csvOf(flats(1000, 1000 * part))));
    const { train, validation, test } = await streamTable(parts, options);
    const run = await fit(nn.tabular({ outputs: 2, hidden: [16] }) as never, {
      ...{ train: train as never, validation: validation as never, epochs: 6, batchSize: 32, seed: 1, threads: 1 },
      ...{ loss: nn.crossEntropy() as never, metrics: [nn.accuracy()] as never, optimizer: optim.adam(0.02) },
    });
    expect((await run.evaluate(test as never)).accuracy).toBeGreaterThan(0.9);
    const rows = "city;area;sold\nUlm;119,5;2015-05-17\nBonn;25,5;2015-05-17\n";
    const found = await predictRows(run as never, { text: rows });
    expect(found.map((row) => "label" in row && row.label)).toEqual(["yes, dear", "cheap"]);
    await run.close();
  });

  test("names the later row that is not what the first ones said", async () => {
    const odd = (change: Partial<Flat>): string =>
      csvOf(all.map((row, i) => (i === 2499 ? { ...row, ...change } : row)));
    const typed = await streamTable(write("typed.csv", odd({ area: "many" as never })), options);
    await expect(samplesOf(typed, 0)).rejects.toThrow('typed.csv, row 2500 has "many" in column area');
    const classed = await streamTable(write("classed.csv", odd({ dear: "free" })), options);
    await expect(samplesOf(classed, 0)).rejects.toThrow(
      'classed.csv, row 2500 has "free" in the target dear; expected cheap, yes, dear',
    );
    await expect(streamTable([], options)).rejects.toThrow("streamTable: got no files");
    await expect(streamTable(join(folder, "none.csv"), options)).rejects.toThrow("there is no file");
    await expect(streamTable(files.csv, { ...options, learnRows: 0 })).rejects.toThrow("got learnRows 0");
  });
});
