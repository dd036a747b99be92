import { describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import { array, HostArray } from "../../src/core/host-array.ts";
import { keyOf, normalAt } from "../../src/core/prng.ts";
import { leavesOf, unflatten } from "../../src/core/tree.ts";
import type { Program } from "../../src/ir/program.ts";
import * as nn from "../../src/nn/index.ts";
import type { AnyLayer, AvalsOf, Layer } from "../../src/nn/layer.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { checkGradient } from "../../src/testing/check-gradient.ts";
import { grad, type TensorTree } from "../../src/trace/grad.ts";
import { Key } from "../../src/trace/random.ts";
import { traceProgram } from "../../src/trace/trace.ts";
import { list, run } from "./run.ts";

const aval = (...shape: number[]) => ({ dtype: "f32", shape }) as const;
const shapesOf = (layer: Layer, ...shape: number[]) =>
  leavesOf<HostArray>(nn.model(layer).init(1, aval(...shape)).params).map(([path, { shape }]) => [path, shape]);

function numbers(seed: number, shape: readonly number[]): HostArray {
  const size = shape.reduce((n, s) => n * s, 1);
  return new HostArray(
    "f32",
    shape,
    Float64Array.from({ length: size }, (_, i) => 0.5 * normalAt(keyOf(seed), i)),
  );
}

describe("parameters", () => {
  test("have PyTorch's names and shapes, layer by layer and direction by direction", () => {
    expect(shapesOf(nn.lstm(5, { numLayers: 2, bidirectional: true }), 2, 3, 7)).toEqual([
      ["weight_ih_l0", [20, 7]],
      ["weight_hh_l0", [20, 5]],
      ["bias_ih_l0", [20]],
      ["bias_hh_l0", [20]],
      ["weight_ih_l0_reverse", [20, 7]],
      ["weight_hh_l0_reverse", [20, 5]],
      ["bias_ih_l0_reverse", [20]],
      ["bias_hh_l0_reverse", [20]],
      ["weight_ih_l1", [20, 10]],
      ["weight_hh_l1", [20, 5]],
      ["bias_ih_l1", [20]],
      ["bias_hh_l1", [20]],
      ["weight_ih_l1_reverse", [20, 10]],
      ["weight_hh_l1_reverse", [20, 5]],
      ["bias_ih_l1_reverse", [20]],
      ["bias_hh_l1_reverse", [20]],
    ]);
    expect(shapesOf(nn.gru(4, { bias: false }), 1, 1, 3)).toEqual([
      ["weight_ih_l0", [12, 3]],
      ["weight_hh_l0", [12, 4]],
    ]);
    expect(shapesOf(nn.rnn(4), 1, 1, 3).map(([, shape]) => shape)).toEqual([[4, 3], [4, 4], [4], [4]]);
  });

  test("are uniform in ±1 / sqrt(hidden), each drawn by itself", () => {
    const { params } = nn.model(nn.lstm(25)).init(1, aval(1, 1, 300));
    const leaves = leavesOf<HostArray>(params);
    for (const [path, { data }] of leaves) {
      const sizes = Array.from(data, Math.abs);
      expect(Math.max(...sizes), path).toBeLessThanOrEqual(0.2);
      // The largest of 100 or more: below 0.18 with probability 0.9^100.
      expect(Math.max(...sizes), path).toBeGreaterThan(0.18);
    }
    expect(leaves[2]?.[1].data).not.toEqual(leaves[3]?.[1].data);
  });
});

describe("outputs", () => {
  test("are f32[N, T, H], or the last step's, or with the state", () => {
    const shape = (layer: Layer) => nn.model(layer).init(1, aval(2, 6, 3)).output.shape;
    expect(shape(nn.gru(5))).toEqual([2, 6, 5]);
    expect(shape(nn.gru(5, { batchFirst: false }))).toEqual([2, 6, 5]);
    expect(shape(nn.gru(5, { bidirectional: true }))).toEqual([2, 6, 10]);
    expect(shape(nn.gru(5, { returnSequences: false, bidirectional: true }))).toEqual([2, 10]);
    expect(shape(nn.gru(5, { returnSequences: false, batchFirst: false }))).toEqual([6, 5]);
    const both = nn.lstm(5, { state: true, numLayers: 3, bidirectional: true });
    expect(nn.model(both).init(1, { x: aval(2, 6, 3) }).output).toEqual({
      output: aval(2, 6, 10),
      h: aval(6, 2, 5),
      c: aval(6, 2, 5),
    });
  });

  test("a second half continues from the first half's state", async () => {
    const layer = nn.lstm(3, { state: true, numLayers: 2 });
    const model = nn.model(layer);
    const { params } = model.init(5, { x: aval(2, 6, 4) });
    const values = await run(referenceBackend(), { x: numbers(1, [2, 6, 4]) }, (feed) => {
      const x = feed("x");
      const leaves = leavesOf<HostArray>(params).map(([, value]) => x.constant(value));
      const at = unflatten<HostArray, Tensor>(params, leaves);
      const [whole] = model.apply(at, {}, { x });
      const [first] = model.apply(at, {}, { x: x.narrow(1, 0, 2) });
      const [second] = model.apply(at, {}, { x: x.narrow(1, 2, 4), h: first.h, c: first.c });
      return { whole: whole.output, joined: first.output.concat([second.output], 1), h: whole.h, last: second.h };
    });
    expect(values.joined).toEqual(values.whole);
    expect(values.last).toEqual(values.h);
  });
});

describe("dropout between layers", () => {
  // Two layers that hand positive numbers on, so that what is dropped shows.
  const forward = (training: boolean, seed = 1, p = 0.5, numLayers = 2) =>
    run(referenceBackend(), { key: array([0, seed], [2], "i32") }, (feed) => {
      const x = feed("key").full(1, [100, 100, 1], "f32");
      const model = nn.model(nn.rnn(1, { nonlinearity: "relu", numLayers, dropout: p, bias: false }));
      const params = Object.fromEntries(
        Array.from({ length: numLayers }).flatMap((_, i) => [
          [`weight_ih_l${i}`, x.full(1, [1, 1])],
          [`weight_hh_l${i}`, x.full(0, [1, 1])],
        ]),
      );
      const out = (at: Tensor): Tensor => model.apply(params, {}, at, { training, key: new Key(feed("key")) })[0];
      return { y: out(x), dx: grad((at: Tensor) => out(at).sum())(x) };
    });

  test("drops p of the outputs but the last layer's, scales the rest, and masks the gradient alike", async () => {
    const { y, dx } = await forward(true);
    const kept = list(y).filter((value) => value !== 0);
    // 10,000 trials: the deviation is 50.
    expect(Math.abs(kept.length - 5_000)).toBeLessThan(250);
    expect(new Set(kept)).toEqual(new Set([2]));
    expect(dx).toEqual(y);
    expect((await forward(true, 2)).y).not.toEqual(y);
  });

  test("draws for each layer anew", async () => {
    const { y } = await forward(true, 1, 0.5, 3);
    expect(Math.abs(list(y).filter((value) => value === 4).length - 2_500)).toBeLessThan(220);
  });

  test("does nothing in evaluation, and drops all at p = 1", async () => {
    expect(new Set(list((await forward(false)).y))).toEqual(new Set([1]));
    expect(new Set(list((await forward(true, 1, 1)).y))).toEqual(new Set([0]));
  });
});

describe("derivatives", () => {
  const cases: readonly (readonly [string, AnyLayer, cells: readonly string[]])[] = [
    ["lstm", nn.lstm(2, { state: true, bidirectional: true }), ["h", "c"]],
    ["gru", nn.gru(2, { state: true, bidirectional: true }), ["h"]],
    ["rnn", nn.rnn(2, { state: true, bidirectional: true }), ["h"]],
    ["lstmCell", nn.lstmCell(2), ["h", "c"]],
    ["gruCell", nn.gruCell(2), ["h"]],
    ["rnnCell", nn.rnnCell(2), ["h"]],
  ];
  test.each(cases)("of %s, first and second, by every input and parameter", async (kind, layer, cells) => {
    const given = layer as unknown as Layer<TensorTree, TensorTree>;
    const shapes = kind.endsWith("Cell")
      ? { x: [2, 3], h: [2, 2], c: [2, 2] }
      : { x: [2, 3, 3], h: [2, 2, 2], c: [2, 2, 2] };
    const inputs = (["x", ...cells] as (keyof typeof shapes)[]).map(
      (name, i) => [name, numbers(i, shapes[name])] as const,
    );
    const input = Object.fromEntries(inputs.map(([name, { aval }]) => [name, aval]));
    const model = nn.model(given);
    const { params } = model.init(1, input as AvalsOf<TensorTree>);
    const weights = leavesOf<HostArray>(params).map(([, { shape }], i) => numbers(10 + i, shape));
    const f = (...all: readonly Tensor[]): Tensor => {
      const own = unflatten<HostArray, Tensor>(params, all.slice(inputs.length));
      const [y] = model.apply(own, {}, Object.fromEntries(inputs.map(([name], i) => [name, all[i] as Tensor])));
      return leavesOf<Tensor>(y)
        .map(([, leaf], i) => leaf.flatten().mul(i + 1))
        .reduce((a, b) => a.concat([b], 0));
    };
    const all = [...inputs.map(([, value]) => value), ...weights];
    for (const order of [1, 2] as const) {
      const { derivative } = await checkGradient(f, all, { order });
      expect(Math.abs(derivative)).toBeGreaterThan(1e-3);
    }
  });

  test("of the weights are products over all steps: one product in each scan", () => {
    const dots: number[] = [];
    const visit = (program: Program, inside: boolean): void => {
      for (const { primitive, programs } of program.equations) {
        if (inside && primitive === "dot") dots[dots.length - 1] = (dots.at(-1) ?? 0) + 1;
        for (const nested of programs ?? []) {
          if (primitive === "scan") dots.push(0);
          visit(nested, inside || primitive === "scan");
        }
      }
    };
    for (const layer of [nn.lstm(4), nn.gru(4), nn.rnn(4)]) {
      const model = nn.model(layer);
      const { params } = model.init(1, aval(2, 5, 3));
      const leaves = leavesOf<HostArray>(params);
      const specs = [aval(2, 5, 3), ...leaves.map(([, value]) => value.aval)];
      const program = traceProgram(
        specs.map((each, i) => ({ path: `${i}`, aval: each, role: "argument" })),
        ([x, ...weights]) => {
          const f = (own: readonly Tensor[]): Tensor =>
            model.apply(unflatten<HostArray, Tensor>(params, own), {}, x as Tensor)[0].sum();
          return grad(f)(weights).map((value, i) => ({ path: `${i}`, value, role: "result" }));
        },
      );
      visit(program, false);
    }
    expect(dots).toEqual([1, 1, 1, 1, 1, 1]);
  });
});

describe("what does not fit", () => {
  test("options", () => {
    expect(() => nn.lstm(0)).toThrow("lstm: got hiddenSize 0; expected a positive integer.");
    expect(() => nn.gru(4, { numLayers: 1.5 })).toThrow("gru: got numLayers 1.5; expected a positive integer.");
    expect(() => nn.gru(4, { numLayers: 2, dropout: -0.1 })).toThrow(
      "gru: got dropout -0.1; expected a probability in [0, 1].",
    );
    expect(() => nn.lstm(4, { dropout: 0.5 })).toThrow("lstm: got dropout 0.5 with 1 layer; expected several.");
    expect(() => nn.rnn(4, { nonlinearity: "sigmoid" as "tanh" })).toThrow(
      "rnn: got nonlinearity sigmoid; expected tanh or relu.",
    );
    expect(() => nn.lstmCell(0)).toThrow("lstmCell: got hiddenSize 0");
    expect(() => nn.rnnCell(1, { nonlinearity: "elu" as "relu" })).toThrow("rnnCell: got nonlinearity elu");
  });

  test("inputs, with the layer's path", () => {
    const model = nn.model(nn.sequential(nn.identity(), nn.lstm(4)));
    const { params, buffers } = model.init(1, aval(2, 5, 3));
    expect(() => model.init(1, aval(2, 5))).toThrow("sequential.1 (lstm): got f32[2,5]; expected f32[N, T, in].");
    expect(() => model.outputOf(params, buffers, aval(2, 5, 4))).toThrow(
      "sequential.1 (lstm): got f32[2,5,4]; expected f32[N, T, 3] for weight_ih_l0 [16, 3].",
    );
    expect(() => nn.model(nn.gru(4, { batchFirst: false })).init(1, aval(3))).toThrow(
      "gru: got f32[3]; expected f32[T, N, in].",
    );
    expect(() => nn.model(nn.gru(4)).init(1, aval(2, 0, 3))).toThrow("gru: got f32[2,0,3]");
  });

  test("states", () => {
    const model = nn.model(nn.lstm(4, { state: true, bidirectional: true }));
    const at = (h?: readonly number[], c?: readonly number[]) => () =>
      model.init(1, { x: aval(2, 5, 3), ...(h && { h: aval(...h) }), ...(c && { c: aval(...c) }) });
    expect(at([2, 2, 4], [2, 2, 4])().output.c).toEqual(aval(2, 2, 4));
    expect(at([2, 2, 4])).toThrow("lstm: got h without c; expected both, or neither for zeros.");
    expect(at([1, 2, 4], [2, 2, 4])).toThrow("lstm: got h f32[1,2,4]; expected f32[2,2,4].");
    expect(at([2, 2, 4], [2, 2, 5])).toThrow("lstm: got c f32[2,2,5]; expected f32[2,2,4].");
    expect(() => nn.model(nn.gruCell(4)).init(1, { x: aval(2, 3), h: aval(3, 4) })).toThrow(
      "gruCell: got h f32[3,4]; expected f32[2,4].",
    );
    expect(() => nn.model(nn.rnnCell(4)).init(1, { x: aval(2, 3, 1) })).toThrow(
      "rnnCell: got f32[2,3,1]; expected f32[N, in].",
    );
  });
});

test.each<readonly [string, AnyLayer]>([
  [
    "lstm",
    nn.lstm(4, {
      numLayers: 2,
      bidirectional: true,
      bias: false,
      dropout: 0.25,
      batchFirst: false,
      returnSequences: false,
    }),
  ],
  ["gru with its state", nn.gru(3, { state: true })],
  ["rnn", nn.rnn(3, { nonlinearity: "relu" })],
  ["lstmCell", nn.lstmCell(3, { bias: false })],
  ["gruCell", nn.gruCell(3)],
  ["rnnCell", nn.rnnCell(3, { nonlinearity: "relu" })],
])("%s comes back from its configuration", (_name, { config }) => {
  expect(nn.layerFromConfig(JSON.parse(JSON.stringify(config))).config).toEqual(config);
});

test("a rematerialised layer has the same gradients", async () => {
  const x = numbers(1, [2, 3, 4]);
  const gradients = async (layer: Layer) => {
    const model = nn.model(layer);
    const { params } = model.init(1, aval(2, 3, 4));
    const weights = leavesOf<HostArray>(params).map(([path, { shape }], i) => [path, numbers(i, shape)] as const);
    const found = await run(referenceBackend({ precision: "f64" }), { x, ...Object.fromEntries(weights) }, (feed) => {
      const names = ["x", ...weights.map(([path]) => path)];
      const f = ([at, ...own]: readonly Tensor[]): Tensor =>
        model
          .apply(unflatten<HostArray, Tensor>(params, own), {}, at as Tensor)[0]
          .square()
          .sum();
      const found = grad(f)(names.map(feed));
      return Object.fromEntries(names.map((name, i) => [name, found[i] as Tensor]));
    });
    return Object.entries(found).map(([path, values]) => [path, list(values)] as const);
  };
  for (const layer of [nn.lstm(3), nn.gru(3, { bidirectional: true })]) {
    const again = Object.fromEntries(await gradients(nn.remat(layer)));
    for (const [path, values] of await gradients(layer)) {
      expect(again[path], path).toHaveLength(values.length);
      values.forEach((value, i) => {
        expect(again[path]?.[i], `${path}[${i}]`).toBeCloseTo(value, 12);
      });
    }
  }
});
