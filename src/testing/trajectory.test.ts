import { expect, test } from "vitest";
import { referenceBackend } from "../backends/reference/index.ts";
import { array } from "../core/host-array.ts";
import type { Tensor } from "../ops/tensor.ts";
import { momentum, sgd } from "../optim/index.ts";
import { checkTrajectory, type Descent, TrajectoryError, trajectory } from "./trajectory.ts";

/** x²: the gradient is 2x. */
const parabola: Descent = { start: { x: array([1]) }, loss: (p) => (p as { x: Tensor }).x.square().sum() };

test("walks with memory: v = mu v - a g; x += v", async () => {
  const walk = await trajectory(momentum(0.1, { momentum: 0.5 }), parabola, [1, 2, 3]);
  // v: -0.2, -0.26, -0.238; in doubles
  expect(walk[1]?.[0]).toBeCloseTo(0.8, 12);
  expect(walk[2]?.[0]).toBeCloseTo(0.54, 12);
  expect(walk[3]?.[0]).toBeCloseTo(0.302, 12);
});

test("a golden walk is met, and a wrong step is named", async () => {
  await checkTrajectory(sgd(0.1), parabola, { 1: [0.8], 3: [0.512] });
  await expect(checkTrajectory(sgd(0.1), parabola, { 1: [0.8], 3: [0.5121] })).rejects.toThrow(
    /step 3: got 0\.512\d* for parameter 0; expected 0\.5121/,
  );
  await expect(checkTrajectory(sgd(0.1), parabola, { 1: [0.8, 0] })).rejects.toThrow(TrajectoryError);
  const backend = referenceBackend();
  await checkTrajectory(sgd(0.1), parabola, { 2: [0.64] }, { backend, tolerance: 1e-6 });
  await expect(checkTrajectory(sgd(0.1), parabola, { 2: [0.64] }, { backend })).rejects.toThrow(TrajectoryError);
});
