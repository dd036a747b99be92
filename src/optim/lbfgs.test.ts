import { describe, expect, test } from "vitest";
import { referenceBackend } from "../backends/reference/index.ts";
import { wasmBackend } from "../backends/wasm/index.ts";
import type { Backend } from "../compile/backend.ts";
import { compileStep } from "../compile/step.ts";
import { array, type HostArray } from "../core/host-array.ts";
import { keyOf, normalAt } from "../core/prng.ts";
import { leavesOf } from "../core/tree.ts";
import { type Dataset, dataset } from "../data/dataset.ts";
import * as nn from "../nn/index.ts";
import type { Tensor } from "../ops/tensor.ts";
import { valueAndGrad } from "../trace/grad.ts";
import { fitWith } from "../train/index.ts";
import { initOptimizer } from "../train/programs.ts";
import * as optim from "./index.ts";
import type { TensorTree } from "./transform.ts";

type Point = Readonly<Record<string, Tensor>>;
type Loss = (at: Point) => Tensor;
type Start = Readonly<Record<string, readonly number[]>>;

/** Parameters, and each step's loss and metrics, after so many steps in doubles. */
async function descend(rule: optim.Transform, loss: Loss, start: Start, steps: number, backend: Backend) {
  const vectors = Object.entries(start).map(([name, list]) => [
    name,
    array(Float64Array.from(list), [list.length], "f32"),
  ]);
  const params = Object.fromEntries(vectors) as unknown as HostArray;
  const memory = (await initOptimizer(backend, rule, params)) as HostArray;
  const objective = (at: TensorTree): Tensor => loss(at as Point);
  const step = await compileStep(
    backend,
    (old, _batch, ctx) => {
      const before: TensorTree = old.params;
      const [value, gradients] = valueAndGrad(objective)(before);
      const metrics: Record<string, Tensor> = { loss: value };
      const [updates, after] = rule.update(gradients, old.memory, {
        ...ctx.forUpdate(before, value, objective),
        metric: (name, found) => {
          metrics[name] = found;
        },
      });
      return { state: { params: optim.applyUpdates(before, updates), memory: after }, metrics };
    },
    { state: { params, memory }, batch: {} },
  );
  const { results } = await step.run({}, steps);
  const found = leavesOf<HostArray>((await step.read()).params).map(([name, { data }]) => [name, [...data]] as const);
  await backend.close();
  return {
    params: Object.fromEntries(found) as Record<string, number[]>,
    losses: [...(results.loss ?? [])] as number[],
    evaluations: [...(results.lossEvaluations ?? [])] as number[],
  };
}

const doubles = (): Backend => referenceBackend({ precision: "f64" });

/** ((1 - x)² + 100 (y - x²)²) / 100 */
const rosenbrock: Loss = ({ xy }) => {
  const [x, y] = [0, 1].map((i) => (xy as Tensor).slice([i], [i + 1]).sum()) as [Tensor, Tensor];
  return x.rsub(1).square().mul(0.01).add(y.sub(x.square()).square());
};

const forms: readonly (readonly [name: string, rule: () => optim.Transform])[] = [
  ["without a line search", () => optim.lbfgs()],
  ["with strong Wolfe search", () => optim.lbfgs(1, { lineSearch: "strong-wolfe" })],
  ["like optax, with zoom search", () => optim.lbfgs(1, { like: "optax" })],
];

test("evaluates as often as torch.optim.LBFGS", async () => {
  const rule = optim.lbfgs(1, { lineSearch: "strong-wolfe" });
  const { evaluations } = await descend(rule, rosenbrock, { xy: [-1.2, 1] }, 3, doubles());
  expect(evaluations).toEqual([25, 18, 1]); // state["func_evals"] there: 25, 43, 44
});

/** Two Gaussian clouds that a line parts but for a few points. */
function clouds(count: number): Dataset {
  const key = keyOf(4);
  const labels = Int32Array.from({ length: count }, (_, i) => i % 2);
  const inputs = Float32Array.from(
    { length: 4 * count },
    (_, i) => normalAt(key, i) + ((i >> 2) % 2 === 0 ? -0.7 : 0.7),
  );
  return dataset(array(inputs, [count, 4]), array(labels, [count], "i32"), { name: "clouds", classes: ["a", "b"] });
}

test("reaches the minimum of a logistic regression over the whole data in few steps", async () => {
  const options = { batchSize: 200, seed: 1, loss: nn.crossEntropy(), metrics: [], train: clouds(200) };
  const lossOf = async (optimizer: optim.Transform, epochs: number): Promise<number> => {
    const run = await fitWith(() => wasmBackend())(nn.sequential(nn.linear(2)), { ...options, epochs, optimizer });
    const { loss } = await run.evaluate(clouds(200));
    await run.close();
    return loss as number;
  };
  const least = await lossOf(optim.momentum(0.5), 2000);
  for (const [name, make] of forms) expect(await lossOf(make(), 15), name).toBeLessThan(least + 1e-5);
  expect(await lossOf(optim.momentum(0.5), 15)).toBeGreaterThan(least + 1e-3);
});

describe.each(forms)("%s", (_, make) => {
  const bowl: Loss = ({ a, b }) => {
    const both = (a as Tensor).mul(b as Tensor).sub(1);
    return both
      .square()
      .sum()
      .add((a as Tensor).square().sum());
  };
  const start = { a: [0.5, 2], b: [1, -0.3] };

  test("masked, moves its parameters alone, as if the others were constants", async () => {
    const masked = await descend(
      optim.chain(optim.masked(make(), { params: "a" }), optim.masked(optim.scaleBy(0), { params: "b" })),
      bowl,
      start,
      4,
      doubles(),
    );
    const b = array(Float64Array.from(start.b), [2], "f32");
    const alone = await descend(
      make(),
      ({ a }) => bowl({ a: a as Tensor, b: (a as Tensor).constant(b) }),
      { a: start.a },
      4,
      doubles(),
    );
    expect(masked.params).toEqual({ a: alone.params.a, b: start.b });
    expect(masked.losses.at(-1)).toBeLessThan(masked.losses[0] as number);
  });

  test("in groups, a frozen one stays and remembers nothing", async () => {
    const rule = optim.groups(make(), [{ params: "b", freeze: true }]);
    const { params, losses } = await descend(rule, bowl, start, 4, doubles());
    expect(params.b).toEqual(start.b);
    expect(losses.at(-1)).toBeLessThan(losses[0] as number);
  });

  test("stays where the gradients are 0, and evaluates at most once more", async () => {
    const { params, evaluations } = await descend(make(), bowl, { a: [0, 0], b: [0, 0] }, 2, doubles());
    expect(params).toEqual({ a: [0, 0], b: [0, 0] });
    for (const n of evaluations) expect(n).toBeLessThanOrEqual(2);
  });
});

describe.each(forms.slice(1))("%s, where the loss is not finite", (_, make) => {
  /** x - ln x - ln(2 - x), least at 2 - sqrt 2, between walls beyond which the logarithms are NaN. */
  const walled: Loss = ({ x }) => {
    const v = x as Tensor;
    return v.sub(v.log()).sub(v.rsub(2).log()).sum();
  };

  test.each([
    ["reference", doubles],
    ["wasm", () => wasmBackend()],
  ] as const)("comes back from beyond a wall on %s", async (_, backend) => {
    for (const from of [1e-3, 0.3, 1.999]) {
      const { params, evaluations } = await descend(make(), walled, { x: [from] }, 12, backend());
      expect(params.x?.[0]).toBeCloseTo(2 - Math.SQRT2, 4);
      for (const n of evaluations) expect(n).toBeLessThanOrEqual(25);
    }
  });

  test("stays where the loss is finite nowhere else", async () => {
    const point: Loss = ({ x }) => {
      const v = x as Tensor;
      return v.equal(1).select(v, Number.NaN).sum();
    };
    const { params, evaluations } = await descend(make(), point, { x: [1] }, 3, doubles());
    expect(params.x).toEqual([1]);
    for (const n of evaluations) expect(n).toBeLessThanOrEqual(26);
  });

  test("stays where the gradient is NaN", async () => {
    const kink: Loss = ({ x }) => {
      const v = x as Tensor;
      return v.abs().sqrt().add(v.sub(2).square()).sum();
    };
    expect((await descend(make(), kink, { x: [0] }, 3, doubles())).params.x).toEqual([0]);
  });
});

test.each([
  [
    () => optim.lbfgs(1, { lineSearch: "zoom" }),
    'lineSearch = "zoom" with like: "pytorch"; expected "none" or "strong-',
  ],
  [() => optim.lbfgs(1, { like: "optax", lineSearch: "strong-wolfe" }), 'like: "optax"; expected "none" or "zoom"'],
  [() => optim.lbfgs(1, { like: "optax", maxIterations: 3 }), "got maxIterations with like"],
  [() => optim.lbfgs(1, { scaleInitial: false }), 'got scaleInitial with like: "pytorch"'],
])("refuses what its convention does not have", (make, message) => {
  expect(make).toThrow(message);
});
