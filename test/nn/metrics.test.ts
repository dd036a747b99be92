import { describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import { array, type HostArray } from "../../src/core/host-array.ts";
import * as nn from "../../src/nn/index.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { measured } from "./measured.ts";

const backend = referenceBackend({ precision: "f64" });
const { metrics } = nn;

const over = <Value>(metric: nn.Metric<never, never, Value>, output: HostArray, target: HostArray): Promise<Value> =>
  measured(backend, metric, [[output, target]]);

const labels = (...values: number[]): HostArray => array(values, undefined, "i32");
const scores = array([
  [0.1, 0.7, 0.2],
  [3, 1, 2],
  [1, 1, 0],
  [0, 2, 2],
]);

describe("accuracy", () => {
  test("counts the first largest score", async () => {
    expect(await over(nn.accuracy(), scores, labels(1, 0, 0, 1))).toBe(1);
    expect(await over(nn.accuracy(), scores, labels(1, 2, 1, 2))).toBe(1 / 4);
  });
  test("takes probabilities as targets, and u8 labels", async () => {
    const targets = array([
      [0, 0.9, 0.1],
      [0.2, 0.8, 0],
      [1, 0, 0],
      [0, 0.4, 0.6],
    ]);
    expect(await over(nn.accuracy(), scores, targets)).toBe(2 / 4);
    expect(await over(nn.accuracy(), scores, array([1, 0, 0, 0], [4], "u8"))).toBe(3 / 4);
  });
  test("counts the positions of images, and of a language model's last axis", async () => {
    const image = array([[[[1, 2]], [[3, 1]]]]);
    expect(await over(nn.accuracy(), image, array([[[1, 1]]], undefined, "i32"))).toBe(1 / 2);
    const words = array([[scores.data, scores.data].map((data) => Array.from(data).slice(0, 3))]);
    expect(await over(metrics.accuracy({ classAxis: -1 }), words, array([[1, -100]], undefined, "i32"))).toBe(1);
  });
  test("over unequal batches is exact", async () => {
    const first = array([
      [1, 0],
      [0, 1],
      [1, 0],
    ]);
    const parts = [[first, labels(0, 1, 1)] as const, [array([[1, 0]]), labels(1)] as const];
    expect(await measured(backend, nn.accuracy(), parts)).toBe(0.5);
  });
  test("among the k largest, ties in index order, never with NaN", async () => {
    expect(await over(metrics.topAccuracy(2), scores, labels(2, 1, 1, 0))).toBe(2 / 4);
    expect(await over(metrics.topAccuracy(1), scores, labels(1, 0, 1, 2))).toBe(2 / 4);
    expect(await over(metrics.topAccuracy(2), array([[Number.NaN, 1, 2]]), labels(0))).toBe(0);
    expect(await over(metrics.topAccuracy(3), scores, labels(2, 1, 1, 0))).toBe(1);
    await expect(over(metrics.topAccuracy(4), scores, labels(2, 1, 1, 0))).rejects.toThrow(
      "topAccuracy: got k 4 for f32[4,3]; expected an integer in [1, 3].",
    );
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
  expect(await over(metrics.meanAbsoluteError(), output, target)).toBe(9 / 4);
  expect(await over(metrics.meanSquaredError(), output, target)).toBe(29 / 4);
  expect(await over(metrics.rootMeanSquaredError(), output, target)).toBe(Math.sqrt(29 / 4));
  await expect(over(metrics.meanSquaredError(), array([[1], [2]]), array([1, 2]))).rejects.toThrow(
    "meanSquaredError: got f32[2,1] and f32[2]; expected f32 of equal shapes.",
  );
});

test("names tell averages apart", () => {
  expect(metrics.f1().name).toBe("f1");
  expect(metrics.f1({ average: "micro" }).name).toBe("microF1");
  expect(metrics.f1({ average: "none" }).name).toBe("f1OfClasses");
  expect(metrics.fBeta(0.5, { average: "weighted" }).name).toBe("weightedF0.5");
  expect(metrics.rocAuc({ average: "weighted" }).name).toBe("weightedRocAuc");
  expect(metrics.metricFromConfig({ kind: "topAccuracy" }).name).toBe("top5Accuracy");
  expect(metrics.fBeta(0.5, { threshold: 0.5 }).config).toEqual({ kind: "fBeta", beta: 0.5, threshold: 0.5 });
});

test("options and shapes that do not fit", async () => {
  expect(() => metrics.f1({ average: "mean" as "macro" })).toThrow(
    'f1: got average "mean"; expected macro, micro, weighted, none.',
  );
  expect(() => metrics.topAccuracy(0)).toThrow("topAccuracy: got k 0; expected a positive integer.");
  expect(() => metrics.calibrationError({ bins: 1.5 })).toThrow(
    "calibrationError: got 1.5 bins; expected a positive integer.",
  );
  expect(() => metrics.metricFromConfig({ kind: "f7" })).toThrow(
    'config: got the metric "f7"; expected one of accuracy,',
  );
  await expect(over(metrics.recall(), scores, labels(1, 2))).rejects.toThrow(
    "recall: got scores f32[4,3] and labels i32[2]; expected labels i32[4].",
  );
  await expect(over(metrics.binaryAccuracy(), scores, labels(1, 2, 1, 2))).rejects.toThrow(
    "binaryAccuracy: got scores f32[4,3] and the target i32[4]; expected equal shapes.",
  );
  await expect(over(metrics.confusionMatrix(), scores, scores)).rejects.toThrow(
    "confusionMatrix: got scores f32[4,3] and the target f32[4,3]; expected one label for each position.",
  );
});

describe("metrics made of others", () => {
  const weighted = { target: labels(1, 0, 0, 1), weight: array([1, 0, 2, 1]) };
  test("a part of the target", async () => {
    const metric = metrics.on(nn.accuracy(), {
      name: "right",
      target: (target: { target: Tensor; weight: Tensor }) => target.target,
    });
    expect(metric.name).toBe("right");
    expect(await measured(backend, metric, [[scores, weighted]])).toBe(1);
  });
  test("a loss, over batches of unequal weight and of none", async () => {
    const metric = metrics.ofLoss(nn.crossEntropy());
    const whole = await over(metric, scores, labels(1, -100, -100, 2));
    const rows = (...at: number[]): HostArray => array(at.map((i) => Array.from(scores.data).slice(3 * i, 3 * i + 3)));
    const parts = [
      [rows(0, 1), labels(1, -100)] as const,
      [rows(2), labels(-100)] as const,
      [rows(3), labels(2)] as const,
    ];
    expect(await measured(backend, metric, parts)).toBeCloseTo(whole, 12);
    expect(whole).toBeGreaterThan(0.5);
  });
  test("one of the user's own", async () => {
    const bias = metrics.defineMetric({
      name: "bias",
      apply: (output: Tensor, target: Tensor) => ({
        sum: output.sub(target).sum(),
        count: output.full(output.shape[0] ?? 0),
      }),
      value: ({ sum, count }) => sum.item() / count.item(),
    });
    expect(
      await measured(backend, bias, [
        [array([1, 2]), array([0, 0])],
        [array([6]), array([0])],
      ]),
    ).toBe(3);
  });
});
