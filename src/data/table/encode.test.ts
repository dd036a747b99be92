import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { DataError } from "../../core/errors.ts";
import { HostArray } from "../../core/host-array.ts";
import { decodeRows } from "./decode.ts";
import { encodeInputs, encodeTargets } from "./encode.ts";
import { kindsOf, learnEncoding, type TableEncoding } from "./encoding.ts";
import { readTableEncoding } from "./read-encoding.ts";
import { readCsvTable } from "./table-reader.ts";

type Golden = {
  readonly csv: string;
  readonly training: number;
  readonly names: readonly string[];
  readonly numbers: readonly (readonly number[])[];
  readonly categories: readonly number[];
  readonly levels: number;
  readonly medians: Readonly<Record<string, number>>;
  readonly target: { readonly mean: number; readonly std: number };
  readonly targets: readonly number[];
};
const golden = JSON.parse(
  readFileSync(new URL("../../../golden/tables/tables.json", import.meta.url), "utf8"),
) as Golden;

const upTo = (count: number): Int32Array => Int32Array.from({ length: count }, (_, row) => row);
const table = readCsvTable(golden.csv);
const all = upTo(table.rows);
const encoding = learnEncoding(table, upTo(golden.training), { target: "price", task: "regression" });

describe("pandas and NumPy", () => {
  const inputs = encodeInputs(table, encoding, all) as { readonly numbers: HostArray; readonly categories: HostArray };

  test.each(golden.names.map((name, column) => [name, column] as const))("%s", (_, column) => {
    const width = golden.names.length;
    expect(inputs.numbers.shape).toEqual([80, width]);
    golden.numbers.forEach((row, i) => {
      const wanted = row[column] as number;
      // One rounding to f32.
      const error = Math.abs((inputs.numbers.data[i * width + column] as number) - wanted);
      expect(error, `row ${i}`).toBeLessThanOrEqual(2 ** -23 * Math.max(1, Math.abs(wanted)));
    });
  });

  test("indices of an embedded category", () => {
    expect(inputs.categories).toEqual(new HostArray("i32", [80, 1], Int32Array.from(golden.categories)));
    expect(golden.levels).toBe(2 + Math.max(...golden.categories) - 1);
  });

  test("targets, and back", () => {
    const targets = encodeTargets(table, encoding, all);
    expect(targets.shape).toEqual([80, 1]);
    golden.targets.forEach((value, i) => {
      expect(targets.data[i]).toBeCloseTo(value, 6);
    });
    const [first] = decodeRows(targets, encoding);
    const price = Number(golden.csv.split("\n")[1]?.split(",").at(-1));
    expect(first && "value" in first && first.value / price).toBeCloseTo(1, 6);
  });

  test("medians in place of means", () => {
    const { columns } = learnEncoding(table, upTo(golden.training), {
      target: "price",
      task: "regression",
      fill: "median",
    });
    for (const column of columns) if (column.kind === "number") expect(column.fill).toBe(golden.medians[column.name]);
  });
});

test("what is learned does not depend on rows that are not trained on", () => {
  const lines = golden.csv.trim().split("\n");
  const other = [
    ...lines.slice(0, golden.training + 1),
    "9999,99,no,Berlin,street 99,1990-01-01,2030-01-01T00:00:00,1",
  ];
  const changed = readCsvTable(other.join("\n"), { columns: { street: "category" } });
  expect(learnEncoding(changed, upTo(golden.training), { target: "price", task: "regression" })).toEqual(encoding);
});

test("a saved encoding reads other rows to the same numbers, by name and whatever their order", () => {
  const saved = readTableEncoding(JSON.parse(JSON.stringify(encoding)), "model");
  expect(saved).toEqual(encoding);
  const lines = golden.csv
    .trim()
    .split("\n")
    .map((line) => line.split(",").toReversed().join(","));
  const again = readCsvTable(lines.join("\n"), { columns: kindsOf(saved, false), strict: true });
  expect(again.columns.map(({ name }) => name)).not.toContain("price");
  expect(encodeInputs(again, saved, all)).toEqual(encodeInputs(table, encoding, all));
});

describe("values that training never saw", () => {
  const small = readCsvTable("a,b,y\n1,u,no\n2,v,yes\n3,u,no\n4,v,yes\n");
  const learned = learnEncoding(small, upTo(4), { target: "y", task: "classification" });
  const read = (text: string) => readCsvTable(text, { name: "new.csv", columns: kindsOf(learned, true), strict: true });

  test("a category is no level at all, a number is the mean", () => {
    const rows = read("a,b,y\n,w,no\n");
    const inputs = encodeInputs(rows, learned, upTo(1)) as HostArray;
    expect(Array.from(inputs.data)).toEqual([0, 0, 0]);
  });

  test("a class is an error with its row", () => {
    const rows = read("a,b,y\n1,u,yes\n2,u,no\n");
    expect(encodeTargets(rows, learned, upTo(2)).data).toEqual(Int32Array.of(1, 0));
    const classes: TableEncoding = {
      ...learned,
      target: { task: "classification", name: "b", kind: "category", classes: ["v"] },
    };
    expect(() => encodeTargets(rows, classes, upTo(2))).toThrow(
      new DataError(
        'table: new.csv, row 1 has "u" in the target b; expected v, the classes of training.',
        "new.csv, row 1, column b",
      ),
    );
  });
});

test("a number whose values are all the same in training, and one of large mean", () => {
  const flat = readCsvTable("a,b,y\n5,1000000001,1.5\n5,1000000002,2.5\n6,1000000003,3.5\n");
  const learned = learnEncoding(flat, upTo(2), { target: "y", task: "regression" });
  expect(learned.columns[0]).toMatchObject({ mean: 5, std: 1 });
  expect(learned.columns[1]).toMatchObject({ mean: 1000000001.5, std: 0.5 });
  const inputs = encodeInputs(flat, learned, upTo(3)) as HostArray;
  expect(Array.from(inputs.data)).toEqual([0, -1, 0, 1, 1, 3]);
});

describe("a damaged encoding", () => {
  const change = (edit: (value: { columns: Record<string, unknown>[]; target: Record<string, unknown> }) => void) => {
    const value = JSON.parse(JSON.stringify(encoding)) as Parameters<typeof edit>[0];
    edit(value);
    return () => readTableEncoding(value, "m.safetensors");
  };
  const column = (at: number) => `table: m.safetensors has a damaged column ${at} in the encoding of its table.`;
  const target = "table: m.safetensors has a damaged target in the encoding of its table.";

  test.each<[string, () => unknown, string]>([
    ["no object", () => readTableEncoding(3, "m.safetensors"), column(0)],
    ["no columns", change((e) => e.columns.splice(0)), target],
    ["a deviation of 0", change((e) => Object.assign(e.columns[0] ?? {}, { std: 0 })), column(0)],
    ["another kind", change((e) => Object.assign(e.columns[1] ?? {}, { kind: "toString" })), column(1)],
    ["levels that are no texts", change((e) => Object.assign(e.columns[3] ?? {}, { levels: [1] })), column(3)],
    ["no mean of the target", change((e) => delete e.target.mean), target],
    ["another task", change((e) => Object.assign(e.target, { task: "ranking" })), target],
  ])("%s", (_, read, message) => {
    expect(read).toThrow(new DataError(message, "m.safetensors"));
  });
});

test("decodeRows gives classes with probabilities, and refuses other outputs", () => {
  const classes: TableEncoding = {
    columns: [],
    target: { task: "classification", name: "y", kind: "category", classes: ["a", "b"] },
  };
  const [row] = decodeRows(new HostArray("f32", [1, 2], Float32Array.of(0, Math.log(3))), classes);
  expect(row).toMatchObject({ label: "b" });
  expect(row && "probability" in row && row.probability).toBeCloseTo(0.75, 6);
  expect(() => decodeRows(new HostArray("f32", [1, 3], new Float32Array(3)), classes)).toThrow("expected f32[N,2]");
});
