import { call } from "../trace/control.ts";
import type { TensorTree } from "../trace/grad.ts";
import { configOf, type Layer } from "./layer.ts";

/**
 * The layer, of whose inside nothing is kept for the backward pass: it is computed again there from the layer's input
 * (rematerialisation; PyTorch's `checkpoint`, jax's `remat`). Values and gradients are the same bits, peak memory is
 * smaller and a step takes about a third longer for what is inside. Parameters keep their names; batch norm moves its
 * statistics once.
 *
 * Source: Chen, Xu, Zhang and Guestrin, "Training deep nets with sublinear memory cost" (2016).
 *
 * @example
 * const net = nn.sequential(...Array.from({ length: 8 }, () => nn.remat(nn.sequential(nn.linear(64), nn.gelu()))));
 */
export function remat<In extends TensorTree, Out extends TensorTree>(layer: Layer<In, Out>): Layer<In, Out> {
  return {
    config: configOf("remat", { layer: layer.config }),
    init: (key, input, path = "remat") => layer.init(key, input, path),
    apply(params, x, ctx) {
      const block = (operands: { readonly params: TensorTree; readonly x: TensorTree }): TensorTree => {
        const [y, buffers] = ctx.aside((inner) => layer.apply(operands.params, operands.x as In, inner));
        return { y, buffers };
      };
      const { y, buffers } = call(ctx.path, block, { params, x }) as {
        readonly y: Out;
        readonly buffers: Readonly<Record<string, never>>;
      };
      ctx.takeBuffers(buffers);
      return y;
    },
  };
}
