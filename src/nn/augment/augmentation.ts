import { OptionError } from "../../core/errors.ts";
import type { Tensor } from "../../ops/tensor.ts";
import type { TensorTree } from "../../trace/grad.ts";
import type { Key } from "../../trace/random.ts";
import type { LayerConfig } from "../layer.ts";

/** What each picture shows: `labels` i32[N, K] and the share of each, f32[N, K], which sum to 1. */
export type MixedLabels = { readonly labels: Tensor; readonly shares: Tensor };

/**
 * Changes the pictures of a training batch at random, inside the compiled step: [N, C, H, W] of any type, before preprocessing.
 * Each picture has draws of its own, which depend on the seed, the step and the picture's place in the batch alone.
 */
export type Augmentation = {
  readonly config: LayerConfig;
  apply(pictures: Tensor, key: Key): Tensor;
  /** Of what mixes pictures: what they show afterwards, with the draws that `apply` makes of this key. */
  mixLabels?(targets: TensorTree | MixedLabels, key: Key, pictures: Tensor): MixedLabels;
  /** Of what mixes pictures: the share of each class, f32[N, C] like the model's output. */
  probabilities?(output: TensorTree, labels: MixedLabels): Tensor;
};

/** A number for each picture, [N, 1, 1, 1], to go with pictures. */
export const perPicture = ({ shape }: Tensor): number[] => [shape[0] as number, 1, 1, 1];

/** A whole number from 0 to `limit` - 1 for each picture, i32[N, 1, 1, 1]. */
export function whole(key: Key, limit: number, pictures: Tensor): Tensor {
  return key.uniform(perPicture(pictures)).mul(limit).floor().cast("i32");
}

/** A number from `low` to `high` for each picture, f32[N, 1, 1, 1]. */
export function between(key: Key, low: number, high: number, pictures: Tensor): Tensor {
  return key
    .uniform(perPicture(pictures))
    .mul(high - low)
    .add(low);
}

/** Numbers as pictures of this type: bytes are rounded and kept from 0 to 255. */
export function likePictures(values: Tensor, { dtype }: Tensor): Tensor {
  return dtype === "u8" ? values.clip(0, 255).add(0.5).floor().minimum(255).cast("u8") : values;
}

/** `changed` for a share `p` of the pictures, the others as they are. */
export function forShare(p: number, key: Key, pictures: Tensor, changed: Tensor): Tensor {
  return p === 1
    ? changed
    : key.bernoulli(p, perPicture(pictures)).broadcastTo(pictures.shape).select(changed, pictures);
}

export function checkCount(name: string, option: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1)
    throw new OptionError(`augment.${name}: got ${option} ${value}; expected a whole number of at least 1.`, option);
}

/** `value` must be above 0 and at most `most`. */
export function checkAmount(name: string, option: string, value: number, most: number): void {
  if (!(value > 0 && value <= most))
    throw new OptionError(
      `augment.${name}: got ${option} ${value}; expected a number above 0 and at most ${most}.`,
      option,
    );
}

export function checkShare(name: string, p: number): void {
  if (!(p >= 0 && p <= 1)) throw new OptionError(`augment.${name}: got p ${p}; expected a number from 0 to 1.`, "p");
}

/** Two numbers, the first above 0 and at most the second, which is at most `most`. */
export function checkRange(name: string, option: string, range: readonly [number, number], most: number): void {
  const [low, high] = range;
  if (!(low > 0 && high >= low && high <= most))
    throw new OptionError(
      `augment.${name}: got ${option} [${range}]; expected two numbers above 0, the lesser first${Number.isFinite(most) ? `, of at most ${most}` : ""}.`,
      option,
    );
}
