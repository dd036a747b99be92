import { expect, test } from "vitest";
import { referenceBackend } from "../backends/reference/index.ts";
import type { Backend } from "../compile/backend.ts";
import { array } from "../core/host-array.ts";
import { dataset } from "../data/dataset.ts";
import * as nn from "../nn/index.ts";
import * as optim from "../optim/index.ts";
import { compileWith } from "./compile.ts";
import { fitWith } from "./fit.ts";
import { loadWith } from "./load.ts";

/** Makes backends that count how many of them were closed. */
function counting(): { make: () => Backend; made: number; closed: number } {
  const counts = {
    made: 0,
    closed: 0,
    make(): Backend {
      counts.made++;
      return Object.assign(referenceBackend(), {
        close: async () => {
          counts.closed++;
        },
      });
    },
  };
  return counts;
}

const train = dataset(array([[0], [1], [2], [3]]), array([0, 0, 1, 1], [4], "i32"));
const options = { train, epochs: 1, batchSize: 4, loss: nn.crossEntropy(), optimizer: optim.sgd(0.1) };
const fails = {
  name: "fails",
  on: () => {
    throw new Error("no more");
  },
};

test("a training that fails ends the backend it made, and leaves one it was given", async () => {
  const counts = counting();
  const fit = fitWith(counts.make);
  await expect(fit(nn.sequential(nn.linear(2)), { ...options, callbacks: [fails] })).rejects.toThrow("no more");
  expect(counts).toMatchObject({ made: 1, closed: 1 });
  const backend = counts.make();
  const given = fit(nn.sequential(nn.linear(2)), { ...options, callbacks: [fails], backend });
  await expect(given).rejects.toThrow("no more");
  expect(counts).toMatchObject({ made: 2, closed: 1 });
});

test("a training that ends well leaves its backend to the run", async () => {
  const counts = counting();
  const run = await fitWith(counts.make)(nn.sequential(nn.linear(2)), options);
  expect(counts).toMatchObject({ made: 1, closed: 0 });
  await run.close();
  expect(counts.closed).toBe(1);
});

test("bytes that are no model end the backend made for them", async () => {
  const counts = counting();
  await expect(loadWith(counts.make)(new Uint8Array(20))).rejects.toThrow(/model\.safetensors/);
  expect(counts).toMatchObject({ made: 1, closed: 1 });
});

test("a step that cannot be compiled ends the backend made for it, and leaves one it was given", async () => {
  const counts = counting();
  const compile = compileWith(counts.make);
  const wrong = { state: { w: array([1, 2]) }, batch: { x: array([1, 2, 3]) } };
  await expect(compile((state, batch) => ({ state: { w: state.w.add(batch.x) } }), wrong)).rejects.toThrow(/\[3\]/);
  expect(counts).toMatchObject({ made: 1, closed: 1 });
  const backend = counts.make();
  const given = { ...wrong, backend };
  await expect(compile((state, batch) => ({ state: { w: state.w.add(batch.x) } }), given)).rejects.toThrow(/\[3\]/);
  expect(counts).toMatchObject({ made: 2, closed: 1 });
});

test("a backend that cannot be made rejects the step instead of throwing at the call", async () => {
  const compile = compileWith(() => {
    throw new Error("no workers");
  });
  const made = compile((state) => ({ state }), { state: { w: array([1]) }, batch: {} });
  await expect(made).rejects.toThrow("no workers");
});
