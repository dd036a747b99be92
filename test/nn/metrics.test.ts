import { describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import { array, type HostArray } from "../../src/core/host-array.ts";
import * as nn from "../../src/nn/index.ts";
import { run } from "./run.ts";

const backend = referenceBackend({ precision: "f64" });

async function sumAndCount(metric: nn.Metric, output: HostArray, target: HostArray): Promise<[number, number]> {
  const { sum } = await run(backend, { output, target }, (feed) => ({
    sum: metric.apply(feed("output"), feed("target")),
  }));
  return [sum?.[0] ?? Number.NaN, metric.count(output.aval, target.aval)];
}

const labels = (...values: number[]): HostArray => array(values, undefined, "i32");
const scores = array([
  [0.1, 0.7, 0.2],
  [3, 1, 2],
  [1, 1, 0],
  [0, 2, 2],
]);

describe("accuracy", () => {
  test("counts the first largest score", async () => {
    expect(await sumAndCount(nn.accuracy(), scores, labels(1, 0, 0, 1))).toEqual([4, 4]);
    expect(await sumAndCount(nn.accuracy(), scores, labels(1, 2, 1, 2))).toEqual([1, 4]);
  });
  test("takes probabilities as targets, and u8 labels", async () => {
    const targets = array([
      [0, 0.9, 0.1],
      [0.2, 0.8, 0],
      [1, 0, 0],
      [0, 0.4, 0.6],
    ]);
    expect(await sumAndCount(nn.accuracy(), scores, targets)).toEqual([2, 4]);
    expect(await sumAndCount(nn.accuracy(), scores, array([1, 0, 0, 0], [4], "u8"))).toEqual([3, 4]);
  });
  test("counts the positions of images", async () => {
    const image = array([[[[1, 2]], [[3, 1]]]]);
    expect(await sumAndCount(nn.accuracy(), image, array([[[1, 1]]], undefined, "i32"))).toEqual([1, 2]);
  });
  test("over unequal batches is exact", async () => {
    const metric = nn.accuracy();
    const parts = [
      await sumAndCount(
        metric,
        array([
          [1, 0],
          [0, 1],
          [1, 0],
        ]),
        labels(0, 1, 1),
      ),
      await sumAndCount(metric, array([[1, 0]]), labels(1)),
    ];
    const [sum, count] = parts.reduce(([s, c], [a, b]) => [s + a, c + b]);
    expect(metric.combine(sum, count)).toBe(0.5);
  });
  test("among the k largest, ties in index order, never with NaN", async () => {
    expect(await sumAndCount(nn.metrics.topAccuracy(2), scores, labels(2, 1, 1, 0))).toEqual([2, 4]);
    expect(await sumAndCount(nn.metrics.topAccuracy(1), scores, labels(1, 0, 1, 2))).toEqual([2, 4]);
    expect(await sumAndCount(nn.metrics.topAccuracy(2), array([[Number.NaN, 1, 2]]), labels(0))).toEqual([0, 1]);
    expect(await sumAndCount(nn.metrics.topAccuracy(3), scores, labels(2, 1, 1, 0))).toEqual([4, 4]);
  });
});

test("errors of values", async () => {
  const output = array([
    [1, 2],
    [3, 5],
  ]);
  const target = array([
    [1, 0],
    [0, 1],
  ]);
  const { metrics } = nn;
  expect(await sumAndCount(metrics.meanAbsoluteError(), output, target)).toEqual([9, 4]);
  expect(await sumAndCount(metrics.meanSquaredError(), output, target)).toEqual([29, 4]);
  const root = metrics.rootMeanSquaredError();
  expect(root.combine(...(await sumAndCount(root, output, target)))).toBe(Math.sqrt(29 / 4));
  await expect(sumAndCount(metrics.meanSquaredError(), array([[1], [2]]), array([1, 2]))).rejects.toThrow(
    "meanSquaredError: got f32[2,1] and f32[2]; expected f32 of equal shapes.",
  );
});

describe("a loss's weight", () => {
  const parts: readonly (readonly [HostArray, HostArray])[] = [
    [
      array([
        [1, -1, 0],
        [0.5, 0, 2],
      ]),
      labels(0, 2),
    ],
    [array([[0, 3, 1]]), labels(1)],
  ];
  const whole = [
    array([
      [1, -1, 0],
      [0.5, 0, 2],
      [0, 3, 1],
    ]),
    labels(0, 2, 1),
  ] as const;
  const evaluate = async (
    loss: nn.Loss,
    [output, target]: readonly [HostArray, HostArray],
  ): Promise<[number, number]> => {
    const { value, weight } = await run(backend, { output, target }, (feed) => ({
      value: loss.apply(feed("output"), feed("target")),
      weight: loss.weight?.(feed("output"), feed("target")) ?? feed("output").full(target.shape[0] ?? 0),
    }));
    return [value?.[0] ?? Number.NaN, weight?.[0] ?? Number.NaN];
  };

  test.each([
    ["cross entropy", nn.crossEntropy()],
    ["cross entropy with class weights", nn.crossEntropy({ weight: [0.5, 2, 3], labelSmoothing: 0.1 })],
    ["hinge", nn.hinge()],
  ])("makes the mean over unequal batches exact: %s", async (_name, loss) => {
    let sum = 0;
    let weights = 0;
    for (const part of parts) {
      const [value, weight] = await evaluate(loss, part);
      sum += value * weight;
      weights += weight;
    }
    const [value, weight] = await evaluate(loss, whole);
    expect(weights).toBeCloseTo(weight, 12);
    expect(sum / weights).toBeCloseTo(value, 12);
  });
});

test("hinge of the lecture's example", async () => {
  const { value } = await run(backend, { s: array([[3.2, 5.1, -1.7]]), y: labels(0) }, (feed) => ({
    value: nn.hinge(feed("s"), feed("y")),
  }));
  expect(value?.[0]).toBeCloseTo(2.9, 6);
});
