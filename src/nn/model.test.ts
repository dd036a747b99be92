import { describe, expect, test } from "vitest";
import { DataError, OptionError, ShapeError } from "../core/errors.ts";
import { array, type HostArray } from "../core/host-array.ts";
import { leavesOf, mapTree } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { traceProgram } from "../trace/trace.ts";
import * as nn from "./index.ts";

const aval = (...shape: number[]) => ({ dtype: "f32", shape }) as const;
const images = aval(32, 1, 28, 28);

function errorOf(f: () => unknown): Error {
  try {
    f();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}

describe("init", () => {
  test("gives PyTorch's names and layouts", () => {
    const { params, buffers, output } = nn.model(nn.cnn({ classes: 10 })).init(1, images);
    const shapes = leavesOf<HostArray>(params).map(([path, { shape }]) => `${path} [${shape}]`);
    expect(shapes).toEqual([
      "0.weight [32,1,3,3]",
      "0.bias [32]",
      "3.weight [64,32,3,3]",
      "3.bias [64]",
      "7.weight [128,3136]",
      "7.bias [128]",
      "9.weight [10,128]",
      "9.bias [10]",
    ]);
    expect(leavesOf(buffers)).toEqual([]);
    expect(output).toEqual(aval(32, 10));
  });

  test("depends on the seed and the layer's name, not on the batch size", () => {
    const make = (seed: number, batch: number): Record<string, HostArray> => {
      const made = nn.model(nn.sequential(nn.linear(4), nn.linear(4))).init(seed, aval(batch, 4));
      return Object.fromEntries(leavesOf<HostArray>(made.params));
    };
    expect(make(1, 2)["0.weight"]?.data).toEqual(make(1, 9)["0.weight"]?.data);
    expect(make(1, 2)["0.weight"]?.data).not.toEqual(make(2, 2)["0.weight"]?.data);
    expect(make(1, 2)["0.weight"]?.data).not.toEqual(make(1, 2)["1.weight"]?.data);
  });

  test("draws linear and convolution weights and biases in PyTorch's default range", () => {
    const { params } = nn
      .model(nn.sequential(nn.conv2d(64, 3, { groups: 2 }), nn.flatten(), nn.linear(50)))
      .init(1, aval(1, 8, 5, 5));
    for (const [path, { data }] of leavesOf<HostArray>(params)) {
      const bound = path.startsWith("0") ? 1 / Math.sqrt(4 * 9) : 1 / Math.sqrt(64 * 9);
      const largest = Math.max(...Array.from(data, Math.abs));
      expect(largest, path).toBeLessThanOrEqual(Math.fround(bound));
      expect(largest, path).toBeGreaterThan(0.9 * bound);
    }
  });
});

describe("shape errors", () => {
  const initOf =
    (layer: nn.Layer, ...shape: number[]) =>
    (): unknown =>
      nn.model(layer).init(1, aval(...shape));

  test.each<[string, () => unknown, string]>([
    [
      "a flatten is missing",
      initOf(nn.sequential(nn.conv2d(64, 3), nn.relu(), nn.maxPool2d(2), nn.linear(10)), 32, 1, 14, 14),
      "sequential.3 (linear): got f32[32,64,6,6]; expected f32[N, in]. Hint: put nn.flatten() before it, or give inFeatures to act on the last axis.",
    ],
    [
      "a nested layer",
      initOf(
        nn.sequential({ stem: nn.flatten(), body: nn.residual(nn.sequential(nn.linear(5), nn.conv2d(4, 3))) }),
        2,
        5,
      ),
      "sequential.body.inner.1 (conv2d): got f32[2,5]; expected f32[N, C, H, W].",
    ],
    [
      "a residual that changes its size",
      initOf(nn.sequential(nn.residual(nn.linear(5))), 2, 3),
      "sequential.0 (residual): got f32[2,5] from the inner layer and f32[2,3] from the shortcut; expected equal shapes. Hint: give a shortcut such as nn.conv2d(channels, 1, { stride }).",
    ],
    [
      "an operation inside a lambda",
      initOf(nn.sequential(nn.lambda("gram", (x) => x.matmul(x))), 2, 3),
      "sequential.0 (gram): matmul: got f32[2,3] and f32[2,3]; expected the last axis of the first to equal the last but one of the second.",
    ],
    [
      "groups",
      initOf(nn.conv2d(4, 3, { groups: 2 }), 1, 3, 8, 8),
      "conv2d: got f32[1,3,8,8]; expected a multiple of 2 channels, one part for each group.",
    ],
  ])("%s", (_name, make, message) => {
    expect(errorOf(make)).toBeInstanceOf(ShapeError);
    expect(errorOf(make).message).toBe(message);
  });

  test("a window larger than its image names the layer and both sizes", () => {
    expect(initOf(nn.sequential(nn.relu(), nn.conv2d(4, 5)), 1, 3, 4, 8)).toThrow(
      "sequential.1 (conv2d): got input f32[1,3,4,8] and kernel 5x5; expected a kernel no larger than the padded input.",
    );
  });

  test("weights made for other inputs are named when the model is applied", () => {
    const model = nn.model(nn.sequential(nn.flatten(), nn.linear(10)));
    const { params } = model.init(1, aval(1, 1600));
    const apply = (): unknown =>
      traceProgram([{ path: "x", aval: aval(32, 1568), role: "feed" }], ([x]) => {
        const [y] = model.apply(
          mapTree<HostArray, Tensor>(params, (value) => (x as Tensor).constant(value)),
          {},
          x as Tensor,
        );
        return [{ path: "y", value: y, role: "result" }];
      });
    expect(apply).toThrow(
      "sequential.1 (linear): got f32[32,1568]; expected f32[N, 1600] for the weight f32[10,1600].",
    );
  });

  test("a training batch of one value for each channel is refused", () => {
    const model = nn.model(nn.sequential(nn.batchNorm()));
    const { params, buffers } = model.init(1, aval(1, 4));
    const apply = (): unknown =>
      traceProgram([{ path: "x", aval: aval(1, 4), role: "feed" }], ([x]) => {
        const at = (value: HostArray): Tensor => (x as Tensor).constant(value);
        model.apply(mapTree(params, at), mapTree(buffers, at), x as Tensor, { training: true });
        return [];
      });
    expect(apply).toThrow(
      "sequential.0 (batchNorm): got f32[1,4] in training; expected more than one value for each channel.",
    );
  });
});

test("bad options name the layer and the option", () => {
  expect(() => nn.linear(0)).toThrow(new OptionError("linear: got outFeatures 0; expected a positive integer."));
  expect(() => nn.conv2d(4, [3, 0])).toThrow("conv2d: got kernel 0; expected a positive integer.");
  expect(() => nn.conv2d(4, 3, { groups: 3 })).toThrow(
    "conv2d: got 4 output channels and 3 groups; expected a multiple.",
  );
  expect(() => nn.dropout(1.5)).toThrow("dropout: got p 1.5; expected a probability in [0, 1].");
  expect(() => nn.batchNorm({ momentum: 2 })).toThrow(
    "batchNorm: got momentum 2; expected a number in [0, 1] or null.",
  );
  expect(() => nn.sequential()).toThrow("sequential: got no layers; expected at least one.");
  expect(() => nn.sequential({ "a.b": nn.relu() })).toThrow(
    'sequential: got the child name "a.b"; expected text without dots.',
  );
  expect(() => nn.crossEntropy({ reduction: "none" })).toThrow(
    'crossEntropy: got reduction "none"; expected "mean" or "sum"',
  );
});

describe("a state dict", () => {
  const model = nn.model(nn.sequential(nn.linear(2), nn.batchNorm()));
  const input = aval(4, 3);
  const { params, buffers } = model.init(5, input);
  const state = model.stateDict(params, buffers);

  test("holds parameters and buffers under PyTorch's names, and gives them back", () => {
    expect(Object.keys(state)).toEqual([
      "0.weight",
      "0.bias",
      "1.weight",
      "1.bias",
      "1.running_mean",
      "1.running_var",
      "1.num_batches_tracked",
    ]);
    expect(model.fromStateDict(state, input)).toEqual({ params, buffers, missing: [], unexpected: [], mismatched: [] });
  });

  test("with a name missing, left over or of another shape is refused", () => {
    const { "0.bias": bias, ...rest } = state;
    expect(() => model.fromStateDict(rest, input)).toThrow(DataError);
    expect(() => model.fromStateDict(rest, input)).toThrow("state: 0.bias is missing; expected f32[2].");
    expect(() => model.fromStateDict({ ...state, more: array(1) }, input)).toThrow(
      "state: got more, which this model does not have.",
    );
    expect(() => model.fromStateDict({ ...state, "0.bias": array([1, 2, 3]) }, input)).toThrow(
      "state: got f32[3] for 0.bias; expected f32[2].",
    );
    expect(bias?.shape).toEqual([2]);
  });
});

describe("summary", () => {
  test("lists layers in their given order with output types and counts", () => {
    const text = nn.model(nn.cnn({ classes: 10 })).summary(images);
    expect(text).toMatchInlineSnapshot(`
      "layer                    output                  parameters    FLOPs activations
      --------------------------------------------------------------------------------
      0 conv2d                 f32[32,32,28,28]               320   15.3 M     3.1 MiB
      1 relu                   f32[32,32,28,28]                 0    803 k     3.1 MiB
      2 maxPool2d              f32[32,32,14,14]                 0    803 k   784.0 KiB
      3 conv2d                 f32[32,64,14,14]            18,496    232 M     1.5 MiB
      4 relu                   f32[32,64,14,14]                 0    401 k     1.5 MiB
      5 maxPool2d              f32[32,64,7,7]                   0    401 k   392.0 KiB
      6 flatten                f32[32,3136]                     0        0   392.0 KiB
      7 linear                 f32[32,128]                401,536   25.7 M    16.0 KiB
      8 relu                   f32[32,128]                      0   4.10 k    16.0 KiB
      9 linear                 f32[32,10]                   1,290   82.2 k     1.3 KiB
      --------------------------------------------------------------------------------
      421,642 parameters (1.6 MiB)
      forward pass: 275 M FLOPs, 10.8 MiB of activations"
    `);
    for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });

  test("indents inner layers, and counts shared ones once", () => {
    const block = nn.residual(nn.sequential(nn.linear(6), nn.batchNorm(), nn.relu()));
    const tied = nn.compose({ w: nn.linear(6) }, (x: Tensor, { w }) => w(w(x)), { kind: "tied" });
    expect(nn.model(nn.sequential({ block, tied })).summary(aval(2, 6))).toMatchInlineSnapshot(`
      "layer                    output                  parameters    FLOPs activations
      --------------------------------------------------------------------------------
      block residual           f32[2,6]                                 12
        inner sequential       f32[2,6]
          0 linear             f32[2,6]                        42      156    48 bytes
          1 batchNorm          f32[2,6]                        12       60    48 bytes
          2 relu               f32[2,6]                         0       12    48 bytes
      tied                     f32[2,6]
        w linear               f32[2,6]                        42      156    48 bytes
        w linear               f32[2,6]                    shared      156    48 bytes
      --------------------------------------------------------------------------------
      96 parameters (384 bytes), 13 buffer values
      forward pass: 552 FLOPs, 240 bytes of activations"
    `);
  });
});
