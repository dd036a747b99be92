import { expect, test } from "vitest";
import { fedRule } from "../../test/fed-gradients.ts";
import { array, type HostArray } from "../core/host-array.ts";
import * as optim from "./index.ts";

const params = { layer: { weight: array([1, 2]), bias: array([0]) } };
const zeros = { layer: { weight: array([0, 0]), bias: array([0]) } };

test("a rule's own state passes, nested ones too", async () => {
  optim.checkState(optim.adam(0.1), params, { m: zeros, v: zeros });
  const rule = optim.chain(
    optim.clipByGlobalNorm(1),
    optim.groups(optim.adam(0.1), [{ params: "b", rateFactor: 2, freeze: true }]),
  );
  const fed = await fedRule(optim.ema(rule), { a: [1], b: [2] });
  const { memory } = (await fed.step.read()) as { memory: HostArray };
  optim.checkState(optim.ema(rule), { a: array([1]), b: array([2]) }, memory);
});

test.each([
  [
    "another rule's",
    optim.adam(0.1),
    { c: zeros },
    "adam: got a state without m.layer.weight f32[2], m.layer.bias f32[1], v.layer.weight f32[2], v.layer.bias f32[1]; with c.layer.weight f32[2], c.layer.bias f32[1], which does not belong to it; expected the state of adam for these parameters. Hint: was it saved with another optimizer, other groups or another model?",
  ],
  [
    "another model's",
    optim.adagrad(0.1),
    { c: { layer: { weight: array([0, 0, 0]), bias: array([0]) } } },
    "adagrad: got a state with c.layer.weight f32[3] instead of f32[2]; expected the state of adagrad",
  ],
  [
    "a state for a rule that keeps none",
    optim.sgd(0.1),
    { v: zeros },
    "sgd: got a state with v.layer.weight f32[2], v.layer.bias f32[1], which",
  ],
])("%s state is refused by path", (_, rule, state, message) => {
  expect(() => optim.checkState(rule, params, state)).toThrow(message);
});

test("many paths are cut short", () => {
  const many = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`p${i}`, array([0])]));
  expect(() => optim.checkState(optim.adagrad(0.1), many, {})).toThrow("c.p5 f32[1] and 3 more; expected");
});

test("a state of other groups is refused, not mixed up: it is kept by name", () => {
  const grouped = optim.groups(optim.adagrad(0.1), [{ params: "bias", rate: 1 }]);
  const state = { c: zeros };
  expect(() => optim.checkState(grouped, params, state)).toThrow(
    "groups: got a state without others.c.layer.weight f32[2], bias.c.layer.bias f32[1]",
  );
});
