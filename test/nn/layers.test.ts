import { describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import { array, HostArray } from "../../src/core/host-array.ts";
import { keyOf, normalAt } from "../../src/core/prng.ts";
import { leavesOf, type Tree, unflatten } from "../../src/core/tree.ts";
import * as nn from "../../src/nn/index.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { grad, valueAndGrad } from "../../src/trace/grad.ts";
import { Key } from "../../src/trace/random.ts";
import { traceProgram } from "../../src/trace/trace.ts";
import { list, run, type Values } from "./run.ts";

const backend = referenceBackend();
const aval = (...shape: number[]) => ({ dtype: "f32", shape }) as const;

/** Normal numbers, rounded so that ties occur. */
function numbers(seed: number, shape: readonly number[], step = 0.25): HostArray {
  const size = shape.reduce((n, s) => n * s, 1);
  const data = Float32Array.from({ length: size }, (_, i) => Math.round(normalAt(keyOf(seed), i) / step) * step);
  return new HostArray("f32", shape, data);
}

/** The output, and the gradients of sum(output * a fixed direction) by the input and each parameter. */
async function forwardAndBack(layer: nn.Layer, x: HostArray): Promise<Values> {
  const model = nn.model(layer);
  const { params, buffers, output } = model.init(3, x.aval);
  const leaves = leavesOf<HostArray>(params);
  const feeds = { x, direction: numbers(9, output.shape), ...Object.fromEntries(leaves) };
  return run(backend, feeds, (feed) => {
    const statistics = unflatten<HostArray, Tensor>(
      buffers,
      leavesOf<HostArray>(buffers).map(([, value]) => feed("x").constant(value)),
    );
    const inputs = {
      x: feed("x"),
      params: unflatten<HostArray, Tensor>(
        params,
        leaves.map(([path]) => feed(path)),
      ),
    };
    const [, grads, y] = valueAndGrad(
      (at: { x: Tensor; params: Tree<Tensor> }) => {
        const [out] = model.apply(at.params, statistics, at.x);
        return [out.mul(feed("direction")).sum(), out] as const;
      },
      { aux: true },
    )(inputs);
    const byPath = leavesOf<Tensor>(grads.params).map(([path, g]) => [`d ${path}`, g] as const);
    return { y, dx: grads.x, ...Object.fromEntries(byPath) };
  });
}

/** The primitives that a model's forward pass records, in order. */
function primitivesOf(layer: nn.Layer, input: ReturnType<typeof aval>): readonly string[] {
  const model = nn.model(layer);
  const { params } = model.init(1, input);
  const program = traceProgram([{ path: "x", aval: input, role: "feed" }], ([x]) => {
    const constants = leavesOf<HostArray>(params).map(([, value]) => (x as Tensor).constant(value));
    const [y] = model.apply(unflatten<HostArray, Tensor>(params, constants), {}, x as Tensor);
    return [{ path: "y", value: y, role: "result" }];
  });
  return program.equations.map(({ primitive }) => primitive);
}

describe("a relu before a max pool", () => {
  // The activation of another kind is not moved, so this applies the layers as they are written.
  const plainRelu = (): nn.Layer => nn.lambda("plainRelu", (x) => x.relu());
  const build = (relu: () => nn.Layer): nn.Layer =>
    nn.sequential(
      nn.conv2d(3, 3, { padding: 1 }),
      relu(),
      nn.maxPool2d(2),
      nn.conv2d(2, 2),
      relu(),
      nn.maxPool2d(3, { stride: 1 }),
    );

  test("is applied after it", () => {
    const wanted = (each: string): boolean => each === "relu" || each === "maxPool";
    expect(primitivesOf(build(nn.relu), aval(2, 2, 8, 9)).filter(wanted)).toEqual([
      "maxPool",
      "relu",
      "maxPool",
      "relu",
    ]);
    expect(primitivesOf(build(plainRelu), aval(2, 2, 8, 9)).filter(wanted)).toEqual([
      "relu",
      "maxPool",
      "relu",
      "maxPool",
    ]);
  });

  test("gives the same values and gradients, bit for bit", async () => {
    const moved = await forwardAndBack(build(nn.relu), numbers(1, [2, 2, 8, 9]));
    const plain = await forwardAndBack(build(plainRelu), numbers(1, [2, 2, 8, 9]));
    expect(Object.keys(moved)).toEqual(["y", "dx", "d 0.weight", "d 0.bias", "d 3.weight", "d 3.bias"]);
    for (const [name, values] of Object.entries(plain)) expect(moved[name], name).toEqual(values);
  });

  test("gives the same where windows tie, hold zeros or are all negative", async () => {
    const x = array([
      [
        [
          [-1, -2, 0, -1, 2, 2],
          [-3, -1, -1, 0, 2, 2],
          [0, 0, -1, 1, -0, 0],
          [0, 0, 1, 1, 0, -0],
        ],
      ],
    ]);
    const moved = await forwardAndBack(nn.sequential(nn.relu(), nn.maxPool2d(2)), x);
    const plain = await forwardAndBack(nn.sequential(plainRelu(), nn.maxPool2d(2)), x);
    expect(list(plain.y)).toEqual([0, 0, 2, 0, 1, 0]);
    expect(moved.y).toEqual(plain.y);
    expect(moved.dx).toEqual(plain.dx);
    expect(list(plain.dx).filter((g) => g !== 0)).toHaveLength(2);
  });
});

describe("dropout", () => {
  const apply = (layer: nn.Layer, x: HostArray, seed: number, training = true) =>
    run(backend, { x, key: array([0, seed], [2], "i32") }, (feed) => {
      const model = nn.model(layer);
      const forward = (at: Tensor): Tensor => model.apply({}, {}, at, { training, key: new Key(feed("key")) })[0];
      return { y: forward(feed("x")), dx: grad((at: Tensor) => forward(at).sum())(feed("x")) };
    });
  const ones = new HostArray("f32", [100, 200], new Float32Array(20_000).fill(1));

  test("drops p of the elements, scales the rest, and masks the gradient alike", async () => {
    const { y, dx } = await apply(nn.dropout(0.25), ones, 1);
    const kept = list(y).filter((value) => value !== 0);
    // 20,000 trials: the deviation is 61.
    expect(Math.abs(kept.length - 15_000)).toBeLessThan(306);
    expect(new Set(kept)).toEqual(new Set([Math.fround(1 / 0.75)]));
    expect(dx).toEqual(y);
  });

  test("depends on the key and on the layer's path alone", async () => {
    const first = await apply(nn.dropout(), ones, 1);
    expect((await apply(nn.dropout(), ones, 1)).y).toEqual(first.y);
    expect((await apply(nn.dropout(), ones, 2)).y).not.toEqual(first.y);
    const twice = await apply(nn.sequential(nn.dropout(), nn.dropout()), ones, 1);
    const kept = list(twice.y).filter((value) => value === 4).length;
    expect(Math.abs(kept - 5_000)).toBeLessThan(306);
  });

  test("draws anew when a shared layer is applied again", async () => {
    const shared = nn.compose({ drop: nn.dropout() }, (x: Tensor, { drop }) => drop(x).mul(drop(x)));
    const { y } = await apply(shared, ones, 1);
    const kept = list(y).filter((value) => value === 4).length;
    expect(Math.abs(kept - 5_000)).toBeLessThan(306);
  });

  test("does nothing in evaluation, and drops all at p = 1", async () => {
    expect((await apply(nn.dropout(0.9), ones, 1, false)).y).toEqual(ones.data);
    expect(new Set(list((await apply(nn.dropout(1), ones, 1)).y))).toEqual(new Set([0]));
  });

  test("asks for a key by name", async () => {
    const forward = run(backend, { x: ones }, (feed) => ({
      y: nn.model(nn.sequential(nn.identity(), nn.dropout())).apply({}, {}, feed("x"), { training: true })[0],
    }));
    await expect(forward).rejects.toThrow("sequential.1: got no random key");
  });
});

describe("layers of your own", () => {
  test("defineLayer: parameters, buffers and the traced output type", async () => {
    const running = nn.defineLayer({
      kind: "runningSum",
      init: (key, input: { readonly shape: readonly number[] }) => ({
        gain: nn.init.constant(2).sample(key, [input.shape[1] ?? 0]),
      }),
      buffers: () => ({ total: array(0) }),
      apply({ gain }, x: Tensor, ctx) {
        if (ctx.training) ctx.setBuffer("total", ctx.buffer("total").add(x.sum()));
        return x.mul(gain).sum(0);
      },
    });
    const model = nn.model(nn.sequential({ first: running, second: nn.identity() }));
    const { params, buffers, output } = model.init(1, aval(2, 3));
    expect(output).toEqual(aval(3));
    const results = await run(
      backend,
      {
        x: array([
          [1, 2, 3],
          [4, 5, 6],
        ]),
      },
      (feed) => {
        const x = feed("x");
        const at = (tree: Tree<HostArray>): Tree<Tensor> =>
          unflatten<HostArray, Tensor>(
            tree,
            leavesOf<HostArray>(tree).map(([, value]) => x.constant(value)),
          );
        const [y, once] = model.apply(at(params), at(buffers), x, { training: true });
        const [, twice] = model.apply(at(params), once, x, { training: true });
        const [, same] = model.apply(at(params), twice, x);
        const total = (tree: Tree<Tensor>): Tensor => leavesOf<Tensor>(tree)[0]?.[1] as Tensor;
        return { y, once: total(once), twice: total(twice), same: total(same) };
      },
    );
    expect(list(results.y)).toEqual([10, 14, 18]);
    expect([results.once?.[0], results.twice?.[0], results.same?.[0]]).toEqual([21, 42, 42]);
  });

  test("compose: several inputs and outputs, typed", async () => {
    const twoHeads = nn.compose(
      {
        image: nn.sequential(nn.flatten(), nn.linear(4)),
        extra: nn.linear(4),
        left: nn.linear(2),
        right: nn.linear(3),
      },
      (x: { image: Tensor; extra: Tensor }, { image, extra, left, right }) => {
        const hidden = image(x.image).add(extra(x.extra)).relu();
        return { left: left(hidden), right: right(hidden) };
      },
      { kind: "twoHeads" },
    );
    const model = nn.model(twoHeads);
    const { params, output } = model.init(1, { image: aval(5, 1, 2, 3), extra: aval(5, 2) });
    expect(output.left).toEqual(aval(5, 2));
    expect(output.right).toEqual(aval(5, 3));
    expect(leavesOf<HostArray>(params).map(([path, value]) => `${path} [${value.shape}]`)).toEqual([
      "image.1.weight [4,6]",
      "image.1.bias [4]",
      "extra.weight [4,2]",
      "extra.bias [4]",
      "left.weight [2,4]",
      "left.bias [2]",
      "right.weight [3,4]",
      "right.bias [3]",
    ]);
    const results = await run(backend, { image: numbers(1, [5, 1, 2, 3]), extra: numbers(2, [5, 2]) }, (feed) => {
      const weights = leavesOf<HostArray>(params).map(([, value]) => feed("image").constant(value));
      const [y] = model.apply(
        unflatten<HostArray, Tensor>(params, weights),
        {},
        { image: feed("image"), extra: feed("extra") },
      );
      return { left: y.left, right: y.right };
    });
    expect(results.left?.length).toBe(10);
    expect(new Set(list(results.right)).size).toBe(15);
  });

  test("compose: a layer called twice shares its parameters and adds up its gradients", async () => {
    const weightInit: nn.Initializer = { config: { kind: "ramp" }, sample: () => numbers(5, [3, 3]) };
    const linear = nn.linear(3, { bias: false, weightInit });
    const shared = await forwardAndBack(
      nn.compose({ w: linear }, (x: Tensor, { w }) => w(w(x))),
      numbers(1, [2, 3]),
    );
    const apart = await forwardAndBack(nn.sequential(linear, linear), numbers(1, [2, 3]));
    expect(Object.keys(shared)).toEqual(["y", "dx", "d w.weight"]);
    expect(shared.y).toEqual(apart.y);
    expect(shared.dx).toEqual(apart.dx);
    // Multiples of 1/4 this small add without rounding.
    const both = list(apart["d 0.weight"]).map((g, i) => g + (apart["d 1.weight"]?.[i] ?? 0));
    expect(list(shared["d w.weight"])).toEqual(both);
  });
});

describe("a residual block", () => {
  test("with an inner layer of zeros is the identity, and its gradient too", async () => {
    const zero = nn.linear(3, { weightInit: nn.init.zeros(), biasInit: nn.init.zeros() });
    const x = numbers(1, [2, 3]);
    const { y, dx } = await forwardAndBack(nn.residual(zero), x);
    expect(y).toEqual(x.data);
    expect(dx).toEqual(numbers(9, [2, 3]).data);
  });
});

describe("a shape that does not fit", () => {
  test("is reported with the layer's path, both shapes and where the layer was made, once", () => {
    const made = () => nn.linear(2, { inFeatures: 3 });
    const model = nn.model(nn.sequential({ stem: nn.relu(), head: made() }));
    const init = () => model.init(1, { dtype: "f32", shape: [4, 5] });
    expect(init).toThrow(
      /^sequential\.head \(linear\): got f32\[4,5\]; expected f32\[N, 3\]\. \(layer made at \S+layers\.test\.ts:\d+:\d+\)$/,
    );
  });
});
