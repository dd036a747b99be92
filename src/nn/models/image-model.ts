import { formatAval } from "../../core/dtype.ts";
import { OptionError, ShapeError } from "../../core/errors.ts";
import type { Tensor } from "../../ops/tensor.ts";
import { heNormal, type Initializer } from "../init.ts";
import { expectCount } from "../layer.ts";

/** What every image classifier here takes. */
export type ImageModelOptions = {
  /** Scores that come out. Default 1000, ImageNet's. */
  readonly classes?: number;
  /** Channels of the images, checked. Default: whatever comes. */
  readonly inChannels?: number;
};

/** torchvision's first values for convolutions: normal with std = sqrt(2 / fanOut). */
export const heFanOut: Initializer = heNormal({ mode: "fanOut" });

/** Throws OptionError unless these are counts. */
export function checkImageOptions(kind: string, { classes, inChannels }: ImageModelOptions): void {
  for (const [name, value] of Object.entries({ classes, inChannels }))
    if (value !== undefined) expectCount(kind, name, value);
}

/** Throws ShapeError unless `x` is a batch of images, with these channels where they are given. */
export function expectImages(kind: string, x: Tensor, inChannels: number | undefined): void {
  if (x.dtype !== "f32" || x.rank !== 4 || (inChannels !== undefined && x.shape[1] !== inChannels))
    throw new ShapeError(`${kind}: got ${formatAval(x.aval)}; expected f32[N, ${inChannels ?? "C"}, H, W].`);
}

/** Throws OptionError unless `values` are positive integers, `length` of them. */
export function expectCounts(kind: string, name: string, values: readonly number[], length?: number): void {
  if (length === undefined ? values.length === 0 : values.length !== length)
    throw new OptionError(`${kind}: got ${values.length} values for ${name}; expected ${length ?? "at least one"}.`);
  for (const value of values) expectCount(kind, name, value);
}

/** Throws OptionError unless `value` is a probability below 1. */
export function expectRate(kind: string, name: string, value: number): void {
  if (!(value >= 0 && value < 1))
    throw new OptionError(`${kind}: got ${name} ${value}; expected a probability in [0, 1).`);
}
