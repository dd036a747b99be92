import { afterAll, describe, expect, test } from "vitest";
import { referenceBackend } from "../backends/reference/index.ts";
import { runFunction } from "../compile/run-function.ts";
import { array, type HostArray } from "../core/host-array.ts";
import { leavesOf } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { grad } from "../trace/grad.ts";
import { layerFromConfig } from "./layer-from-config.ts";
import { linear } from "./linear.ts";
import { Model } from "./model.ts";
import { gpt } from "./models/gpt.ts";
import { sequential } from "./sequential.ts";
import { tie } from "./tie.ts";

const backend = referenceBackend({ precision: "f64" });
afterAll(() => backend.close());

const input = { dtype: "f32", shape: [1, 2] } as const;
const twice = (): ReturnType<typeof sequential> =>
  sequential({ up: linear(2, { bias: false }), down: linear(2), out: linear(2, { bias: false }) });

describe("tie", () => {
  test("stores the parameter once and sums its gradient over the uses", async () => {
    const layer = tie(sequential({ up: linear(2, { bias: false }), down: linear(2, { bias: false }) }), {
      "down.weight": "up.weight",
    });
    const model = new Model(layer);
    const { params } = model.init(1, input);
    expect(leavesOf<HostArray>(params).map(([path]) => path)).toEqual(["up.weight"]);
    // y = (x W') W', so with all of y's cotangents 1 and x = [1, 0], dW_ij = sum over both uses.
    const [y, dw] = await runFunction(
      backend,
      (w, x) => {
        const f = (p: { readonly up: { readonly weight: Tensor } }): Tensor => model.apply(p, {}, x)[0];
        const tree = { up: { weight: w } };
        return [f(tree), grad((p: typeof tree) => f(p).sum())(tree).up.weight];
      },
      [array([1, 2, 3, 4], [2, 2]), array([1, 0], [1, 2])].map((a) => a as HostArray),
    );
    // h = [1, 3]; y = [1 + 6, 3 + 12]. The first use gives (Wᵀ 1) xᵀ = [[4, 0], [6, 0]], the second 1 hᵀ = [[1, 3], [1, 3]].
    expect(Array.from(y?.data ?? [])).toEqual([7, 15]);
    expect(Array.from(dw?.data ?? [])).toEqual([5, 3, 7, 3]);
  });

  test("keeps what is not tied, names what is, and comes back from its configuration", () => {
    const layer = tie(twice(), { "out.weight": "up.weight" });
    expect(layer.ties).toEqual({ "out.weight": "up.weight" });
    const copy = layerFromConfig(JSON.parse(JSON.stringify(layer.config)));
    expect(copy.ties).toEqual(layer.ties);
    const names = leavesOf<HostArray>(copy.init([1, 2], input).params).map(([path]) => path);
    expect(names).toEqual(["up.weight", "down.weight", "down.bias"]);
  });

  test("refuses paths that are no parameters, chains and other shapes", () => {
    const made = (ties: Readonly<Record<string, string>>) => () => new Model(tie(twice(), ties)).init(1, input);
    expect(made({ "out.bias": "up.weight" })).toThrow(
      "tie: got out.bias; expected a parameter, one of up.weight, down.weight, down.bias, out.weight.",
    );
    expect(made({ "out.weight": "down.bias" })).toThrow(
      "tie: got out.weight f32[2,2] and down.bias f32[2]; expected equal shapes.",
    );
    expect(made({ "out.weight": "down.weight", "down.weight": "up.weight" })).toThrow(
      "tie: got down.weight as source of out.weight and as a target; expected one.",
    );
    expect(made({})).toThrow("tie: got no ties");
  });
});

describe("gpt", () => {
  test("starts from nanoGPT's deviations, its head tied", () => {
    const { params } = new Model(gpt({ vocabSize: 64, blockSize: 16, layers: 2, heads: 2, width: 64 })).init(1, {
      dtype: "i32",
      shape: [1, 16],
    });
    const leaves = new Map(leavesOf<HostArray>(params));
    const std = (path: string): number => {
      const data = Array.from(leaves.get(path)?.data ?? []);
      return Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / data.length);
    };
    // At least 1,024 values each: the deviation of the deviation is 2.2 % at most.
    for (const name of ["wte", "wpe", "h.0.attn.c_attn", "h.1.mlp.c_fc"])
      expect(std(`transformer.${name}.weight`) / 0.02).toBeCloseTo(1, 1);
    for (const name of ["attn", "mlp"])
      expect(std(`transformer.h.1.${name}.c_proj.weight`) / (0.02 / 2)).toBeCloseTo(1, 1);
    expect(std("transformer.h.0.attn.c_attn.bias")).toBe(0);
    expect(leaves.has("lm_head.weight")).toBe(false);
  });

  test("has its head's weight under both of nanoGPT's names in a state dict, and takes either or both", () => {
    const input = { dtype: "i32", shape: [1, 4] } as const;
    const model = new Model(gpt({ vocabSize: 8, blockSize: 4, layers: 1, heads: 1, width: 2 }));
    const { params, buffers } = model.init(1, input);
    const state = model.stateDict(params, buffers);
    const { "lm_head.weight": head, "transformer.wte.weight": tokens, ...others } = state;
    expect(head).toBe(tokens);
    for (const given of [{ "lm_head.weight": head }, { "transformer.wte.weight": tokens }, state]) {
      const loaded = model.fromStateDict({ ...others, ...given } as typeof state, input, { seed: 2 });
      expect(leavesOf<HostArray>(loaded.params)).toEqual(leavesOf<HostArray>(params));
    }
    const other = { ...state, "lm_head.weight": array(new Float32Array(16).fill(1), [8, 2]) };
    expect(() => model.fromStateDict(other, input)).toThrow(
      "got lm_head.weight and transformer.wte.weight with different values; expected them equal, since they are tied.",
    );
  });

  test("names sizes that do not fit", () => {
    expect(() => gpt({ vocabSize: 8, blockSize: 4, width: 10, heads: 4 })).toThrow(
      "gpt: got width 10 and 4 heads; expected heads to divide width.",
    );
    const small = (positions: "learned" | "rotary") =>
      new Model(gpt({ vocabSize: 8, blockSize: 4, layers: 1, heads: 1, width: 2, positions }));
    const fault = "expected i32[N, T] of at most 4 tokens each.";
    for (const positions of ["learned", "rotary"] as const) {
      const { params } = small(positions).init(1, { dtype: "i32", shape: [2, 4] });
      expect(() => small(positions).init(1, { dtype: "i32", shape: [2, 5] })).toThrow(`gpt: got i32[2,5]; ${fault}`);
      expect(() => small(positions).outputOf(params, {}, { dtype: "u8", shape: [2, 5] })).toThrow(
        `gpt: got u8[2,5]; ${fault}`,
      );
    }
    expect(() => small("learned").init(1, { dtype: "f32", shape: [2, 4] })).toThrow(`gpt: got f32[2,4]; ${fault}`);
  });
});
