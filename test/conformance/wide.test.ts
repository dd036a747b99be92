import { describe, expect, test } from "vitest";
import { wasmBackend } from "../../src/backends/wasm/index.ts";
import { HostArray } from "../../src/core/host-array.ts";
import { dataset } from "../../src/data/dataset.ts";
import { fit } from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";
import { enableWide } from "../../src/node/wide.ts";
import * as optim from "../../src/optim/index.ts";

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
  mlp: { model: nn.mlp({ hidden: [70, 33], classes: 7 }), x: noise([EXAMPLES, 50]) },
  cnn: {
    model: nn.sequential(
      nn.conv2d(20, 3, { padding: 1 }),
      nn.relu(),
      nn.conv2d(24, 3, { padding: 1 }),
      nn.batchNorm(),
      nn.maxPool2d(2),
      nn.flatten(),
      nn.linear(7),
    ),
    x: noise([EXAMPLES, 3, 8, 8]),
  },
  transformer: {
    model: nn.sequential(
      nn.transformerEncoderLayer(32, 2, { dimFeedforward: 80, dropout: 0, activation: "gelu" }),
      nn.lambda("mean", (x) => x.mean(1)),
      nn.linear(7),
    ),
    x: noise([EXAMPLES, 9, 32]),
  },
  lstm: {
    model: nn.sequential(
      nn.lstm(21),
      nn.lambda("last", (x) => x.narrow(1, 4, 1).squeeze(1)),
      nn.linear(7),
    ),
    x: noise([EXAMPLES, 5, 19]),
  },
} satisfies Readonly<Record<string, { readonly model: nn.Layer; readonly x: HostArray }>>;

type Weights = Readonly<Record<string, HostArray>>;

/** All weights after some epochs: often enough that the engine's last tier compiled the kernels. */
async function weights(name: keyof typeof networks, wide: boolean): Promise<Weights> {
  const { model, x }: { readonly model: nn.Layer; readonly x: HostArray } = networks[name];
  const backend = wasmBackend({ wide });
  const run = await fit(model, {
    train: dataset(x, labels),
    epochs: 20,
    batchSize: 16,
    seed: 3,
    loss: nn.crossEntropy(),
    optimizer: optim.adam(1e-3),
    backend,
  });
  const found = await run.weights();
  await backend.close();
  return found;
}

describe("wide kernels under the engine's revectorising", () => {
  const names = Object.keys(networks) as (keyof typeof networks)[];
  // The flag is the process's: what runs without it comes first.
  const narrow = new Map(names.map((name) => [name, weights(name, false)]));

  test("enableWide says what it found", async () => {
    await Promise.all(narrow.values());
    const report = enableWide();
    if (report.on) expect(report.gain).toBeGreaterThanOrEqual(1.2);
    else expect(report.reason.length).toBeGreaterThan(10);
    expect(enableWide()).toBe(report);
    if (Number.parseInt(process.versions.v8, 10) < 13)
      expect(report).toEqual({ on: false, reason: expect.stringMatching(/Node 24 and later can/) });
  });

  test.each(names)("training %s gives the same weights", async (name) => {
    const [expected, got] = await Promise.all([narrow.get(name) as ReturnType<typeof weights>, weights(name, true)]);
    expect(got).toEqual(expected);
  });
});
