import { OptionError, ShapeError } from "../core/errors.ts";
import { leavesOf, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { scan } from "../trace/control.ts";
import type { TensorTree } from "../trace/grad.ts";
import { ChildInits } from "./compose.ts";
import { formatAvals } from "./define-layer.ts";
import { type BuffersByPath, childOf, configOf, expectCount, type Layer, type LayerContext } from "./layer.ts";

export type RepeatOptions = {
  /**
   * Compile the layer once and run it in a loop, which computes its inside again in the backward pass: less to compile, and
   * memory for the layers' inputs alone. Else as many copies are compiled. Default true.
   */
  readonly scan?: boolean;
};

/**
 * `count` layers of one form, each with parameters of its own, one after the other: the parameters are named `0.`, `1.`, ...
 * as in `sequential` and PyTorch's `ModuleList`, and the first values are those of `sequential` of copies.
 *
 * The output must be of the input's type. A dropout inside draws other numbers in a loop than in copies.
 *
 * Errors: ShapeError when the output's type differs from the input's.
 *
 * @example
 * const deep = nn.sequential({ stem: nn.linear(64), blocks: nn.repeat(nn.residual(nn.linear(64)), 24) });
 */
export function repeat<X extends TensorTree = Tensor>(
  layer: Layer<X, X>,
  count: number,
  options: RepeatOptions = {},
): Layer<X, X> {
  expectCount("repeat", "count", count);
  if (typeof layer !== "object" || typeof layer.apply !== "function")
    throw new OptionError(`repeat: got ${typeof layer}; expected a layer.`);
  const names = Array.from({ length: count }, (_, i) => `${i}`);
  const { scan: loops = true } = options;
  return {
    config: configOf("repeat", { layer: layer.config, count, ...options }),
    init(key, input, path = "repeat") {
      const collected = new ChildInits(key, path);
      for (const name of names) {
        const output = collected.init(name, layer, input);
        const [before, after] = [formatAvals(input), formatAvals(output)];
        if (before !== after)
          throw new ShapeError(`repeat: got ${after} from a layer given ${before}; expected the same type.`);
      }
      return { params: collected.params, buffers: collected.buffers, output: input };
    },
    apply(params, x, ctx) {
      // A watched pass shows each layer.
      if (!loops || count === 1 || ctx.observed)
        return names.reduce((value, name) => ctx.apply(name, layer, params, value), x);
      return applyInLoop(layer, names, params, x, ctx);
    },
  };
}

function stack(tensors: readonly Tensor[]): Tensor {
  const [first, ...rest] = tensors.map((tensor) => tensor.unsqueeze(0)) as [Tensor, ...Tensor[]];
  return rest.length === 0 ? first : first.concat(rest, 0);
}

function applyInLoop<X extends TensorTree>(
  layer: Layer<X, X>,
  names: readonly string[],
  params: TensorTree,
  x: X,
  ctx: LayerContext,
): X {
  const [firstName = "0", ...otherNames] = names;
  const stacked = zipTrees<Tensor, Tensor>(
    (_path, ...leaves) => stack(leaves),
    childOf(params, firstName),
    ...otherNames.map((name) => childOf(params, name)),
  );
  const prefix = (name: string): string => `${ctx.path}.${name}.`;
  const rest = (path: string): string => path.slice(prefix(firstName).length);
  const firstBuffers = ctx.buffersWithin(firstName);
  const all = ctx.buffersWithin();
  const buffers = Object.fromEntries(
    Object.keys(firstBuffers).map((path) => [
      path,
      stack(names.map((name) => all[`${prefix(name)}${rest(path)}`] as Tensor)),
    ]),
  );
  const [first] = leavesOf<Tensor>(x).map(([, leaf]) => leaf);
  const xs = { params: stacked, buffers, index: (first as Tensor).iota([names.length], 0) };
  // The body stands at the first layer's path.
  const body = (carry: X, element: typeof xs): readonly [X, TensorTree] =>
    ctx.aside<X>((inner) => inner.apply(firstName, layer, { [firstName]: element.params }, carry), {
      buffers: element.buffers,
      fold: element.index,
    });
  const [output, changed] = scan(body, x, xs);
  const taken: Record<string, Tensor> = {};
  for (const [path, values] of Object.entries(changed as BuffersByPath))
    names.forEach((name, i) => {
      taken[`${prefix(name)}${rest(path)}`] = values.narrow(0, i, 1).squeeze(0);
    });
  ctx.takeBuffers(taken);
  return output;
}
