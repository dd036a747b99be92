import { readdirSync, readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import { wasmBackend } from "../../src/backends/wasm/index.ts";
import type { Backend } from "../../src/compile/backend.ts";
import { runFunction } from "../../src/compile/run-function.ts";
import { type Aval, type DType, formatAval, type Shape, sizeOf } from "../../src/core/dtype.ts";
import { ShapeError } from "../../src/core/errors.ts";
import { array, type HostArray } from "../../src/core/host-array.ts";
import { leavesOf, type Tree, unflatten } from "../../src/core/tree.ts";
import type { LayerConfig } from "../../src/nn/layer.ts";
import { LAYERS, modelFromConfig } from "../../src/nn/layer-from-config.ts";
import { modelKinds } from "../../src/nn/models/kinds.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { grad } from "../../src/trace/grad.ts";
import { Key } from "../../src/trace/random.ts";

/** The golden files hold a case of each kind of layer against PyTorch; here their shapes are bent, and the reference is the judge. */
type Packed = { readonly shape: Shape; readonly data: readonly number[]; readonly dtype?: DType };
type PackedTree = Packed | { readonly [name: string]: Packed };
type Case = {
  readonly name: string;
  readonly config: LayerConfig;
  readonly steps: readonly { readonly x: PackedTree }[];
};

const ofShape = (...shape: number[]): Packed => ({
  shape,
  data: Array.from({ length: sizeOf(shape) }, (_, i) => ((i * 7) % 13) / 8 - 0.75),
});

/** Kinds that draw random numbers, or whose cases against PyTorch stand elsewhere. */
const others: readonly Case[] = [
  { name: "dropout1d", config: { kind: "dropout1d", p: 0.5 }, steps: [{ x: ofShape(2, 3, 5) }] },
  { name: "dropout2d", config: { kind: "dropout2d", p: 0.5 }, steps: [{ x: ofShape(2, 3, 2, 5) }] },
  { name: "alphaDropout", config: { kind: "alphaDropout", p: 0.5 }, steps: [{ x: ofShape(3, 5) }] },
  { name: "stochasticDepth", config: { kind: "stochasticDepth", p: 0.5 }, steps: [{ x: ofShape(3, 5) }] },
  {
    name: "remat",
    config: { kind: "remat", layer: { kind: "linear", outFeatures: 3 } },
    steps: [{ x: ofShape(2, 5) }],
  },
  {
    name: "repeat",
    config: { kind: "repeat", layer: { kind: "residual", inner: { kind: "rmsNorm" } }, count: 3 },
    steps: [{ x: ofShape(2, 5) }],
  },
  {
    name: "tie",
    config: {
      kind: "tie",
      layer: {
        kind: "sequential",
        layers: ["up", "down"].map((name) => ({ name, layer: { kind: "linear", outFeatures: 5 } })),
      },
      ties: { "down.weight": "up.weight" },
    },
    steps: [{ x: ofShape(2, 5) }],
  },
];

const folder = new URL("../../golden/nn/", import.meta.url);
const cases = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .flatMap((name) => (JSON.parse(readFileSync(new URL(name, folder), "utf8")) as { layers?: Case[] }).layers ?? [])
  .concat(others);

/** Every kind in a configuration, inner layers' too. */
function kindsIn(config: unknown): string[] {
  if (typeof config !== "object" || config === null) return [];
  const { kind } = config as { kind?: unknown };
  return [...(typeof kind === "string" ? [kind] : []), ...Object.values(config).flatMap(kindsIn)];
}

const isPacked = (tree: PackedTree): tree is Packed => Array.isArray(tree.data);
const leavesOfInput = (x: PackedTree): readonly Packed[] => (isPacked(x) ? [x] : Object.values(x));
const inputOf = (given: Case): PackedTree => given.steps[0]?.x ?? {};

/** Whole models are of these layers; test/golden/models.test.ts has them. */
const kinds = Object.keys(LAYERS).filter((kind) => !Object.hasOwn(modelKinds, kind));

/** One case for each kind: the first of it, else the first that has it inside. */
const chosen: readonly Case[] = [
  ...new Set(
    kinds.flatMap(
      (kind) =>
        cases.find(({ config }) => config.kind === kind) ??
        cases.find(({ config }) => kindsIn(config).includes(kind)) ??
        [],
    ),
  ),
];

const SIZES = [1, 7];

/** The input with another size of one axis. Of several inputs, those that share the batch's size get the new one. */
function resized(x: PackedTree, axis: number, size: number): PackedTree {
  const batch = leavesOfInput(x)[0]?.shape[0];
  const bent = (leaf: Packed): Packed => {
    if (!isPacked(x) && leaf.shape[0] !== batch) return leaf;
    const shape = leaf.shape.map((old, i) => (i === axis ? size : old));
    // Values over again: ties and repeated indices come for nothing.
    const data = Array.from({ length: sizeOf(shape) }, (_, i) => leaf.data[i % leaf.data.length] as number);
    return { ...leaf, shape, data };
  };
  return isPacked(x) ? bent(x) : Object.fromEntries(Object.entries(x).map(([name, leaf]) => [name, bent(leaf)]));
}

const axesOf = (x: PackedTree): number[] => (isPacked(x) ? x.shape.map((_, axis) => axis) : [0]);
const avalOf = ({ shape, dtype = "f32" }: Packed): Aval => ({ dtype, shape });
const avalsOf = (x: PackedTree): Aval =>
  (isPacked(x) ? avalOf(x) : Object.fromEntries(Object.entries(x).map(([k, v]) => [k, avalOf(v)]))) as Aval;

function unpack({ shape, data, dtype = "f32" }: Packed): HostArray {
  return array(
    { f32: Float32Array, i32: Int32Array, bool: Uint8Array, u8: Uint8Array }[dtype].from(data),
    shape,
    dtype,
  );
}

/** In evaluation and in training: outputs, and the gradients of the parameters and inputs of a sum of squares. */
function results(backend: Backend, config: LayerConfig, x: PackedTree): Promise<HostArray[]> {
  const model = modelFromConfig(config);
  const { params, buffers } = model.init(7, avalsOf(x));
  const inputs = leavesOfInput(x).map(unpack);
  const names = isPacked(x) ? undefined : Object.keys(x);
  const stored = [params, buffers].map((tree) => leavesOf(tree).map(([, value]) => value));
  return runFunction(
    backend,
    (...tensors) => {
      const xs = tensors.slice(0, inputs.length);
      const weights = tensors.slice(inputs.length, inputs.length + (stored[0]?.length ?? 0));
      const statistics = unflatten(buffers, tensors.slice(inputs.length + weights.length));
      const key = new Key((tensors[0] as Tensor).constant(array(Int32Array.of(3, 5), [2], "i32")));
      const floats = xs.flatMap((t, i) => (t.dtype === "f32" ? [i] : []));
      const forward = (own: readonly Tensor[], given: readonly Tensor[], training: boolean): Tensor[] => {
        const input = names ? Object.fromEntries(names.map((name, i) => [name, given[i]])) : given[0];
        const [y] = model.apply(unflatten(params, own), statistics, input as Tensor, { training, key });
        return leavesOf<Tensor>(y as Tree<Tensor>).map(([, leaf]) => leaf);
      };
      return [false, true].flatMap((training) => {
        const loss = ({ own, given }: { own: readonly Tensor[]; given: readonly Tensor[] }): Tensor =>
          forward(
            own,
            xs.map((t, i) => (floats.includes(i) ? (given[floats.indexOf(i)] as Tensor) : t)),
            training,
          )
            .filter(({ dtype }) => dtype === "f32")
            .map((y) => y.square().sum())
            .reduce((a, b) => a.add(b));
        const point = { own: weights, given: floats.map((i) => xs[i] as Tensor) };
        const found = grad(loss)(point);
        return [...forward(weights, xs, training), ...found.own, ...found.given];
      });
    },
    [...inputs, ...stored.flat()],
  );
}

const exact = referenceBackend({ precision: "f64" });
const wasm = wasmBackend();
afterAll(async () => {
  await exact.close();
  await wasm.close();
});

/** Of the largest magnitude of each array, or 1: sums of some hundred products in single precision. */
const TOLERANCE = 1e-4;

function expectEqual(got: readonly HostArray[], wanted: readonly HostArray[], what: string): void {
  expect(got.length).toBe(wanted.length);
  wanted.forEach(({ data, shape }, i) => {
    expect(got[i]?.shape).toEqual(shape);
    const scale = Math.max(1, ...Array.from(data, Math.abs));
    data.forEach((value, k) => {
      const own = got[i]?.data[k] ?? Number.NaN;
      if (!(Object.is(own, value) || Math.abs(own - value) <= TOLERANCE * scale))
        expect.fail(`${what}, value ${i}[${k}]: ${own} instead of ${value}`);
    });
  });
}

test("there is a case of each kind of layer", () => {
  const covered = new Set(chosen.flatMap(({ config }) => kindsIn(config)));
  expect(kinds.filter((kind) => !covered.has(kind))).toEqual([]);
});

describe.each(chosen.map((given) => [given.name, given] as const))("%s", (_name, given) => {
  const { config } = given;
  const x = inputOf(given);

  test("computes every axis at size 1 and at primes, or refuses it by name", async () => {
    let computed = 0;
    for (const axis of axesOf(x))
      for (const size of SIZES) {
        const odd = resized(x, axis, size);
        const what = leavesOfInput(odd)
          .map((leaf) => formatAval(avalOf(leaf)))
          .join(" ");
        let wanted: HostArray[];
        try {
          wanted = await results(exact, config, odd);
        } catch (error) {
          if (!(error instanceof ShapeError)) throw error;
          expect(error.message, what).toMatch(axis === 0 ? /: got .* in training; expected / : /: got .*; expected /);
          continue;
        }
        for (const { data } of wanted) expect(Array.from(data).every(Number.isFinite), `${what} is finite`).toBe(true);
        expectEqual(await results(wasm, config, odd), wanted, what);
        computed++;
      }
    expect(computed).toBeGreaterThan(0);
  });

  test("refuses an empty batch", () => {
    const empty = avalsOf(resized(x, 0, 0));
    const init = (): unknown => modelFromConfig(config).init(1, empty);
    expect(init).toThrow(ShapeError);
    expect(init).toThrow(/got \w+\[(\d+,)*0(,\d+)*\]; expected at least 1 on each axis/);
  });
});
