import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { DataError, OptionError } from "../../core/errors.ts";
import { array, type HostArray, type NestedNumbers } from "../../core/host-array.ts";
import { dataset } from "../../data/dataset.ts";
import { fit } from "../../index.ts";
import * as nn from "../../nn/index.ts";
import { sgd } from "../../optim/sgd.ts";
import type { Examples } from "../examples.ts";
import type { Run } from "../fit.ts";
import { evaluateFully } from "./evaluate-fully.ts";

type Classifier = {
  readonly name: string;
  readonly logits: NestedNumbers;
  readonly labels: readonly number[];
  readonly accuracy: number;
  readonly top5Accuracy?: number;
  readonly crossEntropy: number;
  readonly brier: number;
  readonly perClass: readonly (readonly [number, number, number, number])[];
  readonly macro: readonly number[];
  readonly weighted: readonly number[];
  readonly confusion: readonly (readonly number[])[];
  readonly calibration: {
    readonly bins: readonly (readonly [number, number, number])[];
    readonly expectedError: number;
    readonly largestError: number;
  };
  readonly worst: readonly (readonly [number, number, number, number, number])[];
};
type Regression = {
  readonly name: string;
  readonly predicted: NestedNumbers;
  readonly target: NestedNumbers;
  readonly meanAbsoluteError: number;
  readonly rootMeanSquaredError: number;
  readonly r2: number;
  readonly r2OfOutputs: readonly number[];
  readonly bias: number;
  readonly worst: readonly number[];
};

const golden = JSON.parse(
  readFileSync(new URL("../../../golden/evaluation/evaluation.json", import.meta.url), "utf8"),
) as { readonly classification: readonly Classifier[]; readonly regression: readonly Regression[] };

/** A model that gives back its inputs. */
function identity(train: Examples<HostArray, HostArray>, loss: nn.Loss): PromiseLike<Run<HostArray, HostArray>> {
  const size = train.inputs.shape[1] as number;
  const eye = Array.from({ length: size }, (_, i) => Array.from({ length: size }, (_, j) => (i === j ? 1 : 0)));
  return fit(nn.sequential(nn.linear(size, { bias: false })), {
    ...{ train, loss, epochs: 1, validation: 0, weights: { "0.weight": array(eye) } },
    optimizer: sgd(0),
    metrics: [],
  });
}

const labels = (values: readonly number[]): HostArray => array(Int32Array.from(values));
/** Probabilities in single precision are 1e-7 off, and their logarithms and means not much more. */
const DIGITS = 5;

describe.each(golden.classification)("a classifier of $name", (expected) => {
  const data = dataset(array(expected.logits), labels(expected.labels), {
    name: "cases",
    classes: expected.confusion.map((_, i) => `class ${i}`),
  });

  test("is judged as scikit-learn does", async () => {
    const model = await identity(data, nn.crossEntropy());
    const files = expected.labels.map((_, i) => `pictures/${i}.png`);
    const found = await evaluateFully(model, { ...data, files }, { worst: 5 });
    if (found.kind !== "classification") throw new Error(found.kind);
    for (const { index, file } of found.worst) expect(file).toBe(files[index]);
    expect(found.samples).toBe(expected.labels.length);
    expect(found.accuracy).toBe(expected.accuracy);
    expect(found.top5Accuracy).toBe(expected.top5Accuracy);
    expect(found.crossEntropy).toBeCloseTo(expected.crossEntropy, DIGITS);
    expect(found.metrics.loss).toBeCloseTo(expected.crossEntropy, DIGITS);
    expect(Object.keys(found.metrics)).toEqual(["loss"]);
    expect(found.brier).toBeCloseTo(expected.brier, DIGITS);
    expect(found.confusion).toEqual(expected.confusion);
    expected.perClass.forEach(([precision, recall, f1, support], i) => {
      const own = found.perClass[i];
      expect(own).toMatchObject({ name: `class ${i}`, support });
      expect([own?.precision, own?.recall]).toEqual([precision, recall]);
      expect(own?.f1).toBeCloseTo(f1, 12);
    });
    for (const kind of ["macro", "weighted"] as const)
      (["precision", "recall", "f1"] as const).forEach((name, i) => {
        expect(found[kind][name], `${kind} ${name}`).toBeCloseTo(expected[kind][i] as number, 12);
      });
    expect(found.mistakes).toBe(Math.round((1 - expected.accuracy) * expected.labels.length));
    expect(found.worst.map(({ index, truth, predicted }) => [index, truth, predicted])).toEqual(
      expected.worst.map((row) => row.slice(0, 3)),
    );
    found.worst.forEach(({ probability, truthProbability, loss }, i) => {
      expect(probability).toBeCloseTo(expected.worst[i]?.[3] as number, DIGITS);
      expect(truthProbability).toBeCloseTo(expected.worst[i]?.[4] as number, DIGITS);
      expect(loss).toBeCloseTo(-Math.log(expected.worst[i]?.[4] as number), 4);
    });
  });

  test("is calibrated as Guo et al. measure it", async () => {
    const model = await identity(data, nn.crossEntropy());
    const found = await evaluateFully(model, data);
    if (found.kind !== "classification") throw new Error(found.kind);
    const { bins, expectedError, largestError } = found.calibration;
    expect(bins.map(({ count }) => count)).toEqual(expected.calibration.bins.map(([count]) => count));
    bins.forEach(({ confidence, accuracy }, i) => {
      expect(confidence).toBeCloseTo(expected.calibration.bins[i]?.[1] as number, DIGITS);
      expect(accuracy).toBeCloseTo(expected.calibration.bins[i]?.[2] as number, 12);
    });
    expect(expectedError).toBeCloseTo(expected.calibration.expectedError, DIGITS);
    expect(largestError).toBeCloseTo(expected.calibration.largestError, DIGITS);
  });
});

test("the pairs that are confused most come first, with their share of the class", async () => {
  const [, expected] = golden.classification as [Classifier, Classifier];
  const data = dataset(array(expected.logits), labels(expected.labels));
  const found = await evaluateFully(await identity(data, nn.crossEntropy()), data);
  if (found.kind !== "classification") throw new Error(found.kind);
  const largest = Math.max(...expected.confusion.flatMap((row, i) => row.filter((_, j) => i !== j)));
  const [first] = found.confused;
  expect(first?.count).toBe(largest);
  const row = expected.confusion[first?.truth as number] as readonly number[];
  expect(row[first?.predicted as number]).toBe(largest);
  expect(first?.share).toBe(largest / row.reduce((a, b) => a + b));
});

describe.each(golden.regression)("a regression with $name", (expected) => {
  test("is judged as scikit-learn does", async () => {
    const data = dataset(array(expected.predicted), array(expected.target));
    const found = await evaluateFully(await identity(data, nn.meanSquaredError()), data, { worst: 3 });
    if (found.kind !== "regression") throw new Error(found.kind);
    for (const name of ["meanAbsoluteError", "rootMeanSquaredError", "r2", "bias"] as const)
      expect(found.scores[name], name).toBeCloseTo(expected[name], DIGITS);
    expected.r2OfOutputs.forEach((r2, i) => {
      expect(found.perOutput[i]?.r2).toBeCloseTo(r2, DIGITS);
    });
    expect(found.worst.map(({ index }) => index)).toEqual(expected.worst);
    const [first] = found.worst;
    const rows = expected.target as readonly (readonly number[])[];
    expect(first?.target).toEqual(rows[first?.index as number]);
  });
});

const small = (names: readonly string[], truth: readonly number[]) =>
  dataset(
    array([
      [3, 0, 0],
      [0, 3, 0],
      [0, 0, 3],
    ]),
    labels(truth),
    { name: "small", classes: names },
  );

test("labels in another order are matched by their names, and unknown ones refused", async () => {
  const model = await identity(small(["ant", "bee", "cat"], [0, 1, 2]), nn.crossEntropy());
  const turned = await evaluateFully(model, small(["cat", "ant", "bee"], [1, 2, 0]));
  expect(turned).toMatchObject({ kind: "classification", accuracy: 1, classes: ["ant", "bee", "cat"] });
  const wrong = await evaluateFully(model, small(["ant", "bee", "cat"], [1, 2, 0]));
  expect(wrong).toMatchObject({ accuracy: 0, mistakes: 3 });
  await expect(evaluateFully(model, small(["ant", "bee", "dog"], [0, 1, 2]))).rejects.toThrow(
    new DataError("evaluateFully: small has the class dog; expected some of the model's: ant, bee, cat.", "small"),
  );
});

test("a model that is neither gives its own loss and metrics, and bad numbers are refused", async () => {
  const data = dataset(array([[0.5], [-2]]), array([[1], [0]]));
  const model = await identity(data, nn.binaryCrossEntropyWithLogits());
  const found = await evaluateFully(model, data);
  expect(found).toMatchObject({ kind: "metrics", samples: 2 });
  const expected = (Math.log(1 + Math.exp(-0.5)) + Math.log(1 + Math.exp(-2))) / 2;
  expect(found.metrics.loss).toBeCloseTo(expected, 6);
  expect(() => evaluateFully(model, data, { bins: 0 })).toThrow(OptionError);
});
