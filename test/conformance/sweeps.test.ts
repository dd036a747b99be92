import { describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import type { Backend } from "../../src/compile/backend.ts";
import { compileStep } from "../../src/compile/step.ts";
import { HostArray } from "../../src/core/host-array.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { candidates } from "./candidates.ts";

type Arrays = Readonly<Record<string, HostArray>>;
type Tensors = Readonly<Record<string, Tensor>>;

/** Around whole vectors, unrolled vectors, blocks, and more than a thread does alone; axes of size 1. */
const shapes = [
  [2],
  [3],
  [4],
  [1, 5],
  [15],
  [16, 1],
  [17],
  [1023],
  [1024],
  [1025],
  [4100],
  [7, 40],
  [5, 5, 41],
  [30000],
];

function arrays(salt: number): Arrays {
  return Object.fromEntries(
    shapes.map((shape, i) => {
      const data = new Float32Array(shape.reduce((a, b) => a * b));
      for (let k = 0; k < data.length; k++) data[k] = (((k + 31 * i + salt) * 7919) % 1000) / 500 - 1;
      return [`p${i}`, new HostArray("f32", shape, data)];
    }),
  );
}

const map = (trees: readonly Tensors[], f: (...leaves: Tensor[]) => Tensor): Tensors =>
  Object.fromEntries(Object.keys(trees[0] as Tensors).map((name) => [name, f(...trees.map((t) => t[name] as Tensor))]));

/** RMSprop of every array, then an array that reads another one's new value and one that reads an old one. */
async function trained(backend: Backend) {
  const step = await compileStep(
    backend,
    (state, _batch, ctx, data) => {
      const g = data.g as Tensors;
      const c = map([state.c as Tensors, g], (c, g) => c.mul(0.9).add(g.square().mul(0.1)));
      const rate = ctx.hyper("rate", 0.01);
      const x = map([state.x as Tensors, g, c], (x, g, c) => x.sub(g.mul(rate).div(c.sqrt().add(1e-3))));
      const after = map([state.after as Tensors, x], (old, x) => old.add(x));
      const before = map([state.before as Tensors, state.c as Tensors], (old, c) => old.add(c));
      return { state: { x, c, after, before } };
    },
    {
      state: { x: arrays(1), c: positive(arrays(2)), after: arrays(3), before: arrays(4) },
      batch: {},
      data: { g: arrays(5) },
    },
  );
  await step.run({}, 11);
  return { state: await step.read(), kernels: step.executable.print("kernels") };
}

const positive = (tree: Arrays): Arrays =>
  Object.fromEntries(
    Object.entries(tree).map(([name, { shape, data }]) => [
      name,
      new HostArray("f32", shape, (data as Float32Array).map(Math.abs)),
    ]),
  );

describe.each(candidates)("$name", ({ name, create, reproducible }) => {
  test("many arrays updated in one kernel hold what the reference computes", async () => {
    const backend = create();
    const expected = (await trained(referenceBackend())).state;
    const { state, kernels } = await trained(backend);
    if (name !== "reference") expect(kernels.split("\n").filter((line) => line.startsWith("sweep "))).toHaveLength(1);
    for (const part of ["x", "c", "after", "before"] as const)
      for (const leaf of Object.keys(expected[part])) {
        const [want, got] = [expected[part][leaf]?.data ?? [], state[part][leaf]?.data ?? []];
        if (reproducible || name === "reference") expect(got, `${part}.${leaf}`).toEqual(want);
        else got.forEach((value, i) => void expect(value).toBeCloseTo(want[i] as number, 5));
      }
    await backend.close();
  });
});
