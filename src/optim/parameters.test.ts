import { describe, expect, test } from "vitest";
import type { Shape } from "../core/dtype.ts";
import { type Tree, unflatten } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { traceProgram } from "../trace/trace.ts";
import { isPattern, matchParameters } from "./parameters.ts";

/** Shapes stand for parameters; a wrapper keeps them apart from the tree's lists. */
class Of {
  readonly shape: Shape;
  constructor(...shape: number[]) {
    this.shape = shape;
  }
}

const network: Tree<Of> = {
  0: { weight: new Of(8, 3, 3, 3), bias: new Of(8) },
  1: { weight: new Of(8), bias: new Of(8) },
  10: { weight: new Of(4, 8), bias: new Of(4) },
  attention: { in_proj_weight: new Of(12, 4), in_proj_bias: new Of(12) },
  encoder: { layers: [{ norm: { weight: new Of(4) }, ff: { weight: new Of(4, 4), bias: new Of(4) } }] },
  scale: new Of(),
};

const leaves: (readonly [string, Of])[] = [
  ["0.weight", new Of(8, 3, 3, 3)],
  ["0.bias", new Of(8)],
  ["1.weight", new Of(8)],
  ["1.bias", new Of(8)],
  ["10.weight", new Of(4, 8)],
  ["10.bias", new Of(4)],
  ["attention.in_proj_weight", new Of(12, 4)],
  ["attention.in_proj_bias", new Of(12)],
  ["encoder.layers.0.norm.weight", new Of(4)],
  ["encoder.layers.0.ff.weight", new Of(4, 4)],
  ["encoder.layers.0.ff.bias", new Of(4)],
  ["scale", new Of()],
];

function match(pattern: string): string[] {
  let found: string[] = [];
  const inputs = leaves.map(([path, { shape }]) => ({
    path,
    aval: { dtype: "f32", shape } as const,
    role: "feed" as const,
  }));
  traceProgram(inputs, (tensors) => {
    found = [...matchParameters("here", pattern, unflatten<Of, Tensor>(network, tensors))];
    return [];
  });
  return found.sort();
}

const all = leaves.map(([path]) => path);
const without = (...paths: string[]): string[] => all.filter((path) => !paths.includes(path)).sort();
const biases = ["0.bias", "1.bias", "10.bias", "attention.in_proj_bias", "encoder.layers.0.ff.bias"];
const matrices = ["0.weight", "10.weight", "attention.in_proj_weight", "encoder.layers.0.ff.weight"];

describe("a pattern matches", () => {
  const cases: readonly (readonly [pattern: string, paths: readonly string[]])[] = [
    ["bias", biases],
    ["norm", ["1.weight", "1.bias", "encoder.layers.0.norm.weight", "scale"]],
    ["bias, norm", without(...matrices)],
    ["matrix", matrices],
    ["vector", without(...matrices)],
    ["1", ["1.weight", "1.bias"]],
    [
      "0",
      ["0.weight", "0.bias", "encoder.layers.0.norm.weight", "encoder.layers.0.ff.weight", "encoder.layers.0.ff.bias"],
    ],
    ["0.weight", ["0.weight"]],
    ["encoder.layers", ["encoder.layers.0.norm.weight", "encoder.layers.0.ff.weight", "encoder.layers.0.ff.bias"]],
    ["encoder.*.*.ff.weight", ["encoder.layers.0.ff.weight"]],
    ["enc*", []],
    ["*.weight", ["0.weight", "1.weight", "10.weight"]],
    ["**.weight", ["0.weight", "1.weight", "10.weight", "encoder.layers.0.norm.weight", "encoder.layers.0.ff.weight"]],
    ["1*.bias", ["1.bias", "10.bias"]],
    ["!matrix", without(...matrices)],
    ["!bias, !norm", matrices],
    ["encoder, !bias", ["encoder.layers.0.norm.weight", "encoder.layers.0.ff.weight"]],
    [
      "matrix, !0.weight, 0.bias",
      ["10.weight", "attention.in_proj_weight", "encoder.layers.0.ff.weight", "0.bias"].filter((p) => p !== "0.weight"),
    ],
    ["scale", ["scale"]],
  ];
  test.each(cases)("%s", (pattern, paths) => {
    if (paths.length === 0) expect(() => match(pattern)).toThrow(`here: got "${pattern}", which no parameter matches`);
    else expect(match(pattern)).toEqual([...paths].sort());
  });
});

test("an unknown name is refused with the parameters there are", () => {
  expect(() => match("decoder")).toThrow(
    'here: got "decoder", which no parameter matches; expected one of 0.weight, 0.bias, ',
  );
  expect(() => match("bias, decoder")).toThrow('got "decoder"');
  expect(() => match("!decoder")).toThrow('got "decoder"');
});

test("a pattern that leaves nothing is refused", () => {
  expect(() => match("bias, !bias")).toThrow(
    'here: got "bias, !bias", which no parameter matches; there are 0.weight, ',
  );
});

test.each(["", " ", "bias,", "bias,,norm", "!"])("%o is no pattern", (pattern) => {
  expect(isPattern(pattern)).toBe(false);
  expect(() => match(pattern)).toThrow("expected names of parameters with commas between them");
});
