import { describe, expect, test } from "vitest";
import { DataError } from "../core/errors.ts";
import { decodeLabelledRows, type LabelledRowsForm } from "./labelled-rows.ts";

const iris: LabelledRowsForm = { features: 2, classes: 3, counted: true, dtype: "f32" };
const digits: LabelledRowsForm = { features: 2, classes: 10, counted: false, dtype: "u8" };

describe("rows with a label", () => {
  test("with a line of counts, as f32", () => {
    const { inputs, labels } = decodeLabelledRows(
      "3,2,a,b,c\n5.1,3.5,0\n-1e-2,0,2\r\n7,.5,1\n".replace(".5,1", "0.5,1"),
      iris,
    );
    expect(inputs.aval).toEqual({ dtype: "f32", shape: [3, 2] });
    expect([...inputs.data]).toEqual([5.1, 3.5, -0.01, 0, 7, 0.5].map(Math.fround));
    expect([...labels.data]).toEqual([0, 2, 1]);
  });

  test("without one, as u8", () => {
    const { inputs, labels } = decodeLabelledRows(new TextEncoder().encode("0,16,9\n255,3,0"), digits);
    expect(inputs.dtype).toBe("u8");
    expect([...inputs.data]).toEqual([0, 16, 255, 3]);
    expect([...labels.data]).toEqual([9, 0]);
  });

  test.each([
    ["3,2\n1,2,0\n", iris, "rows: x.csv, line 1 claims 3 rows of 2 features; expected 1 of 2. Is the file truncated?"],
    ["1,3\n1,2,0\n", iris, "line 1 claims 1 rows of 3 features; expected 1 of 2"],
    ["1,2\n", iris, "line 1 is the last one"],
    ["", digits, "line 1 is the last one"],
    ["1,2\n1,0\n", iris, "line 2 has 2 values; expected 2 and a label"],
    ["1,2,3\n\n4,5,6", digits, "line 2 has 1 values"],
    ["1,2\n1,NaN,0\n", iris, 'line 2 has "NaN" in column 2; expected a number.'],
    ["1,2\n1,0x10,0\n", iris, 'line 2 has "0x10" in column 2'],
    ["1,2\n1,,0\n", iris, 'line 2 has "" in column 2'],
    ["1,2\n1,1e999,0\n", iris, 'line 2 has "1e999" in column 2'],
    ["1,2\n1,2,3\n", iris, 'line 2 has "3" in column 3; expected a whole number from 0 to 2.'],
    ["1,2\n1,2,0.5\n", iris, 'line 2 has "0.5" in column 3'],
    ["1,2\n1,2,-1\n", iris, 'line 2 has "-1" in column 3'],
    ["256,2,3", digits, 'line 1 has "256" in column 1; expected a whole number from 0 to 255.'],
  ])("%j is refused", (file, form, message) => {
    expect(() => decodeLabelledRows(file, form, "x.csv")).toThrow(DataError);
    expect(() => decodeLabelledRows(file, form, "x.csv")).toThrow(message);
  });
});
