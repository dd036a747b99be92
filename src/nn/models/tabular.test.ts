import { afterAll, describe, expect, test } from "vitest";
import { referenceBackend } from "../../backends/reference/index.ts";
import { runFunction } from "../../compile/run-function.ts";
import { OptionError, ShapeError } from "../../core/errors.ts";
import { array, type HostArray } from "../../core/host-array.ts";
import { leavesOf, unflatten } from "../../core/tree.ts";
import type { Tensor } from "../../ops/tensor.ts";
import type { Layer } from "../layer.ts";
import { layerFromConfig } from "../layer-from-config.ts";
import { model } from "../model.ts";
import { type TabularInputs, tabular } from "./tabular.ts";

const backend = referenceBackend({ precision: "f64" });
afterAll(() => backend.close());

const numbers = array([
  [0.5, -1],
  [2, 0.25],
  [-0.75, 3],
]);
const categories = array([1, 4, 0, 3, 2, 5], [3, 2], "i32");

/** linear(relu(linear(numbers beside vectors))) as loops over the rows. */
function byHand(weights: ReadonlyMap<string, HostArray>, hidden: number, outputs: number): number[] {
  const at = (name: string, i: number): number => weights.get(name)?.data[i] as number;
  const dense = (name: string, x: readonly number[], size: number): number[] =>
    Array.from({ length: size }, (_, o) =>
      x.reduce((sum, value, i) => sum + value * at(`${name}.weight`, o * x.length + i), at(`${name}.bias`, o)),
    );
  return [0, 1, 2].flatMap((row) => {
    const vectors = [0, 1].flatMap((c) => {
      const index = categories.data[row * 2 + c] as number;
      return [0, 1, 2].map((d) => at("embedding.weight", index * 3 + d));
    });
    const x = [...Array.from(numbers.data.subarray(row * 2, row * 2 + 2)), ...vectors];
    const inner = dense("layers.0", x, hidden).map((value) => Math.max(0, value));
    return dense("layers.2", inner, outputs);
  });
}

test("numbers and embedded categories, as written by hand", async () => {
  const net = model(tabular({ outputs: 2, hidden: [5], levels: 6, width: 3 }));
  const types = { numbers: numbers.aval, categories: categories.aval };
  const { params, output } = net.init(4, types as never);
  expect(output).toEqual({ dtype: "f32", shape: [3, 2] });
  const leaves = leavesOf<HostArray>(params);
  const [scores] = await runFunction(
    backend,
    (x, c, ...tensors) => {
      const traced = unflatten<HostArray, Tensor>(params, tensors);
      const [y] = net.apply(traced, {}, { numbers: x as Tensor, categories: c as Tensor });
      return [y];
    },
    [numbers, categories, ...leaves.map(([, leaf]) => leaf)],
  );
  const wanted = byHand(new Map(leaves), 5, 2);
  expect(scores?.data).toHaveLength(6);
  wanted.forEach((value, i) => {
    expect(scores?.data[i]).toBeCloseTo(value, 10);
  });
});

test("comes back from its configuration", () => {
  const layer = tabular({ outputs: 2, hidden: [5, 4], dropout: 0.1, levels: 6, width: 3 });
  const copy = layerFromConfig(JSON.parse(JSON.stringify(layer.config)));
  expect(copy.config).toEqual(layer.config);
  const names = (given: Layer<TabularInputs>) =>
    leavesOf<HostArray>(
      model(given).init(1, { numbers: numbers.aval, categories: categories.aval } as never).params,
    ).map(([name, { shape }]) => `${name} ${shape}`);
  expect(names(copy as unknown as Layer<TabularInputs>)).toEqual([
    "embedding.weight 6,3",
    "layers.0.weight 5,8",
    "layers.0.bias 5",
    "layers.3.weight 4,5",
    "layers.3.bias 4",
    "layers.6.weight 2,4",
    "layers.6.bias 2",
  ]);
});

test("vectors start small", () => {
  const { params } = model(tabular({ outputs: 1, levels: 400 })).init(2, { categories: categories.aval } as never);
  const data = leavesOf<HostArray>(params).find(([name]) => name === "embedding.weight")?.[1].data ?? [];
  const square = Array.from(data).reduce((sum, value) => sum + value * value, 0) / data.length;
  // 3,200 values: the deviation of a deviation is about 1 %.
  expect(Math.sqrt(square)).toBeCloseTo(0.1, 2);
});

describe("bad options and inputs", () => {
  test.each<[() => unknown, string]>([
    [() => tabular({ outputs: 0 }), "tabular: got outputs 0; expected a positive integer."],
    [() => tabular({ outputs: 1, hidden: [8, 0.5] }), "tabular: got hidden 0.5; expected a positive integer."],
    [() => tabular({ outputs: 1, levels: -1 }), "tabular: got levels -1; expected a whole number from 0."],
  ])("%s", (make, message) => {
    expect(make).toThrow(new OptionError(message));
  });

  test("categories without levels, and levels without categories", () => {
    const both = { numbers: numbers.aval, categories: categories.aval };
    expect(() => model(tabular({ outputs: 1 })).init(1, both as never)).toThrow(ShapeError);
    expect(() => model(tabular({ outputs: 1 })).init(1, both as never)).toThrow("expected numbers f32[N, K] alone");
    expect(() => model(tabular({ outputs: 1, levels: 3 })).init(1, numbers.aval as never)).toThrow(
      "tabular: got f32[3,2]; expected { numbers, categories }",
    );
  });
});
