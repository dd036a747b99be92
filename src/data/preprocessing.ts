import { DataError } from "../core/errors.ts";
import { HostArray } from "../core/host-array.ts";

/**
 * What happens to an input before the model sees it. Data, not code: it is compiled into the step, saved with the run and
 * applied again by `predict`, so that training and use cannot differ.
 *
 * - `none`: the values as f32.
 * - `standardize`: (x scale - mean[c]) / std[c], c along the axis after the batch's; one mean and std serve all channels.
 */
export type Preprocessing =
  | { readonly kind: "none" }
  | {
      readonly kind: "standardize";
      readonly scale: number;
      readonly mean: readonly number[];
      readonly std: readonly number[];
    };

const isNumbers = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.length > 0 && value.every((x) => Number.isFinite(x));

/**
 * Checks a preprocessing that came from JSON. `where` names the file in errors. Throws DataError.
 *
 * @example
 * readPreprocessing({ kind: "none" }, "run.json") // -> { kind: "none" }
 */
export function readPreprocessing(value: unknown, where: string): Preprocessing {
  const fields = typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
  const { kind, scale, mean, std } = fields;
  if (kind === "none") return { kind };
  const good =
    kind === "standardize" &&
    Number.isFinite(scale) &&
    isNumbers(mean) &&
    isNumbers(std) &&
    mean.length === std.length &&
    std.every((x) => x > 0);
  if (!good)
    throw new DataError(
      `preprocessing: ${where} has ${JSON.stringify(value)}; expected { kind: "none" } or { kind: "standardize", scale, mean, std } with as many means as standard deviations, each of these above 0.`,
      where,
    );
  return { kind, scale: scale as number, mean, std };
}

/** Channels of inputs [N, C, ...]: C, or 1 where an input is a single number. */
function channelsOf(inputs: HostArray): number {
  return inputs.shape[1] ?? 1;
}

/** Throws DataError when the means are neither one nor as many as the inputs [N, C, ...] have channels. */
export function checkPreprocessing(preprocessing: Preprocessing, inputs: HostArray, name: string): void {
  readPreprocessing(preprocessing, name);
  if (preprocessing.kind === "none") return;
  const { length } = preprocessing.mean;
  const channels = channelsOf(inputs);
  if (length !== 1 && length !== channels)
    throw new DataError(
      `preprocessing: ${name} has ${length} means for inputs [${inputs.shape}]; expected 1 or ${channels}.`,
      name,
    );
}

/**
 * Inputs [N, C, ...] as the model sees them, f32; each element is computed in double precision and rounded once.
 * What the compiled step does to a batch, on the host. Throws DataError when the channels do not fit.
 *
 * @example
 * const half = { kind: "standardize", scale: 1, mean: [0.5], std: [0.5] } as const;
 * preprocess(half, array([[0, 1]])).data // -> Float32Array [-1, 1]
 */
export function preprocess(preprocessing: Preprocessing, inputs: HostArray): HostArray {
  checkPreprocessing(preprocessing, inputs, "inputs");
  const { data, shape } = inputs;
  if (preprocessing.kind === "none") return new HostArray("f32", shape, Float32Array.from(data));
  const { scale, mean, std } = preprocessing;
  const out = new Float32Array(data.length);
  const channels = mean.length;
  const inner = shape.slice(2).reduce((total, size) => total * size, 1);
  for (let i = 0; i < out.length; i++) {
    const channel = channels === 1 ? 0 : Math.floor(i / inner) % channels;
    out[i] = ((data[i] as number) * scale - (mean[channel] as number)) / (std[channel] as number);
  }
  return new HostArray("f32", shape, out);
}

/**
 * The standardization that gives inputs [N, C, ...] mean 0 and standard deviation 1 in each channel, measured over all N.
 * `scale` is 1/255 for u8 and 1 for f32; a channel that never changes keeps its values (std 1).
 * Inputs without a channel axis, [N, F], get one mean and std for all features.
 *
 * Measure on training data only: a test set must not shape what the model sees.
 *
 * @example
 * measureStandardization(array([[1], [3]])) // -> { kind: "standardize", scale: 1, mean: [2], std: [1] }
 */
export function measureStandardization(inputs: HostArray): Preprocessing {
  const { data, shape, dtype } = inputs;
  const scale = dtype === "u8" ? 1 / 255 : 1;
  const channels = shape.length > 2 ? channelsOf(inputs) : 1;
  const inner = shape.length > 2 ? shape.slice(2).reduce((total, size) => total * size, 1) : 1;
  const rows = data.length / (channels * inner);
  const mean: number[] = [];
  const std: number[] = [];
  for (let channel = 0; channel < channels; channel++) {
    // Two passes, so that a large mean does not swallow a small deviation.
    let sum = 0;
    for (let row = 0; row < rows; row++) {
      const start = (row * channels + channel) * inner;
      for (let i = start; i < start + inner; i++) sum += data[i] as number;
    }
    const center = sum / (rows * inner);
    let squares = 0;
    for (let row = 0; row < rows; row++) {
      const start = (row * channels + channel) * inner;
      for (let i = start; i < start + inner; i++) squares += ((data[i] as number) - center) ** 2;
    }
    const deviation = Math.sqrt(squares / (rows * inner));
    mean.push(center * scale);
    std.push(deviation > 0 ? deviation * scale : 1);
  }
  return { kind: "standardize", scale, mean, std };
}
