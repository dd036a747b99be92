import type { Shape } from "../core/dtype.ts";
import { sizeOf } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import { deferred, HostArray } from "../core/host-array.ts";
import { exp } from "../core/math.ts";
import { foldKey, type KeyWords, normalAt, uniformAt } from "../core/prng.ts";
import { configOf, type LayerConfig } from "./layer.ts";

/**
 * First values for a parameter: a pure function of a key and a shape, computed in doubles by arithmetic of our own, so that
 * every engine gets equal bits.
 */
export interface Initializer {
  readonly config: LayerConfig;
  sample(key: KeyWords, shape: Shape): HostArray;
}

type At = (key: KeyWords, index: number) => number;

function fill(shape: Shape, at: (index: number) => number): HostArray {
  const data = new Float32Array(sizeOf(shape));
  for (let i = 0; i < data.length; i++) data[i] = at(i);
  return new HostArray("f32", shape, data);
}

function elementwise(config: LayerConfig, prepare: (shape: Shape) => At): Initializer {
  return {
    config,
    sample: (key, shape) => {
      const at = prepare(shape);
      // Where saved weights are loaded, or sizes alone are asked for, nobody ever draws.
      return deferred("f32", shape, () => fill(shape, (i) => at(key, i)).data);
    },
  };
}

/**
 * Fan in and fan out as PyTorch computes them: axis 1 and axis 0 times the receptive field (the further axes).
 *
 * @example
 * fans([64, 32, 3, 3]) // -> [288, 576]
 */
export function fans(shape: Shape): readonly [fanIn: number, fanOut: number] {
  const [out, inputs] = shape;
  if (out === undefined || inputs === undefined)
    throw new ShapeError(`init: got shape [${shape}]; expected at least two axes, [out, in, ...], to compute a fan.`);
  const field = sizeOf(shape.slice(2));
  return [inputs * field, out * field];
}

/** All elements `value`. */
export function constant(value: number): Initializer {
  return { config: configOf("constant", { value }), sample: (_key, shape) => fill(shape, () => value) };
}

export function zeros(): Initializer {
  return { config: configOf("zeros", {}), sample: (_key, shape) => fill(shape, () => 0) };
}

export function ones(): Initializer {
  return { config: configOf("ones", {}), sample: (_key, shape) => fill(shape, () => 1) };
}

export type NormalOptions = {
  /** Default 0. */
  readonly mean?: number;
  /** Default 1, as PyTorch's. */
  readonly std?: number;
};

/** Normal with this mean and standard deviation. */
export function normal(options: NormalOptions = {}): Initializer {
  const { mean = 0, std = 1 } = options;
  return elementwise(configOf("normal", options), () => (key, i) => mean + std * normalAt(key, i));
}

export type UniformOptions = {
  /** Default 0. */
  readonly low?: number;
  /** Default 1, as PyTorch's. */
  readonly high?: number;
};

/** Uniform in [low, high). */
export function uniform(options: UniformOptions = {}): Initializer {
  const { low = 0, high = 1 } = options;
  return elementwise(configOf("uniform", options), () => (key, i) => low + (high - low) * uniformAt(key, i));
}

export type TruncatedNormalOptions = NormalOptions & {
  /** Default -2, a value and not a multiple of the deviation, as PyTorch's `a`. */
  readonly low?: number;
  /** Default 2, PyTorch's `b`. */
  readonly high?: number;
};

/**
 * Normal with this mean and standard deviation, cut to [low, high] by rejection, without a correction of the variance.
 *
 * Errors: OptionError when the interval is empty or the deviation is not positive.
 */
export function truncatedNormal(options: TruncatedNormalOptions = {}): Initializer {
  const { mean = 0, std = 1, low = -2, high = 2 } = options;
  if (!(std > 0)) throw new OptionError(`truncatedNormal: got std ${std}; expected a positive number.`);
  if (!(low < high)) throw new OptionError(`truncatedNormal: got low ${low} and high ${high}; expected low < high.`);
  // Beyond 9 deviations past the interval's most likely point the density is below f32's resolution of the sum.
  const peak = Math.min(Math.max(0, (low - mean) / std), (high - mean) / std);
  const from = Math.max((low - mean) / std, peak - 9);
  const to = Math.min((high - mean) / std, peak + 9);
  const at: At = (key, i) => {
    for (let attempt = 0; ; attempt++) {
      const own = foldKey(key, attempt);
      const z = from + (to - from) * uniformAt(own, 2 * i);
      if (uniformAt(own, 2 * i + 1) < exp((peak * peak - z * z) / 2)) return mean + std * z;
    }
  };
  return elementwise(configOf("truncatedNormal", options), () => at);
}

export type HeOptions = {
  /** Which side's variance is kept: of the activations or of the gradients. Default "fanIn". */
  readonly mode?: "fanIn" | "fanOut";
  /** Negative slope of the leaky ReLU that follows; 0 for ReLU. Default 0. */
  readonly slope?: number;
};

const heStd = ({ mode = "fanIn", slope = 0 }: HeOptions, shape: Shape): number =>
  Math.sqrt(2 / ((1 + slope * slope) * fans(shape)[mode === "fanIn" ? 0 : 1]));

/** Normal with std = sqrt(2 / ((1 + slope²) fan)), for layers followed by ReLU. PyTorch's `kaiming_normal_`. Source: He et al. (2015). */
export function heNormal(options: HeOptions = {}): Initializer {
  return elementwise(configOf("heNormal", options), (shape) => scaledNormal(heStd(options, shape)));
}

/** Uniform in ±sqrt(6 / ((1 + slope²) fan)). PyTorch's `kaiming_uniform_`. Source: He et al. (2015). */
export function heUniform(options: HeOptions = {}): Initializer {
  return elementwise(configOf("heUniform", options), (shape) => symmetric(Math.sqrt(3) * heStd(options, shape)));
}

export type GainOptions = {
  /** Multiplies the deviation; 5/3 is usual before tanh. Default 1. */
  readonly gain?: number;
};

const xavierStd = ({ gain = 1 }: GainOptions, shape: Shape): number => {
  const [fanIn, fanOut] = fans(shape);
  return gain * Math.sqrt(2 / (fanIn + fanOut));
};

/** Normal with std = gain sqrt(2 / (fanIn + fanOut)). Source: Glorot and Bengio (2010). */
export function xavierNormal(options: GainOptions = {}): Initializer {
  return elementwise(configOf("xavierNormal", options), (shape) => scaledNormal(xavierStd(options, shape)));
}

/** Uniform in ±gain sqrt(6 / (fanIn + fanOut)). Source: Glorot and Bengio (2010). */
export function xavierUniform(options: GainOptions = {}): Initializer {
  return elementwise(configOf("xavierUniform", options), (shape) =>
    symmetric(Math.sqrt(3) * xavierStd(options, shape)),
  );
}

/** Normal with std = sqrt(1 / fanIn); not truncated, unlike jax's and Keras's. Source: LeCun et al., "Efficient backprop" (1998). */
export function lecunNormal(): Initializer {
  return elementwise(configOf("lecunNormal", {}), (shape) => scaledNormal(Math.sqrt(1 / fans(shape)[0])));
}

/** Uniform in ±sqrt(3 / fanIn). Source: LeCun et al., "Efficient backprop" (1998). */
export function lecunUniform(): Initializer {
  return elementwise(configOf("lecunUniform", {}), (shape) => symmetric(Math.sqrt(3 / fans(shape)[0])));
}

const scaledNormal =
  (std: number): At =>
  (key, i) =>
    std * normalAt(key, i);

const symmetric =
  (bound: number): At =>
  (key, i) =>
    bound * (2 * uniformAt(key, i) - 1);

/**
 * A random orthogonal matrix times `gain`: rows orthonormal where there are at most as many as columns (the axes from 1 on
 * merged), else columns. The Q factor of a normal matrix with R's diagonal positive, as PyTorch's.
 * Source: Saxe, McClelland and Ganguli (2013).
 */
export function orthogonal(options: GainOptions = {}): Initializer {
  const { gain = 1 } = options;
  return {
    config: configOf("orthogonal", options),
    sample: (key, shape) => {
      const rows = shape[0] ?? 0;
      if (shape.length < 2 || rows === 0)
        throw new ShapeError(`orthogonal: got shape [${shape}]; expected at least two axes of size 1 or more.`);
      const columns = sizeOf(shape) / rows;
      const [count, length] = rows <= columns ? [rows, columns] : [columns, rows];
      const vectors = orthonormal(count, length, (i) => normalAt(key, i));
      return fill(shape, (i) => {
        const row = Math.floor(i / columns);
        const column = i % columns;
        return gain * ((rows <= columns ? vectors[row]?.[column] : vectors[column]?.[row]) ?? 0);
      });
    },
  };
}

/** Gram and Schmidt, each vector projected twice ("twice is enough": orthogonal to double precision). */
function orthonormal(count: number, length: number, at: (index: number) => number): Float64Array[] {
  const vectors: Float64Array[] = [];
  for (let i = 0; i < count; i++) {
    const vector = Float64Array.from({ length }, (_, j) => at(i * length + j));
    for (let pass = 0; pass < 2; pass++)
      for (const other of vectors) {
        const along = dot(vector, other);
        for (let j = 0; j < length; j++) vector[j] = (vector[j] as number) - along * (other[j] as number);
      }
    const norm = Math.sqrt(dot(vector, vector));
    vectors.push(vector.map((x) => x / norm));
  }
  return vectors;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

/** PyTorch's default for the weights of linear and convolution layers: uniform in ±1/sqrt(fanIn), written there as kaiming uniform with a = sqrt(5). */
export const defaultWeight: Initializer = heUniform({ slope: Math.sqrt(5) });

/** PyTorch's default for their biases: uniform in ±1/sqrt(fanIn) of the weight. */
export function defaultBias(weightShape: Shape): Initializer {
  const bound = 1 / Math.sqrt(fans(weightShape)[0]);
  return uniform({ low: -bound, high: bound });
}
