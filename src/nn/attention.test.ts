import { afterAll, describe, expect, test } from "vitest";
import { referenceBackend } from "../backends/reference/index.ts";
import { wasmBackend } from "../backends/wasm/index.ts";
import { runFunction } from "../compile/run-function.ts";
import { sizeOf } from "../core/dtype.ts";
import { array, HostArray } from "../core/host-array.ts";
import { keyOf, normalAt } from "../core/prng.ts";
import type { Tensor } from "../ops/tensor.ts";
import { checkGradient } from "../testing/check-gradient.ts";
import { grad } from "../trace/grad.ts";
import { Key } from "../trace/random.ts";
import { traceProgram } from "../trace/trace.ts";
import { type AttentionOptions, scaledDotProductAttention } from "./attention.ts";
import { multiHeadAttention } from "./attention-layers.ts";
import { Model } from "./model.ts";
import { alibi, learnedPositions, rotary } from "./positions.ts";

const backend = wasmBackend();
afterAll(() => backend.close());

function normals(seed: number, ...shape: readonly number[]): HostArray {
  const data = Float32Array.from({ length: sizeOf(shape) }, (_, i) => normalAt(keyOf(seed), i));
  return new HostArray("f32", shape, data);
}

const MEMORIES = ["full", "blocked"] as const;

describe("attention by blocks", () => {
  const gradients =
    (options: AttentionOptions) =>
    (query: Tensor, key: Tensor, value: Tensor, cotangent: Tensor): readonly Tensor[] => {
      const f = (x: { readonly query: Tensor; readonly key: Tensor; readonly value: Tensor }): Tensor =>
        scaledDotProductAttention(x.query, x.key, x.value, options);
      const inputs = { query, key, value };
      const found = grad((x: typeof inputs) => f(x).mul(cotangent).sum())(inputs);
      return [f(inputs), found.query, found.key, found.value];
    };

  // 130 queries are two blocks of 64 and one that is not full.
  test.each([
    ["", {}],
    [", causal", { causal: true }],
    [", in blocks of 1", { block: 1 }],
  ])("gives the values and gradients of all at once%s", async (_name, options) => {
    const inputs = [normals(1, 2, 130, 8), normals(2, 2, 77, 8), normals(3, 2, 77, 5), normals(4, 2, 130, 5)];
    const [full, blocked] = await Promise.all(
      MEMORIES.map((memory) => runFunction(backend, gradients({ ...options, memory }) as never, inputs)),
    );
    expect(blocked).toHaveLength(4);
    blocked?.forEach(({ data }, i) => {
      const error = Array.from(data).reduce(
        (most, x, j) => Math.max(most, Math.abs(x - (full?.[i]?.data[j] ?? Number.NaN))),
        0,
      );
      // Sums of 130 terms of magnitude 1 in another order.
      expect(error).toBeLessThan(5e-6);
    });
  });

  test("holds no array of all scores, and is what auto takes for long sequences", async () => {
    const peakOf = async (memory: "auto" | "full" | "blocked", heads: number): Promise<number> => {
      const avals = [0, 1, 2, 3].map(() => ({ dtype: "f32", shape: [heads, 1024, 16] }) as const);
      const program = traceProgram(
        avals.map((aval, i) => ({ path: `x${i}`, aval, role: "feed" })),
        ([q, k, v, c]) =>
          gradients({ memory })(q as Tensor, k as Tensor, v as Tensor, c as Tensor).map((value, i) => ({
            path: `y${i}`,
            value,
            role: "result",
          })),
      );
      return (await backend.compile(program, backend.createStore())).peakBytes;
    };
    const scores = 4 * 1024 * 1024 * 4;
    const [full, blocked] = [await peakOf("full", 4), await peakOf("blocked", 4)];
    expect(full).toBeGreaterThan(scores);
    expect(blocked).toBeLessThan(scores);
    expect(blocked).toBeLessThan(full / 5);
    expect(await peakOf("auto", 4)).toBe(blocked);
    expect(await peakOf("auto", 1)).toBe(await peakOf("full", 1));
  });
});

describe("dropout of attention", () => {
  test.each(MEMORIES)("drops weights with its probability and divides the rest, %s", async (memory) => {
    const p = 0.25;
    const [queries, keys] = [150, 40];
    const identity = array(
      Float32Array.from({ length: keys * keys }, (_, i) => (i % (keys + 1) === 0 ? 1 : 0)),
      [keys, keys],
    );
    // With values of one each, the output is the weights.
    const [dropped, whole] = await runFunction(
      backend,
      (q, k, v, words) => [
        scaledDotProductAttention(q, k, v, { memory, dropout: p, key: new Key(words) }),
        scaledDotProductAttention(q, k, v, { memory }),
      ],
      [normals(1, queries, 3), normals(2, keys, 3), identity, array([3, 4], [2], "i32")],
    );
    const zeros = dropped?.data.filter((x) => x === 0).length ?? 0;
    // The deviation of the share of 6,000 is 0.0056.
    expect(Math.abs(zeros / (queries * keys) - p)).toBeLessThan(0.025);
    dropped?.data.forEach((x, i) => {
      if (x !== 0) expect(x * (1 - p)).toBeCloseTo(whole?.data[i] ?? Number.NaN, 6);
    });
    const rows = Array.from({ length: queries }, (_, i) =>
      Array.from({ length: keys }, (_, j) => (dropped?.data[i * keys + j] === 0 ? 0 : 1)).join(""),
    );
    expect(new Set(rows).size).toBe(queries);
  });
});

describe("derivatives of attention", () => {
  test.each([1, 2] as const)("agree with differences, order %i", async (order) => {
    const inputs = [normals(1, 2, 5, 3), normals(2, 2, 4, 3), normals(3, 2, 4, 2), normals(4, 5, 4)];
    for (const memory of MEMORIES) {
      const f = (q: Tensor, k: Tensor, v: Tensor, mask: Tensor): Tensor =>
        scaledDotProductAttention(q, k, v, { mask, causal: true, memory, block: 2 });
      const { error } = await checkGradient(f as never, inputs, { order });
      expect(error).toBeLessThan(1e-7);
    }
  });

  test("of a row that sees nothing are 0", async () => {
    const mask = array(Uint8Array.from([1, 1, 0, 0]), [2, 2], "bool");
    const [dq, dk] = await runFunction(
      backend,
      (q, k, m) => {
        const found = grad((x: { q: Tensor; k: Tensor }) =>
          scaledDotProductAttention(x.q, x.k, x.k, { mask: m }).square().sum(),
        )({ q, k });
        return [found.q, found.k];
      },
      [normals(1, 2, 3), normals(2, 2, 3), mask],
    );
    expect(Array.from(dq?.data.slice(3) ?? [])).toEqual([0, 0, 0]);
    expect(dk?.data.every(Number.isFinite)).toBe(true);
  });

  test.each(MEMORIES)("of a row that sees nothing by an added mask of -infinity are 0, %s", async (memory) => {
    const mask = array([
      [0, 1],
      [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY],
      [2, Number.NEGATIVE_INFINITY],
    ]);
    const [y, dq, dm] = await runFunction(
      backend,
      (q, k, m) => {
        const f = (x: { q: Tensor; m: Tensor }): Tensor =>
          scaledDotProductAttention(x.q, k, k, { mask: x.m, memory, block: 2 });
        const found = grad((x: { q: Tensor; m: Tensor }) => f(x).square().sum())({ q, m });
        return [f({ q, m }), found.q, found.m];
      },
      [normals(1, 3, 4), normals(2, 2, 4), mask],
    );
    for (const values of [y, dq]) expect(Array.from(values?.data.slice(4, 8) ?? [])).toEqual([0, 0, 0, 0]);
    expect(y?.data.slice(8)).toEqual(normals(2, 2, 4).data.slice(0, 4));
    expect(Array.from(dm?.data.slice(2) ?? [], Math.abs)).toEqual([0, 0, 0, 0]);
    expect(dm?.data[0]).not.toBe(0);
  });
});

describe("positions", () => {
  test("a rotated product depends on the difference of positions alone", async () => {
    const [products] = await runFunction(
      referenceBackend({ precision: "f64" }),
      (q, k) => {
        const at = (x: Tensor, offset: number): Tensor => rotary(x, { offset });
        const product = (i: number, j: number): Tensor => at(q, i).mul(at(k, j)).sum().reshape([1]);
        return product(0, 7).concat([product(5, 12), product(1000, 1007), product(0, 6)], 0);
      },
      [normals(1, 1, 8), normals(2, 1, 8)],
    );
    const [first = 0, ...others] = products?.data ?? [];
    expect(others[0]).toBeCloseTo(first, 10);
    expect(others[1]).toBeCloseTo(first, 10);
    expect(Math.abs((others[2] ?? first) - first)).toBeGreaterThan(1e-3);
  });

  test("alibi has the paper's slopes", async () => {
    const slopes = async (heads: number): Promise<number[]> => {
      const [bias] = await runFunction(backend, (x) => alibi(x, heads, 1, 3), [array([0])]);
      return Array.from({ length: heads }, (_, h) => -(bias?.data[3 * h + 1] ?? Number.NaN));
    };
    expect(await slopes(8)).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((n) => 2 ** -n));
    // The authors' get_slopes(6): those of 4 heads, then every second one of 8.
    expect(await slopes(6)).toEqual([2 ** -2, 2 ** -4, 2 ** -6, 2 ** -8, 2 ** -1, 2 ** -3]);
    const [bias] = await runFunction(backend, (x) => alibi(x, 1, 2, 3), [array([0])]);
    expect(Array.from(bias?.data ?? [], (x) => (x === 0 ? 0 : x * 2 ** 8))).toEqual([-1, 0, -1, -2, -1, 0]);
  });
});

describe("what does not fit", () => {
  const x = { dtype: "f32", shape: [2, 5, 6] } as const;
  test.each([
    [
      () => multiHeadAttention(6, 4),
      "multiHeadAttention: got embedDim 6 and 4 heads; expected heads to divide embedDim.",
    ],
    [() => multiHeadAttention(6, 2, { dropout: 1 }), "got dropout 1; expected a probability in [0, 1)."],
    [
      () => new Model(multiHeadAttention(4, 2)).init(1, x),
      "got f32[2,5,6]; expected f32[N, T, 4], or query f32[N, T, 4]",
    ],
    [
      () =>
        new Model(multiHeadAttention(6, 2)).init(1, { query: x, key: { dtype: "f32", shape: [2, 3, 6] }, value: x }),
      "got query f32[2,5,6], key f32[2,3,6] and value f32[2,5,6]; expected",
    ],
    [
      () =>
        new Model(multiHeadAttention(6, 2)).init(1, {
          query: x,
          key: x,
          value: x,
          mask: { dtype: "bool", shape: [3, 5, 5] },
        }),
      "got mask bool[3,5,5]; expected bool or f32 of [5,5], [2,5,5] or [2,2,5,5].",
    ],
    [
      () =>
        new Model(multiHeadAttention(6, 2)).init(1, {
          query: x,
          key: x,
          value: x,
          keyPaddingMask: { dtype: "bool", shape: [5, 2] },
        }),
      "got keyPaddingMask bool[5,2]; expected bool[2,5].",
    ],
    [
      () => new Model(learnedPositions(4)).init(1, x),
      "learnedPositions: got f32[2,5,6]; expected at most 4 positions.",
    ],
  ])("is named: %#", (make, message) => {
    expect(make).toThrow(message);
  });

  test.each<readonly [AttentionOptions, string]>([
    [{ dropout: 0.5 }, "got a dropout without a key; expected a random key."],
    [{ dropout: 1 }, "got dropout 1; expected a probability in [0, 1)."],
    [{ block: 0 }, "got block 0; expected a positive integer."],
  ])("options are: %o", async (options, message) => {
    await expect(
      runFunction(backend, (q) => scaledDotProductAttention(q, q, q, options), [normals(1, 3, 4)]),
    ).rejects.toThrow(message);
  });

  test("shapes are", async () => {
    const attempt = (mask: HostArray, key: HostArray): Promise<unknown> =>
      runFunction(backend, (q, k, m) => scaledDotProductAttention(q, k, k, { mask: m }), [normals(1, 3, 4), key, mask]);
    await expect(attempt(normals(1, 3, 3), normals(1, 3, 5))).rejects.toThrow(
      "attention: got query f32[3,4], key f32[3,5] and value f32[3,5]; expected f32[..., T, D], f32[..., S, D] and f32[..., S, E].",
    );
    await expect(attempt(normals(1, 3, 2), normals(1, 3, 4))).rejects.toThrow(
      "attention: got the mask f32[3,2] for scores [3,3]; expected bool or f32 that broadcasts to them.",
    );
    await expect(runFunction(backend, (q) => rotary(q, { dims: 3 }), [normals(1, 3, 4)])).rejects.toThrow(
      "rotary: got 3 dims of f32[3,4]; expected an even number up to 4.",
    );
  });
});
