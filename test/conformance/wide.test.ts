import { describe, expect, test } from "vitest";
import { wasmBackend } from "../../src/backends/wasm/index.ts";
import { enableWide } from "../../src/node/wide.ts";
import * as optim from "../../src/optim/index.ts";
import { NETWORK_NAMES, type NetworkName, SIZES, trainedWeights } from "./networks.ts";

/** All weights after some epochs: often enough that the engine's last tier compiled the kernels. */
const weights = (name: NetworkName, wide: boolean): ReturnType<typeof trainedWeights> =>
  trainedWeights(SIZES.narrow[name], wasmBackend({ wide }), {
    epochs: 20,
    batchSize: 16,
    optimizer: optim.adam(1e-3),
  });

describe("wide kernels under the engine's revectorising", () => {
  // The flag is the process's: what runs without it comes first.
  const narrow = new Map(NETWORK_NAMES.map((name) => [name, weights(name, false)]));

  test("enableWide says what it found", async () => {
    await Promise.all(narrow.values());
    const report = enableWide();
    if (report.on) expect(report.gain).toBeGreaterThanOrEqual(1.2);
    else expect(report.reason.length).toBeGreaterThan(10);
    expect(enableWide()).toBe(report);
    if (Number.parseInt(process.versions.v8, 10) < 13)
      expect(report).toEqual({ on: false, reason: expect.stringMatching(/Node 24 and later can/) });
  });

  test.each(NETWORK_NAMES)("training %s gives the same weights", async (name) => {
    const [expected, got] = await Promise.all([narrow.get(name) as ReturnType<typeof weights>, weights(name, true)]);
    expect(got).toEqual(expected);
  });
});
