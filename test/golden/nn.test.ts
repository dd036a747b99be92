import { readdirSync, readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import type { Backend } from "../../src/compile/backend.ts";
import { type Aval, type DType, type Shape, sizeOf } from "../../src/core/dtype.ts";
import { HostArray } from "../../src/core/host-array.ts";
import { foldKey, keyOf } from "../../src/core/prng.ts";
import { leavesOf, type Tree, unflatten } from "../../src/core/tree.ts";
import { fans } from "../../src/nn/init.ts";
import type { LayerConfig } from "../../src/nn/layer.ts";
import { initializerFromConfig, modelFromConfig } from "../../src/nn/layer-from-config.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { grad, valueAndGrad } from "../../src/trace/grad.ts";
import { candidates } from "../conformance/candidates.ts";
import { type Feeds, run, type TracedFeeds } from "../nn/run.ts";

type Packed = { readonly shape: Shape; readonly data: readonly number[]; readonly dtype?: "f32" | "i32" | "bool" };
type Named = Readonly<Record<string, Packed>>;
/** One array, or several by name. */
type PackedTree = Packed | Named;
type Step = {
  readonly training: boolean;
  readonly x: PackedTree;
  readonly y: PackedTree;
  readonly cotangent: PackedTree;
  /** Of the inputs that are f32. */
  readonly dx?: PackedTree;
  readonly dparams: Named;
  readonly buffers: Named;
  readonly direction?: Packed;
  readonly second?: Packed;
};
type LayerCase = {
  readonly name: string;
  readonly config: LayerConfig;
  readonly params: Named;
  readonly buffers: Named;
  readonly steps: readonly Step[];
};
type InitCase = {
  readonly config: LayerConfig;
  readonly shape: Shape;
  readonly fans: readonly [number, number];
  readonly std: number;
  readonly form: "normal" | "uniform";
};

type Family = {
  readonly layers?: readonly LayerCase[];
  readonly inits?: readonly InitCase[];
};

const folder = new URL("../../golden/nn/", import.meta.url);
const families = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .map((name) => JSON.parse(readFileSync(new URL(name, folder), "utf8")) as Family);
const golden = {
  layers: families.flatMap(({ layers }) => layers ?? []),
  inits: families.flatMap(({ inits }) => inits ?? []),
};

/**
 * Errors count relative to the largest magnitude of the expected array, or 1. In single precision 2^-24 = 6e-8 grows to
 * 3.5e-7 on the reference, through eleven layers and batch statistics; other backends may add in another order.
 */
const backends: readonly (readonly [name: string, backend: Backend, tolerance: number])[] = [
  ["reference in f64", referenceBackend({ precision: "f64" }), 1e-9],
  ...candidates.map(({ name, create }) => [name, create(), 5e-6] as const),
];

afterAll(() => Promise.all(backends.map(([, backend]) => backend.close())));

function unpack({ shape, data, dtype = "f32" }: Packed, path = ""): HostArray {
  const type: DType = path.endsWith("num_batches_tracked") ? "i32" : dtype;
  const values = { f32: Float64Array, i32: Int32Array, bool: Uint8Array, u8: Uint8Array }[type];
  return new HostArray(type, shape, values.from(data));
}

const isPacked = (tree: PackedTree): tree is Packed => Array.isArray(tree.data);

/** The arrays of a case by path: the only one is called `name`, one of several `name.path`. */
function packedOf(tree: PackedTree | undefined, name: string): [path: string, value: Packed][] {
  if (tree === undefined) return [];
  if (isPacked(tree)) return [[name, tree]];
  return Object.entries(tree).map(([path, value]) => [`${name}.${path}`, value]);
}

function expectClose(what: string, got: ArrayLike<number> | undefined, want: Packed, tolerance: number): void {
  expect(got?.length, `${what}: number of values`).toBe(sizeOf(want.shape));
  const scale = Math.max(1, ...want.data.map(Math.abs));
  want.data.forEach((value, i) => {
    const error = Math.abs((got?.[i] ?? Number.NaN) - value) / scale;
    if (!(error <= tolerance))
      expect.fail(`${what}[${i}]: got ${got?.[i]}, expected ${value} (scaled error ${error}, tolerance ${tolerance})`);
  });
}

const tensorsOf = (tree: Tree<HostArray>, prefix: string, feed: TracedFeeds): Tree<Tensor> =>
  unflatten(
    tree,
    leavesOf(tree).map(([path]) => feed(`${prefix}${path}`)),
  );

const prefixed = (tree: Tree<HostArray>, prefix: string): Feeds =>
  Object.fromEntries(leavesOf(tree).map(([path, value]) => [`${prefix}${path}`, value]));

describe.each(backends)("layers on %s", (_name, backend, tolerance) => {
  test.each(golden.layers.map((each) => [each.name, each] as const))("%s", async (_case, { config, ...given }) => {
    const model = modelFromConfig(JSON.parse(JSON.stringify(config)) as LayerConfig);
    let stored = given.buffers;
    for (const [number, step] of given.steps.entries()) {
      const state = Object.fromEntries(
        Object.entries({ ...given.params, ...stored }).map(([path, value]) => [path, unpack(value, path)]),
      );
      const avalOf = ({ shape, dtype = "f32" }: Packed): Aval => ({ dtype, shape });
      const input = isPacked(step.x)
        ? avalOf(step.x)
        : Object.fromEntries(Object.entries(step.x).map(([path, value]) => [path, avalOf(value)]));
      const { params, buffers } = model.fromStateDict(state, input as Aval);
      const inputs = packedOf(step.x, "x");
      const feeds = {
        ...Object.fromEntries(
          [...inputs, ...packedOf(step.cotangent, "cotangent")].map(([path, value]) => [path, unpack(value)]),
        ),
        ...(step.direction ? { direction: unpack(step.direction) } : {}),
        ...prefixed(params, "p."),
        ...prefixed(buffers, "b."),
      };
      const results = await run(backend, feeds, (feed) => {
        const statistics = tensorsOf(buffers, "b.", feed);
        const forward = (p: Tree<Tensor>, x: Tree<Tensor>) =>
          model.apply(p, statistics, x as Tensor, { training: step.training });
        const weighted = (y: Tree<Tensor>): Tensor =>
          leavesOf<Tensor>(y, "cotangent")
            .map(([path, value]) => value.mul(feed(path)).sum())
            .reduce((sum, value) => sum.add(value));
        /** The input with these tensors in the places of the differentiable ones. */
        const withFloats = (floats: Readonly<Record<string, Tensor>>): Tree<Tensor> => {
          const at = (path: string): Tensor => floats[path] ?? feed(path);
          return isPacked(step.x)
            ? at("x")
            : Object.fromEntries(Object.keys(step.x).map((path) => [path, at(`x.${path}`)]));
        };
        const floats = inputs.filter(([, { dtype = "f32" }]) => dtype === "f32").map(([path]) => path);
        const both = {
          x: Object.fromEntries(floats.map((path) => [path, feed(path)])),
          params: tensorsOf(params, "p.", feed),
        };
        const [, grads, [y, after]] = valueAndGrad(
          (wrt: { x: Record<string, Tensor>; params: Tree<Tensor> }) => {
            const made = forward(wrt.params, withFloats(wrt.x));
            return [weighted(made[0]), made] as const;
          },
          { aux: true },
        )(both);
        const out: Record<string, Tensor> = {};
        for (const [path, value] of leavesOf<Tensor>(y, "y")) out[path] = value;
        for (const [path, value] of Object.entries(grads.x)) out[`d${path}`] = value;
        for (const [path, value] of leavesOf<Tensor>(grads.params)) out[`dp.${path}`] = value;
        for (const [path, value] of leavesOf<Tensor>(after)) out[`b.${path}`] = value;
        if (step.second) {
          const first = (x: Tensor): Tensor => grad((z: Tensor) => weighted(forward(both.params, z)[0]))(x);
          out.second = grad((x: Tensor) => first(x).mul(feed("direction")).sum())(feed("x"));
        }
        return out;
      });
      const at = (what: string): string => `step ${number}, ${what}`;
      for (const [path, want] of [...packedOf(step.y, "y"), ...packedOf(step.dx, "dx")])
        expectClose(at(path), results[path], want, tolerance);
      for (const [path, want] of Object.entries(step.dparams))
        expectClose(at(`gradient of ${path}`), results[`dp.${path}`], want, tolerance);
      for (const [path, want] of Object.entries(step.buffers))
        expectClose(at(path), results[`b.${path}`], want, tolerance);
      if (step.second) expectClose(at("second"), results.second, step.second, tolerance);
      stored = step.buffers;
    }
  });
});

describe("initialisers", () => {
  test.each(golden.inits.map((each) => [`${JSON.stringify(each.config)} of [${each.shape}]`, each] as const))(
    "%s",
    (_case, given) => {
      expect(fans(given.shape)).toEqual(given.fans);
      const sampler = initializerFromConfig(given.config);
      const values: number[] = [];
      for (let i = 0; values.length < 60_000; i++)
        for (const value of sampler.sample(foldKey(keyOf(7), i), given.shape).data) values.push(value);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
      // 60,000 values: the deviation of the mean is 0.004 std, that of std 0.3 % at most; the bounds are five of each.
      expect(Math.abs(mean) / given.std).toBeLessThan(0.021);
      expect(Math.abs(Math.sqrt(variance) / given.std - 1)).toBeLessThan(0.015);
      const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / given.std;
      if (given.form === "uniform") {
        expect(largest).toBeLessThanOrEqual(Math.sqrt(3) * (1 + 1e-6));
        expect(largest).toBeGreaterThan(Math.sqrt(3) * 0.999);
      } else expect(largest).toBeGreaterThan(3);
    },
  );
});
