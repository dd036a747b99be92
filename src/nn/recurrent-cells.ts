import { type Aval, formatAval } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import { foldKey, type KeyWords } from "../core/prng.ts";
import type { Tensor } from "../ops/tensor.ts";
import { defineLayer } from "./define-layer.ts";
import { uniform } from "./init.ts";
import { expectCount, type Layer } from "./layer.ts";
import type { LstmInput, RecurrentInput } from "./recurrent.ts";
import type { Nonlinearity } from "./recurrent-steps.ts";

export type CellOptions = {
  /** Default true. */
  readonly bias?: boolean;
};

export type RnnCellOptions = CellOptions & {
  /** Default "tanh". */
  readonly nonlinearity?: Nonlinearity;
};

export type LstmState = { readonly h: Tensor; readonly c: Tensor };

type Weights = {
  readonly weight_ih: HostArray;
  readonly weight_hh: HostArray;
  readonly bias_ih?: HostArray;
  readonly bias_hh?: HostArray;
};
type Traced = {
  readonly weight_ih: Tensor;
  readonly weight_hh: Tensor;
  readonly bias_ih?: Tensor;
  readonly bias_hh?: Tensor;
};

function initOf(kind: string, gates: number, hiddenSize: number, bias: boolean) {
  return (key: KeyWords, input: { readonly x: Aval }): Weights => {
    const { x } = input;
    if (x.dtype !== "f32" || x.shape.length !== 2)
      throw new ShapeError(`${kind}: got ${formatAval(x)}; expected f32[N, in].`);
    const sampler = uniform({ low: -1 / Math.sqrt(hiddenSize), high: 1 / Math.sqrt(hiddenSize) });
    const sample = (name: string, ...shape: readonly number[]): HostArray => sampler.sample(foldKey(key, name), shape);
    const rows = gates * hiddenSize;
    const weights = {
      weight_ih: sample("weight_ih", rows, x.shape[1] as number),
      weight_hh: sample("weight_hh", rows, hiddenSize),
    };
    return bias ? { ...weights, bias_ih: sample("bias_ih", rows), bias_hh: sample("bias_hh", rows) } : weights;
  };
}

/** What the input and the state give to each gate, f32[N, H] each. */
function gatesOf(
  kind: string,
  count: number,
  params: Traced,
  x: Tensor,
  h: Tensor,
): readonly [fromInput: Tensor[], fromState: Tensor[]] {
  const split = (all: Tensor): Tensor[] => {
    const size = (all.shape[1] as number) / count;
    return Array.from({ length: count }, (_, i) => all.narrow(1, i * size, size));
  };
  const inputs = params.weight_ih.shape[1] as number;
  if (x.dtype !== "f32" || x.rank !== 2 || x.shape[1] !== inputs)
    throw new ShapeError(
      `${kind}: got ${formatAval(x.aval)}; expected f32[N, ${inputs}] for weight_ih [${params.weight_ih.shape}].`,
    );
  const fromInput = x.matmul(params.weight_ih.transpose());
  const fromState = h.matmul(params.weight_hh.transpose());
  return [
    split(params.bias_ih ? fromInput.add(params.bias_ih) : fromInput),
    split(params.bias_hh ? fromState.add(params.bias_hh) : fromState),
  ];
}

function stateOf(kind: string, name: string, x: Tensor, state: Tensor | undefined, hiddenSize: number): Tensor {
  const shape = [x.shape[0] as number, hiddenSize];
  if (!state) return x.full(0, shape);
  const wanted = formatAval({ dtype: "f32", shape });
  if (formatAval(state.aval) !== wanted)
    throw new ShapeError(`${kind}: got ${name} ${formatAval(state.aval)}; expected ${wanted}.`);
  return state;
}

/**
 * One step of `lstm`: `{ x: f32[N, in], h: f32[N, H], c: f32[N, H] }` -> `{ h, c }`; h and c are zeros where left out.
 *
 * Parameters are PyTorch's: `weight_ih` [4 H, in], `weight_hh` [4 H, H], `bias_ih`, `bias_hh` [4 H], uniform in ±1/sqrt(H).
 *
 * Errors: ShapeError when the input or the state does not fit.
 *
 * @example
 * const cell = nn.lstmCell(8); // inside `nn.compose` or `scan`: const { h, c } = cell({ x, ...state });
 */
export function lstmCell(hiddenSize: number, options: CellOptions = {}): Layer<LstmInput, LstmState> {
  expectCount("lstmCell", "hiddenSize", hiddenSize);
  return defineLayer<Weights, LstmInput, LstmState>({
    kind: "lstmCell",
    config: { hiddenSize, ...options },
    init: (key, input) => initOf("lstmCell", 4, hiddenSize, options.bias ?? true)(key, { x: input.x as Aval }),
    apply(params, { x, h, c }) {
      const state = stateOf("lstmCell", "h", x, h, hiddenSize);
      const cell = stateOf("lstmCell", "c", x, c, hiddenSize);
      const [a, b] = gatesOf("lstmCell", 4, params as Traced, x, state);
      const [i, f, g, o] = a.map((each, k) => each.add(b[k] as Tensor)) as [Tensor, Tensor, Tensor, Tensor];
      const next = f.sigmoid().mul(cell).add(i.sigmoid().mul(g.tanh()));
      return { h: o.sigmoid().mul(next.tanh()), c: next };
    },
  });
}

/**
 * One step of `gru`: `{ x: f32[N, in], h: f32[N, H] }` -> f32[N, H]; h is zeros where left out. Parameters as `lstmCell`'s,
 * with 3 H rows.
 */
export function gruCell(hiddenSize: number, options: CellOptions = {}): Layer<RecurrentInput, Tensor> {
  expectCount("gruCell", "hiddenSize", hiddenSize);
  return defineLayer<Weights, RecurrentInput, Tensor>({
    kind: "gruCell",
    config: { hiddenSize, ...options },
    init: (key, input) => initOf("gruCell", 3, hiddenSize, options.bias ?? true)(key, { x: input.x as Aval }),
    apply(params, { x, h }) {
      const state = stateOf("gruCell", "h", x, h, hiddenSize);
      const [a, b] = gatesOf("gruCell", 3, params as Traced, x, state);
      const [xr, xz, xn] = a as [Tensor, Tensor, Tensor];
      const [hr, hz, hn] = b as [Tensor, Tensor, Tensor];
      const [r, z] = [xr.add(hr).sigmoid(), xz.add(hz).sigmoid()];
      const n = xn.add(r.mul(hn)).tanh();
      return z.rsub(1).mul(n).add(z.mul(state));
    },
  });
}

/**
 * One step of `rnn`: `{ x: f32[N, in], h: f32[N, H] }` -> f32[N, H]; h is zeros where left out. Parameters as `lstmCell`'s,
 * with H rows.
 */
export function rnnCell(hiddenSize: number, options: RnnCellOptions = {}): Layer<RecurrentInput, Tensor> {
  const { nonlinearity = "tanh", bias = true } = options;
  expectCount("rnnCell", "hiddenSize", hiddenSize);
  if (nonlinearity !== "tanh" && nonlinearity !== "relu")
    throw new OptionError(`rnnCell: got nonlinearity ${String(nonlinearity)}; expected tanh or relu.`);
  return defineLayer<Weights, RecurrentInput, Tensor>({
    kind: "rnnCell",
    config: { hiddenSize, ...options },
    init: (key, input) => initOf("rnnCell", 1, hiddenSize, bias)(key, { x: input.x as Aval }),
    apply(params, { x, h }) {
      const [[a], [b]] = gatesOf("rnnCell", 1, params as Traced, x, stateOf("rnnCell", "h", x, h, hiddenSize));
      const z = (a as Tensor).add(b as Tensor);
      return nonlinearity === "relu" ? z.relu() : z.tanh();
    },
  });
}
