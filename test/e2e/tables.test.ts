import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { keyOf, uniformAt } from "../../src/core/prng.ts";
import { decodeRows } from "../../src/data/table/decode.ts";
import type { TableEncoding } from "../../src/data/table/encoding.ts";
import { load } from "../../src/node/load-run.ts";
import { readRows, readTestRows } from "../../src/node/tables/rows.ts";
import { evaluateFully } from "../../src/train/evaluation/evaluate-fully.ts";
import { requireBuilt, root } from "../built.ts";
import { downhill, type Outcome } from "./command.ts";

const folder = mkdtempSync(join(tmpdir(), "downhill-tables-"));
const at = (name: string): string => join(folder, name);
const draw = (i: number): number => uniformAt(keyOf(5), i);

/** Flats: the price follows from all columns but the agent's, to within 5 %. */
const CITIES = ["Bonn", "Köln", "Ulm", "Trier"];
const flats = Array.from({ length: 600 }, (_, i) => {
  const area = Math.round(30 + 120 * draw(6 * i));
  const city = Math.floor(4 * draw(6 * i + 1));
  const street = Math.floor(40 * draw(6 * i + 2));
  const year = 2015 + Math.floor(10 * draw(6 * i + 3));
  const price = area * (2000 + 800 * city) + 3000 * street + (year - 2015) * 6000;
  const noisy = Math.round(price * (0.95 + 0.1 * draw(6 * i + 4)));
  const shownArea = draw(6 * i + 5) < 0.05 ? "" : area;
  return `${i + 1},${shownArea},${CITIES[city]},street ${street},${year}-0${1 + (i % 9)}-15,agent ${i},${noisy}`;
});
const NAMES = "id,area,city,street,sold,agent,price";

const numberOf = (text: string): number => Number(text.replaceAll(",", ""));

const runIn = (out: string): string => {
  const [only = ""] = readdirSync(at(out));
  return `${out}/${only}`;
};

beforeAll(() => {
  requireBuilt();
  writeFileSync(at("flats.csv"), [NAMES, ...flats].join("\n"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a table with numbers to predict", () => {
  let outcome: Outcome;
  beforeAll(async () => {
    outcome = await downhill(folder, "train", "flats.csv", "--target", "price", "--out", "runs");
  }, 120_000);

  test("says what became of its columns", () => {
    expect(outcome.stderr).toBe("");
    const lines = outcome.stdout.split("\n");
    expect(lines[0]).toBe(
      "flats.csv: 432 training, 48 validation and 120 test rows; regression: price has 600 different whole numbers",
    );
    expect(lines).toContain("Left out: id is different in every row, as an identifier");
    expect(lines).toContain("Left out: agent is different in every row");
    expect(outcome.stdout).toContain(
      "4 columns (1 number, 1 one-hot category, 1 embedded category, 1 date; 1 with missing values) make 11 numbers and 1 index a row",
    );
  });

  test("learns them far better than the mean, in their own units", () => {
    const [, mae, r2] =
      /absolute error ([\d,.]+), .* R² ([\d.]+) on 120 rows/.exec(outcome.stdout)?.map(numberOf) ?? [];
    const [, mean] = /would be off by ([\d,.]+)/.exec(outcome.stdout)?.map(numberOf) ?? [];
    expect(r2).toBeGreaterThan(0.8);
    expect(mae).toBeLessThan(0.5 * (mean as number));
    expect(mean).toBeGreaterThan(50_000);
  });

  test("evaluates the held-out rows and other files, to the same numbers", async () => {
    const [, said] = /Test: mean absolute error (.*), root/.exec(outcome.stdout) ?? [];
    const own = await downhill(folder, "evaluate", runIn("runs"));
    expect(own.stderr).toBe("");
    expect(own.stdout).toContain("on 120 test rows of flats.csv");
    expect(own.stdout).toMatch(new RegExp(`^all +${said} `, "m"));
    const other = await downhill(folder, "evaluate", runIn("runs"), "flats.csv");
    expect(other.stdout).toContain("on 600 rows of flats.csv");
  }, 60_000);

  test("predicts rows without targets, with other columns, an unknown city and values that are missing", async () => {
    const model = await load(at(runIn("runs")));
    const encoding = model.table as TableEncoding;
    const rows = {
      name: "stdin",
      text: `sold,street,city,area,extra\n2020-05-01,street 3,Bonn,100,x\n,street 99,Paris,,y\n`,
    };
    const { inputs, count } = await readRows(rows, encoding);
    expect(count).toBe(2);
    const [first, second] = decodeRows(await model.outputs(inputs as never), encoding);
    const lines = { name: "stdin", text: '{"area":100,"city":"Bonn","street":"street 3","sold":"2020-05-01"}\n' };
    const again = decodeRows(await model.outputs((await readRows(lines, encoding)).inputs as never), encoding);
    expect(again[0]).toEqual(first);
    // 100 (2000 + 800 city) + 9000 + 30000, for which city 0 has 239,000.
    expect(first && "value" in first && first.value).toBeGreaterThan(150_000);
    expect(first && "value" in first && first.value).toBeLessThan(330_000);
    expect(second && "value" in second && Number.isFinite(second.value)).toBe(true);
    await model.close();
  });

  test("its full evaluation is in the target's own units", async () => {
    const model = await load(at(runIn("runs")));
    const rows = await readTestRows(at("flats.csv"), model.table as TableEncoding);
    const found = await evaluateFully(model as never, rows as never);
    if (found.kind !== "regression") throw new Error(found.kind);
    expect(found.scores.meanAbsoluteError / (found.metrics.meanAbsoluteError as number)).toBeCloseTo(1, 4);
    expect(found.worst[0]?.target[0]).toBeGreaterThan(50_000);
    await model.close();
  });

  test("resumes from an earlier checkpoint to the same weights", async () => {
    const short = ["train", "flats.csv", "--target", "price", "--epochs", "4", "--keep-last", "9", "--out", "again"];
    await downhill(folder, ...short);
    const run = runIn("again");
    const weights = (): Buffer => readFileSync(at(`${run}/model.safetensors`));
    const whole = weights();
    const checkpoints = readdirSync(at(`${run}/checkpoints`)).sort();
    expect(checkpoints).toHaveLength(5);
    for (const name of checkpoints.slice(3)) rmSync(at(`${run}/checkpoints/${name}`));
    rmSync(at(`${run}/model.safetensors`));
    const { code, stdout } = await downhill(folder, "resume", run);
    expect(stdout).toContain(`Resuming ${run} after step 28`);
    expect(code).toBe(0);
    expect(weights().equals(whole)).toBe(true);
  }, 60_000);
});

describe("a table with classes to predict", () => {
  test("iris-like flowers", async () => {
    const rows = Array.from({ length: 180 }, (_, i) => {
      const kind = i % 3;
      return [4.5 + kind + 0.8 * draw(i), 3 + draw(1000 + i), 1.5 * kind + 0.7 * draw(2000 + i), ["a", "b", "c"][kind]];
    });
    writeFileSync(at("flowers.tsv"), ["u\tv\tw\tclass", ...rows.map((row) => row.join("\t"))].join("\n"));
    const { stdout, stderr, code } = await downhill(folder, "train", "flowers.tsv", "--out", "flowers");
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toContain("130 training, 14 validation and 36 test rows; classification: class is text");
    const [, accuracy] = /Test: accuracy ([\d.]+)%/.exec(stdout)?.map(Number) ?? [];
    expect(accuracy).toBeGreaterThan(90);
    const found = await downhill(folder, "evaluate", runIn("flowers"));
    expect(found.stdout).toContain(`accuracy ${((accuracy as number) / 100).toFixed(4)} on 36 test rows`);
  }, 60_000);

  test("rows are predicted, also as JSON", async () => {
    writeFileSync(at("new.csv"), "u,v,w\n5,3.5,0.3\n7,3.5,3.3\n");
    const shown = await downhill(folder, "predict", runIn("flowers"), "new.csv");
    expect(shown.stderr).toBe("");
    expect(shown.stdout).toMatch(/^1 +a [\d.]+%\s+2 +c [\d.]+%/m);
    const { stdout } = await downhill(folder, "predict", runIn("flowers"), "new.csv", "--json");
    const found = JSON.parse(stdout.split("\n")[0] ?? "") as {
      probability: number;
      probabilities: Record<string, number>;
    };
    expect(found).toMatchObject({ row: 1, label: "a" });
    expect(Object.keys(found.probabilities)).toEqual(["a", "b", "c"]);
    expect(found.probabilities.a).toBe(found.probability);
  }, 60_000);
});

test("a file that is read while training: what is beyond its first rows is trained on too", async () => {
  const count = 100_400;
  const rows = Array.from({ length: count }, (_, i) => `${(i * 37) % 101},${(i * 37) % 101 > 50 ? "high" : "low"}`);
  writeFileSync(at("long.csv"), ["x,y", ...rows].join("\n"));
  const flags = ["--target", "y", "--stream", "--epochs", "1", "--hidden", "4", "--out", "streamed"];
  const { stdout, stderr, code } = await downhill(folder, "train", "long.csv", ...flags);
  expect([stderr, code]).toEqual(["", 0]);
  expect(stdout).toMatch(
    /^long\.csv: 72,400 training \(streamed\), 8,000 validation and 20,000 test rows; classification/,
  );
  expect(numberOf(/Test: accuracy ([\d.]+)%/.exec(stdout)?.[1] ?? "")).toBeGreaterThan(95);
  const evaluated = await downhill(folder, "evaluate", runIn("streamed"));
  expect(evaluated.stdout).toContain("on 20,000 test rows of long.csv");
  const other = await downhill(folder, "train", "mnist", "--stream", "--out", "never");
  expect(other.stderr).toContain("--stream: got it with the model");
});

describe("test rows in a file of their own", () => {
  beforeAll(() => {
    writeFileSync(at("most.csv"), [NAMES, ...flats.slice(0, 500)].join("\n"));
    // In another order of columns, as another program may write them.
    const turned = flats.slice(500).map((row) => row.split(",").reverse().join(","));
    writeFileSync(at("rest.csv"), [NAMES.split(",").reverse().join(","), ...turned].join("\n"));
  });

  const train = (...args: readonly string[]): Promise<Outcome> =>
    downhill(folder, "train", ...args, "--epochs", "2", "--hidden", "8");

  test("all others are trained on; evaluate and resume know it", async () => {
    const flags = ["--target", "price", "--test-data", "rest.csv", "--out", "apart"];
    const { code, stdout, stderr } = await train("most.csv", ...flags);
    expect([stderr, code]).toEqual(["", 0]);
    expect(stdout).toContain("most.csv: 450 training, 50 validation and 100 test rows");
    const [, said] = /Test: mean absolute error (.*), root.* on 100 rows/.exec(stdout) ?? [];
    const evaluated = await downhill(folder, "evaluate", runIn("apart"));
    expect(evaluated.stdout).toContain("on 100 test rows of rest.csv");
    expect(evaluated.stdout).toMatch(new RegExp(`^all +${said} `, "m"));
    const gone = await downhill(folder, "resume", runIn("apart"), "--epochs", "3");
    expect([gone.stderr, gone.code]).toEqual(["", 0]);
    expect(gone.stdout).toMatch(/Test: .* on 100 rows/);
    const streamed = await train("most.csv", ...flags.slice(0, 4), "--stream", "--out", "apart-streamed");
    expect(streamed.stdout).toContain("most.csv: 450 training (streamed), 50 validation and 100 test rows");
  });
});

test("Parquet in several row groups", async () => {
  const area = Array.from({ length: 200 }, (_, i) => (i * 37) % 101);
  const columnData = [
    { name: "area", data: area, type: "DOUBLE" },
    { name: "size", data: area.map((value) => (value > 50 ? "large" : "small")), type: "STRING" },
  ] as const;
  writeFileSync(
    at("rooms.parquet"),
    new Uint8Array(parquetWriteBuffer({ columnData: [...columnData], rowGroupSize: 60 })),
  );
  const flags = ["--target", "size", "--epochs", "30", "--out", "parquet"];
  const { stdout, stderr, code } = await downhill(folder, "train", "rooms.parquet", ...flags);
  expect([stderr, code]).toEqual(["", 0]);
  expect(stdout).toContain("rooms.parquet: 144 training, 16 validation and 40 test rows");
  expect(numberOf(/Test: accuracy ([\d.]+)%/.exec(stdout)?.[1] ?? "")).toBeGreaterThan(90);
});

describe("wrong input is one sentence", () => {
  beforeAll(() => {
    writeFileSync(at("short.csv"), "area,price\n30,100000\n");
    writeFileSync(at("strange.csv"), "area,city,street,sold,price\n30,Ulm,street 1,2015-01-15,dear\n");
    writeFileSync(at("two.csv"), `x,y\n${"40,high\n30,low\n".repeat(20)}`);
    writeFileSync(at("third.csv"), "x,y\n40,high\n20,middling\n");
  });

  const refused: readonly (readonly [string, readonly string[], string])[] = [
    ["no target", ["flats.csv"], "target: got none for flats.csv; expected the column to predict, one of area, city"],
    ["an unknown one", ["flats.csv", "--target", "cost"], 'target: got "cost", which flats.csv does not have'],
    [
      "a target that is left out",
      ["flats.csv", "--target", "agent"],
      "column agent is different in every row; expected",
    ],
    ["classes as numbers", ["flats.csv", "--target", "city", "--task", "regression"], "has a category as target city"],
    [
      "a column that is not there",
      ["flats.csv", "--target", "price", "--columns", "zip: category"],
      'has no column "zip"',
    ],
    ["a kind that is none", ["flats.csv", "--target", "price", "--columns", "id: text"], '--columns: got "id: text"'],
    ["another model", ["flats.csv", "--target", "price", "--model", "cnn"], "--model: got cnn for the table flats.csv"],
    ["hidden of nothing", ["flats.csv", "--hidden", "0"], '--hidden: got "0"; expected whole numbers'],
    ["a target without a table", ["mnist", "--target", "price"], "--target: got it with the model cnn"],
    ["no file", ["none.csv", "--target", "y"], "there is no file none.csv"],
    ["no test file", ["flats.csv", "--target", "price", "--test-data", "none.csv"], "there is no file none.csv"],
    ["test rows without a column", ["flats.csv", "--target", "price", "--test-data", "short.csv"], "short.csv has no"],
    [
      "a word for a number in them",
      ["flats.csv", "--target", "price", "--test-data", "strange.csv"],
      "strange.csv, row 1",
    ],
    [
      "a class of their own",
      ["two.csv", "--target", "y", "--test-data", "third.csv"],
      'third.csv, row 2 has "middling"',
    ],
    ["test rows for pictures", ["mnist", "--test-data", "two.csv"], "--test-data: got it with the model cnn"],
  ];
  test.each(refused)("%s", async (_, args, message) => {
    const { code, stdout, stderr } = await downhill(folder, "train", ...args, "--out", "never");
    expect(stderr).toContain(message);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stdout).toBe("");
    expect(code).not.toBe(0);
    expect(readdirSync(folder)).not.toContain("never");
  });

  test("a Parquet file with a length of billions, on which a decoder would not come to an end", {
    timeout: 60_000,
  }, async () => {
    copyFileSync(join(root, "golden/tables/endless.parquet"), at("endless.parquet"));
    const { code, stdout, stderr } = await downhill(
      folder,
      "train",
      "endless.parquet",
      "--target",
      "a",
      "--out",
      "never",
    );
    expect(stderr).toMatch(
      /^downhill: table: cannot read endless\.parquet as Parquet: column \w of rows \d+ to \d+ takes more than 9 seconds, so it must be damaged\.\n$/,
    );
    expect(stdout).toBe("");
    expect(code).not.toBe(0);
    expect(readdirSync(folder)).not.toContain("never");
  });

  test("profiling a table", async () => {
    const { code, stderr } = await downhill(folder, "profile", "flats.csv");
    expect(stderr).toContain("profile: got the table flats.csv; expected a model of pictures or texts");
    expect(code).not.toBe(0);
  });

  test("predicting: a column that is missing, and one of another type", async () => {
    const model = await load(at(runIn("runs")));
    const encoding = model.table as TableEncoding;
    const rows = (text: string) => readRows({ name: "new.csv", text }, encoding);
    await expect(rows("area,city,street\n1,Bonn,s\n")).rejects.toThrow(
      'table: new.csv has no column "sold"; it has area, city, street.',
    );
    await expect(rows("area,city,street,sold\nbig,Bonn,s,2020-01-01\n")).rejects.toThrow(
      'table: new.csv, row 1 has "big" in column area; expected a number.',
    );
    await model.close();
  });
});
