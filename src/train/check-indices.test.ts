import { describe, expect, test } from "vitest";
import { referenceBackend } from "../backends/reference/index.ts";
import { array, type HostArray } from "../core/host-array.ts";
import * as nn from "../nn/index.ts";
import type { Tensor } from "../ops/tensor.ts";
import * as optim from "../optim/index.ts";
import { fitWith } from "./index.ts";

const fit = fitWith(() => referenceBackend());
const indices = (...values: number[]): HostArray => array(values, [values.length / 2, 2], "i32");
const labels = (...values: number[]): HostArray => array(values, [values.length], "i32");

/** A bag of words: the words below 2 are of class 0, the others of class 1. */
const bag = (rows: number): nn.Layer =>
  nn.sequential({
    words: nn.embedding(rows, 4),
    mean: nn.lambda("mean", (x: Tensor) => x.mean(1)),
    head: nn.linear(2),
  });

const options = {
  epochs: 40,
  batchSize: 2,
  loss: nn.crossEntropy(),
  metrics: [nn.accuracy()],
  optimizer: optim.adam(0.1),
};
const train = { name: "words", inputs: indices(0, 1, 2, 3, 1, 1, 3, 2), targets: labels(0, 1, 0, 1) };

describe("indices of the data", () => {
  test("in range train", async () => {
    const run = await fit(bag(4), { ...options, train });
    expect(run.history.at(-1)?.train.accuracy).toBe(1);
  });

  test("out of range are named with their sample and the embedding, before training", async () => {
    await expect(fit(bag(3), { ...options, train })).rejects.toThrow(
      "words: got the index 3 in inputs of sample 1; expected 0 to 2, the rows of sequential.words (embedding).",
    );
    const negative = { ...train, inputs: indices(0, 1, 2, 3, 1, -1, 3, 2) };
    await expect(fit(bag(4), { ...options, train: negative })).rejects.toThrow(
      "words: got the index -1 in inputs of sample 2; expected 0 to 3, the rows of sequential.words (embedding).",
    );
  });

  test("of the validation data too", async () => {
    const validation = { name: "held out", inputs: indices(0, 9), targets: labels(0) };
    await expect(fit(bag(4), { ...options, train, validation })).rejects.toThrow(
      "held out: got the index 9 in inputs of sample 0; expected 0 to 3,",
    );
  });

  test("of data that a trained model is measured on", async () => {
    const run = await fit(bag(4), { ...options, epochs: 1, train });
    const test = { name: "test", inputs: indices(4, 0), targets: labels(0) };
    const message = "test: got the index 4 in inputs of sample 0; expected 0 to 3,";
    await expect(run.evaluate(test)).rejects.toThrow(message);
    await expect(run.measure(test, { accuracy: nn.accuracy() })).rejects.toThrow(message);
  });

  test("in a record of inputs, through a reshape", async () => {
    const both = nn.compose(
      { left: nn.embedding(4, 3), right: nn.embeddingBag(3, 3), head: nn.linear(2) },
      (x: { a: Tensor; b: Tensor }, { left, right, head }) =>
        head(
          left(x.a.reshape([-1, 2]))
            .sum(1)
            .add(right(x.b)),
        ),
    );
    const inputs = { a: indices(0, 1, 2, 3), b: indices(0, 1, 3, 3) };
    await expect(fit(both, { ...options, train: { inputs, targets: labels(0, 1) } })).rejects.toThrow(
      "data: got the index 3 in inputs.b of sample 1; expected 0 to 2, the rows of compose.right (embeddingBag).",
    );
  });

  test("that a model clips, or gathers itself, are its own affair", async () => {
    const clipped = nn.compose({ words: nn.embedding(3, 4), head: nn.linear(2) }, (x: Tensor, { words, head }) =>
      head(words(x.minimum(2)).mean(1)),
    );
    const own = nn.defineLayer({
      kind: "own",
      init: (key) => ({ table: nn.init.normal().sample(key, [3, 2]) }),
      apply: ({ table }, x: Tensor) => table.gather(x).mean(1),
    });
    for (const layer of [clipped, own])
      expect(Number.isFinite((await fit(layer, { ...options, train })).history.at(-1)?.train.loss)).toBe(true);
  });
});
