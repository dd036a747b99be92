import { expect, test } from "vitest";
import { array } from "../core/host-array.ts";
import { encodeSafetensors } from "../io/safetensors.ts";
import { decodeModel } from "./model-file.ts";

const notes = {
  model: { kind: "linear", units: 2, bias: true },
  loss: { kind: "crossEntropy" },
  metrics: [],
  preparation: {},
  sample: { dtype: "f32", shape: [3] },
};
const decode = (changed: unknown) =>
  decodeModel(
    encodeSafetensors(
      { weight: array([[1, 2, 3]]) },
      { format: "downhill.model.1", downhill: JSON.stringify(changed) },
    ),
    "m.safetensors",
  );
const nested = (levels: number): unknown => JSON.parse(`${"[".repeat(levels)}${"]".repeat(levels)}`);

test.each([
  ["notes that are null", null, "no object"],
  ["a text as sample", { ...notes, sample: "f32" }, "no types of its inputs"],
  ["a text inside the sample", { ...notes, sample: { a: notes.sample, b: "x" } }, "no types of its inputs"],
  ["an empty sample", { ...notes, sample: {} }, "no types of its inputs"],
  ["a size below 1", { ...notes, sample: { dtype: "f32", shape: [0] } }, "no types of its inputs"],
  ["a sample without an end", { ...notes, sample: nested(1000) }, "nested more than 200 levels deep"],
  ["a model without an end", { ...notes, model: { kind: "sequential", layers: nested(1000) } }, "nested more than 200"],
])("%s is refused, naming the file", (_, changed, text) => {
  expect(() => decode(changed)).toThrow(text);
  expect(() => decode(changed)).toThrow("m.safetensors");
});
