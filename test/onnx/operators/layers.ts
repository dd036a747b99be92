import { normalizeAxis } from "../../../src/core/dtype.ts";
import { applyLayer } from "../../../src/nn/context.ts";
import * as nn from "../../../src/nn/index.ts";
import type { Layer } from "../../../src/nn/layer.ts";
import type { Tensor } from "../../../src/ops/tensor.ts";
import type { TensorTree } from "../../../src/trace/grad.ts";
import { type Call, Unsupported } from "../call.ts";
import type { Operators } from "./operator.ts";

/** The layer's value with these parameters. */
export function applied<In extends TensorTree, Out extends TensorTree>(
  layer: Layer<In, Out>,
  params: Readonly<Record<string, Tensor>>,
  x: In,
): Out {
  return applyLayer({ training: false, key: undefined, buffers: new Map() }, layer, params, x);
}

/** Running values that a training pass gives are ONNX's share of the old ones, and of the batch's biased variance. */
function batchNorm(call: Call): (Tensor | undefined)[] {
  const [x, weight, bias, mean, variance] = [0, 1, 2, 3, 4].map((i) => call.tensor(i)) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const training = call.flag("training_mode");
  const momentum = call.attribute("momentum", 0.9);
  const layer = nn.batchNorm({ eps: call.attribute("epsilon", 1e-5), momentum: 1 - momentum });
  const at = (name: string): string => `batchNorm.${name}`;
  const buffers = new Map([
    [at("running_mean"), mean],
    [at("running_var"), variance],
    [at("num_batches_tracked"), call.integers([0], [])],
  ]);
  const y = applyLayer({ training, key: undefined, buffers }, layer, { weight, bias }, x, "batchNorm");
  if (!training) return [y];
  const count = x.shape.reduce((n, size, axis) => (axis === 1 ? n : n * size), 1);
  const kept = variance.mul(momentum);
  const unbiased = buffers.get(at("running_var")) as Tensor;
  return [
    y,
    buffers.get(at("running_mean")),
    unbiased
      .sub(kept)
      .mul((count - 1) / count)
      .add(kept),
  ];
}

function globalAveragePool(call: Call): Tensor {
  const x = call.tensor(0);
  if (x.rank !== 4) throw new Unsupported(`windows over ${x.rank - 2} axes`);
  return applied(nn.globalAvgPool2d({ keepDims: true }), {}, x);
}

function instanceNorm(call: Call): Tensor {
  const layer = nn.instanceNorm({ affine: true, eps: call.attribute("epsilon", 1e-5) });
  return applied(layer, { weight: call.tensor(1), bias: call.tensor(2) }, call.tensor(0));
}

function localResponseNorm(call: Call): Tensor {
  const size = call.attribute("size", 1);
  if (size % 2 === 0) throw new Unsupported("channels of which more lie after than before");
  const [alpha, beta] = [call.attribute("alpha", 1e-4), call.attribute("beta", 0.75)];
  return applied(nn.localResponseNorm(size, { alpha, beta, k: call.attribute("bias", 1) }), {}, call.tensor(0));
}

function meanVarianceNorm(call: Call): Tensor {
  const x = call.tensor(0);
  const axes = call.list("axes") ?? [0, 2, 3];
  const deviation = x.variance(axes, { keepDims: true }).sqrt();
  return x.sub(x.mean(axes, { keepDims: true })).div(deviation.add(1e-9));
}

/** An output element's place among the inputs': which of ONNX's rules are ours. */
function checkPlaces(call: Call, x: Tensor, factors: readonly number[], sizes: readonly number[] | undefined): void {
  const mode = call.text("mode", "nearest");
  const places = call.text(
    "coordinate_transformation_mode",
    call.node.operator === "Upsample" ? "asymmetric" : "half_pixel",
  );
  const rounding = call.text("nearest_mode", call.node.operator === "Upsample" ? "floor" : "round_prefer_floor");
  const whole = factors.every((factor) => Number.isInteger(factor));
  const floors = places === "asymmetric" && rounding === "floor";
  const halves = whole && places === "half_pixel" && rounding === "round_prefer_floor";
  if (mode === "nearest" && !floors && !halves)
    throw new Unsupported("nearest elements by another rule than the floor");
  if (mode === "linear" && !["half_pixel", "align_corners", "pytorch_half_pixel"].includes(places))
    throw new Unsupported(`places of elements by ${places}`);
  if (mode === "linear" && places === "pytorch_half_pixel" && sizes?.includes(1))
    throw new Unsupported("the first element where one is left; PyTorch takes the middle");
  if (places === "align_corners" && factors.some((factor, i) => !Number.isInteger((x.shape[i] as number) * factor)))
    throw new Unsupported("corners of a size that is not whole");
  if (mode === "cubic") throw new Unsupported("cubic interpolation");
  if (x.rank !== 4 || factors[0] !== 1 || factors[1] !== 1)
    throw new Unsupported("resizing other axes than an image's");
}

function resize(call: Call): Tensor {
  const x = call.tensor(0);
  const at = call.node.operator === "Upsample" ? 1 : 2;
  const sizes = call.knownList(3);
  const given = call.knownList(at) ?? [];
  const factors = sizes ? sizes.map((size, i) => size / (x.shape[i] as number)) : given;
  checkPlaces(call, x, factors, sizes);
  const alignCorners = call.text("coordinate_transformation_mode", "half_pixel") === "align_corners";
  const to = sizes ? { size: sizes.slice(2) } : { scaleFactor: factors.slice(2) };
  const mode = call.text("mode", "nearest") === "nearest" ? "nearest" : "bilinear";
  return applied(nn.upsample({ ...to, mode, alignCorners }), {}, x);
}

/** Without training, or where nothing is dropped, the value itself and a mask of ones. */
function dropout(call: Call): Tensor[] {
  const x = call.tensor(0);
  const training = call.knownNumber(2, 0) !== 0;
  const ratio = call.knownNumber(1, call.attribute("ratio", 0.5));
  if (training && ratio > 0) throw new Unsupported("random values of another generator");
  return [applied(nn.dropout(ratio), {}, x), x.full(1, x.shape, "bool")];
}

function layerNorm(call: Call): Tensor[] {
  const x = call.tensor(0);
  const axis = normalizeAxis("LayerNormalization", call.attribute("axis", -1), x.rank);
  const eps = call.attribute("epsilon", 1e-5);
  const layer = nn.layerNorm({ normalizedShape: x.shape.slice(axis), eps, bias: call.has(2) });
  const bias = call.optional(2);
  const y = applied(layer, { weight: call.tensor(1), ...(bias ? { bias } : {}) }, x);
  const axes = x.shape.flatMap((_, i) => (i < axis ? [] : [i]));
  return [y, x.mean(axes, { keepDims: true }), x.variance(axes, { keepDims: true }).add(eps).rsqrt()];
}

export const layerOperators: Operators = {
  BatchNormalization: batchNorm,
  LayerNormalization: layerNorm,
  InstanceNormalization: instanceNorm,
  LRN: localResponseNorm,
  MeanVarianceNormalization: meanVarianceNorm,
  GlobalAveragePool: globalAveragePool,
  Resize: resize,
  Upsample: resize,
  Dropout: dropout,
  Softmax: (call) => call.tensor(0).softmax(call.attribute("axis", -1)),
  LogSoftmax: (call) => call.tensor(0).logSoftmax(call.attribute("axis", -1)),
  Hardmax: (call) => {
    const x = call.tensor(0);
    const axis = call.attribute("axis", -1);
    const at = axis < 0 ? axis + x.rank : axis;
    return x.iota(x.shape, at).equal(x.argmax(at).unsqueeze(at)).cast("f32");
  },
};
