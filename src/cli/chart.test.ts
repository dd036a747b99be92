import { describe, expect, test } from "vitest";
import { drawChart, drawSvg, shortNumber } from "./chart.ts";

const ramp = { label: "ramp", values: Float64Array.from({ length: 200 }, (_, i) => i / 199) };
const steps = { label: "a <b> & c", values: Float64Array.from({ length: 200 }, (_, i) => (i < 100 ? 1 : 0.25)) };
const flat = { label: "flat", values: new Float64Array(200).fill(0.5) };

describe("a chart of text", () => {
  test("plain characters: a ramp rises from the lower left to the upper right", () => {
    expect(drawChart({ curves: [ramp], stepsPerEpoch: 100 }, { width: 9, height: 5, ascii: true })).toEqual([
      "  1 |       **",
      "    |     ***",
      "0.5 |   ***",
      "    | ***",
      "  0 |**",
      "    ++-+-+-+-+",
      "     0   1   2",
      "     epochs",
    ]);
  });

  test("braille: a step falls in one column, and no line is wider than asked for", () => {
    const lines = drawChart({ curves: [steps], stepsPerEpoch: 20 }, { width: 30, height: 5, ascii: false });
    expect(lines.slice(0, 5)).toEqual([
      "  1 ┤⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⡇",
      "    │               ⡇",
      "0.5 ┤               ⡇",
      "    │               ⠧⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤",
      "  0 ┤",
    ]);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(5 + 30);
  });

  test("one value all along has room below", () => {
    const [top = "", ...others] = drawChart(
      { curves: [flat], stepsPerEpoch: 20 },
      { width: 20, height: 3, ascii: true },
    );
    expect(top).toBe(` 0.5 |${"*".repeat(20)}`);
    expect(others.slice(0, 2).join("")).not.toContain("*");
  });
});

test("numbers on axes are short", () => {
  expect([0, 0.1, 1e-7, 123456, 0.012345, -0.5, 1e-120].map(shortNumber)).toEqual([
    "0",
    "0.1",
    "1.0e-7",
    "1.2e+5",
    "0.0123",
    "-0.5",
    "1e-120",
  ]);
});

test("the picture names each curve, escaped, and all points lie inside", () => {
  const svg = drawSvg({ curves: [ramp, steps, flat], stepsPerEpoch: 20 }, "rate <0.1>");
  expect(svg).toContain("a &lt;b&gt; &amp; c");
  expect(svg).toContain("rate &lt;0.1&gt;");
  const [, width = "", height = ""] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg) ?? [];
  const points = [...svg.matchAll(/points="([^"]*)"/g)].map(([, list = ""]) => list.split(" "));
  expect(points).toHaveLength(3);
  for (const point of points.flat()) {
    const [x = Number.NaN, y = Number.NaN] = point.split(",").map(Number);
    expect(x >= 0 && x <= Number(width) && y >= 0 && y <= Number(height)).toBe(true);
  }
});
