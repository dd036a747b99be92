import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import type { Backend } from "../../src/compile/backend.ts";
import { type DType, type Shape, sizeOf } from "../../src/core/dtype.ts";
import { HostArray } from "../../src/core/host-array.ts";
import { foldKey, keyOf } from "../../src/core/prng.ts";
import { leavesOf, type Tree, unflatten } from "../../src/core/tree.ts";
import { fans } from "../../src/nn/init.ts";
import type { LayerConfig } from "../../src/nn/layer.ts";
import { initializerFromConfig, lossFromConfig, modelFromConfig } from "../../src/nn/layer-from-config.ts";
import { crossEntropy, hinge, meanSquaredError } from "../../src/nn/losses.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { grad, valueAndGrad } from "../../src/trace/grad.ts";
import { candidates } from "../conformance/candidates.ts";
import { type Feeds, run, type TracedFeeds } from "../nn/run.ts";

type Packed = { readonly shape: Shape; readonly data: readonly number[]; readonly dtype?: "f32" | "i32" };
type Named = Readonly<Record<string, Packed>>;
type Step = {
  readonly training: boolean;
  readonly x: Packed;
  readonly y: Packed;
  readonly cotangent: Packed;
  readonly dx: Packed;
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
type LossCase = {
  readonly name: string;
  readonly config: LayerConfig;
  readonly output: Packed;
  readonly target: Packed;
  readonly value: Packed;
  readonly cotangent: Packed;
  readonly doutput: Packed;
  readonly dtarget?: Packed;
  readonly direction?: Packed;
  readonly second?: Packed;
};
type InitCase = {
  readonly config: LayerConfig;
  readonly shape: Shape;
  readonly fans: readonly [number, number];
  readonly std: number;
  readonly form: "normal" | "uniform";
};

const golden = JSON.parse(readFileSync(new URL("../../golden/nn/nn.json", import.meta.url), "utf8")) as {
  readonly layers: readonly LayerCase[];
  readonly losses: readonly LossCase[];
  readonly inits: readonly InitCase[];
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
  return new HostArray(type, shape, type === "i32" ? Int32Array.from(data) : Float64Array.from(data));
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
      const input = { dtype: "f32", shape: step.x.shape } as const;
      const { params, buffers } = model.fromStateDict(state, input);
      const feeds = {
        x: unpack(step.x),
        cotangent: unpack(step.cotangent),
        ...(step.direction ? { direction: unpack(step.direction) } : {}),
        ...prefixed(params, "p."),
        ...prefixed(buffers, "b."),
      };
      const results = await run(backend, feeds, (feed) => {
        const statistics = tensorsOf(buffers, "b.", feed);
        const forward = (p: Tree<Tensor>, x: Tensor) => model.apply(p, statistics, x, { training: step.training });
        const both = { x: feed("x"), params: tensorsOf(params, "p.", feed) };
        const [, grads, [y, after]] = valueAndGrad(
          (inputs: { x: Tensor; params: Tree<Tensor> }) => {
            const made = forward(inputs.params, inputs.x);
            return [made[0].mul(feed("cotangent")).sum(), made] as const;
          },
          { aux: true },
        )(both);
        const out: Record<string, Tensor> = { y, dx: grads.x };
        for (const [path, value] of leavesOf<Tensor>(grads.params)) out[`dp.${path}`] = value;
        for (const [path, value] of leavesOf<Tensor>(after)) out[`b.${path}`] = value;
        if (step.second) {
          const first = (x: Tensor): Tensor =>
            grad((z: Tensor) => forward(both.params, z)[0].mul(feed("cotangent")).sum())(x);
          out.second = grad((x: Tensor) => first(x).mul(feed("direction")).sum())(feed("x"));
        }
        return out;
      });
      const at = (what: string): string => `step ${number}, ${what}`;
      expectClose(at("y"), results.y, step.y, tolerance);
      expectClose(at("dx"), results.dx, step.dx, tolerance);
      for (const [path, want] of Object.entries(step.dparams))
        expectClose(at(`gradient of ${path}`), results[`dp.${path}`], want, tolerance);
      for (const [path, want] of Object.entries(step.buffers))
        expectClose(at(path), results[`b.${path}`], want, tolerance);
      if (step.second) expectClose(at("second"), results.second, step.second, tolerance);
      stored = step.buffers;
    }
  });
});

/** Losses that do not reduce are functions only. */
function lossOf(config: LayerConfig): (output: Tensor, target: Tensor) => Tensor {
  if (config.reduction !== "none") {
    const loss = lossFromConfig(JSON.parse(JSON.stringify(config)) as LayerConfig);
    return (output, target) => loss.apply(output, target);
  }
  const { kind, ...options } = config;
  if (kind === "crossEntropy") return (output, target) => crossEntropy(output, target, options);
  return (output, target) => (kind === "hinge" ? hinge : meanSquaredError)(output, target, options);
}

describe.each(backends)("losses on %s", (_name, backend, tolerance) => {
  test.each(golden.losses.map((each) => [each.name, each] as const))("%s", async (_case, given) => {
    const loss = lossOf(given.config);
    const feeds = {
      output: unpack(given.output),
      target: unpack(given.target),
      cotangent: unpack(given.cotangent),
      ...(given.direction ? { direction: unpack(given.direction) } : {}),
    };
    const results = await run(backend, feeds, (feed) => {
      const total = (output: Tensor, target: Tensor): Tensor => loss(output, target).mul(feed("cotangent")).sum();
      const out: Record<string, Tensor> = {
        value: loss(feed("output"), feed("target")),
        doutput: grad((output: Tensor) => total(output, feed("target")))(feed("output")),
      };
      if (given.dtarget) out.dtarget = grad((target: Tensor) => total(feed("output"), target))(feed("target"));
      if (given.second)
        out.second = grad((output: Tensor) =>
          grad((inner: Tensor) => total(inner, feed("target")))(output)
            .mul(feed("direction"))
            .sum(),
        )(feed("output"));
      return out;
    });
    expectClose("value", results.value, given.value, tolerance);
    expectClose("gradient of the output", results.doutput, given.doutput, tolerance);
    if (given.dtarget) expectClose("gradient of the target", results.dtarget, given.dtarget, tolerance);
    if (given.second) expectClose("second", results.second, given.second, tolerance);
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
