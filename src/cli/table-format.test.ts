import { expect, test } from "vitest";
import { formatValue } from "./table-format.ts";

test.each<[number | undefined, string]>([
  [3.24571, "3.2457"],
  [23478.54, "23,479"],
  [374123, "374,120"],
  [-0.00123456, "-0.0012346"],
  [1.2345e-7, "1.23e-7"],
  [1e15, "1000000000000000"],
  [0, "0"],
  [Number.NaN, "NaN"],
  [undefined, "-"],
])("%s is shown as %s", (value, text) => {
  expect(formatValue(value)).toBe(text);
});
