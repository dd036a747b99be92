import { describe, expect, it } from "vitest";
import { MemorySink } from "../../test/memory-sink.ts";
import { referenceBackend } from "../backends/reference/index.ts";
import { wasmBackend } from "../backends/wasm/index.ts";
import { DataError } from "../core/errors.ts";
import { array, type HostArray } from "../core/host-array.ts";
import { keyOf, normalAt } from "../core/prng.ts";
import { type Dataset, dataset } from "../data/dataset.ts";
import { epochOrder } from "../data/order.ts";
import { balancedSampler, type Sampler } from "../data/sampler.ts";
import { ReadAhead } from "../data/stream/read-ahead.ts";
import type { BatchReader } from "../data/stream/reader.ts";
import { shards, stream } from "../data/stream/stream.ts";
import { type StreamDatasetOptions, streamDataset, streamOf } from "../data/stream/stream-dataset.ts";
import * as augment from "../nn/augment/index.ts";
import * as nn from "../nn/index.ts";
import type { Tensor } from "../ops/tensor.ts";
import * as optim from "../optim/index.ts";
import type { TrainEvent, Weights } from "./events.ts";
import { type FitOptions, fitWith } from "./index.ts";

const fit = fitWith(() => referenceBackend());

/** Pictures whose brighter half is their class, three in ten of the second. */
function pictures(count: number): Dataset {
  const key = keyOf(5);
  const pixels = Uint8Array.from({ length: 64 * count }, (_, i) => {
    const lower = i % 64 >= 32;
    const second = Math.floor(i / 64) % 10 < 3;
    return Math.max(0, Math.min(255, (lower === second ? 150 : 100) + 40 * normalAt(key, i)));
  });
  const labels = Int32Array.from({ length: count }, (_, i) => (i % 10 < 3 ? 1 : 0));
  return dataset(array(pixels, [count, 1, 8, 8]), array(labels), { classes: ["upper", "lower"] });
}

const data = pictures(100);
/** As a run shuffles data in memory. */
const shuffled: Sampler = { config: { kind: "shuffled" }, order: epochOrder };
const { classes = [], preprocessing } = data;
const streamed = (options: StreamDatasetOptions = {}, sampler: Sampler = shuffled) =>
  streamDataset(streamOf(data, sampler), { classes, preprocessing, ...options });

const model = () =>
  nn.sequential(nn.conv2d(4, 3), nn.batchNorm(), nn.relu(), nn.dropout(0.2), nn.flatten(), nn.linear(2));

type Options = FitOptions<HostArray, HostArray, Tensor>;
const basic = {
  epochs: 3,
  batchSize: 16,
  seed: 3,
  loss: nn.crossEntropy(),
  metrics: [nn.accuracy()],
  optimizer: optim.adam(0.01),
} satisfies Partial<Options>;

const bits = async (run: { weights(): Promise<Weights> }): Promise<unknown> =>
  Object.entries(await run.weights()).map(([name, { data }]) => [name, ...new Uint32Array(data.slice().buffer)]);

describe("fit on a stream", () => {
  it("gives the bits of data in memory in the same order", async () => {
    const resident = await fit(model(), { ...basic, train: data });
    const fed = await fit(model(), { ...basic, train: await streamed() });
    expect(await bits(fed)).toEqual(await bits(resident));
    const figures = ({ history }: typeof fed): unknown =>
      history.map(({ step, train, samplesPerEpoch }) => [step, train, samplesPerEpoch]);
    expect(figures(fed)).toEqual(figures(resident));
    expect(fed.classes).toEqual(classes);
  });

  it("gives them up to rounding in WebAssembly, which adds up in another order, and the same each time", async () => {
    const own = fitWith(() => wasmBackend());
    const resident = await own(model(), { ...basic, train: data });
    const [fed, again] = [
      await own(model(), { ...basic, train: await streamed() }),
      await own(model(), { ...basic, train: await streamed() }),
    ];
    expect(await bits(again)).toEqual(await bits(fed));
    for (const [i, { train }] of resident.history.entries())
      expect(fed.history[i]?.train.loss).toBeCloseTo(train.loss as number, 4);
    for (const run of [resident, fed, again]) await run.close();
  });

  it("augments, averages weights with their statistics, and evaluates as data in memory does", async () => {
    const options = {
      ...basic,
      augment: [augment.flip(), augment.crop(1)],
      optimizer: optim.ema(optim.momentum(0.05), { decay: 0.9 }),
    };
    const resident = await fit(model(), { ...options, train: data, validation: pictures(30) });
    const small = pictures(30);
    const validation = await streamDataset(streamOf(small), { classes, preprocessing });
    const fed = await fit(model(), { ...options, train: await streamed(), validation });
    expect(await bits(fed)).toEqual(await bits(resident));
    expect(fed.history.map((e) => e.validation)).toEqual(resident.history.map((e) => e.validation));
    expect(await fed.evaluate(validation)).toEqual(await resident.evaluate(small));
  });

  it("resumes in the middle of an epoch with the same bits", async () => {
    const train = await streamDataset(
      shards([0, 1, 2, 3, 4], (shard) => samplesOf(shard * 20, 20), { count: () => 20 })
        .shuffle(30)
        .map(({ inputs, targets }, { random }) => ({ inputs: brighter(inputs, random()), targets })),
      { classes, preprocessing },
    );
    const options = { ...basic, train, checkpoint: { everySteps: 4 } };
    const whole = new MemorySink();
    const run = await fit(model(), { ...options, sink: whole });
    expect(whole.copies.length).toBeGreaterThan(6);
    for (const killed of whole.copies.slice(0, -2)) {
      killed.resumes = true;
      const resumed = await fit(model(), { ...options, sink: killed });
      expect(await bits(resumed)).toEqual(await bits(run));
      const losses = (log: readonly TrainEvent[]) => log.flatMap((e) => (e.type === "step" ? [e.metrics.loss] : []));
      expect(losses(killed.log)).toEqual(losses(whole.log));
    }
  });

  it("takes part of a pass as an epoch, and says so where a stream ends before", async () => {
    const half = await fit(model(), { ...basic, train: await streamed({ samplesPerEpoch: 50 }) });
    expect(half.history.map(({ step, samplesPerEpoch }) => [step, samplesPerEpoch])).toEqual([
      [4, 50],
      [8, 50],
      [12, 50],
    ]);
    const short = stream((epoch: number) => (epoch < 2 ? samplesOf(0, 40) : samplesOf(0, 30)));
    const train = await streamDataset(short, { classes, name: "short", samplesPerEpoch: 40 });
    await expect(fit(model(), { ...basic, train })).rejects.toThrow(
      "short: ended after 30 samples of epoch 3; expected 40.",
    );
  });

  it("refuses samples that training would choke on, naming them", async () => {
    const of = (samples: readonly { inputs: HostArray | Float32Array; targets: number }[], options = {}) =>
      streamDataset(stream(samples), { classes, name: "odd", ...options });
    await expect(of([])).rejects.toThrow("odd: got no samples; expected at least one.");
    await expect(of([{ inputs: Float32Array.of(1), targets: 2 }])).rejects.toThrow(
      "odd: got the label 2 in targets of sample 0; expected 0 to 1.",
    );
    const good = Array.from({ length: 20 }, (_, i) => ({ inputs: Float32Array.of(i), targets: i % 2 }));
    const train = (last: (typeof good)[0]) =>
      of([...good, last]).then((train) => fit(nn.linear(2), { ...basic, train }));
    await expect(train({ inputs: Float32Array.of(Number.NaN), targets: 0 })).rejects.toThrow(
      "odd: got NaN in inputs of sample 20; expected finite values.",
    );
    await expect(train({ inputs: Float32Array.of(1, 2), targets: 0 })).rejects.toThrow(
      "got f32[2] for inputs of sample 20; expected f32[1]",
    );
    const unknown = stream(() => good);
    await expect(streamDataset(unknown, { classes })).rejects.toThrow(
      "got a stream of unknown length for stream; expected `samplesPerEpoch`",
    );
    await expect(streamDataset(stream(good), { classes, samplesPerEpoch: 21 })).rejects.toThrow(
      "at most the 20 samples of a pass",
    );
    const held = fit(nn.linear(2), { ...basic, train: await of(good), validation: 0.1 });
    await expect(held).rejects.toThrow("fit: got validation 0.1 of a stream; expected a part of its own");
  });
});

describe("fit with a sampler", () => {
  it("trains on what the sampler chooses of the training part, and goes on with the same one only", async () => {
    const sink = new MemorySink();
    const orders: Int32Array[] = [];
    const sampler: Sampler = {
      config: { kind: "balanced" },
      order(seed, epoch, indices) {
        orders.push(indices);
        return balancedSampler(data).order(seed, epoch, indices);
      },
    };
    const run = await fit(model(), { ...basic, train: data, validation: 20, sampler, sink });
    expect(orders).toHaveLength(3);
    expect(orders[0]).toHaveLength(80);
    expect(run.history.at(-1)?.train.accuracy).toBeGreaterThan(0.9);
    expect(sink.log[0]).toMatchObject({ config: { sampler: { kind: "balanced" } } });
    sink.resumes = true;
    await expect(fit(model(), { ...basic, train: data, validation: 20, sink, epochs: 4 })).rejects.toThrow("sampler");
    const train = await streamed();
    expect(() => fit(model(), { ...basic, train, sampler })).toThrow(
      "fit: got a sampler for a stream; expected data in memory.",
    );
  });
});

function samplesOf(from: number, count: number) {
  return Array.from({ length: count }, (_, i) => ({
    inputs: array((data.inputs.data as Uint8Array).slice(64 * (from + i), 64 * (from + i + 1)), [1, 8, 8]),
    targets: data.targets.data[from + i] as number,
  }));
}

function brighter({ data, shape }: HostArray, by: number): HostArray {
  return array(
    Uint8Array.from(data as Uint8Array, (x) => Math.min(255, x + 20 * by)),
    shape,
  );
}

describe("reading ahead", () => {
  const batches = () => {
    const asked: number[] = [];
    let at = 0;
    let closed = false;
    const reader: BatchReader = {
      read: async (count) => {
        asked.push(count);
        const from = at;
        at += count;
        return {
          inputs: array(
            Float32Array.from({ length: 2 * count }, (_, i) => 2 * from + i),
            [count, 2],
          ),
          targets: array(Int32Array.from({ length: count }, (_, i) => from + i)),
        };
      },
      close: async () => {
        closed = true;
      },
    };
    return { reader, asked, isClosed: () => closed };
  };

  it("gives what plain reading gives, whatever is asked for when, and never more than is left", async () => {
    const { reader, asked, isClosed } = batches();
    const ahead = new ReadAhead(reader, 40);
    const seen: number[] = [];
    for (const [count, waits] of [
      [4, true],
      [4, true],
      [10, true],
      [3, true],
      [3, false],
      [6, true],
      [10, true],
    ] as const) {
      const { inputs, targets } = (await ahead.read(count)) as { inputs: HostArray; targets: HostArray };
      expect([inputs.shape, targets.shape]).toEqual([[count, 2], [count]]);
      expect([...inputs.data]).toEqual([...targets.data].flatMap((i) => [2 * i, 2 * i + 1]));
      seen.push(...targets.data);
      ahead.ahead();
      if (waits) await new Promise((resume) => setTimeout(resume, 5));
    }
    expect(seen).toEqual(Array.from({ length: 40 }, (_, i) => i));
    expect(asked.reduce((a, b) => a + b)).toBe(40);
    expect(asked).toContain(10);
    await ahead.close();
    expect(isClosed()).toBe(true);
  });

  it("tells of an error when it is asked for what failed, or never", async () => {
    const failing: BatchReader = {
      ...batches().reader,
      read: async (count) => {
        if (count === 4) throw new DataError("torn", "x");
        return batches().reader.read(count);
      },
    };
    const ahead = new ReadAhead(failing, 40);
    await ahead.read(3);
    const other = new ReadAhead({ ...failing, read: async () => Promise.reject(new DataError("torn", "x")) }, 8);
    await expect(other.read(4)).rejects.toThrow("torn");
    void other.ahead();
    await new Promise((resume) => setTimeout(resume, 5));
    await expect(other.read(4)).rejects.toThrow("torn");
    await other.close();
    await ahead.close();
  });
});
