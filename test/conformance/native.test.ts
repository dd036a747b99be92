import { describe, expect, test } from "vitest";
import type { Backend } from "../../src/compile/backend.ts";
import { HostArray } from "../../src/core/host-array.ts";
import { dataset } from "../../src/data/dataset.ts";
import { fit } from "../../src/index.ts";
import { findBlas } from "../../src/native/blas.ts";
import * as nn from "../../src/nn/index.ts";
import { nodeBackend } from "../../src/node/default-backend.ts";
import * as optim from "../../src/optim/index.ts";

const report = findBlas();
const skipped = report.blas ? "" : ` (skipped: ${report.reason})`;

const EXAMPLES = 64;
const noise = (shape: readonly number[]): HostArray =>
  new HostArray(
    "f32",
    shape,
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => ((i * 7919) % 257) / 257 - 0.5),
  );
const labels = new HostArray(
  "i32",
  [EXAMPLES],
  Int32Array.from({ length: EXAMPLES }, (_, i) => (i * 5) % 7),
);

const networks = {
  mlp: { model: nn.mlp({ hidden: [400, 150], classes: 7 }), x: noise([EXAMPLES, 300]) },
  cnn: {
    model: nn.sequential(
      nn.conv2d(32, 3, { padding: 1 }),
      nn.relu(),
      nn.conv2d(32, 3, { padding: 1 }),
      nn.maxPool2d(2),
      nn.conv2d(64, 1),
      nn.flatten(),
      nn.linear(7),
    ),
    x: noise([EXAMPLES, 16, 16, 16]),
  },
  transformer: {
    model: nn.sequential(
      nn.transformerEncoderLayer(64, 2, { dimFeedforward: 200, dropout: 0, activation: "gelu" }),
      nn.lambda("mean", (x) => x.mean(1)),
      nn.linear(7),
    ),
    x: noise([EXAMPLES, 40, 64]),
  },
  lstm: {
    model: nn.sequential(
      nn.lstm(96),
      nn.lambda("last", (x) => x.narrow(1, 4, 1).squeeze(1)),
      nn.linear(7),
    ),
    x: noise([EXAMPLES, 5, 64]),
  },
} satisfies Readonly<Record<string, { readonly model: nn.Layer; readonly x: HostArray }>>;

/** All weights after some steps, flat. */
async function weights(name: keyof typeof networks, backend: Backend): Promise<Float32Array> {
  const { model, x }: { readonly model: nn.Layer; readonly x: HostArray } = networks[name];
  const run = await fit(model, {
    train: dataset(x, labels),
    epochs: 2,
    batchSize: 32,
    seed: 3,
    loss: nn.crossEntropy(),
    optimizer: optim.sgd(0.05),
    backend,
  });
  const found = Object.values(await run.weights());
  await backend.close();
  return Float32Array.from(found.flatMap(({ data }) => [...data]));
}

describe.skipIf(!report.blas)(`training with the system's BLAS${skipped}`, () => {
  test.each(Object.keys(networks) as (keyof typeof networks)[])(
    "%s: the same bits on 1, 2 and 4 threads, and nearly those of plain WebAssembly",
    async (name) => {
      const plain = await weights(name, nodeBackend({ threads: 2 }));
      const [one, two, four] = await Promise.all(
        [1, 2, 4].map((threads) => weights(name, nodeBackend({ threads, native: "on" }))),
      );
      expect(two).toEqual(one);
      expect(four).toEqual(one);
      expect(one).not.toEqual(plain);
      const largest = plain.reduce((most, w) => Math.max(most, Math.abs(w)), 0);
      const apart = plain.reduce((most, w, i) => Math.max(most, Math.abs(w - (one?.[i] as number))), 0);
      // Orders of summation differ: measured 1e-7 of the largest weight after these four steps.
      expect(apart / largest).toBeLessThan(1e-5);
    },
    60_000,
  );
});

describe("the backend's options", () => {
  test("native on in reproducible mode is an error", () => {
    expect(() => nodeBackend({ mode: "reproducible", native: "on" })).toThrow(
      'native: got "on" in mode "reproducible"; expected one of the two.',
    );
  });

  test("a backend says what it uses, and what it cannot", async () => {
    const names = new Map<string, Backend>();
    for (const [key, options] of [
      ["plain", {}],
      ["fast", { mode: "fast", native: "off" }],
      ["auto", { mode: "fast" }],
      ["asked", { native: "auto" }],
    ] as const)
      names.set(key, nodeBackend({ threads: 1, ...options }));
    expect(names.get("plain")?.name).toBe("wasm");
    expect(names.get("plain")?.notes).toEqual([]);
    expect(names.get("fast")?.name).toBe("wasm fast");
    expect(names.get("asked")?.name).toBe("wasm");
    expect(names.get("asked")?.notes).toEqual(["not native: the mode is reproducible"]);
    if (report.blas) expect(names.get("auto")?.name).toBe(`wasm fast native ${report.blas.name}`);
    else expect(names.get("auto")?.notes).toContainEqual(`not native: ${report.reason}`);
    await Promise.all([...names.values()].map((backend) => backend.close()));
  });
});
