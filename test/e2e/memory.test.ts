import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { wasmBackend } from "../../src/backends/wasm/index.ts";
import type { Backend } from "../../src/compile/backend.ts";
import { array } from "../../src/core/host-array.ts";
import { dataset } from "../../src/data/dataset.ts";
import * as nn from "../../src/nn/index.ts";
import { nodeBackend } from "../../src/node/default-backend.ts";
import * as optim from "../../src/optim/index.ts";
import { fitWith } from "../../src/train/fit.ts";
import { bars, SIZE } from "./bars.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Bytes on the heap and in buffers outside it, after a collection. */
function heldBytes(): number {
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const arenaBytes = (backend: Backend): number =>
  (backend as unknown as { memory: { memory: WebAssembly.Memory } }).memory.memory.buffer.byteLength;

describe.each([
  ["on the calling thread", () => wasmBackend()],
  ["on two workers", () => nodeBackend({ threads: 2 })],
] as const)("10,000 steps %s", (_, make) => {
  test("take no more memory than 2,000", { timeout: 120_000 }, async () => {
    const { images, labels } = bars(90, 1);
    const train = dataset(array(images, [90, 1, SIZE, SIZE]), array(labels, [90]));
    const backend = make();
    const held: number[] = [];
    const arena: number[] = [];
    let steps = 0;
    await fitWith(() => backend)(nn.mlp({ classes: 3, hidden: [16] }), {
      train,
      validation: 10,
      epochs: 1_000,
      batchSize: 8,
      loss: nn.crossEntropy(),
      metrics: [nn.accuracy()],
      optimizer: optim.adam(1e-3),
      callbacks: [
        {
          name: "measure",
          on(event) {
            if (event.type === "step") steps++;
            if (event.type !== "epoch" || event.epoch % 200 !== 0) return;
            held.push(heldBytes());
            arena.push(arenaBytes(backend));
          },
        },
      ],
    });
    await backend.close();
    expect(steps).toBe(10_000);
    expect(held).toHaveLength(5);
    expect(new Set(arena).size).toBe(1);
    // The run keeps one event for each epoch, and the engine's own code and counters grow by up to 2 MiB. A leaked batch
    // (9 KiB) a step would be 72 MiB.
    const [early = 0] = held;
    expect((held.at(-1) as number) - early).toBeLessThan(4 * 2 ** 20);
  });
});
