import { formatAval } from "../core/dtype.ts";
import { ShapeError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import { foldKey } from "../core/prng.ts";
import type { Tensor } from "../ops/tensor.ts";
import { defineLayer } from "./define-layer.ts";
import { defaultBias, defaultWeight, type Initializer } from "./init.ts";
import { expectCount, expectF32, type Layer } from "./layer.ts";

export type LinearOptions = {
  /** Default true. */
  readonly bias?: boolean;
  /** Checked against the input's last axis. Default: whatever comes; needed to act on the last axis of rank 4 or more. */
  readonly inFeatures?: number;
  /** Default: PyTorch's, uniform in ±1/sqrt(inFeatures). */
  readonly weightInit?: Initializer;
  /** Default: PyTorch's, uniform in ±1/sqrt(inFeatures). */
  readonly biasInit?: Initializer;
};

type LinearParams = { readonly weight: HostArray; readonly bias?: HostArray };

/**
 * y = x weightᵀ + bias on the last axis: f32[N, ..., in] -> f32[N, ..., out]; weight [out, in], bias [out].
 *
 * The number of inputs is taken from the data. An input of rank 4 or more, usually images that lack a `flatten`, is refused
 * unless `inFeatures` is given; PyTorch takes it.
 *
 * Errors: ShapeError when the last axis is not `weight`'s.
 *
 * @example
 * nn.model(nn.linear(10)).init(1, { dtype: "f32", shape: [32, 784] }).output.shape // -> [32, 10]
 */
export function linear(outFeatures: number, options: LinearOptions = {}): Layer {
  expectCount("linear", "outFeatures", outFeatures);
  const { bias = true, inFeatures, weightInit = defaultWeight, biasInit } = options;
  return defineLayer<LinearParams, Tensor, Tensor>({
    kind: "linear",
    config: {
      outFeatures,
      bias: options.bias,
      inFeatures,
      weightInit: options.weightInit?.config,
      biasInit: biasInit?.config,
    },
    init(key, input) {
      const { shape } = input;
      expectF32("linear", input, undefined, "f32");
      const columns = shape.at(-1);
      if (columns === undefined) throw new ShapeError(`linear: got ${formatAval(input)}; expected f32[N, in].`);
      if (inFeatures === undefined && shape.length > 3)
        throw new ShapeError(
          `linear: got ${formatAval(input)}; expected f32[N, in]. Hint: put nn.flatten() before it, or give inFeatures to act on the last axis.`,
        );
      if (inFeatures !== undefined && inFeatures !== columns)
        throw new ShapeError(`linear: got ${formatAval(input)}; expected f32[N, ${inFeatures}].`);
      const weight = weightInit.sample(foldKey(key, "weight"), [outFeatures, columns]);
      if (!bias) return { weight };
      const init = biasInit ?? defaultBias(weight.shape);
      return { weight, bias: init.sample(foldKey(key, "bias"), [outFeatures]) };
    },
    apply({ weight, bias: offset }, x) {
      const columns = weight.shape[1] as number;
      if (x.dtype !== "f32" || x.shape.at(-1) !== columns)
        throw new ShapeError(
          `linear: got ${formatAval(x.aval)}; expected f32[N, ${columns}] for the weight ${formatAval(weight.aval)}.`,
        );
      const y = x.matmul(weight.transpose());
      return offset ? y.add(offset) : y;
    },
  });
}
