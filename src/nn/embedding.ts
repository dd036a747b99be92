import { formatAval, type Shape } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import { HostArray } from "../core/host-array.ts";
import { foldKey, type KeyWords } from "../core/prng.ts";
import type { Tensor } from "../ops/tensor.ts";
import { defineLayer } from "./define-layer.ts";
import { type Initializer, normal } from "./init.ts";
import { expectCount, type Layer } from "./layer.ts";

export type EmbeddingOptions = {
  /** This index stands for nothing: its row starts at 0 and gets no gradient. Negative ones count from the end. Default: none. */
  readonly paddingIndex?: number;
  /** Default: PyTorch's, normal with mean 0 and deviation 1. */
  readonly weightInit?: Initializer;
};

type EmbeddingParams = { readonly weight: HostArray };

/**
 * Row i of a learned table for each index i: i32[N, ...] -> f32[N, ..., dim]; `weight` [numEmbeddings, dim]. Bytes (u8) are
 * indices too.
 *
 * `fit` and `evaluate` check indices in the data and name the first one out of range (DataError). Elsewhere, since a compiled step
 * cannot throw as PyTorch does, such an index gives a row of NaN without a gradient, never a neighbour's row.
 *
 * Errors: OptionError when `paddingIndex` is no index of the table; ShapeError when the input is not i32 or u8.
 *
 * @example
 * nn.model(nn.embedding(256, 64)).init(1, { dtype: "i32", shape: [8, 32] }).output.shape // -> [8, 32, 64]
 */
export function embedding(numEmbeddings: number, dim: number, options: EmbeddingOptions = {}): Layer {
  const table = tableOf("embedding", numEmbeddings, dim, options);
  return defineLayer<EmbeddingParams, Tensor, Tensor>({
    kind: "embedding",
    config: table.config,
    init: table.init,
    apply({ weight }, x) {
      const indices = expectIndices("embedding", x, x.rank >= 1, "i32[N, ...]");
      return rowsOf(weight, indices, table.padding);
    },
  });
}

export type BagMode = "mean" | "sum" | "max";

export const BAG_MODES: readonly BagMode[] = ["mean", "sum", "max"];

export type EmbeddingBagOptions = EmbeddingOptions & {
  /** What becomes of a bag's rows. Default "mean", as PyTorch. */
  readonly mode?: BagMode;
};

/**
 * The mean, sum or maximum of the rows of each bag of indices: i32[N, L] -> f32[N, dim]; `weight` [numEmbeddings, dim].
 *
 * Entries of `paddingIndex` are left out, also of the mean's count, so that bags of different sizes fit one array; a bag of
 * nothing else is 0. Of equal values the first takes the maximum's gradient. Indices out of range as `embedding`.
 *
 * Errors: OptionError when `paddingIndex` is no index of the table; ShapeError when the input is not i32 or u8 [N, L].
 */
export function embeddingBag(numEmbeddings: number, dim: number, options: EmbeddingBagOptions = {}): Layer {
  const table = tableOf("embeddingBag", numEmbeddings, dim, options);
  const { mode = "mean" } = options;
  const { padding } = table;
  return defineLayer<EmbeddingParams, Tensor, Tensor>({
    kind: "embeddingBag",
    config: { ...table.config, mode: options.mode },
    init: table.init,
    apply({ weight }, x) {
      const indices = expectIndices("embeddingBag", x, x.rank === 2, "i32[N, L]");
      const rows = rowsOf(weight, indices, padding);
      const taken = padding === undefined ? undefined : indices.notEqual(padding).unsqueeze(-1);
      if (mode === "max") {
        const candidates = taken ? taken.select(rows, Number.NEGATIVE_INFINITY) : rows;
        const first = rows.iota(rows.shape, 1).equal(candidates.argmax(1).unsqueeze(1));
        const chosen = taken ? first.and(taken.broadcastTo(rows.shape)) : first;
        return chosen.select(rows, 0).sum(1);
      }
      const sum = (taken ? taken.select(rows, 0) : rows).sum(1);
      if (mode === "sum") return sum;
      return taken ? sum.div(taken.cast("f32").sum(1).maximum(1)) : sum.mul(1 / (x.shape[1] as number));
    },
  });
}

type Table = {
  readonly config: { readonly [option: string]: number | Initializer["config"] | undefined };
  readonly padding: number | undefined;
  init(key: KeyWords): EmbeddingParams;
};

function tableOf(kind: string, numEmbeddings: number, dim: number, options: EmbeddingOptions): Table {
  expectCount(kind, "numEmbeddings", numEmbeddings);
  expectCount(kind, "dim", dim);
  const { paddingIndex, weightInit = normal() } = options;
  if (
    paddingIndex !== undefined &&
    !(Number.isInteger(paddingIndex) && paddingIndex >= -numEmbeddings && paddingIndex < numEmbeddings)
  )
    throw new OptionError(
      `${kind}: got paddingIndex ${paddingIndex}; expected an integer in [${-numEmbeddings}, ${numEmbeddings - 1}].`,
    );
  const padding = paddingIndex !== undefined && paddingIndex < 0 ? paddingIndex + numEmbeddings : paddingIndex;
  return {
    config: { numEmbeddings, dim, paddingIndex, weightInit: options.weightInit?.config },
    padding,
    init(key) {
      const shape: Shape = [numEmbeddings, dim];
      const weight = weightInit.sample(foldKey(key, "weight"), shape);
      if (padding === undefined) return { weight };
      const data = Float32Array.from(weight.data);
      data.fill(0, padding * dim, (padding + 1) * dim);
      return { weight: new HostArray("f32", shape, data) };
    },
  };
}

function expectIndices(kind: string, x: Tensor, fits: boolean, expected: string): Tensor {
  if (!fits || (x.dtype !== "i32" && x.dtype !== "u8"))
    throw new ShapeError(`${kind}: got ${formatAval(x.aval)}; expected indices ${expected}.`);
  return x.cast("i32");
}

function rowsOf(weight: Tensor, indices: Tensor, padding: number | undefined): Tensor {
  const rows = weight.gather(indices);
  const known = indices
    .greaterEqual(0)
    .and(indices.less(weight.shape[0] as number))
    .unsqueeze(-1);
  const checked = known.select(rows, Number.NaN);
  return padding === undefined ? checked : indices.equal(padding).unsqueeze(-1).select(rows.stopGradient(), checked);
}
