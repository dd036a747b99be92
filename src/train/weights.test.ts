import { expect, test } from "vitest";
import { DataError } from "../core/errors.ts";
import { array, type HostArray, zeros } from "../core/host-array.ts";
import { fit } from "../index.ts";
import { decodeSafetensors } from "../io/safetensors.ts";
import * as nn from "../nn/index.ts";
import { sgd } from "../optim/sgd.ts";
import type { TrainEvent, Weights } from "./events.ts";

const train = {
  inputs: array(
    Float32Array.from({ length: 24 }, (_, i) => Math.sin(i)),
    [8, 3],
  ),
  targets: array(
    Int32Array.from({ length: 8 }, (_, i) => i % 2),
    [8],
  ),
};
const layer = (classes: number): nn.Layer =>
  nn.sequential({ body: nn.linear(4), norm: nn.batchNorm(), head: nn.linear(classes) });
/** At the rate 0 the weights stay where they began. */
const still = { train, epochs: 1, loss: nn.crossEntropy(), optimizer: sgd(0) };

function stateOf(classes: number): Record<string, HostArray> {
  const net = nn.model(layer(classes));
  const { params, buffers } = net.init(77, { dtype: "f32", shape: [2, 3] });
  return net.stateDict(params, buffers);
}

test("a run starts from the weights it is given", async () => {
  const weights: Weights = stateOf(2);
  const run = await fit(layer(2), { ...still, weights });
  const after = await run.weights();
  for (const name of ["body.weight", "norm.weight", "head.weight", "head.bias"])
    expect(after[name]?.data, name).toEqual(weights[name]?.data);
});

test("weights of a classifier for other classes are refused, or left out and named", async () => {
  const weights: Weights = { ...stateOf(5), extra: zeros([1]) };
  await expect(fit(layer(2), { ...still, weights })).rejects.toThrow(DataError);
  const events: TrainEvent[] = [];
  const callbacks = [{ name: "record", on: (event: TrainEvent) => void events.push(event) }];
  const run = await fit(layer(2), { ...still, weights, strict: false, callbacks, seed: 3 });
  expect(events.find(({ type }) => type === "start")).toMatchObject({
    weights: { missing: [], unexpected: ["extra"], mismatched: ["head.weight", "head.bias"] },
  });
  const after = await run.weights();
  const fresh = await (await fit(layer(2), { ...still, seed: 3 })).weights();
  expect(after["body.weight"]?.data).toEqual(weights["body.weight"]?.data);
  expect(after["head.weight"]?.data).toEqual(fresh["head.weight"]?.data);
  expect(after["body.weight"]?.data).not.toEqual(fresh["body.weight"]?.data);
});

test("a saved model has PyTorch's types and all names of tied parameters", async () => {
  const tied = nn.tie(nn.sequential({ up: nn.linear(3), norm: nn.batchNorm(), down: nn.linear(3) }), {
    "down.weight": "up.weight",
  });
  const run = await fit(tied, { ...still, loss: nn.meanSquaredError(), train: { ...train, targets: train.inputs } });
  const bytes = await run.toBytes();
  const headerBytes = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerBytes))) as Record<string, unknown>;
  expect(header["norm.num_batches_tracked"]).toMatchObject({ dtype: "I64", shape: [] });
  const { tensors } = decodeSafetensors(bytes);
  expect(tensors["down.weight"]?.data).toEqual(tensors["up.weight"]?.data);
  expect(tensors["norm.num_batches_tracked"]?.data).toEqual(Int32Array.of(1));
});
