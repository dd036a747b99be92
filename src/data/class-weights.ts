import { OptionError } from "../core/errors.ts";

/**
 * Weights of classes for a loss, from how many examples each class has. "balanced": n / (k n_c), with n examples of k classes,
 * as scikit-learn's `compute_class_weight`. A record has weights by class name, those left out 1. "none": 1 each.
 *
 * `names` are the classes' names, in the order of the counts; needed for a record.
 *
 * Throws OptionError for a class without examples, for a name that is no class, and for a weight that is not above 0.
 *
 * @example
 * classWeights([90, 10], "balanced") // -> [0.5555555555555556, 5]
 * nn.crossEntropy({ weight: classWeights([90, 10], { dog: 3 }, ["cat", "dog"]) }); // [1, 3]
 */
export function classWeights(
  counts: readonly number[],
  weights: "balanced" | "none" | Readonly<Record<string, number>> = "balanced",
  names: readonly string[] = counts.map((_, label) => String(label)),
): number[] {
  if (counts.length === 0) throw new OptionError("classWeights: got no counts; expected one for each class.");
  if (names.length !== counts.length)
    throw new OptionError(`classWeights: got ${names.length} names; expected ${counts.length}, one for each count.`);
  if (weights === "none") return counts.map(() => 1);
  if (weights === "balanced") {
    const total = counts.reduce((sum, count) => sum + count, 0);
    return counts.map((count, label) => {
      if (!Number.isSafeInteger(count) || count < 1)
        throw new OptionError(
          `classWeights: got ${count} examples of class ${names[label]}; expected at least 1. Leave the class out, or give weights by name.`,
        );
      return total / (counts.length * count);
    });
  }
  if (typeof weights !== "object")
    throw new OptionError(`classWeights: got "${weights}"; expected "balanced", "none" or weights by class name.`);
  for (const [name, weight] of Object.entries(weights)) {
    if (!names.includes(name))
      throw new OptionError(`classWeights: got class "${name}"; expected one of ${names.join(", ")}.`);
    if (!(weight > 0 && Number.isFinite(weight)))
      throw new OptionError(`classWeights: got weight ${weight} of ${name}; expected a number above 0.`);
  }
  return names.map((name) => (Object.hasOwn(weights, name) ? (weights[name] as number) : 1));
}
