import { describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import { array, type HostArray } from "../../src/core/host-array.ts";
import { leavesOf, type Tree, unflatten } from "../../src/core/tree.ts";
import * as nn from "../../src/nn/index.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { grad } from "../../src/trace/grad.ts";
import { run } from "./run.ts";

const backend = referenceBackend({ precision: "f64" });
const labels = (...values: number[]): HostArray => array(values, undefined, "i32");

/** A loss's value, what it divided by, and its gradient by the output. */
async function evaluate(
  loss: nn.AnyLoss,
  output: Tree<HostArray>,
  target: Tree<HostArray>,
): Promise<{ value: number; weight: number; gradient: number[] }> {
  const any = loss as unknown as nn.Loss<Tree<Tensor>, Tree<Tensor>>;
  const feeds = Object.fromEntries([...leavesOf<HostArray>(output, "x"), ...leavesOf<HostArray>(target, "y")]);
  const results = await run(backend, feeds, (feed) => {
    const tree = (form: Tree<HostArray>, name: string): Tree<Tensor> =>
      unflatten(
        form,
        leavesOf<HostArray>(form, name).map(([path]) => feed(path)),
      );
    const [x, y] = [tree(output, "x"), tree(target, "y")];
    const slopes = leavesOf<Tensor>(grad((z: Tree<Tensor>) => any.apply(z, y))(x));
    return {
      value: any.apply(x, y),
      weight: any.weight?.(x, y) ?? (leavesOf<Tensor>(x)[0] as [string, Tensor])[1].full(1),
      ...Object.fromEntries(slopes.map(([path, slope]) => [`d${path}`, slope])),
    };
  });
  const { value, weight, ...rest } = results;
  return {
    value: value?.[0] ?? Number.NaN,
    weight: weight?.[0] ?? Number.NaN,
    gradient: Object.values(rest).flatMap((data) => Array.from(data)),
  };
}

const rows = array([
  [1, -1, 0],
  [0.5, 0, 2],
  [0, 3, 1],
]);
const one = (from: HostArray, i: number): HostArray => {
  const row = from.data.length / (from.shape[0] ?? 1);
  return array(from.data.slice(i * row, (i + 1) * row), [1, ...from.shape.slice(1)], from.dtype);
};

describe("a loss's weight makes the mean over unequal batches exact", () => {
  const same = array([
    [0, 1, 0.25],
    [1, 0.5, 0],
    [0, 0, 1],
  ]);
  test.each([
    ["cross entropy", nn.crossEntropy(), labels(0, 2, 1)],
    ["cross entropy that ignores", nn.crossEntropy(), labels(0, -100, 1)],
    ["class weights", nn.crossEntropy({ weight: [0.5, 2, 3], labelSmoothing: 0.1 }), labels(0, 2, 1)],
    ["nll", nn.nll({ weight: [0.5, 2, 3] }), labels(2, 2, 1)],
    ["hinge", nn.hinge(), labels(0, 2, 1)],
    ["focal", nn.softmaxFocal({ ignoreIndex: 2 }), labels(0, 2, 1)],
    ["binary", nn.binaryCrossEntropyWithLogits({ posWeight: [1, 2, 3] }), same],
    ["divergence", nn.klDivergence({ reduction: "batchmean" }), same],
    ["huber", nn.huber(), same],
    ["labels at once", nn.multiLabelSoftMargin(), same],
  ] as const)("%s", async (_name, loss, target) => {
    let [sum, weights] = [0, 0];
    const first = {
      x: array(rows.data.slice(0, 6), [2, 3]),
      y: array(target.data.slice(0, target.data.length * (2 / 3)), [2, ...target.shape.slice(1)], target.dtype),
    };
    for (const [x, y] of [[first.x, first.y] as const, [one(rows, 2), one(target, 2)] as const]) {
      const { value, weight } = await evaluate(loss, x, y);
      sum += value * weight;
      weights += weight;
    }
    const { value, weight } = await evaluate(loss, rows, target);
    expect(weights).toBeCloseTo(weight, 12);
    expect(sum / weights).toBeCloseTo(value, 12);
  });
});

describe("weights of samples", () => {
  test("of 1 give the loss itself, with class weights too", async () => {
    for (const loss of [
      nn.crossEntropy(),
      nn.crossEntropy({ weight: [0.5, 2, 3] }),
      nn.crossEntropy({ reduction: "sum" }),
    ]) {
      const plain = await evaluate(loss, rows, labels(0, -100, 1));
      const weighed = await evaluate(nn.weighted(loss), rows, { target: labels(0, -100, 1), weight: array([1, 1, 1]) });
      expect(weighed.value).toBeCloseTo(plain.value, 14);
      expect(weighed.weight).toBeCloseTo(plain.weight, 14);
      weighed.gradient.slice(0, 9).forEach((g, i) => {
        expect(g).toBeCloseTo(plain.gradient[i] ?? Number.NaN, 14);
      });
    }
  });
  test("of whole numbers count a sample so often", async () => {
    const twice = array([...rows.data.slice(0, 3), ...rows.data.slice(0, 3), ...rows.data.slice(6)], [3, 3]);
    const want = await evaluate(nn.crossEntropy(), twice, labels(0, 0, 1));
    const got = await evaluate(nn.weighted(nn.crossEntropy()), rows, {
      target: labels(0, 2, 1),
      weight: array([2, 0, 1]),
    });
    expect(got.value).toBeCloseTo(want.value, 14);
    expect(got.weight).toBe(3);
  });
  test("that are all 0 give a loss and a gradient of 0", async () => {
    const target = { target: labels(0, -100, 1), weight: array([0, 5, 0]) };
    const { value, weight, gradient } = await evaluate(nn.weighted(nn.crossEntropy()), rows, target);
    expect([value, weight, ...gradient.map(Math.abs)]).toEqual(Array(11).fill(0));
  });
  test("for each position of a sequence, and for each example of one", async () => {
    const output = array([...rows.data, ...rows.data.slice(3), 1, 1, 0], [2, 3, 3]);
    const target = array([...rows.data].reverse().concat([0, 0, 0, 1, 1, 1, 2, 2, 2]), [2, 3, 3]);
    const loss = nn.weighted(nn.meanSquaredError());
    const whole = (weights: number[], shape: number[]) =>
      evaluate(loss, output, { target, weight: array(weights, shape) as HostArray });
    const values = Array.from(output.data, (x, i) => (x - (target.data[i] as number)) ** 2);
    const sum = (all: number[]): number => all.reduce((a, b) => a + b, 0);
    const [a, b] = [sum(values.slice(0, 9)), sum(values.slice(9))];
    expect((await whole([3, 1], [2])).value).toBeCloseTo((3 * a + b) / 36, 12);
    expect((await whole([1, 0, 0, 0, 0, 1], [2, 3])).value).toBeCloseTo(
      (sum(values.slice(0, 3)) + sum(values.slice(15))) / 6,
      12,
    );
    await expect(whole([1, 1, 1], [3])).rejects.toThrow(
      "weighted: got weights f32[3] for values of shape [2,3,3]; expected f32[2].",
    );
  });
  test("of a loss of the user's own need its values", () => {
    const own: nn.Loss = { name: "own", config: { kind: "own" }, apply: (x) => x.sum() };
    expect(() => nn.weighted(own)).toThrow(
      "weighted: got the loss own without values; expected them, before they are reduced.",
    );
  });
});

describe("limits, where PyTorch has NaN", () => {
  const infinite = array([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]);
  test("binary cross entropy of infinite logits", async () => {
    const right = await evaluate(nn.binaryCrossEntropyWithLogits(), infinite, array([1, 0, 1]));
    expect(right.value).toBe(0);
    expect(right.gradient.map(Math.abs)).toEqual([0, 0, 0]);
    const wrong = await evaluate(nn.binaryCrossEntropyWithLogits(), infinite, array([0, 1, 1]));
    expect(wrong.value).toBe(Number.POSITIVE_INFINITY);
    expect(wrong.gradient.map((g) => g + 0)).toEqual([1 / 3, -1 / 3, 0]);
  });
  test("soft margin that overflows", async () => {
    const { value, gradient } = await evaluate(nn.softMargin(), array([-1000, 1000]), labels(1, 1));
    expect(value).toBe(500);
    expect(gradient[0]).toBe(-0.5);
  });
  test("CTC without an alignment", async () => {
    const logProbs = array(new Float64Array(3 * 2 * 3).fill(-Math.log(3)), [3, 2, 3], "f32");
    const target = {
      targets: array(
        [
          [1, 1],
          [1, 2],
        ],
        undefined,
        "i32",
      ),
      inputLengths: labels(2, 3),
      targetLengths: labels(2, 2),
    };
    const { value, gradient } = await evaluate(nn.ctc({ reduction: "sum" }), logProbs, target);
    expect(value).toBe(Number.POSITIVE_INFINITY);
    // Only the second example has a gradient: minus the probability of each class at each step.
    const sums = [0, 1, 2].map((t) =>
      [0, 1].map((n) => gradient.slice(6 * t + 3 * n, 6 * t + 3 * n + 3).reduce((a, b) => a + b)),
    );
    sums.flat().forEach((sum, i) => {
      expect(sum).toBeCloseTo(i % 2 === 0 ? 0 : -1, 12);
    });
    const zeroed = await evaluate(nn.ctc({ reduction: "sum", zeroInfinity: true }), logProbs, target);
    expect(zeroed.value).toBeCloseTo(-Math.log(5 / 27), 12);
  });
});

test("the derivative by CTC's log probabilities is minus the probability of the classes", async () => {
  const logProbs = array([[[0.2, 0.5, 0.3].map(Math.log)], [[0.1, 0.6, 0.3].map(Math.log)]] as unknown as number[]);
  const target = { targets: array([[1]], undefined, "i32"), inputLengths: labels(2), targetLengths: labels(1) };
  const { value, gradient } = await evaluate(nn.ctc(), logProbs, target);
  const [both, first, second] = [0.5 * 0.6, 0.5 * 0.1, 0.2 * 0.6];
  const total = both + first + second;
  expect(value).toBeCloseTo(-Math.log(total), 6);
  const want = [second / total, (both + first) / total, 0, first / total, (both + second) / total, 0];
  gradient.forEach((g, i) => {
    expect(g).toBeCloseTo(-(want[i] as number), 6);
  });
});

test("configurations come back", () => {
  const given = [
    nn.crossEntropy({ labelSmoothing: 0.1, weight: [1, 2], ignoreIndex: 0, classAxis: -1, reduction: "sum" }),
    nn.nll({ weight: [1, 2], ignoreIndex: 0, classAxis: -1 }),
    nn.binaryCrossEntropyWithLogits({ posWeight: [[1], [2]], weight: 2 }),
    nn.binaryCrossEntropy({ weight: [1, 2] }),
    nn.sigmoidFocal({ alpha: null, gamma: 1 }),
    nn.softmaxFocal({ alpha: [1, 2], gamma: 1, ignoreIndex: 3 }),
    nn.klDivergence({ logTarget: true, reduction: "batchmean" }),
    nn.huber({ delta: 2 }),
    nn.smoothL1({ beta: 2 }),
    nn.poissonNll({ logInput: false, full: true, eps: 0.1 }),
    nn.gaussianNll({ full: true, eps: 0.1 }),
    nn.multiMargin({ p: 2, margin: 2, weight: [1, 2] }),
    nn.hingeEmbedding({ margin: 2 }),
    nn.marginRanking({ margin: 2 }),
    nn.multiLabelSoftMargin({ weight: [1, 2] }),
    nn.cosineEmbedding({ margin: 0.5, reduction: "sum" }),
    nn.tripletMargin({ margin: 2, p: 3, eps: 0, swap: true }),
    nn.ctc({ blank: 1, batchFirst: true, zeroInfinity: true }),
    nn.weighted(nn.huber({ delta: 2 })),
  ];
  for (const { config } of given) expect(nn.lossFromConfig(JSON.parse(JSON.stringify(config))).config).toEqual(config);
  const largest = nn.tripletMargin({ p: Number.POSITIVE_INFINITY });
  expect(nn.lossFromConfig(JSON.parse(JSON.stringify(largest.config))).config).toEqual(largest.config);
});

test("options out of range are found when the loss is made", () => {
  const thrown: readonly (readonly [make: () => unknown, text: string])[] = [
    [() => nn.crossEntropy({ labelSmoothing: 2 }), "crossEntropy: got labelSmoothing 2; expected a number in [0, 1]."],
    [() => nn.crossEntropy({ ignoreIndex: 0.5 }), "crossEntropy: got ignoreIndex 0.5; expected a whole number."],
    [() => nn.huber({ delta: 0 }), "huber: got delta 0; expected a number above 0."],
    [() => nn.smoothL1({ beta: -1 }), "smoothL1: got beta -1; expected a number of at least 0."],
    [() => nn.gaussianNll({ eps: 0 }), "gaussianNll: got eps 0; expected a number above 0."],
    [() => nn.multiMargin({ p: 3 as 2 }), "multiMargin: got p 3; expected 1 or 2."],
    [() => nn.tripletMargin({ p: 0 }), "tripletMargin: got p 0; expected a number above 0."],
    [() => nn.sigmoidFocal({ alpha: 2 }), "sigmoidFocal: got alpha 2; expected a number in [0, 1], or null."],
    [() => nn.huber({ reduction: "average" as "mean" }), 'huber: got reduction "average"; expected mean, sum, none.'],
    [() => nn.ctc({ blank: -1 }), "ctc: got blank -1; expected a whole number of at least 0."],
    [
      () => nn.huber({ reduction: "none" }),
      'huber: got reduction "none"; expected "mean" or "sum" for a loss to train on.',
    ],
  ];
  for (const [make, text] of thrown) expect(make).toThrow(text);
});

test("arrays outside of a trace are no tensors", () => {
  const huber = nn.huber as unknown as (...given: readonly unknown[]) => unknown;
  expect(() => huber(rows, rows)).toThrow("huber: got an array; expected tensors, inside a trace, or options.");
  expect(() => huber(1, 2)).toThrow("huber: got number; expected tensors, inside a trace, or options.");
});

test("shapes that do not fit name both", async () => {
  const bad = async (loss: nn.AnyLoss, x: Tree<HostArray>, y: Tree<HostArray>, text: string): Promise<void> => {
    await expect(evaluate(loss, x, y)).rejects.toThrow(text);
  };
  await bad(
    nn.crossEntropy(),
    rows,
    labels(1, 2),
    "crossEntropy: got scores f32[3,3] and labels i32[2]; expected labels i32[3].",
  );
  await bad(
    nn.crossEntropy({ weight: [1, 2] }),
    rows,
    labels(0, 1, 2),
    "crossEntropy: got 2 class weights; expected 3, one for each class.",
  );
  await bad(
    nn.binaryCrossEntropyWithLogits(),
    rows,
    array([1, 0, 1]),
    "binaryCrossEntropyWithLogits: got f32[3,3] and f32[3]; expected f32 of equal shapes.",
  );
  await bad(
    nn.binaryCrossEntropyWithLogits({ posWeight: [1, 2] }),
    rows,
    rows,
    "binaryCrossEntropyWithLogits: got posWeight of shape [2]; expected one that broadcasts to [3,3].",
  );
  await bad(
    nn.softMargin(),
    rows,
    labels(1, 1),
    "softMargin: got the target i32[2]; expected 1 and -1 of shape [3,3].",
  );
  await bad(
    nn.gaussianNll(),
    { mean: rows, variance: array([1, 2]) },
    rows,
    "gaussianNll: got mean f32[3,3] and variance f32[2]; expected the mean's shape, or 1 in the last axis.",
  );
  const lengths = { targets: labels(1, 2), inputLengths: labels(1), targetLengths: labels(1) };
  await bad(
    nn.ctc(),
    rows,
    lengths,
    "ctc: got f32[3,3], i32[2], i32[1], i32[1]; expected log probabilities f32[T, N, C], targets i32[N, S], input and target lengths i32[N].",
  );
});

test("hinge of the lecture's example", async () => {
  const { value } = await evaluate(nn.hinge(), array([[3.2, 5.1, -1.7]]), labels(0));
  expect(value).toBeCloseTo(2.9, 6);
});
