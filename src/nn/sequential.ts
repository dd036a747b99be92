import { OptionError } from "../core/errors.ts";
import type { Tensor } from "../ops/tensor.ts";
import { ChildInits } from "./compose.ts";
import { checkName, configOf, type Layer } from "./layer.ts";

/**
 * Layers one after the other. Unnamed layers are called "0", "1", ..., so parameters are `0.weight` as in PyTorch; a record
 * names them: `nn.sequential({ conv1: nn.conv2d(8, 3), act: nn.relu() })` has `conv1.weight`.
 *
 * A relu right before a max pool is applied after it: a maximum commutes with a monotonic function, and where it is not
 * positive the gradient is 0 either way. Values and gradients are the same, at a quarter of the work for a 2x2 window.
 *
 * Errors: OptionError when empty; ShapeError naming the layer, `sequential.3 (linear): got ...`.
 *
 * @example
 * const model = nn.sequential(nn.flatten(), nn.linear(128), nn.relu(), nn.linear(10));
 */
export function sequential(...layers: readonly Layer[]): Layer;
export function sequential(layers: { readonly [name: string]: Layer }): Layer;
export function sequential(...given: readonly Layer[] | readonly [{ readonly [name: string]: Layer }]): Layer {
  const children = namedChildren(given);
  if (children.length === 0) throw new OptionError("sequential: got no layers; expected at least one.");
  for (const [name] of children) checkName("sequential", name);
  return {
    config: configOf("sequential", { layers: children.map(([name, layer]) => ({ name, layer: layer.config })) }),
    init(key, input, path = "sequential") {
      const collected = new ChildInits(key, path);
      const output = children.reduce((aval, [name, layer]) => collected.init(name, layer, aval), input);
      return { params: collected.params, buffers: collected.buffers, output };
    },
    apply: (params, x, ctx) =>
      (ctx.observed ? children : poolBeforeRelu(children)).reduce<Tensor>(
        (value, [name, layer]) => ctx.apply(name, layer, params, value),
        x,
      ),
  };
}

type Named = readonly [name: string, layer: Layer];

function namedChildren(given: readonly Layer[] | readonly [{ readonly [name: string]: Layer }]): readonly Named[] {
  const [only] = given;
  if (only !== undefined && !("config" in only && "apply" in only && typeof only.apply === "function"))
    return Object.entries(only as { readonly [name: string]: Layer });
  return (given as readonly Layer[]).map((layer, i) => [`${i}`, layer] as const);
}

function poolBeforeRelu(children: readonly Named[]): readonly Named[] {
  const order = [...children];
  for (let i = 0; i + 1 < order.length; i++) {
    const [first, second] = [order[i], order[i + 1]] as [Named, Named];
    if (first[1].trait === "relu" && second[1].trait === "maxPool") {
      order[i] = second;
      order[i + 1] = first;
    }
  }
  return order;
}
