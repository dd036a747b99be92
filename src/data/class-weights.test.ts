import { expect, test } from "vitest";
import { classWeights } from "./class-weights.ts";

test("balanced weights are n / (k n_c), and every class weighs as much in all", () => {
  // sklearn.utils.class_weight.compute_class_weight("balanced", classes=[0, 1, 2], y=[0] * 6 + [1] * 3 + [2])
  const weights = classWeights([6, 3, 1]);
  expect(weights).toEqual([10 / 18, 10 / 9, 10 / 3]);
  expect(weights.map((weight, i) => weight * ([6, 3, 1][i] as number))).toEqual([10 / 3, 10 / 3, 10 / 3]);
});

test("by name, those left out 1; none, all 1", () => {
  expect(classWeights([5, 0, 2], { dog: 3, constructor: 2 }, ["cat", "dog", "constructor"])).toEqual([1, 3, 2]);
  expect(classWeights([5, 0], "none")).toEqual([1, 1]);
});

test("what is refused", () => {
  expect(() => classWeights([])).toThrow("classWeights: got no counts; expected one for each class.");
  expect(() => classWeights([4, 0])).toThrow("classWeights: got 0 examples of class 1; expected at least 1.");
  expect(() => classWeights([4, 1], { bird: 2 }, ["cat", "dog"])).toThrow('got class "bird"; expected one of cat, dog');
  expect(() => classWeights([4, 1], { cat: 0 }, ["cat", "dog"])).toThrow("got weight 0 of cat");
  expect(() => classWeights([4, 1], "balanced", ["cat"])).toThrow("got 1 names; expected 2");
  expect(() => classWeights([4, 1], "even" as "none")).toThrow('got "even"');
});
