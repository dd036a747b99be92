import { describe, expect, test } from "vitest";
import { referenceBackend } from "../backends/reference/index.ts";
import { wasmBackend } from "../backends/wasm/index.ts";
import type { Backend } from "../compile/backend.ts";
import { runFunction } from "../compile/run-function.ts";
import { compileStep } from "../compile/step.ts";
import { array, HostArray } from "../core/host-array.ts";
import { keyOf, normalAt } from "../core/prng.ts";
import { leavesOf, unflatten, zipTrees } from "../core/tree.ts";
import { dataset } from "../data/dataset.ts";
import * as nn from "../nn/index.ts";
import type { Tensor } from "../ops/tensor.ts";
import type { Transform, UpdateContext } from "../optim/index.ts";
import { fitWith } from "../train/index.ts";
import { cond, whileLoop } from "./control.ts";
import { evaluationsOf, narrowContext } from "./update-context.ts";

type Params = Readonly<Record<string, Tensor>>;
type Shapes = Readonly<Record<string, readonly number[]>>;
type Loss = (params: Params) => Tensor;
type Evaluations = ReturnType<typeof evaluationsOf<Params>>;

/** Normal numbers of these shapes, other ones for each seed. */
function draw(shapes: Shapes, seed: number): Record<string, HostArray> {
  const entries = Object.entries(shapes).map(([name, shape], leaf) => {
    const key = keyOf(1000 * seed + leaf);
    const size = shape.reduce((n, length) => n * length, 1);
    return [
      name,
      new HostArray(
        "f32",
        shape,
        Float64Array.from({ length: size }, (_, i) => normalAt(key, i)),
      ),
    ] as const;
  });
  return Object.fromEntries(entries);
}

const inputs = draw({ flat: [6, 4], image: [6, 2, 6, 6] }, 99);
const labels = array([0, 2, 1, 1, 0, 2], [6], "i32");

/** Mean of -ln softmax at the labels. */
function crossEntropy(logits: Tensor): Tensor {
  return logits.logSoftmax().mul(logits.constant(labels).oneHot(3)).sum(1).mean().neg();
}

const at = (params: Params, name: string): Tensor => params[name] as Tensor;

const losses: Readonly<Record<string, { readonly shapes: Shapes; readonly loss: Loss }>> = {
  softmax: {
    shapes: { weight: [4, 3], bias: [3] },
    loss: (p) =>
      crossEntropy(
        at(p, "bias")
          .constant(inputs.flat as HostArray)
          .matmul(at(p, "weight"))
          .add(at(p, "bias")),
      ),
  },
  mlp: {
    shapes: { w1: [4, 5], b1: [5], w2: [5, 3] },
    loss: (p) => {
      const x = at(p, "w1").constant(inputs.flat as HostArray);
      return crossEntropy(x.matmul(at(p, "w1")).add(at(p, "b1")).tanh().matmul(at(p, "w2")));
    },
  },
  conv: {
    shapes: { kernel: [3, 2, 3, 3], weight: [27, 3] },
    loss: (p) => {
      const x = at(p, "kernel").constant(inputs.image as HostArray);
      const maps = x.conv2d(at(p, "kernel"), { padding: 1 }).sigmoid().avgPool2d(2);
      return crossEntropy(maps.flatten(1).matmul(at(p, "weight")));
    },
  },
  "strided conv, max pool": {
    shapes: { kernel: [3, 2, 2, 2], weight: [12, 3] },
    loss: (p) => {
      const x = at(p, "kernel").constant(inputs.image as HostArray);
      const maps = x.conv2d(at(p, "kernel"), { stride: 2, padding: 1 }).tanh().maxPool2d(2);
      return crossEntropy(maps.flatten(1).matmul(at(p, "weight")));
    },
  },
};

/** What `f` finds with the further evaluations of a context at these parameters, as numbers. */
async function evaluate(
  backend: Backend,
  params: Record<string, HostArray>,
  loss: Loss | undefined,
  f: (params: Params, evaluations: Evaluations) => Readonly<Record<string, Tensor>>,
): Promise<Record<string, number[]>> {
  const single = backend.name !== "reference-f64";
  const leaves = Object.values(params).map(({ shape, data }) =>
    single ? new HostArray("f32", shape, Float32Array.from(data)) : new HostArray("f32", shape, data),
  );
  let names: readonly string[] = [];
  const found = await runFunction(
    backend,
    (...tensors) => {
      const here = unflatten(params, tensors) as Params;
      const out = f(here, evaluationsOf<Params>(here, loss, undefined));
      names = Object.keys(out);
      return Object.values(out);
    },
    leaves,
  );
  await backend.close();
  return Object.fromEntries(found.map(({ data }, i) => [names[i] as string, [...data]]));
}

const moved = (x: Record<string, HostArray>, d: Record<string, HostArray>, t: number): Record<string, HostArray> =>
  Object.fromEntries(
    Object.entries(x).map(([name, { shape, data }]) => [
      name,
      new HostArray(
        "f32",
        shape,
        Float64Array.from(data, (v, i) => v + t * ((d[name] as HostArray).data[i] as number)),
      ),
    ]),
  );

const doubles = (): Backend => referenceBackend({ precision: "f64" });
const backends = [
  ["doubles", doubles, 1e-12],
  ["reference", () => referenceBackend(), 2e-6],
  ["wasm", () => wasmBackend(), 2e-6],
] as const;

const farthest = (a: readonly number[], b: readonly number[]): number =>
  Math.max(...a.map((x, i) => Math.abs(x - (b[i] as number))));
const join = (record: Record<string, number[]>): number[] => Object.values(record).flat();
const gradientsOf = async (params: Record<string, HostArray>, loss: Loss): Promise<number[]> =>
  join(await evaluate(doubles(), params, loss, (x, { valueAndGradAt }) => valueAndGradAt(x)[1]));
const add = (x: Params, d: Params, t: number): Params =>
  zipTrees<Tensor, Tensor>((_, x, d) => x.add((d as Tensor).mul(t)), x, d) as Params;

describe.each(Object.entries(losses))("%s", (_, { shapes, loss }) => {
  const params = draw(shapes, 1);
  const direction = draw(shapes, 2);
  const constants = (like: Params, values: Record<string, HostArray>): Params =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, at(like, name).constant(value)]));

  test.each(backends)("a Hessian-vector product is the gradient's derivative, on %s", async (_, backend, tolerance) => {
    const h = 1e-5;
    const [ahead, behind] = [
      await gradientsOf(moved(params, direction, h), loss),
      await gradientsOf(moved(params, direction, -h), loss),
    ];
    const expected = ahead.map((g, i) => (g - (behind[i] as number)) / (2 * h));
    const found = await evaluate(backend(), params, loss, (x, { hessianVectorProduct }) =>
      hessianVectorProduct(constants(x, direction)),
    );
    expect(Math.max(...expected.map(Math.abs))).toBeGreaterThan(0.1);
    // Central differences are off by h² times a fourth derivative, and by rounding / h.
    expect(farthest(join(found), expected)).toBeLessThan(Math.max(1e-8, tolerance));
  });

  test.each(backends)(
    "the loop that walks down computes the gradient anew at each point, on %s",
    async (_, backend, tolerance) => {
      const found = await evaluate(backend(), params, loss, (x, { valueAndGradAt }) => {
        const end = whileLoop(
          ({ i }) => i.less(3),
          ({ i, x }) => ({ i: i.add(1), x: add(x, valueAndGradAt(x)[1], -0.5), f: valueAndGradAt(x)[0] }),
          { i: at(x, Object.keys(x)[0] as string).full(0, [], "i32"), x, f: valueAndGradAt(x)[0] },
        );
        return { ...end.x, f: end.f };
      });
      const expected = await evaluate(doubles(), params, loss, (x, { valueAndGradAt }) => {
        const first = add(x, valueAndGradAt(x)[1], -0.5);
        const second = add(first, valueAndGradAt(first)[1], -0.5);
        const [f, g] = valueAndGradAt(second);
        return { ...add(second, g, -0.5), f };
      });
      expect(farthest(join(found), join(expected))).toBeLessThan(2 * tolerance);
    },
  );

  test.each(backends)("a branch computes the gradient where it is told, on %s", async (_, backend, tolerance) => {
    for (const ahead of [true, false]) {
      const found = await evaluate(backend(), params, loss, (x, { valueAndGradAt, hessianVectorProduct }) => {
        const d = constants(x, direction);
        const [f] = valueAndGradAt(x);
        const g = cond(
          ahead ? f.greater(0) : f.less(0),
          (d: Params) => valueAndGradAt(add(x, d, 0.5))[1],
          (d: Params) => hessianVectorProduct(d),
          d,
        );
        return g;
      });
      const expected = await evaluate(doubles(), params, loss, (x, { valueAndGradAt, hessianVectorProduct }) => {
        const d = constants(x, direction);
        return ahead ? valueAndGradAt(add(x, d, 0.5))[1] : hessianVectorProduct(d);
      });
      expect(farthest(join(found), join(expected))).toBeLessThan(tolerance);
    }
  });
});

test("a part's evaluations hold the other parameters where they are", async () => {
  const { shapes, loss } = losses.mlp as { shapes: Shapes; loss: Loss };
  const params = draw(shapes, 1);
  const direction = draw(shapes, 2);
  const paths = new Set(["w1", "b1"]);
  const onlyPart = { ...direction, w2: new HostArray("f32", shapes.w2 as number[], new Float64Array(15)) };
  const constants = (like: Params, values: Record<string, HostArray>): Params =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, at(like, name).constant(value)]));
  const found = await evaluate(doubles(), params, loss, (x, evaluations) => {
    const part = narrowContext({ ...evaluations, params: x } as unknown as UpdateContext, paths);
    const { w1, b1 } = constants(x, direction) as { w1: Tensor; b1: Tensor };
    const [f, g] = part.valueAndGradAt({ w1, b1 });
    const h = part.hessianVectorProduct({ w1, b1 });
    expect([g, h].map((tree) => leavesOf<Tensor>(tree).map(([path]) => path))).toEqual([
      ["w1", "b1"],
      ["w1", "b1"],
    ]);
    return {
      f,
      ...Object.fromEntries([g, h].flatMap((tree, i) => leavesOf<Tensor>(tree).map(([p, v]) => [p + i, v]))),
    };
  });
  const expected = await evaluate(doubles(), params, loss, (x, { valueAndGradAt, hessianVectorProduct }) => {
    const d = constants(x, onlyPart);
    const [f, g] = valueAndGradAt({ ...d, w2: at(x, "w2") });
    const h = hessianVectorProduct(d);
    return { f, w10: at(g, "w1"), b10: at(g, "b1"), w11: at(h, "w1"), b11: at(h, "b1") };
  });
  expect(farthest(join(found), join(expected))).toBeLessThan(1e-14);
});

test("a step that gives no objective or no examples says what is missing", async () => {
  const start = { x: array([1]) };
  const use = (ask: (ctx: UpdateContext) => unknown) =>
    compileStep(
      referenceBackend(),
      (old, _batch, ctx) => {
        ask(ctx.forUpdate({ x: old.x }, old.x.sum()));
        return { state: old, metrics: {} };
      },
      { state: start, batch: {} },
    );
  await expect(use((ctx) => ctx.valueAndGradAt(ctx.params))).rejects.toThrow(
    "the step gives no objective; expected one",
  );
  await expect(use((ctx) => ctx.hessianVectorProduct(ctx.params))).rejects.toThrow("the step gives no objective");
  await expect(use((ctx) => ctx.sumExampleGradients((g) => g, {}))).rejects.toThrow("the step gives no examples");
});

describe.each([
  ["doubles", doubles, 1e-12],
  ["wasm", () => wasmBackend(), 1e-5],
] as const)("in fit with dropout and batch norm, on %s", (name, backend, tolerance) => {
  const data = (() => {
    const key = keyOf(7);
    const values = Float32Array.from({ length: 48 * 3 }, (_, i) => normalAt(key, i));
    const classes = Int32Array.from({ length: 48 }, (_, i) => ((values[3 * i] as number) > 0 ? 1 : 0));
    return dataset(array(values, [48, 3]), array(classes, [48], "i32"), { name: "half", classes: ["a", "b"] });
  })();

  const far = (a: unknown, b: unknown): Tensor => {
    const parts = leavesOf<Tensor>(
      zipTrees<Tensor, Tensor>(
        (_, a, b) =>
          a
            .sub(b as Tensor)
            .abs()
            .max(),
        a as Params,
        b as Params,
      ),
    ).map(([, leaf]) => leaf);
    return parts.reduce((worst, part) => worst.maximum(part));
  };

  /** Evaluates wherever it can, and leaves the parameters as they are. */
  const probe = (evaluates: boolean): Transform => ({
    config: { name: "probe" },
    init: () => ({}),
    update(gradients, state, ctx) {
      const zeros = zipTrees<Tensor, Tensor>((_, g) => g.zerosLike(), gradients);
      if (!evaluates) return [zeros, state];
      const { params } = ctx as UpdateContext<Params>;
      const [loss, again] = ctx.valueAndGradAt(params);
      ctx.metric("lossMoved", loss.sub(ctx.loss).abs());
      ctx.metric("gradientsMoved", far(again, gradients));
      const looped = whileLoop(
        ({ i }) => i.less(2),
        ({ i }) => ({ i: i.add(1), g: ctx.valueAndGradAt(params)[1] as Params }),
        { i: ctx.step.full(0), g: zeros as Params },
      );
      ctx.metric("loopMoved", far(looped.g, gradients));
      const h = 1e-5;
      const towards = gradients as Params;
      const ahead = ctx.valueAndGradAt(add(params, towards, h))[1] as Params;
      const behind = ctx.valueAndGradAt(add(params, towards, -h))[1] as Params;
      const difference = zipTrees<Tensor, Tensor>((_, a, b) => a.sub(b as Tensor).div(2 * h), ahead, behind);
      ctx.metric("hessianOff", far(difference, ctx.hessianVectorProduct(towards)));
      return [zeros, state];
    },
  });

  const record = async (evaluates: boolean) => {
    const model = nn.sequential(nn.linear(8), nn.batchNorm(), nn.tanh(), nn.dropout(0.4), nn.linear(2));
    const steps: Readonly<Record<string, number>>[] = [];
    const run = await fitWith(backend)(model, {
      train: data,
      epochs: 6,
      batchSize: 48,
      seed: 3,
      loss: nn.crossEntropy(),
      metrics: [],
      optimizer: probe(evaluates),
      callbacks: [
        {
          name: "recorder",
          on: (event) => {
            if (event.type === "step") steps.push(event.metrics);
          },
        },
      ],
    });
    const weights = await run.weights();
    await run.close();
    return { steps, weights: Object.entries(weights).map(([path, { data }]) => [path, [...data]]) };
  };

  test("further evaluations see the same masks and leave the running statistics alone", async () => {
    const [probed, plain] = [await record(true), await record(false)];
    expect(probed.steps).toHaveLength(6);
    expect(new Set(probed.steps.map(({ loss }) => loss?.toFixed(3))).size).toBe(6); // other masks in each
    for (const step of probed.steps) {
      for (const metric of ["lossMoved", "gradientsMoved", "loopMoved"])
        expect(step[metric], metric).toBeLessThan(tolerance);
      if (name === "doubles") expect(step.hessianOff).toBeLessThan(1e-6);
    }
    expect(probed.weights).toEqual(plain.weights);
    expect(probed.weights.some(([path]) => (path as string).includes("running_mean"))).toBe(true);
  });
});
