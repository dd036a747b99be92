import { expect, test } from "vitest";
import type { Ceilings } from "../../backends/wasm/ceilings.ts";
import { wasmBackend } from "../../backends/wasm/index.ts";
import { OptionError, ShapeError } from "../../core/errors.ts";
import { array } from "../../core/host-array.ts";
import * as nn from "../../nn/index.ts";
import { adam } from "../../optim/adam.ts";
import { GROUPINGS, profileRows } from "./group.ts";
import type { Profile } from "./measure.ts";
import { type ProfileFunction, profileWith } from "./profile.ts";

const CEILINGS: Ceilings = { threads: 1, separate: 40, products: 50, memory: 20, cache: 100 };
const profile: ProfileFunction<object> = profileWith<object>(
  () => wasmBackend(),
  async () => CEILINGS,
);

const BATCH = 8;
const train = {
  inputs: array(
    Float32Array.from({ length: 20 * 3 * 64 }, (_, i) => Math.sin(i)),
    [20, 3, 8, 8],
  ),
  targets: array(
    Int32Array.from({ length: 20 }, (_, i) => i % 5),
    [20],
  ),
};
const model = nn.sequential(
  nn.conv2d(16, 3, { padding: 1 }),
  nn.relu(),
  nn.conv2d(32, 3, { padding: 1 }),
  nn.batchNorm(),
  nn.flatten(),
  nn.linear(5),
);
const options = { train, batchSize: BATCH, loss: nn.crossEntropy(), optimizer: adam(), steps: 3 };

let found: Promise<Profile> | undefined;
function measured(): Promise<Profile> {
  found ??= profile(model, options);
  return found;
}

test("a step's kernels by phase and layer, with what they do", async () => {
  const { kernels, parameters, backend, steps, threads } = await measured();
  expect([backend, steps, threads]).toEqual(["wasm", 3, 1]);
  expect(parameters).toBe(16 * 28 + 32 * 145 + 64 + 5 * 2049);
  const of = (phase: string, kind: string) => kernels.filter((k) => k.phase === phase && k.kind === kind);
  // Two convolutions and a product forward; of the first convolution no input's gradient.
  expect(of("forward", "contract").map(({ layer }) => layer)).toEqual([
    "sequential.0 (conv2d)",
    "sequential.2 (conv2d)",
    "sequential.5 (linear)",
  ]);
  expect(of("backward", "contract")).toHaveLength(5);
  expect(new Set(kernels.map(({ phase }) => phase))).toEqual(new Set(["sample", "forward", "backward", "update"]));

  const [first, second, dense] = of("forward", "contract");
  expect(first).toMatchObject({
    calls: BATCH,
    operations: 2 * BATCH * 64 * 16 * 27,
    directOperations: 2 * BATCH * 64 * 16 * 27,
  });
  // Winograd's: 16 products for 4 outputs instead of 36.
  const direct = 2 * BATCH * 64 * 32 * 16 * 9;
  expect(second).toMatchObject({ directOperations: direct, operations: (direct * 16) / 36 });
  expect(dense?.operations).toBe(2 * BATCH * 5 * 2048);
  // Input, weights and output, once each.
  expect(dense?.bytes).toBe(4 * (BATCH * 2048 + 5 * 2048 + BATCH * 5));
  expect(dense?.computeMs).toBeCloseTo((dense?.operations ?? 0) / 50e6, 12);
  expect(dense?.transferMs).toBeCloseTo((dense?.bytes ?? 0) / 100e6, 12);

  const update = kernels.filter(({ phase, kind }) => phase === "update" && kind === "sweep");
  // Adam reads the gradient, and reads and writes the parameter and two moments: 7 numbers for each.
  const bytes = update.reduce((sum, kernel) => sum + kernel.bytes, 0);
  expect(bytes).toBeGreaterThanOrEqual(7 * 4 * parameters);
  expect(bytes).toBeLessThan(7.2 * 4 * parameters);
});

test("times are positive where there is work, and add up", async () => {
  const result = await measured();
  expect(result.kernels.filter(({ ms, operations }) => ms <= 0 && operations > 100_000)).toEqual([]);
  expect(result.kernels.reduce((sum, { ms }) => sum + ms, 0)).toBeCloseTo(result.kernelsMs, 9);
  expect(result.kernels.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
  // Both are the fastest of several; a machine that does other work beside moves them apart.
  expect(result.kernelsMs).toBeLessThan(3 * result.stepMs);
  expect(result.stepMs).toBeLessThan(10 * result.kernelsMs);
  expect(result.waitMs).toBe(0);
});

test.each(GROUPINGS)("rows by %s hold every kernel once, the longest first", async (by) => {
  const result = await measured();
  const rows = profileRows(result, by);
  expect(rows.reduce((sum, { kernels }) => sum + kernels, 0)).toBe(result.kernels.length);
  expect(rows.reduce((sum, { ms }) => sum + ms, 0)).toBeCloseTo(result.kernelsMs, 9);
  expect(rows.map(({ ms }) => ms)).toEqual(rows.map(({ ms }) => ms).toSorted((a, b) => b - a));
  expect(new Set(rows.map(({ name, layer, phase }) => `${name} ${layer} ${phase}`)).size).toBeGreaterThan(3);
});

test("an operation counts the direct algorithm's arithmetic, a kernel its own", async () => {
  const result = await measured();
  const operations = profileRows(result, "operation");
  const convolution = operations.find(
    ({ name, layer }) => name.startsWith("conv2d") && layer.startsWith("sequential.2"),
  );
  expect(convolution?.kernels).toBeGreaterThan(2);
  expect(convolution?.operations).toBe(2 * BATCH * 64 * 32 * 16 * 9);
});

test("what does not fit is refused before anything runs", async () => {
  await expect(profile(model, { ...options, steps: 0 })).rejects.toThrow(
    "profile: got steps 0; expected a whole number of at least 1.",
  );
  await expect(profile(model, { ...options, batchSize: 1.5 })).rejects.toThrow(OptionError);
  await expect(profile(nn.sequential(nn.conv2d(4, 9)), options)).rejects.toThrow(ShapeError);
});
