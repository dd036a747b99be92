import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { referenceBackend } from "../backends/reference/index.ts";
import { wasmBackend } from "../backends/wasm/index.ts";
import { array, type HostArray } from "../core/host-array.ts";
import { keyOf, uniformAt } from "../core/prng.ts";
import { type Dataset, dataset } from "../data/dataset.ts";
import { decodeSafetensors, encodeSafetensors } from "../io/safetensors.ts";
import * as nn from "../nn/index.ts";
import type { Tensor } from "../ops/tensor.ts";
import * as optim from "../optim/index.ts";
import { type FitOptions, fitWith } from "./fit.ts";
import { loadWith } from "./load.ts";

const fit = fitWith(() => referenceBackend());
const load = loadWith(() => referenceBackend());

/** Small u8 pictures: bright above or bright below. */
function pictures(count: number): Dataset {
  const key = keyOf(9);
  const images = new Uint8Array(count * 16);
  const labels = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    labels[i] = i % 2;
    for (let p = 0; p < 16; p++) {
      const bright = p < 8 === (i % 2 === 0);
      images[i * 16 + p] = Math.floor(uniformAt(key, i * 16 + p) * 100) + (bright ? 150 : 0);
    }
  }
  const preprocessing = { kind: "standardize", scale: 1 / 255, mean: [0.4], std: [0.3] } as const;
  return dataset(array(images, [count, 1, 4, 4]), array(labels), { classes: ["up", "down"], preprocessing });
}

const net = () =>
  nn.sequential(
    nn.conv2d(4, 3, { padding: 1 }),
    nn.batchNorm(),
    nn.relu(),
    nn.flatten(),
    nn.dropout(0.2),
    nn.linear(2),
  );

const options = (train: Dataset): FitOptions<HostArray, HostArray, Tensor> => ({
  train,
  epochs: 4,
  batchSize: 8,
  seed: 2,
  loss: nn.crossEntropy({ labelSmoothing: 0.05 }),
  metrics: [nn.accuracy()],
  optimizer: optim.adam(0.01),
});

test("a saved model comes back with weights, running statistics, preprocessing, classes, loss and metrics", async () => {
  const data = pictures(40);
  const run = await fit(net(), options(data));
  const model = await load(await run.toBytes());
  expect(await model.weights()).toEqual(await run.weights());
  expect(Object.keys(await model.weights())).toEqual(
    expect.arrayContaining(["0.weight", "1.running_mean", "1.running_var"]),
  );
  expect(model.classes).toEqual(["up", "down"]);
  expect(await model.predict(data.inputs)).toEqual(await run.predict(data.inputs));
  const [again, first] = [await model.evaluate(data), await run.evaluate(data)];
  expect(again.accuracy).toBe(1);
  // The run's batches are shorter, so its sums round elsewhere.
  expect(again.loss as number).toBeCloseTo(first.loss as number, 6);
});

test("batches of any length give what single samples give", async () => {
  const data = pictures(40);
  const run = await fit(net(), options(data));
  const all = await run.predict(data.inputs);
  expect(all).toHaveLength(40);
  for (const i of [0, 7, 39]) {
    const one = array((data.inputs.data as Uint8Array).slice(i * 16, (i + 1) * 16), [1, 4, 4]);
    const [single] = await run.predict(one);
    expect(single.label).toBe(all[i]?.label);
    expect(single.probability).toBeCloseTo(all[i]?.probability as number, 5);
  }
});

test("calls made at once take turns on one backend", async () => {
  const data = pictures(24);
  const run = await fitWith(() => wasmBackend())(net(), options(data));
  const [a, b, metrics] = await Promise.all([run.predict(data.inputs), run.predict(data.inputs), run.evaluate(data)]);
  expect(a).toEqual(b);
  expect(metrics.accuracy).toBe(1);
});

test("weights go out and in; what does not fit is refused whole", async () => {
  const data = pictures(24);
  const run = await fit(net(), options(data));
  const before = await run.weights();
  const bias = before["5.bias"] as HostArray;
  run.setWeights({ ...before, "5.bias": array([100, -100]) });
  expect((await run.predict(data.inputs)).every(({ label }) => label === "up")).toBe(true);
  const { "5.bias": _, ...missing } = before;
  expect(() => run.setWeights(missing)).toThrow("setWeights: 5.bias is missing; expected f32[2].");
  expect(() => run.setWeights({ ...before, extra: bias })).toThrow(
    "setWeights: got extra, which the model does not have.",
  );
  expect(() => run.setWeights({ ...before, "5.bias": array([1, 2, 3]) })).toThrow(
    "got f32[3] for 5.bias; expected f32[2].",
  );
  run.setWeights(before);
  expect(await run.weights()).toEqual(before);
});

test("load reads an address", async () => {
  const data = pictures(24);
  const bytes = await (await fit(net(), options(data))).toBytes();
  const server = createServer((request, response) => {
    response.statusCode = request.url === "/runs/a/model.safetensors" ? 200 : 404;
    response.end(response.statusCode === 200 ? bytes : "");
  });
  await new Promise<void>((ready) => {
    server.listen(0, "127.0.0.1", ready);
  });
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    for (const source of [`${address}/runs/a`, `${address}/runs/a/`, new URL(`${address}/runs/a/model.safetensors`)]) {
      const [first] = await (await load(source)).predict(data.inputs);
      expect(first.label).toBe("up");
    }
    await expect(load(`${address}/runs/b`)).rejects.toThrow(/cannot read .*runs\/b\/model\.safetensors: 404/);
  } finally {
    server.close();
  }
});

test("layers of one's own are built by the functions given", async () => {
  const data = pictures(24);
  const scale = (factor: number) =>
    nn.defineLayer({ kind: "scale", config: { factor }, apply: (_, x: Tensor) => x.mul(factor) });
  const run = await fit(nn.sequential(nn.flatten(), scale(0.5), nn.linear(2)), options(data));
  const bytes = await run.toBytes();
  await expect(load(bytes)).rejects.toThrow(/model\.safetensors: config: got the layer kind "scale"/);
  const model = await load(bytes, { layers: { scale: (o) => scale(o.number("factor")) } });
  expect(await model.predict(data.inputs)).toEqual(await run.predict(data.inputs));
});

test("a damaged or foreign file is refused", async () => {
  const bytes = await (await fit(net(), options(pictures(24)))).toBytes();
  const { tensors, metadata } = decodeSafetensors(bytes);
  const again = (changes: Record<string, string>, arrays = tensors) =>
    encodeSafetensors(arrays, { ...metadata, ...changes });
  await expect(load(bytes.slice(0, -5))).rejects.toThrow(/truncated/);
  await expect(load(encodeSafetensors(tensors))).rejects.toThrow("has no format note; expected downhill.model.1.");
  await expect(load(again({ format: "downhill.model.9" }))).rejects.toThrow("has the format downhill.model.9");
  await expect(load(again({ downhill: "{" }))).rejects.toThrow("has notes that are not JSON.");
  await expect(load(again({ downhill: "{}" }))).rejects.toThrow("has no model or loss in its notes.");
  const notes = JSON.parse(metadata.downhill as string) as Record<string, unknown>;
  const sample = { dtype: "u8", shape: [1, 4, 5] };
  await expect(load(again({ downhill: JSON.stringify({ ...notes, sample }) }))).rejects.toThrow(/5\.weight/);
  const preparation = { "": { kind: "standardize", scale: 1, mean: [0], std: [0] } };
  await expect(load(again({ downhill: JSON.stringify({ ...notes, preparation }) }))).rejects.toThrow(/std/);
  const { "0.bias": _, ...fewer } = tensors;
  await expect(load(again({}, fewer))).rejects.toThrow("0.bias is missing");
});
