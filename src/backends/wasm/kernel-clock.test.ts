import { afterAll, describe, expect, test } from "vitest";
import type { Backend } from "../../compile/backend.ts";
import { compileStep, type Step } from "../../compile/step.ts";
import type { HostData } from "../../core/dtype.ts";
import { array, type HostArray } from "../../core/host-array.ts";
import { leavesOf, type Tree, zipTrees } from "../../core/tree.ts";
import * as nn from "../../nn/index.ts";
import { spawnThread } from "../../node/threads.ts";
import type { Tensor } from "../../ops/tensor.ts";
import { scan, whileLoop } from "../../trace/control.ts";
import { valueAndGrad } from "../../trace/grad.ts";
import { wasmBackend } from "./index.ts";

const backends: Backend[] = [];
function backendWith(threads: number): Backend {
  const backend = wasmBackend({ threads, spawn: spawnThread });
  backends.push(backend);
  return backend;
}
afterAll(() => Promise.all(backends.map((backend) => backend.close())));

const BATCH = 16;
const x = array(
  Float32Array.from({ length: BATCH * 256 }, (_, i) => Math.sin(i)),
  [BATCH, 1, 16, 16],
);
const y = array(
  Int32Array.from({ length: BATCH }, (_, i) => i % 4),
  [BATCH],
);
const model: nn.Model = nn.model(
  nn.sequential(
    nn.conv2d(8, 3, { padding: 1 }),
    nn.relu(),
    nn.conv2d(8, 3, { padding: 1 }),
    nn.maxPool2d(2),
    nn.flatten(),
    nn.linear(4),
  ),
);
const params: Tree<HostArray> = model.init(1, x.aval).params;

/** Convolutions by image, one of them Winograd's, sums, products and an update. */
function network(backend: Backend): Promise<Step> {
  return compileStep<Tree<HostArray>, [], { x: HostArray; y: HostArray }>(
    backend,
    (state, _batch, ctx, data) => {
      const [loss, gradients] = valueAndGrad((p: typeof state) => {
        const [output] = model.apply(p, {}, data.x, { training: true });
        return nn.crossEntropy(output, data.y);
      })(state);
      ctx.forUpdate(state, loss);
      return { state: zipTrees<Tensor, Tensor>((_, p, g) => p.sub(g.mul(0.1)), state, gradients), metrics: { loss } };
    },
    { state: params, batch: [], data: { x, y } },
  );
}

async function stateOf(step: Step): Promise<HostData[]> {
  return leavesOf<HostArray>(await step.read()).map(([, { data }]) => data);
}

describe.each([1, 2])("on %i threads", (threads) => {
  test("every kernel is timed once and the bits are those of the plain program", async () => {
    const [plain, clocked] = await Promise.all([network(backendWith(threads)), network(backendWith(threads))]);
    const losses = (await plain.run([], 4)).results.loss as Float32Array;
    await clocked.run([], 1);
    const { kernelTimes, results } = await clocked.run([], 2, { kernels: true });
    await clocked.run([], 1);
    expect(results.loss).toEqual(losses.subarray(1, 3));
    expect(await stateOf(clocked)).toEqual(await stateOf(plain));

    const printed = clocked.executable.print("kernels").split("\n");
    const heads = printed.flatMap((line) =>
      [/^ *(\w+) (.+?) {2}# \w+$/.exec(line)?.slice(1) ?? []].filter((h) => h.length),
    );
    expect(heads.length).toBeGreaterThan(20);
    expect(kernelTimes?.kernels.map(({ kernel }) => [kernel.kind, kernel.name])).toEqual(heads);
    expect(kernelTimes?.threads).toBe(threads);
    for (const { runs, calls, images, ms } of kernelTimes?.kernels ?? []) {
      expect(runs).toBe(2);
      expect(calls).toBeGreaterThanOrEqual(2 * images);
      expect(ms).toBeGreaterThanOrEqual(0);
    }
    const convolution = kernelTimes?.kernels.find(({ kernel }) => kernel.name.startsWith("conv2d"));
    expect(convolution?.images).toBe(BATCH);
    expect(convolution?.kernel.origin).toMatchObject({ site: "sequential.0 (conv2d)", flops: 2 * BATCH * 256 * 8 * 9 });
    const backward = kernelTimes?.kernels.find(({ kernel }) => kernel.name.startsWith("convInputGrad"));
    expect(backward?.kernel.origin?.site).toBe("sequential.2 (conv2d)");
  });

  test("all times together are most of what the call took, and no more", async () => {
    const step = await network(backendWith(threads));
    await step.run([], 20, { kernels: true });
    const start = performance.now();
    const { kernelTimes } = await step.run([], 200, { kernels: true });
    const took = performance.now() - start;
    const { kernels = [], waitMs = 0, otherMs = 0, tickMs = 0 } = kernelTimes ?? {};
    const sum = kernels.reduce((total, { ms }) => total + ms, waitMs + otherMs) / threads;
    const clock = (tickMs * kernels.reduce((total, { calls, runs }) => total + calls + runs, 0)) / threads;
    expect(sum).toBeLessThan(took);
    expect(sum + clock).toBeGreaterThan(took / 2);
  });

  test("kernels of loops run as often as the loop turns", async () => {
    const v = array(new Float32Array(28).fill(1), [7, 4]);
    const step = await compileStep(
      backendWith(threads),
      (_state, batch) => {
        const rows = batch as { readonly v: Tensor };
        const [sum] = scan(
          (carry: Tensor, row: { readonly v: Tensor }) => [carry.mul(0.5).add(row.v), {}] as const,
          rows.v.sum([0]),
          rows,
        );
        const last = whileLoop(
          (n: Tensor) => n.less(12),
          (n: Tensor) => n.add(n),
          rows.v.mean(),
        );
        return { metrics: { sum, last } };
      },
      { state: {}, batch: { v } },
    );
    const { kernelTimes, results } = await step.run({ v }, 1, { kernels: true });
    expect(results.last).toEqual(Float32Array.of(16));
    // Once, for each of 7 rows, for each of 4 turns, and for the test before each of those and after the last.
    expect([...new Set(kernelTimes?.kernels.map(({ runs }) => runs))].toSorted()).toEqual([1, 4, 5, 7]);
  });
});
