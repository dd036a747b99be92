import { expect, test } from "vitest";
import { wasmBackend } from "../../src/backends/wasm/index.ts";
import { array, type HostArray } from "../../src/core/host-array.ts";
import { keyOf, normalAt } from "../../src/core/prng.ts";
import * as nn from "../../src/nn/index.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import * as optim from "../../src/optim/index.ts";
import { fitWith } from "../../src/train/fit.ts";

const fit = fitWith(() => wasmBackend());
const noise = (count: number, seed: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => normalAt(keyOf(seed), i));

test("CTC finds which of three tones sounded, without being told when", async () => {
  const [samples, steps, tones] = [48, 12, 3];
  const inputs = noise(samples * steps * tones, 1).map((x) => 0.1 * x);
  const targets = new Int32Array(samples * 3);
  const lengths = new Int32Array(samples);
  for (let n = 0; n < samples; n++) {
    // One to three tones of two or three steps each, with silence between.
    const count = 1 + (n % 3);
    lengths[n] = count;
    for (let at = 0, t = n % 2; at < count; at++, t += 4) {
      const tone = (n * 7 + at * at) % tones;
      targets[3 * n + at] = tone + 1;
      for (let step = t; step < Math.min(steps, t + 2 + (n % 2)); step++)
        inputs[(n * steps + step) * tones + tone] = (inputs[(n * steps + step) * tones + tone] as number) + 1;
    }
  }
  const train = {
    inputs: array(inputs, [samples, steps, tones]),
    targets: {
      targets: array(targets, [samples, 3], "i32"),
      inputLengths: array(new Int32Array(samples).fill(steps)),
      targetLengths: array(lengths),
    },
  };
  const run = await fit(nn.sequential(nn.linear(4), nn.logSoftmax(-1)), {
    train,
    epochs: 60,
    batchSize: 16,
    loss: nn.ctc({ batchFirst: true }),
    optimizer: optim.adam(0.1),
  });
  const first = run.history[0]?.train.loss as number;
  const last = run.history.at(-1)?.train.loss as number;
  expect(last).toBeLessThan(0.1 * first);
  const scores = (await run.outputs(train.inputs)) as HostArray;
  const heard = (n: number): number[] => {
    const classes = Array.from({ length: steps }, (_, t) => {
      const row = Array.from({ length: 4 }, (_, c) => scores.data[(n * steps + t) * 4 + c] as number);
      return row.indexOf(Math.max(...row));
    });
    return classes.filter((c, t) => c !== 0 && c !== classes[t - 1]);
  };
  const right = Array.from({ length: samples }, (_, n) => n).filter(
    (n) => String(heard(n)) === String(Array.from(targets.slice(3 * n, 3 * n + (lengths[n] as number)))),
  );
  expect(right.length).toBe(samples);
  await run.close();
});

test("a mean and a variance for each value", async () => {
  const x = noise(256, 2);
  const y = noise(256, 3).map((e, i) => 2 * (x[i] as number) + ((x[i] as number) > 0 ? 1 : 0.1) * e);
  const heads = nn.compose({ mean: nn.linear(1), spread: nn.linear(1) }, (input: Tensor, { mean, spread }) => ({
    mean: mean(input),
    variance: spread(input.greater(0).cast("f32")).exp(),
  }));
  const run = await fit(heads, {
    train: { inputs: array(x, [256, 1]), targets: array(y, [256, 1]) },
    epochs: 80,
    loss: nn.gaussianNll(),
    optimizer: optim.adam(0.05),
  });
  const found = (await run.outputs(array([[-1], [1]]))) as { mean: HostArray; variance: HostArray };
  // 128 samples each: a standard deviation is known to 6 %, a variance to 12 %; the bounds are three of each.
  expect(Math.abs(Math.log((found.variance.data[0] as number) / 0.01))).toBeLessThan(0.38);
  expect(Math.abs(Math.log(found.variance.data[1] as number))).toBeLessThan(0.38);
  expect(Math.abs((found.mean.data[0] as number) + 2)).toBeLessThan(0.1);
  await run.close();
});

test("vectors that a triplet loss pulls together and apart", async () => {
  const count = 60;
  const classes = Array.from({ length: count }, (_, i) => i % 3);
  const points = noise(8 * count, 4).map((e, i) => (i % 8 === classes[i >> 3] ? 2 : 0) + e);
  const of = (pick: (i: number) => number): HostArray =>
    array(
      Float32Array.from({ length: 8 * count }, (_, i) => points[8 * pick(i >> 3) + (i & 7)] as number),
      [count, 8],
    );
  const inputs = {
    anchor: of((i) => i),
    positive: of((i) => (i + 3) % count),
    negative: of((i) => (i + 1) % count),
  };
  const model = nn.compose(
    { embed: nn.linear(2) },
    (x: nn.Triplet, { embed }): nn.Triplet => ({
      anchor: embed(x.anchor),
      positive: embed(x.positive),
      negative: embed(x.negative),
    }),
  );
  const run = await fit(model, {
    train: { inputs, targets: array(new Float32Array(count)) },
    epochs: 40,
    loss: nn.tripletMargin({ swap: true }),
    optimizer: optim.adam(0.05),
  });
  const losses = run.history.map(({ train }) => train.loss as number);
  expect(losses.at(-1)).toBeLessThan(0.5 * (losses[0] as number));
  await run.close();
});
