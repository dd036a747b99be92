import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import type { Backend } from "../../src/compile/backend.ts";
import { type Shape, sizeOf } from "../../src/core/dtype.ts";
import { HostArray } from "../../src/core/host-array.ts";
import type { LayerConfig } from "../../src/nn/layer.ts";
import * as losses from "../../src/nn/losses/index.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { grad, type TensorTree } from "../../src/trace/grad.ts";
import { candidates } from "../conformance/candidates.ts";
import { run } from "../nn/run.ts";

type Packed = { readonly shape: Shape; readonly data: readonly (number | string)[]; readonly dtype: "f32" | "i32" };
type Named = Readonly<Record<string, Packed>>;
/** One array, or several by name. */
type PackedTree = Packed | Named;
type LossCase = {
  readonly name: string;
  readonly config: LayerConfig;
  /** What the output goes through before the loss. */
  readonly through?: "logSoftmax" | "sigmoid";
  readonly output: PackedTree;
  /** A loss of outputs alone has none. */
  readonly target?: PackedTree;
  readonly value: Packed;
  readonly cotangent: Packed;
  /** Gradients by every f32 array. */
  readonly doutput: PackedTree;
  readonly dtarget?: PackedTree;
  readonly direction?: PackedTree;
  readonly second?: PackedTree;
};

const { losses: cases } = JSON.parse(readFileSync(new URL("../../golden/nn/losses.json", import.meta.url), "utf8")) as {
  readonly losses: readonly LossCase[];
};

/**
 * Errors count relative to the largest finite magnitude of the expected array, or 1: in single precision 2^-24 = 6e-8 grows
 * with the terms of a sum, to 1e-6 through the 60 logarithms of a CTC loss.
 */
const backends: readonly (readonly [name: string, backend: Backend, tolerance: number])[] = [
  ["reference in f64", referenceBackend({ precision: "f64" }), 1e-9],
  ...candidates.map(({ name, create }) => [name, create(), 5e-6] as const),
];

afterAll(() => Promise.all(backends.map(([, backend]) => backend.close())));

/** JSON has no infinities and no NaN: they are text. */
const numbersOf = ({ data }: Packed): number[] => data.map(Number);

function unpack(packed: Packed): HostArray {
  const { shape, dtype } = packed;
  const values = dtype === "i32" ? Int32Array : Float64Array;
  return new HostArray(dtype, shape, values.from(numbersOf(packed)));
}

const isPacked = (tree: PackedTree): tree is Packed => Array.isArray(tree.data);

/** The arrays by path: the only one is called `name`, one of several `name.path`. */
function packedOf(tree: PackedTree | undefined, name: string): [path: string, value: Packed][] {
  if (tree === undefined) return [];
  if (isPacked(tree)) return [[name, tree]];
  return Object.entries(tree).map(([path, value]) => [`${name}.${path}`, value]);
}

function expectClose(what: string, got: ArrayLike<number> | undefined, packed: Packed, tolerance: number): void {
  const want = numbersOf(packed);
  expect(got?.length, `${what}: number of values`).toBe(sizeOf(packed.shape));
  const scale = Math.max(1, ...want.filter(Number.isFinite).map(Math.abs));
  want.forEach((value, i) => {
    const found = got?.[i] ?? Number.NEGATIVE_INFINITY;
    if (Object.is(found, value) || found === value) return;
    const error = Math.abs(found - value) / scale;
    if (!(error <= tolerance))
      expect.fail(`${what}[${i}]: got ${found}, expected ${value} (scaled error ${error}, tolerance ${tolerance})`);
  });
}

type Apply = (output: TensorTree, target: TensorTree | undefined) => Tensor;

const functions = { ...losses };

/** Through the configuration, or, where it does not reduce, as the function. */
function lossOf(given: LayerConfig): Apply {
  const config = JSON.parse(JSON.stringify(given)) as LayerConfig;
  const { kind, ...options } = config;
  const apply: Apply =
    config.reduction === "none"
      ? (output, target) => {
          const f = functions[kind as keyof typeof functions] as (...all: readonly unknown[]) => Tensor;
          return target === undefined ? f(output, options) : f(output, target, options);
        }
      : (output, target) => losses.lossFromConfig(config).apply(output as Tensor, target as Tensor);
  return apply;
}

const through = {
  logSoftmax: (x: Tensor): Tensor => x.logSoftmax(-1),
  sigmoid: (x: Tensor): Tensor => x.sigmoid(),
};

describe.each(backends)("losses on %s", (_name, backend, tolerance) => {
  test.each(cases.map((each) => [each.name, each] as const))("%s", async (_case, given) => {
    const loss = lossOf(given.config);
    const outputs = packedOf(given.output, "output");
    const targets = packedOf(given.target, "target");
    const feeds = Object.fromEntries(
      [...outputs, ...targets, ...packedOf(given.direction, "direction"), ["cotangent", given.cotangent] as const].map(
        ([path, value]) => [path, unpack(value)],
      ),
    );
    const prepare = given.through ? through[given.through] : (x: Tensor) => x;
    const results = await run(backend, feeds, (feed) => {
      const known = (floats: Readonly<Record<string, Tensor>>, path: string): Tensor => floats[path] ?? feed(path);
      const tree = (packed: PackedTree, name: string, floats: Readonly<Record<string, Tensor>>): TensorTree =>
        isPacked(packed)
          ? known(floats, name)
          : Object.fromEntries(Object.keys(packed).map((path) => [path, known(floats, `${name}.${path}`)]));
      const value = (floats: Readonly<Record<string, Tensor>>): Tensor => {
        const output = tree(given.output, "output", floats);
        const target = given.target && tree(given.target, "target", floats);
        return loss(isPacked(given.output) ? prepare(output as Tensor) : output, target);
      };
      const total = (floats: Readonly<Record<string, Tensor>>): Tensor => value(floats).mul(feed("cotangent")).sum();
      const floatsOf = (all: readonly (readonly [string, Packed])[]): Readonly<Record<string, Tensor>> =>
        Object.fromEntries(all.filter(([, { dtype }]) => dtype === "f32").map(([path]) => [path, feed(path)]));
      const wrt = floatsOf(outputs);
      const all = given.dtarget ? { ...wrt, ...floatsOf(targets) } : wrt;
      const out: Record<string, Tensor> = { value: value({}) };
      for (const [path, value] of Object.entries(grad(total)(all))) out[`d${path}`] = value;
      if (given.second) {
        const again = grad((floats: Readonly<Record<string, Tensor>>) =>
          Object.entries(grad(total)(floats))
            .map(([path, value]) => value.mul(feed(path.replace("output", "direction"))).sum())
            .reduce((sum, each) => sum.add(each)),
        )(wrt);
        for (const [path, value] of Object.entries(again)) out[path.replace("output", "second")] = value;
      }
      return out;
    });
    expectClose("value", results.value, given.value, tolerance);
    for (const [path, want] of [
      ...packedOf(given.doutput, "doutput"),
      ...packedOf(given.dtarget, "dtarget"),
      ...packedOf(given.second, "second"),
    ])
      expectClose(path, results[path], want, tolerance);
  });
});
