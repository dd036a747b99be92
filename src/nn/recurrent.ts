import { type Aval, formatAval } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import { foldKey, type KeyWords } from "../core/prng.ts";
import type { Tensor } from "../ops/tensor.ts";
import { defineLayer } from "./define-layer.ts";
import { uniform } from "./init.ts";
import { expectCount, type Json, type Layer, type LayerContext } from "./layer.ts";
import { gruSteps, lstmSteps, type Nonlinearity, type Ran, rnnSteps, type Steps } from "./recurrent-steps.ts";

export type RecurrentOptions = {
  /** Layers, each over the outputs of the one before. Default 1. */
  readonly numLayers?: number;
  /** Also run from the last step to the first, with parameters named `_reverse`, and join both outputs. Default false. */
  readonly bidirectional?: boolean;
  /** Default true. */
  readonly bias?: boolean;
  /** Probability of dropping an output between two layers, in training. Default 0. */
  readonly dropout?: number;
  /** f32[N, T, ...] rather than f32[T, N, ...]. Default true, unlike PyTorch. The state is f32[layers, N, H] either way. */
  readonly batchFirst?: boolean;
  /** Outputs of all steps, as in PyTorch; else of the last in each direction, f32[N, H], as in Keras. Default true. */
  readonly returnSequences?: boolean;
  /** Take and give the state: a record goes in and a record comes out. Default false. */
  readonly state?: boolean;
};

export type RnnOptions = RecurrentOptions & {
  /** Default "tanh". */
  readonly nonlinearity?: Nonlinearity;
};

type WithState<O> = O & { readonly state: true };

/** The first state is zeros where it is left out. */
export type RecurrentInput = { readonly x: Tensor; readonly h?: Tensor };
export type RecurrentOutput = { readonly output: Tensor; readonly h: Tensor };
/** `h` and `c` go together. The first state is zeros where they are left out. */
export type LstmInput = { readonly x: Tensor; readonly h?: Tensor; readonly c?: Tensor };
export type LstmOutput = { readonly output: Tensor; readonly h: Tensor; readonly c: Tensor };

/** What tells the kinds apart. */
type Kind = {
  readonly kind: "rnn" | "gru" | "lstm";
  readonly gates: number;
  readonly run: (steps: Steps) => Ran;
};

type Weights = { readonly [name: string]: HostArray };
type Traced = { readonly [name: string]: Tensor };
type In = { readonly x: Tensor; readonly h?: Tensor; readonly c?: Tensor };
type Out = { readonly output: Tensor; readonly h: Tensor; readonly c?: Tensor };

const LSTM: Kind = { kind: "lstm", gates: 4, run: lstmSteps };
const GRU: Kind = { kind: "gru", gates: 3, run: gruSteps };
const rnnOf = (nonlinearity: Nonlinearity): Kind => ({
  kind: "rnn",
  gates: 1,
  run: (steps) => rnnSteps(steps, nonlinearity),
});

/**
 * Long short-term memory over a sequence: f32[N, T, in] -> f32[N, T, H], from the first step to the last
 * i, f, g, o = sigmoid, sigmoid, tanh, sigmoid of W_ih x + b_ih + W_hh h + b_hh; c' = f c + i g; h' = o tanh(c').
 *
 * Parameters for layer 0 are `weight_ih_l0` [4 H, in], `weight_hh_l0` [4 H, H], `bias_ih_l0` and `bias_hh_l0` [4 H], gates in
 * the order i, f, g, o, uniform in ±1/sqrt(H), all as PyTorch's; the other direction's end in `_reverse`, and both directions'
 * outputs are joined to f32[N, T, 2 H]. With `state: true`, `{ x, h, c }` -> `{ output, h, c }`, where h and c are
 * f32[layers (times 2 in both directions), N, H] and zeros where left out. The batch comes first unless `batchFirst` is
 * false, which is PyTorch's default.
 *
 * Errors: ShapeError when the input is not f32 of rank 3 or its last axis is not `weight_ih_l0`'s.
 * Source: Hochreiter and Schmidhuber (1997), Gers, Schmidhuber and Cummins (2000).
 *
 * @example
 * nn.model(nn.lstm(16, { bidirectional: true })).init(1, { dtype: "f32", shape: [8, 20, 4] }).output.shape // -> [8, 20, 32]
 */
export function lstm(hiddenSize: number, options: WithState<RecurrentOptions>): Layer<LstmInput, LstmOutput>;
export function lstm(hiddenSize: number, options?: RecurrentOptions): Layer;
export function lstm(hiddenSize: number, options: RecurrentOptions = {}): Layer | Layer<LstmInput, LstmOutput> {
  return recurrent(LSTM, hiddenSize, options) as Layer | Layer<LstmInput, LstmOutput>;
}

/**
 * Gated recurrent unit over a sequence: f32[N, T, in] -> f32[N, T, H], with
 * r, z = sigmoid of W_ih x + b_ih + W_hh h + b_hh; n = tanh(W_in x + b_in + r (W_hn h + b_hn)); h' = (1 - z) n + z h.
 *
 * Parameters, shapes, state (`{ x, h }` -> `{ output, h }`) and errors are as `lstm`'s with 3 H rows, gates in PyTorch's order
 * r, z, n. The reset gate acts behind the product, as in PyTorch and Keras's `reset_after=True`.
 *
 * Source: Cho et al. (2014).
 *
 * @example
 * nn.sequential(nn.gru(64, { returnSequences: false }), nn.linear(10))
 */
export function gru(hiddenSize: number, options: WithState<RecurrentOptions>): Layer<RecurrentInput, RecurrentOutput>;
export function gru(hiddenSize: number, options?: RecurrentOptions): Layer;
export function gru(
  hiddenSize: number,
  options: RecurrentOptions = {},
): Layer | Layer<RecurrentInput, RecurrentOutput> {
  return recurrent(GRU, hiddenSize, options) as Layer | Layer<RecurrentInput, RecurrentOutput>;
}

/**
 * h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or its relu, over a sequence: f32[N, T, in] -> f32[N, T, H].
 *
 * Parameters, shapes, state (`{ x, h }` -> `{ output, h }`) and errors are as `lstm`'s with H rows.
 *
 * Source: Elman (1990).
 *
 * @example
 * nn.rnn(32, { nonlinearity: "relu", numLayers: 2 })
 */
export function rnn(hiddenSize: number, options: WithState<RnnOptions>): Layer<RecurrentInput, RecurrentOutput>;
export function rnn(hiddenSize: number, options?: RnnOptions): Layer;
export function rnn(hiddenSize: number, options: RnnOptions = {}): Layer | Layer<RecurrentInput, RecurrentOutput> {
  const { nonlinearity = "tanh" } = options;
  if (nonlinearity !== "tanh" && nonlinearity !== "relu")
    throw new OptionError(`rnn: got nonlinearity ${String(nonlinearity)}; expected tanh or relu.`);
  return recurrent(rnnOf(nonlinearity), hiddenSize, options) as Layer | Layer<RecurrentInput, RecurrentOutput>;
}

function recurrent(kind: Kind, hiddenSize: number, options: RnnOptions): unknown {
  const { numLayers = 1, bidirectional = false, bias = true, dropout = 0 } = options;
  const { batchFirst = true, returnSequences = true, state = false } = options;
  expectCount(kind.kind, "hiddenSize", hiddenSize);
  expectCount(kind.kind, "numLayers", numLayers);
  if (!(dropout >= 0 && dropout <= 1))
    throw new OptionError(`${kind.kind}: got dropout ${dropout}; expected a probability in [0, 1].`);
  if (dropout > 0 && numLayers === 1)
    throw new OptionError(
      `${kind.kind}: got dropout ${dropout} with 1 layer; expected several. Hint: it acts between layers; put nn.dropout after this one.`,
    );
  const directions = bidirectional ? [false, true] : [false];
  const layout = batchFirst ? "N, T" : "T, N";

  const check = (x: Aval, inputs: number | undefined): void => {
    const fits = x.dtype === "f32" && x.shape.length === 3 && (inputs === undefined || x.shape[2] === inputs);
    if (!fits || x.shape[0] === 0 || x.shape[1] === 0)
      throw new ShapeError(
        `${kind.kind}: got ${formatAval(x)}; expected f32[${layout}, ${inputs ?? "in"}]${inputs === undefined ? "" : ` for weight_ih_l0 [${kind.gates * hiddenSize}, ${inputs}]`}.`,
      );
  };

  const init = (key: KeyWords, x: Aval): Weights => {
    check(x, undefined);
    const sampler = uniform({ low: -1 / Math.sqrt(hiddenSize), high: 1 / Math.sqrt(hiddenSize) });
    const rows = kind.gates * hiddenSize;
    const made: Record<string, HostArray> = {};
    const add = (name: string, shape: readonly number[]): void => {
      made[name] = sampler.sample(foldKey(key, name), shape);
    };
    for (let layer = 0; layer < numLayers; layer++)
      for (const reverse of directions) {
        const end = suffix(layer, reverse);
        add(`weight_ih_${end}`, [rows, layer === 0 ? (x.shape[2] as number) : hiddenSize * directions.length]);
        add(`weight_hh_${end}`, [rows, hiddenSize]);
        if (!bias) continue;
        add(`bias_ih_${end}`, [rows]);
        add(`bias_hh_${end}`, [rows]);
      }
    return made;
  };

  const apply = (params: Traced, { x, h, c }: In, ctx: LayerContext): Out => {
    check(x.aval, (params.weight_ih_l0 as Tensor).shape[1]);
    if (kind.kind === "lstm" && (h === undefined) !== (c === undefined))
      throw new ShapeError(`lstm: got ${h ? "h without c" : "c without h"}; expected both, or neither for zeros.`);
    const batch = x.shape[batchFirst ? 0 : 1] as number;
    for (const [name, value] of Object.entries({ h, c })) {
      const wanted: Aval = { dtype: "f32", shape: [numLayers * directions.length, batch, hiddenSize] };
      if (value && formatAval(value.aval) !== formatAval(wanted))
        throw new ShapeError(`${kind.kind}: got ${name} ${formatAval(value.aval)}; expected ${formatAval(wanted)}.`);
    }
    let sequence = batchFirst ? x.swapAxes(0, 1) : x;
    const ran: Ran[] = [];
    for (let layer = 0; layer < numLayers; layer++) {
      if (layer > 0) sequence = drop(sequence, dropout, layer, ctx);
      const both = directions.map((reverse) => {
        const at = ran.length + (reverse ? 1 : 0);
        const state = [h, c].flatMap((each) => (each ? [each.narrow(0, at, 1).squeeze(0)] : []));
        return kind.run({ ...weightsOf(params, suffix(layer, reverse)), x: sequence, state, reverse });
      });
      ran.push(...both);
      sequence = joined(both.map(({ output }) => output));
    }
    const last = ran.slice(-directions.length);
    const output = !returnSequences
      ? joined(last.map((each) => each.h))
      : batchFirst
        ? sequence.swapAxes(0, 1)
        : sequence;
    const cells = ran.flatMap((each) => (each.c ? [each.c] : []));
    return { output, h: stacked(ran.map((each) => each.h)), ...(cells.length > 0 ? { c: stacked(cells) } : {}) };
  };

  const config: { readonly [option: string]: Json | undefined } = { hiddenSize, ...options };
  if (state)
    return defineLayer<Weights, In, Out>({
      kind: kind.kind,
      config,
      init: (key, input) => init(key, input.x as Aval),
      apply: (params, input, ctx) => apply(params as Traced, input, ctx),
    });
  return defineLayer<Weights, Tensor, Tensor>({
    kind: kind.kind,
    config,
    init,
    apply: (params, x, ctx) => apply(params as Traced, { x }, ctx).output,
  });
}

const suffix = (layer: number, reverse: boolean): string => `l${layer}${reverse ? "_reverse" : ""}`;

function weightsOf(params: Traced, end: string): Pick<Steps, "inputWeight" | "weight" | "biases"> {
  return {
    inputWeight: params[`weight_ih_${end}`] as Tensor,
    weight: params[`weight_hh_${end}`] as Tensor,
    biases: ["bias_ih", "bias_hh"].flatMap((name) => params[`${name}_${end}`] ?? []),
  };
}

function drop(x: Tensor, p: number, layer: number, ctx: LayerContext): Tensor {
  if (!ctx.training || p === 0) return x;
  if (p === 1) return x.zerosLike();
  return ctx.key
    .fold(layer)
    .bernoulli(1 - p, x.shape)
    .select(x, 0)
    .mul(1 / (1 - p));
}

/** The last axes one after the other. */
function joined(xs: readonly Tensor[]): Tensor {
  const [first, ...others] = xs as readonly [Tensor, ...Tensor[]];
  return others.length === 0 ? first : first.concat(others, -1);
}

function stacked(xs: readonly Tensor[]): Tensor {
  const [first, ...others] = xs.map((x) => x.unsqueeze(0)) as [Tensor, ...Tensor[]];
  return others.length === 0 ? first : first.concat(others, 0);
}
