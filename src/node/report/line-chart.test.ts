import { expect, test } from "vitest";
import { type Line, lineChart } from "./line-chart.ts";
import { ticks } from "./numbers.ts";

const line = (points: Line["points"], label = "a"): Line => ({ label, points });

/** Places of a polyline's points. */
function placesOf(text: string): number[][] {
  const [, points = ""] = /<polyline[^>]* points="([^"]*)"/.exec(text) ?? [];
  return points.split(" ").map((point) => point.split(",").map(Number));
}

test("points stand where their values are: from left to right, larger values higher", () => {
  const chart = lineChart({
    title: "t",
    across: "epoch",
    lines: [
      line([
        [0, 0],
        [1, 5],
        [2, 10],
      ]),
    ],
  });
  const [[x0 = 0, y0 = 0], [x1 = 0, y1 = 0], [x2 = 0, y2 = 0]] = placesOf(chart?.text ?? "") as [
    number[],
    number[],
    number[],
  ];
  expect(x1 - x0).toBeCloseTo(x2 - x1, 6);
  expect(x1).toBeGreaterThan(x0);
  expect(y0 - y1).toBeCloseTo(y1 - y2, 6);
  expect(y1).toBeLessThan(y0);
});

test("on a logarithmic axis equal factors are equally far apart, and a value of 0 makes it linear", () => {
  const places = (values: readonly number[]): number[] =>
    placesOf(
      lineChart({ title: "t", across: "epoch", lines: [line(values.map((y, x) => [x, y]))], logarithmic: true })
        ?.text ?? "",
    ).map(([, y = 0]) => y);
  const [a = 0, b = 0, c = 0] = places([100, 10, 1]);
  expect(b - a).toBeCloseTo(c - b, 1);
  const [d = 0, e = 0, f = 0] = places([100, 50, 0]);
  expect(e - d).toBeCloseTo(f - e, 1);
});

test("what is no number is left out, a long line is thinned to its means, and nothing makes no chart", () => {
  expect(lineChart({ title: "t", across: "epoch", lines: [line([[0, Number.NaN]])] })).toBeUndefined();
  const long = lineChart({
    ...{ title: "t", across: "epoch" },
    lines: [line(Array.from({ length: 3000 }, (_, i) => [i, i % 10] as const))],
  });
  const places = placesOf(long?.text ?? "");
  expect(places).toHaveLength(300);
  expect(new Set(places.map(([, y]) => y)).size).toBe(1);
  const gap = lineChart({
    title: "t",
    across: "epoch",
    lines: [
      line([
        [0, 1],
        [1, Number.NaN],
        [2, 3],
      ]),
    ],
  });
  expect(placesOf(gap?.text ?? "")).toHaveLength(2);
});

test("a screen reader hears the title and both ends", () => {
  const lines = [
    line(
      [
        [0, 2.5],
        [1, 0.25],
      ],
      "training",
    ),
  ];
  expect(lineChart({ title: "loss", across: "epoch", lines })?.text).toContain(
    'aria-label="loss: training from 2.5 to 0.25"',
  );
});

test("ticks are round numbers inside the axis", () => {
  expect(ticks(0, 1, 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  expect(ticks(0.13, 0.71, 4)).toEqual([0.2, 0.4, 0.6]);
  expect(ticks(-3, 3, 3)).toEqual([-2, 0, 2]);
});
