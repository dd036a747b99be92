import { ShapeError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import { keyOf } from "../core/prng.ts";
import { leavesOf, mapTree, type Tree } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import type { TensorTree } from "../trace/grad.ts";
import type { Key } from "../trace/random.ts";
import { applyLayer } from "./context.ts";
import { outputOf } from "./define-layer.ts";
import { type AvalsOf, initLayer, type Layer, type LayerConfig, type LayerInit } from "./layer.ts";
import { type LoadedState, type LoadStateOptions, loadStateDict, type StateDict, withTies } from "./state-dict.ts";
import { type SummaryRow, summaryRows, summaryTable } from "./summary.ts";

export type PassOptions = {
  /** Whether batch norm uses its batch and dropout drops. Default false. */
  readonly training?: boolean;
  /** Needed where a layer draws random numbers. Fold the step into it. */
  readonly key?: Key | undefined;
  /** Instead of each norm layer's own momentum, f32[]: 1 / n at the nth batch gives plain means. */
  readonly statisticsMomentum?: Tensor | undefined;
};

/**
 * A layer as a whole: parameters and buffers apart, every forward pass a pure function of them.
 *
 * @example
 * const net = nn.model(nn.sequential(nn.linear(8), nn.batchNorm()));
 * const { params, buffers } = net.init(1, { dtype: "f32", shape: [32, 4] });
 * // inside a trace: const [y, newBuffers] = net.apply(params, buffers, x, { training: true, key });
 */
export class Model<In extends TensorTree = Tensor, Out extends TensorTree = Tensor> {
  readonly layer: Layer<In, Out>;

  constructor(layer: Layer<In, Out>) {
    this.layer = layer;
  }

  /** The architecture as JSON data, for `modelFromConfig`. */
  get config(): LayerConfig {
    return this.layer.config;
  }

  /** First values and the output's type, for inputs of this type. The same seed gives the same bits on every machine. */
  init(seed: number, input: AvalsOf<In>): LayerInit<Out> {
    return initLayer(this.layer, keyOf(seed), input);
  }

  /** The output and the buffers after this pass (the same tree; unchanged leaves are the given tensors). */
  apply(
    params: TensorTree,
    buffers: TensorTree,
    x: In,
    options: PassOptions = {},
  ): readonly [output: Out, buffers: TensorTree] {
    const { kind } = this.layer.config;
    const values = new Map(leavesOf(buffers, kind));
    const { training = false, key, statisticsMomentum } = options;
    const pass = { training, key, buffers: values, ...(statisticsMomentum && { statisticsMomentum }) };
    const output = applyLayer(pass, this.layer, params, x);
    return [output, mapTree(buffers, (old, path) => values.get(path) ?? old, kind)];
  }

  /** The type of the output for inputs of this type, by tracing alone. */
  outputOf(params: Tree<HostArray>, buffers: Tree<HostArray>, input: AvalsOf<In>): AvalsOf<Out> {
    return outputOf(this.layer, params, buffers, input);
  }

  /** Parameters and buffers under PyTorch's flat names: `0.weight`, `1.running_mean`. Tied parameters stand under each name. */
  stateDict(params: Tree<HostArray>, buffers: Tree<HostArray>): Record<string, HostArray> {
    return withTies(Object.fromEntries([...leavesOf(params), ...leavesOf(buffers)]), this.layer.ties);
  }

  /**
   * The trees from flat names, for inputs of this type, and what was missing or left over. With `strict: false` what does
   * not fit keeps its first value, drawn from `seed` (default 0).
   *
   * Errors: DataError that lists every name that is missing or left over, and every other shape or dtype, unless `strict`
   * is false.
   *
   * @example
   * const { params, buffers } = nn.model(nn.resnet18()).fromStateDict(decodeSafetensors(bytes).tensors, images);
   */
  fromStateDict(
    state: StateDict,
    input: AvalsOf<In>,
    options: LoadStateOptions & { readonly seed?: number } = {},
  ): LoadedState {
    const { params, buffers } = this.init(options.seed ?? 0, input);
    return loadStateDict({ params, buffers, ties: this.layer.ties }, state, options);
  }

  /**
   * A table at most 80 columns wide: for each layer its output's type, parameters, floating-point operations of the forward pass
   * (2 for a multiply-add of a product, 1 for any other operation on an element) and bytes of its output. `peakBytes`, the memory
   * of a compiled step, is shown where it is given; `summarize` compiles one to find it.
   */
  summary(input: AvalsOf<In>, options: { readonly peakBytes?: number } = {}): string {
    const { params, buffers } = this.init(0, input);
    const { kind } = this.config;
    const rows: SummaryRow[] = [];
    outputOf(this.layer, params, buffers, input, kind, (equations) => summaryRows(rows, equations));
    return summaryTable(rows, leavesOf(params, kind), leavesOf(buffers), options.peakBytes);
  }
}

/** A layer as a model; a model stays what it is. */
export function model<In extends TensorTree, Out extends TensorTree>(
  layer: Layer<In, Out> | Model<In, Out>,
): Model<In, Out> {
  if (layer instanceof Model) return layer;
  if (typeof layer !== "object" || layer === null || typeof layer.apply !== "function")
    throw new ShapeError(`model: got ${typeof layer}; expected a layer, such as nn.sequential(...).`);
  return new Model(layer);
}
