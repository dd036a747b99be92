import { describe, expect, test } from "vitest";
import { DataError } from "../core/errors.ts";
import { array, type HostArray, zeros } from "../core/host-array.ts";
import { leavesOf } from "../core/tree.ts";
import * as nn from "./index.ts";

const input = { dtype: "f32", shape: [2, 3, 16, 16] } as const;
const small = (classes = 4): nn.Layer => nn.resnet({ layers: [1, 1, 1, 1], width: 2, classes, stem: "3x3" });
const dictOf = (layer: nn.Layer, seed = 5): Record<string, HostArray> => {
  const net = nn.model(layer);
  const { params, buffers } = net.init(seed, input);
  return net.stateDict(params, buffers);
};
const without = (state: Record<string, HostArray>, ...names: string[]): Record<string, HostArray> =>
  Object.fromEntries(Object.entries(state).filter(([name]) => !names.includes(name)));

function messageOf(f: () => unknown): string {
  try {
    f();
  } catch (error) {
    expect(error).toBeInstanceOf(DataError);
    return (error as Error).message;
  }
  throw new Error("nothing was thrown");
}

const net = nn.model(small());

describe("strict", () => {
  test("lists all that is missing, of another type and left over", () => {
    const state: Record<string, HostArray> = { ...dictOf(small(6)), "head.bias": zeros([6]) };
    expect(messageOf(() => net.fromStateDict(without(state, "conv1.weight"), input))).toBe(
      [
        "state: got arrays that do not fit the model: 1 missing, 2 of another type, 1 too many.",
        "  conv1.weight is missing; expected f32[2,3,3,3].",
        "  got f32[6,16] for fc.weight; expected f32[4,16].",
        "  got f32[6] for fc.bias; expected f32[4].",
        "  got head.bias, which this model does not have.",
      ].join("\n"),
    );
  });

  test("cuts a long list and counts the rest", () => {
    const lines = messageOf(() => net.fromStateDict({}, input)).split("\n");
    const count = Object.keys(dictOf(small())).filter((name) => !name.endsWith("num_batches_tracked")).length;
    expect(lines[0]).toBe(`state: got arrays that do not fit the model: ${count} missing.`);
    expect(lines.length).toBe(26);
    expect(lines.at(-1)).toBe(`  ... and ${count - 24} more`);
  });

  test.each([
    ["module.", "DataParallel"],
    ["_orig_mod.", "torch.compile"],
    ["backbone.net.", "a larger model"],
  ])("the prefix %s is named", (prefix, owner) => {
    const state = dictOf(small());
    const wrapped = Object.fromEntries(Object.entries(state).map(([name, value]) => [prefix + name, value]));
    expect(
      messageOf(() => net.fromStateDict(wrapped, input))
        .split("\n")
        .at(-1),
    ).toBe(`  Hint: nn.stripPrefix(state, "${prefix}") takes off what ${owner} put before the names.`);
    expect(net.fromStateDict(nn.stripPrefix(wrapped, prefix), input)).toEqual(net.fromStateDict(state, input));
  });

  test("a state that lacks the model's prefix is told so", () => {
    const outer = nn.model(nn.sequential({ net: small() }));
    expect(messageOf(() => outer.fromStateDict(dictOf(small()), input))).toContain(
      'Hint: the model\'s names begin with "net.", which those of the state lack.',
    );
  });
});

test("what does not fit keeps the seed's first values, and is named", () => {
  const state: Record<string, HostArray> = { ...dictOf(small(6)), extra: zeros([1]) };
  const loaded = net.fromStateDict(without(state, "bn1.bias"), input, { strict: false, seed: 9 });
  expect(loaded.missing).toEqual(["bn1.bias"]);
  expect(loaded.unexpected).toEqual(["extra"]);
  expect(loaded.mismatched).toEqual(["fc.weight", "fc.bias"]);
  const fresh = Object.fromEntries(leavesOf<HostArray>(net.init(9, input).params));
  const got = Object.fromEntries(leavesOf<HostArray>(loaded.params));
  expect(got["fc.weight"]?.data).toEqual(fresh["fc.weight"]?.data);
  expect(got["conv1.weight"]?.data).toEqual(state["conv1.weight"]?.data);
  expect(got["conv1.weight"]?.data).not.toEqual(fresh["conv1.weight"]?.data);
});

describe("counts of batches", () => {
  const path = "bn1.num_batches_tracked";
  const countOf = (state: Record<string, HostArray>): HostArray["data"] | undefined =>
    Object.fromEntries(leavesOf<HostArray>(net.fromStateDict(state, input).buffers))[path]?.data;

  test("may be missing, as from old checkpoints", () => {
    const old = Object.fromEntries(Object.entries(dictOf(small())).filter(([name]) => !name.endsWith("tracked")));
    expect(countOf(old)).toEqual(Int32Array.of(0));
  });

  test("may be f32 where they are whole", () => {
    expect(countOf({ ...dictOf(small()), [path]: array(7) })).toEqual(Int32Array.of(7));
    expect(messageOf(() => countOf({ ...dictOf(small()), [path]: array(7.5) }))).toBe(
      `state: got f32[] for ${path}; expected i32[].`,
    );
  });
});

describe("tied parameters", () => {
  const tied = nn.model(
    nn.tie(nn.sequential({ up: nn.linear(3, { bias: false }), down: nn.linear(3, { bias: false }) }), {
      "down.weight": "up.weight",
    }),
  );
  const row = { dtype: "f32", shape: [2, 3] } as const;
  const { params, buffers } = tied.init(1, row);
  const state = tied.stateDict(params, buffers);

  test("stand under both names, and are loaded from both or either", () => {
    expect(Object.keys(state)).toEqual(["up.weight", "down.weight"]);
    for (const given of [state, without(state, "up.weight"), without(state, "down.weight")])
      expect(tied.fromStateDict(given, row).params).toEqual(params);
  });

  test("with different values are refused", () => {
    expect(messageOf(() => tied.fromStateDict({ ...state, "down.weight": zeros([3, 3]) }, row))).toBe(
      "state: got down.weight and up.weight with different values; expected them equal, since they are tied.",
    );
  });
});

test("stripPrefix refuses a name that comes twice", () => {
  expect(() => nn.stripPrefix({ "module.a": zeros([1]), a: zeros([1]) }, "module.")).toThrow(
    'stripPrefix: got a twice, with and without "module.".',
  );
});
