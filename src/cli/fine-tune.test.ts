import { expect, test } from "vitest";
import { array, type HostArray } from "../core/host-array.ts";
import * as nn from "../nn/index.ts";
import { fit } from "../node/fit.ts";
import * as optim from "../optim/index.ts";
import { optimizerOf } from "./assemble.ts";
import { headOf, held, startOf } from "./fine-tune.ts";
import { recipeOf } from "./recipe.ts";

const recipe = (pictures: { readonly freezeEpochs?: number; readonly bodyRate?: number }) => ({
  ...recipeOf({ data: "mnist", optimizer: "sgd", lr: 0.1, schedule: "constant" }, {}),
  pictures: { ...pictures, batchSize: undefined, epochs: undefined },
});

const bytes = ({ data }: HostArray): number[] => [...(data as Float32Array)];

test("the last layer is the last by number, or the one with a classifier's name", () => {
  const named = (...names: readonly string[]) => Object.fromEntries(names.map((name) => [name, array([1])]));
  expect(headOf(named("0.weight", "10.bias", "10.weight", "9.weight"))).toBe("10");
  expect(headOf(named("bn1.weight", "conv1.weight", "layer3.2.conv2.weight", "linear.weight"))).toBe("linear");
  expect(headOf(named("classifier.0.weight", "classifier.3.weight", "features.0.weight"))).toBe("classifier.3");
  expect(headOf(named("fc.weight", "layer4.1.conv2.weight"))).toBe("fc");
});

test("the new last layer is of zeros, as wide as its inputs and as long as there are classes", () => {
  const body = { "0.weight": array([[1, 2]]) };
  const start = startOf({ body, last: { "1.weight": array([[1, 2, 3]]), "1.bias": array([4]) } }, 2);
  expect(start["0.weight"]).toBe(body["0.weight"]);
  expect(start["1.weight"]).toEqual(
    array([
      [0, 0, 0],
      [0, 0, 0],
    ]),
  );
  expect(start["1.bias"]).toEqual(array([0, 0]));
});

test("the body alone is held, a part of it with the head's name too", async () => {
  const model = nn.sequential(nn.sequential(nn.linear(4), nn.linear(4)), nn.linear(3));
  const train = {
    inputs: array([
      [1, 2, -1],
      [0, 1, 3],
    ]),
    targets: array([0, 2], [2], "i32"),
  };
  const options = { train, epochs: 1, batchSize: 2, seed: 1, loss: nn.crossEntropy() };
  const before = await (await fit(model, { ...options, optimizer: optim.sgd(0) })).weights();
  const after = async (pictures: Parameters<typeof recipe>[0]) => {
    const optimizer = optimizerOf(held(recipe(pictures), "1"));
    return (await fit(model, { ...options, optimizer })).weights();
  };
  const moved = (now: Readonly<Record<string, HostArray>>, name: string): number[] => {
    const old = bytes(before[name] as HostArray);
    return bytes(now[name] as HostArray).map((value, i) => value - (old[i] as number));
  };
  const [frozen, slow, alike] = [
    await after({ freezeEpochs: 1 }),
    await after({ bodyRate: 0.25 }),
    await after({ bodyRate: 1 }),
  ];
  for (const name of ["0.0.weight", "0.0.bias", "0.1.weight", "0.1.bias"]) {
    expect(
      moved(frozen, name).every((change) => change === 0),
      name,
    ).toBe(true);
    expect(
      moved(alike, name).some((change) => change !== 0),
      name,
    ).toBe(true);
    moved(slow, name).forEach((change, i) => {
      expect(change, name).toBeCloseTo(0.25 * (moved(alike, name)[i] as number), 6);
    });
  }
  for (const now of [frozen, slow]) expect(moved(now, "1.weight")).toEqual(moved(alike, "1.weight"));
});
