import { afterAll, describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import { wasmBackend } from "../../src/backends/wasm/index.ts";
import type { Backend } from "../../src/compile/backend.ts";
import { compileStep } from "../../src/compile/step.ts";
import { array, type HostArray } from "../../src/core/host-array.ts";
import { leavesOf, type Tree, zipTrees } from "../../src/core/tree.ts";
import * as nn from "../../src/nn/index.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { type TensorTree, valueAndGrad } from "../../src/trace/grad.ts";

const wasm = wasmBackend();
const reference = referenceBackend({ precision: "f64" });
afterAll(() => Promise.all([wasm.close(), reference.close()]));

const wave = (...shape: readonly number[]): HostArray =>
  array(
    Float32Array.from({ length: shape.reduce((n, size) => n * size, 1) }, (_, i) => Math.sin(i * 1.7) * 2),
    shape,
  );

/** Trains input and parameters by two plain gradient steps; the state after them, by path, and the step's peak memory. */
async function trained(backend: Backend, layer: nn.Layer, x: HostArray) {
  const model = nn.model(layer);
  const { params, buffers } = model.init(1, x.aval);
  const run = compileStep as unknown as (
    backend: Backend,
    fn: (state: Record<string, TensorTree>, batch: unknown, ctx: { key: never }) => unknown,
    options: unknown,
  ) => ReturnType<typeof compileStep<Tree<HostArray>, Tree<HostArray>>>;
  const step = await run(
    backend,
    (state, _batch, { key }) => {
      const wrt = { params: state.params as TensorTree, x: state.x as Tensor };
      const [loss, grads, after] = valueAndGrad(
        (p: typeof wrt) => {
          const [y, moved] = model.apply(p.params, state.buffers as TensorTree, p.x, { training: true, key });
          return [y.square().mean(), moved] as const;
        },
        { aux: true },
      )(wrt);
      const moved = zipTrees<Tensor, Tensor>((_path, value, g) => value.sub((g as Tensor).mul(0.1)), wrt, grads);
      return { state: { ...(moved as typeof wrt), buffers: after }, metrics: { loss } };
    },
    { state: { params, buffers, x }, batch: {}, seed: 3 },
  );
  const first = (await step.run({})).results.loss?.[0] ?? Number.NaN;
  await step.run({});
  const values = Object.fromEntries(
    leavesOf<HostArray>(await step.read()).map(([path, { data }]) => [path, Array.from(data)]),
  );
  return { loss: first, values, peakBytes: step.executable.peakBytes };
}

const block = (features: number): nn.Layer =>
  nn.residual(nn.sequential(nn.linear(features), nn.batchNorm(), nn.gelu(), nn.linear(features), nn.tanh()));

const copies = (layer: nn.Layer, count: number): nn.Layer =>
  nn.sequential(...Array.from({ length: count }, () => layer));

describe("remat", () => {
  test("gives the same bits, batch norm's statistics moved once", async () => {
    const plain = await trained(wasm, copies(block(6), 3), wave(5, 6));
    const again = await trained(wasm, copies(nn.remat(block(6)), 3), wave(5, 6));
    expect(again.loss).toBe(plain.loss);
    expect(again.values).toEqual(plain.values);
    expect(again.values["buffers.0.inner.1.num_batches_tracked"]).toEqual([2]);
  });

  test("draws the same dropout in both passes", async () => {
    const layer = (wrap: (inner: nn.Layer) => nn.Layer) =>
      nn.sequential(wrap(nn.sequential(nn.linear(8), nn.dropout(0.5), nn.gelu())), nn.linear(2));
    const plain = await trained(
      wasm,
      layer((inner) => inner),
      wave(4, 5),
    );
    const again = await trained(wasm, layer(nn.remat), wave(4, 5));
    expect(again.values).toEqual(plain.values);
  });

  test("holds the activations of one block at a time", async () => {
    const wide = nn.sequential(nn.linear(64), ...Array.from({ length: 5 }, () => [nn.gelu(), nn.linear(64)]).flat());
    const plain = await trained(wasm, copies(wide, 6), wave(512, 64));
    const again = await trained(wasm, copies(nn.remat(wide), 6), wave(512, 64));
    expect(again.values).toEqual(plain.values);
    // 128 KiB an activation, and 5 of them in gradients of weights: each of 36 layers keeps one or two without it, with it the
    // inputs of 6 blocks and the inside of one.
    expect(plain.peakBytes).toBeGreaterThan(40 * 2 ** 17);
    expect(again.peakBytes).toBeLessThan(26 * 2 ** 17);
  });
});

describe("repeat", () => {
  test.each([true, false])("trains as copies one after the other, scan %s", async (scan) => {
    for (const backend of [reference, wasm]) {
      const plain = await trained(backend, copies(block(6), 4), wave(5, 6));
      const looped = await trained(backend, nn.repeat(block(6), 4, { scan }), wave(5, 6));
      expect(Object.keys(looped.values)).toEqual(Object.keys(plain.values));
      const tolerance = backend === wasm ? 3e-6 : 1e-12;
      for (const [path, want] of Object.entries(plain.values))
        want.forEach((value, i) => {
          expect(Math.abs((looped.values[path]?.[i] ?? Number.NaN) - value), path).toBeLessThan(tolerance);
        });
      expect(looped.values["buffers.3.inner.1.num_batches_tracked"]).toEqual([2]);
    }
  });

  test("draws other numbers in each layer", async () => {
    const { values, loss } = await trained(wasm, nn.repeat(nn.dropout(0.5), 2), wave(1, 64));
    const once = await trained(wasm, nn.dropout(0.5), wave(1, 64));
    // Of two equal masks one would be without effect but for the scale.
    expect(loss).toBeGreaterThan(0);
    const zeros = (list: readonly number[] | undefined, x = wave(1, 64).data): number =>
      list?.filter((value, i) => value === x[i]).length ?? 0;
    expect(zeros(values.x)).toBeGreaterThan(zeros(once.values.x) + 8);
  });

  test("refuses a layer whose output has another type, by its path", () => {
    expect(() => nn.model(nn.sequential(nn.repeat(nn.linear(3), 2))).init(1, wave(2, 4).aval)).toThrow(
      "sequential.0 (repeat): got f32[2,3] from a layer given f32[2,4]; expected the same type.",
    );
  });
});
