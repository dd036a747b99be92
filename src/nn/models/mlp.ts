import { relu } from "../activations.ts";
import { dropout as dropoutLayer } from "../dropout.ts";
import type { Layer } from "../layer.ts";
import { linear } from "../linear.ts";
import { flatten } from "../plain-layers.ts";
import { sequential } from "../sequential.ts";

export type MlpOptions = {
  /** Default [256, 128]. */
  readonly hidden?: readonly number[];
  readonly classes: number;
  /** After each hidden layer. Default 0: none. */
  readonly dropout?: number;
};

/**
 * A multi-layer perceptron: flatten, then linear and relu for each hidden size, then linear to the classes.
 *
 * @example
 * nn.model(nn.mlp({ classes: 10 })).init(1, { dtype: "f32", shape: [32, 1, 28, 28] }).output.shape // -> [32, 10]
 */
export function mlp(options: MlpOptions): Layer {
  const { hidden = [256, 128], classes, dropout = 0 } = options;
  const inner = hidden.flatMap((size) => [linear(size), relu(), ...(dropout > 0 ? [dropoutLayer(dropout)] : [])]);
  return sequential(flatten(), ...inner, linear(classes));
}
