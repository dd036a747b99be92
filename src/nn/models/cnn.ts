import { relu } from "../activations.ts";
import { conv2d } from "../conv.ts";
import { dropout as dropoutLayer } from "../dropout.ts";
import type { Layer } from "../layer.ts";
import { linear } from "../linear.ts";
import { flatten } from "../plain-layers.ts";
import { maxPool2d } from "../pooling.ts";
import { sequential } from "../sequential.ts";

export type CnnOptions = {
  readonly classes: number;
  /** Channels of the 3x3 convolutions, each followed by relu and a 2x2 max pool. Default [32, 64]. */
  readonly channels?: readonly number[];
  /** Size of the hidden linear layer. Default 128. */
  readonly hidden?: number;
  /** Before the last layer. Default 0: none. */
  readonly dropout?: number;
};

/**
 * A small convolutional classifier: conv 32, pool, conv 64, pool, linear 128, linear to the classes; padding 1, so 28x28
 * images give 64 maps of 7x7 before the first linear layer.
 *
 * @example
 * nn.model(nn.cnn({ classes: 10 })).init(1, { dtype: "f32", shape: [32, 1, 28, 28] }).output.shape // -> [32, 10]
 */
export function cnn(options: CnnOptions): Layer {
  const { classes, channels = [32, 64], hidden = 128, dropout = 0 } = options;
  return sequential(
    ...channels.flatMap((out) => [conv2d(out, 3, { padding: 1 }), relu(), maxPool2d(2)]),
    flatten(),
    linear(hidden),
    relu(),
    ...(dropout > 0 ? [dropoutLayer(dropout)] : []),
    linear(classes),
  );
}
