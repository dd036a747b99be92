import { formatAval, sameShape } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import { isBranch, leavesOf, type Tree } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import type { TensorTree } from "../trace/grad.ts";
import { configOf, type Layer } from "./layer.ts";

/** From a parameter's path to that of the parameter it is: `{ "lm_head.weight": "transformer.wte.weight" }`. */
export type Ties = { readonly [target: string]: string };

/**
 * The layer with parameters that are one and the same: the parameter at each target path is not stored but is the one at
 * the source path, whose gradient is the sum over all its uses.
 *
 * PyTorch's state dicts hold a tied parameter under both names; the layer's `ties` say which.
 *
 * Errors: OptionError for a path that is no parameter, or a target that is a source; ShapeError where the two differ in shape.
 * Source: Press and Wolf, "Using the output embedding to improve language models" (2016).
 *
 * @example
 * const net = nn.tie(nn.sequential({ up: nn.linear(8), down: nn.linear(8) }), { "down.weight": "up.weight" });
 */
export function tie<In extends TensorTree = Tensor, Out extends TensorTree = Tensor>(
  layer: Layer<In, Out>,
  ties: Ties,
): Layer<In, Out> {
  const pairs = Object.entries(ties);
  if (pairs.length === 0) throw new OptionError("tie: got no ties; expected at least one pair of paths.");
  for (const [target, source] of pairs)
    if (source in ties)
      throw new OptionError(`tie: got ${source} as source of ${target} and as a target; expected one.`);
  return {
    config: configOf("tie", { layer: layer.config, ties }),
    ties: { ...layer.ties, ...ties },
    init(key, input, path = "tie") {
      const made = layer.init(key, input, path);
      const leaves = new Map(leavesOf<HostArray>(made.params));
      for (const [target, source] of pairs) {
        const [own, shared] = [target, source].map((name) => {
          const found = leaves.get(name);
          if (!found)
            throw new OptionError(`tie: got ${name}; expected a parameter, one of ${[...leaves.keys()].join(", ")}.`);
          return found;
        }) as [HostArray, HostArray];
        if (!sameShape(own.shape, shared.shape))
          throw new ShapeError(
            `tie: got ${target} ${formatAval(own.aval)} and ${source} ${formatAval(shared.aval)}; expected equal shapes.`,
          );
      }
      return { ...made, params: pairs.reduce((params, [target]) => without(params, target.split(".")), made.params) };
    },
    apply: (params, x, ctx) =>
      layer.apply(
        pairs.reduce((all, [target, source]) => placed(all, target.split("."), at(params, source)), params),
        x,
        ctx,
      ),
  };
}

type Branch<T> = { readonly [name: string]: Tree<T> };

/** The tree without the leaf at `path`, and without the branches that this leaves empty. */
function without<T>(tree: Tree<T>, [name = "", ...rest]: readonly string[]): Tree<T> {
  const { [name]: child, ...others } = tree as Branch<T>;
  if (rest.length === 0 || child === undefined) return others;
  const left = without(child, rest);
  if (Object.keys(left as Branch<T>).length === 0) return others;
  // Keeps the order of the names.
  return Object.fromEntries(Object.entries(tree as Branch<T>).map(([key, old]) => [key, key === name ? left : old]));
}

function placed<T>(tree: Tree<T>, [name = "", ...rest]: readonly string[], leaf: T): Tree<T> {
  const branch = tree as Branch<T>;
  return { ...branch, [name]: rest.length === 0 ? leaf : placed(branch[name] ?? {}, rest, leaf) };
}

function at(params: TensorTree, path: string): Tensor {
  const found = path
    .split(".")
    .reduce<unknown>((node, name) => (isBranch(node) ? (node as Branch<Tensor>)[name] : undefined), params);
  if (found === undefined)
    throw new OptionError(`tie: got no parameter ${path}; expected one in the layer's parameters.`);
  return found as Tensor;
}
