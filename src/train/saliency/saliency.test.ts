import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { OptionError, ShapeError } from "../../core/errors.ts";
import { array, type HostArray } from "../../core/host-array.ts";
import { dataset } from "../../data/dataset.ts";
import { fit } from "../../index.ts";
import * as nn from "../../nn/index.ts";
import { sgd } from "../../optim/sgd.ts";
import type { Run } from "../fit.ts";
import { gradCam, gradientTimesInput } from "./saliency.ts";

type Packed = { readonly shape: readonly number[]; readonly data: readonly number[] };
type Case = {
  readonly name: string;
  readonly weights: Readonly<Record<string, Packed>>;
  readonly pictures: Packed;
  readonly given: readonly number[] | null;
  readonly layer: string;
  readonly classes: readonly number[];
  readonly scores: readonly number[];
  readonly gradientTimesInput: readonly number[];
  readonly coarseShape: readonly number[];
  readonly coarse: readonly number[];
  readonly maps: readonly number[];
};
const golden = JSON.parse(readFileSync(new URL("../../../golden/saliency/saliency.json", import.meta.url), "utf8")) as {
  readonly mean: number;
  readonly std: number;
  readonly cases: readonly Case[];
};

const plain = (): nn.Layer =>
  nn.sequential(
    nn.conv2d(3, 3),
    nn.relu(),
    nn.maxPool2d(2),
    nn.conv2d(4, 2),
    nn.relu(),
    nn.maxPool2d(2),
    nn.flatten(),
    nn.linear(3),
  );
const residual = (): nn.Layer =>
  nn.sequential(
    nn.conv2d(3, 2, { stride: 2 }),
    nn.batchNorm(),
    nn.residual(nn.sequential(nn.conv2d(3, 3, { padding: 1 }), nn.batchNorm(), nn.tanh())),
    nn.globalAvgPool2d({ keepDims: true }),
    nn.flatten(),
    nn.linear(4),
  );

function picturesOf({ pictures: { shape, data } }: Case): HostArray {
  return array(Uint8Array.from(data), shape);
}

/** The network with these weights. */
async function trained(layer: nn.Layer, expected: Case): Promise<Run<HostArray, HostArray>> {
  const pictures = picturesOf(expected);
  const preprocessing = { kind: "standardize", scale: 1 / 255, mean: [golden.mean], std: [golden.std] } as const;
  const classes = Object.values(expected.weights).at(-1)?.data.length as number;
  const train = dataset(pictures, array(new Int32Array(pictures.shape[0] as number)), { classes, preprocessing });
  const run = await fit(layer, { train, epochs: 1, loss: nn.crossEntropy(), optimizer: sgd(0) });
  run.setWeights(
    Object.fromEntries(
      Object.entries(expected.weights).map(([name, { shape, data }]) => [
        name,
        array(name.endsWith("tracked") ? Int32Array.from(data) : Float32Array.from(data), shape),
      ]),
    ),
  );
  return run;
}

const networkOf = ({ name }: Case): nn.Layer => (name.includes("residual") ? residual() : plain());

/** Sums of a few dozen values of size 10 in single precision. */
function expectClose(got: HostArray, expected: readonly number[]): void {
  expect(got.data.length).toBe(expected.length);
  expected.forEach((value, i) => {
    expect(Math.abs((got.data[i] as number) - value), `at ${i}`).toBeLessThan(1e-5);
  });
}

describe.each(golden.cases)("$name", (expected) => {
  const options = expected.given === null ? {} : { classes: expected.given };

  test("has PyTorch's gradient times input", async () => {
    const model = await trained(networkOf(expected), expected);
    const { values, classes, scores } = await gradientTimesInput(model, picturesOf(expected), options);
    expect([...classes]).toEqual(expected.classes);
    expectClose(array(scores), expected.scores);
    expect(values.shape).toEqual(expected.pictures.shape);
    expectClose(values, expected.gradientTimesInput);
  });

  test("has PyTorch's Grad-CAM, of the layer that the paper takes", async () => {
    const model = await trained(networkOf(expected), expected);
    const found = await gradCam(model, picturesOf(expected), options);
    expect(found.layer).toBe(expected.layer);
    expect([...found.classes]).toEqual(expected.classes);
    expect(found.coarse.shape).toEqual(expected.coarseShape);
    expectClose(found.coarse, expected.coarse);
    expect(found.maps.shape).toEqual([3, 8, 8]);
    expectClose(found.maps, expected.maps);
    expect(Math.max(...expected.maps)).toBeGreaterThan(0.01);
  });
});

const [first] = golden.cases as readonly [Case, ...Case[]];

test("one picture without the first axis gives what it gives in a batch, and long batches what short ones do", async () => {
  const model = await trained(plain(), first);
  const pictures = picturesOf(first);
  const size = pictures.data.length / 3;
  const one = array((pictures.data as Uint8Array).slice(size, 2 * size), pictures.shape.slice(1));
  const single = await gradCam(model, one);
  expect(single.maps.shape).toEqual([8, 8]);
  expectClose(single.maps, first.maps.slice(64, 128));
  const many = array(
    Uint8Array.from({ length: 70 * size }, (_, i) => pictures.data[i % (3 * size)] as number),
    [70, 2, 8, 8],
  );
  const { maps } = await gradCam(model, many);
  expectClose(array((maps.data as Float32Array).slice(66 * 64, 69 * 64)), first.maps);
});

test("an earlier layer can be read, and what cannot be explained is refused by name", async () => {
  const model = await trained(plain(), first);
  const pictures = picturesOf(first);
  expect((await gradCam(model, pictures, { layer: "0" })).coarse.shape).toEqual([3, 6, 6]);
  await expect(gradCam(model, pictures, { layer: "9" })).rejects.toThrow(
    /got the layer 9; expected one .* 0, 1, 2, 3, 4, 5\./,
  );
  await expect(gradCam(model, pictures, { classes: [0, 1, 3] })).rejects.toThrow(OptionError);
  await expect(gradientTimesInput(model, pictures, { classes: [0] })).rejects.toThrow("1 classes for 3 samples");
  await expect(gradientTimesInput(model, array(new Uint8Array(9), [1, 9]))).rejects.toThrow(ShapeError);
  const data = dataset(pictures, array(Int32Array.of(0, 1, 2)));
  const options = { train: data, epochs: 1, loss: nn.crossEntropy(), optimizer: sgd(0) };
  const flat = await fit(nn.sequential(nn.flatten(), nn.linear(3)), options);
  await expect(gradCam(flat, pictures)).rejects.toThrow(/without a convolution .* gradientTimesInput/);
});
