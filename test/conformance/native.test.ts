import { describe, expect, test } from "vitest";
import type { Backend } from "../../src/compile/backend.ts";
import { findBlas } from "../../src/native/blas.ts";
import { nodeBackend } from "../../src/node/default-backend.ts";
import * as optim from "../../src/optim/index.ts";
import { NETWORK_NAMES, type NetworkName, SIZES, trainedWeights } from "./networks.ts";

const report = findBlas();
const skipped = report.blas ? "" : ` (skipped: ${report.reason})`;

/** All weights after some steps, flat. */
async function weights(name: NetworkName, backend: Backend): Promise<Float32Array> {
  const options = { epochs: 2, batchSize: 32, optimizer: optim.sgd(0.05) };
  const found = Object.values(await trainedWeights(SIZES.large[name], backend, options));
  return Float32Array.from(found.flatMap(({ data }) => [...data]));
}

describe.skipIf(!report.blas)(`training with the system's BLAS${skipped}`, () => {
  test.each(NETWORK_NAMES)(
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
