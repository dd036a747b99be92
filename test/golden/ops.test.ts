import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import { runFunction } from "../../src/compile/run-function.ts";
import { array, type HostArray } from "../../src/core/host-array.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { grad } from "../../src/trace/grad.ts";
import { candidates } from "../conformance/candidates.ts";

type Packed = {
  readonly dtype: "f32" | "i32" | "bool";
  readonly shape: readonly number[];
  readonly data: readonly (number | "Infinity" | "-Infinity" | "NaN")[];
};
type Case = {
  readonly name: string;
  readonly inputs: readonly Packed[];
  readonly value: Packed;
  readonly cotangent?: Packed;
  /** Of the f32 inputs. */
  readonly gradients?: readonly Packed[];
};

const cases = JSON.parse(readFileSync(new URL("../../golden/ops/edges.json", import.meta.url), "utf8")) as Case[];

type Op = (x: Tensor, y: Tensor) => Tensor;

/** What PyTorch calls by the case's first word. */
const ops: Readonly<Record<string, Op>> = {
  abs: (x) => x.abs(),
  sign: (x) => x.sign(),
  relu: (x) => x.relu(),
  floor: (x) => x.floor(),
  ceil: (x) => x.ceil(),
  round: (x) => x.round(),
  tanh: (x) => x.tanh(),
  sigmoid: (x) => x.sigmoid(),
  erf: (x) => x.erf(),
  exp: (x) => x.exp(),
  expm1: (x) => x.expm1(),
  neg: (x) => x.neg(),
  sqrt: (x) => x.sqrt(),
  rsqrt: (x) => x.rsqrt(),
  reciprocal: (x) => x.reciprocal(),
  log: (x) => x.log(),
  log1p: (x) => x.log1p(),
  sin: (x) => x.sin(),
  cos: (x) => x.cos(),
  square: (x) => x.square(),
  maximum: (x, y) => x.maximum(y),
  minimum: (x, y) => x.minimum(y),
  clip: (x) => x.clip(-1, 1),
  add: (x, y) => x.add(y),
  mul: (x, y) => x.mul(y),
  div: (x, y) => x.div(y),
  rem: (x, y) => x.rem(y),
  pow: (x, y) => x.pow(y),
  greater: (x, y) => x.greater(y),
  equal: (x, y) => x.equal(y),
  notEqual: (x, y) => x.notEqual(y),
  select: (x, y) => x.constant(array(Uint8Array.of(1, 0, 1, 0), [4], "bool")).select(x, y),
  "max over axis 0": (x) => x.max(0),
  "max over axis 1": (x) => x.max(1),
  "min over axis 0": (x) => x.min(0),
  "min over axis 1": (x) => x.min(1),
  "argmax over axis 0": (x) => x.argmax(0),
  "argmax over axis 1": (x) => x.argmax(1),
  "argmin over axis 0": (x) => x.argmin(0),
  "argmin over axis 1": (x) => x.argmin(1),
  "max over both axes": (x) => x.max(),
  "max of equal infinities": (x) => x.max(0),
  max: (x) => x.max(1),
  min: (x) => x.min(1),
  argmax: (x) => x.argmax(1),
  argmin: (x) => x.argmin(1),
  sum: (x) => x.sum(1),
  mean: (x) => x.mean([0, 2]),
  variance: (x) => x.variance(1),
  softmax: (x) => x.softmax(1),
  logSoftmax: (x) => x.logSoftmax(1),
  logSumExp: (x) => x.logSumExp(1),
  "max of prime sizes": (x) => x.max([0, 1]),
  "variance of prime sizes": (x) => x.variance([0, 1]),
  "logSoftmax of prime sizes": (x) => x.logSoftmax(0),
  gather: (x, k) => x.gather(k),
  "gather of repeated columns": (x, k) => x.gather(k, 1),
  "scatterAdd of repeated indices": (x, k) => x.scatterAdd(k, 0, 5),
  "scatterAdd onto one row": (x, k) => x.scatterAdd(k, 0, 1),
  oneHot: (k) => k.oneHot(5),
  maxPool2d: (x) => x.maxPool2d(2),
  "maxPool2d with overlap": (x) => x.maxPool2d(3, { stride: 1, padding: 1 }),
  "maxPool2d of one pixel": (x) => x.maxPool2d(1),
  "maxPool2d padded, of negative values": (x) => x.maxPool2d(2, { stride: 2, padding: 1 }),
  avgPool2d: (x) => x.avgPool2d(3, { stride: 2, padding: 1 }),
  "conv2d of one pixel": (x, w) => x.conv2d(w),
  "conv2d of primes": (x, w) => x.conv2d(w, { stride: [2, 1], padding: [1, 2], dilation: [1, 2] }),
  "conv2d, grouped": (x, w) => x.conv2d(w, { groups: 3 }),
  matmul: (x, y) => x.matmul(y),
};

function opOf(name: string): Op {
  const op = ops[name] ?? ops[name.split(" ")[0] ?? ""];
  if (op === undefined) throw new Error(`there is nothing here for "${name}"`);
  return op;
}

function unpack({ dtype, shape, data }: Packed, double: boolean): HostArray {
  const values = data.map(Number);
  if (dtype === "f32") return array(double ? Float64Array.from(values) : Float32Array.from(values), shape, dtype);
  return array(dtype === "i32" ? Int32Array.from(values) : Uint8Array.from(values), shape, dtype);
}

function expectEqual(what: string, got: HostArray | undefined, want: Packed, tolerance: number): void {
  expect(got?.shape, what).toEqual(want.shape);
  const wanted = want.data.map(Number);
  const scale = Math.max(1, ...wanted.filter(Number.isFinite).map(Math.abs));
  const faults = wanted.flatMap((b, i) => {
    const a = got?.data[i] as number;
    return a === b || (Number.isNaN(a) && Number.isNaN(b)) || Math.abs(a - b) <= tolerance * scale
      ? []
      : [`[${i}] ${a} instead of ${b}`];
  });
  if (faults.length > 0) expect.fail(`${what}: ${faults.join(", ")}`);
}

const backends = [
  { name: "reference in f64", backend: referenceBackend({ precision: "f64" }), double: true, tolerance: 1e-11 },
  // A few roundings, and sums of up to 77 terms.
  ...candidates.map(({ name, create }) => ({ name, backend: create(), double: false, tolerance: 2e-6 })),
];
afterAll(() => Promise.all(backends.map(({ backend }) => backend.close())));

describe.each(backends)("on $name, as PyTorch", ({ backend, double, tolerance }) => {
  test.each(cases.map((each) => [each.name, each] as const))("%s", async (name, given) => {
    const op = opOf(name);
    const { cotangent, gradients = [] } = given;
    const inputs = given.inputs.map((x) => unpack(x, double));
    const [value, ...found] = await runFunction(
      backend,
      (...xs) => {
        const y = op(xs[0] as Tensor, xs[1] as Tensor);
        if (!cotangent) return [y];
        const floats = xs.flatMap((x, i) => (x.dtype === "f32" ? [i] : []));
        const loss = (own: readonly Tensor[]): Tensor => {
          const at = xs.map((x, i) => (floats.includes(i) ? (own[floats.indexOf(i)] as Tensor) : x));
          return op(at[0] as Tensor, at[1] as Tensor)
            .mul(y.constant(unpack(cotangent, double)))
            .sum();
        };
        return [y, ...grad(loss)(floats.map((i) => xs[i] as Tensor))];
      },
      inputs,
    );
    expectEqual("value", value, given.value, tolerance);
    gradients.forEach((gradient, i) => {
      expectEqual(`gradient ${i}`, found[i], gradient, tolerance);
    });
  });
});
