import { describe, expect, test } from "vitest";
import { DataError, OptionError } from "../../core/errors.ts";
import type { HostArray } from "../../core/host-array.ts";
import { tableData } from "./table-data.ts";
import { readCsvTable } from "./table-reader.ts";

/** 100 rows: a number that counts in jumps, and a class that a quarter has. */
const rows = Array.from({ length: 100 }, (_, i) => `${i * 3},${i % 4 === 0 ? "rare" : "common"},${i * 0.5}`);
const table = readCsvTable(["n,kind,value", ...rows].join("\n"), { name: "t.csv" });

describe("splits", () => {
  const { train, validation, test: held, encoding } = tableData(table, { target: "kind" });
  const parts = [train, validation, held].map((part) => part as NonNullable<typeof part>);

  test("every row is in one part, and classes have the same share in each", () => {
    const column = encoding.columns[0];
    if (column?.kind !== "number") throw new Error(column?.kind);
    const values = parts.map(({ inputs }) => {
      const { data, shape } = inputs as HostArray;
      return Array.from({ length: shape[0] as number }, (_, i) =>
        Math.round((data[i * 2] as number) * column.std + column.mean),
      );
    });
    expect(values.map(({ length }) => length)).toEqual([72, 8, 20]);
    expect(values.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => 3 * i));
    const shares = parts.map(({ targets }) => Array.from(targets.data).reduce((sum, label) => sum + label, 0));
    // "rare" is class 1: a quarter of each.
    expect(shares).toEqual([18, 2, 5]);
    expect(train.classes).toEqual(["common", "rare"]);
  });

  test("the seed alone decides", () => {
    const again = tableData(table, { target: "kind" });
    expect(again.test?.inputs).toEqual(held?.inputs);
    expect(tableData(table, { target: "kind", splitSeed: 1 }).test?.inputs).not.toEqual(held?.inputs);
  });

  test("nothing is held out where nothing is wanted", () => {
    const whole = tableData(table, { target: "kind", validation: 0, test: 0 });
    expect(whole.train.targets.shape).toEqual([100]);
    expect(whole.validation).toBeUndefined();
    expect(whole.test).toBeUndefined();
  });

  test("rows from one on are for the end", () => {
    const { test: last, train: first } = tableData(table, { target: "value", testFrom: 95, validation: 0 });
    expect(first.targets.shape).toEqual([95, 1]);
    expect(last?.targets.shape).toEqual([5, 1]);
    expect(Math.min(...(last?.targets.data ?? []))).toBeGreaterThan(Math.max(...first.targets.data));
  });
});

describe("the task", () => {
  const taskOf = (values: readonly (string | number)[], task?: "classification" | "regression") => {
    const lines = values.map((value, i) => `${(i * 7) % 50},${value}`);
    const read = readCsvTable(["x,target", ...lines].join("\n"), { name: "t.csv" });
    return tableData(read, task === undefined ? {} : { task });
  };
  const repeat = (list: readonly (string | number)[], count = 60) =>
    Array.from({ length: count }, (_, i) => list[i % list.length] as string | number);

  test.each<[string, readonly (string | number)[], string]>([
    ["texts", repeat(["a", "b"]), "classification: target is text"],
    ["yes and no", repeat(["no", "yes"]), "classification: target is no or yes"],
    ["few whole numbers", repeat([3, 4, 5]), "classification: target has 3 different whole numbers"],
    ["decimals", repeat([3, 4, 5.5]), "regression: target has numbers with decimals"],
    [
      "many whole numbers",
      repeat(
        Array.from({ length: 21 }, (_, i) => i * i),
        210,
      ),
      "regression: target has 21 different whole numbers",
    ],
    [
      "few rows of each",
      repeat(
        Array.from({ length: 20 }, (_, i) => i * i),
        60,
      ),
      "regression: target has 20 different whole numbers",
    ],
  ])("of %s", (_, values, why) => {
    expect(taskOf(values).card.task).toBe(why);
  });

  test("is what is said", () => {
    const { encoding, train } = taskOf(repeat([3, 4, 5]), "regression");
    expect(encoding.target).toMatchObject({ task: "regression", mean: expect.closeTo(4, 0) });
    expect(train.targets.dtype).toBe("f32");
    expect(taskOf(repeat([3.5, 4.5]), "classification").train.classes).toEqual(["3.5", "4.5"]);
  });

  test("classes of numbers stand in the order of their values", () => {
    expect(taskOf(repeat([10, 9, 100])).train.classes).toEqual(["9", "10", "100"]);
  });

  test("rows without a target are left out", () => {
    const { card, train, validation, test: held } = taskOf(repeat(["a", "b", ""]));
    expect(card.withoutTarget).toBe(20);
    const counts = [train, validation, held].map((part) => part?.targets.shape[0] ?? 0);
    expect(counts.reduce((a, b) => a + b)).toBe(40);
  });
});

describe("what cannot be predicted is refused by name", () => {
  const refused = (csv: string, options: Parameters<typeof tableData>[1]) => () =>
    tableData(readCsvTable(csv, { name: "t.csv" }), options);
  const csv = "a,b,c,d\n1,x,same,2024-01-01\n2,y,same,2024-01-02\n4,x,same,2024-01-03\n";

  test.each<[string, () => unknown, string]>([
    ["no target", refused(csv, {}), "target: got none for t.csv; expected the column to predict, one of a, b, d."],
    [
      "an unknown one",
      refused(csv, { target: "z" }),
      'target: got "z", which t.csv does not have; expected one of a, b, d.',
    ],
    [
      "one that never changes",
      refused(csv, { target: "c" }),
      'target: t.csv: column c is "same" in every row; expected',
    ],
    ["dates", refused(csv, { target: "d" }), "target: t.csv has dates in d; expected classes or numbers."],
    [
      "texts as numbers",
      refused(csv, { target: "b", task: "regression" }),
      "has a category as target b; expected numbers",
    ],
    ["too much held out", refused(csv, { target: "b", test: 5 }), "table: got test 5 of t.csv's 3 samples"],
    [
      "nothing to look at",
      refused("y,z\n1.5,k\n2,k\n3,k\n4,k\n", { target: "y", validation: 0 }),
      'nothing to predict y from: z is "k" in every row',
    ],
    [
      "a class for every row",
      refused(`n,y\n${Array.from({ length: 40 }, (_, i) => `${i % 5},${i}.5`).join("\n")}`, {
        target: "y",
        task: "classification",
      }),
      "has 40 classes in 40 rows of the target y; expected classes that come again",
    ],
  ])("%s", (_, work, message) => {
    expect(work).toThrow(message);
    try {
      work();
    } catch (error) {
      expect(error instanceof DataError || error instanceof OptionError).toBe(true);
    }
  });
});
