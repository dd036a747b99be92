import { describe, expect, test } from "vitest";
import { DataError, OptionError } from "../../core/errors.ts";
import { type ColumnKinds, parseColumns } from "./column.ts";
import { CsvTableReader, readCsvTable, TableReader } from "./table-reader.ts";

const column = (cells: readonly unknown[], kind?: ColumnKinds[string]) => {
  const reader = new TableReader(["x"], { name: "t.csv", ...(kind === undefined ? {} : { columns: { x: kind } }) });
  for (const cell of cells) reader.add([cell]);
  const { columns, dropped, notes } = reader.finish();
  return { column: columns[0], reason: dropped[0]?.reason, note: notes[0] };
};
const repeated = (texts: readonly string[], rows: number) =>
  Array.from({ length: rows }, (_, i) => texts[i % texts.length]);

describe("a column's type comes from all its rows", () => {
  test("numbers, with what is missing as NaN", () => {
    expect(column(["1", " 2.5 ", "", "NA", "-3e2", "?", ".5"]).column).toEqual({
      kind: "number",
      name: "x",
      integer: false,
      values: Float64Array.of(1, 2.5, Number.NaN, Number.NaN, -300, Number.NaN, 0.5),
    });
    expect(column(["3", "null", "-7"]).column).toMatchObject({ kind: "number", integer: true });
  });

  test("booleans, by whatever words", () => {
    expect(column(["True", "false", "TRUE", ""]).column).toEqual({
      kind: "boolean",
      name: "x",
      levels: ["false", "true"],
      values: Float64Array.of(1, 0, 1, Number.NaN),
    });
    expect(column([true, false, null]).column).toMatchObject({ kind: "boolean", levels: ["false", "true"] });
    expect(column(["1", "0", "yes"], "boolean").column).toMatchObject({ values: Float64Array.of(1, 0, 1) });
  });

  test("categories in the order of their letters, numbers among them as texts", () => {
    expect(column(["b", "a", "", "b", "10"]).column).toEqual({
      kind: "category",
      name: "x",
      levels: ["10", "a", "b"],
      codes: Int32Array.of(2, 1, -1, 2, 0),
    });
    expect(column(["10", "9", "010"], "category").column).toMatchObject({ levels: ["9", "010", "10"] });
  });

  test("dates of ISO 8601 in UTC, and days with points", () => {
    const { column: found } = column(["2024-02-29", "2024-02-29T12:30:15.5Z", "29.02.2024", "2024-02-29 01:00+02:00"]);
    const day = Date.UTC(2024, 1, 29);
    expect(found).toEqual({
      kind: "date",
      name: "x",
      order: "iso",
      values: Float64Array.of(day, day + 45_015_500, day, day - 3_600_000),
    });
    expect(column([new Date(day), null]).column).toMatchObject({ values: Float64Array.of(day, Number.NaN) });
  });

  test("a day that does not exist, and slashes without an order, are no dates", () => {
    expect(column(["2023-02-29", "2024-02-29"]).column?.kind).toBe("category");
    expect(column(["03/04/2024", "31/12/2024"]).column?.kind).toBe("category");
    expect(column(["03/04/2024"], "date d/m/y").column).toMatchObject({
      values: Float64Array.of(Date.UTC(2024, 3, 3)),
    });
    expect(column(["03/04/2024"], "date m/d/y").column).toMatchObject({
      values: Float64Array.of(Date.UTC(2024, 2, 4)),
    });
  });

  test.each(["0x1f", "0b1", "Infinity", "1,5", "1e", "--1"])("%s is no number", (text) => {
    expect(column(["1", text]).column?.kind).toBe("category");
  });

  test.each(["0", "00", "0e5", "-0", "+1.5", "2.", "0.10"])("%s is a number", (text) => {
    expect(column(["1", text]).column?.kind).toBe("number");
  });
});

describe("what tells nothing is left out, with the reason", () => {
  const names = (rows: number) => Array.from({ length: rows }, (_, i) => `name ${i}`);
  test.each<[string, readonly unknown[], string]>([
    ["the same number", ["4", "4", "4"], "is 4 in every row"],
    ["the same text", ["a", "a"], 'is "a" in every row'],
    ["nothing", ["", "NA", null], "has no values"],
    ["names", names(40), "is different in every row"],
    ["nearly all different", [...names(30), ...names(5)], "is text: 30 different values in 35 rows"],
    ["too many texts", [...names(10_001), ...names(10_001)], "is text: more than 10,000 different values"],
  ])("%s", (_, cells, reason) => {
    expect(column(cells)).toEqual({ column: undefined, reason, note: undefined });
  });

  test.each(["customer_id", "PassengerId", "ID", "", "Unnamed: 0", "row"])("an identifier called %j", (name) => {
    const reader = new TableReader([name, "area", "paid"], {});
    for (let i = 0; i < 40; i++) reader.add([i * i + 7, i * i + 7, i]);
    const { columns, dropped } = reader.finish();
    expect(dropped.map(({ reason }) => reason)).toEqual(["is different in every row, as an identifier"]);
    expect(columns.map((each) => each.name)).toEqual(["area", "paid"]);
  });
});

describe("a column that changes its type", () => {
  test("in row one million, is one error with file, row, column and value", () => {
    const reader = new CsvTableReader({ name: "big.csv" });
    reader.push("age,zip\n");
    const rows = "42,x\n17,y\n".repeat(499_999);
    for (let at = 0; at < rows.length; at += 65_536) reader.push(rows.slice(at, at + 65_536));
    reader.push("8,x\nabc,y\n9,z\n");
    let caught: unknown;
    try {
      reader.finish();
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(DataError);
    expect((caught as DataError).message).toBe(
      'table: big.csv, row 1000000 has "abc" in column age; expected a number, as 1,000,000 others of it. Hint: say what it is: "age: number" counts such values as missing; "age: category" and "age: ignore" are the other ways.',
    );
    expect((caught as DataError).where).toBe("big.csv, row 1000000, column age");
  });

  test("is taken as said", () => {
    const cells = [...repeated(["1", "2"], 99), "abc"];
    expect(() => column(cells)).toThrow('t.csv, row 100 has "abc" in column x; expected a number');
    const numbers = column(cells, "number");
    expect(numbers.note).toBe('x: 1 value that is not a number counts as missing; the first is "abc" in row 100');
    expect(numbers.column).toMatchObject({ kind: "number", integer: true });
    expect(numbers.column?.kind === "number" && numbers.column.values.slice(97)).toEqual(
      Float64Array.of(2, 1, Number.NaN),
    );
    expect(column(cells, "category").column).toMatchObject({ levels: ["1", "2", "abc"] });
  });

  test("also from dates, and where numbers with decimals are many", () => {
    expect(() => column([...repeated(["2024-01-01", "2024-01-02"], 30), "soon"])).toThrow(
      'row 31 has "soon" in column x; expected a date, as 30 others',
    );
    const many = Array.from({ length: 1500 }, (_, i) => `${i}.5`);
    expect(() => column([...many, ...repeated(["abc"], 1500)])).toThrow('row 1501 has "abc"');
  });

  test("codes of digits and letters are categories, if there are enough of both", () => {
    expect(column(repeated(["12", "2A", "2B"], 60)).column).toMatchObject({
      kind: "category",
      levels: ["12", "2A", "2B"],
    });
  });
});

describe("files", () => {
  test("semicolons bring the decimal comma, and a byte order mark goes", () => {
    const { columns } = readCsvTable("\uFEFFa;b\n1,5;x\n-2,25;y\n");
    expect(columns[0]).toMatchObject({ name: "a", kind: "number", values: Float64Array.of(1.5, -2.25) });
    expect(readCsvTable('a,b\n"1,5",x\n2,y\n').columns[0]?.kind).toBe("category");
  });

  test.each<[string, string]>([
    ["", "table: t.csv is empty"],
    ["a,b\n", "table: t.csv has no rows"],
    ["a,a\n1,2\n", 'table: t.csv has two columns "a"'],
    ["1,2\n3,4\n", "table: t.csv begins with the numbers 1, 2; expected a line with the names of its columns."],
    ["a,b\n1\n", "t.csv, line 2 has 1 fields; expected 2"],
  ])("%j is refused", (text, message) => {
    expect(() => readCsvTable(text, { name: "t.csv" })).toThrow(message);
  });

  test("a kind of a column that is not there", () => {
    expect(() => readCsvTable("a,b\n1,2\n", { columns: { c: "number" } })).toThrow(
      new OptionError('table: table has no column "c"; it has a, b.', "c"),
    );
  });

  test("lists and objects in cells", () => {
    expect(() => column([[1, 2]])).toThrow("t.csv, row 1 has a list in column x; expected a number, a text");
  });
});

test("parseColumns", () => {
  expect(parseColumns("age: number, zip:category, when: date d/m/y, id: ignore, a:b: integer")).toEqual({
    age: "number",
    zip: "category",
    when: "date d/m/y",
    id: "ignore",
    "a:b": "number",
  });
  expect(() => parseColumns("age number")).toThrow(OptionError);
  expect(() => parseColumns("age: float")).toThrow(
    'columns: got "age: float"; expected a column, a colon and one of number,',
  );
});
