import { expect, test } from "vitest";
import { classificationOf } from "../train/evaluation/classification.ts";
import type { ClassificationEvaluation } from "../train/evaluation/evaluation.ts";
import { regressionOf } from "../train/evaluation/regression.ts";
import { evaluationLines } from "./evaluation-text.ts";

/** Each sample of class i answered as `answer` says, `sure` of it. */
function evaluated(
  classes: readonly string[],
  perClass: number,
  answer: (truth: number, n: number) => number,
): ClassificationEvaluation {
  const labels = classes.flatMap((_, i) => new Array<number>(perClass).fill(i));
  const rows = labels.flatMap((truth, n) => {
    const said = answer(truth, n);
    return [said, 0.75, truth === said ? Math.log(0.75) : Math.log(0.125), truth === said ? 0 : 1, 0.2];
  });
  return classificationOf(rows, labels, { data: "pets", metrics: { loss: 0.5 }, classes, worst: 1, bins: 15 });
}

test("a classifier in a few classes shows counts", () => {
  const lines = evaluationLines(
    evaluated(["cat", "dog", "eel"], 4, (truth, n) => (n === 1 ? 1 : truth)),
    "test images",
  );
  expect(lines).toEqual([
    "loss 0.5000 on 12 test images of pets",
    "",
    "class          precision     recall         F1    samples",
    "cat              100.00%     75.00%     85.71%          4",
    "dog               80.00%    100.00%     88.89%          4",
    "eel              100.00%    100.00%    100.00%          4",
    "plain mean        93.33%     91.67%     91.53%         12",
    "weighted mean     93.33%     91.67%     91.53%         12",
    "",
    "Confusion: class down, answer across",
    "      0 1 2",
    "0 cat 3 1 ·",
    "1 dog · 4 ·",
    "2 eel · · 4",
    "",
    "Most often confused",
    "  cat taken for dog: 1 of 4 (25.00%)",
    "",
    "Calibration: 75.00% sure and 91.67% right on average;",
    "  expected error 16.67%, largest of a bin 16.67%, Brier score 0.2000",
    "",
    "Worst of 1 mistakes",
    "  #1: cat taken for dog, 75.00% sure, loss 2.0794",
  ]);
});

test.each([
  [2, 1_000_000, "Confusion: class"],
  [16, 100, "Confusion: class"],
  [20, 1000, "Confusion in percents of the class: class"],
  [21, 10, undefined],
  [300, 2, undefined],
] as const)("%i classes of %i samples fit into 80 columns", (count, perClass, matrix) => {
  const classes = Array.from({ length: count }, (_, i) => `a rather long name of a class, number ${i}`);
  const small = Math.min(perClass, 1000);
  const found = evaluated(classes, small, (truth, n) => (n % 3 === 0 ? (truth + 1) % count : truth));
  const factor = perClass / small;
  const scaled = { ...found, confusion: found.confusion.map((row) => row.map((n) => n * factor)) };
  const lines = evaluationLines(scaled, "test images");
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(80);
  const heading = lines.find((line) => line.startsWith("Confusion"));
  if (matrix === undefined) expect(heading).toBeUndefined();
  else expect(heading).toContain(matrix);
  const rows = lines.filter((line) => /%.*%.*%/.test(line) && !line.includes("mean")).length;
  expect(rows).toBe(count > 40 ? 20 : count);
});

test("a regression shows its errors by output", () => {
  const found = regressionOf([1, 2, 4, 4], [1, 1, 2, 4], 2, { data: "houses", metrics: { loss: 1.25 }, worst: 1 });
  expect(evaluationLines(found, "test samples")).toEqual([
    "loss 1.2500 on 2 test samples of houses",
    "",
    "output                 MAE          RMSE            R²          bias",
    "0                        1        1.4142            -7             1",
    "1                      0.5       0.70711       0.77778           0.5",
    "all                   0.75         1.118       -3.1111          0.75",
    "",
    "Furthest from their targets",
    "  #1: 4, 4 for 2, 4",
  ]);
});
