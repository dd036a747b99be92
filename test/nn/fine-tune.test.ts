import { beforeAll, expect, test } from "vitest";
import { HostArray } from "../../src/core/host-array.ts";
import { keyOf, uniformAt } from "../../src/core/prng.ts";
import { type Dataset, dataset } from "../../src/data/dataset.ts";
import * as nn from "../../src/nn/index.ts";
import { fit } from "../../src/node/fit.ts";
import * as optim from "../../src/optim/index.ts";
import * as schedule from "../../src/optim/schedules/index.ts";
import type { Weights } from "../../src/train/events.ts";

const SIDE = 16;
/** Strokes of a glyph, from and to, on a grid of 4 x 4 points. */
const STROKES = Array.from({ length: 24 }, (_, i) => {
  const key = keyOf(100 + i);
  return [0, 1, 2, 3].map((at) => Math.floor(4 * uniformAt(key, at))) as [number, number, number, number];
});

/** Pictures of glyphs of four strokes each, anywhere, under noise. */
function glyphs(kinds: readonly number[], each: number, seed: number): Dataset {
  const count = kinds.length * each;
  const pixels = new Uint8Array(count * SIDE * SIDE);
  const labels = new Int32Array(count);
  const key = keyOf(seed);
  for (let n = 0; n < count; n++) {
    labels[n] = n % kinds.length;
    const kind = kinds[n % kinds.length] as number;
    const at = n * SIDE * SIDE;
    for (let i = 0; i < SIDE * SIDE; i++) pixels[at + i] = Math.floor(190 * uniformAt(key, at + i));
    const [dx, dy] = [0, 1].map((i) => Math.floor(7 * uniformAt(key, count * SIDE * SIDE + 2 * n + i))) as [
      number,
      number,
    ];
    for (let s = 0; s < 4; s++) {
      const [x0, y0, x1, y1] = STROKES[(kind * 5 + s * (kind + 3)) % STROKES.length] as [
        number,
        number,
        number,
        number,
      ];
      for (let t = 0; t <= 12; t++) {
        const x = dx + Math.round((3 * (x0 * (12 - t) + x1 * t)) / 12);
        const y = dy + Math.round((3 * (y0 * (12 - t) + y1 * t)) / 12);
        pixels[at + y * SIDE + x] = 200;
      }
    }
  }
  return dataset(new HostArray("u8", [count, 1, SIDE, SIDE], pixels), new HostArray("i32", [count], labels), {
    preprocessing: { kind: "standardize", scale: 1 / 255, mean: [0.4], std: [0.22] },
  });
}

const BASE = Array.from({ length: 12 }, (_, i) => i);
const OTHERS = [20, 21, 22, 23, 24, 25, 26, 27];
const HEAD = "12";

const classifier = (classes: number): nn.Layer =>
  nn.sequential(
    ...[12, 24, 48].flatMap((channels, i) => [
      nn.conv2d(channels, 3, { padding: 1, bias: false }),
      nn.batchNorm(),
      nn.relu(),
      ...(i < 2 ? [nn.maxPool2d(2)] : []),
    ]),
    nn.globalAvgPool2d(),
    nn.linear(classes),
  );

const common = { batchSize: 16, seed: 1, loss: nn.crossEntropy(), metrics: [nn.accuracy()] } as const;
const rule = (): optim.Transform => optim.adamw(schedule.cosine(0.01));
const accuracyOf = async (run: { test(data: Dataset): Promise<Readonly<Record<string, number>>> }): Promise<number> =>
  (await run.test(glyphs(OTHERS, 50, 99))).accuracy as number;

let body: Weights;

beforeAll(async () => {
  const run = await fit(classifier(BASE.length), {
    ...common,
    train: glyphs(BASE, 80, 1),
    epochs: 8,
    optimizer: rule(),
  });
  body = Object.fromEntries(Object.entries(await run.weights()).filter(([name]) => !name.startsWith(`${HEAD}.`)));
});

test.for([1, 2, 3])("beats a start from nothing by far on 32 pictures of other classes, seed %d", async (seed) => {
  const options = { ...common, seed, train: glyphs(OTHERS, 4, 10 + seed), epochs: 30 };
  const scratch = await accuracyOf(await fit(classifier(OTHERS.length), { ...options, optimizer: rule() }));
  const tuned = await accuracyOf(
    await fit(classifier(OTHERS.length), {
      ...options,
      weights: body,
      strict: false,
      optimizer: optim.groups(rule(), [{ params: `!${HEAD}`, name: "body", rateFactor: 0.1 }]),
    }),
  );
  expect(tuned).toBeGreaterThan(0.95);
  expect(scratch).toBeGreaterThan(2 / OTHERS.length);
  expect(scratch).toBeLessThan(0.7);
});

/** The weights at the start and after each epoch. */
async function epochsOf(list: readonly optim.Group[], weightDecay = 0.1, epochs = 4): Promise<Weights[]> {
  const seen: Weights[] = [];
  await fit(classifier(OTHERS.length), {
    ...common,
    train: glyphs(OTHERS, 4, 11),
    epochs,
    weights: body,
    strict: false,
    optimizer: optim.groups(optim.adamw(0.01, { weightDecay }), list),
    callbacks: [
      {
        name: "keep",
        async on(event, control) {
          if (event.type === "start" || event.type === "epoch") seen.push(await control.weights());
        },
      },
    ],
  });
  return seen;
}

function arrayOf(weights: Weights | undefined, name: string): HostArray {
  const value = weights?.[name];
  if (value === undefined) throw new Error(`no ${name}`);
  return value;
}

const bitsOf = (weights: Weights | undefined, name: string): Uint8Array => {
  const { data } = arrayOf(weights, name);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
};

test("layers frozen by pattern keep every bit, decay or not, and move once they are thawed", async () => {
  const trained = Object.keys(body).filter((name) => /\.(weight|bias)$/.test(name));
  expect(trained).toHaveLength(9);
  expect(Object.keys(body)).toHaveLength(18);
  const thawing = schedule.multiStep(1, { at: [{ epochs: 2 }], factor: 0 });
  const [start, first, second, third] = await epochsOf([{ params: `!${HEAD}`, name: "body", freeze: thawing }]);
  for (const name of Object.keys(body)) expect(bitsOf(start, name), name).toEqual(bitsOf(body, name));
  for (const name of trained) {
    expect(bitsOf(first, name), name).toEqual(bitsOf(body, name));
    expect(bitsOf(second, name), name).toEqual(bitsOf(body, name));
    expect(bitsOf(third, name), name).not.toEqual(bitsOf(body, name));
  }
  expect(bitsOf(second, `${HEAD}.weight`)).not.toEqual(bitsOf(first, `${HEAD}.weight`));
});

test("each layer moves at its own rate", async () => {
  const [, after] = await epochsOf(
    [
      { params: "0", rateFactor: 0.01 },
      { params: "4", rateFactor: 0.1 },
    ],
    0,
    1,
  );
  const furthest = (name: string): number => {
    const [before, now] = [body, after].map((weights) => arrayOf(weights, name).data) as [Float32Array, Float32Array];
    return Math.max(...now.map((value, i) => Math.abs(value - (before[i] as number))));
  };
  // Two steps of Adam: the first moves a weight by the rate, the second by at most about as much.
  for (const [name, rate] of [
    ["0.weight", 1e-4],
    ["4.weight", 1e-3],
    ["8.weight", 1e-2],
  ] as const) {
    expect(furthest(name), name).toBeGreaterThan(rate);
    expect(furthest(name), name).toBeLessThan(2.2 * rate);
  }
});
