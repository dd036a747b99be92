import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { printable, wrapText } from "./text-format.ts";

describe("printable", () => {
  test("a dot for what moves the cursor, hides or reorders text, and for bytes that are no text", () => {
    expect(printable("a\x1b[31mb\x07\r\nc\td\u202ee\u200bf\u009bg\ufffdh\rz")).toBe("a·[31mb·\nc  d·e·f·g\ufffdh·z");
  });
  test("leaves letters of all scripts and emoji", () => {
    expect(printable("naïve 日本語 ‘quoted’ — 🙂")).toBe("naïve 日本語 ‘quoted’ — 🙂");
  });
});

describe("wrapText", () => {
  test("breaks at spaces, and where there are none, anywhere", () => {
    expect(wrapText("the quick brown fox", 12, "  ")).toEqual(["  the quick", "  brown fox"]);
    expect(wrapText("abcdefghij kl", 6, "  ")).toEqual(["  abcd", "  efgh", "  ij", "  kl"]);
  });
  test("keeps lines and leaves no spaces at their ends", () => {
    expect(wrapText("one  \n\ntwo", 20, " ")).toEqual([" one", "", " two"]);
  });
  test("wide characters take two columns, marks none", () => {
    expect(wrapText("日本語日本語", 7, " ")).toEqual([" 日本語", " 日本語"]);
    expect(wrapText("e\u0301e\u0301e\u0301", 3, "")).toEqual(["e\u0301e\u0301e\u0301"]);
  });
  test("loses no letter and passes no column", () => {
    void fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom("a", "bc", " ", "\n", "long") }),
        fc.integer({ min: 3, max: 12 }),
        (text, columns) => {
          const lines = wrapText(text, columns, " ");
          for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
          expect(lines.join("").replaceAll(/\s/g, "")).toBe(text.replaceAll(/\s/g, ""));
        },
      ),
    );
  });
});
