import { afterAll, describe, expect, test } from "vitest";
import { array, type HostArray } from "../../src/core/host-array.ts";
import * as nn from "../../src/nn/index.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { grad } from "../../src/trace/grad.ts";
import { candidates } from "../conformance/candidates.ts";
import { list, run } from "./run.ts";

const backends = candidates.map(({ name, create }) => [name, create()] as const);
afterAll(() => Promise.all(backends.map(([, backend]) => backend.close())));

const weight = array([
  [0, 0],
  [1, 2],
  [3, 4],
]);

describe.each(backends)("on %s", (_name, backend) => {
  const rows = async (layer: nn.Layer, x: HostArray) => {
    const results = await run(backend, { x, weight }, (feed) => {
      const apply = (w: Tensor): Tensor => nn.model(layer).apply({ weight: w }, {}, feed("x"))[0];
      return { y: apply(feed("weight")), dw: grad((w: Tensor) => apply(w).sum())(feed("weight")) };
    });
    return { y: list(results.y), dw: list(results.dw) };
  };
  const nan = Number.NaN;

  test("an index out of range gives NaN and leaves every row's gradient as it is", async () => {
    const x = array([[1, 3, -1, 1]], [1, 4], "i32");
    expect(await rows(nn.embedding(3, 2), x)).toEqual({ y: [1, 2, nan, nan, nan, nan, 1, 2], dw: [0, 0, 2, 2, 0, 0] });
  });

  test("a bag with an index out of range is NaN, and only that one", async () => {
    const x = array([1, 2, 1, 7], [2, 2], "i32");
    expect((await rows(nn.embeddingBag(3, 2), x)).y).toEqual([2, 3, nan, nan]);
    expect((await rows(nn.embeddingBag(3, 2, { mode: "sum", paddingIndex: 0 }), x)).y).toEqual([4, 6, nan, nan]);
    expect((await rows(nn.embeddingBag(3, 2, { mode: "max" }), x)).y).toEqual([3, 4, nan, nan]);
  });

  test("bytes are indices too", async () => {
    expect((await rows(nn.embedding(3, 2), array([2, 0], [2], "u8"))).y).toEqual([3, 4, 0, 0]);
  });
});

test("the padding row starts at 0, whatever the initialiser, and others are normal", () => {
  const first = (layer: nn.Layer): readonly number[] => {
    const { params } = nn.model(layer).init(1, { dtype: "i32", shape: [1] });
    return Array.from((params as { weight: HostArray }).weight.data);
  };
  const plain = first(nn.embedding(4, 1000));
  const padded = first(nn.embedding(4, 1000, { paddingIndex: -2 }));
  expect(padded.slice(2000, 3000)).toEqual(new Array(1000).fill(0));
  expect([...padded.slice(0, 2000), ...padded.slice(3000)]).toEqual([...plain.slice(0, 2000), ...plain.slice(3000)]);
  expect(first(nn.embedding(2, 2, { paddingIndex: 0, weightInit: nn.init.ones() }))).toEqual([0, 0, 1, 1]);
  const std = Math.sqrt(plain.reduce((sum, v) => sum + v * v, 0) / plain.length);
  // Five deviations of 1 / sqrt(2 * 4000).
  expect(Math.abs(std - 1)).toBeLessThan(0.056);
});

test.each<[() => unknown, string]>([
  [() => nn.embedding(0, 2), "embedding: got numEmbeddings 0; expected a positive integer."],
  [() => nn.embedding(3, 2, { paddingIndex: 3 }), "embedding: got paddingIndex 3; expected an integer in [-3, 2]."],
  [
    () => nn.embeddingBag(3, 2, { paddingIndex: -4 }),
    "embeddingBag: got paddingIndex -4; expected an integer in [-3, 2].",
  ],
  [
    () => nn.model(nn.sequential(nn.embedding(3, 2))).init(1, { dtype: "f32", shape: [2, 3] }),
    "sequential.0 (embedding): got f32[2,3]; expected indices i32[N, ...].",
  ],
  [
    () => nn.model(nn.embeddingBag(3, 2)).init(1, { dtype: "i32", shape: [2] }),
    "embeddingBag: got i32[2]; expected indices i32[N, L].",
  ],
])("what does not fit is named (%#)", (make, message) => {
  expect(make).toThrow(message);
});
