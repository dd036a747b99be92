import type { Backend } from "../../src/compile/backend.ts";
import { HostArray } from "../../src/core/host-array.ts";
import { dataset } from "../../src/data/dataset.ts";
import { fit } from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";
import type { Transform } from "../../src/optim/index.ts";

const EXAMPLES = 64;
const CLASSES = 7;

function noise(...shape: number[]): HostArray {
  const size = shape.reduce((a, b) => a * b, 1);
  return new HostArray(
    "f32",
    shape,
    Float32Array.from({ length: size }, (_, i) => ((i * 7919) % 257) / 257 - 0.5),
  );
}

const labels = new HostArray(
  "i32",
  [EXAMPLES],
  Int32Array.from({ length: EXAMPLES }, (_, i) => (i * 5) % CLASSES),
);

type Network = { readonly model: nn.Layer; readonly x: HostArray };

export const NETWORK_NAMES = ["mlp", "cnn", "transformer", "lstm"] as const;
export type NetworkName = (typeof NETWORK_NAMES)[number];

/** Small networks of each kind: `narrow` has widths that leave something over of every tile, `large` products that a BLAS takes. */
export const SIZES: Readonly<Record<"narrow" | "large", Readonly<Record<NetworkName, Network>>>> = {
  narrow: {
    mlp: { model: nn.mlp({ hidden: [70, 33], classes: CLASSES }), x: noise(EXAMPLES, 50) },
    cnn: {
      model: nn.sequential(
        nn.conv2d(20, 3, { padding: 1 }),
        nn.relu(),
        nn.conv2d(24, 3, { padding: 1 }),
        nn.batchNorm(),
        nn.maxPool2d(2),
        nn.flatten(),
        nn.linear(CLASSES),
      ),
      x: noise(EXAMPLES, 3, 8, 8),
    },
    transformer: { model: transformer(32, 80), x: noise(EXAMPLES, 9, 32) },
    lstm: { model: lstm(21), x: noise(EXAMPLES, 5, 19) },
  },
  large: {
    mlp: { model: nn.mlp({ hidden: [400, 150], classes: CLASSES }), x: noise(EXAMPLES, 300) },
    cnn: {
      model: nn.sequential(
        nn.conv2d(32, 3, { padding: 1 }),
        nn.relu(),
        nn.conv2d(32, 3, { padding: 1 }),
        nn.maxPool2d(2),
        nn.conv2d(64, 1),
        nn.flatten(),
        nn.linear(CLASSES),
      ),
      x: noise(EXAMPLES, 16, 16, 16),
    },
    transformer: { model: transformer(64, 200), x: noise(EXAMPLES, 40, 64) },
    lstm: { model: lstm(96), x: noise(EXAMPLES, 5, 64) },
  },
};

function transformer(width: number, dimFeedforward: number): nn.Layer {
  return nn.sequential(
    nn.transformerEncoderLayer(width, 2, { dimFeedforward, dropout: 0, activation: "gelu" }),
    nn.lambda("mean", (x) => x.mean(1)),
    nn.linear(CLASSES),
  );
}

function lstm(width: number): nn.Layer {
  return nn.sequential(
    nn.lstm(width),
    nn.lambda("last", (x) => x.narrow(1, 4, 1).squeeze(1)),
    nn.linear(CLASSES),
  );
}

/** All weights after training on the backend, which is closed then. */
export async function trainedWeights(
  { model, x }: Network,
  backend: Backend,
  options: { readonly epochs: number; readonly batchSize: number; readonly optimizer: Transform },
): Promise<Readonly<Record<string, HostArray>>> {
  const run = await fit(model, { train: dataset(x, labels), seed: 3, loss: nn.crossEntropy(), backend, ...options });
  const found = await run.weights();
  await backend.close();
  return found;
}
