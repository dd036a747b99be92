import { expect, test } from "vitest";
import { wasmBackend } from "../backends/wasm/index.ts";
import { HostArray } from "../core/host-array.ts";
import { dataset } from "../data/dataset.ts";
import * as augment from "../nn/augment/index.ts";
import * as nn from "../nn/index.ts";
import * as optim from "../optim/index.ts";
import { fitWith } from "./fit.ts";

const fit = fitWith(wasmBackend);

const count = 64;
/** Pictures of class 1 are light in the lower half, of class 0 in the upper. */
const labels = Int32Array.from({ length: count }, (_, n) => ((n * 7) % 3 === 0 ? 1 : 0));
const pixels = Uint8Array.from({ length: count * 16 }, (_, i) => {
  const lower = i % 16 >= 8;
  return lower === (labels[Math.floor(i / 16)] === 1) ? 200 + (i % 50) : i % 40;
});
const train = dataset(new HostArray("u8", [count, 4, 4], pixels), new HostArray("i32", [count], labels));

const run = (made: readonly augment.Augmentation[], loss = nn.crossEntropy()) =>
  fit(nn.sequential(nn.flatten(), nn.linear(2)), {
    train,
    validation: train,
    epochs: 8,
    batchSize: 16,
    loss,
    metrics: [nn.accuracy()],
    optimizer: optim.adam(0.02),
    augment: made,
    seed: 1,
  });

test("mixed pictures teach, their targets have entropy, and validation sees none of it", async () => {
  const plain = await run([]);
  const mixed = await run([augment.mixup(1), augment.cutmix(1)]);
  const last = ({ history }: typeof plain) => history.at(-1) as (typeof history)[number];
  expect(last(mixed).validation?.accuracy).toBe(1);
  expect(last(mixed).train.loss).toBeGreaterThan((last(plain).train.loss as number) + 0.1);
  expect(last(mixed).train.accuracy).toBeGreaterThan(0.6);
  expect((await run([augment.mixup(1), augment.cutmix(1)])).history.map(({ train }) => train.loss)).toEqual(
    mixed.history.map(({ train }) => train.loss),
  );
});

test("a loss or targets that cannot take a mixture are refused", async () => {
  await expect(run([augment.mixup()], nn.nll())).rejects.toThrow(/nll: got /);
  const numbers = dataset(
    new HostArray("u8", [count, 4, 4], pixels),
    new HostArray("f32", [count, 1], Float32Array.from(labels)),
  );
  await expect(
    fit(nn.sequential(nn.flatten(), nn.linear(1)), {
      train: numbers,
      epochs: 1,
      loss: nn.meanSquaredError(),
      optimizer: optim.sgd(0.1),
      augment: [augment.cutmix()],
    }),
  ).rejects.toThrow("fit: got augment.cutmix with targets f32[32,1]; expected a label for each picture.");
});
