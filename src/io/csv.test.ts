import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DataError } from "../core/errors.ts";
import { decodeCifar } from "./cifar.ts";
import { CsvReader, decodeCsv } from "./csv.ts";

const quoted = (field: string): string => (/[",;\t\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field);

describe("CSV", () => {
  test.each([
    ["a,b\n1,2\n", [["1", "2"]]],
    ["a,b\r\n1,2", [["1", "2"]]],
    ['\uFEFFa;b\n"x;y";"he said ""no"""\n', [["x;y", 'he said "no"']]],
    ["a\tb\n1,5\t\n\n", [["1,5", ""]]],
    ['a,b\n"two\nlines",\r\n', [["two\nlines", ""]]],
    ["one\n1\n\n2\n", [["1"], ["2"]]],
  ])("%j", (text, rows) => {
    expect(decodeCsv(text).rows).toEqual(rows);
    expect(decodeCsv(new TextEncoder().encode(text)).rows).toEqual(rows);
  });

  test("any table comes back, in any chunks", () => {
    const field = fc.string({ maxLength: 6, unit: fc.constantFrom("a", "ü", '"', ",", "\n", "\r", " ", "1") });
    const table = fc.tuple(fc.integer({ min: 2, max: 4 }), fc.nat(5)).chain(([width, height]) =>
      fc.array(fc.array(field, { minLength: width, maxLength: width }), {
        minLength: height + 1,
        maxLength: height + 1,
      }),
    );
    fc.assert(
      fc.property(table, fc.constantFrom("\n", "\r\n"), fc.nat(7), (rows, end, step) => {
        const text = rows.map((row) => row.map(quoted).join(",")).join(end);
        const reader = new CsvReader("x", { delimiter: "," });
        const found: string[][] = [];
        for (let at = 0; at < text.length; at += step + 1) found.push(...reader.push(text.slice(at, at + step + 1)));
        found.push(...reader.end());
        expect(found).toEqual(rows);
      }),
    );
  });

  test.each([
    ["a,b\n1,2\n3\n", "csv: t.csv, line 3 has 1 fields; expected 2, as in the first line.", "t.csv, line 3, byte 8"],
    ['a,b\nü,"x', "csv: t.csv, line 2 has a quote that is never closed.", "t.csv, line 2, byte 4"],
    ['a,b\n1,x"y"\n', "csv: t.csv, line 2 has a quote inside a field", "t.csv, line 2, byte 4"],
    ['a,b\n1,"x"y\n', 'csv: t.csv, line 2 goes on with "y" after a quoted field', "t.csv, line 2, byte 4"],
    ["", "csv: t.csv has no line", "t.csv, line 1, byte 0"],
  ])("%j is refused, with line and byte", (text, message, where) => {
    let error: unknown;
    try {
      decodeCsv(text, "t.csv");
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(DataError);
    expect((error as DataError).message).toContain(message);
    expect((error as DataError).where).toBe(where);
  });

  test("bounds on fields and columns hold", () => {
    expect(() => decodeCsv("aaaa,b\n", "t", { maxField: 3 })).toThrow("a field of 4 characters; expected at most 3");
    expect(() => decodeCsv("a,b,c\n", "t", { maxColumns: 2 })).toThrow("more than 2 fields");
  });
});

describe("CIFAR", () => {
  test("pictures and labels of both kinds", () => {
    const ten = Uint8Array.from({ length: 2 * 3073 }, (_, i) => (i % 3073 === 0 ? 3 + i / 3073 : i % 256));
    const { images, labels, coarse } = decodeCifar(ten, "cifar10");
    expect([images.shape, Array.from(labels.data), coarse]).toEqual([[2, 3, 32, 32], [3, 4], undefined]);
    expect(images.data[0]).toBe(1);
    expect(images.data[3072]).toBe(ten[3074]);
    const hundred = new Uint8Array(3074);
    hundred.set([19, 99]);
    const fine = decodeCifar(hundred, "cifar100");
    expect([Array.from(fine.labels.data), Array.from(fine.coarse?.data ?? [])]).toEqual([[99], [19]]);
  });

  test("a file that is cut off, empty or of the other kind, and a label out of range", () => {
    for (const length of [0, 3072, 3074, 5000])
      expect(() => decodeCifar(new Uint8Array(length), "cifar10", "b")).toThrow(
        expect.objectContaining({ where: expect.stringMatching(/^b, byte \d+$/) }),
      );
    const wrong = new Uint8Array(2 * 3073);
    wrong[3073] = 10;
    expect(() => decodeCifar(wrong, "cifar10", "b")).toThrow("b has the label 10 for picture 1; expected 0 to 9.");
  });
});
