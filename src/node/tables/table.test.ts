import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DataError } from "../../core/errors.ts";
import { array } from "../../core/host-array.ts";
import { encodeNpy } from "../../io/npy.ts";
import { encodeNpz } from "../../io/npz.ts";
import { readTableFile } from "./read-file.ts";
import { table } from "./table.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "downhill-tables-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const ROWS = Array.from({ length: 60 }, (_, i) => ({
  area: 20.5 + ((i * 37) % 60),
  rooms: 1 + (i % 4),
  garden: i % 3 === 0,
  city: ["Bonn", "Köln", "Ulm"][i % 3] as string,
  sold: new Date(Date.UTC(2024, i % 12, 1 + (i % 28))),
  price: 100.5 + ((i * 37) % 60) * 2 + (i % 4) * 10,
}));
const day = (at: Date): string => at.toISOString().slice(0, 10);
const csv = [
  "area,rooms,garden,city,sold,price",
  ...ROWS.map((row) => [row.area, row.rooms, row.garden, row.city, day(row.sold), row.price].join(",")),
].join("\n");

describe("the same rows in each kind of file give the same examples", () => {
  const kinds: readonly (readonly [string, () => string | Uint8Array])[] = [
    ["a.csv.gz", () => gzipSync(csv)],
    ["a.tsv", () => csv.replaceAll(",", "\t")],
    ["a.jsonl", () => ROWS.map((row) => JSON.stringify({ ...row, sold: day(row.sold) })).join("\n")],
    [
      "a.parquet",
      () =>
        new Uint8Array(
          parquetWriteBuffer({
            columnData: (["area", "rooms", "garden", "city", "sold", "price"] as const).map((name) => ({
              name,
              data: ROWS.map((row) => row[name]),
            })),
            rowGroupSize: 25,
          }),
        ),
    ],
  ];
  test.each(kinds)("%s", async (name, content) => {
    const wanted = await table(file("a.csv", csv), { target: "price" });
    const found = await table(file(name, content()), { target: "price" });
    expect(found.encoding).toEqual(wanted.encoding);
    expect(found.train.inputs).toEqual(wanted.train.inputs);
    expect(found.test?.targets).toEqual(wanted.test?.targets);
    expect(wanted.encoding.columns.map(({ kind }) => kind)).toEqual([
      "number",
      "number",
      "boolean",
      "category",
      "date",
    ]);
  });
});

describe("NumPy's arrays", () => {
  const x = array(Array.from({ length: 40 }, (_, i) => [i * 1.5, (i * 7) % 40]));
  const y = array(
    Array.from({ length: 40 }, (_, i) => i % 2),
    [40],
    "i32",
  );

  test("x and y in a .npz, or in two .npy", async () => {
    const together = await table(file("xy.npz", await encodeNpz({ x, y })));
    const apart = await table(file("x.npy", encodeNpy(x)), { target: file("y.npy", encodeNpy(y)) });
    expect(together.card.task).toBe("classification: y has 2 different whole numbers");
    expect(together.encoding.columns.map(({ name }) => name)).toEqual(["x0", "x1"]);
    expect(apart.train.inputs).toEqual(together.train.inputs);
    expect(apart.train.targets).toEqual(together.train.targets);
  });

  test("what is for the end stays at the end", async () => {
    const data = await table(file("split.npz", await encodeNpz({ x_train: x, y_train: y, x_test: x, y_test: y })), {
      validation: 0,
    });
    expect(data.train.inputs).toMatchObject({ shape: [40, 2] });
    expect(data.test?.inputs).toEqual(data.train.inputs);
    expect(data.test?.targets.data).toEqual(y.data);
  });

  test("other arrays, other lengths and a lone .npy are refused by name", async () => {
    await expect(table(file("a.npz", await encodeNpz({ u: x })))).rejects.toThrow("has the arrays u; expected x and y");
    const short = array([1, 2], [2], "i32");
    await expect(table(file("b.npz", await encodeNpz({ x, y: short })))).rejects.toThrow(
      "has inputs f32[40,2] and targets i32[2]; expected one target for each row",
    );
    const pictures = array(new Uint8Array(16), [4, 2, 2]);
    await expect(
      table(file("p.npz", await encodeNpz({ x: pictures, y: array([0, 1, 0, 1], [4], "i32") }))),
    ).rejects.toThrow(
      "has inputs u8[4,2,2]; expected [N, K] or [N], rows of numbers. Hint: pictures are trained on by an image classifier",
    );
    await expect(table(file("c.npy", encodeNpy(x)))).rejects.toThrow("alone; expected its targets too");
  });
});

describe("bad files", () => {
  const refused: readonly (readonly [string, string | Uint8Array, string])[] = [
    ["empty.csv", "", "is empty"],
    ["latin.csv", Uint8Array.of(97, 44, 98, 10, 0xe4, 44, 49, 10), "is not UTF-8 after byte 0"],
    ["cut.csv.gz", gzipSync(csv).subarray(0, 60), "cannot read"],
    ["text.parquet", "PAR1 but no more PAR1", "cannot read"],
    ["bad.jsonl", '{"a": 1}\n{"a": \n', "line 2 is no JSON"],
    ["list.jsonl", "[1, 2]\n", "line 1 is no object"],
  ];
  test.each(refused)("%s", async (name, content, message) => {
    const path = file(name, content);
    const reading = readTableFile(path);
    await expect(reading).rejects.toThrow(DataError);
    await expect(reading).rejects.toThrow(message);
    await expect(reading).rejects.toThrow(path);
  });

  test("one that is not there, and a folder", async () => {
    await expect(readTableFile(join(folder, "none.csv"))).rejects.toThrow("there is no file");
    await expect(readTableFile(folder)).rejects.toThrow("is a folder");
  });

  test("lists in a Parquet file, unless they are left out", async () => {
    const bytes = parquetWriteBuffer({
      columnData: [
        { name: "a", data: [1, 2, 3] },
        { name: "b", data: [{ c: 1 }, { c: 2 }, { c: 3 }], type: "JSON" },
      ],
    });
    const path = file("list.parquet", new Uint8Array(bytes));
    await expect(readTableFile(path)).rejects.toThrow("row 1 has an object in column b");
    expect((await readTableFile(path, { columns: { b: "ignore" } })).columns.map(({ name }) => name)).toEqual(["a"]);
  });
});
