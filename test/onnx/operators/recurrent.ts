import * as nn from "../../../src/nn/index.ts";
import type { Layer } from "../../../src/nn/layer.ts";
import type { Tensor } from "../../../src/ops/tensor.ts";
import { type Call, Unsupported } from "../call.ts";
import { applied } from "./layers.ts";
import type { Operators } from "./operator.ts";

type State = { readonly x: Tensor; readonly h?: Tensor; readonly c?: Tensor };
type Result = { readonly output: Tensor; readonly h: Tensor; readonly c?: Tensor };

/** Blocks of rows in another order: [gates H, ...]. */
function reordered(x: Tensor, gates: readonly number[]): Tensor {
  const size = (x.shape[0] as number) / gates.length;
  const blocks = gates.map((gate) => x.narrow(0, gate * size, size));
  return (blocks[0] as Tensor).concat(blocks.slice(1), 0);
}

/** Where PyTorch's gates stand among ONNX's, and the layer that has them. */
type Kind = {
  readonly gates: readonly number[];
  readonly layer: (size: number, options: { readonly batchFirst: boolean; readonly bidirectional: boolean }) => unknown;
};

function recurrent(call: Call, { gates, layer }: Kind): (Tensor | undefined)[] {
  const directions = ["forward", "bidirectional"].indexOf(call.text("direction", "forward")) + 1;
  if (directions === 0) throw new Unsupported("a recurrent layer in reverse alone");
  if (
    ["activations", "activation_alpha", "activation_beta", "clip", "input_forget"].some(
      (name) => name in call.node.attributes,
    )
  )
    throw new Unsupported("activations of a recurrent layer");
  const batchFirst = call.flag("layout");
  const x = call.tensor(0);
  const steps = x.shape[batchFirst ? 1 : 0];
  if (call.knownList(4)?.some((length) => length !== steps)) throw new Unsupported("sequences of several lengths");
  const size = call.attribute("hidden_size", 0);
  const params: Record<string, Tensor> = {};
  for (const [direction, suffix] of ["", "_reverse"].slice(0, directions).entries()) {
    const own = (i: number): Tensor => call.tensor(i).narrow(0, direction, 1).squeeze(0);
    params[`weight_ih_l0${suffix}`] = reordered(own(1), gates);
    params[`weight_hh_l0${suffix}`] = reordered(own(2), gates);
    if (!call.has(3)) continue;
    const rows = gates.length * size;
    params[`bias_ih_l0${suffix}`] = reordered(own(3).narrow(0, 0, rows), gates);
    params[`bias_hh_l0${suffix}`] = reordered(own(3).narrow(0, rows, rows), gates);
  }
  // The state is [N, directions, H] where the batch comes first, and [directions, N, H] here.
  const state = (value: Tensor): Tensor => (batchFirst ? value.swapAxes(0, 1) : value);
  const input: State = {
    x,
    ...(call.has(5) ? { h: state(call.tensor(5)) } : {}),
    ...(call.has(6) ? { c: state(call.tensor(6)) } : {}),
  };
  const made = layer(size, { batchFirst, bidirectional: directions === 2 }) as Layer<State, Result>;
  const { output, h, c } = applied(made, params, input);
  const [first, second] = output.shape as readonly [number, number];
  const split = output.reshape([first, second, directions, size]);
  return [batchFirst ? split : split.swapAxes(1, 2), state(h), c && state(c)];
}

function gru(call: Call): (Tensor | undefined)[] {
  // PyTorch's reset gate acts behind the product. Both are the same where the state is 0, and its bias.
  const steps = call.known(0).shape[call.flag("layout") ? 1 : 0];
  const bias = call.has(3) ? call.known(3) : undefined;
  const ofState = bias?.values.slice(-call.attribute("hidden_size", 0)).some((value) => value !== 0) ?? false;
  if (!call.flag("linear_before_reset") && (steps !== 1 || call.has(5) || ofState))
    throw new Unsupported("a reset gate in front of the product");
  return recurrent(call, {
    gates: [1, 0, 2],
    layer: (size, options) => nn.gru(size, { ...options, bias: call.has(3), state: true }),
  });
}

function lstm(call: Call): (Tensor | undefined)[] {
  if (call.has(7)) throw new Unsupported("peepholes");
  return recurrent(call, {
    gates: [0, 2, 3, 1],
    layer: (size, options) => nn.lstm(size, { ...options, bias: call.has(3), state: true }),
  });
}

export const recurrentOperators: Operators = {
  RNN: (call) =>
    recurrent(call, {
      gates: [0],
      layer: (size, options) => nn.rnn(size, { ...options, bias: call.has(3), state: true }),
    }),
  GRU: gru,
  LSTM: lstm,
};
