import { OptionError } from "../core/errors.ts";
import { leavesOf } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { type DispatchState, dispatch, type Share } from "./dispatch.ts";
import { isTransform } from "./hyper.ts";
import { matchParameters, type ParameterPattern } from "./parameters.ts";
import { show } from "./range.ts";
import type { TensorTree, Transform } from "./transform.ts";

export type Part = {
  /** Its state stands under this name; default: the pattern, or "others". */
  readonly name?: string;
  /** Left out: all parameters that no other part has. */
  readonly params?: ParameterPattern;
  readonly transform: Transform;
};

const nameOf = ({ name, params }: Part): string => name ?? params ?? "others";

/**
 * A transform for each kind of parameter: each parameter belongs to the first part whose pattern matches it.
 *
 * @param parts a pattern and a transform each; the one without a pattern takes the others.
 *
 * As optax.partition (multi_transform), with patterns instead of labels. A state is kept under the part's name and the
 * parameters' paths, never by position. Throws OptionError for two parts of one name, and when the state is made, for a
 * pattern that matches nothing and for parameters that no part has.
 *
 * @example
 * optim.partition([{ params: "matrix", transform: optim.momentum(0.02) }, { transform: optim.adam(1e-3) }]).config.name // -> "partition"
 */
export function partition(parts: readonly Part[]): Transform<DispatchState> {
  if (!Array.isArray(parts) || parts.length === 0)
    throw new OptionError("partition: got no parts; expected a list of { params, transform }.", "partition");
  const names = parts.map(nameOf);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new OptionError(`partition: got two parts "${twice}"; expected different names.`, "partition");
  for (const { transform } of parts)
    if (!isTransform(transform))
      throw new OptionError(
        `partition: got ${show(transform)}; expected a transform, such as optim.sgd(0.1).`,
        "partition",
      );

  const sharesOf = (params: TensorTree): Share[] => {
    const free = new Set(leavesOf<Tensor>(params).map(([path]) => path));
    const take = (part: Part): Share => {
      const matched = part.params === undefined ? free : matchParameters("partition", part.params, params);
      const paths = new Set([...matched].filter((path) => free.has(path)));
      for (const path of paths) free.delete(path);
      return { name: nameOf(part), transform: part.transform, paths };
    };
    const named = parts.filter((part) => part.params !== undefined).map(take);
    const others = parts.filter((part) => part.params === undefined).map(take);
    if (free.size > 0)
      throw new OptionError(
        `partition: got no part for ${[...free].join(", ")}; expected one without a pattern, which takes the others.`,
        "partition",
      );
    return [...named, ...others];
  };
  return {
    config: {
      name: "partition",
      parts: parts.map(({ transform, ...rest }) => ({ ...rest, transform: transform.config })),
    },
    ...dispatch(
      sharesOf,
      parts.map(({ transform }) => transform),
    ),
  };
}
