import { OptionError } from "../core/errors.ts";
import { leavesOf } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import type { TensorTree } from "./transform.ts";

/**
 * Which parameters: names and patterns with commas between them.
 *
 * | pattern | parameters |
 * |---|---|
 * | `bias` | those whose last name says bias: `0.bias`, `attention.in_proj_bias` |
 * | `norm` | all of a layer that has vectors only, as the norm layers: `1.weight`, `1.bias` of a batch norm |
 * | `vector`, `matrix` | of at most one axis; of two or more |
 * | `encoder`, `encoder.0`, `0.weight` | with these names in a row anywhere in their path |
 * | `encoder.*.weight`, `head*`, `**.bias` | `*` for any part of one name, `**` for any names: the whole path must match |
 * | `!encoder` | not those |
 */
export type ParameterPattern = string;

type Parameter = { readonly path: string; readonly rank: number; readonly onlyVectors: boolean };

const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf(".")));
const lastOf = (path: string): string => path.slice(path.lastIndexOf(".") + 1);

function parametersOf(params: TensorTree): Parameter[] {
  const leaves = leavesOf<Tensor>(params);
  const deep = new Set(leaves.filter(([, x]) => x.rank > 1).map(([path]) => parentOf(path)));
  return leaves.map(([path, x]) => ({ path, rank: x.rank, onlyVectors: !deep.has(parentOf(path)) }));
}

const CLASSES: Readonly<Record<string, (p: Parameter) => boolean>> = {
  bias: ({ path }) => /bias/i.test(lastOf(path)),
  norm: ({ onlyVectors }) => onlyVectors,
  vector: ({ rank }) => rank <= 1,
  matrix: ({ rank }) => rank >= 2,
};

const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");

function pathTest(pattern: string): (p: Parameter) => boolean {
  if (!pattern.includes("*")) return ({ path }) => `.${path}.`.includes(`.${pattern}.`);
  const body = pattern
    .split(/(\*\*\.|\.\*\*|\*\*|\*)/)
    .map((part) => {
      if (part === "**.") return "(?:.*\\.)?";
      if (part === ".**") return "(?:\\..*)?";
      if (part === "**") return ".*";
      return part === "*" ? "[^.]*" : literal(part);
    })
    .join("");
  const whole = new RegExp(`^${body}$`);
  return ({ path }) => whole.test(path);
}

const partsOf = (pattern: ParameterPattern): string[] => pattern.split(",").map((part) => part.trim());

/** Whether there is a name at each place between commas. */
export function isPattern(pattern: ParameterPattern): boolean {
  return partsOf(pattern).every((part) => part.replace(/^!/, "") !== "");
}

/** At most so many parameters are listed in an error. */
const LISTED = 12;

function listed(parameters: readonly Parameter[]): string {
  const names = parameters.slice(0, LISTED).map(({ path }) => path);
  return parameters.length > LISTED ? `${names.join(", ")} and ${parameters.length - LISTED} more` : names.join(", ");
}

/**
 * The paths that a pattern stands for. Throws OptionError where a name is no parameter's, or nothing is left: it lists the
 * parameters there are.
 */
export function matchParameters(where: string, pattern: ParameterPattern, params: TensorTree): ReadonlySet<string> {
  const all = parametersOf(params);
  const paths = new Set<string>();
  if (!isPattern(pattern))
    throw new OptionError(
      `${where}: got "${pattern}"; expected names of parameters with commas between them, such as "bias, norm".`,
      where,
    );
  const parts = partsOf(pattern);
  if (parts.every((part) => part.startsWith("!"))) for (const { path } of all) paths.add(path);
  for (const part of parts) {
    const name = part.replace(/^!/, "");
    const found = all.filter(CLASSES[name] ?? pathTest(name));
    if (found.length === 0 && CLASSES[name] === undefined)
      throw new OptionError(
        `${where}: got "${name}", which no parameter matches; expected one of ${listed(all)}, a pattern such as "0.*", or ${Object.keys(CLASSES).join(", ")}.`,
        where,
      );
    for (const { path } of found)
      if (part.startsWith("!")) paths.delete(path);
      else paths.add(path);
  }
  if (paths.size === 0)
    throw new OptionError(`${where}: got "${pattern}", which no parameter matches; there are ${listed(all)}.`, where);
  return paths;
}
